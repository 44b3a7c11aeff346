/*
 * stress_test.c: many tasks that use every primitive in a random order while others are cancelled
 * or run into deadlines, from the test's seed. Afterwards nothing is held, nobody waits, nothing is
 * lost.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "base/rng.h"

enum { TASKS = 60, STEPS = 40, SLOTS = 3 };

struct world {
    struct bide__rng rng;
    bide_mutex mutex, second;
    bide_semaphore semaphore;
    bide_condition changed;
    bide_event event;
    bide_once once;
    bide_channel(int) *buffered;
    bide_channel(int) *rendezvous;
    bool in_mutex;
    int in_slots;
    int sent, received; /* through both channels */
    int ready;          /* what the condition is about */
    int once_runs;
};

static int dice(struct world *world, uint64_t sides)
{
    return (int)bide__rng_below(&world->rng, sides);
}

static void leave_mutex(void *arg)
{
    struct world *world = arg;
    check(world->in_mutex);
    world->in_mutex = false;
}

static void leave_slot(void *arg)
{
    struct world *world = arg;
    world->in_slots--;
}

static async(void) pause_randomly(struct world *world)
{
    if (dice(world, 2))
        await(bide_yield());
    else
        await(bide_sleep(bide_us(dice(world, 300))));
    return bide_void;
}

static async(void) use_locks(struct world *world)
{
    with_lock(&world->mutex) {
        check(!world->in_mutex);
        world->in_mutex = true;
        defer(leave_mutex, world);
        await(pause_randomly(world));
        with_lock(&world->second) {
            await(pause_randomly(world));
        }
    }
    with_slot(&world->semaphore) {
        check(++world->in_slots <= SLOTS);
        defer(leave_slot, world);
        await(pause_randomly(world));
    }
    return bide_void;
}

static async(void) use_condition(struct world *world)
{
    with_lock(&world->second) {
        if (dice(world, 2)) {
            world->ready++;
            bide_notify_one(&world->changed);
        } else {
            await(bide_wait_until(&world->changed, &world->second, world->ready > 0));
            world->ready--;
        }
    }
    return bide_void;
}

static async(void) use_channels(struct world *world)
{
    int value = 0;
    bide_channel(int) *c = dice(world, 2) ? world->buffered : world->rendezvous;
    switch (dice(world, 3)) {
    case 0:
        await(bide_send(c, 1));
        world->sent++;
        break;
    case 1:
        if (await(bide_receive(c, &value)))
            world->received += value;
        break;
    default: {
        bide_select_case cases[] = {bide_case_receive(world->buffered, &value),
                                    bide_case_receive(world->rendezvous, &value),
                                    bide_case_send(c, 1)};
        if (await(bide_select(cases, 3)) == 2)
            world->sent++;
        world->received += value;
    }
    }
    return bide_void;
}

static async(void) run_once(void *arg)
{
    struct world *world = arg;
    await(pause_randomly(world));
    world->once_runs++;
    return bide_void;
}

static async(void) step(struct world *world)
{
    with_deadline(bide_us(200 + dice(world, 2000))) {
        switch (dice(world, 6)) {
        case 0:
        case 1:
            await(use_locks(world));
            break;
        case 2:
            await(use_condition(world));
            break;
        case 3:
            await(bide_once_run(&world->once, run_once, world));
            break;
        case 4:
            if (dice(world, 2))
                bide_event_set(&world->event);
            else
                await(bide_event_wait(&world->event));
            bide_event_clear(&world->event);
            break;
        default:
            await(use_channels(world));
        }
    }
    return bide_void;
}
SPAWNABLE(void, step, struct world *)

SPAWNABLE(void, live, struct world *)
async(void) live(struct world *world)
{
    for (int i = 0; i < STEPS; i++) {
        bide_error *error;
        attempt(&error, step, world);
        if (error)
            check(error->code == BIDE_TIMEOUT || error->code == BIDE_CANCELLED);
    }
    return bide_void;
}

SPAWNABLE(void, cancel_some, struct world *, bide_task_ref *)
async(void) cancel_some(struct world *world, bide_task_ref *tasks)
{
    for (int i = 0; i < TASKS / 3; i++) {
        await(bide_sleep(bide_us(dice(world, 2000))));
        bide_cancel_task(tasks[dice(world, TASKS)], "stress");
    }
    return bide_void;
}

static void nobody_waits(const struct bide__queue *queue)
{
    check(!queue->first && !queue->last);
}

TEST(random_use_with_cancels_and_deadlines, .reports = true) /* its tasks go on after a cancel */
{
    struct world world = {.in_mutex = false};
    bide_task_ref tasks[TASKS];
    bide__rng_init(&world.rng, test_seed() + 1);
    bide_semaphore_init(&world.semaphore, SLOTS, "slots");
    world.buffered = bide_channel_new(int, 3, "buffered");
    world.rendezvous = bide_channel_new(int, 0, "rendezvous");
    require(world.buffered && world.rendezvous);
    with_group(g) {
        for (int i = 0; i < TASKS; i++) {
            task(void) one = spawn(g, live, &world);
            tasks[i] = bide_ref(one);
        }
        spawn_void(g, cancel_some, &world, tasks);
        await(bide_wait(BIDE_ALL, tasks, TASKS));
        bide_group_cancel(g, "the results are not wanted");
    }
    check(!world.mutex.owner && !world.second.owner);
    nobody_waits(&world.mutex.waiting);
    nobody_waits(&world.second.waiting);
    nobody_waits(&world.semaphore.waiting);
    nobody_waits(&world.changed.waiting);
    nobody_waits(&world.event.waiting);
    nobody_waits(&world.once.waiting);
    nobody_waits(&world.buffered->channel.senders);
    nobody_waits(&world.buffered->channel.receivers);
    nobody_waits(&world.rendezvous->channel.senders);
    nobody_waits(&world.rendezvous->channel.receivers);
    check_int(bide_semaphore_available(&world.semaphore), SLOTS);
    check(!world.semaphore.holders);
    check_int(world.in_slots, 0);
    check(!world.in_mutex);
    check(world.once_runs <= 1);
    check(world.ready >= 0);
    check_int(world.received + (int)bide_channel_count(world.buffered), world.sent);
    check(world.sent > TASKS / 2);
    bide_channel_free(world.buffered);
    bide_channel_free(world.rendezvous);
}
