/*
 * pool_case.h: a driver without a network, for the tests of this folder: a server that counts its
 * connections, takes its time on the virtual clock, and fails when told to.
 */
#ifndef POOL_CASE_H
#define POOL_CASE_H

#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>
#include <string.h>

struct server {
    bide_duration open_time, close_time, ping_time, reset_time;
    int refuse; /* how many of the next connections are refused */
    bool mute;  /* nothing is answered: pings fail */
    bool reset_fails, reset_does_nothing;
    int live, most; /* connections that the server sees: atomic, as are all counts */
    int opened, closed, pinged, reset;
};

struct fake {
    struct server *server;
    int number; /* from 1, in the order of opening */
    bool dirty, gone;
    bool lent; /* for a test that lends it */
};

static inline void count(int *counter, int n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void fake_hangs_up(void *server)
{
    count(&((struct server *)server)->live, -1);
}

static async(bide_connection) fake_open(void *arg)
{
    struct server *server = arg;
    int live = __atomic_add_fetch(&server->live, 1, __ATOMIC_RELAXED);
    int most = __atomic_load_n(&server->most, __ATOMIC_RELAXED);
    while (live > most && !__atomic_compare_exchange_n(&server->most, &most, live, false,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
    on_error(fake_hangs_up, server);
    await(bide_sleep(server->open_time));
    if (test_fault("connect") || server->refuse > 0) {
        server->refuse -= server->refuse > 0;
        fail(bide_error_new(1001, "refused"));
    }
    struct fake *fake = calloc(1, sizeof *fake);
    require(fake);
    fake->server = server;
    fake->number = __atomic_add_fetch(&server->opened, 1, __ATOMIC_RELAXED);
    return ready(bide_connection, fake);
}

static void fake_free(void *connection)
{
    struct fake *fake = connection;
    count(&fake->server->closed, 1);
    fake_hangs_up(fake->server);
    free(fake);
}

static async(void) fake_close(void *connection)
{
    const struct fake *fake = connection;
    defer(fake_free, connection);
    await(bide_sleep(fake->server->close_time));
    return bide_void;
}

static bool fake_is_idle(void *connection)
{
    const struct fake *fake = connection;
    return !fake->dirty && !fake->gone;
}

static async(void) fake_reset(void *connection)
{
    struct fake *fake = connection;
    count(&fake->server->reset, 1);
    await(bide_sleep(fake->server->reset_time));
    if (test_fault("reset") || fake->server->reset_fails)
        fail(bide_error_new(1002, "cannot be reset"));
    if (!fake->server->reset_does_nothing)
        fake->dirty = false;
    return bide_void;
}

static async(void) fake_ping(void *connection)
{
    struct fake *fake = connection;
    count(&fake->server->pinged, 1);
    await(bide_sleep(fake->server->ping_time));
    if (test_fault("ping") || fake->server->mute || fake->gone)
        fail(bide_error_new(1003, "no answer"));
    return bide_void;
}

static bool fake_broken(void *connection)
{
    return ((const struct fake *)connection)->gone;
}

static const struct bide_pool_driver fake_driver = {
    .open = fake_open,
    .close = fake_close,
    .is_idle = fake_is_idle,
    .reset = fake_reset,
    .ping = fake_ping,
    .broken = fake_broken,
};

static inline bide_pool *pool_with(struct server *server, struct bide_pool_options options)
{
    options.name = "db";
    if (options.max_overflow == 0)
        options.max_overflow = -1;
    return bide_pool_new(&fake_driver, server, &options);
}

/* pool_of(&server, 2, .max_overflow = 1, ...): of that size; no overflow unless it is said. */
#define pool_of(server, ...) pool_with(server, (struct bide_pool_options){.pool_size = __VA_ARGS__})

static inline struct bide_pool_stats stats_of(const bide_pool *pool)
{
    struct bide_pool_stats stats;
    bide_pool_stats(pool, &stats);
    return stats;
}

/* Nothing is left behind. */
__attribute__((__unused__)) static async(void) end(bide_pool *pool, struct server *server)
{
    await(bide_pool_close(pool, bide_s(60)));
    struct bide_pool_stats stats = stats_of(pool);
    check_int(stats.open, 0);
    check_int(stats.held, 0);
    check_int(stats.idle, 0);
    check_int(stats.waiting, 0);
    check_int(server->live, 0);
    check_int(server->opened, server->closed);
    check(server->most <= (int)stats.limit);
    bide_pool_free(pool);
    return bide_void;
}

/* Uses a connection for a while; gives its number. */
static async(int) use(bide_pool *pool, bide_duration duration)
{
    int number = 0;
    with_pooled(connection, pool) {
        number = ((struct fake *)connection)->number;
        await(bide_sleep(duration));
    }
    return ready(int, number);
}
SPAWNABLE(int, use, bide_pool *, bide_duration)

/* The same, unless it fails; the code. */
static async(int) use_code(bide_pool *pool, bide_duration duration)
{
    bide_error *error;
    attempt(&error, use, pool, duration);
    return ready(int, error ? error->code : 0);
}
SPAWNABLE(int, use_code, bide_pool *, bide_duration)

#endif
