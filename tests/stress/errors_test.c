/*
 * errors_test.c: very many errors and cancels: what a sanitizer counts may not run over, and
 * nothing may grow.
 */
#include "core/loop.h"

#include "base/mem.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <string.h>

typedef int *int_ptr;

static int64_t handlers;

static void count(void *arg)
{
    handlers += *(int *)arg;
}

SPAWNABLE(int, just_fail, int)
async(int) just_fail(int n)
{
    if (n >= 0)
        fail(bide_error_new(1000, "just failed"));
    return ready(int, n);
}

/* ThreadSanitizer keeps a shadow stack of calls, and dies if unwinding does not take it back. */
TEST(three_hundred_thousand_errors, .timeout_ms = 30000)
{
    bide_error *error;
    for (int i = 0; i < 10; i++)
        attempt(&error, just_fail, i);
    int64_t live = bide__mem_live();
    for (int i = 0; i < 300000; i++) {
        attempt(&error, just_fail, i);
        if (!error || error->code != 1000)
            check(!"every call fails");
        if (i % 128 == 0)
            await(bide_yield());
    }
    check(bide__mem_live() <= live + 4);
}

static int through_frames(int depth, int_ptr seen) BIDE__TASK
{
    char local[96];
    int one = 1;
    memset(local, depth, sizeof local);
    defer(count, &one);
    if (depth == 0 && *seen >= 0)
        fail(bide_error_new(1000, "at the bottom %d", local[17]));
    int below = depth ? through_frames(depth - 1, seen) : 0;
    *seen += local[95];
    return below + local[3];
}

SPAWNABLE(int, fail_through_frames, int, int_ptr)
async(int) fail_through_frames(int depth, int_ptr seen)
{
    return ready(int, through_frames(depth, seen));
}

/* AddressSanitizer's fake frames and red zones are taken back as well. */
TEST(errors_through_frames_with_locals, .timeout_ms = 60000)
{
    bide_error *error;
    int seen = 0;
    for (int i = 0; i < 100000; i++) {
        attempt(&error, fail_through_frames, 4, &seen);
        if (i % 128 == 0)
            await(bide_yield());
    }
    check_int(handlers, 500000);
    check_int(seen, 0);
}

SPAWNABLE(void, fail_in_a_group, int)
async(void) fail_in_a_group(int children)
{
    with_group(g) {
        for (int i = 0; i < children; i++)
            spawn_void(g, just_fail, i);
        await(bide_sleep(bide_s(1)));
    }
    return bide_void;
}

TEST(failing_groups, .timeout_ms = 30000)
{
    bide_error *error;
    for (int i = 0; i < 10000; i++) {
        attempt(&error, fail_in_a_group, 1 + i % 5);
        if (!error || error->code != 1000)
            check(!"every group fails");
    }
    check_int(bide__loop_here->stacks.used, 1);
    check_int(bide_clock_ns(), 0);
}

SPAWNABLE(void, sleep_and_clean)
async(void) sleep_and_clean(void)
{
    int one = 1;
    on_cancel(count, &one);
    await(bide_sleep(bide_s(1e6)));
    return bide_void;
}

SPAWNABLE(void, gather_sleepers, int)
async(void) gather_sleepers(int depth)
{
    with_group(g) {
        for (int i = 0; i < 10; i++) {
            if (depth == 0)
                spawn_void(g, sleep_and_clean);
            else
                spawn_void(g, gather_sleepers, depth - 1);
        }
    }
    return bide_void;
}

/* One cancel at the top of a tree of eleven thousand tasks. */
TEST(a_cancel_of_a_large_tree, .timeout_ms = 30000, .in_order = true)
{
    bool late;
    for (int i = 0; i < 3; i++)
        (void)move_on_after(&late, bide_ms(1), gather_sleepers, 3);
    check(late);
    check_int(handlers, 30000);
    check_int(bide__loop_here->stacks.used, 1);
}

SPAWNABLE(void, time_out_often, int)
async(void) time_out_often(int times)
{
    for (int i = 0; i < times; i++) {
        bool late;
        (void)move_on_after(&late, bide_us(1 + i % 300), sleep_and_clean);
        if (!late)
            check(!"each one is late");
    }
    return bide_void;
}

TEST(a_hundred_thousand_timeouts, .timeout_ms = 60000, .in_order = true)
{
    with_group(g) {
        for (int i = 0; i < 100; i++)
            spawn_void(g, time_out_often, 1000);
    }
    check_int(handlers, 100000);
    check_int(bide__loop_here->timers.armed, 0);
}
