/* Two locks in opposite order.
   Fix: Take the locks in the same order everywhere. */
#include <bide/bide.h>

SPAWNABLE(void, transfer, bide_mutex *, bide_mutex *)
async(void) transfer(bide_mutex *from, bide_mutex *to)
{
    with_lock(from) {
        await(bide_sleep(bide_ms(1)));
        with_lock(to) {
            await(bide_yield());
        }
    }
    return bide_void;
}

static async(void) app(void)
{
    bide_mutex savings, checking;
    bide_mutex_init(&savings, "savings");
    bide_mutex_init(&checking, "checking");
    with_group(g) {
        spawn_void(g, transfer, &savings, &checking);
        spawn_void(g, transfer, &checking, &savings);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
