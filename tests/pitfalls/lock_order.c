/* A test in which two locks are taken in both orders, one after the other.
 * docs/pitfalls/deadlock.md. */
#include <bide/bide.h>
#include <bide/test.h>

static async(void) transfer(bide_mutex *from, bide_mutex *to)
{
    with_lock(from)
        with_lock(to)
            await(bide_yield());
    return bide_void;
}

TEST(both_ways)
{
    bide_mutex savings, checking;
    bide_mutex_init(&savings, "savings");
    bide_mutex_init(&checking, "checking");
    await(transfer(&savings, &checking));
    await(transfer(&checking, &savings));
}
