/*
 * room_test.c: one limit over two loops, on the real clock: room moves to the loop that lacks it.
 */
#include "../wake_case.h"
#include "pool_case.h"

#include "pool/pool.h"

#include <stdatomic.h>

static struct server server;
static bide_pool *pool;
static atomic_int arrived, done[2];

/* Waits until so many have come here, over all loops. */
static async(void) meet(int number)
{
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < number)
        await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static void run_both(bide_duration timeout, int size, bide__main_void *fn)
{
    server = (struct server){.open_time = bide_ms(1)};
    pool = pool_of(&server, size, .pool_timeout = timeout);
    require(pool);
    check_int(bide_run(fn, .loops = 2), 0);
    struct bide_pool_stats stats = stats_of(pool);
    check_int(stats.open, 0);
    check_int(stats.held, 0);
    check_int(stats.waiting, 0);
    check_int(server.live, 0);
    check_int(server.opened, server.closed);
    check(server.most <= size);
    bide_pool_free(pool);
}

SPAWNABLE(void, use_often, int)
async(void) use_often(int times)
{
    for (int i = 0; i < times; i++) {
        await(use(pool, bide_us(50)));
        atomic_fetch_add(&done[bide_loop_index()], 1);
    }
    return bide_void;
}

static async(void) both_busy(void)
{
    with_group(g) {
        for (int i = 0; i < 8; i++)
            spawn_void(g, use_often, 50);
    }
    await(bide_pool_close(pool, bide_s(10)));
    return bide_void;
}

TEST_PLAIN(two_busy_loops_share_the_limit)
{
    run_both(bide_s(30), 4, both_busy);
    check_int(atomic_load(&done[0]), 400);
    check_int(atomic_load(&done[1]), 400);
}

TEST_PLAIN(one_connection_serves_two_loops_in_turn)
{
    run_both(bide_s(30), 1, both_busy);
    check_int(atomic_load(&done[0]), 400);
    check_int(atomic_load(&done[1]), 400);
    check(server.opened >= 2);
}

static async(void) use_what_is_idle_elsewhere(void)
{
    if (bide_loop_index() == 0) {
        with_group(g) {
            for (int i = 0; i < 4; i++)
                spawn_void(g, use, pool, bide_ms(20));
        }
        check_int(stats_of(pool).idle, 4);
    }
    await(meet(2));
    if (bide_loop_index() == 1) {
        int64_t began_ns = bide_clock_ns();
        check(await(use(pool, bide_ms(1))) > 4);
        check(bide_clock_ns() - began_ns < bide_s(5).ns);
        check_int(stats_of(pool).moved, 1);
    }
    await(meet(4));
    await(bide_pool_close(pool, bide_s(10)));
    return bide_void;
}

TEST_PLAIN(an_idle_one_of_another_loop_makes_room)
{
    run_both(bide_s(30), 4, use_what_is_idle_elsewhere);
}

static async(void) use_what_comes_back_elsewhere(void)
{
    if (bide_loop_index() == 0) {
        with_pooled(connection, pool) {
            await(meet(2));
            await(bide_sleep(bide_ms(50)));
        }
    } else {
        await(meet(2));
        check_int(await(use_code(pool, bide_ms(1))), 0);
    }
    await(meet(4));
    await(bide_pool_close(pool, bide_s(10)));
    return bide_void;
}

TEST_PLAIN(one_given_back_on_another_loop_makes_room)
{
    run_both(bide_s(30), 1, use_what_comes_back_elsewhere);
}

static async(void) sleep_until_there_is_room(void)
{
    if (bide_loop_index() == 0) {
        watch_wakes(&pool->lock);
        await(meet(2));
        check_int(await(use_code(pool, bide_ms(1))), 0);
    } else {
        with_pooled(connection, pool) {
            await(meet(2));
            await(bide_sleep(bide_ms(20)));
        }
    }
    await(meet(4));
    await(bide_pool_close(pool, bide_s(10)));
    return bide_void;
}

TEST_PLAIN(who_makes_room_wakes_the_other_loop_without_the_lock)
{
    run_both(bide_s(30), 1, sleep_until_there_is_room);
    check_int(woken_under_it, 0);
}

/* A loop that is busy now and then keeps its share for that long. */
static async(void) one_busy_one_light(void)
{
    if (bide_loop_index() == 0) {
        with_group(g) {
            for (int i = 0; i < 8; i++)
                spawn_void(g, use_often, 200);
            await(bide_sleep(bide_ms(5)));
        }
    } else {
        for (int i = 0; i < 20; i++) {
            await(use(pool, bide_us(50)));
            await(bide_sleep(bide_ms(1)));
        }
    }
    await(meet(2));
    await(bide_pool_close(pool, bide_s(10)));
    return bide_void;
}

TEST_PLAIN(a_light_loop_and_a_busy_one_do_not_take_turns_at_connecting)
{
    run_both(bide_s(30), 2, one_busy_one_light);
    check(server.opened < 15);
}

static async(void) nest_on_both(void)
{
    with_pooled(first, pool) {
        await(meet(2));
        int code = await(use_code(pool, bide_ms(1)));
        if (code == BIDE_DEADLOCK)
            atomic_fetch_add(&done[0], 1);
        else
            check_int(code, 0);
        atomic_fetch_add(&done[1], 1);
    }
    await(meet(4));
    await(bide_pool_close(pool, bide_s(10)));
    return bide_void;
}

TEST_PLAIN(a_deadlock_over_two_loops_is_found_at_once)
{
    test_capture_stderr();
    int64_t began_ns = bide_clock_ns();
    run_both(bide_s(30), 2, nest_on_both);
    check(bide_clock_ns() - began_ns < bide_s(20).ns);
    check_contains(test_captured(), "every connection is held by tasks that wait for one");
    check_int(atomic_load(&done[0]), 1);
    check_int(atomic_load(&done[1]), 2);
}

/* Waits are cancelled while room is on its way to them. */
static async(void) cancelled_on_both(void)
{
    for (int round = 0; round < 30; round++) {
        with_group(g) {
            for (int i = 0; i < 4; i++)
                spawn_void(g, use, pool, bide_us(300));
            await(bide_sleep(bide_us(200 * (round % 5))));
            bide_group_cancel(g, "changed its mind");
        }
    }
    check_int(await(use_code(pool, bide_ms(1))), 0);
    await(meet(2));
    await(bide_pool_close(pool, bide_s(10)));
    return bide_void;
}

TEST_PLAIN(cancels_while_room_moves_lose_nothing)
{
    run_both(bide_s(30), 2, cancelled_on_both);
}
