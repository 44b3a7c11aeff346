/*
 * cell_test.c: lost updates of a cell are told, with all three lines; what loses nothing is not.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>
#include <string.h>

static cell(int) balance;

/* A read, an await, a write: the line of each. */
enum { READ_AT = __LINE__ + 4, SET_AT = __LINE__ + 6 };
SPAWNABLE(void, withdraw, int)
async(void) withdraw(int sum)
{
    int now = cell_get(&balance);
    await(bide_yield());
    cell_set(&balance, now - sum);
    return bide_void;
}

TEST(a_lost_update_names_its_lines, .reports = true)
{
    char expected[200];

    cell_set(&balance, 100);
    test_capture_stderr();
    with_group(g) {
        spawn_void(g, withdraw, 10);
        spawn_void(g, withdraw, 20);
    }
    const char *said = test_captured();
    check_contains(said, "bide: lost update of a cell: task #");
    snprintf(expected, sizeof expected, " read it at %s:%d, task #", __FILE__, READ_AT);
    check_contains(said, expected);
    snprintf(expected, sizeof expected, " set it at %s:%d, task #", __FILE__, SET_AT);
    check_contains(said, expected);
    snprintf(expected, sizeof expected, " sets it at %s:%d: read it again", __FILE__, SET_AT);
    check_contains(said, expected);
    check(cell_get(&balance) == 80 || cell_get(&balance) == 90);
}

SPAWNABLE(void, withdraw_anew, int)
async(void) withdraw_anew(int sum)
{
    if (cell_get(&balance) >= sum) {
        await(bide_yield());
        cell_set(&balance, cell_get(&balance) - sum);
    }
    return bide_void;
}

static bide_mutex mutex;

SPAWNABLE(void, withdraw_locked, int)
async(void) withdraw_locked(int sum)
{
    with_lock(&mutex) {
        int now = cell_get(&balance);
        await(bide_yield());
        cell_set(&balance, now - sum);
        cell_set(&balance, cell_get(&balance)); /* one's own changes are known */
    }
    return bide_void;
}

SPAWNABLE(void, assign, int)
async(void) assign(int value)
{
    await(bide_yield());
    cell_set(&balance, value);
    return bide_void;
}

/* Nothing is told: a test fails for a finding. */
EXPLORE(what_loses_nothing_is_not_told, .no_cancels = true, .schedules = 3000)
{
    cell_set(&balance, 100);
    with_group(g) {
        spawn_void(g, withdraw_anew, 10);
        spawn_void(g, withdraw_anew, 10);
    }
    with_group(g) {
        spawn_void(g, withdraw_locked, 20);
        spawn_void(g, withdraw_locked, 20);
    }
    with_group(g) {
        spawn_void(g, assign, 7);
        spawn_void(g, assign, 7);
    }
    check_int(cell_get(&balance), 7);
}

static cell(struct { int a, b; }) pair;

/* More readers than are known: nothing is made up. */
SPAWNABLE(void, look)
async(void) look(void)
{
    check_int(cell_get(&pair).a, 0);
    await(bide_yield());
    return bide_void;
}

TEST(many_readers_are_forgotten_in_turn)
{
    check_int(cell_get(&pair).b, 0);
    with_group(g) {
        for (int i = 0; i < 3 * BIDE__CELL_READERS; i++)
            spawn_void(g, look);
    }
    cell_set(&pair, (__typeof__(pair.value)){1, 2});
    check_int(cell_get(&pair).b, 2);
}

/* The numbers of tasks start again with each bide_run, and with each schedule: a reader of an
   earlier one is nobody. */
static cell(int) shared;

SPAWNABLE(void, set_shared, int)
async(void) set_shared(int value)
{
    cell_set(&shared, value);
    return bide_void;
}

static async(void) assign_and_read(void)
{
    cell_set(&shared, 1);
    check_int(cell_get(&shared), 1);
    with_group(g)
        spawn_void(g, set_shared, 2);
    return bide_void;
}

TEST_PLAIN(another_run_knows_no_readers)
{
    test_capture_stderr();
    for (int i = 0; i < 2; i++)
        check_int(bide_run(assign_and_read, .ignore_signals = true, .watchdog = BIDE_FOREVER), 0);
    check_str(test_captured(), "");
}

EXPLORE(another_schedule_knows_no_readers, .schedules = 4)
{
    await(assign_and_read());
}

TEST_PLAIN(outside_of_tasks_it_is_a_variable)
{
    cell(const char *) text = {.value = "a"};

    check_str(cell_get(&text), "a");
    check_str(cell_set(&text, "b"), "b");
    check_str(text.value, "b");
    check_int(text.bide__access.readers[0].task, 0);
}
