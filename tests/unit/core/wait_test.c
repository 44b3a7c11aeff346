/*
 * wait_test.c: bide_wait in all modes, start_ready with all outcomes, bide_yield.
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

static int64_t now_ms(void)
{
    return bide_clock_ns() / 1000000; /* the virtual clock starts at 0 */
}

SPAWNABLE(void, nap, int)
async(void) nap(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    return bide_void;
}

SPAWNABLE(void, break_after, int)
async(void) break_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    fail(bide_error_new(1000 + ms, "broke after %d", ms));
}

/* Starts children of 3, 1 and 2 ms and waits for them. */
SPAWNABLE(size_t, wait_for_three, enum bide_wait_mode, size_t)
async(size_t) wait_for_three(enum bide_wait_mode mode, size_t count)
{
    size_t index = 0;
    with_group(g) {
        task(void) a = spawn(g, nap, 3);
        task(void) b = spawn(g, nap, 1);
        task(void) c = spawn(g, nap, 2);
        bide_task_ref refs[] = {bide_ref(a), bide_ref(b), bide_ref(c)};
        index = await(bide_wait(mode, refs, count));
        bide_group_cancel(g, "seen enough");
    }
    return ready(size_t, index);
}

TEST(all_waits_for_the_last)
{
    check_int(await(wait_for_three(BIDE_ALL, 3)), 3);
    check_int(now_ms(), 3);
}

TEST(first_done_gives_the_first)
{
    check_int(await(wait_for_three(BIDE_FIRST_DONE, 3)), 1);
    check_int(now_ms(), 1);
}

TEST(first_error_without_a_failure_waits_for_all)
{
    check_int(await(wait_for_three(BIDE_FIRST_ERROR, 3)), 3);
    check_int(now_ms(), 3);
}

TEST(waits_with_everything_failing, .cancel_everywhere = true, .fail_allocations = true)
{
    check_int(await(wait_for_three(BIDE_ALL, 3)), 3);
    check(await(wait_for_three(BIDE_FIRST_DONE, 3)) < 3);
    check_int(await(wait_for_three(BIDE_FIRST_ERROR, 3)), 3);
    check(now_ms() <= 7);
}

TEST(an_empty_list_never_waits)
{
    check_int(await(bide_wait(BIDE_ALL, NULL, 0)), 0);
    check_int(await(bide_wait(BIDE_FIRST_DONE, NULL, 0)), 0);
    check_int(await(bide_wait(BIDE_FIRST_ERROR, NULL, 0)), 0);
}

TEST(waiting_takes_no_result_and_raises_no_error)
{
    with_group(g) {
        task(void) child = spawn(g, nap, 5);
        check_int(await(bide_wait(BIDE_FIRST_DONE, &bide_ref(child), 1)), 0);
        check_int(now_ms(), 5);
        check_int(await(bide_wait(BIDE_FIRST_DONE, &bide_ref(child), 1)), 0);
        check_int(await(bide_wait(BIDE_ALL, &bide_ref(child), 1)), 1);
        check_int(await(bide_wait(BIDE_FIRST_ERROR, &bide_ref(child), 1)), 1);
        await_task(child);
        check_int(await(bide_wait(BIDE_FIRST_DONE, &bide_ref(child), 1)), 0);
    }
    check_int(now_ms(), 5);
}

SPAWNABLE(void, wait_shielded_for_failures, bool)
async(void) wait_shielded_for_failures(bool handles)
{
    with_group(g) {
        bide_task_ref refs[3];
        refs[0] = (spawn(g, nap, 9)).ref;
        refs[1] = (spawn(g, break_after, 4)).ref;
        refs[2] = (spawn(g, nap, 2)).ref;
        if (!handles)
            for (size_t i = 0; i < 3; i++)
                refs[i].task->result_wanted = false;
        shielded(bide_s(1)) {
            check_int(await(bide_wait(BIDE_FIRST_ERROR, refs, 3)), 1);
        }
        check_int(now_ms(), 4);
    }
    return bide_void;
}

TEST(first_error_gives_the_task_that_failed)
{
    bide_error *error;
    attempt(&error, wait_shielded_for_failures, true);
    check(error && error->code == 1004);
    check(error && !error->also);
}

/* A child whose result nobody wants is freed at its end, before the waiter runs. */
TEST(first_error_sees_a_failure_whose_record_is_gone)
{
    bide_error *error;
    attempt(&error, wait_shielded_for_failures, false);
    check(error && error->code == 1004);
}

TEST(a_cancelled_task_is_no_failure)
{
    with_group(g) {
        task(void) a = spawn(g, nap, 50);
        task(void) b = spawn(g, nap, 3);
        bide_task_ref refs[] = {bide_ref(a), bide_ref(b)};
        await(bide_yield());
        bide_cancel(a, "x");
        check_int(await(bide_wait(BIDE_FIRST_ERROR, refs, 2)), 2);
        check_int(now_ms(), 3);
        check_int(await(bide_wait(BIDE_FIRST_DONE, refs, 2)), 0);
        await_task(b);
    }
}

/* The recipe of asyncio users: all tasks but me, wait for all of them. */
TEST(waiting_for_all_tasks_needs_no_care_about_oneself)
{
    bide_task_ref refs[8];
    with_group(g) {
        check_int(await(bide_wait(BIDE_ALL, refs, bide_all_tasks(refs, 8))), 1);
        for (int i = 1; i <= 4; i++)
            spawn_void(g, nap, i);
        size_t count = bide_all_tasks(refs, 8);
        check_int(count, 5);
        check_int(await(bide_wait(BIDE_ALL, refs, count)), 5);
        check_int(now_ms(), 4);
        check_int(await(bide_wait(BIDE_FIRST_ERROR, refs, count)), 5);
        check_int(await(bide_wait(BIDE_FIRST_DONE, refs, 1)), 1);
    }
}

TEST(the_same_task_twice_in_a_list)
{
    with_group(g) {
        task(void) child = spawn(g, nap, 2);
        bide_task_ref refs[] = {bide_ref(child), bide_ref(child), bide_ref(child)};
        check_int(await(bide_wait(BIDE_ALL, refs, 3)), 3);
        await_task(child);
    }
}

SPAWNABLE(size_t, wait_first_done, bide_task_ref *)
async(size_t) wait_first_done(bide_task_ref *refs)
{
    size_t index = await(bide_wait(BIDE_FIRST_DONE, refs, 1));
    return ready(size_t, index);
}

TEST(a_freed_task_whose_record_is_now_mine_has_ended)
{
    with_group(g) {
        task(void) gone = spawn(g, nap, 0);
        bide_task_ref ref = bide_ref(gone);
        await_task(gone);
        task(size_t) waiter = spawn(g, wait_first_done, &ref);
        check_ptr(bide_ref(waiter).task, ref.task);
        check_int(await_task(waiter), 0);
    }
}

TEST(a_cancel_ends_a_wait_for_several)
{
    bide_error *error;
    with_group(g) {
        task(size_t) waiter = spawn(g, wait_for_three, BIDE_ALL, (size_t)3);
        await(bide_sleep(bide_us(500)));
        bide_cancel(waiter, "x");
        check_int(await(bide_wait(BIDE_FIRST_ERROR, &bide_ref(waiter), 1)), 1);
        check_int(now_ms(), 0);
        attempt(&error, nap, 0);
        check_ptr(error, NULL);
    }
}

SPAWNABLE(void, say_ready_after, int, int)
async(void) say_ready_after(int ms, int rest_ms)
{
    await(bide_sleep(bide_ms(ms)));
    note("ready");
    bide_task_ready();
    bide_task_ready();
    await(bide_sleep(bide_ms(rest_ms)));
    note("end");
    return bide_void;
}

TEST(start_ready_goes_on_when_the_child_says_so)
{
    with_group(g) {
        await(start_ready(g, say_ready_after, 3, 4));
        check_int(now_ms(), 3);
        check_str(journal, "ready ");
        check_int(bide_group_live(g), 1);
    }
    check_int(now_ms(), 7);
}

TEST(start_ready_with_a_child_that_ends_right_then)
{
    with_group(g) {
        await(start_ready(g, say_ready_after, 0, 0));
    }
    check_str(journal, "ready end ");
}

SPAWNABLE(void, start_one_that_never_says, group_ptr)
async(void) start_one_that_never_says(group_ptr g)
{
    await(start_ready(g, nap, 2));
    return bide_void;
}

TEST(start_ready_of_a_child_that_ends_without_a_word)
{
    bide_error *error;
    test_capture_stderr();
    with_group(g) {
        attempt(&error, start_one_that_never_says, g);
        if (check(error)) {
            check_int(error->code, BIDE_CLOSED);
            check_str(error->message, "task #2 'nap' ended without bide_task_ready()");
        }
    }
    check_str(test_captured(), "");
}

SPAWNABLE(void, start_one_that_fails)
async(void) start_one_that_fails(void)
{
    with_group(g) {
        await(start_ready(g, break_after, 2));
    }
    return bide_void;
}

TEST(start_ready_of_a_child_that_fails_raises_its_error)
{
    bide_error *error;
    attempt(&error, start_one_that_fails);
    if (check(error)) {
        check_int(error->code, 1002);
        check_ptr(error->also, NULL);
    }
}

SPAWNABLE(void, start_in, group_ptr, int)
async(void) start_in(group_ptr g, int ms)
{
    await(start_ready(g, say_ready_after, ms, 1));
    return bide_void;
}

SPAWNABLE(void, start_and_cancel)
async(void) start_and_cancel(void)
{
    with_group(g) {
        with_group(starters) {
            spawn_void(starters, start_in, g, 20);
            await(bide_sleep(bide_ms(1)));
            bide_task_ref all[8];
            check_int(bide_all_tasks(all, 8), 3);
            check_str(bide_task_name(all[2]), "say_ready_after");
            bide_cancel_task(all[2], "x");
        }
    }
    return bide_void;
}

TEST(start_ready_of_a_child_that_is_cancelled)
{
    bide_error *error;
    attempt(&error, start_and_cancel);
    if (check(error)) {
        check_int(error->code, BIDE_CANCELLED);
        check(!error->is_cancel);
        check_str(error->message, "task #3 'say_ready_after' was cancelled");
    }
    check_int(now_ms(), 1);
    check_str(journal, "");
}

TEST(start_ready_that_is_given_up_leaves_the_child_running)
{
    bool late;
    test_capture_stderr();
    with_group(g) {
        move_on_after(&late, bide_ms(1), start_in, g, 5);
        check(late);
        check_int(bide_group_live(g), 1);
    }
    check_str(journal, "ready end ");
    check_str(test_captured(), "");
}

SPAWNABLE(void, ready_then_break)
async(void) ready_then_break(void)
{
    bide_task_ready();
    await(bide_sleep(bide_ms(2)));
    fail(bide_error_new(1002, "after it was ready"));
}

SPAWNABLE(void, start_and_go_on)
async(void) start_and_go_on(void)
{
    with_group(g) {
        await(start_ready(g, ready_then_break));
        note("started");
        await(bide_sleep(bide_ms(9)));
        note("never");
    }
    return bide_void;
}

TEST(a_child_that_fails_after_it_was_ready_fails_its_group)
{
    bide_error *error;
    attempt(&error, start_and_go_on);
    check(error && error->code == 1002);
    check_str(journal, "started ");
}

/* Readiness wakes joiners as well, which go on waiting. */
TEST(a_join_is_not_ended_by_readiness)
{
    with_group(g) {
        task(void) child = spawn(g, say_ready_after, 1, 4);
        bide_task_ref ref = bide_ref(child);
        check_int(await(bide_wait(BIDE_FIRST_DONE, &ref, 1)), 0);
        check_int(now_ms(), 5);
        await_task(child);
    }
    check_str(journal, "ready end ");
}

TEST(start_ready_with_everything_failing, .fail_allocations = true, .cancel_everywhere = true)
{
    with_group(g) {
        await(start_ready(g, say_ready_after, 1, 1));
    }
}

SPAWNABLE(void, say_thrice, const char *)
async(void) say_thrice(const char *text)
{
    for (int i = 0; i < 3; i++) {
        note(text);
        await(bide_yield());
    }
    return bide_void;
}

TEST(yield_lets_every_other_task_run_once, .in_order = true)
{
    with_group(g) {
        spawn_void(g, say_thrice, "a");
        spawn_void(g, say_thrice, "b");
        spawn_void(g, say_thrice, "c");
    }
    check_str(journal, "a b c a b c a b c ");
}

SPAWNABLE(void, yield_when_cancelled)
async(void) yield_when_cancelled(void)
{
    bide_cancel_task(bide_current_task(), "x");
    note("cancelled");
    await(bide_yield());
    note("never");
    return bide_void;
}

TEST(yield_in_a_cancelled_task_raises_and_does_not_yield, .in_order = true)
{
    with_group(g) {
        spawn_void(g, yield_when_cancelled);
        spawn_void(g, say_thrice, "b");
    }
    check_str(journal, "cancelled b b b ");
}
