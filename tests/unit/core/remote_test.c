/*
 * remote_test.c: calls on other loops: results, errors, cancels and deadlines that travel; loops
 * that have not started, and that have ended. The clock is the real one: there are two threads.
 */
#include "../loops_case.h"
#include "../wake_case.h"

#include <bide/bide.h>
#include <bide/test.h>

#include "base/mem.h"
#include "core/runtime.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static async(int) where(int add)
{
    await(bide_yield());
    return ready(int, bide_loop_index() * 100 + add);
}
SPAWNABLE(int, where, int)

static async(void) ask_around(void)
{
    for (int round = 0; round < 50; round++) {
        with_group(g) {
            task(int) a = spawn_on(g, 1, where, 1);
            task(int) b = spawn_on(g, 2, where, 2);
            task(int) c = spawn_on(g, 0, where, 3);
            check_int(await_task(a), 101);
            check_int(await_task(b), 202);
            check_int(await_task(c), 3);
        }
    }
    return bide_void;
}

TEST_PLAIN(results_come_back_from_the_loop_that_was_asked)
{
    run_on(3, ask_around);
}

typedef struct wide {
    char text[600];
} wide;
AWAITABLE(wide);

static async(wide) turn_around(wide in, size_t length)
{
    wide out = {{0}};
    for (size_t i = 0; i < length; i++)
        out.text[i] = in.text[length - 1 - i];
    return ready(wide, out);
}
SPAWNABLE(wide, turn_around, wide, size_t)

static async(void) send_much(void)
{
    wide in = {{0}};
    for (int i = 0; i < 599; i++)
        in.text[i] = (char)('a' + i % 26);
    with_group(g) {
        task(wide) handle = spawn_on(g, 1, turn_around, in, 599);
        memset(&in, 'x', sizeof in); /* it has a copy */
        wide out = await_task(handle);
        check_int(out.text[0], 'a' + 598 % 26);
        check_int(out.text[598], 'a');
        check_int(out.text[599], 0);
    }
    return bide_void;
}

TEST_PLAIN(wide_arguments_and_results_are_copied)
{
    run_on(2, send_much);
}

static uint32_t counted; /* atomic */

static async(void) count(void)
{
    await(bide_yield());
    __atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED);
    return bide_void;
}
SPAWNABLE(void, count)

static async(void) count_everywhere(void)
{
    with_group(g) {
        for (int i = 0; i < 500; i++)
            spawn_void_on(g, i % bide_loop_count(), count);
    }
    return bide_void;
}
SPAWNABLE(void, count_everywhere)

static async(void) count_from_everywhere(void)
{
    with_group(g) {
        for (int loop = 0; loop < bide_loop_count(); loop++)
            spawn_void_on(g, loop, count_everywhere);
    }
    check_int(counted, 1500);
    return bide_void;
}

TEST_PLAIN(calls_cross_each_other, .timeout_ms = 20000)
{
    run_on(3, count_from_everywhere);
}

static async(void) call_a_sleeper(void)
{
    for (int i = 0; i < 4; i++) {
        await(bide_sleep(bide_ms(1)));
        with_group(g) {
            spawn_void_on(g, 0, count);
        }
    }
    return bide_void;
}
SPAWNABLE(void, call_a_sleeper)

static async(void) sleep_and_be_called(void)
{
    watch_wakes(&bide__loop_here->runtime->lock);
    with_group(g) {
        spawn_void_on(g, 1, call_a_sleeper);
    }
    return bide_void;
}

TEST_PLAIN(who_calls_a_loop_wakes_it_without_the_lock, .timeout_ms = 20000)
{
    run_on(2, sleep_and_be_called);
    check_int(woken_under_it, 0);
}

static async(int) deep(void)
{
    bide_error *cause = bide_error_new(1001, "the disk is full");
    fail(bide_error_because(bide_error_new(1002, "not saved"), cause));
}

static async(int) broken(int add)
{
    return ready(int, await(deep()) + add);
}
SPAWNABLE(int, broken, int)

static async(int) call_broken(int loop)
{
    int value = 0;
    with_group(g) {
        task(int) handle = spawn_on(g, loop, broken, 2);
        value = await_task(handle);
    }
    return ready(int, value);
}
SPAWNABLE(int, call_broken, int)

static async(void) fail_there(void)
{
    char report[4096];
    for (int i = 0; i < 20; i++) {
        bide_error *error;
        (void)attempt(&error, call_broken, 1);
        require(error);
        check_int(error->code, 1002);
        check_str(error->message, "not saved");
        require(error->cause);
        check_int(error->cause->code, 1001);
        bide_error_format(error, report, sizeof report);
        check_contains(report, "the disk is full");
        check_contains(report, "deep()"); /* the awaits over there */
        check_contains(report, "'broken'");
        check_contains(report, "'main'"); /* and who called, here */
    }
    return bide_void;
}

TEST_PLAIN(an_error_comes_back_with_all_it_says)
{
    run_on(2, fail_there);
}

static async(void) fail_twice(void)
{
    with_group(g) {
        spawn_void(g, broken, 0);
        spawn_void(g, broken, 0);
    }
    return bide_void;
}
SPAWNABLE(void, fail_twice)

static async(void) call_fail_twice(void)
{
    with_group(g) {
        spawn_void_on(g, 1, fail_twice);
    }
    return bide_void;
}
SPAWNABLE(void, call_fail_twice)

static async(void) see_both(void)
{
    bide_error *error;
    attempt(&error, call_fail_twice);
    require(error);
    check_int(error->code, 1002);
    require(error->also);
    check_int(error->also->code, 1002);
    return bide_void;
}

TEST_PLAIN(further_errors_come_along)
{
    run_on(2, see_both);
}

static uint32_t cleaned; /* atomic */

static async(void) clean(void *arg)
{
    (void)arg;
    await(bide_sleep(bide_ms(5)));
    __atomic_add_fetch(&cleaned, 1, __ATOMIC_RELAXED);
    return bide_void;
}

static async(void) sleep_long(void)
{
    defer(clean, NULL);
    await(bide_sleep(bide_s(100)));
    return bide_void;
}
SPAWNABLE(void, sleep_long)

static async(void) cancel_there(void)
{
    for (int i = 0; i < 20; i++) {
        cleaned = 0;
        with_group(g) {
            task(void) handle = spawn_on(g, 1, sleep_long);
            if (i % 2)
                await(bide_sleep(bide_ms(2)));
            else
                await(bide_yield());
            bide_cancel(handle, "enough");
            bide_task_ref ref = bide_ref(handle);
            await(bide_wait(BIDE_ALL, &ref, 1));
            /* Either it was cancelled before it began, or its cleanup has run. */
            if (i % 2)
                check_int(__atomic_load_n(&cleaned, __ATOMIC_RELAXED), 1);
            bide_group_cancel(g, "its result is not wanted");
        }
    }
    return bide_void;
}

TEST_PLAIN(a_cancel_goes_there_and_waits_for_the_cleanup, .timeout_ms = 20000)
{
    run_on(2, cancel_there);
}

static uint32_t orders; /* atomic */

static async(void) fail_to_clean(void *arg)
{
    (void)arg;
    fail(bide_error_new(BIDE_UNREACHABLE, "nobody takes it back"));
}

/* As a client of a server that was cancelled when the request was on its way. */
static async(void) order(void)
{
    bide_error *error;
    defer(fail_to_clean, NULL);
    __atomic_add_fetch(&orders, 1, __ATOMIC_RELAXED);
    attempt(&error, sleep_long);
    require(error);
    error->never_again = true;
    fail(error);
}
SPAWNABLE(void, order)

static async(void) cancel_an_order(int loop)
{
    uint32_t before = __atomic_load_n(&orders, __ATOMIC_RELAXED);
    with_group(g) {
        spawn_void_on(g, loop, order);
        while (__atomic_load_n(&orders, __ATOMIC_RELAXED) == before)
            await(bide_sleep(bide_us(100)));
        bide_group_cancel(g, "too late");
    }
    return bide_void;
}
SPAWNABLE(void, cancel_an_order, int)

static async(void) order_here_and_there(void)
{
    bide_retry_policy policy = {.first = bide_ms(1), .codes = {BIDE_UNREACHABLE}};
    for (int loop = 0; loop < 2; loop++) {
        bide_error *error;
        orders = 0;
        retry(&error, &policy, cancel_an_order, loop);
        require(error);
        check_int(error->code, BIDE_UNREACHABLE);
        check_int(orders, 1);
    }
    return bide_void;
}

TEST_PLAIN(what_a_cancel_may_have_left_there_is_never_done_again)
{
    run_on(2, order_here_and_there);
}

static async(void) late(void)
{
    with_deadline(bide_ms(10)) {
        with_group(g) {
            spawn_void_on(g, 1, sleep_long);
        }
    }
    return bide_void;
}
SPAWNABLE(void, late)

static async(bool) sees_the_deadline(void)
{
    await(bide_yield());
    return ready(bool, bide_deadline_left().ns < bide_s(1000).ns);
}
SPAWNABLE(bool, sees_the_deadline)

static async(void) deadlines(void)
{
    bide_error *error;
    attempt(&error, late);
    require(error);
    check_int(error->code, BIDE_TIMEOUT);
    check_int(cleaned, 1);
    with_deadline(bide_s(1000)) {
        with_group(g) {
            task(bool) handle = spawn_on(g, 1, sees_the_deadline);
            check(await_task(handle));
        }
    }
    return bide_void;
}

TEST_PLAIN(a_deadline_holds_on_the_other_loop)
{
    cleaned = 0;
    run_on(2, deadlines);
}

/* Cancels race with ends at every distance. */
static async(void) brief(int yields)
{
    for (int i = 0; i < yields; i++)
        await(bide_yield());
    return bide_void;
}
SPAWNABLE(void, brief, int)

static async(void) race(void)
{
    for (int i = 0; i < 400; i++) {
        with_group(g) {
            bide_task_ref refs[4];
            for (int j = 0; j < 4; j++) {
                task(void) handle = spawn_on(g, 1, brief, j);
                refs[j] = bide_ref(handle);
            }
            for (int j = 0; j < i % 23; j++)
                await(bide_yield());
            for (int j = 0; j < 4; j++)
                bide_cancel_task(refs[j], "race");
            await(bide_wait(BIDE_ALL, refs, 4));
            bide_group_cancel(g, "not wanted");
        }
    }
    return bide_void;
}

TEST_PLAIN(cancels_that_meet_the_end, .timeout_ms = 30000)
{
    run_on(2, race);
}

static uint32_t loop_1_is_over; /* atomic */

static void say_over(void *arg)
{
    (void)arg;
    __atomic_store_n(&loop_1_is_over, 1, __ATOMIC_RELEASE);
}

static async(void) ended_loop(void)
{
    if (bide_loop_index() > 0) {
        say_over(NULL);
        return bide_void;
    }
    while (!__atomic_load_n(&loop_1_is_over, __ATOMIC_ACQUIRE))
        await(bide_sleep(bide_ms(1)));
    await(bide_sleep(bide_ms(50)));
    bide_error *error;
    (void)attempt(&error, call_broken, 1);
    require(error);
    check_int(error->code, BIDE_CLOSED);
    check_contains(error->message, "loop 1 has ended");
    return bide_void;
}

TEST_PLAIN(a_loop_that_has_ended_takes_no_calls)
{
    check_int(bide_run(ended_loop, .loops = 2), 0);
}

static async(void) no_such_loop(void)
{
    with_group(g) {
        spawn_void_on(g, 2, count);
    }
    return bide_void;
}

static void run_no_such_loop(void)
{
    body = no_such_loop;
    exit(bide_run(program, .loops = 2));
}

TEST_PLAIN(a_loop_that_is_not_there_is_misuse)
{
    check_dies(run_no_such_loop, "on loop 2, and there are 2 loops");
}

static async(void) read_over_there(void *stream)
{
    char byte;
    (void)await(bide_read(stream, &byte, 1));
    return bide_void;
}
SPAWNABLE(void, read_over_there, void *)

static async(void) share_a_stream(void)
{
    bide_stream_ptr streams[2];
    await(bide_stream_pair(streams));
    with_group(g) {
        spawn_void_on(g, 1, read_over_there, streams[0]);
    }
    return bide_void;
}

static void run_share_a_stream(void)
{
    body = share_a_stream;
    exit(bide_run(program, .loops = 2));
}

TEST_PLAIN(what_belongs_to_one_loop_is_refused_on_another)
{
    check_dies(run_share_a_stream, "on loop 1: it belongs to loop 0");
}

static async(void) fail_on_stop(void)
{
    bide_error *error;
    bide_stop("in the middle");
    attempt(&error, late);
    return bide_void;
}

TEST_PLAIN(a_stop_in_the_middle_of_a_call)
{
    body = fail_on_stop;
    check_int(bide_run(program, .loops = 2), 0);
}

TEST(on_its_own_loop_it_is_a_spawn, .cancel_everywhere = true)
{
    with_group(g) {
        task(int) handle = spawn_on(g, 0, where, 7);
        check_int(await_task(handle), 7);
    }
}

TEST(without_memory_nothing_is_lost, .fail_allocations = true)
{
    with_group(g) {
        wide in = {{0}};
        task(wide) handle = spawn_on(g, 0, turn_around, in, 10);
        (void)await_task(handle);
    }
}
