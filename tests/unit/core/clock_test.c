/*
 * clock_test.c: durations, sleeping, the virtual clock.
 */
#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char journal[512];

static void note(const char *text)
{
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, "%s ", text);
}

static int64_t real_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

TEST_PLAIN(durations_convert_and_saturate)
{
    check_int(bide_s(2).ns, 2000000000);
    check_int(bide_s(0.5).ns, 500000000);
    check_int(bide_ms(1.5).ns, 1500000);
    check_int(bide_us(3).ns, 3000);
    check_int(bide_ns(7).ns, 7);
    check_int(bide_s(-1).ns, 0);
    check_int(bide_ms(-0.001).ns, 0);
    check_int(bide_ns(-1).ns, 0);
    check_int(bide_s(NAN).ns, 0);
    check_int(bide_s(INFINITY).ns, INT64_MAX);
    check_int(bide_s(1e30).ns, INT64_MAX);
    check_int(bide_s(9e9).ns, 9000000000000000000);
    check_int(bide_ns(INT64_MIN).ns, 0);
    check_int(BIDE_FOREVER.ns, INT64_MAX);
}

TEST_PLAIN(outside_of_tasks_the_clocks_are_real)
{
    int64_t before = real_ns(), now = bide_clock_ns(), after = real_ns();
    check(before <= now && now <= after);
    check(llabs(bide_now_us() / 1000000 - (long long)time(NULL)) <= 1);
}

SPAWNABLE(void, sleep_and_note, const char *, bide_duration)
async(void) sleep_and_note(const char *text, bide_duration duration)
{
    await(bide_sleep(duration));
    note(text);
    return bide_void;
}

TEST(virtual_time_stands_still_while_tasks_run)
{
    int64_t start = bide_clock_ns(), start_us = bide_now_us();
    int64_t until = real_ns() + 3000000;
    while (real_ns() < until)
        (void)await(bide_wait(BIDE_ALL, NULL, 0));
    for (int i = 0; i < 1000; i++)
        await(bide_yield());
    check_int(bide_clock_ns(), start);
    check_int(bide_now_us(), start_us);
}

TEST(virtual_sleeps_are_exact_and_take_no_time)
{
    int64_t start = bide_clock_ns(), start_us = bide_now_us(), real = real_ns();
    await(bide_sleep(bide_ns(1)));
    check_int(bide_clock_ns() - start, 1);
    await(bide_sleep(bide_ns(123456789)));
    check_int(bide_clock_ns() - start, 123456790);
    await(bide_sleep(bide_s(86400 * 365)));
    check_int(bide_clock_ns() - start, 86400LL * 365 * 1000000000 + 123456790);
    check_int((bide_now_us() - start_us) / 1000000, 86400 * 365);
    check(real_ns() - real < 2000000000);
}

TEST(sleepers_wake_in_the_order_of_their_times)
{
    with_group(g) {
        spawn_void(g, sleep_and_note, "d", bide_s(4000));
        spawn_void(g, sleep_and_note, "c", bide_ns(200));
        spawn_void(g, sleep_and_note, "b", bide_ns(101));
        spawn_void(g, sleep_and_note, "a", bide_ns(100));
    }
    check_str(journal, "a b c d ");
}

TEST(sleepers_of_one_time_wake_in_the_order_of_arming, .in_order = true)
{
    with_group(g) {
        spawn_void(g, sleep_and_note, "a", bide_ms(3));
        spawn_void(g, sleep_and_note, "b", bide_ms(3));
        await(bide_sleep(bide_ms(1)));
        spawn_void(g, sleep_and_note, "c", bide_ms(2));
    }
    check_str(journal, "a b c ");
}

TEST(sleeping_not_at_all_yields_once, .in_order = true)
{
    with_group(g) {
        spawn_void(g, sleep_and_note, "other", bide_ns(0));
        await(bide_sleep(bide_ns(0)));
        note("me");
        await(bide_sleep((bide_duration){-5}));
        note("me");
    }
    check_str(journal, "me other me ");
    check_int(bide_clock_ns(), 0);
}

SPAWNABLE(void, sleep_for_ever)
async(void) sleep_for_ever(void)
{
    await(bide_sleep(BIDE_FOREVER));
    note("never");
    return bide_void;
}

TEST(a_sleep_for_ever_ends_by_a_cancel, .cancel_everywhere = true)
{
    with_group(g) {
        task(void) child = spawn(g, sleep_for_ever);
        await(bide_sleep(bide_s(1000)));
        bide_cancel(child, "x");
    }
    check_str(journal, "");
    check_int(bide__loop_here->outside, 0);
}

TEST(the_longest_sleep_is_no_overflow)
{
    bool late;
    (void)move_on_after(&late, bide_ms(1), sleep_and_note, "never", bide_ns(INT64_MAX - 1));
    check(late);
    (void)move_on_after(&late, bide_ns(INT64_MAX - 1), sleep_and_note, "slept", bide_ms(1));
    check(!late);
    check_str(journal, "slept ");
}

TEST(a_cancelled_sleep_leaves_no_timer)
{
    bool late;
    for (int i = 0; i < 100; i++)
        (void)move_on_after(&late, bide_us(i + 1), sleep_and_note, "never", bide_s(1));
    check_int(bide__loop_here->timers.armed, 0);
    check_str(journal, "");
}

TEST(real_sleeps_last_at_least_as_long, .real_clock = true)
{
    int64_t start = real_ns();
    with_group(g) {
        spawn_void(g, sleep_and_note, "b", bide_ms(20));
        spawn_void(g, sleep_and_note, "a", bide_ms(5));
        await(bide_sleep(bide_ms(10)));
        check(real_ns() - start >= 10000000);
        note("me");
    }
    check(real_ns() - start >= 20000000);
    check_str(journal, "a me b ");
}

TEST(a_real_deadline_ends_a_busy_task, .real_clock = true)
{
    bool late;
    int64_t start = real_ns();
    (void)move_on_after(&late, bide_ms(5), sleep_for_ever);
    check(late);
    check(real_ns() - start >= 5000000);
}

static int yields;

SPAWNABLE(void, yield_for_ever)
async(void) yield_for_ever(void)
{
    for (;; yields++)
        await(bide_yield());
    return bide_void;
}

/* Timers fire although a task is always ready. */
TEST(a_task_that_only_yields_is_timed_out, .real_clock = true)
{
    bool late;
    (void)move_on_after(&late, bide_ms(5), yield_for_ever);
    check(late);
    check(yields > 10);
}
