/* Two tasks read a value, wait, and write what they make of it: there is no thread here, and
 * nevertheless a race, of the lines 17 and 19. */
#include <bide/bide.h>

#include <stdio.h>

struct account {
    int balance;
};

static struct account account = {100};

SPAWNABLE(void, withdraw, int)
async(void) withdraw(int amount)
{
    struct account *mine = &account;
    int balance = mine->balance;
    await(bide_sleep(bide_ms(1)));
    mine->balance = balance - amount;
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        spawn_void(g, withdraw, 10);
        spawn_void(g, withdraw, 20);
    }
    printf("%d\n", account.balance);
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
