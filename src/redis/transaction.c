/*
 * transaction.c: MULTI, what was queued and EXEC in one piece over a leased connection.
 * Called by users; calls lease.c, link.c.
 *
 * Invariants
 *  1. Nothing of a transaction is sent before all of it is there: no way of leaving the block
 *     leaves a MULTI open at the server.
 *  2. The connection is kept only if EXEC (or UNWATCH) was answered, so it watches nothing.
 */
#include "redis/redis.h"

#include "base/mem.h"
#include "core/graph.h"

#include <errno.h>
#include <string.h>

struct bide_redis_tx {
    bide_redis *leased;
    struct bide__redis_output queued; /* MULTI, then the commands */
    size_t count;                     /* of commands, without MULTI */
    bool watching, done, failed;
};

static void append(bide_redis_tx *tx, const bide_redis_arg *args, size_t count)
{
    size_t bytes = bide__redis_command_bytes(args, count);
    char *at = bide__redis_output_room(&tx->queued, bytes);
    if (at) {
        bide__redis_command_write(at, args, count);
        tx->queued.length += bytes;
    } else {
        tx->failed = true;
    }
}

#define APPEND(tx, word)                                                                           \
    append(tx, (const bide_redis_arg[]){{.data = (word), .size = sizeof(word) - 1}}, 1)

bide_async(bide_redis_tx_ptr) bide__redis_tx_begin(bide_redis_ptr r)
{
    bide_redis_tx *tx = bide__calloc(1, sizeof *tx);
    if (!tx)
        bide__raise(-ENOMEM, &r->client->object);
    bide_on_error(bide__free, tx);
    tx->leased = bide__redis_lease(r).await;
    tx->leased->options.timeout = r->options.timeout;
    APPEND(tx, "MULTI");
    return bide_ready(bide_redis_tx_ptr, tx);
}

bide_redis *bide_redis_tx_reads(bide_redis_tx *tx)
{
    return tx->leased;
}

bide_async(void) bide_redis_watch(bide_redis_tx *tx, const char *key)
{
    tx->watching = true;
    (void)bide_await(bide_redis(tx->leased, "WATCH", key));
    return bide_void;
}

void bide_redis_queue_argv(bide_redis_tx *tx, const bide_redis_arg *args, size_t count)
{
    size_t bad = bide__redis_bad_arg(args, count);
    if (bide__unlikely(bad < count || tx->done))
        bide__misuse(tx->done ? "bide_redis_queue: the transaction is done already"
                              : "bide_redis_queue: an argument is NULL");
    append(tx, args, count);
    tx->count++;
}

static bide_async(bide_redis_reply) execute(bide_redis_tx *tx, bide_arena *arena)
{
    bide_redis *client = tx->leased->client;
    const bide_redis_arg name = {.data = "EXEC", .size = 4};
    struct bide__redis_answer answer = {.arena = arena};
    bide__redis_check_caller(client);
    if (bide__unlikely(tx->done))
        bide__misuse("bide_redis_exec: the transaction is done already");
    APPEND(tx, "EXEC");
    if (tx->failed)
        bide__raise(-ENOMEM, &client->object);
    tx->done = true;
    bide_with_deadline(client->options.timeout)(void) bide_await(bide__redis_link_call(
        client, tx->leased->link, tx->queued.data, tx->queued.length, tx->count + 2, &answer));
    tx->watching = false;
    bide__redis_check(client, &name, &answer);
    if (answer.reply.kind == BIDE_REDIS_NIL)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_REDIS_CONFLICT,
                                  "redis %s: a watched key was changed: nothing was done",
                                  client->address));
    return bide_ready(bide_redis_reply, answer.reply);
}

bide_async(bide_redis_reply) bide_redis_exec(bide_redis_tx *tx)
{
    return execute(tx, bide__redis_arena(tx->leased));
}

static void drop(void *tx_)
{
    bide_redis_tx *tx = tx_;
    bide__redis_return(tx->leased, !tx->watching);
    bide__free(tx->queued.data);
    bide__free(tx);
}

static void end_arena(void *arena)
{
    bide_arena_done(arena);
}

bide_async(void) bide__redis_tx_end(bide_redis_tx_ptr tx, bide_error *error)
{
    bide_defer(drop, tx);
    if (error || tx->done)
        return bide_void;
    if (tx->count == 0) {
        if (tx->watching)
            (void)bide_await(bide_redis(tx->leased, "UNWATCH"));
        tx->watching = false;
        return bide_void;
    }
    bide_arena arena;
    bide_arena_init(&arena, NULL, tx->leased->client->options.reply_bytes);
    bide_defer(end_arena, &arena);
    bide_redis_reply replies = bide_await(execute(tx, &arena));
    for (size_t i = 0; i < replies.count; i++)
        if (replies.items[i].kind == BIDE_REDIS_ERROR)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_REDIS_REFUSED, "redis: command %zu of EXEC: %s", i + 1,
                                      replies.items[i].text));
    return bide_void;
}
