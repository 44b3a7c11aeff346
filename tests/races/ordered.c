/* Everything by which tasks order what they do with a value: nothing is a race here. */
#include <bide/bide.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int value;
static bide_mutex mutex;
static bide_semaphore one;
static bide_rwlock lock;
static bide_once once;
static bide_event event;
static bide_condition condition;
static bool condition_holds;
static bide_barrier barrier;
static int parts[3];

static async(void) add_one(void)
{
    int before = value;
    await(bide_yield());
    value = before + 1;
    return bide_void;
}

SPAWNABLE(void, by_lock, int)
async(void) by_lock(int times)
{
    for (int i = 0; i < times; i++) {
        with_lock(&mutex)
            await(add_one());
        with_slot(&one)
            await(bide_yield());
    }
    return bide_void;
}

SPAWNABLE(void, by_slot, int)
async(void) by_slot(int times)
{
    for (int i = 0; i < times; i++)
        with_slot(&one)
            await(add_one());
    return bide_void;
}

SPAWNABLE(void, by_rwlock, int)
async(void) by_rwlock(int times)
{
    for (int i = 0; i < times; i++) {
        with_write_lock(&lock)
            await(add_one());
        with_read_lock(&lock) {
            int seen = value;
            await(bide_yield());
            if (seen != value)
                abort();
        }
    }
    return bide_void;
}

static async(void) prepare(void *arg)
{
    (void)arg;
    await(add_one());
    return bide_void;
}

SPAWNABLE(void, by_once, int)
async(void) by_once(int least)
{
    await(bide_once_run(&once, prepare, NULL));
    if (value < least)
        abort();
    return bide_void;
}

SPAWNABLE(void, by_event, bool)
async(void) by_event(bool sets)
{
    if (!sets)
        await(bide_event_wait(&event));
    value++;
    if (sets)
        bide_event_set(&event);
    return bide_void;
}

SPAWNABLE(void, by_condition, bool)
async(void) by_condition(bool notifies)
{
    with_lock(&mutex) {
        if (notifies) {
            condition_holds = true;
            bide_notify_all(&condition);
        }
        await(bide_wait_until(&condition, &mutex, condition_holds));
        value++;
    }
    return bide_void;
}

SPAWNABLE(void, by_barrier, int)
async(void) by_barrier(int me)
{
    with_party(&barrier) {
        for (int round = 1; round <= 3; round++) {
            parts[me] = round;
            await(bide_barrier_wait(&barrier));
            if (parts[0] + parts[1] + parts[2] != 3 * round)
                abort();
            await(bide_barrier_wait(&barrier));
        }
    }
    return bide_void;
}

/* One value after the other in the same place: each is read before the next is written. */
typedef char *text;
CHANNEL(text);
typedef bide_channel(text) texts;

SPAWNABLE(void, send_texts, texts *)
async(void) send_texts(texts *channel)
{
    for (int i = 0; i < 20; i++) {
        char *text = malloc(16);
        snprintf(text, 16, "%d", i);
        await(bide_send(channel, text));
    }
    bide_channel_close(channel);
    return bide_void;
}

static async(void) by_channel(size_t capacity)
{
    with_channel(text, channel, capacity) {
        with_group(g) {
            spawn_void(g, send_texts, channel);
            char *text;
            while (await(bide_receive(channel, &text))) {
                value += (int)strlen(text);
                free(text);
            }
        }
    }
    return bide_void;
}

/* Without an await between, other tasks cannot come in. */
SPAWNABLE(void, by_region, int)
async(void) by_region(int times)
{
    for (int i = 0; i < times; i++) {
        with_no_await
            value++;
        await(bide_yield());
    }
    return bide_void;
}

OFFLOADABLE(int, doubled, int *)
int doubled(int *number)
{
    return *number *= 2;
}

SPAWNABLE(int, by_lane, int)
async(int) by_lane(int number)
{
    int mine = number;
    if (await(offload(BIDE_CPU, doubled, &mine)) != mine)
        abort();
    return ready(int, mine);
}

SPAWNABLE(void, fails, int)
async(void) fails(int after_ms)
{
    await(bide_sleep(bide_ms(after_ms)));
    fail(bide_error_new(BIDE_INVALID, "after %d ms", after_ms));
}

static async(void) app(void)
{
    bide_semaphore_init(&one, 1, "one");
    bide_barrier_init(&barrier, 3, "three");
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, by_lock, 10);
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, by_slot, 10);
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, by_rwlock, 10);
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, by_once, 91);
    for (int i = 0; i < 2; i++)
        with_group(g) {
            spawn_void(g, by_event, false);
            spawn_void(g, by_event, true);
        }
    with_group(g) {
        spawn_void(g, by_condition, false);
        spawn_void(g, by_condition, true);
    }
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, by_barrier, i);
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, by_region, 10);
    await(by_channel(0));
    await(by_channel(4));
    with_group(g) {
        task(int) a = spawn(g, by_lane, 1), b = spawn(g, by_lane, 2);
        value += await_task(a) + await_task(b);
    }
    for (int i = 1; i < 4; i++) {
        bide_error *err;
        attempt(&err, fails, i);
        value += err ? (int)strlen(err->message) : 0;
    }
    printf("%d\n", value);
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
