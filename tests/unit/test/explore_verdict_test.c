/*
 * explore_verdict_test.c: what fails an EXPLORE, each by itself, and that what it says it runs is
 * run. The hidden tests are bodies to be judged; the visible ones run this binary again with --only
 * for one of them.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "self.h"

#include "base/mem.h"
#include "core/error.h"

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

static bide_event late;
static bool all_wait;
static char who[16]; /* was cancelled when all waited, in that order */

static void note_name(void *name)
{
    size_t length = strlen(who);

    if (all_wait && length < sizeof who - 1)
        memcpy(who + length, name, 2);
}

SPAWNABLE(void, wait_as, const char *)
async(void) wait_as(const char *name)
{
    on_cancel(note_name, (char *)name);
    await(bide_event_wait(&late));
    return bide_void;
}

SPAWNABLE(void, wait_for_child)
async(void) wait_for_child(void)
{
    on_cancel(note_name, "P");
    with_group(g)
        spawn_void(g, wait_as, "C");
    return bide_void;
}

static void end_the_wait(void *unused)
{
    (void)unused;
    bide_event_set(&late);
}

SPAWNABLE(void, let_them_wait)
async(void) let_them_wait(void)
{
    defer(end_the_wait, NULL);
    await(bide_sleep(bide_ms(1)));
    all_wait = true;
    await(bide_yield());
    all_wait = false;
    return bide_void;
}

SPAWNABLE(void, four_wait)
async(void) four_wait(void)
{
    with_group(g) {
        spawn_void(g, wait_as, "A");
        spawn_void(g, wait_as, "B");
        spawn_void(g, wait_for_child);
        spawn_void(g, let_them_wait);
    }
    return bide_void;
}

static async(void) say_who(void)
{
    bide_error *error;

    all_wait = false;
    who[0] = 0;
    bide_event_init(&late, "late");
    attempt(&error, four_wait);
    fprintf(stderr, "cancelled: %s\n", who);
    return bide_void;
}

EXPLORE(hidden_four_wait, .hidden = true, .search = TEST_ALL, .preemptions = 1)
{
    await(say_who());
}

EXPLORE(hidden_four_wait_at_random, .hidden = true, .search = TEST_UNIFORM)
{
    await(say_who());
}

TEST_PLAIN(each_task_that_waits_is_cancelled)
{
    static const char *const ways[] = {"hidden_four_wait", "hidden_four_wait_at_random"};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        check_int(run_hidden(ways[i], ""), 0);
        check_contains(text, "cancelled: A\n");
        check_contains(text, "cancelled: B\n");
        check_contains(text, "cancelled: C\n");
        check_contains(text, "cancelled: CP\n");
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

static int last, switches;

SPAWNABLE(void, run_in_turn, int)
async(void) run_in_turn(int number)
{
    for (int i = 0; i < 15; i++) {
        switches += last != number;
        last = number;
        await(bide_yield());
    }
    return bide_void;
}

static async(void) two_in_turn(void)
{
    last = switches = 0;
    with_group(g) {
        spawn_void(g, run_in_turn, 1);
        spawn_void(g, run_in_turn, 2);
    }
    check(switches < 13);
    return bide_void;
}

EXPLORE(hidden_in_turn, .hidden = true, .no_cancels = true, .search = TEST_UNIFORM)
{
    await(two_in_turn());
}

EXPLORE(hidden_in_turn_by_priorities, .hidden = true, .no_cancels = true, .search = TEST_PRIORITIES)
{
    await(two_in_turn());
}

EXPLORE(hidden_number, .hidden = true, .no_cancels = true, .search = TEST_UNIFORM, .schedules = 1)
{
    fprintf(stderr, "chose %u\n", test_choose(UINT16_MAX));
}

static unsigned number_of(const char *seed)
{
    unsigned number = 0;

    check_int(run_hidden("hidden_number", seed), 0);
    const char *at = strstr(text, "chose ");
    check(at && sscanf(at, "chose %u", &number) == 1);
    return number;
}

TEST_PLAIN(the_seed_says_which_schedules_are_drawn)
{
    check(number_of("--seed 1") == number_of("--seed 1"));
    check(number_of("--seed 1") != number_of("--seed 2"));
}

TEST_PLAIN(random_schedules_go_where_the_search_does_not)
{
    check_int(run_hidden("hidden_last_comes_first", ""), 1);
    check_contains(text, "check failed: first != 5");
    check_int(run_hidden("hidden_first_choice", ""), 1);
    check_contains(text, "    replay: BIDE_SCHEDULE=1.1 ");
    check_int(run_hidden("hidden_in_turn", ""), 1);
    check_int(run_hidden("hidden_in_turn_by_priorities", ""), 0);
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

/* An error that nothing owns is found only at the end of all schedules. */
EXPLORE(hidden_leaves_an_error, .hidden = true, .no_cancels = true)
{
    bide__error_disown(bide_error_new(BIDE_CLOSED, "the shop is closed"));
}

EXPLORE(hidden_may_leave_an_error, .hidden = true, .no_cancels = true, .loose_ends = true)
{
    bide__error_disown(bide_error_new(BIDE_CLOSED, "the shop is closed"));
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
    check_int(count("tasks still run in the background:"), 1);
    check_fails("hidden_leaves_an_error", "what was left behind in some schedule");
    /* Where leaks are looked for, this one fails in any case. */
    check_int(run_hidden("hidden_may_leave_an_error", ""), BIDE__ASAN);
    check_contains(text, "errors that nobody freed");
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

/* The watch over the order of locks begins with the first lock of a process, and is no allocation
   of the body: its first one fails in each schedule alike. */
EXPLORE(hidden_locks_and_allocates, .hidden = true, .no_cancels = true, .fail_allocations = true)
{
    bide_mutex mutex = {0};

    with_lock(&mutex)
        await(bide_yield());
    void *memory = bide__alloc(1);
    check(memory != NULL);
    bide__free(memory);
}

TEST_PLAIN(a_lock_does_not_shift_which_allocation_fails)
{
    check_int(run_hidden("hidden_locks_and_allocates", ""), 1);
    check_contains(text, "hidden_locks_and_allocates: 1 failure\n");
    check_contains(text, "BIDE_SCHEDULE=a1 ");
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
