/*
 * pool_test.c: lending and taking back: who gets which connection, bounds, ages, closing, misuse.
 */
#include "pool_case.h"

#include <stdio.h>

static char journal[256];

static void note(const char *text)
{
    strncat(journal, text, sizeof journal - strlen(journal) - 1);
}

TEST(one_is_opened_once_and_used_again)
{
    struct server server = {.open_time = bide_ms(10)};
    bide_pool *pool = pool_of(&server, 4);
    for (int i = 0; i < 100; i++)
        check_int(await(use(pool, bide_ms(1))), 1);
    check_int(server.opened, 1);
    check_int(stats_of(pool).acquired, 100);
    check_int(stats_of(pool).waited, 1);
    check_int(stats_of(pool).idle, 1);
    await(end(pool, &server));
}

TEST(the_one_used_last_is_lent_first, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 3);
    with_group(g) {
        spawn_void(g, use, pool, bide_ms(10));
        spawn_void(g, use, pool, bide_ms(20));
        spawn_void(g, use, pool, bide_ms(30));
    }
    check_int(server.opened, 3);
    check_int(await(use(pool, bide_ms(1))), 3);
    check_int(await(use(pool, bide_ms(1))), 3);
    check_int(server.opened, 3);
    await(end(pool, &server));
}

TEST(two_pools_are_not_mixed_up)
{
    struct server servers[2] = {{.refuse = 0}};
    bide_pool *pools[2] = {pool_of(&servers[0], 2), pool_of(&servers[1], 2)};
    for (int i = 0; i < 8; i++) {
        with_pooled(outer, pools[i % 2]) {
            with_pooled(inner, pools[1 - i % 2]) {
                check_ptr(((struct fake *)outer)->server, &servers[i % 2]);
                check_ptr(((struct fake *)inner)->server, &servers[1 - i % 2]);
            }
        }
    }
    await(end(pools[0], &servers[0]));
    check_int(await(use(pools[1], bide_ms(1))), 1);
    await(end(pools[1], &servers[1]));
    check_int(servers[0].opened + servers[1].opened, 2);
}

TEST(defaults)
{
    struct server server = {0};
    bide_pool *pool = bide_pool_new(&fake_driver, &server, NULL);
    size_t limit = stats_of(pool).limit;
    check(limit >= 1);
    check_int(await(use(pool, bide_ms(1))), 1);
    await(end(pool, &server));
    pool = bide_pool_new(&fake_driver, &server, &(struct bide_pool_options){.pool_size = 6});
    check_int(stats_of(pool).limit, 9);
    bide_pool_free(pool);
    bide_pool_free(NULL);
}

TEST(never_more_than_the_limit_and_as_many_as_possible)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2, .max_overflow = 1);
    int64_t began_ns = bide_clock_ns();
    with_group(g) {
        for (int i = 0; i < 99; i++)
            spawn_void(g, use, pool, bide_ms(100));
    }
    check_int(server.most, 3);
    check_near((double)(bide_clock_ns() - began_ns) / 1e9, 3.3, 0.05);
    await(end(pool, &server));
}

SPAWNABLE(void, use_and_note, bide_pool *, int)
async(void) use_and_note(bide_pool *pool, int number)
{
    char text[2] = {(char)('0' + number), 0};
    with_pooled(connection, pool) {
        note(text);
        await(bide_yield());
    }
    return bide_void;
}

TEST(first_come_first_served, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2);
    with_group(g) {
        bide_pooled *one = await(bide_pool_acquire(pool));
        bide_pooled *two = await(bide_pool_acquire(pool));
        for (int i = 0; i < 6; i++)
            spawn_void(g, use_and_note, pool, i);
        await(bide_sleep(bide_ms(1)));
        check_str(journal, "");
        check_int(stats_of(pool).waiting, 6);
        bide_pool_release(one);
        check_int(stats_of(pool).waiting, 5); /* it was handed over */
        check_int(stats_of(pool).idle, 0);
        bide_pool_release(two);
    }
    check_str(journal, "012345");
    await(end(pool, &server));
}

TEST(what_was_handed_over_survives_a_cancel, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    with_group(g) {
        bide_pooled *one = await(bide_pool_acquire(pool));
        task(int) first = spawn(g, use_code, pool, bide_ms(5));
        task(int) second = spawn(g, use_code, pool, bide_ms(5));
        await(bide_sleep(bide_ms(1)));
        bide_pool_release(one);
        bide_cancel(first, "just handed over");
        check_int(await_task(second), 0);
        bide_task_ref refs[] = {bide_ref(first)};
        await(bide_wait(BIDE_ALL, refs, 1));
        bide_group_cancel(g, "not wanted");
    }
    await(end(pool, &server));
}

TEST(overflow_is_closed_after_a_second, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2, .max_overflow = 3);
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, use, pool, bide_ms(10));
    }
    check_int(stats_of(pool).idle, 5);
    await(bide_sleep(bide_ms(500)));
    check_int(stats_of(pool).open, 5);
    await(bide_sleep(bide_ms(600)));
    check_int(stats_of(pool).open, 2);
    check_int(stats_of(pool).idle, 2);
    check_int(stats_of(pool).moved + stats_of(pool).recycled, 0);
    await(end(pool, &server));
}

TEST(idle_ones_are_closed)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2, .idle_timeout = bide_s(20));
    await(use(pool, bide_ms(1)));
    await(bide_sleep(bide_s(19)));
    check_int(server.live, 1);
    await(bide_sleep(bide_s(2)));
    check_int(server.live, 0);
    check_int(await(use(pool, bide_ms(1))), 2);
    await(end(pool, &server));
}

TEST(old_ones_are_recycled_within_a_tenth)
{
    for (int i = 0; i < 20; i++) {
        struct server server = {0};
        bide_pool *pool =
            pool_of(&server, 1, .pool_recycle = bide_s(100), .idle_timeout = bide_s(500));
        int64_t began_ns = bide_clock_ns();
        int uses = 0;
        while (await(use(pool, bide_ms(500))) == 1)
            uses++;
        double age_s = (double)(bide_clock_ns() - began_ns) / 1e9;
        check(age_s >= 90 && age_s <= 101.5);
        check_int(stats_of(pool).recycled, 1);
        check(uses > 100);
        await(end(pool, &server));
    }
}

TEST(only_after_a_while_one_is_pinged_first)
{
    struct server server = {.ping_time = bide_ms(2)};
    bide_pool *pool = pool_of(&server, 1);
    await(use(pool, bide_ms(1)));
    await(bide_sleep(bide_ms(900)));
    await(use(pool, bide_ms(1)));
    check_int(server.pinged, 0);
    await(bide_sleep(bide_ms(1100)));
    check_int(await(use(pool, bide_ms(1))), 1);
    check_int(server.pinged, 1);
    check_int(stats_of(pool).pinged, 1);
    await(end(pool, &server));

    struct server quiet = {0};
    pool = pool_of(&quiet, 1, .pool_pre_ping = BIDE_FOREVER);
    await(use(pool, bide_ms(1)));
    await(bide_sleep(bide_s(30)));
    await(use(pool, bide_ms(1)));
    check_int(quiet.pinged, 0);
    await(end(pool, &quiet));
}

TEST(too_many_that_wait_are_refused_at_once, .in_order = true)
{
    struct server server = {.open_time = bide_ms(50)};
    bide_pool *pool = pool_of(&server, 2, .max_waiting = 1);
    with_group(g) {
        spawn_void(g, use, pool, bide_s(1)); /* these wait for what is being opened */
        spawn_void(g, use, pool, bide_s(1));
        spawn_void(g, use, pool, bide_s(1));
        await(bide_sleep(bide_ms(1)));
        int64_t began_ns = bide_clock_ns();
        check_int(await(use_code(pool, bide_ms(1))), BIDE_LIMIT);
        check_int(bide_clock_ns() - began_ns, 0);
        check_int(stats_of(pool).refused, 1);
        check_int(stats_of(pool).waiting, 3);
        await(bide_sleep(bide_ms(1500)));
        check_int(await(use_code(pool, bide_ms(1))), 0);
    }
    await(end(pool, &server));
}

TEST(a_wait_ends_after_pool_timeout)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    bide_error *error;
    bide_pooled *lease = await(bide_pool_acquire(pool));
    bide_pool_disown(lease);
    int64_t began_ns = bide_clock_ns();
    test_capture_stderr();
    attempt(&error, use, pool, bide_ms(1));
    test_captured();
    require(error);
    check_int(error->code, BIDE_TIMEOUT);
    check_contains(error->message, "pool 'db'");
    check_contains(error->message, "1 of 1 are held");
    check_near((double)(bide_clock_ns() - began_ns) / 1e9, 30.0, 0.01);
    check_int(stats_of(pool).timed_out, 1);
    check_int(stats_of(pool).waiting, 0);
    bide_pool_release(lease);
    check_int(await(use_code(pool, bide_ms(1))), 0);
    await(end(pool, &server));
}

static async(void) within(bide_pool *pool, bide_duration duration)
{
    with_deadline(duration) {
        await(use(pool, bide_ms(1)));
    }
    return bide_void;
}
SPAWNABLE(void, within, bide_pool *, bide_duration)

TEST(the_callers_deadline_ends_a_wait_too)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    bide_error *error;
    bide_pooled *lease = await(bide_pool_acquire(pool));
    bide_pool_disown(lease);
    attempt(&error, within, pool, bide_ms(50));
    check_int(error ? error->code : 0, BIDE_TIMEOUT);
    check_int(stats_of(pool).timed_out, 0);
    bide_pool_release(lease);
    await(end(pool, &server));
}

static async(int) leave_by(bide_pool *pool, int way)
{
    with_pooled(connection, pool) {
        check_int(stats_of(pool).held, 1);
        if (way == 0)
            return ready(int, 10);
        if (way == 1)
            fail(bide_error_new(1000, "on purpose"));
        if (way == 2)
            goto out;
    }
out:
    return ready(int, 20);
}
SPAWNABLE(int, leave_by, bide_pool *, int)

TEST(every_way_out_of_the_block_gives_it_back)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    bide_error *error;
    for (int way = 0; way < 4; way++) {
        attempt(&error, leave_by, pool, way);
        check_int(error ? error->code : 0, way == 1 ? 1000 : 0);
        check_int(stats_of(pool).held, 0);
        check_int(stats_of(pool).idle, 1);
    }
    await(end(pool, &server));
}

TEST(closing_waits_for_those_that_hold_and_refuses_the_others, .in_order = true)
{
    struct server server = {.close_time = bide_ms(10)};
    bide_pool *pool = pool_of(&server, 1);
    with_group(g) {
        task(int) holder = spawn(g, use_code, pool, bide_s(5));
        task(int) waits = spawn(g, use_code, pool, bide_s(5));
        await(bide_sleep(bide_ms(1)));
        int64_t began_ns = bide_clock_ns();
        await(bide_pool_close(pool, bide_s(60)));
        check_near((double)(bide_clock_ns() - began_ns) / 1e9, 5.0, 0.1);
        check_int(await_task(holder), 0);
        check_int(await_task(waits), BIDE_CLOSED);
    }
    check_int(await(use_code(pool, bide_ms(1))), BIDE_CLOSED);
    await(end(pool, &server)); /* again does no harm */
}

static async(void) close_within(bide_pool *pool, bide_duration patience)
{
    await(bide_pool_close(pool, patience));
    return bide_void;
}
SPAWNABLE(void, close_within, bide_pool *, bide_duration)

TEST(closing_reports_those_that_stay, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2);
    with_group(g) {
        task(int) holder = spawn(g, use_code, pool, bide_s(5));
        await(bide_sleep(bide_ms(1)));
        bide_error *error;
        test_capture_stderr();
        attempt(&error, close_within, pool, bide_s(1));
        const char *text = test_captured();
        require(error);
        check_int(error->code, BIDE_TIMEOUT);
        check_contains(error->message, "1 connections are held");
        check_contains(text, "use_code  holds one since");
        check_contains(text, "sleeps for");
        check_int(stats_of(pool).open, 1);
        check_int(await_task(holder), 0);
    }
    await(end(pool, &server));
}

static async(void) close_what_it_holds(bide_pool *pool)
{
    with_pooled(connection, pool) {
        await(bide_pool_close(pool, BIDE_FOREVER));
    }
    return bide_void;
}
SPAWNABLE(void, close_what_it_holds, bide_pool *)

TEST(closing_what_one_holds_is_a_deadlock)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    bide_error *error;
    test_capture_stderr();
    attempt(&error, close_what_it_holds, pool);
    test_captured();
    check_int(error ? error->code : 0, BIDE_DEADLOCK);
    await(end(pool, &server));
}

TEST(a_pool_that_was_never_used_is_closed_too)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    await(bide_pool_close(pool, bide_s(1)));
    check_int(await(use_code(pool, bide_ms(1))), BIDE_CLOSED);
    bide_pool_free(pool);
}

TEST(all_that_is_open_may_be_expired)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2);
    with_group(g) {
        spawn_void(g, use, pool, bide_ms(10));
        spawn_void(g, use, pool, bide_ms(10));
    }
    bide_pooled *held = await(bide_pool_acquire(pool));
    bide_pool_expire(pool);
    bide_pool_release(held); /* one is closed as it comes back, the other when it is met */
    check_int(await(use(pool, bide_ms(1))), 3);
    check_int(stats_of(pool).recycled, 2);
    await(end(pool, &server));
}

TEST(ten_thousand_cancelled_users_leave_it_whole)
{
    struct server server = {.open_time = bide_ms(3), .reset_time = bide_ms(1)};
    bide_pool *pool = pool_of(&server, 4);
    with_group(g) {
        for (int i = 0; i < 10000; i++)
            spawn_void(g, use, pool, bide_s(1));
        await(bide_sleep(bide_ms(1500)));
        bide_group_cancel(g, "nobody wants them");
    }
    check_int(stats_of(pool).held, 0);
    check_int(stats_of(pool).waiting, 0);
    check_int(await(use_code(pool, bide_ms(1))), 0);
    await(end(pool, &server));
}

static void give_back_twice(void) BIDE__UNCHECKED
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    bide_pooled *lease = await(bide_pool_acquire(pool));
    bide_pool_release(lease);
    bide_pool_release(lease);
    abort(); /* a build that is not hostile only says it */
}

TEST(giving_it_back_twice_names_both_lines)
{
    check_dies(give_back_twice, "which was released at");
}

static void make_without_is_idle(void)
{
    struct bide_pool_driver driver = fake_driver;
    driver.is_idle = NULL;
    (void)bide_pool_new(&driver, NULL, NULL);
}

TEST(a_driver_that_lacks_something_is_misuse)
{
    check_dies(make_without_is_idle, "the driver has no is_idle");
}

TEST(without_a_reset_what_is_not_idle_is_closed)
{
    struct server server = {0};
    struct bide_pool_driver driver = fake_driver;
    driver.reset = NULL;
    bide_pool *pool = bide_pool_new(&driver, &server, &(struct bide_pool_options){.pool_size = 1});
    for (int i = 0; i < 4; i++)
        with_pooled(connection, pool)
            ((struct fake *)connection)->dirty = i % 2;
    check_int(server.opened, 2);
    await(end(pool, &server));
}

static void free_while_open(void) BIDE__UNCHECKED
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    await(use(pool, bide_ms(1)));
    bide_pool_free(pool);
    abort();
}

TEST(freeing_before_closing_is_misuse)
{
    check_dies(free_while_open, "has not closed it");
}

/* Everything at once, small: opening, waiting, handing over, pinging, resetting, closing. */
static async(void) be_busy(bide_pool *pool, int number)
{
    for (int round = 0; round < 3; round++) {
        with_pooled(connection, pool) {
            struct fake *fake = connection;
            fake->dirty = number == 1;
            await(bide_sleep(bide_ms(10)));
            if (number == 2 && round == 1)
                fake->gone = true;
        }
        await(bide_sleep(bide_ms(number == 0 ? 1500 : 1)));
    }
    return bide_void;
}
SPAWNABLE(void, be_busy, bide_pool *, int)

static async(void) all_busy(bide_pool *pool)
{
    with_group(g) {
        for (int i = 0; i < 4; i++)
            spawn_void(g, be_busy, pool, i);
    }
    return bide_void;
}
SPAWNABLE(void, all_busy, bide_pool *)

/* Whatever is made to fail in it, the pool is whole afterwards. */
static async(void) everything(void)
{
    static struct server server;
    server = (struct server){.open_time = bide_ms(5),
                             .reset_time = bide_ms(5),
                             .ping_time = bide_ms(1),
                             .close_time = bide_ms(1)};
    bide_error *error, *not_closed = NULL;
    bide_pool *pool = pool_of(&server, 2);
    if (!pool)
        fail(bide_error_new(BIDE_NO_MEMORY, "no pool"));
    attempt(&error, all_busy, pool);
    shielded(bide_s(120)) {
        check_int(stats_of(pool).held, 0);
        check_int(stats_of(pool).waiting, 0);
        attempt(&not_closed, close_within, pool, bide_s(60));
        if (not_closed && not_closed->code == BIDE_NO_MEMORY)
            attempt(&not_closed, close_within, pool, bide_s(60));
        check(!not_closed);
    }
    check_int(stats_of(pool).open, 0);
    check_int(server.live, 0);
    check_int(server.opened, server.closed);
    check(server.most <= 2);
    bide_pool_free(pool);
    if (error)
        fail(error);
    return bide_void;
}

TEST(everything_at_once)
{
    await(everything());
}

TEST(a_cancel_at_every_await_leaves_it_whole, .cancel_everywhere = true)
{
    await(everything());
}

TEST(every_allocation_may_fail, .fail_allocations = true)
{
    await(everything());
}
