/*
 * explore_test.c: what an EXPLORE finds, prints and replays. The hidden tests fail on purpose; the
 * visible ones run this binary again with --only for one of them.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "self.h"

#include <stdlib.h>
#include <string.h>

/* ---- programs with a mistake ---- */

static int balance, withdrawn;

SPAWNABLE(void, withdraw, int)
async(void) withdraw(int amount)
{
    if (balance >= amount) {
        await(bide_yield()); /* asks the bank */
        balance -= amount;
        withdrawn += amount;
    }
    return bide_void;
}

EXPLORE(hidden_check_then_act, .hidden = true)
{
    balance = 100, withdrawn = 0;
    with_group(g) {
        spawn_void(g, withdraw, 80);
        spawn_void(g, withdraw, 80);
    }
    check(withdrawn <= 100);
}

TEST_PLAIN(check_then_act_is_found_and_replayed)
{
    char schedule[256];

    check_int(run_hidden("hidden_check_then_act", ""), 1);
    check_contains(text, "check failed: withdrawn <= 100");
    const char *replay = strstr(text, "BIDE_SCHEDULE=");
    require(replay && sscanf(replay, "BIDE_SCHEDULE=%255s", schedule) == 1);
    setenv("BIDE_SCHEDULE", schedule, 1);
    check_int(run_hidden("hidden_check_then_act", ""), 1);
    check_contains(text, "check failed: withdrawn <= 100");
    check_contains(text, schedule);
    unsetenv("BIDE_SCHEDULE");
}

/* No order alone shows it: the one task must lose its turn where it need not wait. */
static bool published, filled;
static bide_mutex mutex;

SPAWNABLE(void, publish)
async(void) publish(void)
{
    published = true;
    with_lock(&mutex) {
        filled = true;
    }
    return bide_void;
}

SPAWNABLE(void, use)
async(void) use(void)
{
    check(!published || filled);
    return bide_void;
}

EXPLORE(hidden_preempted, .hidden = true, .no_cancels = true)
{
    published = filled = false;
    with_group(g) {
        spawn_void(g, publish);
        spawn_void(g, use);
    }
}

TEST_PLAIN(a_preemption_where_nothing_waits_is_found)
{
    check_int(run_hidden("hidden_preempted", ""), 1);
    check_contains(text, "check failed: !published || filled");
    check_contains(text, "    | schedule: task #");
    check_contains(text, "'use' (");
}

/* ---- programs without one ---- */

SPAWNABLE(void, three_times)
async(void) three_times(void)
{
    for (int i = 0; i < 3; i++)
        await(bide_yield());
    return bide_void;
}

EXPLORE(hidden_three_tasks, .hidden = true, .no_cancels = true, .search = TEST_ALL,
        .schedules = 100000, .timeout_ms = 60000)
{
    with_group(g) {
        for (int i = 0; i < 3; i++)
            spawn_void(g, three_times);
    }
}

/* Each task runs four times, so there are 12! / (4! 4! 4!) orders; one task after the other ends
   needs no choice. */
TEST_PLAIN(all_orders_of_three_tasks_are_run)
{
    check_int(run_hidden("hidden_three_tasks", ""), 0);
    check_contains(text, "    | 34650 schedules: all there are\n");
}

static int held;

SPAWNABLE(void, hold)
async(void) hold(void)
{
    held++;
    await(bide_yield());
    held--;
    return bide_void;
}

EXPLORE(hidden_forgets_cancels, .hidden = true)
{
    held = 0;
    with_group(g) {
        spawn_void(g, hold);
        spawn_void(g, hold);
    }
    check_int(held, 0);
}

TEST_PLAIN(a_cancel_at_every_await_is_tried)
{
    check_int(run_hidden("hidden_forgets_cancels", ""), 1);
    check_contains(text, "check_int failed: held, 0\n");
    check_contains(text, "is cancelled at this await\n");
    check_contains(text, "    replay: BIDE_SCHEDULE=c");
}

static bide_event told;
static int waiting;

static void waits_no_longer(void *unused)
{
    (void)unused;
    waiting--;
}

SPAWNABLE(void, wait_to_be_told)
async(void) wait_to_be_told(void)
{
    waiting++;
    on_cancel(waits_no_longer, NULL);
    await(bide_event_wait(&told));
    return bide_void;
}

SPAWNABLE(void, tell)
async(void) tell(void)
{
    if (waiting > 0) {
        await(bide_yield());
        waiting--; /* it may have gone since */
        bide_event_set(&told);
    }
    return bide_void;
}

EXPLORE(hidden_waits, .hidden = true, .preemptions = 1)
{
    waiting = 0;
    bide_event_init(&told, "told");
    with_group(g) {
        spawn_void(g, wait_to_be_told);
        await(bide_yield());
        spawn_void(g, tell);
        await(bide_yield());
        bide_event_set(&told);
    }
    check(waiting >= 0);
}

TEST_PLAIN(a_task_that_waits_is_cancelled_too)
{
    char schedule[256];

    check_int(run_hidden("hidden_waits", ""), 1);
    check_contains(text, "check failed: waiting >= 0");
    check_contains(text, "    | schedule: task #");
    check_contains(text, "is cancelled while it waits\n");
    const char *replay = strstr(text, "BIDE_SCHEDULE=");
    require(replay && sscanf(replay, "BIDE_SCHEDULE=%255s", schedule) == 1);
    check(schedule[0] == 'w');
    setenv("BIDE_SCHEDULE", schedule, 1);
    check_int(run_hidden("hidden_waits", ""), 1);
    unsetenv("BIDE_SCHEDULE");
    check_contains(text, "check failed: waiting >= 0");
    check_contains(text, schedule);
}

EXPLORE(hidden_handles_no_fault, .hidden = true, .no_cancels = true)
{
    bool connected = !test_fault("connect");
    bool sent = connected && !test_fault("send");
    check(!connected || sent);
}

EXPLORE(hidden_chooses, .hidden = true, .search = TEST_ALL, .no_faults = true)
{
    check(!test_fault("anything"));
    check_int(test_choose(1), 0);
    fprintf(stderr, "chose %u%u\n", test_choose(2), test_choose(3));
    check(!test_injected());
}

TEST_PLAIN(faults_and_choices_of_the_test_are_tried)
{
    check_int(run_hidden("hidden_handles_no_fault", ""), 1);
    check_contains(text, "    | schedule: send fails\n");
    check_contains(text, "    replay: BIDE_SCHEDULE=f2 ");
    check_int(run_hidden("hidden_chooses", ""), 0);
    check_contains(text, "    | 6 schedules: all there are\n");
    check_int(count("chose 12\n"), 2); /* each is run twice */
    check(!test_fault("out of an EXPLORE") && test_choose(5) == 0 && !test_injected());
}

/* Wrong only when both sends fail, or when the first one fails and the second is cancelled. */
static bool gave_up;

static void give_up(void *unused)
{
    (void)unused;
    gave_up = true;
}

SPAWNABLE(void, send_again)
async(void) send_again(void)
{
    if (!test_fault("first"))
        return bide_void;
    on_cancel(give_up, NULL);
    gave_up = test_fault("second");
    await(bide_yield());
    return bide_void;
}

static async(void) send(void)
{
    gave_up = false;
    with_group(g)
        spawn_void(g, send_again);
    check(!gave_up);
    return bide_void;
}

EXPLORE(hidden_two_faults, .hidden = true, .no_cancels = true)
{
    await(send());
}

EXPLORE(hidden_fault_and_cancel, .hidden = true)
{
    await(send());
}

EXPLORE(hidden_two_faults_at_random, .hidden = true, .no_cancels = true, .search = TEST_UNIFORM)
{
    await(send());
}

EXPLORE(hidden_one_thing_wrong, .hidden = true, .preemptions = 1)
{
    await(send());
}

TEST_PLAIN(two_things_go_wrong_in_one_schedule)
{
    check_int(run_hidden("hidden_two_faults", ""), 1);
    check_contains(text, "    replay: BIDE_SCHEDULE=f1,f2 ");
    check_int(run_hidden("hidden_fault_and_cancel", ""), 1);
    check_contains(text, "    replay: BIDE_SCHEDULE=f1,c");
    check_int(run_hidden("hidden_two_faults_at_random", ""), 1);
    check_contains(text, "    replay: BIDE_SCHEDULE=f1,f2 ");
    check_int(run_hidden("hidden_one_thing_wrong", "--seed 1"), 0);
    check_contains(text, "all with at most 1 preemptions, cancels and faults\n");
}

static bide_mutex left, right;

SPAWNABLE(void, lock_both, bide_mutex *, bide_mutex *)
async(void) lock_both(bide_mutex *first, bide_mutex *second)
{
    with_lock(first) {
        await(bide_yield());
        with_lock(second)
            await(bide_yield());
    }
    return bide_void;
}

EXPLORE(hidden_deadlock, .hidden = true)
{
    with_group(g) {
        spawn_void(g, lock_both, &left, &right);
        spawn_void(g, lock_both, &right, &left);
    }
}

EXPLORE(hidden_livelock, .hidden = true, .steps = 1000, .no_cancels = true)
{
    if (test_choose(2))
        for (;;)
            await(bide_yield());
}

EXPLORE(hidden_crash, .hidden = true, .no_cancels = true)
{
    if (test_choose(2) && test_choose(2))
        abort();
}

TEST_PLAIN(deadlocks_livelocks_and_crashes_have_a_schedule)
{
    check_int(run_hidden("hidden_deadlock", ""), 1);
    check_contains(text, "DEADLOCK among 2 tasks");
    check_contains(text, "replay: BIDE_SCHEDULE=");
    check_int(run_hidden("hidden_livelock", ""), 1);
    check_contains(text, "LIVELOCK: after 1000 steps");
    check_contains(text, "replay: BIDE_SCHEDULE=1.1 ");
    check_int(run_hidden("hidden_crash", ""), 1);
    check_contains(text, "died by signal 6");
    check_contains(text, "replay: BIDE_SCHEDULE=1.1,2.1 ");
}

static int runs;

EXPLORE(hidden_not_deterministic, .hidden = true, .no_cancels = true)
{
    if (++runs % 2)
        await(bide_yield());
}

EXPLORE(hidden_spoils_statics, .hidden = true, .no_cancels = true)
{
    with_group(g) {
        spawn_void(g, hold);
        spawn_void(g, hold);
    }
    check(++runs < 3);
}

/* Every second run ends before the choice that the schedule before had. */
EXPLORE(hidden_ends_early, .hidden = true, .no_cancels = true, .search = TEST_ALL)
{
    if (++runs != 3)
        test_choose(2);
}

TEST_PLAIN(what_is_not_deterministic_is_said_to_be)
{
    check_int(run_hidden("hidden_ends_early", ""), 1);
    check_contains(text, "after the same beginning a schedule had other choices");

    check_int(run_hidden("hidden_not_deterministic", ""), 1);
    check_contains(text, "NOT DETERMINISTIC: ");
    check_int(run_hidden("hidden_spoils_statics", ""), 1);
    check_contains(text, "a schedule that passes when it runs alone");
}

EXPLORE(hidden_at_random, .hidden = true, .search = TEST_UNIFORM, .schedules = 100)
{
    withdrawn = 0;
    balance = 1000;
    with_group(g) {
        for (int i = 0; i < 10; i++)
            spawn_void(g, withdraw, 10);
    }
    check(withdrawn == 100 || test_injected());
}

EXPLORE(hidden_by_priorities, .hidden = true, .search = TEST_PRIORITIES)
{
    balance = 100, withdrawn = 0;
    await(bide_yield());
    with_group(g) {
        spawn_void(g, withdraw, 80);
        for (int i = 0; i < 5; i++)
            spawn_void(g, three_times);
        spawn_void(g, withdraw, 80);
    }
    check(withdrawn <= 100);
}

TEST_PLAIN(random_schedules_find_and_replay_too)
{
    check_int(run_hidden("hidden_at_random", "--seed 7"), 0);
    check_contains(text, "    | 100 schedules, not all there are\n");
    check_int(run_hidden("hidden_by_priorities", ""), 1);
    check_contains(text, "check failed: withdrawn <= 100");
    check_contains(text, "replay: BIDE_SCHEDULE=");
}

EXPLORE(hidden_out_of_memory, .hidden = true, .no_cancels = true, .fail_allocations = true)
{
    bide_buf buf;
    bide_buf_init(&buf, 1000);
    check_int(bide_buf_append(&buf, "hello", 5), 0);
    bide_buf_done(&buf);
}

EXPLORE(hidden_bears_failed_allocations, .hidden = true, .no_cancels = true,
        .fail_allocations = true, .search = TEST_ALL)
{
    bide_buf buf;
    fprintf(stderr, "chose %u\n", test_choose(2));
    bide_buf_init(&buf, 1000);
    int result = bide_buf_append(&buf, "hello", 5);
    check(result == 0 || test_injected());
    bide_buf_done(&buf);
}

TEST_PLAIN(allocations_fail_one_after_the_other)
{
    check_int(run_hidden("hidden_out_of_memory", ""), 1);
    check_contains(text, "replay: BIDE_SCHEDULE=a1 ");
    check_int(run_hidden("hidden_bears_failed_allocations", ""), 0);
    check_contains(text, " schedules: all there are\n");
    check_int(count(" schedules"), 1);
    check_int(count("chose 1\n"), 2); /* the one, and that once more */
}

TEST_PLAIN(what_is_no_schedule_is_refused)
{
    static const char *const wrong[] = {
        "",     "1",    "1.",      "0.1",     "1.0",  "x1",   "c",       "c0",          "w1",
        "w1.0", "1.1,", "2.1,1.1", "1.1,1.1", ",1.1", "1.1 ", "1.99999", "4294967296.1"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("BIDE_SCHEDULE", wrong[i], 1);
        check_int(run_hidden("hidden_chooses", ""), 2);
    }
    setenv("BIDE_SCHEDULE", "1.1,c3,2.1,f1,a9", 1);
    check_int(run_hidden("hidden_chooses", ""), 0);
    check_contains(text, "chose 11\n");
    unsetenv("BIDE_SCHEDULE");
}

EXPLORE(time_jumps_and_begins_anew, .schedules = 50)
{
    int64_t wall_us = bide_now_us();

    check_int(bide_clock_ns(), 0);
    await(bide_sleep(bide_s(3600)));
    check_int(bide_clock_ns(), INT64_C(3600000000000));
    check_int(bide_now_us() - wall_us, INT64_C(3600000000));
}

static int sum;

OFFLOADABLE(int, add, int)
int add(int to)
{
    sum += to;
    return sum;
}

SPAWNABLE(void, add_on_a_lane, int)
async(void) add_on_a_lane(int to)
{
    int was = sum;

    check_int(await(offload(BIDE_BLOCKING, add, to)), was + to);
    return bide_void;
}

/* Nothing comes between the start of a job and its end. */
EXPLORE(jobs_on_lanes_are_steps, .schedules = 300)
{
    sum = 0;
    with_group(g) {
        spawn_void(g, add_on_a_lane, 1);
        spawn_void(g, add_on_a_lane, 2);
    }
    check(sum == 3 || test_injected());
}

/* ---- more than one in a process, and long ones ---- */

EXPLORE(hidden_repeated, .hidden = true, .no_cancels = true)
{
    fprintf(stderr, "chose %u\n", test_choose(2));
}

TEST_PLAIN(each_one_is_run_without_a_process_of_its_own_too)
{
    check_int(run_hidden("hidden_repeated", "--no-fork --repeat 3"), 0);
    check_int(count("2 schedules: all there are\n"), 3);
    check_int(count("chose 1\n"), 6);
}

static bool produced;

SPAWNABLE(void, produce)
async(void) produce(void)
{
    for (int i = 0; i < 3000; i++)
        await(bide_yield());
    produced = true;
    return bide_void;
}

SPAWNABLE(void, await_product)
async(void) await_product(void)
{
    while (!produced)
        await(bide_yield());
    return bide_void;
}

static async(void) three_await_one(void)
{
    produced = false;
    with_group(g) {
        spawn_void(g, produce);
        for (int i = 0; i < 3; i++)
            spawn_void(g, await_product);
    }
    return bide_void;
}

EXPLORE(hidden_long, .hidden = true, .no_cancels = true, .search = TEST_UNIFORM, .schedules = 3)
{
    await(three_await_one());
}

EXPLORE(hidden_late_mistake, .hidden = true, .no_cancels = true, .search = TEST_UNIFORM)
{
    balance = 100, withdrawn = 0;
    await(three_await_one());
    with_group(g) {
        spawn_void(g, withdraw, 80);
        spawn_void(g, withdraw, 80);
    }
    check(withdrawn <= 100);
}

TEST_PLAIN(schedules_longer_than_a_trail_are_ordinary_at_their_end)
{
    check_int(run_hidden("hidden_long", ""), 0);
    check_contains(text, "    | 3 schedules, not all there are\n");
    check_int(run_hidden("hidden_late_mistake", ""), 1);
    check_contains(text, "check failed: withdrawn <= 100");
    check_int(count("NOT DETERMINISTIC"), 0);
}

EXPLORE(hidden_seeded, .hidden = true, .no_cancels = true)
{
    check(test_seed() != 7);
}

EXPLORE(hidden_of_many, .hidden = true, .no_cancels = true, .search = TEST_ALL)
{
    check(test_choose(1500) != 1400);
}

static void choose_of_too_many(void)
{
    test_choose(UINT16_MAX + 1);
}

TEST_PLAIN(what_is_replayed_has_its_seed_and_its_choices)
{
    check_int(run_hidden("hidden_seeded", ""), 0);
    check_int(run_hidden("hidden_seeded", "--seed 7"), 1);
    check_contains(text, "    replay: BIDE_TEST_SEED=7 BIDE_SCHEDULE=0 ");
    check_int(run_hidden("hidden_of_many", ""), 1);
    check_contains(text, "    replay: BIDE_SCHEDULE=1.1400 ");
    check_dies(choose_of_too_many, "at most 65535");
}
