/*
 * Mutex: for what is looked at, then awaited, then changed.
 *
 * Between two awaits nothing else runs on a loop, so plain data needs no lock. But a value that was
 * read before an await may be old after it. with_lock may hold across awaits; two locks taken in
 * opposite order are an error at once, not a program that hangs.
 */
#include <bide/bide.h>

#include <stdio.h>

typedef struct account {
    bide_mutex lock; /* all zero is free */
    int balance;
} account;

SPAWNABLE(void, deposit_unlocked, account *, int)
async(void) deposit_unlocked(account *a, int amount)
{
    int old = a->balance;
    await(bide_sleep(bide_ms(10))); /* the others read the same old balance meanwhile */
    a->balance = old + amount;
    return bide_void;
}

SPAWNABLE(void, deposit, account *, int)
async(void) deposit(account *a, int amount)
{
    with_lock(&a->lock) {
        int old = a->balance;
        await(bide_sleep(bide_ms(10)));
        a->balance = old + amount;
    }
    return bide_void;
}

static async(void) app(void)
{
    account careless = {.balance = 0}, careful = {.balance = 0};
    with_group(g) {
        for (int i = 0; i < 10; i++) {
            spawn_void(g, deposit_unlocked, &careless, 5);
            spawn_void(g, deposit, &careful, 5);
        }
    }
    printf("without the lock %d, with it %d\n", careless.balance, careful.balance);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
