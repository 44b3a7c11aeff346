/* Two tasks look, await, and act on what they saw. docs/pitfalls/check_then_act.md. */
#include <bide/bide.h>
#include <bide/test.h>

static int balance;

SPAWNABLE(void, withdraw, int)
async(void) withdraw(int amount)
{
    if (balance >= amount) {
        await(bide_yield()); /* asks the bank */
        balance -= amount;
    }
    return bide_void;
}

EXPLORE(nobody_gets_more_than_there_is, .no_cancels = true)
{
    balance = 100;
    with_group(g) {
        spawn_void(g, withdraw, 80);
        spawn_void(g, withdraw, 80);
    }
    check(balance >= 0);
}
