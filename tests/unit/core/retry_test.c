/*
 * retry_test.c: retry(): what is retried and what never, pauses, deadlines, budgets, cancels.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static int calls;

/* Fails `failures` times with `code`, then gives `value` + how often it was called. */
static async(int) flaky(int failures, int code, int value)
{
    await(bide_yield());
    if (calls++ < failures)
        fail(bide_error_new(code, "call %d failed", calls));
    return ready(int, value + calls);
}
SPAWNABLE(int, flaky, int, int, int)

static const bide_retry_policy usual = {.tries = 4, .codes = {BIDE_UNREACHABLE, BIDE_TIMEOUT}};

TEST(a_call_is_made_until_it_succeeds)
{
    bide_error *error;
    check_int(retry(&error, &usual, flaky, 0, BIDE_TIMEOUT, 10), 11);
    check(!error);
    calls = 0;
    check_int(retry(&error, &usual, flaky, 3, BIDE_TIMEOUT, 10), 14);
    check(!error);
    calls = 0;
    check_int(retry(&error, &usual, flaky, 4, BIDE_UNREACHABLE, 10), 0);
    require(error);
    check_int(error->code, BIDE_UNREACHABLE);
    check_str(error->message, "call 4 failed");
    check_int(calls, 4);
}

TEST(only_what_is_named_is_retried)
{
    bide_error *error;
    int codes[] = {BIDE_CLOSED, 1000, BIDE_SYSTEM};
    for (size_t i = 0; i < 3; i++) {
        calls = 0;
        (void)retry(&error, &usual, flaky, 1, codes[i], 0);
        check_int(error ? error->code : 0, codes[i]);
        check_int(calls, 1);
    }
}

static bool always(const bide_error *error, void *arg)
{
    (void)error;
    ++*(int *)arg;
    return true;
}

static async(int) lost(void)
{
    calls++;
    bide_error *cause = bide_error_new(BIDE_OUTCOME_UNKNOWN, "the commit was sent");
    fail(bide_error_because(bide_error_new(1000, "not saved"), cause));
}
SPAWNABLE(int, lost)

TEST(what_may_have_been_done_is_never_done_again)
{
    int asked = 0;
    bide_error *error;
    bide_retry_policy policy = {.when = always, .arg = &asked};
    int codes[] = {BIDE_OUTCOME_UNKNOWN, BIDE_REDIS_LOST, BIDE_DEADLOCK, BIDE_CANCELLED};
    for (size_t i = 0; i < 4; i++) {
        calls = 0;
        (void)retry(&error, &policy, flaky, 1, codes[i], 0);
        check_int(error ? error->code : 0, codes[i]);
        check_int(calls, 1);
    }
    calls = 0;
    (void)retry(&error, &policy, lost);
    check_int(error ? error->code : 0, 1000);
    check_int(calls, 1);
    check_int(asked, 0);
    calls = 0;
    check_int(retry(&error, &policy, flaky, 2, 1234, 5), 8);
    check_int(asked, 2);
}

static async(void) nap(int64_t ms)
{
    await(bide_sleep(bide_ms(ms)));
    return bide_void;
}
SPAWNABLE(void, nap, int64_t)

static async(void) look(int64_t after_ms)
{
    await(nap(after_ms));
    fail(bide_error_new(BIDE_UNREACHABLE, "the first request was not made"));
}
SPAWNABLE(void, look, int64_t)

/* Sends once; a cancel or the end of the pause finds the connection lost. */
static async(void) order(int64_t lost_after_ms)
{
    bide_error *error;
    calls++;
    attempt(&error, nap, lost_after_ms);
    fail(bide_error_new(BIDE_OUTCOME_UNKNOWN, "the order was sent"));
}
SPAWNABLE(void, order, int64_t)

static async(int) look_and_order(int64_t look_ms, int64_t order_ms)
{
    with_group(g) {
        spawn_void(g, look, look_ms);
        spawn_void(g, order, order_ms);
    }
    return ready(int, 1);
}
SPAWNABLE(int, look_and_order, int64_t, int64_t)

/* The failure is only told of as the cause of another one: its further errors are not copied. */
static async(int) told_of(int64_t look_ms, int64_t order_ms)
{
    bide_error *error;
    int value = attempt(&error, look_and_order, look_ms, order_ms);
    if (error) {
        bide_error *told = bide_error_because(bide_error_new(1001, "told of"), error);
        fail(bide_error_because(bide_error_new(BIDE_UNREACHABLE, "told of again"), told->cause));
    }
    return ready(int, value);
}
SPAWNABLE(int, told_of, int64_t, int64_t)

static async(int) look_beside_others(void)
{
    calls++;
    with_group(g) {
        task(void) other = spawn(g, nap, 100000);
        spawn_void(g, look, 1);
        await_task(other);
    }
    return ready(int, 1);
}
SPAWNABLE(int, look_beside_others)

TEST(what_a_sibling_may_have_done_is_never_done_again)
{
    bide_error *error;
    bide_retry_policy policy = {.codes = {BIDE_UNREACHABLE, BIDE_OUTCOME_UNKNOWN}};
    int64_t pauses[][2] = {{1, 2}, {2, 1}};
    for (size_t i = 0; i < 2; i++) {
        calls = 0;
        (void)retry(&error, &policy, look_and_order, pauses[i][0], pauses[i][1]);
        check_int(error ? error->code : 0, i ? BIDE_OUTCOME_UNKNOWN : BIDE_UNREACHABLE);
        check_int(calls, 1);
        calls = 0;
        (void)retry(&error, &policy, told_of, pauses[i][0], pauses[i][1]);
        check_int(error ? error->code : 0, BIDE_UNREACHABLE);
        check_int(calls, 1);
    }
    calls = 0;
    (void)retry(&error, &policy, look_beside_others); /* one that was only cancelled did nothing */
    check_int(error ? error->code : 0, BIDE_UNREACHABLE);
    check_int(calls, 3);
}

TEST(the_pauses_double_and_are_spread)
{
    static const bide_retry_policy policy = {
        .tries = 7, .first = {100000000}, .most = {400000000}, .codes = {1000}};
    bide_error *error;
    double shortest = 1e9, longest = 0;
    for (int i = 0; i < 50; i++) {
        int64_t start_ns = bide_clock_ns();
        calls = 0;
        (void)retry(&error, &policy, flaky, 100, 1000, 0);
        double took_s = (double)(bide_clock_ns() - start_ns) / 1e9;
        shortest = took_s < shortest ? took_s : shortest;
        longest = took_s > longest ? took_s : longest;
    }
    check_int(calls, 7);
    /* .1 + .2 + .4 + .4 + .4 + .4 s at the most, half of it at least, and not always the same. */
    check(shortest >= 0.95 && longest <= 1.91);
    check(longest - shortest > 0.05);
}

static int64_t pause_ns;

static async(void) measure_a_pause(void)
{
    static const bide_retry_policy policy = {
        .tries = 2, .first = {100000000000}, .most = {100000000000}, .codes = {1000}};
    bide_error *error;
    int64_t start_ns = bide_clock_ns();
    calls = 0;
    (void)retry(&error, &policy, flaky, 1, 1000, 0);
    pause_ns = bide_clock_ns() - start_ns;
    return bide_void;
}

static int64_t pause_of_a_run(uint64_t seed)
{
    check_int(bide_run(measure_a_pause, .virtual_clock = true, .shuffle_seed = seed), 0);
    check(pause_ns >= 50000000000 && pause_ns < 101000000000);
    return pause_ns;
}

/* As of several processes that lost the same server at the same time. */
TEST_PLAIN(each_run_has_pauses_of_its_own)
{
    check(pause_of_a_run(0) != pause_of_a_run(0));
    check_int(pause_of_a_run(7), pause_of_a_run(7)); /* a test is to be repeated */
}

static async(void) retry_within(int64_t ms)
{
    static const bide_retry_policy slowly = {
        .tries = 100, .first = {1000000000}, .most = {1000000000}, .codes = {1000}};
    bide_error *error;
    with_deadline(bide_ms(ms)) {
        (void)retry(&error, &slowly, flaky, 100, 1000, 0);
        require(error);
        check_int(error->code, 1000); /* the call's own error, in time */
    }
    return bide_void;
}
SPAWNABLE(void, retry_within, int64_t)

TEST(a_pause_that_is_too_long_for_the_deadline_is_not_begun)
{
    int64_t start_ns = bide_clock_ns();
    await(retry_within(2200));
    check(calls >= 3 && calls <= 5);
    check(bide_clock_ns() - start_ns < 2200000000);
    start_ns = bide_clock_ns();
    calls = 0;
    await(retry_within(400));
    check_int(calls, 1);
    check(bide_clock_ns() == start_ns);
}

TEST(a_budget_bounds_what_all_add)
{
    static BIDE_RETRY_BUDGET(budget, 10, 5);
    static const bide_retry_policy policy = {.tries = 2, .codes = {1000}, .budget = &budget};
    bide_error *error;
    for (int i = 0; i < 1000; i++)
        (void)retry(&error, &policy, flaky, 1000000, 1000, 0);
    check(calls >= 1100 && calls <= 1105);
    for (int i = 0; i < 1000; i++)
        (void)retry(&error, &policy, flaky, 0, 1000, 0);
    check_int(budget.milli_calls, 5000); /* full, not more */
}

static async(int) sleep_long(void)
{
    calls++;
    await(bide_sleep(bide_s(100)));
    return ready(int, 1);
}
SPAWNABLE(int, sleep_long)

static async(void) retry_for_ever(void)
{
    int asked = 0;
    bide_error *error;
    bide_retry_policy policy = {.tries = 1000, .when = always, .arg = &asked};
    (void)retry(&error, &policy, sleep_long);
    require(error);
    check_int(error->code, BIDE_CANCELLED);
    check_int(asked, 0);
    await(bide_yield()); /* raises */
    return bide_void;
}
SPAWNABLE(void, retry_for_ever)

TEST(a_cancel_is_never_retried)
{
    with_group(g) {
        spawn_void(g, retry_for_ever);
        await(bide_sleep(bide_ms(1)));
        bide_group_cancel(g, "test");
    }
    check_int(calls, 1);
}

TEST(cancels_at_every_await, .cancel_everywhere = true)
{
    bide_error *error;
    calls = 0;
    int value = retry(&error, &usual, flaky, 3, BIDE_TIMEOUT, 10);
    if (error)
        fail(error);
    check_int(value, 14);
}

static async(void) no_error_named(void)
{
    static const bide_retry_policy nothing = {.tries = 3};
    bide_error *error;
    (void)retry(&error, &nothing, flaky, 1, 1000, 0);
    return bide_void;
}

static void run_no_error_named(void)
{
    exit(bide_run(no_error_named));
}

TEST_PLAIN(a_policy_that_names_nothing_is_misuse)
{
    check_dies(run_no_error_named, "by a policy that names no error");
}
