/*
 * Leased connections, transactions, scripts and messages against a real server.
 */
#include "redis_case.h"
#include "redis/redis.h"

#include <netinet/tcp.h>

static async(void) push(bide_redis_ptr r, const char *value);
SPAWNABLE(void, push, bide_redis_ptr, const char *)
static async(void) push(bide_redis_ptr r, const char *value)
{
    await(bide_sleep(bide_ms(20)));
    await(bide_redis(r, "RPUSH", "list", value));
    return bide_void;
}

TEST(a_command_that_blocks, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        int64_t id = 0;
        with_group(g) {
            spawn_void(g, push, r, "x");
            with(bide_redis_leased, c, r) {
                id = await(bide_redis(c, "CLIENT", "ID")).integer;
                bide_redis_reply reply = await(bide_redis(c, "BLPOP", "list", 5));
                require(reply.count == 2);
                check_str(reply.items[1].text, "x");
            }
        }
        with(bide_redis_leased, c, r) { /* the same connection once more */
            check_int(await(bide_redis(c, "CLIENT", "ID")).integer, id);
            bide_redis_discard(c);
        }
        with(bide_redis_leased, c, r)
            check(await(bide_redis(c, "CLIENT", "ID")).integer != id);
    }
}

/* A blocking command has no deadline: the system probes whether the peer is there. */
TEST(a_peer_that_is_gone_is_found_out, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.tcp_url, NULL) {
        with(bide_redis_leased, c, r) {
            int fd = bide_stream_fd(c->link->stream), on = 0, idle_s = 0;
            socklen_t size = sizeof on;
            check_int(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size), 0);
            check_int(on, 1);
            check_int(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, &size), 0);
            check(idle_s > 0 && idle_s <= 30);
        }
    }
}

static async(void) pop(bide_redis_ptr r);
SPAWNABLE(void, pop, bide_redis_ptr)
static async(void) pop(bide_redis_ptr r)
{
    with(bide_redis_leased, c, r)
        await(bide_redis(c, "BLPOP", "none", 0));
    return bide_void;
}

TEST(a_lease_that_was_cut_off_is_not_used_again, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        int64_t id;
        with(bide_redis_leased, c, r)
            id = await(bide_redis(c, "CLIENT", "ID")).integer;
        bool late;
        move_on_after(&late, bide_ms(20), pop, r);
        check(late);
        with(bide_redis_leased, c, r) {
            bide_error *err;
            check(await(bide_redis(c, "CLIENT", "ID")).integer != id);
            with_group(g) {
                task(bide_redis_reply) cut =
                    spawn(g, bide_redis_argv, c, BIDE__REDIS_ARGS("BLPOP", "none", 0), 3);
                await(bide_sleep(bide_ms(20)));
                bide_cancel(cut, "a test");
            }
            attempt(&err, bide_redis, c, "PING");
            require(err);
            check_int(err->code, BIDE_CLOSED);
        }
        await(bide_redis_set(r, "k", "v", BIDE_FOREVER));
    }
}

TEST(leases_are_bounded, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    struct bide_redis_options options = {.max_leased = 2, .connect_timeout = bide_ms(100)};
    with(bide_redis, r, server.url, &options) {
        with_group(g) {
            bide_error *err;
            task(void) first = spawn(g, pop, r);
            spawn_void(g, pop, r);
            await(bide_sleep(bide_ms(20)));
            attempt(&err, bide__redis_lease, r);
            require(err);
            check_int(err->code, BIDE_TIMEOUT);
            bide_cancel(first, "a test");
            with(bide_redis_leased, c, r)
                await(bide_redis(c, "PING"));
            bide_group_cancel(g, "the end");
        }
    }
}

static async(void) take_one(bide_redis_ptr r, bool disturb);
SPAWNABLE(void, take_one, bide_redis_ptr, bool)
static async(void) take_one(bide_redis_ptr r, bool disturb)
{
    with_redis_tx(tx, r) {
        await(bide_redis_watch(tx, "stock"));
        check_int(await(bide_redis_get(bide_redis_tx_reads(tx), "stock")).kind, BIDE_REDIS_TEXT);
        if (disturb)
            await(bide_redis_incr(r, "stock", 10));
        bide_redis_queue(tx, "DECR", "stock");
        bide_redis_queue(tx, "RPUSH", "sold", 1);
    }
    return bide_void;
}

static async(void) fail_in_the_middle(bide_redis_ptr r);
SPAWNABLE(void, fail_in_the_middle, bide_redis_ptr)
static async(void) fail_in_the_middle(bide_redis_ptr r)
{
    with_redis_tx(tx, r) {
        bide_redis_queue(tx, "DECR", "stock");
        fail(bide_error_new(1000, "no"));
    }
    return bide_void;
}

static async(void) wrong_command(bide_redis_ptr r, bool unknown);
SPAWNABLE(void, wrong_command, bide_redis_ptr, bool)
static async(void) wrong_command(bide_redis_ptr r, bool unknown)
{
    with_redis_tx(tx, r) {
        bide_redis_queue(tx, "INCR", "stock");
        if (unknown)
            bide_redis_queue(tx, "NOSUCH");
        else
            bide_redis_queue(tx, "INCR", "sold");
    }
    return bide_void;
}

TEST(transactions, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        bide_error *err;
        await(bide_redis_set(r, "stock", "3", BIDE_FOREVER));
        await(take_one(r, false));
        check_int(await(bide_redis_incr(r, "stock", 0)), 2);
        attempt(&err, take_one, r, true);
        require(err);
        check_int(err->code, BIDE_REDIS_CONFLICT);
        check_int(await(bide_redis_incr(r, "stock", 0)), 12);
        check_int(await(bide_redis(r, "LLEN", "sold")).integer, 1);
        attempt(&err, fail_in_the_middle, r);
        require(err);
        check_int(err->code, 1000);
        check_int(await(bide_redis_incr(r, "stock", 0)), 12);
        attempt(&err, wrong_command, r, true);
        require(err);
        check_contains(err->message, "unknown command");
        check_int(await(bide_redis_incr(r, "stock", 0)), 12);
        attempt(&err, wrong_command, r, false);
        require(err);
        check_contains(err->message, "command 2 of EXEC: WRONGTYPE");
        check_int(await(bide_redis_incr(r, "stock", 0)), 13);
        with_redis_tx(tx, r) {
            bide_redis_queue(tx, "INCR", "stock");
            bide_redis_queue(tx, "GET", "stock");
            bide_redis_reply replies = await(bide_redis_exec(tx));
            require(replies.count == 2);
            check_int(replies.items[0].integer, 14);
            check_str(replies.items[1].text, "14");
        }
        with_redis_tx(tx, r) /* nothing is queued: nothing stays watched */
            await(bide_redis_watch(tx, "stock"));
    }
}

TEST(scripts, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    bide_redis_script add = {.text = "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
    with(bide_redis, r, server.url, NULL) {
        const bide_redis_arg args[] = {bide_redis_arg("n"), bide_redis_arg(4)};
        check_int(await(bide_redis_eval(r, &add, args, 1, 2)).integer, 4);
        check_int(await(bide_redis_eval(r, &add, args, 1, 2)).integer, 8);
        await(bide_redis(r, "SCRIPT", "FLUSH"));
        check_int(await(bide_redis_eval(r, &add, args, 1, 2)).integer, 12);
        bide_redis_script wrong = {.text = "return redis.call('INCRBY', 'n', 'x')"};
        bide_error *err;
        attempt(&err, bide_redis_eval, r, &wrong, NULL, 0, 0);
        require(err);
        check_int(err->code, BIDE_REDIS_REFUSED);
    }
}

static char all_loops_url[128];

static async(void) add_on_a_loop(void)
{
    static bide_redis_script add = {.text = "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
    const bide_redis_arg args[] = {bide_redis_arg("n"), bide_redis_arg(1)};
    with(bide_redis, r, all_loops_url, NULL)
        for (int i = 0; i < 10; i++)
            check(await(bide_redis_eval(r, &add, args, 1, 2)).integer > 0);
    return bide_void;
}

TEST_PLAIN(a_script_of_all_loops)
{
    struct redis_server server = redis_make(NULL);
    snprintf(all_loops_url, sizeof all_loops_url, "%s", server.url);
    check_int(bide_run(add_on_a_loop, .loops = 4), 0);
    redis_end(&server);
}

TEST(messages, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    static const char *const names[] = {"news", "weather"}, *const patterns[] = {"n*"};
    with(bide_redis, r, server.url, NULL) {
        with(bide_redis_subscription, s, r, names, 2, 4) {
            with(bide_redis_pattern_subscription, p, r, patterns, 1, 4) {
                bide_redis_message *m;
                await(bide_redis(r, "PUBLISH", "news", "one"));
                await(bide_redis(r, "PUBLISH", "weather", ""));
                await(bide_redis(r, "PUBLISH", "none", "two"));
                check(await(bide_receive(bide_redis_messages(s), &m)));
                check_str(m->channel, "news");
                check_str(m->text, "one");
                check_int(m->size, 3);
                check_int(m->connection, 1);
                bide_free(m);
                check(await(bide_receive(bide_redis_messages(s), &m)));
                check_str(m->channel, "weather");
                check_str(m->text, "");
                bide_free(m);
                check(await(bide_receive(bide_redis_messages(p), &m)));
                check_str(m->channel, "news");
                bide_free(m);
                check(await(bide_receive(bide_redis_messages(p), &m)));
                check_str(m->text, "two");
                bide_free(m);
                /* More than there is room for, and nobody receives them. */
                for (int i = 0; i < 10; i++)
                    await(bide_redis(r, "PUBLISH", "news", i));
                await(bide_sleep(bide_ms(20)));
                check_int(bide_channel_count(bide_redis_messages(s)), 4);
            }
        }
    }
}

TEST(messages_go_on_after_the_server_was_away, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    static const char *const names[] = {"news"};
    with(bide_redis, r, server.url, NULL) {
        with(bide_redis_subscription, s, r, names, 1, 4) {
            bide_redis_message *m;
            redis_kill(&server);
            redis_start(&server);
            /* Until somebody hears it. */
            for (int64_t heard = 0; heard == 0;) {
                bide_error *err;
                heard = attempt(&err, bide_redis, r, "PUBLISH", "news", "back").integer;
                await(bide_sleep(bide_ms(10)));
            }
            check(await(bide_receive(bide_redis_messages(s), &m)));
            check_str(m->text, "back");
            check_int(m->connection, 2);
            bide_free(m);
        }
    }
}
