/*
 * lease.c: connections that one task has for itself, which src/pool keeps and lends. Called by
 * users, by transaction.c and subscription.c; calls link.c.
 *
 * Invariants
 *  1. A connection is lent again only if it owes no reply, nothing stands unread in it and its
 *     block was left clean. No other is repaired, but closed: a command that was cut off may block
 *     at the server for ever.
 *  2. A client has one pool, of its own loop only; the task `keep` (pipeline.c) closes it last.
 */
#include "redis/redis.h"

#include "base/mem.h"
#include "core/graph.h"
#include "core/scope.h"
#include "io/endpoint.h"

#include <bide/log.h>

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

struct lease {
    bide_redis handle; /* what the user has; of it `client`, `link`, `loop`, `options.timeout` */
    struct bide__redis_link link;
    bide_pooled *slot; /* while it is lent */
    bool discarded;
};

static struct lease *lease_of(bide_redis *leased)
{
    return bide__container_of(leased, struct lease, handle);
}

/* ---- for the pool ---- */

static bide_async(bide_connection) open_one(void *client)
{
    struct lease *lease = bide__calloc(1, sizeof *lease);
    if (!lease)
        bide__raise(-ENOMEM, &((bide_redis *)client)->object);
    bide_on_error(bide__free, lease);
    lease->handle.client = client;
    lease->handle.link = &lease->link;
    lease->handle.loop = lease->handle.client->loop;
    (void)bide_await(bide__redis_link_open(client, &lease->link));
    return bide_ready(bide_connection, lease);
}

static bide_async(void) close_one(void *connection)
{
    struct lease *lease = connection;
    bide__redis_link_close(&lease->link);
    bide__free(lease);
    return bide_void;
}

static bool is_quiet(void *connection)
{
    const struct lease *lease = connection;
    const struct bide__redis_link *link = &lease->link;
    return link->stream && !lease->discarded && !link->busy &&
           !bide__redis_reader_holds(link->reader) && bide__stream_peek(link->stream) == -EAGAIN;
}

static bool is_broken(void *connection)
{
    const struct bide__redis_link *link = &((const struct lease *)connection)->link;
    int found = link->stream ? bide__stream_peek(link->stream) : 0;
    return found <= 0 && found != -EAGAIN;
}

static bide_async(void) reset(void *connection)
{
    (void)connection; /* invariant 1 */
    return bide_void;
}

static bide_async(void) ping(void *connection)
{
    struct lease *lease = connection;
    bide_redis *client = lease->handle.client;
    const bide_redis_arg args[] = {bide__redis_text("PING")};
    struct bide__redis_answer answer = {.repeatable = true};
    (void)bide_await(bide__redis_link_command(client, &lease->link, args, 1, &answer));
    bide__redis_check(client, args, &answer);
    return bide_void;
}

int bide__redis_leases_init(bide_redis *client)
{
    static const struct bide_pool_driver driver = {
        .open = open_one,
        .close = close_one,
        .is_idle = is_quiet,
        .reset = reset,
        .ping = ping,
        .broken = is_broken,
    };
    size_t most = client->options.max_leased;
    int limit = most < INT_MAX ? (int)most : INT_MAX;
    int stay = limit < BIDE_CAP_REDIS_IDLE ? limit : BIDE_CAP_REDIS_IDLE;
    struct bide_pool_options options = {
        .name = client->address,
        .pool_size = stay,
        .max_overflow = limit > stay ? limit - stay : -1,
        .pool_timeout = client->options.connect_timeout,
        .connect_timeout = client->options.connect_timeout,
    };
    client->leases = bide_pool_new(&driver, client, &options);
    return client->leases ? 0 : -ENOMEM;
}

static void close_pool(void *pool) BIDE__UNCHECKED
{
    (void)bide_await(bide_pool_close(pool, BIDE_FOREVER));
}

void bide__redis_leases_close(bide_redis *client)
{
    static const struct bide_site site = {__FILE__, "bide_redis_close", "closes leases", __LINE__};
    struct bide__scope shield = {0};
    bide__shield_enter(&shield, &site, BIDE_FOREVER);
    bide_error *error = bide__boundary(close_pool, client->leases);
    bide__scope_pop(&shield);
    if (error)
        bide_log(BIDE_LOG_ERROR, "redis %s: closing: %s", client->address, error->message);
}

/* ---- for users ---- */

bide_async(bide_redis_ptr) bide__redis_take(bide_redis *client)
{
    bide__redis_check_caller(client->client);
    if (client->closed || client->link)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_CLOSED, "redis %s: %s", client->client->address,
                                  client->link ? "this is a leased connection already"
                                               : "the client was closed"));
    struct lease *lease;
    for (;;) { /* the user's line is the one that the pool reports */
        bide_pooled *slot = bide_pool_acquire(client->leases).await;
        lease = slot->connection;
        lease->slot = slot;
        if (is_quiet(lease))
            break;
        bide_pool_release(slot); /* the server went while it was idle */
    }
    lease->handle.options.timeout = BIDE_FOREVER;
    return bide_ready(bide_redis_ptr, &lease->handle);
}

void bide__redis_give(bide_redis *leased, bool clean)
{
    struct lease *lease = lease_of(leased);
    lease->discarded |= !clean;
    bide_pool_release(lease->slot);
}

void bide__redis_disown(bide_redis *leased)
{
    bide_pool_disown(lease_of(leased)->slot);
}

bide_async(bide_redis_ptr) bide__redis_lease(bide_redis_ptr client)
{
    bide_redis *leased = bide__redis_take(client).await;
    client->blocks++;
    return bide_ready(bide_redis_ptr, leased);
}

void bide__redis_return(bide_redis *leased, bool clean)
{
    leased->client->blocks--;
    bide__redis_give(leased, clean);
}

bide_async(void) bide__redis_give_back(bide_redis_ptr leased, bide_error *error)
{
    bide__redis_return(leased, !error);
    return bide_void;
}

void bide_redis_discard(bide_redis *leased)
{
    if (bide__unlikely(!leased->link))
        bide__misuse("bide_redis_discard of a connection that is not leased: %s", leased->address);
    lease_of(leased)->discarded = true;
}
