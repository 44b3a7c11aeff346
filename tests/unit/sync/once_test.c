/*
 * once_test.c: the once: run once, waited for, handed on when it fails or is cancelled, deadlocks.
 */
#include <bide/bide.h>
#include <bide/test.h>

struct attempts {
    bide_once once;
    int started, finished, passed;
    int fail_first; /* so many runs fail */
};

static async(void) prepare(void *arg)
{
    struct attempts *attempts = arg;
    attempts->started++;
    await(bide_sleep(bide_ms(1)));
    if (attempts->fail_first > 0) {
        attempts->fail_first--;
        fail(bide_error_new(1000, "not yet"));
    }
    attempts->finished++;
    return bide_void;
}

SPAWNABLE(void, need, struct attempts *)
async(void) need(struct attempts *attempts)
{
    await(bide_once_run(&attempts->once, prepare, attempts));
    check_int(attempts->finished, 1);
    attempts->passed++;
    return bide_void;
}

TEST(it_runs_once_and_all_others_wait_for_it)
{
    struct attempts attempts = {0};
    bide_once_init(&attempts.once, "prepared");
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, need, &attempts);
    }
    check_int(attempts.started, 1);
    check_int(attempts.passed, 5);
    check(bide_once_is_done(&attempts.once));
    await(need(&attempts));
    check_int(attempts.started, 1);
}

static async(void) need_quietly(struct attempts *attempts)
{
    bide_error *error;
    attempt(&error, need, attempts);
    return bide_void;
}
SPAWNABLE(void, need_quietly, struct attempts *)

TEST(the_next_one_runs_it_when_it_fails)
{
    for (int failing = 0; failing <= 4; failing++) {
        struct attempts attempts = {.fail_first = failing};
        with_group(g) {
            for (int i = 0; i < 4; i++)
                spawn_void(g, need_quietly, &attempts);
        }
        check_int(attempts.started, failing < 4 ? failing + 1 : 4);
        check_int(attempts.passed, 4 - failing);
        check_int(bide_once_is_done(&attempts.once), failing < 4);
        check(!attempts.once.runner.task);
    }
}

TEST(the_next_one_runs_it_when_the_runner_is_cancelled)
{
    for (int cancelled = 0; cancelled < 3; cancelled++) {
        struct attempts attempts = {0};
        bide_task_ref tasks[3];
        with_group(g) {
            for (int i = 0; i < 3; i++) {
                task(void) one = spawn(g, need, &attempts);
                tasks[i] = bide_ref(one);
            }
            await(bide_yield());
            await(bide_yield());
            bide_cancel_task(tasks[cancelled], "test");
            await(bide_wait(BIDE_ALL, tasks, 3));
            check_int(attempts.finished, 1);
            check_int(attempts.passed, 2);
            bide_group_cancel(g, "the results are not wanted");
        }
        check(!attempts.once.waiting.first);
    }
}

TEST(a_chosen_runner_that_is_cancelled_before_it_runs_hands_on)
{
    struct attempts attempts = {.fail_first = 1};
    with_group(g) {
        task(void) first = spawn(g, need_quietly, &attempts);
        await(bide_sleep(bide_us(1)));
        task(void) second = spawn(g, need, &attempts);
        await(bide_sleep(bide_us(1)));
        spawn_void(g, need, &attempts);
        await_task(first); /* it has failed: the second is the runner now, perhaps not yet run */
        bide_cancel(second, "test");
        await(bide_wait(BIDE_ALL, &second.ref, 1));
        await(bide_sleep(bide_ms(10)));
        check_int(attempts.passed, 1);
        bide_group_cancel(g, "the result of the second is not wanted");
    }
    check(bide_once_is_done(&attempts.once));
}

TEST(cancels_at_every_await_leave_it_usable, .cancel_everywhere = true)
{
    static struct attempts attempts;
    with_group(g) {
        spawn_void(g, need_quietly, &attempts);
        spawn_void(g, need_quietly, &attempts);
    }
    check(!attempts.once.runner.task);
    check(!attempts.once.waiting.first);
    check(attempts.finished <= 1);
}

static async(void) need_itself(void *arg)
{
    await(bide_once_run(arg, need_itself, arg));
    return bide_void;
}

static async(void) start_itself(bide_once *once)
{
    await(bide_once_run(once, need_itself, once));
    return bide_void;
}
SPAWNABLE(void, start_itself, bide_once *)

TEST(one_that_needs_itself_is_a_deadlock)
{
    bide_once once;
    bide_error *error;
    bide_once_init(&once, "ouroboros");
    test_capture_stderr();
    attempt(&error, start_itself, &once);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(report, "once 'ouroboros'");
    check(!once.done);
    check(!once.runner.task);
}
