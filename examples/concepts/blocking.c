/* Blocking and non-blocking: who else gets on while one waits. */
#include <bide/bide.h>
#include <stdio.h>
#include <unistd.h>

SPAWNABLE(void, count, int *)
async(void) count(int *steps)
{
    for (;; ++*steps)
        await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static async(void) app(void)
{
    int steps = 0; /* before the block: the group's children may use it to their end */
    with_group(g) {
        spawn_void(g, count, &steps);
        await(bide_yield());
        usleep(20000); /* blocks the thread, and with it every task */
        printf("while blocking, the other task made %s step\n", steps ? "a" : "no");
        while (steps < 4)
            await(bide_sleep(bide_ms(1))); /* only this task waits */
        printf("while waiting, it made %d\n", steps);
        bide_group_cancel(g, "seen enough");
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
