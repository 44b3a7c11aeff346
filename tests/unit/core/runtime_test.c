/*
 * runtime_test.c: bide_run: exit statuses, the error hook, background work, stopping and draining,
 * several loops, and runs without memory.
 */
#include "core/runtime.h"

#include "base/mem.h"
#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static char journal[512];
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;

static void note(const char *text)
{
    pthread_mutex_lock(&journal_lock);
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, "%s ", text);
    pthread_mutex_unlock(&journal_lock);
}

static void note_arg(void *text)
{
    note(text);
}

static int hooked, hooked_code;

static void hook(const bide_error *error, void *arg)
{
    check_ptr(arg, &hooked);
    hooked++;
    hooked_code = error->code;
}

SPAWNABLE(void, nap, int)
async(void) nap(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    return bide_void;
}

SPAWNABLE(void, say_after, const char *, int)
async(void) say_after(const char *text, int ms)
{
    on_cancel(note_arg, "cancelled");
    await(bide_sleep(bide_ms(ms)));
    note(text);
    return bide_void;
}

SPAWNABLE(int, break_after, int)
async(int) break_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    fail(bide_error_new(1000 + ms, "broke after %d", ms));
}

static async(void) end_well(void)
{
    await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static async(int) end_with_42(void)
{
    await(bide_sleep(bide_ms(1)));
    return ready(int, 42);
}

static async(void) end_badly(void)
{
    await(break_after(3));
    return bide_void;
}

TEST_PLAIN(the_exit_status_is_0_the_int_or_1)
{
    int64_t live = bide__mem_live();
    check_int(bide_run(end_well, .virtual_clock = true), 0);
    check_int(bide_run(end_with_42, .virtual_clock = true), 42);
    check_int(
        bide_run(end_badly, .virtual_clock = true, .error_hook = hook, .error_hook_arg = &hooked),
        1);
    check_int(hooked, 1);
    check_int(hooked_code, 1003);
    check_int(bide_run(end_well), 0);
    check_int(bide__mem_live(), live);
    check_ptr(bide__loop_here, NULL);
}

TEST_PLAIN(without_a_hook_the_error_is_printed)
{
    test_capture_stderr();
    check_int(bide_run(end_badly, .virtual_clock = true), 1);
    const char *said = test_captured();
    check_contains(said, "bide: error: broke after 3 (1003)\n  at ");
    check_contains(said, "in end_badly: break_after(3)\n  in task #1 'main'\n");
}

static async(void) run_within(void)
{
    bide_run(end_well);
    return bide_void;
}

static void run_run_within(void)
{
    bide_run(run_within);
}

TEST_PLAIN(a_run_within_a_run_is_refused)
{
    check_dies(run_run_within, "bide_run is called while another bide_run runs");
}

static async(void) leave_work_behind(void)
{
    spawn_void(bide_background(), say_after, "background", 20);
    note("main");
    return bide_void;
}

TEST_PLAIN(main_ends_but_background_work_is_waited_for)
{
    check_int(bide_run(leave_work_behind, .virtual_clock = true), 0);
    check_str(journal, "main background ");
}

static async(void) leave_failing_work_behind(void)
{
    spawn_void(bide_background(), break_after, 5);
    spawn_void(bide_background(), say_after, "other", 10);
    with_group(g) {
        spawn_void(g, say_after, "group", 7);
    }
    note("main");
    return bide_void;
}

TEST_PLAIN(background_work_fails_alone_and_to_the_hook)
{
    check_int(bide_run(leave_failing_work_behind, .virtual_clock = true, .error_hook = hook,
                       .error_hook_arg = &hooked),
              0);
    check_str(journal, "group main other ");
    check_int(hooked, 1);
    check_int(hooked_code, 1005);
}

TEST_PLAIN(failing_background_work_is_printed_without_a_hook)
{
    test_capture_stderr();
    check_int(bide_run(leave_failing_work_behind, .virtual_clock = true), 0);
    const char *said = test_captured();
    check_contains(said, "bide: error: broke after 5 (1005)\n");
    check_contains(said, "in task #2 'break_after' spawned at ");
}

static async(void) leave_long_work_behind(void)
{
    spawn_void(bide_background(), say_after, "never", 100000);
    return bide_void;
}

TEST_PLAIN(background_work_that_outlasts_the_drain_is_reported_and_cancelled)
{
    test_capture_stderr();
    check_int(bide_run(leave_long_work_behind, .virtual_clock = true, .drain = bide_ms(50)), 0);
    const char *said = test_captured();
    check_contains(said, "bide: stopping takes too long; still waiting for:\n"
                         "bide: tasks of loop 0\n  #2 say_after  sleeps for ");
    check(!strstr(said, "gave up"));
    check_str(journal, "cancelled ");
}

static bide_async(void) refuse_to_end(void *arg)
{
    (void)arg;
    shielded(BIDE_FOREVER) {
        await(bide_sleep(bide_s(1e6)));
    }
    return bide_void;
}

SPAWNABLE(void, never_end)
async(void) never_end(void)
{
    await(refuse_to_end(NULL));
    return bide_void;
}

static async(void) leave_endless_work_behind(void)
{
    spawn_void(bide_background(), never_end);
    return bide_void;
}

static void run_leave_endless_work_behind(void)
{
    bide_run(leave_endless_work_behind, .virtual_clock = true, .drain = bide_ms(50));
}

TEST_PLAIN(work_that_cannot_be_cancelled_is_abandoned)
{
    check_dies(run_leave_endless_work_behind, "bide: gave up waiting");
    check_dies(run_leave_endless_work_behind, "never_end  sleeps for ");
}

static async(void) stop_oneself(void)
{
    check(!bide_stopping());
    bide_stop("enough");
    check(bide_stopping());
    on_cancel(note_arg, "cancelled");
    await(bide_sleep(bide_s(1000)));
    note("never");
    return bide_void;
}

TEST_PLAIN(stopping_cancels_main_and_is_no_failure)
{
    check(!bide_stopping());
    bide_stop("nothing runs");
    check(!bide_stopping());
    check_int(bide_run(stop_oneself, .virtual_clock = true), 0);
    check_str(journal, "cancelled ");
    check(!bide_stopping());
}

static async(void) stop_and_see_the_reason(void)
{
    bide_error *error;
    bide_stop("the reason");
    attempt(&error, nap, 1000);
    check(error && error->is_cancel);
    check_str(error ? error->message : "", "cancelled: the reason");
    return bide_void;
}

TEST_PLAIN(the_cancel_of_a_stop_tells_the_reason)
{
    check_int(bide_run(stop_and_see_the_reason, .virtual_clock = true), 0);
}

SPAWNABLE(void, stop_after, int)
async(void) stop_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    bide_stop("time");
    return bide_void;
}

static async(int) serve_until_stop(void)
{
    with_group(g) {
        spawn_void(g, stop_after, 5);
        await(bide_until_stop());
        note("stopping");
        check(bide_stopping());
        check(!bide_cancel_requested());
        await(bide_sleep(bide_ms(5)));
        note("finished");
    }
    await(bide_until_stop());
    return ready(int, 3);
}

TEST_PLAIN(a_stop_wakes_until_stop_and_cancels_nothing)
{
    check_int(bide_run(serve_until_stop, .virtual_clock = true), 3);
    check_str(journal, "stopping finished ");
}

static async(void) stop_too_slowly(void)
{
    with_group(g) {
        spawn_void(g, stop_after, 5);
        await(bide_until_stop());
        on_cancel(note_arg, "cut");
        await(bide_sleep(bide_s(100)));
    }
    return bide_void;
}

TEST_PLAIN(a_stop_that_takes_too_long_is_reported_and_cancelled)
{
    test_capture_stderr();
    check_int(bide_run(stop_too_slowly, .virtual_clock = true, .drain = bide_ms(30)), 0);
    check_contains(test_captured(), "bide: stopping takes too long; still waiting for:\n");
    check_str(journal, "cut ");
}

static async(void) fail_while_stopping(void)
{
    bide_stop("enough");
    defer(note_arg, "left");
    bide_error *error;
    attempt(&error, nap, 1000);
    fail(bide_error_new(1234, "on the way out"));
}

TEST_PLAIN(a_failure_while_stopping_is_a_failure)
{
    check_int(bide_run(fail_while_stopping, .virtual_clock = true, .error_hook = hook,
                       .error_hook_arg = &hooked),
              1);
    check_int(hooked_code, 1234);
}

static async(void) cancel_main(void)
{
    bide_cancel_task(bide_current_task(), "by itself");
    await(bide_yield());
    return bide_void;
}

TEST_PLAIN(a_main_that_is_cancelled_without_a_stop_has_failed)
{
    check_int(
        bide_run(cancel_main, .virtual_clock = true, .error_hook = hook, .error_hook_arg = &hooked),
        1);
    check_int(hooked_code, BIDE_CANCELLED);
}

static uint32_t ran, counts_wrong;

static async(void) on_two_loops(void)
{
    __atomic_fetch_or(&ran, 1u << bide_loop_index(), __ATOMIC_RELAXED);
    if (bide_loop_count() != 2)
        counts_wrong = 1;
    with_group(g) {
        for (int i = 0; i < 20; i++)
            spawn_void(g, nap, i % 3);
    }
    spawn_void(bide_background(), nap, 3);
    return bide_void;
}

TEST_PLAIN(the_main_function_runs_on_every_loop)
{
    int64_t live = bide__mem_live();
    check_int(bide_loop_index(), 0);
    check_int(bide_loop_count(), 0);
    check_int(bide_run(on_two_loops, .loops = 2), 0);
    check_int(ran, 3);
    check_int(counts_wrong, 0);
    check_int(bide__mem_live(), live);
}

static async(int) status_of_loop(void)
{
    await(bide_sleep(bide_ms(bide_loop_index() ? 1 : 5)));
    return ready(int, bide_loop_index() ? 5 : 2);
}

static async(int) negative_status(void)
{
    return ready(int, -bide_loop_index());
}

TEST_PLAIN(of_several_loops_the_largest_status_counts)
{
    check_int(bide_run(status_of_loop, .loops = 2), 5);
    check_int(bide_run(status_of_loop, .loops = 3), 5);
    test_capture_stderr();
    check_int(bide_run(negative_status, .loops = 2), 0);
    check_str(test_captured(), "");
}

static int failing_loop;

static async(void) one_loop_fails(void)
{
    if (bide_loop_index() == failing_loop)
        await(break_after(5));
    note("other");
    on_cancel(note_arg, "stopped");
    await(bide_sleep(bide_s(1000)));
    return bide_void;
}

static void lockless_hook(const bide_error *error, void *arg)
{
    (void)arg;
    hooked_code = error->code;
}

TEST_PLAIN(a_loop_that_fails_stops_the_others)
{
    for (failing_loop = 0; failing_loop < 2; failing_loop++) {
        journal[0] = 0;
        check_int(bide_run(one_loop_fails, .loops = 2, .error_hook = lockless_hook), 1);
        check_str(journal, "other stopped ");
        check_int(hooked_code, 1005);
    }
}

static async(void) stop_from_one_loop(void)
{
    if (bide_loop_index() == 1) {
        await(bide_sleep(bide_ms(2)));
        bide_stop("from loop 1");
    }
    await(bide_until_stop());
    note("stopped");
    return bide_void;
}

TEST_PLAIN(a_stop_reaches_every_loop)
{
    for (int i = 0; i < 20; i++) {
        journal[0] = 0;
        check_int(bide_run(stop_from_one_loop, .loops = 3), 0);
        check_str(journal, "stopped stopped stopped ");
    }
}

static async(void) stop_at_once(void)
{
    bide_stop("at once");
    await(bide_until_stop());
    return bide_void;
}

TEST_PLAIN(stopping_while_loops_start, .timeout_ms = 20000)
{
    for (int i = 0; i < 200; i++)
        check_int(bide_run(stop_at_once, .loops = 3), 0);
}

static async(void) virtual_loops(void)
{
    return bide_void;
}

static void run_virtual_loops(void)
{
    bide_run(virtual_loops, .loops = 2, .virtual_clock = true);
}

static struct bide__mail late;
static uint32_t took_hold; /* atomic */
static bool arrived, was_there;

static void arrive(struct bide__mail *mail)
{
    (void)mail;
    arrived = true;
    was_there = bide__loop_here->runtime->loops[1] == bide__loop_here;
}

/* Loop 1 is about to end, and another thread has taken hold of it to send a letter. */
static async(void) send_late(void)
{
    struct bide__runtime *runtime = bide__loop_here->runtime;
    struct bide__loop *other = NULL;
    if (bide_loop_index() == 1) {
        while (!__atomic_load_n(&took_hold, __ATOMIC_ACQUIRE))
            await(bide_sleep(bide_ms(1)));
        return bide_void;
    }
    while (!other) {
        await(bide_sleep(bide_ms(1)));
        pthread_mutex_lock(&runtime->lock);
        if ((other = runtime->loops[1]))
            bide__loop_hold(other);
        pthread_mutex_unlock(&runtime->lock);
    }
    __atomic_store_n(&took_hold, 1, __ATOMIC_RELEASE);
    await(bide_sleep(bide_ms(20)));
    late.deliver = arrive;
    bide__loop_post_held(other, &late);
    return bide_void;
}

TEST_PLAIN(a_loop_takes_what_is_on_its_way_before_it_ends)
{
    check_int(bide_run(send_late, .loops = 2), 0);
    check(arrived);
    check(was_there);
}

TEST_PLAIN(a_virtual_clock_is_for_one_loop)
{
    check_dies(run_virtual_loops, "a virtual clock is for one loop");
}

static async(void) small_program(void)
{
    spawn_void(bide_background(), nap, 2);
    with_group(g) {
        spawn_void(g, nap, 1);
        bide_error *error;
        attempt(&error, break_after, 1);
    }
    return bide_void;
}

TEST_PLAIN(without_memory_a_run_gives_1_and_leaks_nothing, .fail_allocations = true)
{
    int64_t live = bide__mem_live();
    test_capture_stderr();
    int status = bide_run(small_program, .virtual_clock = true);
    const char *said = test_captured();
    check(status == 0 || status == 1);
    check(status == 0 || strstr(said, "out of memory") || strstr(said, "Cannot allocate memory"));
    check(!strstr(said, "nobody freed"));
    check_int(bide__mem_live(), live);
    check_ptr(bide__loop_here, NULL);
    check_ptr(bide__runtime_here, NULL);
}

TEST_PLAIN(without_memory_two_loops_end_as_well, .fail_allocations = true)
{
    int64_t live = bide__mem_live();
    test_capture_stderr();
    int status = bide_run(small_program, .loops = 2);
    const char *said = test_captured();
    check(status == 0 || status == 1);
    check(!strstr(said, "nobody freed"));
    check_int(bide__mem_live(), live);
}

static async(void) fill_with_errors(void)
{
    bide_error *error;
    for (int i = 0; i < 50; i++) {
        attempt(&error, break_after, 0);
        spawn_void(bide_background(), break_after, i % 4);
    }
    (void)bide_error_new(1000, "never raised");
    return bide_void;
}

static void count_hook(const bide_error *error, void *arg)
{
    (void)error;
    ++*(int *)arg;
}

TEST_PLAIN(errors_never_raised_or_never_caught_are_freed)
{
    int64_t live = bide__mem_live();
    int count = 0;
    test_capture_stderr();
    check_int(bide_run(fill_with_errors, .virtual_clock = true, .error_hook = count_hook,
                       .error_hook_arg = &count),
              0);
    check_str(test_captured(), "");
    check_int(count, 50);
    check_int(bide__mem_live(), live);
}

/* The result of a background task that was spawned with a handle and never taken. */
static async(void) leave_a_background_result(void)
{
    task(int) child = spawn(bide_background(), break_after, 0);
    task(void) other = spawn(bide_background(), nap, 1);
    (void)child;
    (void)other;
    return bide_void;
}

TEST_PLAIN(a_background_result_nobody_takes_is_reported_too)
{
    int64_t live = bide__mem_live();
    int count = 0;
    test_capture_stderr();
    check_int(bide_run(leave_a_background_result, .virtual_clock = true, .error_hook = count_hook,
                       .error_hook_arg = &count),
              0);
    const char *said = test_captured();
    check_contains(said, "bide: the result of task #3 'nap', spawned at ");
    check(!strstr(said, "'break_after'"));
    check_int(count, 1);
    check_int(bide__mem_live(), live);
}

static void spawning_hook(const bide_error *error, void *arg) BIDE__UNCHECKED
{
    (void)error;
    (void)arg;
    spawn_void(bide_background(), say_after, "alert", 1);
}

static async(void) fail_in_background_and_main(void)
{
    spawn_void(bide_background(), break_after, 1);
    await(break_after(5));
    return bide_void;
}

TEST_PLAIN(an_error_hook_may_spawn_background_work)
{
    check_int(
        bide_run(fail_in_background_and_main, .virtual_clock = true, .error_hook = spawning_hook),
        1);
    check_str(journal, "alert alert ");
}

static void stop_the_program(void *arg)
{
    (void)arg;
    bide_stop("over");
}

static bide_group *shared_group;

static async(void) spawn_into_the_other_loop(void)
{
    if (bide_loop_index() == 0) {
        with_group(g) {
            __atomic_store_n(&shared_group, g, __ATOMIC_RELEASE);
            await(bide_until_stop());
        }
        return bide_void;
    }
    while (!__atomic_load_n(&shared_group, __ATOMIC_ACQUIRE))
        await(bide_sleep(bide_ms(1)));
    defer(stop_the_program, NULL);
    spawn_void(__atomic_load_n(&shared_group, __ATOMIC_ACQUIRE), nap, 1);
    return bide_void;
}

static void run_spawn_into_the_other_loop(void)
{
    bide_run(spawn_into_the_other_loop, .loops = 2, .error_hook = lockless_hook);
}

TEST_PLAIN(spawning_into_a_group_of_another_loop_is_misuse)
{
    if (BIDE_DEBUG) {
        check_dies(run_spawn_into_the_other_loop, "into a group of another loop");
        return;
    }
    run_spawn_into_the_other_loop();
    check_int(hooked_code, BIDE_MISUSE);
}

static void failing_hook(const bide_error *error, void *arg) BIDE__UNCHECKED
{
    (void)arg;
    fail(bide_error_new(error->code + 1, "the hook"));
}

static void run_with_a_failing_hook(void)
{
    bide_run(end_badly, .virtual_clock = true, .error_hook = failing_hook);
}

TEST_PLAIN(an_error_hook_that_fails_ends_the_program_and_says_so)
{
    check_dies(run_with_a_failing_hook, "bide: 'the hook' was raised at " __FILE__ ":");
    check_dies(run_with_a_failing_hook, " by an error hook, which must not fail");
}
