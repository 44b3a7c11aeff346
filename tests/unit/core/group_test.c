/*
 * group_test.c: groups: their end, failures, cancels, max_concurrency, nesting, unread results.
 */
#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <string.h>

typedef bide_group *group_ptr;

static char journal[512];

static void note(const char *text)
{
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, "%s ", text);
}

static void note_arg(void *text)
{
    note(text);
}

static int64_t now_ms(void)
{
    return bide_clock_ns() / 1000000;
}

/* "file:line" as messages have it. */
static const char *place(int line)
{
    static char text[128];
    snprintf(text, sizeof text, "%s:%d", __FILE__, line);
    return text;
}

SPAWNABLE(void, say_after, const char *, int)
async(void) say_after(const char *text, int ms)
{
    await(bide_sleep(bide_ms(ms)));
    note(text);
    return bide_void;
}

SPAWNABLE(void, break_after, int)
async(void) break_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    fail(bide_error_new(1000 + ms, "broke after %d", ms));
}

static bide_async(void) clean_slowly(void *text)
{
    await(bide_sleep(bide_ms(10)));
    note(text);
    return bide_void;
}

/* Sleeps for long; its cleanup takes 10 ms. */
SPAWNABLE(void, hold, const char *)
async(void) hold(const char *text)
{
    defer(clean_slowly, (void *)(uintptr_t)text);
    await(bide_sleep(bide_s(100)));
    note("never");
    return bide_void;
}

TEST(the_end_waits_for_every_child)
{
    with_group(g) {
        spawn_void(g, say_after, "slow", 5);
        spawn_void(g, say_after, "quick", 1);
        check_int(bide_group_live(g), 2);
        await(bide_sleep(bide_ms(2)));
        note("body");
    }
    check_str(journal, "quick body slow ");
    check_int(now_ms(), 5);
}

SPAWNABLE(int, leave_by, int)
async(int) leave_by(int way)
{
    for (int i = 0; i < 2; i++) {
        with_group(g) {
            spawn_void(g, say_after, "child", 3);
            if (way == 0)
                return ready(int, 7);
            if (way == 1)
                goto out;
            if (way == 2)
                continue;
        }
    }
out:
    note("out");
    return ready(int, 8);
}

TEST(return_and_goto_wait_for_the_children)
{
    check_int(await(leave_by(0)), 7);
    check_str(journal, "child ");
    check_int(now_ms(), 3);
    check_int(await(leave_by(1)), 8);
    check_str(journal, "child child out ");
    check_int(await(leave_by(2)), 8);
    check_str(journal, "child child out child child out ");
    check_int(now_ms(), 12);
}

SPAWNABLE(void, fail_in_body)
async(void) fail_in_body(void)
{
    with_group(g) {
        spawn_void(g, hold, "cleaned");
        await(bide_sleep(bide_ms(2)));
        fail(bide_error_new(1500, "the body"));
    }
    return bide_void;
}

TEST(an_error_of_the_body_cancels_the_children_and_waits)
{
    bide_error *error;
    attempt(&error, fail_in_body);
    check(error && error->code == 1500);
    check(error && !error->also);
    check_str(journal, "cleaned ");
    check_int(now_ms(), 12);
}

SPAWNABLE(void, fail_in_a_child)
async(void) fail_in_a_child(void)
{
    on_cancel(note_arg, "cancelled");
    on_error(note_arg, "error");
    with_group(g) {
        on_cancel(note_arg, "body");
        spawn_void(g, hold, "cleaned");
        spawn_void(g, break_after, 2);
        await(bide_sleep(bide_s(1)));
        note("never");
    }
    return bide_void;
}

TEST(a_failure_cancels_the_siblings_and_the_block)
{
    bide_error *error;
    attempt(&error, fail_in_a_child);
    check(error && error->code == 1002);
    check(error && !error->is_cancel);
    check(error && !error->also);
    check_str(journal, "body cleaned error ");
    check_int(now_ms(), 12);
}

SPAWNABLE(void, fail_after_cleanup, int)
async(void) fail_after_cleanup(int code)
{
    bide_error *error;
    attempt(&error, hold, "x");
    fail(bide_error_new(code, "instead of the cancel"));
}

SPAWNABLE(void, fail_everywhere)
async(void) fail_everywhere(void)
{
    with_group(g) {
        spawn_void(g, fail_after_cleanup, 1600);
        spawn_void(g, fail_after_cleanup, 1601);
        spawn_void(g, break_after, 2);
        spawn_void(g, break_after, 2);
        spawn_void(g, hold, "y");
    }
    return bide_void;
}

TEST(all_failures_are_kept_the_first_one_leads)
{
    bide_error *error;
    attempt(&error, fail_everywhere);
    if (!check(error))
        return;
    check_int(error->code, 1002);
    int codes[4] = {0}, count = 0;
    for (bide_error *also = error->also; also && count < 4; also = also->next)
        codes[count++] = also->code;
    check_int(count, 3);
    check_int(codes[0], 1002);
    check_int(codes[1] + codes[2], 1600 + 1601);
}

SPAWNABLE(void, fail_in_body_and_child)
async(void) fail_in_body_and_child(void)
{
    with_group(g) {
        spawn_void(g, fail_after_cleanup, 1601);
        await(bide_yield());
        fail(bide_error_new(1500, "the body"));
    }
    return bide_void;
}

TEST(the_error_of_the_body_leads_and_the_childs_is_attached)
{
    bide_error *error;
    attempt(&error, fail_in_body_and_child);
    if (!check(error && error->also))
        return;
    check_int(error->code, 1500);
    check_int(error->also->code, 1601);
    check_ptr(error->also->next, NULL);
}

SPAWNABLE(void, run_group_with_failing_cleanup)
async(void) run_group_with_failing_cleanup(void)
{
    with_group(g) {
        spawn_void(g, fail_after_cleanup, 1601);
        spawn_void(g, hold, "cleaned");
        await(bide_sleep(bide_s(100)));
    }
    return bide_void;
}

SPAWNABLE(void, cancel_the_group_from_outside)
async(void) cancel_the_group_from_outside(void)
{
    with_group(outer) {
        task(void) child = spawn(outer, run_group_with_failing_cleanup);
        await(bide_sleep(bide_ms(1)));
        bide_cancel(child, "over");
    }
    return bide_void;
}

TEST(a_cancel_from_outside_waits_for_cleanups_and_keeps_their_failures)
{
    bide_error *error;
    attempt(&error, cancel_the_group_from_outside);
    check_int(now_ms(), 11);
    check_contains(journal, "cleaned ");
    check_contains(journal, "x ");
    check(error && error->code == 1601);
    check(error && !error->is_cancel);
    check(error && !error->also);
}

static bide_async(void) clean_and_fail(void *arg)
{
    (void)arg;
    await(bide_sleep(bide_ms(1)));
    fail(bide_error_new(1700, "the cleanup"));
}

SPAWNABLE(void, hold_and_fail_to_clean)
async(void) hold_and_fail_to_clean(void)
{
    defer(clean_and_fail, NULL);
    await(bide_sleep(bide_s(100)));
    return bide_void;
}

SPAWNABLE(void, cancel_one_that_fails_to_clean)
async(void) cancel_one_that_fails_to_clean(void)
{
    with_group(g) {
        task(void) child = spawn(g, hold_and_fail_to_clean);
        await(bide_yield());
        bide_cancel(child, "x");
    }
    return bide_void;
}

TEST(what_fails_while_a_child_is_cancelled_is_a_failure)
{
    bide_error *error;
    attempt(&error, cancel_one_that_fails_to_clean);
    check(error && error->code == 1700);
    check(error && !error->is_cancel);
}

TEST(a_cancelled_child_is_no_failure)
{
    with_group(g) {
        task(void) child = spawn(g, hold, "cleaned");
        await(bide_sleep(bide_ms(1)));
        bide_cancel(child, "x");
        spawn_void(g, say_after, "sibling", 50);
    }
    check_str(journal, "cleaned sibling ");
    check_int(now_ms(), 51);
}

SPAWNABLE(void, spawn_more, group_ptr, int)
async(void) spawn_more(group_ptr g, int generations)
{
    await(bide_sleep(bide_ms(1)));
    note("child");
    if (generations > 1)
        spawn_void(g, spawn_more, g, generations - 1);
    return bide_void;
}

TEST(children_may_spawn_into_their_group_while_its_end_waits)
{
    with_group(g) {
        spawn_void(g, spawn_more, g, 4);
    }
    check_str(journal, "child child child child ");
    check_int(now_ms(), 4);
}

SPAWNABLE(void, cancelled_from_the_start)
async(void) cancelled_from_the_start(void)
{
    note(bide_cancel_requested() ? "started_cancelled" : "started");
    await(bide_yield());
    note("never");
    return bide_void;
}

TEST(a_group_that_is_cancelled_lets_its_block_go_on)
{
    with_group(g) {
        spawn_void(g, hold, "cleaned");
        await(bide_sleep(bide_ms(1)));
        bide_group_cancel(g, "enough");
        bide_group_cancel(g, "again");
        check(!bide_cancel_requested());
        spawn_void(g, cancelled_from_the_start);
        await(bide_sleep(bide_ms(3)));
        note("body");
    }
    check_str(journal, "started_cancelled body cleaned ");
    check_int(now_ms(), 11);
}

SPAWNABLE(void, hold_below, int)
async(void) hold_below(int levels)
{
    if (levels == 0)
        return hold("bottom");
    with_group(g) {
        spawn_void(g, hold_below, levels - 1);
    }
    return bide_void;
}

TEST(a_cancel_goes_down_two_hundred_levels)
{
    with_group(g) {
        spawn_void(g, hold_below, 200);
        await(bide_sleep(bide_ms(1)));
        check_int(bide_all_tasks(NULL, 0), 202);
        bide_group_cancel(g, "x");
    }
    check_str(journal, "bottom ");
    check_int(now_ms(), 11);
}

SPAWNABLE(void, fail_below, int)
async(void) fail_below(int levels)
{
    if (levels == 0)
        fail(bide_error_new(1900, "at the bottom"));
    with_group(g) {
        spawn_void(g, fail_below, levels - 1);
        await(bide_sleep(bide_s(100)));
    }
    return bide_void;
}

TEST(an_error_comes_up_two_hundred_levels)
{
    bide_error *error;
    attempt(&error, fail_below, 200);
    if (!check(error))
        return;
    check_int(error->code, 1900);
    check_ptr(error->also, NULL);
    check_int(error->await_count > BIDE__AWAITS_KEPT ? 1 : error->await_count, 12);
    check_int(error->spawn_count, BIDE__SPAWNS_KEPT);
    check_str(error->spawns[0].name, "fail_below");
    check_int(now_ms(), 0);
}

static void nest_groups(int levels, bool fails) BIDE__TASK
{
    if (levels == 0) {
        if (fails)
            fail(bide_error_new(1901, "innermost"));
        return;
    }
    with_group(g) {
        spawn_void(g, say_after, "c", 1);
        nest_groups(levels - 1, fails);
    }
}

SPAWNABLE(void, nest, bool)
async(void) nest(bool fails)
{
    nest_groups(40, fails);
    return bide_void;
}

TEST(groups_nest_in_one_task)
{
    bide_error *error;
    attempt(&error, nest, false);
    check_ptr(error, NULL);
    check_int(strlen(journal), 80);
    attempt(&error, nest, true);
    check(error && error->code == 1901);
    check_int(strlen(journal), 80);
}

static int running, most, ended;

static void stop_running(void *arg)
{
    (void)arg;
    running--;
    ended++;
}

SPAWNABLE(void, run_for, int)
async(void) run_for(int ms)
{
    running++;
    defer(stop_running, NULL);
    if (running > most)
        most = running;
    await(bide_sleep(bide_ms(ms)));
    return bide_void;
}

TEST(at_most_max_concurrency_children_run)
{
    with_group(g, .max_concurrency = 3, .name = "three") {
        for (int i = 0; i < 10; i++)
            spawn_void(g, run_for, 10);
        check_int(bide_group_live(g), 10);
        await(bide_sleep(bide_ms(5)));
        check_int(running, 3);
        await(bide_sleep(bide_ms(10)));
        check_int(ended, 3);
        check_int(running, 3);
    }
    check_int(most, 3);
    check_int(ended, 10);
    check_int(now_ms(), 40);
}

TEST(held_children_start_in_order_of_spawning, .in_order = true)
{
    with_group(g, .max_concurrency = 1) {
        spawn_void(g, say_after, "a", 3);
        spawn_void(g, say_after, "b", 2);
        task(void) c = spawn(g, say_after, "c", 1);
        await_task(c);
        spawn_void(g, say_after, "d", 0);
    }
    check_str(journal, "a b c d ");
    check_int(now_ms(), 6);
}

SPAWNABLE(void, fail_with_held_children)
async(void) fail_with_held_children(void)
{
    with_group(g, .max_concurrency = 2) {
        spawn_void(g, break_after, 1);
        for (int i = 0; i < 20; i++)
            spawn_void(g, run_for, 50);
    }
    return bide_void;
}

TEST(held_children_end_when_their_group_fails)
{
    bide_error *error;
    attempt(&error, fail_with_held_children);
    check(error && error->code == 1001);
    check_int(ended, 20);
    check_int(running, 0);
    check_int(now_ms(), 1);
}

TEST(held_children_under_every_cancel, .cancel_everywhere = true, .fail_allocations = true)
{
    with_group(g, .max_concurrency = 2) {
        for (int i = 0; i < 6; i++)
            spawn_void(g, run_for, i);
        await(bide_sleep(bide_ms(2)));
        bide_group_cancel(g, "x");
        spawn_void(g, run_for, 9);
    }
    check_int(running, 0);
}

static int unread_line;

static async(void) leave_a_result(void)
{
    with_group(g) {
        unread_line = __LINE__ + 1;
        task(int) child = spawn(g, leave_by, 3);
        (void)child;
    }
    return bide_void;
}

TEST(a_result_that_nobody_takes_is_reported_once)
{
    char text[512];
    test_capture_stderr();
    await(leave_a_result());
    snprintf(text, sizeof text,
             "bide: the result of task #2 'leave_by', spawned at %s, was never taken: await_task "
             "it, or use spawn_void\n",
             place(unread_line));
    check_str(test_captured(), text);
}

SPAWNABLE(void, leave_results_and_fail)
async(void) leave_results_and_fail(void)
{
    with_group(g) {
        task(int) child = spawn(g, leave_by, 3);
        (void)child;
        await(bide_sleep(bide_ms(20)));
        fail(bide_error_new(1000, "x"));
    }
    return bide_void;
}

TEST(results_are_not_missed_when_an_error_leaves_the_block)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, leave_results_and_fail);
    check_str(test_captured(), "");
    check_int(error ? error->code : 0, 1000);
}

enum { GROUP_LINE = __LINE__ + 5, LATE_SPAWN_LINE = GROUP_LINE + 3 };
/* `volatile`: the group's frame is still there, only its block is over. */
static async(void) spawn_too_late(void)
{
    bide_group *volatile kept = NULL;
    with_group(g) {
        kept = g;
    }
    spawn_void(kept, say_after, "never", 1);
    return bide_void;
}

static void ignore(const bide_error *error, void *arg)
{
    (void)error;
    (void)arg;
}

static void run_spawn_too_late(void)
{
    bide_run(spawn_too_late, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(spawning_into_a_group_that_has_ended_is_misuse)
{
    char text[512], group[128];
    snprintf(group, sizeof group, "%s", place(GROUP_LINE));
    snprintf(text, sizeof text,
             "bide: misuse: task #1 'main' spawns at %s into the group of %s, which has ended",
             place(LATE_SPAWN_LINE), group);
#if BIDE__ASAN
    check_dies(run_spawn_too_late, "stack-use-after-scope");
#elif BIDE_DEBUG
    check_dies(run_spawn_too_late, text);
#else
    test_capture_stderr();
    run_spawn_too_late();
    check_contains(test_captured(), text);
#endif
}

/* Ten thousand failures are as many errors, but not a hundred million steps. */
SPAWNABLE(void, fail_many, int)
async(void) fail_many(int count)
{
    with_group(g) {
        for (int i = 0; i < count; i++)
            spawn_void(g, break_after, 0);
    }
    return bide_void;
}

TEST(many_failures_of_a_group_take_bounded_time_and_memory, .timeout_ms = 20000, .in_order = true)
{
    bide_error *error;
    attempt(&error, fail_many, 60000);
    if (!check(error))
        return;
    check_int(error->code, 1000);
    int count = 0;
    for (bide_error *also = error->also; also; also = also->next)
        count++;
    check(count <= 2 * BIDE_CAP_ERRORS_KEPT);
    check(count >= BIDE_CAP_ERRORS_KEPT - 1);
}

SPAWNABLE(void, end_a_group_and_await)
async(void) end_a_group_and_await(void)
{
    with_group(g) {
        spawn_void(g, say_after, "child", 5);
    }
    note("left");
    await(bide_yield());
    note("never");
    return bide_void;
}

TEST(a_group_that_ended_before_the_cancel_is_left_normally, .in_order = true)
{
    with_group(g) {
        task(void) child = spawn(g, end_a_group_and_await);
        await(bide_yield());
        await(bide_sleep(bide_ms(5)));
        bide_cancel(child, "x");
    }
    check_str(journal, "child left ");
}

SPAWNABLE(void, cancel_group_after, group_ptr, int)
async(void) cancel_group_after(group_ptr g, int ms)
{
    await(bide_sleep(bide_ms(ms)));
    bide_group_cancel(g, "later");
    return bide_void;
}

TEST(a_group_may_be_cancelled_while_its_end_waits)
{
    with_group(outer) {
        with_group(g) {
            spawn_void(g, hold, "cleaned");
            spawn_void(outer, cancel_group_after, g, 1);
        }
        note("left");
    }
    check_str(journal, "cleaned left ");
    check_int(now_ms(), 11);
}

SPAWNABLE(void, swallow_the_groups_cancel)
async(void) swallow_the_groups_cancel(void)
{
    with_group(g) {
        bide_error *error;
        spawn_void(g, break_after, 1);
        for (int i = 0; i < 2; i++) {
            attempt(&error, say_after, "never", 10);
            check(error && error->is_cancel);
        }
        note("swallowed");
    }
    note("never");
    return bide_void;
}

TEST(a_body_that_swallows_the_cancel_is_left_by_the_failure_all_the_same)
{
    bide_error *error;
    attempt(&error, swallow_the_groups_cancel);
    check(error && error->code == 1001);
    check(error && !error->also);
    check_str(journal, "swallowed ");
}

static group_ptr shared_group;

static void cancel_and_spawn(void *arg) BIDE__TASK
{
    (void)arg;
    bide_group_cancel(shared_group, "by a handler");
    spawn_void(shared_group, say_after, "never", 3);
}

SPAWNABLE(void, be_hostile)
async(void) be_hostile(void)
{
    defer(cancel_and_spawn, NULL);
    await(break_after(1));
    return bide_void;
}

SPAWNABLE(void, run_hostile_children)
async(void) run_hostile_children(void)
{
    with_group(g) {
        shared_group = g;
        for (int i = 0; i < 5; i++)
            spawn_void(g, be_hostile);
    }
    return bide_void;
}

TEST(handlers_may_cancel_their_group_and_spawn_into_it)
{
    bide_error *error;
    attempt(&error, run_hostile_children);
    check(error && error->code == 1001);
    check_str(journal, "");
    check_int(bide_all_tasks(NULL, 0), 1);
}
