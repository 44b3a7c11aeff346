/*
 * Offload: values, both lanes, cancels before and while a call runs, limits, threads' ends.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

typedef const char *text;
AWAITABLE(text);

static int add(int a, int b)
{
    return a + b;
}
OFFLOADABLE(int, add, int, int)

static int answer(void)
{
    return 42;
}
OFFLOADABLE(int, answer)

static text second(text a, text b)
{
    (void)a;
    return b;
}
OFFLOADABLE(text, second, text, text)

static void store(int *place, int value)
{
    *place = value;
}
OFFLOADABLE(void, store, int *, int)

static double seven(double a, int b, int c, int d, int e, int f, long g)
{
    return a + b + c + d + e + f + (double)g;
}
OFFLOADABLE(double, seven, double, int, int, int, int, int, long)

TEST(a_call_gives_its_value)
{
    int place = 0;
    check_int(await(offload(BIDE_BLOCKING, add, 2, 3)), 5);
    check_int(await(offload(BIDE_CPU, add, -2, 2)), 0);
    check_int(await(offload(BIDE_CPU, answer)), 42);
    check_str(await(offload(BIDE_CPU, second, "a", "b")), "b");
    await(offload(BIDE_BLOCKING, store, &place, 7));
    check_int(place, 7);
    check_near(await(offload(BIDE_CPU, seven, 0.5, 1, 2, 3, 4, 5, 6L)), 21.5, 0.001);
}

static int doze_ms(int duration_ms)
{
    usleep((useconds_t)duration_ms * 1000);
    return duration_ms;
}
OFFLOADABLE(int, doze_ms, int)

static async(int) doze(int duration_ms);
SPAWNABLE(int, doze, int)
static async(int) doze(int duration_ms)
{
    return ready(int, await(offload(BIDE_BLOCKING, doze_ms, duration_ms)));
}

TEST(the_loop_turns_meanwhile, .real_clock = true)
{
    int turns = 0;
    with_group(g) {
        task(int) dozing = spawn(g, doze, 60);
        while (!bide_task_done(bide_ref(dozing))) {
            await(bide_sleep(bide_ms(2)));
            turns++;
        }
        check_int(await_task(dozing), 60);
    }
    check(turns >= 5);
}

TEST(blocking_calls_run_beside_each_other, .real_clock = true)
{
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        for (int i = 0; i < 20; i++)
            spawn_void(g, doze, 100);
    }
    check(bide_clock_ns() - start_ns < 1000 * BIDE__NS_PER_MS);
}

/* A gate that calls on a lane wait at. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int inside;
    bool open;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

static void pass_gate(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    while (!gate.open)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}
OFFLOADABLE(void, pass_gate)

static void set_gate(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static int inside_gate(void)
{
    pthread_mutex_lock(&gate.lock);
    int inside = gate.inside;
    pthread_mutex_unlock(&gate.lock);
    return inside;
}

static async(void) wait_at_gate(int lane);
SPAWNABLE(void, wait_at_gate, int)
static async(void) wait_at_gate(int lane)
{
    await(offload((enum bide_lane)lane, pass_gate));
    return bide_void;
}

/* Fills a lane: gives how many calls run at a time on it. */
static int fill_lane(bide_group *g, enum bide_lane lane, int calls) BIDE__TASK
{
    int inside = 0;
    for (int i = 0; i < calls; i++)
        spawn_void(g, wait_at_gate, (int)lane);
    for (int steady = 0; steady < 20; steady++) {
        await(bide_sleep(bide_ms(5)));
        if (inside_gate() > inside) {
            inside = inside_gate();
            steady = 0;
        }
    }
    return inside;
}

TEST(a_lane_has_a_limit_and_the_other_goes_on, .real_clock = true)
{
    with_group(g) {
        check_int(fill_lane(g, BIDE_BLOCKING, 100), 64);
        check_int(await(offload(BIDE_CPU, add, 1, 1)), 2);
        set_gate(true);
    }
    check_int(inside_gate(), 0);
}

static atomic_int runs;

static void count_run(void)
{
    atomic_fetch_add(&runs, 1);
}
OFFLOADABLE(void, count_run)

static async(void) count_on_cpu(void);
SPAWNABLE(void, count_on_cpu)
static async(void) count_on_cpu(void)
{
    await(offload(BIDE_CPU, count_run));
    return bide_void;
}

TEST(a_call_cancelled_before_its_turn_never_runs, .real_clock = true)
{
    bool late;
    with_group(g) {
        int cores = fill_lane(g, BIDE_CPU, 32);
        check(cores >= 1 && cores <= 32);
        if (cores < 32) {
            int64_t start_ns = bide_clock_ns();
            move_on_after(&late, bide_ms(20), count_on_cpu);
            check(late);
            check(bide_clock_ns() - start_ns < 500 * BIDE__NS_PER_MS);
            test_capture_stderr();
            bide_print_tasks();
            check_contains(test_captured(), "lane 'cpu'");
        }
        set_gate(true);
    }
    check_int(atomic_load(&runs), 0);
    await(offload(BIDE_CPU, count_run));
    check_int(atomic_load(&runs), 1);
}

/* Writes into the caller's frame until it is told to stop. */
static int until_cancelled(atomic_int *ticks)
{
    for (int i = 0; i < 2000 && !bide_offload_cancelled(); i++) {
        atomic_fetch_add(ticks, 1);
        usleep(1000);
    }
    usleep(20000);
    atomic_fetch_add(ticks, 1000000);
    return 1;
}
typedef atomic_int *ticks_ptr;
OFFLOADABLE(int, until_cancelled, ticks_ptr)

static int ticks_at_end;

static void keep_ticks(void *ticks)
{
    ticks_at_end = atomic_load((atomic_int *)ticks);
}

static async(void) tick(void);
SPAWNABLE(void, tick)
static async(void) tick(void)
{
    atomic_int ticks = 0;
    defer(keep_ticks, &ticks);
    with_deadline(bide_ms(30)) {
        await(offload(BIDE_BLOCKING, until_cancelled, &ticks));
    }
    return bide_void;
}

TEST(a_running_call_is_waited_for_when_cancelled, .real_clock = true)
{
    bide_error *err;
    int64_t start_ns = bide_clock_ns();
    attempt(&err, tick);
    require(err);
    check_int(err->code, BIDE_TIMEOUT);
    check(ticks_at_end >= 1000001);
    check(bide_clock_ns() - start_ns < 1500 * BIDE__NS_PER_MS);
    check(!bide_offload_cancelled());
}

static async(void) add_all(int from, int count, int *ret_sum);
SPAWNABLE(void, add_all, int, int, int *)
static async(void) add_all(int from, int count, int *ret_sum)
{
    for (int i = from; i < from + count; i++)
        *ret_sum += await(offload(i % 2 ? BIDE_CPU : BIDE_BLOCKING, add, i, 0));
    return bide_void;
}

TEST(ten_thousand_calls, .real_clock = true, .timeout_ms = 30000)
{
    int sums[100] = {0}, sum = 0;
    with_group(g) {
        for (int i = 0; i < 100; i++)
            spawn_void(g, add_all, i * 100, 100, &sums[i]);
    }
    for (int i = 0; i < 100; i++)
        sum += sums[i];
    check_int(sum, 49995000);
}

static async(int) add_on_cpu(int a, int b);
SPAWNABLE(int, add_on_cpu, int, int)
static async(int) add_on_cpu(int a, int b)
{
    return ready(int, await(offload(BIDE_CPU, add, a, b)));
}

TEST(without_any_thread_the_error_is_clear, .real_clock = true)
{
    bide_error *err;
    bide__mem_fail_at(1, false);
    attempt(&err, add_on_cpu, 1, 2);
    bide__mem_fail_at(0, false);
    require(err);
    check_int(err->code, BIDE_LIMIT);
    check_contains(err->message, "offload add: the lane 'cpu' has no thread");
    check_int(attempt(&err, add_on_cpu, 1, 2), 3);
    check_ptr(err, NULL);
}

SPAWNABLE(void, nap)
async(void) nap(void)
{
    await(bide_yield());
    return bide_void;
}

TEST(with_fewer_threads_it_goes_on, .real_clock = true)
{
    /* The stacks of the tasks below are made here: it is threads that shall be missing. */
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, nap);
    }
    int64_t start_ns = bide_clock_ns();
    check_int(await(offload(BIDE_BLOCKING, doze_ms, 1)), 1);
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, doze, 20);
        bide__mem_fail_at(1, true);
        for (int i = 0; i < 10; i++)
            await(bide_yield());
        bide__mem_fail_at(0, false);
    }
    /* One after the other, on the one thread there is. */
    check(bide_clock_ns() - start_ns >= 100 * BIDE__NS_PER_MS);
}

static int signals_open(void)
{
    sigset_t blocked;
    int open = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < 32; i++)
        open += i != SIGKILL && i != SIGSTOP && !sigismember(&blocked, i);
    return open;
}
OFFLOADABLE(int, signals_open)

TEST(signals_are_left_to_others)
{
    if (getenv("BIDE_TEST_EMULATED"))
        test_skip("qemu-user keeps signals for itself");
    sigset_t before, after; /* not all of their bytes mean something */
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    check_int(await(offload(BIDE_CPU, signals_open)), 7); /* faults */
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 32; i++)
        check_int(sigismember(&after, i), sigismember(&before, i));
}

TEST(virtual_time_stands_still_for_a_call)
{
    int64_t start_ns = bide_clock_ns();
    check_int(await(doze(30)), 30);
    check(bide_clock_ns() - start_ns < 20 * BIDE__NS_PER_MS);
}

static async(void) a_few_calls(void);
static async(void) a_few_calls(void)
{
    for (int i = 0; i < 20; i++)
        check_int(await(offload(i % 2 ? BIDE_CPU : BIDE_BLOCKING, add, i, 1)), i + 1);
    return bide_void;
}

TEST_PLAIN(lanes_end_with_the_runtime_and_start_again)
{
    for (int i = 0; i < 5; i++)
        check_int(bide_run(a_few_calls), 0);
    check_int(bide_run(a_few_calls, .loops = 3), 0);
}

static pthread_t cleaned_on;

static void note_thread(void *place)
{
    *(pthread_t *)place = pthread_self();
}

static int fails_inside(int code)
{
    bide_defer(note_thread, &cleaned_on);
    bide_fail(bide_error_because(bide_error_new(code, "from lane %d", 7),
                                 bide_error_new(BIDE_TIMEOUT, "its cause")));
}
OFFLOADABLE(int, fails_inside, int)

static async(int) call_one_that_fails(int code);
SPAWNABLE(int, call_one_that_fails, int)
static async(int) call_one_that_fails(int code)
{
    return ready(int, await(offload(BIDE_CPU, fails_inside, code)));
}

TEST(a_call_that_fails_raises_in_the_task)
{
    bide_error *error;
    attempt(&error, call_one_that_fails, 409);
    check(error != NULL);
    check_int(error->code, 409);
    check_str(error->message, "from lane 7");
    check_str(error->at->function, "fails_inside");
    check_int(error->dropped, 1);
    check(!pthread_equal(cleaned_on, pthread_self()));
    check_int(await(offload(BIDE_CPU, add, 1, 2)), 3);
}

/* Its error is the `number`th of its thread. */
static void fails_after_others(int number)
{
    bide_error *error = NULL;
    for (int i = 0; i < number; i++)
        error = bide_error_new(700 + i, "from a lane");
    bide_fail(error);
}
OFFLOADABLE(void, fails_after_others, int)

static void fail_at_last(void *unused)
{
    (void)unused;
    fail(bide_error_new(800, "a task's own"));
}

static async(void) fail_when_cancelled(void);
SPAWNABLE(void, fail_when_cancelled)
static async(void) fail_when_cancelled(void)
{
    defer(fail_at_last, NULL);
    await(bide_sleep(bide_s(60)));
    return bide_void;
}

static async(void) both_fail(int number);
SPAWNABLE(void, both_fail, int)
static async(void) both_fail(int number)
{
    with_group(g) {
        spawn_void(g, fail_when_cancelled);
        await(bide_yield());
        await(offload(BIDE_CPU, fails_after_others, number));
    }
    return bide_void;
}

static async(void) both_fail_in_turn(void)
{
    for (int number = 1; number < 8; number++) {
        bide_error *error;
        attempt(&error, both_fail, number);
        require(error);
        bool lanes_first = error->code >= 700 && error->code < 800;
        check(lanes_first || error->code == 800);
        require(error->also);
        check(lanes_first ? error->also->code == 800 : error->also->code < 800);
    }
    return bide_void;
}

/* An error of a lane is never taken for one of the loop that has the same number. */
TEST_PLAIN(a_failed_call_beside_a_failed_task)
{
    for (int i = 0; i < 3; i++)
        check_int(bide_run(both_fail_in_turn), 0);
}

/* Their memory is the thread's, and given back after each. */
TEST(many_calls_fail)
{
    for (int i = 0; i < 500; i++) {
        bide_error *error;
        attempt(&error, call_one_that_fails, 400 + i % 100);
        check_int(error->code, 400 + i % 100);
    }
}

static int awaits_inside(void) BIDE__UNCHECKED;
static int awaits_inside(void)
{
    await(bide_sleep(bide_ms(1)));
    return 0;
}
OFFLOADABLE(int, awaits_inside)

static async(void) call_one_that_awaits(void);
static async(void) call_one_that_awaits(void)
{
    await(offload(BIDE_BLOCKING, awaits_inside));
    return bide_void;
}

static void run_one_that_awaits(void)
{
    bide_run(call_one_that_awaits);
}

TEST_PLAIN(await_is_not_for_lanes)
{
    check_dies(run_one_that_awaits, "await in a call on a lane");
}

static async(void) calls_of_both_lanes(void);
SPAWNABLE(void, calls_of_both_lanes)
static async(void) calls_of_both_lanes(void)
{
    int place = 0;
    await(offload(BIDE_CPU, store, &place, 1));
    await(offload(BIDE_BLOCKING, store, &place, 2));
    check_int(place, 2);
    return bide_void;
}

static void both_lanes(void) BIDE__TASK
{
    with_group(g) {
        for (int i = 0; i < 3; i++)
            spawn_void(g, calls_of_both_lanes);
    }
}

TEST(a_cancel_at_every_await, .cancel_everywhere = true)
{
    both_lanes();
}
