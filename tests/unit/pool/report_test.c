/*
 * report_test.c: who holds what: deadlocks found at once, the report of a wait that took too long.
 */
#include "pool_case.h"

#include "core/task.h"

SPAWNABLE(void, take_two, bide_pool *)
async(void) take_two(bide_pool *pool)
{
    with_pooled(first, pool) {
        await(bide_sleep(bide_ms(10)));
        with_pooled(second, pool) {
            await(bide_sleep(bide_ms(10)));
        }
    }
    return bide_void;
}

static async(int) take_two_code(bide_pool *pool)
{
    bide_error *error;
    attempt(&error, take_two, pool);
    return ready(int, error ? error->code : 0);
}
SPAWNABLE(int, take_two_code, bide_pool *)

TEST(a_second_one_of_a_pool_of_one_is_a_deadlock_at_once)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    int64_t began_ns = bide_clock_ns();
    test_capture_stderr();
    check_int(await(take_two_code(pool)), BIDE_DEADLOCK);
    const char *text = test_captured();
    check_near((double)(bide_clock_ns() - began_ns) / 1e6, 10, 1);
    check_contains(text, "DEADLOCK among 1 task");
    check_contains(text, "wants a connection of  pool 'db'");
    check_contains(text, "holds  pool 'db'  since");
    check_contains(text, "report_test.c");
    await(end(pool, &server));
}

TEST(when_all_holders_want_another_the_last_one_is_told, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 3);
    test_capture_stderr();
    with_group(g) {
        task(int) one = spawn(g, take_two_code, pool);
        task(int) two = spawn(g, take_two_code, pool);
        task(int) three = spawn(g, take_two_code, pool);
        int64_t began_ns = bide_clock_ns();
        check_int(await_task(one), 0);
        check_int(await_task(two), 0);
        check_int(await_task(three), BIDE_DEADLOCK);
        check(bide_clock_ns() - began_ns < bide_ms(100).ns);
    }
    check_contains(test_captured(), "waits for a second connection");
    await(end(pool, &server));
}

TEST(two_tasks_with_room_for_both_are_no_deadlock)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 3);
    with_group(g) {
        spawn_void(g, take_two, pool);
        spawn_void(g, take_two, pool);
    }
    await(end(pool, &server));
}

SPAWNABLE(void, lock_inside, bide_pool *, bide_mutex *, bide_mutex *)
async(void) lock_inside(bide_pool *pool, bide_mutex *mutex, bide_mutex *start)
{
    with_pooled(connection, pool) {
        await(bide_sleep(bide_ms(10)));
        with_lock(mutex) {
            await(bide_sleep(bide_ms(1)));
        }
    }
    (void)start;
    return bide_void;
}

static async(void) pool_inside(bide_pool *pool, bide_mutex *mutex)
{
    with_lock(mutex) {
        await(bide_sleep(bide_ms(20)));
        await(use(pool, bide_ms(1)));
    }
    return bide_void;
}
SPAWNABLE(void, pool_inside, bide_pool *, bide_mutex *)

TEST(a_cycle_over_a_lock_is_found, .in_order = true)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1);
    bide_mutex mutex;
    bide_error *error;
    bide_mutex_init(&mutex, "accounts");
    test_capture_stderr();
    with_group(g) {
        spawn_void(g, lock_inside, pool, &mutex, NULL);
        attempt(&error, pool_inside, pool, &mutex);
        check_int(error ? error->code : 0, BIDE_DEADLOCK);
    }
    check_contains(test_captured(), "mutex 'accounts'");
    await(end(pool, &server));
}

TEST(nothing_is_concluded_from_one_that_was_disowned)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1, .pool_timeout = bide_ms(200));
    bide_pooled *lease = await(bide_pool_acquire(pool));
    bide_pool_disown(lease);
    test_capture_stderr();
    check_int(await(use_code(pool, bide_ms(1))), BIDE_TIMEOUT);
    check_contains(test_captured(), "shared  holds one since");
    bide_pool_release(lease);
    await(end(pool, &server));
}

TEST(a_timeout_says_who_holds_what, .in_order = true)
{
    struct server server = {.reset_time = bide_s(1)};
    bide_pool *pool = pool_of(&server, 2, .pool_timeout = bide_ms(500));
    with_group(g) {
        spawn_void(g, use, pool, bide_s(2));
        spawn_void(g, use, pool, bide_s(3));
        await(bide_sleep(bide_ms(100)));
        test_capture_stderr();
        task(int) one = spawn(g, use_code, pool, bide_ms(1));
        task(int) two = spawn(g, use_code, pool, bide_ms(1));
        check_int(await_task(one), BIDE_TIMEOUT);
        check_int(await_task(two), BIDE_TIMEOUT);
        const char *text = test_captured();
        check_contains(text, "'use_code' got no connection of pool 'db' within 0.5 s  at ");
        check_contains(text, "pool 'db': 2 of 2 connections are open (pool_size 2, "
                             "max_overflow 0), 2 held");
        check_contains(text, "use  holds one since ");
        check_contains(text, "for 0.6 s  sleeps for 0.6 s  at ");
        const char *again = strstr(text, "got no connection");
        check(again && !strstr(again + 1, "got no connection")); /* once a second is enough */
    }
    await(end(pool, &server));
}

static async(void) leave_without(bide_pool *pool, bide_pooled_ptr *ret_lease)
{
    *ret_lease = await(bide_pool_acquire(pool));
    return bide_void;
}
SPAWNABLE(void, leave_without, bide_pool *, bide_pooled_ptr *)

TEST(a_holder_that_has_ended_is_named)
{
    struct server server = {0};
    bide_pool *pool = pool_of(&server, 1, .pool_timeout = bide_ms(100));
    bide_pooled *lease = NULL;
    with_group(g) {
        spawn_void(g, leave_without, pool, &lease);
    }
    test_capture_stderr();
    bide_pool_print(pool);
    check_int(await(use_code(pool, bide_ms(1))), BIDE_TIMEOUT);
    check_contains(test_captured(), "which has ended,  holds one since");
    bide_pool_release(lease);
    await(end(pool, &server));
}
