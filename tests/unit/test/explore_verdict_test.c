/*
 * explore_verdict_test.c: what fails an EXPLORE, each by itself, and that what it says it runs is
 * run. The hidden tests are bodies to be judged; the visible ones run this binary again with --only
 * for one of them.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "self.h"

#include <stdlib.h>

/* ---- which schedules are run ---- */

static int step;

static void say_step(void *unused)
{
    (void)unused;
    fprintf(stderr, "cancelled at %d\n", step);
}

static async(void) three_steps(void)
{
    on_cancel(say_step, NULL);
    for (step = 1; step <= 3; step++)
        await(bide_yield());
    return bide_void;
}

EXPLORE(hidden_three_steps, .hidden = true, .search = TEST_ALL)
{
    await(three_steps());
}

EXPLORE(hidden_three_steps_at_random, .hidden = true, .search = TEST_UNIFORM, .schedules = 500)
{
    await(three_steps());
}

EXPLORE(hidden_three_steps_by_priorities, .hidden = true, .search = TEST_PRIORITIES,
        .schedules = 500)
{
    await(three_steps());
}

TEST_PLAIN(each_await_is_cancelled)
{
    static const char *const ways[] = {"hidden_three_steps", "hidden_three_steps_at_random",
                                       "hidden_three_steps_by_priorities"};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        check_int(run_hidden(ways[i], ""), 0);
        check_contains(text, "cancelled at 1\n");
        check_contains(text, "cancelled at 2\n");
        check_contains(text, "cancelled at 3\n");
    }
}

static int first;

SPAWNABLE(void, be_first, int)
async(void) be_first(int number)
{
    if (first < 0)
        first = number;
    await(bide_yield());
    return bide_void;
}

/* A priority drops at a step: that alone does not bring the last one to the front at once. */
EXPLORE(hidden_last_comes_first, .hidden = true, .no_cancels = true, .search = TEST_PRIORITIES)
{
    first = -1;
    with_group(g) {
        for (int i = 0; i < 6; i++)
            spawn_void(g, be_first, i);
    }
    check(first != 5);
}

/* Depth first, half of the schedules do not come to the first of so many choices. */
EXPLORE(hidden_first_choice, .hidden = true, .no_cancels = true)
{
    unsigned chosen = test_choose(2);

    for (int i = 0; i < 20; i++)
        test_choose(2);
    check(chosen == 0);
}

TEST_PLAIN(random_schedules_go_where_the_search_does_not)
{
    check_int(run_hidden("hidden_last_comes_first", ""), 1);
    check_contains(text, "check failed: first != 5");
    check_int(run_hidden("hidden_first_choice", ""), 1);
    check_contains(text, "    replay: BIDE_SCHEDULE=1.1 ");
}

EXPLORE(hidden_two_of_many_choices, .hidden = true, .no_cancels = true, .search = TEST_UNIFORM)
{
    unsigned before = test_choose(3), after;

    for (int i = 0; i < 20; i++)
        test_choose(4);
    after = test_choose(2);
    check(before != 2 || after != 1);
}

TEST_PLAIN(a_failing_schedule_is_made_as_small_as_possible)
{
    check_int(run_hidden("hidden_two_of_many_choices", ""), 1);
    check_contains(text, "    replay: BIDE_SCHEDULE=1.2,22.1 ");
}

TEST_PLAIN(the_environment_says_how_many)
{
    setenv("BIDE_SCHEDULES", "30", 1);
    check_int(run_hidden("hidden_three_steps_at_random", ""), 0);
    check_contains(text, "    | 30 schedules, not all there are\n");
    unsetenv("BIDE_SCHEDULES");
}

/* ---- what fails it ---- */

EXPLORE(hidden_raises, .hidden = true, .no_cancels = true)
{
    fail(bide_error_new(BIDE_CLOSED, "the shop is closed"));
}

SPAWNABLE(void, close_shop)
async(void) close_shop(void)
{
    fail(bide_error_new(BIDE_CLOSED, "the shop is closed"));
}

EXPLORE(hidden_nobody_owns, .hidden = true, .no_cancels = true)
{
    spawn_void(bide_background(), close_shop);
}

static cell(int) counter;

SPAWNABLE(void, lose_update)
async(void) lose_update(void)
{
    int now = cell_get(&counter);
    await(bide_yield());
    cell_set(&counter, now + 1);
    return bide_void;
}

static async(void) lose_updates(void)
{
    with_group(g) {
        spawn_void(g, lose_update);
        spawn_void(g, lose_update);
    }
    return bide_void;
}

EXPLORE(hidden_reports, .hidden = true, .no_cancels = true)
{
    await(lose_updates());
}

EXPLORE(hidden_may_report, .hidden = true, .no_cancels = true, .reports = true)
{
    await(lose_updates());
}

EXPLORE(hidden_stops, .hidden = true, .no_cancels = true)
{
    bide_stop("enough");
}

SPAWNABLE(void, go_on_for_ever)
async(void) go_on_for_ever(void)
{
    for (;;)
        await(bide_sleep(bide_s(1)));
}

EXPLORE(hidden_leaves_a_task, .hidden = true, .no_cancels = true)
{
    spawn_void(bide_background(), go_on_for_ever);
}

static void check_fails(const char *name, const char *why)
{
    check_int(run_hidden(name, ""), 1);
    check_contains(text, why);
    check_contains(text, "    replay: BIDE_SCHEDULE=0 ");
}

TEST_PLAIN(each_of_these_fails)
{
    check_fails("hidden_raises", "an error that left the test's body fails the test:");
    check_contains(text, "the shop is closed");
    check_fails("hidden_nobody_owns", "an error that nobody owns fails the test:");
    check_contains(text, "the shop is closed");
    check_fails("hidden_reports", "what was reported, see above, fails the test");
    check_int(run_hidden("hidden_may_report", ""), 0);
    check_int(count("lost update of a cell"), 1);
    check_fails("hidden_stops", "bide_stop ends all schedules");
    check_fails("hidden_leaves_a_task", "tasks still run in the background:");
}

/* ---- what is not the same when it is run again ---- */

static int runs;

/* From the third run on there is one more choice, and the one of before has its place behind it. */
EXPLORE(hidden_other_choices, .hidden = true, .no_cancels = true, .search = TEST_ALL)
{
    if (++runs > 2)
        test_choose(3);
    test_choose(2);
}

EXPLORE(hidden_other_lines, .hidden = true, .no_cancels = true)
{
    if (++runs % 2)
        await(bide_yield());
    else
        await(bide_yield());
}

/* The two differ behind the steps that are kept. */
EXPLORE(hidden_other_length, .hidden = true, .no_cancels = true)
{
    runs++;
    for (int i = 0; i < 6000 + runs % 2; i++)
        await(bide_yield());
}

static void check_differs(const char *name, const char *how)
{
    check_int(run_hidden(name, ""), 1);
    check_contains(text, how);
}

TEST_PLAIN(each_of_these_is_not_deterministic)
{
    check_differs("hidden_other_choices", "after the same beginning a schedule had other choices");
    check_differs("hidden_other_lines", "went another way when it was run again, at its step 1:");
    check_differs("hidden_other_length", "NOT DETERMINISTIC: a schedule took 600");
}
