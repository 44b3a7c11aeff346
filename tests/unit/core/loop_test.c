/*
 * loop_test.c: the order in which ready tasks run, with and without a seed, mail from threads, and
 * fairness between tasks, timers and mail.
 */
#include "core/loop.h"

#include "core/graph.h"

#include <bide/log.h>
#include <bide/bide.h>
#include <bide/test.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static char journal[1024];

static void note(const char *text)
{
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, "%s", text);
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

static async(void) say_letters(void)
{
    static const char *const letters[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    with_group(g) {
        for (int i = 0; i < 8; i++)
            spawn_void(g, say_thrice, letters[i]);
    }
    return bide_void;
}

/* What one run in this order, by seed, says. */
static const char *order_of(uint64_t seed)
{
    static char texts[4][64];
    static int next;
    journal[0] = 0;
    check_int(bide_run(say_letters, .virtual_clock = true, .shuffle_seed = seed), 0);
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%.63s", journal);
    return text;
}

TEST_PLAIN(without_a_seed_ready_tasks_run_first_come_first_served)
{
    check_str(order_of(0), "abcdefghabcdefghabcdefgh");
}

TEST_PLAIN(a_seed_shuffles_the_same_way_each_time)
{
    int different = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        const char *first = order_of(seed);
        check_str(order_of(seed), first);
        check_int(strlen(first), 24);
        for (const char *letter = "abcdefgh"; *letter; letter++) {
            int count = 0;
            for (const char *at = first; *at; at++)
                count += *at == *letter;
            check_int(count, 3);
        }
        different += strcmp(first, order_of(seed + 1)) != 0;
    }
    check(different >= 48);
}

TEST_PLAIN(seeds_reach_every_order_of_the_first)
{
    int first[8] = {0};
    for (uint64_t seed = 1; seed <= 400; seed++)
        first[order_of(seed)[0] - 'a']++;
    for (int i = 0; i < 8; i++)
        check(first[i] >= 20);
}

struct letter {
    struct bide__mail mail;
    const char *text;
    struct bide_task *waiting;
};

static struct bide__wait waiting;
static int delivered;

static void deliver(struct bide__mail *mail)
{
    struct letter *letter = bide__container_of(mail, struct letter, mail);
    note(letter->text);
    if (++delivered == 3)
        bide__wake(&waiting, 0);
}

static struct letter letters[3] = {
    {{NULL, deliver}, "1", NULL}, {{NULL, deliver}, "2", NULL}, {{NULL, deliver}, "3", NULL}};

static void *post_letters(void *loop)
{
    for (int i = 0; i < 3; i++)
        bide__loop_post(loop, &letters[i].mail);
    return NULL;
}

static void wait_for_letters(void)
{
    static const struct bide__kind kind = {.noun = "post", .verb = "waits for the post"};
    struct bide__object object = {&kind, NULL, NULL};
    pthread_t thread;
    struct bide_task *me = bide__task_current();
    check_int(pthread_create(&thread, NULL, post_letters, me->loop), 0);
    me->loop->outside++;
    check_int(bide__wait(me, NULL, &waiting, &object), 0);
    me->loop->outside--;
    pthread_join(thread, NULL);
    check_str(journal, "123");
}

TEST(mail_of_another_thread_comes_in_order)
{
    wait_for_letters();
}

TEST(mail_wakes_a_loop_that_polls, .real_clock = true)
{
    wait_for_letters();
}

static bool stop_yielding;

SPAWNABLE(void, yield_until_stopped)
async(void) yield_until_stopped(void)
{
    while (!stop_yielding)
        await(bide_yield());
    return bide_void;
}

TEST(mail_comes_also_while_tasks_are_ready, .real_clock = true)
{
    with_group(g) {
        spawn_void(g, yield_until_stopped);
        await(bide_yield());
        wait_for_letters();
        stop_yielding = true;
    }
}

SPAWNABLE(void, stop_after, int)
async(void) stop_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    stop_yielding = true;
    return bide_void;
}

TEST(timers_fire_while_tasks_are_ready, .real_clock = true)
{
    with_group(g) {
        spawn_void(g, yield_until_stopped);
        spawn_void(g, yield_until_stopped);
        spawn_void(g, stop_after, 5);
    }
    check(stop_yielding);
}

TEST(slices_count_every_resumed_task, .in_order = true)
{
    uint64_t before = bide__loop_here->slices;
    await(bide_yield());
    check_int(bide__loop_here->slices - before, 1);
    with_group(g) {
        spawn_void(g, stop_after, 1);
    }
    check_int(bide__loop_here->slices - before, 4);
}

SPAWNABLE(int, chain, int)
async(int) chain(int length)
{
    if (length == 0)
        return ready(int, 0);
    with_group(g) {
        task(int) next = spawn(g, chain, length - 1);
        return ready(int, await_task(next) + 1);
    }
    return ready(int, -1);
}

TEST(two_hundred_stacks_deep)
{
    check_int(await(chain(200)), 200);
    check_int(bide__loop_here->stacks.used, 1);
}

SPAWNABLE(void, count_down, int *)
async(void) count_down(int *left)
{
    await(bide_yield());
    --*left;
    return bide_void;
}

/* A burst of short tasks shares stacks: the first to end hands its own on. */
TEST(a_burst_of_fresh_tasks)
{
    int left = 5000;
    with_group(g) {
        for (int i = 0; i < 5000; i++)
            spawn_void(g, count_down, &left);
    }
    check_int(left, 0);
}

static int begun;

SPAWNABLE(void, yield_alone)
async(void) yield_alone(void)
{
    begun++;
    for (int i = 0; i < 3; i++)
        await(bide_yield());
    note("y");
    return bide_void;
}

SPAWNABLE(void, say, const char *)
async(void) say(const char *text)
{
    note(text);
    return bide_void;
}

/* The second child goes on, on the stack of the first; then it is the only ready task. */
TEST(a_task_that_took_over_a_stack_and_yields_alone_keeps_it)
{
    for (int i = 0; i < 10; i++) {
        with_group(g) {
            spawn_void(g, say, "s");
            spawn_void(g, yield_alone);
        }
    }
    check_int(begun, 10);
    check_int(bide__loop_here->stacks.used, 1);
    check(bide__loop_here->stacks.made <= 3);
}

TEST(a_task_that_took_over_the_last_stack_runs_once)
{
    bide__loop_here->stacks.limit = 2;
    with_group(g) {
        spawn_void(g, say, "s");
        spawn_void(g, yield_alone);
    }
    check_int(begun, 1);
    check(!strcmp(journal, "sy") || !strcmp(journal, "ys"));
}

SPAWNABLE(void, log_something)
async(void) log_something(void)
{
    bide_log(BIDE_LOG_WARN, "from a task");
    return bide_void;
}

TEST(a_log_record_names_its_task)
{
    char task[32];
    test_capture_stderr();
    with_group(g) {
        task(void) child = spawn(g, log_something);
        snprintf(task, sizeof task, "[task %llu]", (unsigned long long)bide_ref(child).id);
        await_task(child);
    }
    bide_log_flush(1000);
    check_contains(test_captured(), task);
}

static void fail_an_assertion(void)
{
    BIDE_ASSERT(bide_loop_count() == 0, "the runtime is running");
}

static async(void) assert_in_a_task(void)
{
    fail_an_assertion();
    return bide_void;
}

static void run_failing_assertion(void)
{
    bide_run(assert_in_a_task);
}

TEST_PLAIN(a_failed_assertion_names_its_task)
{
    check_dies(run_failing_assertion, "bide: in task #1 'main', last await at ");
}
