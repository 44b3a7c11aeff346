/*
 * scope_test.c: deadlines, shields, move_on_after, level-triggered cancels, with_no_await.
 */
#include "core/scope.h"

#include "core/loop.h"
#include "core/runtime.h"

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

static int64_t left_ms(void)
{
    return bide_deadline_left().ns / 1000000;
}

/* "file:line" as messages have it. */
static const char *place(int line)
{
    static char text[128];
    snprintf(text, sizeof text, "%s:%d", __FILE__, line);
    return text;
}

static void ignore(const bide_error *error, void *arg)
{
    (void)error;
    (void)arg;
}

static void check_misuse(void (*program)(void), const char *text)
{
    if (BIDE_DEBUG) {
        check_dies(program, text);
        return;
    }
    test_capture_stderr();
    program();
    check_contains(test_captured(), text);
}

SPAWNABLE(int, nap, int)
async(int) nap(int ms)
{
    on_cancel(note_arg, "cancelled");
    await(bide_sleep(bide_ms(ms)));
    return ready(int, ms);
}

static int deadline_line;

SPAWNABLE(int, nap_within, int, int)
async(int) nap_within(int deadline_ms, int ms)
{
    on_cancel(note_arg, "never");
    on_error(note_arg, "error");
    deadline_line = __LINE__ + 1;
    with_deadline(bide_ms(deadline_ms)) {
        on_cancel(note_arg, "inside");
        return ready(int, await(nap(ms)));
    }
    return ready(int, -1);
}

TEST(a_deadline_becomes_a_timeout_at_its_end)
{
    bide_error *error;
    char text[256];
    check_int(attempt(&error, nap_within, 20, 10), 10);
    check_ptr(error, NULL);
    check_int(now_ms(), 10);
    check_int(attempt(&error, nap_within, 20, 30), 0);
    check_int(now_ms(), 30);
    if (!check(error))
        return;
    check_int(error->code, BIDE_TIMEOUT);
    check(!error->is_cancel);
    snprintf(text, sizeof text, "the deadline of %s passed", place(deadline_line));
    check_str(error->message, text);
    check_str(journal, "cancelled inside error ");
    check(!bide_cancel_requested());
    await(nap(1));
}

TEST(a_body_that_ends_without_noticing_is_not_disturbed)
{
    with_deadline(bide_ms(5)) {
        bide__loop_here->runtime->virtual_now_ns += 10000000;
        note("late");
    }
    await(nap(1));
    check_str(journal, "late ");
}

SPAWNABLE(void, nest_deadlines, int, int, int)
async(void) nest_deadlines(int outer_ms, int inner_ms, int ms)
{
    with_deadline(bide_ms(outer_ms)) {
        on_cancel(note_arg, "outer_sees_cancel");
        on_error(note_arg, "outer_sees_error");
        with_deadline(bide_ms(inner_ms)) {
            await(nap(ms));
        }
        note("between");
        await(nap(ms));
    }
    return bide_void;
}

TEST(an_inner_deadline_is_the_inner_blocks_own)
{
    bide_error *error;
    attempt(&error, nest_deadlines, 50, 20, 100);
    check(error && error->code == BIDE_TIMEOUT);
    check_int(now_ms(), 20);
    check_str(journal, "cancelled outer_sees_error ");
}

TEST(an_outer_deadline_stays_the_outer_blocks)
{
    bide_error *error;
    attempt(&error, nest_deadlines, 20, 50, 100);
    check(error && error->code == BIDE_TIMEOUT);
    check_int(now_ms(), 20);
    check_str(journal, "cancelled outer_sees_error outer_sees_cancel ");
}

TEST(deadlines_only_get_tighter_inwards)
{
    check(bide_deadline_left().ns == BIDE_FOREVER.ns);
    with_deadline(bide_ms(100)) {
        check_int(left_ms(), 100);
        await(nap(10));
        check_int(left_ms(), 90);
        with_deadline(bide_ms(200)) {
            check_int(left_ms(), 90);
        }
        with_deadline(bide_ms(20)) {
            check_int(left_ms(), 20);
            with_deadline(BIDE_FOREVER) {
                check_int(left_ms(), 20);
            }
            shielded(bide_ms(500)) {
                check_int(left_ms(), 500);
                with_deadline(bide_ms(700)) {
                    check_int(left_ms(), 500);
                }
            }
            shielded(BIDE_FOREVER) {
                check(bide_deadline_left().ns == BIDE_FOREVER.ns);
            }
        }
        check_int(left_ms(), 90);
    }
    check(bide_deadline_left().ns == BIDE_FOREVER.ns);
}

SPAWNABLE(void, look_at_the_deadline, int)
async(void) look_at_the_deadline(int ms)
{
    check_int(left_ms(), ms);
    await(nap(1000));
    return bide_void;
}

SPAWNABLE(void, spawn_under_a_deadline)
async(void) spawn_under_a_deadline(void)
{
    with_deadline(bide_ms(30)) {
        with_group(g, .max_concurrency = 2) {
            spawn_void(g, look_at_the_deadline, 30);
            spawn_void(g, look_at_the_deadline, 30);
            spawn_void(g, look_at_the_deadline, 0);
        }
    }
    return bide_void;
}

TEST(children_inherit_the_deadline)
{
    bide_error *error;
    attempt(&error, spawn_under_a_deadline);
    check(error && error->code == BIDE_TIMEOUT);
    check(error && !error->also);
    check_int(now_ms(), 30);
    check_str(journal, "cancelled cancelled cancelled ");
}

TEST(a_deadline_of_nothing_lets_no_await_through)
{
    bide_error *error;
    attempt(&error, nap_within, 0, 1);
    check(error && error->code == BIDE_TIMEOUT);
    check_int(now_ms(), 0);
    attempt(&error, nap_within, -5, 1);
    check(error && error->code == BIDE_TIMEOUT);
    check_int(now_ms(), 0);
}

SPAWNABLE(void, swallow_within, int)
async(void) swallow_within(int deadline_ms)
{
    with_deadline(bide_ms(deadline_ms)) {
        for (int i = 0; i < 5; i++) {
            bide_error *error;
            attempt(&error, nap, 8);
            note(error ? "raised" : "slept");
            check(!error || error->is_cancel);
            check_int(bide_cancel_requested(), error != NULL);
        }
    }
    note("left");
    await(nap(1));
    return bide_void;
}

TEST(after_a_deadline_each_await_raises_until_the_block_is_left)
{
    await(swallow_within(20));
    check_str(journal, "slept slept cancelled raised cancelled raised cancelled raised left ");
    check_int(now_ms(), 21);
}

TEST(move_on_after_gives_the_value_or_moves_on, .cancel_everywhere = true)
{
    bool late = true;
    int value = move_on_after(&late, bide_ms(20), nap, 10);
    check(!late);
    check_int(value, 10);
    value = move_on_after(&late, bide_ms(20), nap, 30);
    check(late);
    check_int(value, 0);
    check_int(now_ms(), 30);
    check(!bide_cancel_requested());
}

SPAWNABLE(int, break_after, int)
async(int) break_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    fail(bide_error_new(1000 + ms, "broke after %d", ms));
}

SPAWNABLE(int, move_on_or_break, int, int)
async(int) move_on_or_break(int deadline_ms, int ms)
{
    bool late;
    int value = move_on_after(&late, bide_ms(deadline_ms), break_after, ms);
    check(late);
    return ready(int, value);
}

TEST(move_on_after_lets_other_errors_through)
{
    bide_error *error;
    attempt(&error, move_on_or_break, 20, 5);
    check(error && error->code == 1005);
    attempt(&error, move_on_or_break, 5, 20);
    check_ptr(error, NULL);
}

static bide_async(void) clean_and_fail(void *arg)
{
    (void)arg;
    fail(bide_error_new(1700, "the cleanup"));
}

SPAWNABLE(int, nap_and_fail_to_clean, int)
async(int) nap_and_fail_to_clean(int ms)
{
    defer(clean_and_fail, NULL);
    await(bide_sleep(bide_ms(ms)));
    return ready(int, ms);
}

SPAWNABLE(int, move_on_from_a_bad_cleanup)
async(int) move_on_from_a_bad_cleanup(void)
{
    bool late;
    return ready(int, move_on_after(&late, bide_ms(5), nap_and_fail_to_clean, 10));
}

TEST(move_on_after_does_not_lose_what_a_cleanup_failed_with)
{
    bide_error *error;
    attempt(&error, move_on_from_a_bad_cleanup);
    char text[2048] = "";
    if (check(error))
        bide_error_format(error, text, sizeof text);
    check_contains(text, "the cleanup (1700)");
    check(error && !error->is_cancel);
}

SPAWNABLE(void, move_on_inside, int, int)
async(void) move_on_inside(int outer_ms, int inner_ms)
{
    bool late = false;
    with_deadline(bide_ms(outer_ms)) {
        (void)move_on_after(&late, bide_ms(inner_ms), nap, 100);
        note(late ? "moved" : "never");
        await(nap(100));
    }
    return bide_void;
}

TEST(move_on_after_does_not_take_an_outer_deadline_for_its_own)
{
    bide_error *error;
    attempt(&error, move_on_inside, 20, 50);
    check(error && error->code == BIDE_TIMEOUT);
    check_str(journal, "cancelled ");
    check_int(now_ms(), 20);
    attempt(&error, move_on_inside, 30, 10);
    check_str(journal, "cancelled cancelled moved cancelled ");
    check_int(now_ms(), 50);
}

SPAWNABLE(void, work_shielded, int, int)
async(void) work_shielded(int shield_ms, int ms)
{
    shielded(bide_ms(shield_ms)) {
        check(!bide_cancel_requested());
        (void)await(nap(ms));
        (void)await(nap(1));
        note("saved");
    }
    note(bide_cancel_requested() ? "requested" : "quiet");
    await(nap(1));
    note("end");
    return bide_void;
}

TEST(a_shield_lets_the_cancel_wait)
{
    with_group(g) {
        task(void) child = spawn(g, work_shielded, 100, 20);
        await(nap(5));
        bide_cancel(child, "x");
    }
    check_str(journal, "saved requested cancelled ");
    check_int(now_ms(), 21);
}

TEST(a_shield_in_a_cancelled_scope_can_await)
{
    bide_cancel_task(bide_current_task(), "x");
    bide_error *error;
    attempt(&error, work_shielded, 100, 20);
    check(error && error->is_cancel);
    check_str(journal, "saved requested cancelled ");
    check_int(now_ms(), 21);
    bide_current_task().task->root_effective = false;
}

TEST(a_shield_is_bounded)
{
    bide_error *error;
    attempt(&error, work_shielded, 10, 50);
    check(error && error->code == BIDE_TIMEOUT);
    check_int(now_ms(), 10);
    check_str(journal, "cancelled ");
}

SPAWNABLE(void, spawn_in_a_shield)
async(void) spawn_in_a_shield(void)
{
    shielded(bide_s(1)) {
        with_group(g) {
            spawn_void(g, work_shielded, 500, 5);
            spawn_void(g, nap, 20);
        }
        note("both");
    }
    return bide_void;
}

TEST(children_of_a_group_in_a_shield_are_shielded)
{
    with_group(g) {
        task(void) child = spawn(g, spawn_in_a_shield);
        await(nap(2));
        bide_cancel(child, "x");
    }
    check_str(journal, "saved quiet end both ");
    check_int(now_ms(), 20);
}

SPAWNABLE(void, nest_shields)
async(void) nest_shields(void)
{
    shielded(bide_ms(50)) {
        with_deadline(bide_ms(20)) {
            shielded(bide_ms(100)) {
                await(nap(30));
                note("inner");
            }
            await(nap(1));
            note("never");
        }
    }
    return bide_void;
}

TEST(an_inner_shield_holds_off_an_outer_deadline)
{
    bide_error *error;
    attempt(&error, nest_shields);
    check(error && error->code == BIDE_TIMEOUT);
    check_str(journal, "inner cancelled ");
    check_int(now_ms(), 30);
}

static int64_t slept_until_ms;

SPAWNABLE(void, sleep_then_await, int)
async(void) sleep_then_await(int ms)
{
    on_cancel(note_arg, "next_raised");
    await(bide_sleep(bide_ms(ms)));
    slept_until_ms = now_ms();
    note(bide_cancel_requested() ? "slept_and_cancelled" : "slept");
    await(bide_sleep(bide_ms(ms)));
    note("never");
    return bide_void;
}

/* The sleep is over and the cancel comes in the same turn, before the sleeper runs. */
TEST(an_await_that_is_over_gives_its_result_and_the_next_raises, .in_order = true)
{
    with_group(g) {
        task(void) first = spawn(g, sleep_then_await, 5);
        await(bide_sleep(bide_ms(5)));
        bide_cancel(first, "x");
    }
    check_str(journal, "slept_and_cancelled next_raised ");
    check_int(slept_until_ms, 5);
    check_int(now_ms(), 5);
}

TEST(a_cancel_that_comes_first_ends_the_await, .in_order = true)
{
    with_group(g) {
        task(void) child = spawn(g, sleep_then_await, 5);
        await(bide_sleep(bide_us(4999)));
        bide_cancel(child, "x");
    }
    check_str(journal, "next_raised ");
}

SPAWNABLE(void, time_out_with_a_failing_child)
async(void) time_out_with_a_failing_child(void)
{
    with_deadline(bide_ms(10)) {
        with_group(g) {
            spawn_void(g, nap_and_fail_to_clean, 100);
            await(nap(100));
        }
    }
    return bide_void;
}

TEST(a_timeout_keeps_the_failures_on_its_way)
{
    bide_error *error;
    attempt(&error, time_out_with_a_failing_child);
    if (!check(error))
        return;
    check_int(error->code, BIDE_TIMEOUT);
    check(error->also && error->also->code == 1700);
}

SPAWNABLE(void, raise_a_stale_cancel)
async(void) raise_a_stale_cancel(void)
{
    bide_error *error = NULL;
    with_deadline(bide_ms(1)) {
        attempt(&error, nap, 10);
    }
    check(error && error->is_cancel);
    check(!bide_cancel_requested());
    fail(error);
}

SPAWNABLE(void, spawn_one_that_raises_a_stale_cancel)
async(void) spawn_one_that_raises_a_stale_cancel(void)
{
    with_group(g) {
        spawn_void(g, raise_a_stale_cancel);
    }
    return bide_void;
}

TEST(a_cancel_raised_again_outside_of_its_scope_is_an_error)
{
    bide_error *error;
    attempt(&error, spawn_one_that_raises_a_stale_cancel);
    check(error && error->code == BIDE_CANCELLED);
    check(error && !error->is_cancel);
}

static async(void) await_nothing(void)
{
    await(bide_yield());
    return bide_void;
}

/* The effect check would refuse it in place. */
static void call_through(struct forgotten_await_void (*fn)(void))
{
    (void)fn().await;
}

enum { REGION_LINE = __LINE__ + 4 };
static async(void) await_in_a_region(void)
{
    with_no_await {
        with_no_await {
            call_through(await_nothing);
        }
    }
    return bide_void;
}

static void run_await_in_a_region(void)
{
    bide_run(await_in_a_region, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(an_await_in_a_no_await_region_names_both_lines)
{
    char text[256];
    snprintf(text, sizeof text, "in task #1 'main' inside the with_no_await of %s",
             place(REGION_LINE));
    check_misuse(run_await_in_a_region, text);
    check_misuse(run_await_in_a_region, "bide: misuse: await at ");
}

static async(void) end_a_group_in_a_region(void)
{
    with_no_await {
        with_group(g) {
            spawn_void(g, nap, 5);
        }
    }
    return bide_void;
}

static void run_end_a_group_in_a_region(void)
{
    bide_run(end_a_group_in_a_region, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(the_end_of_a_group_may_not_wait_in_a_no_await_region)
{
    check_misuse(run_end_a_group_in_a_region, "with_no_await");
}

SPAWNABLE(void, leave_the_region, int)
async(void) leave_the_region(int way)
{
    with_no_await {
        with_no_await {
            if (way == 0)
                return bide_void;
            if (way == 1)
                fail(bide_error_new(1000, "x"));
            if (way == 2)
                goto out;
        }
    }
out:
    await(bide_yield());
    return bide_void;
}

TEST(a_no_await_region_ends_on_every_way_out)
{
    for (int way = 0; way < 4; way++) {
        bide_error *error;
        attempt(&error, leave_the_region, way);
        check_int(error != NULL, way == 1);
        await(bide_yield());
        check_int(bide__current->attention & BIDE__ATTENTION_NO_AWAIT, 0);
    }
}

static struct bide__scope strange;

SPAWNABLE(void, leave_a_strange_scope)
async(void) leave_a_strange_scope(void)
{
    bide__scope_pop(&strange);
    return bide_void;
}

static async(void) leave_by_another_task(void)
{
    static const struct bide_site here = {"here.c", "leave_by_another_task", "test", 77};
    bide__scope_push(&strange, BIDE__SCOPE_DEADLINE, &here, INT64_MAX);
    with_group(g) {
        spawn_void(g, leave_a_strange_scope);
    }
    return bide_void;
}

static void run_leave_by_another_task(void)
{
    bide_run(leave_by_another_task, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(a_scope_is_left_by_the_task_that_entered_it)
{
    if (!BIDE_DEBUG)
        return;
    check_dies(run_leave_by_another_task,
               "bide: misuse: task #2 'leave_a_strange_scope' leaves the scope of here.c:77, which "
               "task #1 'main' entered and which is not its innermost");
}

SPAWNABLE(void, everything_at_once)
async(void) everything_at_once(void)
{
    bool late;
    with_deadline(bide_ms(50)) {
        shielded(bide_ms(40)) {
            (void)move_on_after(&late, bide_ms(5), nap, 10);
            with_group(g) {
                spawn_void(g, nap, 3);
                with_deadline(bide_ms(10)) {
                    await(nap(2));
                }
            }
        }
        await(nap(1));
    }
    return bide_void;
}

TEST(scopes_with_everything_failing, .cancel_everywhere = true, .fail_allocations = true)
{
    await(everything_at_once());
    check_ptr(bide_current_task().task->scope, NULL);
    check_int(bide__loop_here->timers.armed, 0);
}

/* ---- a deadline that is set again and again ---- */

SPAWNABLE(void, sleep_a_second)
async(void) sleep_a_second(void)
{
    await(bide_sleep(bide_s(1)));
    return bide_void;
}

TEST(a_limit_moves_on_and_lets_its_timer_look_again)
{
    static struct bide__limit limit;
    struct bide__timers *timers = &bide__loop_here->timers;
    bide_error *error;
    bide__limit_init(&limit);
    for (int round = 0; round < 2; round++) {
        bide__limit_push(&limit, &(const struct bide_site){__FILE__, __func__, "limit", __LINE__});
        check_int(bide_deadline_left().ns, INT64_MAX);
        int64_t start_ns = bide_clock_ns();
        /* Each time far enough, and the timer of the first is left armed. */
        for (int i = 0; i < 3; i++) {
            bide__limit_set(&limit, timers, bide_clock_ns() + 1500000000);
            check_int(bide_deadline_left().ns, 1500000000);
            await(sleep_a_second());
        }
        bide__limit_set(&limit, timers, bide_clock_ns() + 500000000);
        attempt(&error, sleep_a_second);
        require(error && error->is_cancel);
        check(limit.scope.timed_out);
        check_int(bide_clock_ns() - start_ns, 3500000000);
        check(bide_cancel_requested());
        bide__limit_pop(&limit);
        check(!bide_cancel_requested());
        /* Nobody is inside: it fires in vain. */
        await(bide_sleep(bide_s(5)));
    }
    with_deadline(bide_s(2)) {
        bide__limit_push(&limit, &(const struct bide_site){__FILE__, __func__, "limit", __LINE__});
        bide__limit_set(&limit, timers, bide_clock_ns() + 3000000000);
        check_int(bide_deadline_left().ns, 2000000000);
        bide__limit_set(&limit, timers, bide_clock_ns() + 1000000000);
        check_int(bide_deadline_left().ns, 1000000000);
        bide__limit_set(&limit, timers, INT64_MAX);
        check_int(bide_deadline_left().ns, 2000000000);
        await(bide_sleep(bide_ms(1500)));
        bide__limit_pop(&limit);
    }
    bide__limit_done(&limit, timers);
}
