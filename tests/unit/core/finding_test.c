/*
 * finding_test.c: what a program is told of itself: a cancel that is ignored, pointers into frames
 * that end too early. Once per line, counted.
 */
#include "core/finding.h"

#include "base/caps.h"
#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>
#include <string.h>

static bool enough, had_a_turn;
static int rounds;

SPAWNABLE(void, ask)
async(void) ask(void)
{
    await(bide_sleep(bide_ms(1)));
    return bide_void;
}

SPAWNABLE(void, swallow, int)
async(void) swallow(int most)
{
    for (rounds = 0; !enough && rounds < most; rounds++) {
        bide_error *error;
        attempt(&error, ask);
    }
    return bide_void;
}

SPAWNABLE(void, other)
async(void) other(void)
{
    shielded(bide_s(1))
        for (int i = 0; i < 5; i++)
            await(bide_yield());
    had_a_turn = enough = true;
    return bide_void;
}

static int count_lines(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

TEST(a_cancel_that_is_ignored_is_told_once_and_others_have_their_turn, .reports = true)
{
    for (int i = 0; i < 2; i++) {
        enough = had_a_turn = false;
        if (i == 0)
            test_capture_stderr();
        with_group(g) {
            spawn_void(g, swallow, 1000000);
            spawn_void(g, other);
            await(bide_yield());
            bide_group_cancel(g, "it is late");
        }
        check(had_a_turn);
        check(rounds >= BIDE_CAP_CANCELS_IGNORED && rounds < 1000000);
    }
    const char *text = test_captured();
    check_int(count_lines(text, "goes on though it was cancelled (it is late): 32 awaits"), 1);
    check(strstr(text, "'swallow', spawned at"));
    check(strstr(text, "finding_test.c"));
}

TEST(a_few_refused_awaits_are_nothing)
{
    enough = false;
    with_group(g) {
        spawn_void(g, swallow, BIDE_CAP_CANCELS_IGNORED - 1);
        await(bide_yield());
        bide_group_cancel(g, "it is late");
    }
    check_int(rounds, BIDE_CAP_CANCELS_IGNORED - 1);
}

TEST(each_scope_begins_anew)
{
    for (int i = 0; i < BIDE_CAP_CANCELS_IGNORED + 1; i++) {
        bool late;
        move_on_after(&late, bide_ms(0), ask);
        check(late);
    }
}

SPAWNABLE(void, read_it, const int *)
async(void) read_it(const int *value)
{
    (void)value;
    return bide_void;
}

static __attribute__((noinline)) void start_with_own(bide_group *g)
{
    int own = 7;
    spawn_void(g, read_it, &own);
    __asm__ volatile("" : : "r"(&own) : "memory");
}

SPAWNABLE(void, read_number, uintptr_t)
async(void) read_number(uintptr_t number)
{
    (void)number;
    return bide_void;
}

/* What only looks like such a pointer: bytes between arguments do, too. */
static __attribute__((noinline)) void start_with_number(bide_group *g)
{
    int own = 7;
    spawn_void(g, read_number, (uintptr_t)&own);
    __asm__ volatile("" : : "r"(&own) : "memory");
}

static __attribute__((noinline)) void start_with(bide_group *g, const int *value)
{
    spawn_void(g, read_it, value);
}

TEST(a_pointer_into_a_frame_that_ends_is_told, .reports = true)
{
    if (BIDE__ASAN)
        test_skip("variables lie elsewhere than in frames");
    test_capture_stderr();
    with_group(g)
        start_with_own(g);
    const char *text = test_captured();
    check(strstr(text, "task 'read_it' gets a pointer to a variable of a function that ends before "
                       "the task does: it was spawned in start_with_own at "));
}

TEST(pointers_that_live_long_enough_are_not)
{
    static const int constant = 1;
    int before = 1;
    with_group(g) {
        int inside = 2;
        spawn_void(g, read_it, &before);
        spawn_void(g, read_it, &inside);
        start_with(g, &before);
        start_with(g, &constant);
        start_with(g, NULL);
        start_with_number(g);
        await(bide_sleep(bide_ms(1)));
    }
}

/* Deep below what the function that called it needs for a wait. */
static __attribute__((noinline)) void start_with_deep(bide_group *g)
{
    int deep[2000];
    spawn_void(g, read_it, &deep[0]);
    __asm__ volatile("" : : "r"(deep) : "memory");
}

TEST(a_frame_that_is_gone_before_the_group_ends_is_told, .reports = true)
{
    if (BIDE__ASAN)
        test_skip("variables lie elsewhere than in frames");
    test_capture_stderr();
    with_group(g) {
        start_with_deep(g);
        await(bide_yield());
        check_contains(test_captured(), "spawned in start_with_deep at ");
    }
}

struct job {
    int number;
    bide_event done;
};

SPAWNABLE(void, work, struct job *)
async(void) work(struct job *job)
{
    await(bide_sleep(bide_ms(1)));
    job->number *= 2;
    bide_event_set(&job->done);
    return bide_void;
}

static __attribute__((noinline)) async(int) ask_worker(bide_group *g, int number)
{
    struct job job = {.number = number};
    spawn_void(g, work, &job);
    await(bide_event_wait(&job.done));
    return ready(int, job.number);
}

TEST(a_frame_that_waits_for_the_task_is_not)
{
    with_group(g)
        check_int(await(ask_worker(g, 21)), 42);
}

SPAWNABLE(void, read_later, const int *)
async(void) read_later(const int *value)
{
    await(bide_yield());
    check_int(*value, 7);
    return bide_void;
}

/* Memory of the function of the block, below what it had when it entered the block. */
TEST(what_the_block_takes_from_its_stack_is_not)
{
    with_group(g) {
        int *taken = __builtin_alloca(sizeof *taken);
        *taken = 7;
        spawn_void(g, read_later, taken);
    }
    with_group(g) {
        int *taken = __builtin_alloca(sizeof *taken);
        *taken = 7;
        spawn_void(g, read_later, taken);
        await(bide_yield());
    }
}

/* What a suspect is given comes to it as it is, however much that is. */
struct large {
    int numbers[400];
};

SPAWNABLE(void, add_up, const int *, struct large)
async(void) add_up(const int *pointer, struct large large)
{
    (void)pointer;
    int sum = 0;
    for (int i = 0; i < 400; i++)
        sum += large.numbers[i];
    check_int(sum, 400 * 399 / 2);
    return bide_void;
}

static __attribute__((noinline)) void start_large(bide_group *g)
{
    int own = 7;
    struct large large;
    for (int i = 0; i < 400; i++)
        large.numbers[i] = i;
    spawn_void(g, add_up, &own, large);
    __asm__ volatile("" : : "r"(&own) : "memory");
}

TEST(a_suspect_gets_its_arguments, .reports = true)
{
    with_group(g)
        start_large(g);
}
