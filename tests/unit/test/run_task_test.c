/*
 * run_task_test.c: bodies in a task: the clock, errors, the seed, injected failures. The hidden
 * tests fail on purpose; the visible ones run this binary again with --only for one of them.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "self.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TEST(a_body_may_await)
{
    await(bide_yield());
    check(bide_current_task().task != NULL);
}

TEST(an_hour_passes_at_once, .timeout_ms = 2000)
{
    await(bide_sleep(bide_s(3600)));
}

TEST(the_real_clock_takes_its_time, .real_clock = true)
{
    struct timespec before, after;

    clock_gettime(CLOCK_MONOTONIC, &before);
    await(bide_sleep(bide_ms(20)));
    clock_gettime(CLOCK_MONOTONIC, &after);
    check((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 19);
}

TEST(hidden_error_leaves_the_body, .hidden = true)
{
    fail(bide_error_new(404, "no such seat"));
}

TEST_PLAIN(an_error_that_leaves_the_body_fails)
{
    check_int(run_hidden("hidden_error_leaves_the_body", ""), 1);
    check_contains(text, "    | an error that left the test's body fails the test:\n");
    check_contains(text, "no such seat");
    check_contains(text, "0 passed, 1 failed, 0 skipped\n");
}

static void wait_twice(void *arg) BIDE__TASK;
static void wait_twice(void *arg)
{
    (void)arg;
    await(bide_yield());
    await(bide_yield());
}

static void say_left(void *arg)
{
    (void)arg;
    fprintf(stderr, "left\n");
}

static void fail_unless(void *finished_)
{
    bool *finished = finished_;

    check(*finished);
}

static async(void) ask_row_by_row(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        for (int i = 0; i < 60; i++)
            check_int(await(bide_scalar(db, i64, "select $1", i)), i);
    }
    return bide_void;
}

TEST(hidden_asks_row_by_row, .hidden = true)
{
    await(ask_row_by_row());
}

TEST(hidden_means_it, .hidden = true, .reports = true)
{
    await(ask_row_by_row());
}

TEST_PLAIN(what_is_reported_fails_unless_it_is_expected)
{
    check(run_hidden("hidden_asks_row_by_row", "") != 0);
    check_contains(text, "bide: 50 times the same query from ");
    check_contains(text, "`.reports = true` in its options allows it");
    check_int(run_hidden("hidden_means_it", ""), 0);
    check_int(count("50 times the same query"), 1);
}

TEST(hidden_waits_twice, .hidden = true, .cancel_everywhere = true)
{
    defer(say_left, NULL);
    wait_twice(NULL);
    fprintf(stderr, "came to its end\n");
}

TEST_PLAIN(each_await_is_cancelled_once)
{
    check_int(run_hidden("hidden_waits_twice", ""), 0);
    /* Plain, cancelled at the first, at the second, and a run that has no third. */
    check_int(count("    | left\n"), 4);
    check_int(count("    | came to its end\n"), 2);
    check_contains(text, "1 passed, 0 failed, 0 skipped\n");
}

TEST(hidden_fails_when_cancelled, .hidden = true, .cancel_everywhere = true)
{
    bool finished = false;

    on_cancel(say_left, NULL);
    defer(fail_unless, &finished);
    wait_twice(NULL);
    finished = true;
}

TEST_PLAIN(a_check_that_fails_under_a_cancel_fails)
{
    check_int(run_hidden("hidden_fails_when_cancelled", ""), 1);
    check_contains(text, "check failed: *finished\n");
    check_contains(text, "    with the await number 1 cancelled\n");
}

static char order[16];

SPAWNABLE(void, note, int)
async(void) note(int letter)
{
    size_t length = strlen(order);

    order[length] = (char)letter;
    return bide_void;
}

TEST(hidden_order, .hidden = true)
{
    with_group(g) {
        for (int letter = 'a'; letter <= 'h'; letter++)
            spawn_void(g, note, letter);
    }
    fprintf(stderr, "order %s\n", order);
}

TEST(in_order_is_never_shuffled, .in_order = true, .seed = 5)
{
    with_group(g) {
        for (int letter = 'a'; letter <= 'h'; letter++)
            spawn_void(g, note, letter);
    }
    check_str(order, "abcdefgh");
}

TEST_PLAIN(a_seed_shuffles_the_same_way_each_time)
{
    char first[sizeof text];

    check_int(run_hidden("hidden_order", "--seed 0"), 0);
    check_contains(text, "order abcdefgh\n");
    check_int(run_hidden("hidden_order", "--seed 5"), 0);
    check_contains(text, "order ");
    check(!strstr(text, "order abcdefgh\n"));
    snprintf(first, sizeof first, "%.*s", (int)strcspn(text, "\n"), text);
    check_int(run_hidden("hidden_order", "--seed 5"), 0);
    check_contains(text, first);
}

static void fail_with_words(void)
{
    fail(bide_error_new(BIDE_INVALID, "no way on"));
}

static void cleaned_up(void *count)
{
    ++*(atomic_int *)count;
}

TEST(an_error_in_a_death_test_ends_its_child)
{
    atomic_int *count =
        mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(count != MAP_FAILED);
    {
        defer(cleaned_up, count);
        check_dies(fail_with_words, "no way on");
    }
    check_int(*count, 1);
    munmap(count, sizeof *count);
}
