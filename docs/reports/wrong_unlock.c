/* A task unlocks a mutex that another one holds.
   Fix: Use with_lock: the task that locked unlocks, on every way out. */
#include <bide/bide.h>

static bide_mutex lock;

SPAWNABLE(void, holder)
async(void) holder(void)
{
    with_lock(&lock) {
        await(bide_sleep(bide_s(1)));
    }
    return bide_void;
}

SPAWNABLE(void, meddler)
async(void) meddler(void)
{
    await(bide_yield());
    bide_unlock(&lock);
    return bide_void;
}

static async(void) app(void)
{
    bide_mutex_init(&lock, "accounts");
    with_group(g) {
        spawn_void(g, holder);
        spawn_void(g, meddler);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
