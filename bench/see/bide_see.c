/* What is counted and looked at by run.py; with a library and with -DBIDE_SEE=0 for both.
 *
 *     bide_see await COUNT     awaits of a function that does not wait
 *     bide_see suspend COUNT   awaits that suspend: two tasks yield to each other
 *     bide_see wake COUNT      awaits that wait and are woken: two tasks, two semaphores
 *     bide_see tasks COUNT     so many tasks that sleep, and one that runs; prints `up`
 */
#include <bide/bide.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long count;
static const char *what;

/* Weak, so that the compiler does not look into it. */
async(int) add(int value);
__attribute__((weak)) async(int) add(int value)
{
    return ready(int, value + 1);
}

static async(void) yielder(long times)
{
    for (long i = 0; i < times; i++)
        await(bide_yield());
    return bide_void;
}
SPAWNABLE(void, yielder, long)

static bide_semaphore turns[2];

static async(void) player(int me, long times)
{
    for (long i = 0; i < times; i++) {
        await(bide_acquire(&turns[me]));
        bide_release(&turns[!me]);
    }
    return bide_void;
}
SPAWNABLE(void, player, int, long)

static async(void) sleeper(void)
{
    await(bide_sleep(bide_s(1000)));
    return bide_void;
}
SPAWNABLE(void, sleeper)

static async(void) ticker(void)
{
    for (;;)
        await(bide_sleep(bide_ms(1)));
}
SPAWNABLE(void, ticker)

static async(void) run(void)
{
    int sum = 0;
    if (strcmp(what, "await") == 0) {
        for (long i = 0; i < count; i++)
            sum = await(add(sum));
        return bide_void;
    }
    bide_semaphore_init(&turns[0], 1, "this one's turn");
    bide_semaphore_init(&turns[1], 1, "that one's turn");
    await(bide_acquire(&turns[1]));
    with_group(g) {
        if (strcmp(what, "suspend") == 0) {
            spawn_void(g, yielder, count / 2);
            spawn_void(g, yielder, count / 2);
        } else if (strcmp(what, "wake") == 0) {
            spawn_void(g, player, 0, count / 2);
            spawn_void(g, player, 1, count / 2);
        } else {
            for (long i = 0; i < count; i++)
                spawn_void(g, sleeper);
            spawn_void(g, ticker);
            await(bide_sleep(bide_ms(50)));
            printf("up\n");
            fflush(stdout);
        }
    }
    return bide_void;
}

int main(int argc, char **argv)
{
    what = argc > 1 ? argv[1] : "await";
    count = argc > 2 ? atol(argv[2]) : 0;
    return bide_run(run);
}
