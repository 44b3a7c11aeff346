/*
 * task_test.c: spawning, joining, cancelling and listing tasks, start_ready, out of stacks.
 */
#include "core/loop.h"

#include "base/mem.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <string.h>

typedef bide_group *group_ptr;
typedef task(int) int_task;

static char journal[512];

static void note(const char *text)
{
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, "%s ", text);
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

/* A hostile build aborts on misuse, others raise: the words are the same. */
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
    await(bide_sleep(bide_ms(ms)));
    return ready(int, ms);
}

SPAWNABLE(int, break_after, int)
async(int) break_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    fail(bide_error_new(1000 + ms, "broke after %d", ms));
}

SPAWNABLE(int, join, int_task)
async(int) join(int_task child)
{
    return ready(int, await_task(child));
}

SPAWNABLE(void, say, const char *)
async(void) say(const char *text)
{
    note(text);
    return bide_void;
}

TEST(spawn_never_runs_the_child_at_once, .in_order = true)
{
    with_group(g) {
        spawn_void(g, say, "first");
        spawn_void(g, say, "second");
        note("body");
        check_str(journal, "body ");
        check_int(bide_group_live(g), 2);
    }
    check_str(journal, "body first second ");
}

typedef struct large {
    int64_t number;
    char bytes[5000];
} large;
AWAITABLE(large);

SPAWNABLE(large, turned, large)
async(large) turned(large value)
{
    await(bide_yield());
    for (size_t i = 0; i < sizeof value.bytes; i++)
        value.bytes[i] ^= 1;
    return ready(large, value);
}

SPAWNABLE(double, sum_of, char, short, int, int64_t, float, double, const char *)
async(double) sum_of(char a, short b, int c, int64_t d, float e, double f, const char *g)
{
    await(bide_yield());
    return ready(double, a + b + c + (double)d + e + f + (double)strlen(g));
}

TEST(arguments_are_copied_and_results_come_back_whole)
{
    with_group(g) {
        large value;
        memset(&value, 6, sizeof value);
        task(large) big = spawn(g, turned, value);
        memset(&value, 0, sizeof value);
        task(double) all = spawn(g, sum_of, 1, 2, 3, 4, 5, 6.5, "seven..");
        check_near(await_task(all), 28.5, 1e-9);
        value = await_task(big);
        check_int(value.bytes[0], 7);
        check_int(value.bytes[sizeof value.bytes - 1], 7);
    }
}

typedef struct too_large {
    char bytes[BIDE_CAP_SPAWN_ARGS_BYTES];
} too_large;

SPAWNABLE(void, take_too_large, too_large)
async(void) take_too_large(too_large value)
{
    (void)value;
    return bide_void;
}

static async(void) spawn_too_large(void)
{
    static too_large value;
    with_group(g) {
        spawn_void(g, take_too_large, value);
    }
    return bide_void;
}

static void run_spawn_too_large(void)
{
    bide_run(spawn_too_large);
}

TEST_PLAIN(too_many_argument_bytes_end_the_program)
{
    check_dies(run_spawn_too_large, "bytes of arguments; the limit is 16384");
}

TEST(joining_waits_or_finds_the_result, .cancel_everywhere = true)
{
    with_group(g) {
        task(int) slow = spawn(g, nap, 20);
        task(int) quick = spawn(g, nap, 0);
        await(bide_sleep(bide_ms(10)));
        check(bide_task_done(bide_ref(quick)));
        check_int(await_task(quick), 0);
        int64_t before = bide_clock_ns();
        check_int(await_task(slow), 20);
        check_int(bide_clock_ns() - before, 10000000);
        check(bide_task_done(bide_ref(slow)));
    }
}

enum { SECOND_JOIN_LINE = __LINE__ + 6 };
static async(void) join_twice(void)
{
    with_group(g) {
        task(int) child = spawn(g, nap, 1);
        (void)await_task(child);
        (void)await_task(child);
    }
    return bide_void;
}

static void run_join_twice(void)
{
    bide_run(join_twice, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(a_result_is_taken_once)
{
    char text[256];
    snprintf(text, sizeof text,
             "bide: misuse: await_task at %s of task #2, whose result was taken before, or whose "
             "group has ended",
             place(SECOND_JOIN_LINE));
    check_misuse(run_join_twice, text);
}

static async(void) join_after_the_group(void)
{
    task(int) child = {.ref = {NULL, 0}};
    with_group(g) {
        child = spawn(g, nap, 1);
        (void)await(bide_wait(BIDE_ALL, &bide_ref(child), 1));
    }
    (void)await_task(child);
    return bide_void;
}

static void run_join_after_the_group(void)
{
    bide_run(join_after_the_group, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(a_handle_is_stale_after_its_group)
{
    check_misuse(run_join_after_the_group, "or whose group has ended");
}

SPAWNABLE(void, spin_and_join, int_task, int)
async(void) spin_and_join(int_task child, int spins)
{
    for (int i = 0; i < spins; i++)
        (void)await(bide_wait(BIDE_ALL, NULL, 0));
    (void)await_task(child);
    return bide_void;
}

/* One joiner's await of the ended task yields, because its slice has had its share. */
static async(void) two_join_at_the_budget(void)
{
    with_group(g) {
        task(int) child = spawn(g, nap, 0);
        await(bide_sleep(bide_ms(1)));
        with_group(joiners) {
            spawn_void(joiners, spin_and_join, child, BIDE_CAP_OP_BUDGET - 1);
            spawn_void(joiners, spin_and_join, child, 0);
        }
    }
    return bide_void;
}

static void run_two_join_at_the_budget(void)
{
    bide_run(two_join_at_the_budget, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(a_second_joiner_is_misuse_also_when_the_first_yields)
{
    check_misuse(run_two_join_at_the_budget, "whose result was taken before");
}

static async(void) two_joiners_wait(void)
{
    with_group(g) {
        task(int) child = spawn(g, nap, 5);
        task(int) a = spawn(g, join, child);
        check_int(await_task(child), 5);
        (void)await_task(a);
    }
    return bide_void;
}

static void run_two_joiners_wait(void)
{
    bide_run(two_joiners_wait, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(of_two_waiting_joiners_one_gets_the_result)
{
    check_misuse(run_two_joiners_wait, "whose result was taken before");
}

SPAWNABLE(void, join_failing, int)
async(void) join_failing(int ms)
{
    with_group(g) {
        task(int) child = spawn(g, break_after, ms);
        (void)await_task(child);
    }
    return bide_void;
}

TEST(joining_a_failed_task_raises_its_error, .cancel_everywhere = true)
{
    bide_error *error;
    attempt(&error, join_failing, 3);
    if (!check(error))
        return;
    if (error->code != BIDE_CANCELLED)
        check_str(error->message, "broke after 3");
    check(!error->also);
}

/* A joiner of another group: its own scope is not cancelled by the failure. */
TEST(a_joiner_elsewhere_gets_the_error_too)
{
    bide_error *error, *joined = NULL;
    with_group(outer) {
        task(int) child = spawn(bide_background(), nap, 5);
        attempt(&joined, join, child);
        check_ptr(joined, NULL);
        attempt(&error, join_failing, 1);
        check_int(error->code, 1001);
        check_int(bide_group_live(outer), 0);
    }
}

static int hooked;

static void count_hooked(const bide_error *error, void *arg)
{
    (void)arg;
    hooked += error->code == 1004;
}

static async(void) join_a_failed_background_task(void)
{
    bide_error *error;
    task(int) child = spawn(bide_background(), break_after, 4);
    attempt(&error, join, child);
    check(error && error->code == 1004);
    check_str(error ? error->message : "none", "broke after 4");
    attempt(&error, join, child);
    check(error && error->code == 1004);
    return bide_void;
}

TEST_PLAIN(a_failed_background_task_can_be_joined)
{
    check_int(
        bide_run(join_a_failed_background_task, .virtual_clock = true, .error_hook = count_hooked),
        0);
    check_int(hooked, 1);
}

TEST(joining_a_cancelled_task_is_an_error_of_the_joiner)
{
    bide_error *error;
    with_group(g) {
        task(int) child = spawn(g, nap, 50);
        uint64_t id = child.ref.id;
        bide_cancel(child, "not needed");
        attempt(&error, join, child);
        check(error && error->code == BIDE_CANCELLED);
        check(!error->is_cancel);
        char text[64];
        snprintf(text, sizeof text, "task #%llu 'nap' was cancelled", (unsigned long long)id);
        check_str(error->message, text);
        check(!bide_cancel_requested());
    }
    check_int(bide_clock_ns() / 1000000, 0);
}

SPAWNABLE(void, cancel_after, bide_task_ref, bide_task_ref)
async(void) cancel_after(bide_task_ref ended, bide_task_ref joiner)
{
    await(bide_yield());
    check(bide_task_done(ended));
    bide_cancel_task(joiner, "late");
    return bide_void;
}

static bool taken, next_await_raised;

static void raised(void *arg)
{
    (void)arg;
    next_await_raised = true;
}

SPAWNABLE(void, take_then_await, int_task)
async(void) take_then_await(int_task child)
{
    check_int(await_task(child), 0);
    taken = true;
    on_cancel(raised, NULL);
    await(bide_sleep(bide_ms(1)));
    check(!"the await after the cancel raises");
    return bide_void;
}

/* The child ends, which decides the join; then, before the joiner runs, the joiner is cancelled. */
TEST(a_result_that_came_before_the_cancel_is_taken, .in_order = true)
{
    with_group(g) {
        task(int) child = spawn(g, nap, 0);
        task(void) joiner = spawn(g, take_then_await, child);
        spawn_void(g, cancel_after, bide_ref(child), bide_ref(joiner));
    }
    check(taken);
    check(next_await_raised);
}

TEST(listing_gives_the_oldest_first_and_all_that_live)
{
    bide_task_ref found[4], one[1] = {{NULL, 7}};
    with_group(g) {
        task(int) a = spawn(g, nap, 1);
        task(int) b = spawn(g, nap, 2);
        task(int) c = spawn(g, nap, 3);
        (void)await_task(a);
        check_int(bide_all_tasks(NULL, 0), 3);
        check_int(bide_all_tasks(one, 1), 3);
        check(bide_same_task(one[0], bide_current_task()));
        check_int(bide_all_tasks(found, 4), 3);
        check(bide_same_task(found[0], bide_current_task()));
        check(bide_same_task(found[1], bide_ref(b)));
        check(bide_same_task(found[2], bide_ref(c)));
        check_int(await_task(b) + await_task(c), 5);
    }
    check_int(bide_all_tasks(found, 4), 1);
}

static size_t counted_at_the_bottom;

SPAWNABLE(void, descend, int)
async(void) descend(int levels)
{
    if (levels == 0) {
        counted_at_the_bottom = bide_all_tasks(NULL, 0);
        return bide_void;
    }
    with_group(g) {
        spawn_void(g, descend, levels - 1);
    }
    return bide_void;
}

TEST(listing_counts_tasks_at_any_depth)
{
    await(descend(700));
    check_int(counted_at_the_bottom, 701);
}

TEST_PLAIN(outside_of_tasks_there_is_no_current_one)
{
    check_ptr(bide_current_task().task, NULL);
    check_int(bide_all_tasks(NULL, 0), 0);
    bide_task_rename("nobody");
    bide_task_ready();
    check(bide_task_done((bide_task_ref){NULL, 0}));
}

SPAWNABLE(void, rename_itself, int)
async(void) rename_itself(int n)
{
    check_str(bide_task_name(bide_current_task()), "rename_itself");
    bide_task_rename("worker %d", n);
    check_str(bide_task_name(bide_current_task()), "worker 7");
    bide_task_rename("0123456789012345678901234567890123456789");
    check_str(bide_task_name(bide_current_task()), "0123456789012345678901234567890");
    return bide_void;
}

TEST(names)
{
    with_group(g) {
        task(void) child = spawn(g, rename_itself, 7);
        check_str(bide_task_name(bide_ref(child)), "rename_itself");
        await_task(child);
        check_str(bide_task_name(bide_ref(child)), "");
        check(bide_task_done(bide_ref(child)));
    }
}

SPAWNABLE(void, rename_and_fail, int)
async(void) rename_and_fail(int n)
{
    bide_task_rename("worker %d", n);
    fail(bide_error_new(1200, "no luck"));
}

SPAWNABLE(void, renamed_child_fails)
async(void) renamed_child_fails(void)
{
    with_group(g) {
        spawn_void(g, rename_and_fail, 7);
    }
    return bide_void;
}

TEST(the_name_of_a_renamed_task_outlives_it_in_reports)
{
    bide_error *error;
    char text[2048];
    attempt(&error, renamed_child_fails);
    bide_error_format(error, text, sizeof text);
    check_contains(text, "in task #2 'worker 7' spawned at ");
}

static int awaits_raised;

SPAWNABLE(void, swallow_cancels)
async(void) swallow_cancels(void)
{
    for (int i = 0; i < 3; i++) {
        bide_error *error;
        attempt(&error, nap, 10);
        if (error) {
            check(error->is_cancel);
            check_int(error->code, BIDE_CANCELLED);
            check_str(error->message, "cancelled: enough");
            awaits_raised++;
        }
    }
    return bide_void;
}

TEST(a_cancel_raises_at_every_await)
{
    with_group(g) {
        task(void) child = spawn(g, swallow_cancels);
        await(bide_yield());
        bide_cancel(child, "enough");
        bide_cancel(child, "again");
        await_task(child);
        bide_cancel(child, "it is gone");
    }
    check_int(awaits_raised, 3);
    check_int(bide_clock_ns() / 1000000, 0);
}

TEST(a_freed_task_is_left_alone)
{
    with_group(g) {
        task(int) child = spawn(g, nap, 0);
        bide_task_ref ref = bide_ref(child);
        (void)await_task(child);
        bide_cancel_task(ref, "x");
        bide_cancel_task((bide_task_ref){NULL, 0}, NULL);
        check(bide_task_done(ref));
        check_str(bide_task_name((bide_task_ref){NULL, 0}), "");
    }
}

SPAWNABLE(void, cancel_itself)
async(void) cancel_itself(void)
{
    bide_cancel_task(bide_current_task(), NULL);
    check(bide_cancel_requested());
    note("runs on");
    bide_error *error;
    attempt(&error, nap, 1);
    check(error && error->is_cancel);
    check_str(error ? error->message : "", "cancelled: cancelled");
    return bide_void;
}

TEST(a_task_may_cancel_itself)
{
    with_group(g) {
        spawn_void(g, cancel_itself);
    }
    check_str(journal, "runs on ");
}

SPAWNABLE(void, start_and_await, const char *)
async(void) start_and_await(const char *text)
{
    note(text);
    await(bide_yield());
    note("never");
    return bide_void;
}

TEST(a_task_that_is_cancelled_before_it_starts_runs_to_its_first_await)
{
    with_group(g, .max_concurrency = 1) {
        task(void) ready_one = spawn(g, start_and_await, "ready");
        task(void) held_one = spawn(g, start_and_await, "held");
        bide_cancel(ready_one, "x");
        bide_cancel(held_one, "x");
    }
    check_str(journal, "ready held ");
}

/* A hundred thousand tasks through few records and one stack. */
TEST(records_and_stacks_are_used_again, .timeout_ms = 30000)
{
    await(nap(0));
    int64_t live = 0;
    for (int i = 0; i < 20000; i++) {
        with_group(g) {
            int sum = 0;
            task(int) a = spawn(g, nap, 0);
            task(int) b = spawn(g, nap, 0);
            sum = await_task(a) + await_task(b);
            check_int(sum, 0);
        }
        if (i == 10)
            live = bide__mem_live();
    }
    check_int(bide__mem_live(), live);
    check(bide__loop_here->stacks.made <= 4);
    check_int(bide__loop_here->stacks.used, 1);
}

static int finished;

SPAWNABLE(void, wait_and_count, int)
async(void) wait_and_count(int i)
{
    await(bide_sleep(bide_us(i % 7)));
    await(bide_yield());
    finished++;
    return bide_void;
}

TEST(with_few_stacks_children_queue_and_none_is_lost)
{
    bide__loop_here->stacks.limit = 4;
    with_group(g) {
        for (int i = 0; i < 1000; i++)
            spawn_void(g, wait_and_count, i);
        check_int(bide_group_live(g), 1000);
    }
    check_int(finished, 1000);
    check(bide__loop_here->stacks.made <= 4);
    check_ptr(bide__loop_here->starved, NULL);
}

TEST(a_queued_child_can_be_cancelled_and_joined, .in_order = true)
{
    bide__loop_here->stacks.limit = 2;
    with_group(g) {
        task(int) first = spawn(g, nap, 10);
        task(int) second = spawn(g, nap, 20);
        task(void) third = spawn(g, start_and_await, "third");
        await(bide_sleep(bide_ms(1)));
        bide_cancel(third, "x");
        check_int(await_task(first) + await_task(second), 30);
    }
    check_str(journal, "third ");
}

SPAWNABLE(void, spawn_below, int)
async(void) spawn_below(int width)
{
    with_group(g) {
        for (int i = 0; i < width; i++)
            spawn_void(g, wait_and_count, i);
    }
    finished += 1000;
    return bide_void;
}

/* Parents hold stacks while their children queue: with one stack to spare all get done. */
TEST(with_few_stacks_waiting_parents_are_served)
{
    bide__loop_here->stacks.limit = 6;
    with_group(g) {
        for (int i = 0; i < 4; i++)
            spawn_void(g, spawn_below, 50);
    }
    check_int(finished, 4 * 1050);
}

/* Every stack is held by a parent that waits for a queued child: said, not hung. */
static async(void) run_out_of_stacks(void)
{
    bide__loop_here->stacks.limit = 3;
    return descend(10);
}

static void run_run_out_of_stacks(void)
{
    bide_run(run_out_of_stacks, .virtual_clock = true, .error_hook = ignore);
}

TEST_PLAIN(when_all_stacks_wait_for_queued_children_that_is_said)
{
    check_dies(run_run_out_of_stacks, "every task waits");
}

SPAWNABLE(void, keep_running, bool *)
async(void) keep_running(bool *stop)
{
    while (!*stop)
        await(bide_yield());
    return bide_void;
}

SPAWNABLE(int, await_at_once, int)
async(int) await_at_once(int count)
{
    for (int i = 0; i < count; i++)
        (void)await(bide_wait(BIDE_ALL, NULL, 0));
    note("done");
    return ready(int, count);
}

TEST(awaits_that_need_not_suspend_yield_now_and_then, .in_order = true)
{
    with_group(g) {
        task(int) busy = spawn(g, await_at_once, BIDE_CAP_OP_BUDGET * 3);
        spawn_void(g, say, "other");
        check_int(await_task(busy), BIDE_CAP_OP_BUDGET * 3);
    }
    check_str(journal, "other done ");
}

TEST(a_short_run_of_awaits_does_not_yield, .in_order = true)
{
    with_group(g) {
        task(int) busy = spawn(g, await_at_once, BIDE_CAP_OP_BUDGET - 1);
        spawn_void(g, say, "other");
        check_int(await_task(busy), BIDE_CAP_OP_BUDGET - 1);
    }
    check_str(journal, "done other ");
}

TEST(spawn_without_memory_fails_and_nothing_leaks, .fail_allocations = true)
{
    bool stop = false;
    with_group(g) {
        for (int i = 0; i < 5; i++) {
            large value = {0};
            task(large) child = spawn(g, turned, value);
            (void)await_task(child);
        }
        spawn_void(g, keep_running, &stop);
        await(bide_yield());
        stop = true;
    }
}

typedef bide_arena *bide_arena_ptr;
AWAITABLE(bide_arena_ptr);
SPAWNABLE(bide_arena_ptr, its_arena)
static async(bide_arena_ptr) its_arena_inside(void)
{
    with_arena {
        return ready(bide_arena_ptr, bide_task_arena());
    }
    return ready(bide_arena_ptr, NULL);
}
async(bide_arena_ptr) its_arena(void)
{
    return ready(bide_arena_ptr, bide_task_arena());
}

TEST(an_arena_is_shared_with_children_and_hidden_by_a_block)
{
    bide_arena *mine = bide_task_arena();
    require(mine);
    check_ptr(bide_task_arena(), mine);
    with_group(g) {
        task(bide_arena_ptr) child = spawn(g, its_arena);
        check_ptr(await_task(child), mine);
    }
    with_arena {
        check(bide_task_arena() != mine);
        check_ptr(await(its_arena()), bide_task_arena());
    }
    check(await(its_arena_inside()) != mine);
    check_ptr(bide_task_arena(), mine);
}
