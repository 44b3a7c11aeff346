/*
 * Cancel: asking a task to stop.
 *
 * A cancelled task's awaits raise, again and again, until it ends: its cleanups run, and nothing
 * can swallow the cancel for good. A hand-over that must not be cut stands in `shielded`, which is
 * bounded. Being cancelled is no failure of the group.
 */
#include <bide/bide.h>

#include <stdio.h>

static void goodbye(void *arg)
{
    (void)arg;
    printf("worker: cleaned up\n");
}

SPAWNABLE(void, worker)
async(void) worker(void)
{
    on_cancel(goodbye, NULL);
    for (int round = 1;; round++) {
        printf("worker: round %d\n", round);
        shielded(bide_s(1)) {
            await(bide_sleep(bide_ms(400)));
            await(bide_sleep(bide_ms(400)));
            printf("worker: handed over %d\n", round);
        }
        await(bide_sleep(bide_ms(200)));
    }
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        task(void) one = spawn(g, worker);
        await(bide_sleep(bide_ms(1500))); /* in the middle of round 2 */
        bide_cancel(one, "the shift is over");
        bide_task_ref ref = bide_ref(one);
        await(bide_wait(BIDE_ALL, &ref, 1));
        printf("app: the worker has ended\n");
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
