/*
 * run_task.c: runs the body of a TEST in a task, with the failures that its options ask for.
 *
 * Called by harness.c in the test's process; calls the runtime, and arms the allocator (base/mem.h)
 * and the core's awaits to fail.
 *
 * 1. An error that leaves the body fails the test, unless it comes from the injected failure.
 * 2. Failures are injected from the body's first line to its last: not while the runtime starts.
 */
#include "harness.h"

#include "base/mem.h"
#include "core/error.h"

#include <bide/runtime.h>

#include <errno.h>
#include <stdio.h>

/*
 * From the core: the n-th await from now on that is a cancellation point raises BIDE_CANCELLED and
 * cancels its task (0: none), and whether that happened. Weak: a core without them is said to be
 * one.
 */
__attribute__((weak)) void bide__cancel_nth_await(uint64_t n);
__attribute__((weak)) bool bide__nth_await_cancelled(void);

static struct {
    void (*body)(void);
    const struct bide__test_options *options;
    bool failed;
} run;

static bool point_reached(void)
{
    if (run.options->cancel_at)
        return bide__nth_await_cancelled();
    return run.options->fail_allocation_at && bide__mem_failed();
}

/* Whether `error`, or what it was raised from, is what the injected failure looks like. */
static bool was_injected(const bide_error *error)
{
    for (; error; error = error->cause) {
        if (error->code == (run.options->cancel_at ? BIDE_CANCELLED : BIDE_NO_MEMORY))
            return point_reached();
    }
    return false;
}

static void judge(const bide_error *error, const char *what)
{
    if (!error || was_injected(error))
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
    if (run.options->cancel_at)
        bide__cancel_nth_await(run.options->cancel_at);
    run.body();
}

static bide_async(void) first_task(void)
{
    bide_error *error = bide__boundary(call_body, NULL);

    if (run.options->fail_allocation_at && !point_reached())
        bide__mem_fail_at(0, false);
    if (run.options->cancel_at && !point_reached())
        bide__cancel_nth_await(0);
    judge(error, "an error that left the test's body fails the test:");
    return bide_void;
}

int bide__test_run(void (*body)(void), const struct bide__test_options *options)
{
    int status;

    run.body = body;
    run.options = options;
    run.failed = false;
    if (options->cancel_at && !bide__cancel_nth_await) {
        fprintf(stderr, "cancel_everywhere: the core of this build cannot count awaits\n");
        return -ENOSYS;
    }
    status = bide_run(first_task, .virtual_clock = !options->real_clock,
                      .shuffle_seed = options->in_order ? 0 : options->seed,
                      .error_hook = on_error_nobody_owns);
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
