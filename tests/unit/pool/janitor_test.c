/*
 * janitor_test.c: what the pool's own tasks do: opening, pinging, resetting, closing, and what
 * follows when the driver fails, hangs or is late.
 */
#include "pool_case.h"

SPAWNABLE(int, use_dirty, bide_pool *, bide_duration)
async(int) use_dirty(bide_pool *pool, bide_duration duration)
{
    int number = 0;
    with_pooled(connection, pool) {
        struct fake *fake = connection;
        number = fake->number;
        fake->dirty = true;
        await(bide_sleep(duration));
    }
    return ready(int, number);
}

static async(int) use_up(bide_pool *pool)
{
    int number = 0;
    with_pooled(connection, pool) {
        struct fake *fake = connection;
        number = fake->number;
        fake->gone = true;
    }
    return ready(int, number);
}

TEST(an_error_of_open_is_raised_by_the_first_that_waits, .in_order = true)
{
    struct server server = {.open_time = bide_ms(10), .refuse = 2};
    bide_pool *pool = pool_of(&server, 1);
    with_group(g) {
        task(int) one = spawn(g, use_code, pool, bide_ms(1));
        task(int) two = spawn(g, use_code, pool, bide_ms(1));
        task(int) three = spawn(g, use_code, pool, bide_ms(1));
        check_int(await_task(one), 1001);
        check_int(await_task(two), 1001);
        check_int(await_task(three), 0);
    }
    check_int(stats_of(pool).open_failed, 2);
    check_int(stats_of(pool).opened, 1);
    await(end(pool, &server));
}

TEST(an_error_of_open_keeps_its_line)
{
    struct server server = {.refuse = 1};
    bide_pool *pool = pool_of(&server, 1);
    bide_error *error;
    char text[2048];
    attempt(&error, use, pool, bide_ms(1));
    require(error);
    bide_error_format(error, text, sizeof text);
    check_contains(text, "refused (1001)");
    check_contains(text, "pool_case.h");
    check_contains(text, "with_pooled(connection, pool)");
    await(end(pool, &server));
}

TEST(opening_has_connect_timeout)
{
    struct server server = {.open_time = BIDE_FOREVER};
    bide_pool *pool = pool_of(&server, 1);
    bide_error *error;
    int64_t began_ns = bide_clock_ns();
    attempt(&error, use, pool, bide_ms(1));
    require(error);
    check_int(error->code, BIDE_TIMEOUT);
    check_contains(error->message, "opens a connection");
    check_near((double)(bide_clock_ns() - began_ns) / 1e9, 5.0, 0.01);
    server.open_time = bide_ms(1);
    check_int(await(use_code(pool, bide_ms(1))), 0);
    await(end(pool, &server));
}

TEST(opening_goes_on_when_nobody_waits_any_more)
{
    struct server server = {.open_time = bide_ms(100)};
    bide_pool *pool = pool_of(&server, 1);
    with_group(g) {
        spawn_void(g, use, pool, bide_ms(1));
        await(bide_sleep(bide_ms(10)));
        bide_group_cancel(g, "impatient");
    }
    check_int(stats_of(pool).idle, 0);
    check_int(stats_of(pool).waiting, 0);
    await(bide_sleep(bide_ms(100)));
    check_int(stats_of(pool).idle, 1);
    int64_t began_ns = bide_clock_ns();
    check_int(await(use(pool, bide_ms(0))), 1);
    check_int(bide_clock_ns() - began_ns, 0);
    await(end(pool, &server));
}

TEST(an_error_of_open_that_nobody_waits_for_is_dropped)
{
    struct server server = {.open_time = bide_ms(100), .refuse = 1};
    bide_pool *pool = pool_of(&server, 1);
    with_group(g) {
        spawn_void(g, use, pool, bide_ms(1));
        await(bide_sleep(bide_ms(10)));
        bide_group_cancel(g, "impatient");
    }
    await(bide_sleep(bide_ms(200)));
    check_int(stats_of(pool).open, 0);
    check_int(stats_of(pool).open_failed, 1);
    await(end(pool, &server));
}

TEST(one_given_back_comes_before_one_being_opened, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2);
    with_group(g) {
        bide_pooled *one = await(bide_pool_acquire(pool));
        server.open_time = bide_s(1);
        task(int) waits = spawn(g, use, pool, bide_ms(1));
        await(bide_sleep(bide_ms(10)));
        bide_pool_release(one);
        check_int(await_task(waits), 1);
    }
    await(bide_sleep(bide_s(2)));
    check_int(stats_of(pool).idle, 2);
    await(end(pool, &server));
}

TEST(what_is_not_idle_is_reset_before_it_is_lent, .in_order = true)
{
    struct server server = {.reset_time = bide_ms(50)};
    bide_pool *pool = pool_of(&server, 1);
    check_int(await(use_dirty(pool, bide_ms(1))), 1);
    check_int(stats_of(pool).held, 0);
    check_int(stats_of(pool).idle, 0);
    check_int(stats_of(pool).open, 1);
    int64_t began_ns = bide_clock_ns();
    with_pooled(connection, pool) {
        check_int(((struct fake *)connection)->number, 1);
        check(!((struct fake *)connection)->dirty);
    }
    check_near((double)(bide_clock_ns() - began_ns) / 1e6, 50, 1);
    check_int(stats_of(pool).reset, 1);
    check_int(stats_of(pool).reset_failed, 0);
    await(end(pool, &server));
}

TEST(a_cancelled_holder_leaves_the_work_to_the_janitor)
{
    struct server server = {.reset_time = bide_ms(50)};
    bide_pool *pool = pool_of(&server, 1);
    int64_t began_ns = bide_clock_ns();
    with_group(g) {
        spawn_void(g, use_dirty, pool, bide_s(10));
        await(bide_sleep(bide_ms(5)));
        bide_group_cancel(g, "no longer wanted");
    }
    check(bide_clock_ns() - began_ns < bide_ms(20).ns); /* it did not wait for the reset */
    check_int(await(use(pool, bide_ms(1))), 1);
    check_int(server.reset, 1);
    await(end(pool, &server));
}

TEST(what_cannot_be_reset_is_closed)
{
    for (int way = 0; way < 3; way++) {
        struct server server = {.reset_fails = way == 0, .reset_does_nothing = way == 1};
        if (way == 2)
            server.reset_time = BIDE_FOREVER;
        bide_pool *pool = pool_of(&server, 1);
        await(use_dirty(pool, bide_ms(1)));
        int64_t began_ns = bide_clock_ns();
        check_int(await(use(pool, bide_ms(0))), 2);
        check_near((double)(bide_clock_ns() - began_ns) / 1e9, way == 2 ? 2.0 : 0.0, 0.01);
        check_int(stats_of(pool).reset_failed, 1);
        check_int(stats_of(pool).recycled, 0);
        await(end(pool, &server));
    }
}

TEST(closing_that_hangs_is_given_up)
{
    struct server server = {.close_time = BIDE_FOREVER};
    bide_pool *pool = pool_of(&server, 1);
    await(use(pool, bide_ms(1)));
    int64_t began_ns = bide_clock_ns();
    await(end(pool, &server));
    check_near((double)(bide_clock_ns() - began_ns) / 1e9, 2.0, 0.01);
}

TEST(a_disconnect_recycles_all_that_are_older, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 4);
    with_group(g) {
        for (int i = 0; i < 4; i++)
            spawn_void(g, use, pool, bide_ms(10));
    }
    check_int(await(use_up(pool)), 4);
    check_int(await(use(pool, bide_ms(1))), 5); /* 3, 2 and 1 are closed unused */
    check_int(stats_of(pool).recycled, 3);
    /* One of the old ones adds nothing; a new one is a new disconnect. */
    check_int(await(use(pool, bide_ms(1))), 5);
    await(end(pool, &server));
}

TEST(an_older_one_found_broken_spares_the_newer, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 3);
    bide_pooled *old = await(bide_pool_acquire(pool));
    bide_pool_disown(old);
    check_int(await(use_up(pool)), 2);
    check_int(await(use(pool, bide_ms(1))), 3);
    ((struct fake *)old->connection)->gone = true;
    bide_pool_release(old);
    check_int(await(use(pool, bide_ms(1))), 3);
    check_int(stats_of(pool).recycled, 0);
    await(end(pool, &server));
}

TEST(a_failed_ping_is_a_disconnect_and_the_waiting_task_gets_a_new_one, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 2);
    with_group(g) {
        spawn_void(g, use, pool, bide_ms(10));
        spawn_void(g, use, pool, bide_ms(10));
    }
    await(bide_sleep(bide_s(5)));
    server.mute = true;
    check_int(await(use(pool, bide_ms(1))), 3);
    check_int(server.pinged, 1);
    check_int(stats_of(pool).ping_failed, 1);
    await(bide_sleep(bide_s(30)));
    await(end(pool, &server));
}

TEST(a_ping_without_an_answer_is_given_up)
{
    struct server server = {.ping_time = BIDE_FOREVER};
    bide_pool *pool = pool_of(&server, 1);
    await(use(pool, bide_ms(1)));
    await(bide_sleep(bide_s(5)));
    int64_t began_ns = bide_clock_ns();
    check_int(await(use(pool, bide_ms(0))), 2);
    check_near((double)(bide_clock_ns() - began_ns) / 1e9, 2.0, 0.01);
    await(end(pool, &server));
}
