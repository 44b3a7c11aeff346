/*
 * Connections of one's own as src/pool lends them: which are lent again, who waits, what ends a
 * wait. That a command which was cut off ends its connection is in pieces_test.c.
 */
#include "redis_case.h"

static async(int64_t) connection_of(bide_redis_ptr r)
{
    int64_t id;
    with(bide_redis_leased, c, r)
        id = await(bide_redis(c, "CLIENT", "ID")).integer;
    return ready(int64_t, id);
}

static async(void) lease_and_ask(bide_redis_ptr r, int64_t *id);
SPAWNABLE(void, lease_and_ask, bide_redis_ptr, int64_t *)
static async(void) lease_and_ask(bide_redis_ptr r, int64_t *id)
{
    *id = await(connection_of(r));
    return bide_void;
}

static async(void) leave_by_an_error(bide_redis_ptr r);
SPAWNABLE(void, leave_by_an_error, bide_redis_ptr)
static async(void) leave_by_an_error(bide_redis_ptr r)
{
    with(bide_redis_leased, c, r) {
        await(bide_redis(c, "MULTI"));
        fail(bide_error_new(1000, "no"));
    }
    return bide_void;
}

TEST(the_one_used_last_is_lent_again_if_it_was_left_clean, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        bide_error *err;
        int64_t id = await(connection_of(r));
        check_int(await(connection_of(r)), id);
        await(bide_sleep(bide_ms(1100))); /* long enough to be asked whether it is there */
        check_int(await(connection_of(r)), id);
        attempt(&err, leave_by_an_error, r); /* within MULTI */
        check(err && err->code == 1000);
        check(await(connection_of(r)) != id);
    }
}

TEST(idle_ones_of_a_server_that_was_restarted_are_not_lent, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        int64_t ids[3] = {0};
        with_group(g) {
            for (int i = 0; i < 3; i++)
                spawn_void(g, lease_and_ask, r, &ids[i]);
        }
        redis_kill(&server);
        redis_start(&server);
        with_group(g) {
            for (int i = 0; i < 3; i++)
                spawn_void(g, lease_and_ask, r, &ids[i]);
        }
        for (int i = 0; i < 3; i++)
            check(ids[i] > 0);
    }
}

TEST(what_stands_unread_in_an_idle_one_is_nobodys_reply, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        int64_t id = await(connection_of(r));
        await(bide_redis(r, "CLIENT", "PAUSE", 100, "ALL"));
        with(bide_redis_leased, c, r) {
            bide_error *err;
            bool late;
            move_on_after(&late, bide_ms(20), bide_redis_get, c, "k");
            check(late);
            attempt(&err, bide_redis_get, c, "k");
            check(err && err->code == BIDE_CLOSED);
        }
        await(bide_sleep(bide_ms(150))); /* its reply has come by now */
        check(await(connection_of(r)) != id);
    }
}

TEST(a_wait_for_oneself_is_a_deadlock, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    static const char *const names[] = {"news"};
    struct bide_redis_options options = {.max_leased = 1};
    with(bide_redis, r, server.url, &options) {
        bide_error *err;
        with(bide_redis_leased, c, r) {
            test_capture_stderr();
            attempt(&err, bide__redis_lease, r);
            const char *text = test_captured();
            check(err && err->code == BIDE_DEADLOCK);
            check_contains(text, "wants a connection of  pool 'unix:");
            check_contains(text, "lease_test.c"); /* the user's line, not the library's */
            check_int(await(bide_redis(c, "INCR", "n")).integer, 1);
        }
        for (int i = 0; i < 3; i++) {
            with(bide_redis_subscription, s, r, names, 1, 4) { /* it is one of them, too */
                attempt(&err, bide__redis_lease, r);
                check(err && err->code == BIDE_DEADLOCK);
            }
            check(await(connection_of(r)) > 0); /* the subscription's task may have it still */
        }
    }
}

static async(void) lease_and_tell(bide_redis_ptr r, int *code);
SPAWNABLE(void, lease_and_tell, bide_redis_ptr, int *)
static async(void) lease_and_tell(bide_redis_ptr r, int *code)
{
    bide_error *err;
    attempt(&err, bide__redis_lease, r);
    *code = err ? err->code : 0;
    return bide_void;
}

TEST(closing_ends_a_wait_for_one, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    int code = 0;
    bide_redis *r = await(bide_redis_open(server.url, NULL));
    kill(server.pid, SIGSTOP); /* it accepts no connection */
    with_group(g) {
        spawn_void(g, lease_and_tell, r, &code);
        await(bide_sleep(bide_ms(20)));
        bide_redis_close(r);
    }
    check_int(code, BIDE_CLOSED);
    kill(server.pid, SIGCONT);
}

TEST(one_that_cannot_be_made_says_why, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    struct bide_redis_options options = {.connect_timeout = bide_ms(100)};
    with(bide_redis, r, server.url, &options) {
        bide_error *err;
        await(bide_redis(r, "CONFIG", "SET", "maxclients", 1));
        attempt(&err, bide__redis_lease, r);
        require(err);
        check_int(err->code, BIDE_REDIS_REFUSED);
        check_contains(err->message, "max number of clients");
        kill(server.pid, SIGSTOP);
        attempt(&err, bide__redis_lease, r);
        kill(server.pid, SIGCONT);
        check(err && err->code == BIDE_TIMEOUT);
        await(bide_sleep(bide_ms(50))); /* what was being opened is refused by now */
        redis_kill(&server);
        attempt(&err, bide__redis_lease, r);
        check(err && err->code == BIDE_SYSTEM);
        redis_start(&server);
        check(await(connection_of(r)) > 0);
    }
}
