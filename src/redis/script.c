/*
 * script.c: Lua scripts by their hash. Called by users; calls command.c.
 */
#include "redis/redis.h"

#include "base/mem.h"
#include "core/graph.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static void end_arena(void *arena)
{
    bide_arena_done(arena);
}

/*
 * A static script is of all loops, and several may learn its hash at once: the first writes it, the
 * others leave it alone, as it is read without the lock once its first byte is there.
 */
static void keep_hash(bide_redis_script *script, const char *hash)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!script->sha1[0]) {
        memcpy(script->sha1 + 1, hash + 1, sizeof script->sha1 - 1);
        __atomic_store_n(script->sha1, hash[0], __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&lock);
}

/* Has the server learn the script and say its hash. */
static bide_async(void) load(bide_redis *r, bide_redis_script *script)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, BIDE_CAP_ARENA_CHUNK_BYTES);
    bide_defer(end_arena, &arena);
    const bide_redis_arg args[] = {bide__redis_text("SCRIPT"), bide__redis_text("LOAD"),
                                   bide__redis_text(script->text)};
    struct bide__redis_answer answer = {.arena = &arena, .repeatable = true};
    (void)bide_await(bide__redis_do(r, args, 3, &answer));
    bide__redis_check(r, args, &answer);
    bide_redis_reply reply = answer.reply;
    if (!reply.text || reply.size + 1 != sizeof script->sha1)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_REDIS_PROTOCOL, "redis %s: SCRIPT LOAD gave no hash",
                                  r->client->address));
    keep_hash(script, reply.text);
    return bide_void;
}

bide_async(bide_redis_reply) bide_redis_eval(bide_redis *r, bide_redis_script *script,
                                             const bide_redis_arg *args, size_t keys, size_t count)
{
    bide_arena *arena = bide__redis_arena(r);
    if (!__atomic_load_n(script->sha1, __ATOMIC_ACQUIRE))
        (void)bide_await(load(r, script));
    bide_redis_arg *all = bide__alloc((count + 3) * sizeof *all);
    if (!all)
        bide__raise(-ENOMEM, &r->client->object);
    bide_defer(bide__free, all);
    all[0] = bide__redis_text("EVALSHA");
    all[1] = bide__redis_text(script->sha1);
    all[2] = bide__redis_unsigned(keys);
    if (count > 0)
        memcpy(all + 3, args, count * sizeof *args);
    struct bide__redis_answer answer = {.arena = arena};
    (void)bide_await(bide__redis_do(r, all, count + 3, &answer));
    if (answer.reply.kind == BIDE_REDIS_ERROR && strncmp(answer.text, "NOSCRIPT", 8) == 0) {
        /* Nothing was run: the server was started anew, or its scripts were flushed. */
        all[0] = bide__redis_text("EVAL");
        all[1] = bide__redis_text(script->text);
        answer = (struct bide__redis_answer){.arena = arena};
        (void)bide_await(bide__redis_do(r, all, count + 3, &answer));
    }
    bide__redis_check(r, all, &answer);
    return bide_ready(bide_redis_reply, answer.reply);
}
