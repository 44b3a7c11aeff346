/* A lock inside of a block that holds it. docs/pitfalls/self_deadlock.md. */
#include <bide/bide.h>

async(void) transfer(bide_mutex *accounts);
async(void) transfer(bide_mutex *accounts)
{
    with_lock(accounts) {
        await(bide_yield());
        with_lock(accounts)
            await(bide_yield());
    }
    return bide_void;
}
