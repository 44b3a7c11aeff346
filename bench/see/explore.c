/*
 * explore.c: an EXPLORE of three tasks, for the case `explore`: a lock, a wait on the clock, a
 * condition on what the others did; orders, and a cancel at each await. Run with -v, which says how
 * many schedules there were and how long that took.
 */
#include <bide/bide.h>
#include <bide/test.h>

static bide_mutex lock;
static int count;

SPAWNABLE(void, count_up)
async(void) count_up(void)
{
    for (int i = 0; i < 2; i++) {
        with_lock(&lock) {
            int now = count;
            await(bide_yield());
            count = now + 1;
        }
        await(bide_sleep(bide_ms(1)));
    }
    return bide_void;
}

EXPLORE(three_tasks, .schedules = 200000, .timeout_ms = 60000)
{
    count = 0;
    with_group(g) {
        for (int i = 0; i < 3; i++)
            spawn_void(g, count_up);
    }
    check(count == 6 || test_injected());
}
