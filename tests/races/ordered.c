/* Everything by which tasks order what they do with a value: nothing is a race here. */
#include <bide/bide.h>
#include <bide/log.h>

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
    with_party(&barrier)
    {
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

/* Each hands over what it points to, at a select beside others that do not happen. */
static async(void) by_select(void)
{
    with_channel(text, idle, 1) {
        with_channel(text, channel, 1) {
            with_group(g) {
                spawn_void(g, send_texts, channel);
                for (;;) {
                    char *text;
                    bide_select_case cases[] = {bide_case_receive(idle, &text),
                                                bide_case_receive(channel, &text),
                                                bide_case_after(bide_s(10))};
                    if (await(bide_select(cases, 3)) != 1)
                        abort();
                    if (cases[1].closed)
                        break;
                    value += (int)strlen(text);
                    free(text);
                }
            }
        }
    }
    return bide_void;
}

/* Between loops, and between tasks of one. */
CROSS_CHANNEL(text);
typedef bide_cross_channel(text) cross_texts;

SPAWNABLE(void, send_across, cross_texts *)
async(void) send_across(cross_texts *channel)
{
    for (int i = 0; i < 20; i++) {
        char *text = malloc(16);
        snprintf(text, 16, "%d", i);
        await(bide_cross_send(channel, text));
    }
    bide_cross_close(channel);
    return bide_void;
}

static async(void) by_cross_channel(int loop)
{
    with_cross_channel(text, channel, 2)
    {
        with_group(g) {
            spawn_void_on(g, loop, send_across, channel);
            char *text;
            while (await(bide_cross_receive(channel, &text))) {
                value += (int)strlen(text);
                free(text);
            }
        }
    }
    return bide_void;
}

/* A call of another loop has what its caller did, and the caller what it did. */
SPAWNABLE(int, add_there, int *)
async(int) add_there(int *number)
{
    *number += 1;
    await(bide_yield());
    return ready(int, *number += 1);
}

static async(void) by_remote_call(void)
{
    for (int i = 0; i < 10; i++) {
        value++;
        with_group(g) {
            task(int) added = spawn_on(g, 1, add_there, &value);
            if (await_task(added) != value)
                abort();
        }
    }
    return bide_void;
}

/* Who asks and who gives take turns. */
GENERATOR(text);
GENERATES(text, make_texts, int)
async(void) make_texts(bide_gen(text) * gen, int count)
{
    for (int i = 0; i < count; i++) {
        char *text = malloc(16);
        snprintf(text, 16, "%d", value++);
        await(bide_give(gen, text));
        free(text);
    }
    return bide_void;
}

/* The value comes when nobody waits any more, and is for the next who asks. */
GENERATES(text, make_late, int)
async(void) make_late(bide_gen(text) * gen, int ms)
{
    char *text = malloc(16);
    await(bide_sleep(bide_ms(ms)));
    strcpy(text, "late");
    await(bide_give(gen, text));
    free(text);
    return bide_void;
}

typedef bide_gen(text) made_texts;
SPAWNABLE(void, ask_once, made_texts *)
async(void) ask_once(made_texts *gen)
{
    char *text;
    with_deadline(bide_ms(1))
        if (await(bide_next(gen, &text)))
            value += (int)strlen(text);
    return bide_void;
}

static async(void) by_late_generator(void)
{
    with_generator(late, make_late, 20)
    {
        bide_error *err;
        attempt(&err, ask_once, late);
        await(bide_sleep(bide_ms(40)));
        char *text;
        if (await(bide_next(late, &text)))
            value += (int)strlen(text);
    }
    return bide_void;
}

static async(void) by_generator(void)
{
    with_generator(texts, make_texts, 10)
    {
        char *text;
        while (await(bide_next(texts, &text)))
            value += (int)strlen(text);
    }
    return bide_void;
}

/* The last task that has a value ends it. */
static void free_text(void *local)
{
    char **text = local;
    (*text)[0] = '\0';
    free(*text);
}
static TASK_LOCAL_WITH(text, shared_text, BIDE_LOCAL_ALL, free_text);

SPAWNABLE(void, read_local, int)
async(void) read_local(int times)
{
    for (int i = 0; i < times; i++)
        await(bide_yield());
    if (strcmp(*bide_local_get(shared_text), "shared") != 0)
        abort();
    return bide_void;
}

static async(void) by_local(void)
{
    with_group(g) {
        for (int last = 0; last < 2; last++) {
            text made = strdup("shared");
            bide_local_set(shared_text, made);
            for (int i = 1; i < 4; i++)
                spawn_void(g, read_local, last ? i : 4 - i);
        }
        bide_local_clear(shared_text);
    }
    return bide_void;
}

/* What was done before bide_task_ready. */
SPAWNABLE(void, prepare_part, int)
async(void) prepare_part(int part)
{
    parts[part] = 7;
    bide_task_ready();
    await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static async(void) by_ready(void)
{
    with_group(g) {
        for (int i = 0; i < 200; i++) {
            await(start_ready(g, prepare_part, i % 3));
            parts[i % 3]++;
        }
    }
    return bide_void;
}

SPAWNABLE(void, fail_with, int)
async(void) fail_with(int part)
{
    parts[part] = 9;
    await(bide_yield());
    fail(bide_error_new(BIDE_INVALID, "it has failed"));
}

SPAWNABLE(int, fill_part, int)
async(int) fill_part(int part)
{
    parts[part] = 5;
    await(bide_yield());
    return ready(int, parts[part]);
}

/* The end of a task, or of all of a group, is seen without waiting for it; or it has failed. */
static async(void) by_done(void)
{
    with_group(g) {
        task(int) child = spawn(g, fill_part, 0);
        while (!bide_task_done(bide_ref(child)))
            await(bide_yield());
        parts[0]++;
        task(int) other = spawn(g, fill_part, 1);
        for (int i = 0; i < 4; i++)
            await(bide_yield());
        const bide_task_ref refs[] = {bide_ref(child), bide_ref(other)};
        await(bide_wait(BIDE_ALL, refs, 2));
        parts[1]++;
        if (await_task(child) + await_task(other) != 10)
            abort();
    }
    with_group(g) {
        spawn_void(g, prepare_part, 1);
        while (bide_group_live(g) > 0)
            await(bide_yield());
        parts[1]++;
    }
    return bide_void;
}

/* A connection is lent to one after the other, by whatever way; the pool's tasks have it between.
 */
struct connection {
    int uses;
    bool dirty;
};

static async(bide_connection) dial(void *arg)
{
    struct connection *made = malloc(sizeof *made);
    (void)arg;
    *made = (struct connection){0, false};
    await(bide_yield());
    return ready(bide_connection, made);
}

static async(void) hang_up(void *connection)
{
    if (((struct connection *)connection)->uses == 0)
        abort();
    free(connection);
    await(bide_yield());
    return bide_void;
}

static async(void) clean_up(void *connection)
{
    await(bide_yield());
    ((struct connection *)connection)->dirty = false;
    return bide_void;
}

static bool is_clean(void *connection)
{
    return !((struct connection *)connection)->dirty;
}

SPAWNABLE(void, use_connection, bide_pool *, int)
async(void) use_connection(bide_pool *pool, int me)
{
    for (int i = 0; i < 20; i++) {
        with_pooled(lent, pool) {
            struct connection *connection = lent;
            connection->uses++;
            await(bide_yield());
            connection->dirty = (i + me) % 3 == 0;
        }
        bide_pooled *lease = await(bide_pool_acquire(pool));
        ((struct connection *)lease->connection)->uses++;
        bide_pool_release(lease);
        await(bide_yield());
    }
    return bide_void;
}

/* Two pools, so that a task often takes from another one than the last. */
static async(void) by_pool(void)
{
    static const struct bide_pool_driver driver = {
        .open = dial, .close = hang_up, .is_idle = is_clean, .reset = clean_up, .ping = clean_up};
    const struct bide_pool_options options = {.pool_size = 2, .pool_pre_ping = bide_us(50)};
    bide_pool *pools[] = {bide_pool_new(&driver, NULL, &options),
                          bide_pool_new(&driver, NULL, &options)};
    with_group(g)
        for (int i = 0; i < 6; i++)
            spawn_void(g, use_connection, pools[i % 2], i);
    for (int i = 0; i < 2; i++) {
        await(bide_pool_close(pools[i], bide_s(10)));
        bide_pool_free(pools[i]);
    }
    return bide_void;
}

/* What a call did before it failed, or was cancelled, the next one finds. */
static async(void) by_retry(void)
{
    const bide_retry_policy policy = {.tries = 3, .first = bide_ms(1), .codes = {BIDE_INVALID}};
    bide_error *err;
    parts[0] = 0;
    retry(&err, &policy, fail_with, 0);
    parts[0]++;
    return bide_void;
}

SPAWNABLE(void, lock_for_a_moment, int)
async(void) lock_for_a_moment(int unused)
{
    (void)unused;
    with_deadline(bide_ms(1))
        with_lock(&mutex)
            await(bide_yield());
    return bide_void;
}

/* Who only looks is in order, too, also when it gives up waiting. */
SPAWNABLE(void, look_and_give_up, int)
async(void) look_and_give_up(int times)
{
    for (int i = 0; i < times; i++) {
        if (bide_mutex_is_mine(&mutex) || bide_event_is_set(&event))
            bide_event_clear(&event);
        bide_error *err;
        attempt(&err, lock_for_a_moment, 0);
        await(bide_yield());
    }
    return bide_void;
}

SPAWNABLE(void, hold_for_long, int)
async(void) hold_for_long(int times)
{
    for (int i = 0; i < times; i++) {
        with_lock(&mutex)
            await(bide_sleep(bide_ms(3)));
        bide_event_set(&event);
        await(bide_yield());
    }
    return bide_void;
}

/* A cell belongs to all; between get and set nothing waits. */
static bide_cell(int) common;

SPAWNABLE(void, by_cell, int)
async(void) by_cell(int times)
{
    for (int i = 0; i < times; i++) {
        cell_set(&common, cell_get(&common) + 1);
        await(bide_yield());
    }
    return bide_void;
}

/* What all write into the log lies in one place. */
SPAWNABLE(void, say, int)
async(void) say(int number)
{
    for (int i = 0; i < 20; i++) {
        bide_log(BIDE_LOG_INFO, "%d says %d", number, i);
        await(bide_yield());
    }
    return bide_void;
}

static void drop_line(void *arg, const char *line, size_t length)
{
    (void)arg, (void)line, (void)length;
}

SPAWNABLE(void, fails, int)
async(void) fails(int after_ms)
{
    await(bide_sleep(bide_ms(after_ms)));
    fail(bide_error_new(BIDE_INVALID, "after %d ms", after_ms));
}

static async(void) app(void)
{
    if (bide_loop_index() > 0) {
        await(bide_until_stop());
        return bide_void;
    }
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
    await(by_select());
    await(by_cross_channel(0));
    await(by_cross_channel(1));
    await(by_remote_call());
    await(by_generator());
    await(by_late_generator());
    await(by_local());
    await(by_ready());
    await(by_done());
    await(by_pool());
    await(by_retry());
    with_group(g)
        for (int i = 0; i < 3; i++) {
            spawn_void(g, by_cell, 10);
            spawn_void(g, say, i);
            spawn_void(g, look_and_give_up, 5);
            spawn_void(g, hold_for_long, 5);
        }
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
    bide_stop("all is done");
    return bide_void;
}

int main(void)
{
    bide_log_open(&(bide_log_options){.sink = drop_line});
    int status = bide_run(app, .loops = 2);
    bide_log_close();
    return status;
}
