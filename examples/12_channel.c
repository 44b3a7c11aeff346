/*
 * Channel: a queue between tasks, typed and bounded.
 *
 * A producer that is faster than its consumers waits: the capacity is a required argument.
 * with_sender registers the producer; when it leaves, the channel is closed, the consumers receive
 * what is left, then `false`, and end.
 */
#include <bide/bide.h>

#include <stdio.h>

typedef struct order {
    int number, price;
} order;
CHANNEL(order);
typedef bide_channel(order) order_channel;

SPAWNABLE(void, take_orders, order_channel *)
async(void) take_orders(order_channel *orders)
{
    with_sender(orders) {
        for (int i = 1; i <= 6; i++) {
            order next = {.number = i, .price = 10 * i};
            await(bide_send(orders, next));
            printf("took order %d\n", i);
        }
    }
    return bide_void;
}

SPAWNABLE(int, cook, order_channel *)
async(int) cook(order_channel *orders)
{
    int earned = 0;
    order next;
    while (await(bide_receive(orders, &next))) {
        await(bide_sleep(bide_s(1)));
        printf("cooked order %d\n", next.number);
        earned += next.price;
    }
    return ready(int, earned);
}

static async(void) app(void)
{
    with_channel(order, orders, 2) {
        with_group(g) {
            task(int) cooking = spawn(g, cook, orders);
            spawn_void(g, take_orders, orders);
            printf("earned %d\n", await_task(cooking));
        }
        printf("%zu orders waited at the most\n", bide_channel_high_water(orders));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
