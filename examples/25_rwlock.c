/*
 * Read-write lock and barrier: many at a time, or one alone; all together.
 *
 * The readers of a price list go on beside each other; who writes it is alone. The barrier holds
 * each of three clerks back until all three have closed their till.
 */
#include <bide/bide.h>

#include <stdio.h>

static bide_rwlock prices;
static int price = 10;

SPAWNABLE(void, change_price, int)
async(void) change_price(int to)
{
    with_write_lock(&prices) {
        await(bide_sleep(bide_ms(20)));
        price = to;
        printf("the price is %d now\n", price);
    }
    return bide_void;
}

SPAWNABLE(void, clerk, int, bide_barrier *)
async(void) clerk(int number, bide_barrier *closed)
{
    int sold = 0;
    for (int i = 0; i < 3; i++) {
        with_read_lock(&prices) {
            await(bide_sleep(bide_ms(10 * number)));
            sold += price;
        }
    }
    printf("clerk %d sold for %d\n", number, sold);
    with_party(closed)
    {
        if (await(bide_barrier_wait(closed)) == closed->parties - 1)
            printf("clerk %d was the last, all go home\n", number);
    }
    return bide_void;
}

static async(void) app(void)
{
    bide_barrier closed;
    bide_barrier_init(&closed, 3, "closing time");
    bide_rwlock_init(&prices, "prices");
    with_group(g) {
        for (int i = 1; i <= 3; i++)
            spawn_void(g, clerk, i, &closed);
        await(bide_sleep(bide_ms(5)));
        spawn_void(g, change_price, 11);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
