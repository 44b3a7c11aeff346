/*
 * run_task.c: runs the body of a TEST in a task, with the failures that its options ask for.
 *
 * Called by harness.c in the test's process; calls the runtime, arms the allocator (base/mem.h) to
 * fail, and sees awaits begin (core/choice.h).
 *
 * 1. An error that leaves the body fails the test, unless it comes from the injected failure.
 * 2. Failures are injected from the body's first line to its last: not while the runtime starts.
 */
#include "harness.h"
#include "trap.h"

#include "base/mem.h"
#include "core/loop.h"
#include "core/scope.h"

#include <bide/runtime.h>

#include <errno.h>
#include <stdio.h>

static struct {
    void (*body)(void);
    const struct bide__test_options *options;
    bool failed;
    unsigned awaits_left; /* until the one that is cancelled; 0: none is */
    bool await_cancelled;
} run;

static void count_await(struct bide__chooser *chooser, struct bide_task *me)
{
    (void)chooser;
    if (run.awaits_left == 0 || --run.awaits_left > 0)
        return;
    run.await_cancelled = true;
    bide__task_cancel(me, "the test cancels at this await");
}

static struct bide__chooser counter = {.at_await = count_await};

static bool point_reached(void)
{
    if (run.options->cancel_at)
        return run.await_cancelled;
    return run.options->fail_allocation_at && bide__mem_failed();
}

bool bide__test_comes_from(const bide_error *error, int code)
{
    while (error && error->code != code)
        error = error->cause;
    return error != NULL;
}

static void judge(const bide_error *error, const char *what)
{
    int injected = run.options->cancel_at ? BIDE_CANCELLED : BIDE_NO_MEMORY;

    if (!error || (point_reached() && bide__test_comes_from(error, injected)))
        return;
    fprintf(stderr, "%s\n", what);
    bide_error_print(error);
    run.failed = true;
}

static void on_error_nobody_owns(const bide_error *error, void *arg)
{
    (void)arg;
    judge(error, "an error that nobody owns fails the test:");
}

static void call_body(void *arg)
{
    (void)arg;
    if (run.options->fail_allocation_at)
        bide__mem_fail_at(run.options->fail_allocation_at, false);
    run.awaits_left = run.options->cancel_at;
    bide__test_trap(run.options);
    run.body();
}

static bide_async(void) first_task(void)
{
    bide_error *error = bide__boundary(call_body, NULL);

    if (run.options->fail_allocation_at && !point_reached())
        bide__mem_fail_at(0, false);
    run.awaits_left = 0;
    judge(error, "an error that left the test's body fails the test:");
    return bide_void;
}

int bide__test_run(void (*body)(void), const struct bide__test_options *options)
{
    int status;

    run.body = body;
    run.options = options;
    run.failed = run.await_cancelled = false;
    bide__chooser = options->cancel_at ? &counter : NULL;
    bide__lock_order_watched = true;
    status = bide_run(first_task, .virtual_clock = !options->real_clock,
                      .shuffle_seed = options->in_order ? 0 : options->seed,
                      .error_hook = on_error_nobody_owns);
    bide__chooser = NULL;
    if (bide__loose_ends > 0 && !options->loose_ends) {
        fprintf(stderr, "what was left behind, see above, fails the test\n");
        run.failed = true;
    }
    if (bide__reports > 0 && !options->reports) {
        fprintf(stderr, "what was reported, see above, fails the test; `.reports = true` in its "
                        "options allows it\n");
        run.failed = true;
    }
    if (status != 0 || run.failed)
        return -EIO;
    return point_reached() ? 1 : 0;
}
