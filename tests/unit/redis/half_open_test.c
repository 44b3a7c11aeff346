/*
 * A connection that is open at one end only: who has a deadline is done in time, the connection is
 * not used again, and all goes on by itself when the path is whole.
 */
#include "../half_open.h"
#include "redis_case.h"

static async(void) begin(half_open *path, struct redis_server *server, char url[64])
{
    half_open_begin(path);
    *server = redis_make_at(path->server_host, NULL);
    await(half_open_connect(path, server->port));
    snprintf(url, 64, "redis://%s:%u", path->host, path->port);
    return bide_void;
}

static async(int64_t) connection_of(bide_redis_ptr r)
{
    return ready(int64_t, await(bide_redis(r, "CLIENT", "ID")).integer);
}

/* Until it works again, within 10 s. */
static async(void) until_healed(bide_redis_ptr r)
{
    bide_error *err;
    with_deadline(bide_s(10)) {
        do
            attempt(&err, bide_redis_set, r, "k", "v", BIDE_FOREVER);
        while (err);
    }
    return bide_void;
}

HALF_OPEN_TEST(the_shared_connection, .timeout_ms = 60000)
{
    char url[64];
    struct redis_server server = {.pid = 0};
    defer(redis_end, &server);
    await(begin(path, &server, url));
    struct bide_redis_options options = {
        .timeout = bide_ms(200), .stall = bide_ms(500), .connect_timeout = bide_ms(300)};
    with(bide_redis, r, url, &options) {
        int64_t id = await(connection_of(r));
        half_open_set(path, true);
        for (int i = 0; i < 6; i++) {
            bide_error *err;
            int64_t began_ns = bide_clock_ns();
            attempt(&err, bide_redis_incr, r, "n", 1);
            require(err);
            check(err->code == BIDE_TIMEOUT || err->code == BIDE_REDIS_LOST);
            check(bide_clock_ns() - began_ns < bide_ms(1000).ns);
        }
        half_open_set(path, false);
        await(until_healed(r));
        check(await(connection_of(r)) != id);
        /* The right reply for each, whatever is still on its way. */
        await(bide_redis_set(r, "mine", "x", BIDE_FOREVER));
        check_str(await(bide_redis_get(r, "mine")).text, "x");
    }
}

static async(void) pop(bide_redis_ptr c);
SPAWNABLE(void, pop, bide_redis_ptr)
static async(void) pop(bide_redis_ptr c)
{
    await(bide_redis(c, "BLPOP", "none", 0));
    return bide_void;
}

HALF_OPEN_TEST(a_leased_connection, .timeout_ms = 60000)
{
    char url[64];
    struct redis_server server = {.pid = 0};
    defer(redis_end, &server);
    await(begin(path, &server, url));
    struct bide_redis_options options = {
        .max_leased = 2, .stall = bide_ms(500), .connect_timeout = bide_ms(300)};
    with(bide_redis, r, url, &options) {
        bide_error *err;
        int64_t id = 0, began_ns;
        bool late;
        with(bide_redis_leased, c, r) {
            id = await(connection_of(c));
            half_open_set(path, true);
            began_ns = bide_clock_ns();
            move_on_after(&late, bide_ms(200), pop, c);
            check(late);
            check(bide_clock_ns() - began_ns < bide_ms(1000).ns);
        }
        began_ns = bide_clock_ns();
        attempt(&err, bide__redis_lease, r); /* no new one can be made */
        check(err && (err->code == BIDE_TIMEOUT || err->code == BIDE_SYSTEM));
        check(bide_clock_ns() - began_ns < bide_ms(2000).ns);
        half_open_set(path, false);
        await(until_healed(r));
        with(bide_redis_leased, c, r) {
            check(await(connection_of(c)) != id);
            id = await(connection_of(c));
        }
        /* One that is idle and cut is found out before it is lent. */
        half_open_set(path, true);
        await(bide_sleep(bide_ms(1100)));
        attempt(&err, bide__redis_lease, r);
        check(err != NULL);
        half_open_set(path, false);
        await(until_healed(r));
        await(bide_sleep(bide_ms(2500))); /* the ping that was under way has its time */
        with(bide_redis_leased, c, r)
            check(await(connection_of(c)) > 0);
    }
}

static async(void) watch_and_wait(bide_redis_ptr r, half_open *path);
SPAWNABLE(void, watch_and_wait, bide_redis_ptr, half_open *)
static async(void) watch_and_wait(bide_redis_ptr r, half_open *path)
{
    with_redis_tx(tx, r) {
        await(bide_redis_watch(tx, "stock"));
        bide_redis_queue(tx, "INCR", "sold");
        half_open_set(path, true);
    }
    return bide_void;
}

HALF_OPEN_TEST(a_transaction, .timeout_ms = 60000)
{
    char url[64];
    struct redis_server server = {.pid = 0};
    defer(redis_end, &server);
    await(begin(path, &server, url));
    struct bide_redis_options options = {
        .timeout = bide_ms(300), .stall = bide_ms(500), .connect_timeout = bide_ms(300)};
    with(bide_redis, r, url, &options) {
        bide_error *err;
        int64_t began_ns = bide_clock_ns();
        attempt(&err, watch_and_wait, r, path);
        check(err && err->code == BIDE_TIMEOUT);
        check(bide_clock_ns() - began_ns < bide_ms(1500).ns);
        half_open_set(path, false);
        await(until_healed(r));
    }
}

HALF_OPEN_TEST(a_subscription, .timeout_ms = 60000)
{
    static const char *const names[] = {"news"};
    char url[64];
    struct redis_server server = {.pid = 0};
    defer(redis_end, &server);
    await(begin(path, &server, url));
    struct bide_redis_options options = {.stall = bide_ms(300), .connect_timeout = bide_ms(300)};
    with(bide_redis, r, url, &options) {
        with(bide_redis_subscription, s, r, names, 1, 4) {
            bide_redis_message *m = NULL;
            half_open_set(path, true);
            await(bide_sleep(bide_ms(1000)));
            half_open_set(path, false);
            with_deadline(bide_s(10)) {
                while (!bide_try_receive(bide_redis_messages(s), &m)) {
                    bide_error *err;
                    attempt(&err, bide_redis, r, "PUBLISH", "news", "back");
                    await(bide_sleep(bide_ms(20)));
                }
            }
            check_str(m->text, "back");
            check_int(m->connection, 2);
            bide_free(m);
        }
    }
}
