/*
 * D16: a task that can be cancelled.
 *
 * The document: a loop that checks, works, sleeps 0.1 s; on CancelledError it cleans up and raises
 * it again.
 *
 * What goes wrong: without the `raise` the cancel is swallowed and the task runs on; an await in
 * the cleanup can be cut by a second cancel.
 *
 * In bide: on_cancel holds the cleanup, and nothing needs to be raised again. The cleanup may
 * await: it is shielded for a bounded time. A cancel that is caught comes back at the next await,
 * until the task has ended.
 */
#include <bide/bide.h>

#include <stdio.h>

static async(void) clean_up(void *arg)
{
    int *rounds = arg;
    await(bide_sleep(bide_ms(50)));
    printf("cleaned up after %d rounds\n", *rounds);
    return bide_void;
}

SPAWNABLE(void, cancellable)
async(void) cancellable(void)
{
    int rounds = 0;
    on_cancel(clean_up, &rounds);
    while (!bide_cancel_requested()) {
        rounds++;
        await(bide_sleep(bide_ms(100)));
    }
    return bide_void;
}

SPAWNABLE(void, one_nap)
async(void) one_nap(void)
{
    await(bide_sleep(bide_s(1)));
    return bide_void;
}

SPAWNABLE(void, swallowing)
async(void) swallowing(void)
{
    for (int i = 1; i <= 3; i++) {
        bide_error *error;
        attempt(&error, one_nap);
        printf("nap %d: %s\n", i, error ? error->message : "slept");
    }
    await(bide_sleep(bide_s(60)));
    printf("never here\n");
    return bide_void;
}

SPAWNABLE(void, take_result, task(void))
async(void) take_result(task(void) of)
{
    await_task(of);
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        task(void) one = spawn(g, cancellable);
        task(void) two = spawn(g, swallowing);
        await(bide_sleep(bide_ms(350)));
        bide_cancel(one, "no longer needed");
        bide_cancel(two, "no longer needed");
        bide_task_ref both[] = {bide_ref(one), bide_ref(two)};
        await(bide_wait(BIDE_ALL, both, 2));
        printf("both have ended\n");
        bide_error *error;
        attempt(&error, take_result, one);
        printf("raised again: %s\n", error->message);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
