/*
 * C14: "there are no races and no deadlocks in a coroutine".
 *
 * The document: because only one coroutine runs at a time, races and deadlocks were said not to
 * happen.
 *
 * What goes wrong: a value that was read before an await is old after it: 100 increments of that
 * shape end at 1. Two locks taken in opposite order wait for each other for ever, and the program
 * stands still.
 *
 * In bide: the lost updates are as easily written; a lock around read, await and write makes them
 * 100. The second task that would wait in a circle fails at once with BIDE_DEADLOCK, and the report
 * names both tasks, both locks and all four lines; the program goes on.
 */
#include <bide/bide.h>

#include <stdio.h>

struct counter {
    bide_mutex lock;
    int value;
    int lost; /* updates that overwrote one that they had not seen */
};

SPAWNABLE(void, increment, struct counter *)
async(void) increment(struct counter *c)
{
    int seen = c->value;
    await(bide_sleep(bide_ms(1)));
    if (c->value != seen)
        c->lost++;
    c->value = seen + 1;
    return bide_void;
}

SPAWNABLE(void, increment_locked, struct counter *)
async(void) increment_locked(struct counter *c)
{
    with_lock(&c->lock) {
        await(increment(c));
    }
    return bide_void;
}

SPAWNABLE(void, transfer, bide_mutex *, bide_mutex *)
async(void) transfer(bide_mutex *from, bide_mutex *to)
{
    with_lock(from) {
        await(bide_sleep(bide_ms(1)));
        with_lock(to) {
            printf("transferred\n");
        }
    }
    return bide_void;
}

SPAWNABLE(void, both_ways)
async(void) both_ways(void)
{
    bide_mutex left, right;
    bide_mutex_init(&left, "left");
    bide_mutex_init(&right, "right");
    with_group(g) {
        spawn_void(g, transfer, &left, &right);
        spawn_void(g, transfer, &right, &left);
    }
    return bide_void;
}

static async(void) app(void)
{
    struct counter plain = {.value = 0}, locked = {.value = 0};
    with_group(g) {
        for (int i = 0; i < 100; i++) {
            spawn_void(g, increment, &plain);
            spawn_void(g, increment_locked, &locked);
        }
    }
    printf("without the lock %d, %d updates lost\n", plain.value, plain.lost);
    printf("with the lock %d, %d updates lost\n", locked.value, locked.lost);

    bide_error *error;
    attempt(&error, both_ways);
    printf("opposite order: %s: %s\n", bide_code_name(error->code), error->message);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
