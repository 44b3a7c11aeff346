/*
 * condition_test.c: the condition: no lost wake-up, the lock on every way out, signals passed on,
 * order, misuse.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>
#include <string.h>

struct store {
    bide_mutex lock;
    bide_condition changed;
    int count;
    int taken;
    int held_at_exit; /* unwound or not, the lock was held when the wait was left */
    char order[32];
};

static void note(struct store *store, char who)
{
    size_t length = strlen(store->order);
    if (length + 1 < sizeof store->order)
        store->order[length] = who;
}

static void note_held(void *arg)
{
    struct store *store = arg;
    store->held_at_exit += bide_mutex_is_mine(&store->lock);
}

static async(void) take(struct store *store, int at_least)
{
    with_lock(&store->lock) {
        defer(note_held, store);
        await(bide_wait_until(&store->changed, &store->lock, store->count >= at_least));
        check(bide_mutex_is_mine(&store->lock));
        check(store->count >= at_least);
        store->count -= at_least;
        store->taken += at_least;
        note(store, (char)('0' + at_least));
    }
    return bide_void;
}
SPAWNABLE(void, take, struct store *, int)

static async(void) put(struct store *store, int number, bool all)
{
    with_lock(&store->lock) {
        store->count += number;
        if (all)
            bide_notify_all(&store->changed);
        else
            bide_notify_one(&store->changed);
    }
    return bide_void;
}

TEST(a_true_predicate_does_not_wait)
{
    struct store store = {.count = 1};
    await(take(&store, 1));
    check_int(store.taken, 1);
    check_int(store.changed.tickets, 0);
}

TEST(one_signal_wakes_one_and_none_is_lost)
{
    struct store store = {0};
    bide_condition_init(&store.changed, "changed");
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, take, &store, 1);
        for (int i = 1; i <= 5; i++) {
            await(bide_sleep(bide_ms(1)));
            await(put(&store, 1, false));
            await(bide_sleep(bide_ms(1)));
            check_int(store.taken, i);
        }
    }
    check_int(store.held_at_exit, 5);
    check(!store.lock.owner);
}

TEST(notify_all_lets_everyone_look_in_order, .in_order = true)
{
    struct store store = {0};
    with_group(g) {
        for (int i = 1; i <= 4; i++)
            spawn_void(g, take, &store, i);
        await(bide_sleep(bide_ms(1)));
        await(put(&store, 10, true));
    }
    check_str(store.order, "1234");
}

TEST(a_signal_passes_those_who_cannot_use_it)
{
    struct store store = {0};
    with_group(g) {
        spawn_void(g, take, &store, 9);
        await(bide_sleep(bide_ms(1)));
        spawn_void(g, take, &store, 8);
        await(bide_sleep(bide_ms(1)));
        spawn_void(g, take, &store, 1);
        await(bide_sleep(bide_ms(1)));
        await(put(&store, 1, false));
        await(bide_sleep(bide_ms(1)));
        check_str(store.order, "1");
        await(put(&store, 17, true));
    }
    check_int(store.taken, 18);
}

TEST(a_signal_that_nobody_can_use_ends)
{
    struct store store = {0};
    with_group(g) {
        for (int i = 0; i < 3; i++)
            spawn_void(g, take, &store, 5);
        await(bide_sleep(bide_ms(1)));
        await(put(&store, 1, false));
        await(bide_sleep(bide_ms(1)));
        check_int(store.taken, 0);
        check_int(store.changed.tickets, 6); /* each has looked once more */
        await(put(&store, 14, true));
    }
    check_int(store.taken, 15);
}

static bool has_two(void *arg)
{
    struct store *store = arg;
    check(bide_mutex_is_mine(&store->lock));
    return store->count >= 2;
}

static async(void) take_two(struct store *store)
{
    with_lock(&store->lock) {
        await(bide_condition_wait(&store->changed, &store->lock, has_two, store));
        store->count -= 2;
        store->taken += 2;
    }
    return bide_void;
}
SPAWNABLE(void, take_two, struct store *)

TEST(the_predicate_may_be_a_function)
{
    struct store store = {0};
    with_group(g) {
        spawn_void(g, take_two, &store);
        for (int i = 0; i < 2; i++) {
            await(bide_sleep(bide_ms(1)));
            check_int(store.taken, 0);
            await(put(&store, 1, false));
        }
    }
    check_int(store.taken, 2);
}

/* Three wait; one is cancelled before, after, or long before the one signal: it is never lost. */
TEST(a_cancelled_waiter_never_swallows_the_signal)
{
    for (int cancelled = 0; cancelled < 3; cancelled++) {
        for (int moment = 0; moment < 3; moment++) {
            struct store store = {0};
            bide_task_ref tasks[3];
            with_group(g) {
                for (int i = 0; i < 3; i++) {
                    task(void) one = spawn(g, take, &store, 1);
                    tasks[i] = bide_ref(one);
                }
                await(bide_sleep(bide_ms(1)));
                await(bide_lock(&store.lock));
                if (moment == 0)
                    bide_cancel_task(tasks[cancelled], "test");
                store.count = 1;
                bide_notify_one(&store.changed);
                if (moment == 1)
                    bide_cancel_task(tasks[cancelled], "test");
                bide_unlock(&store.lock);
                if (moment == 2)
                    bide_cancel_task(tasks[cancelled], "test");
                await(bide_sleep(bide_ms(1)));
                check_int(store.taken, 1);
                check_int(store.count, 0);
                bide_group_cancel(g, "the others are not wanted");
            }
            check_int(store.held_at_exit, 3);
            check(!store.lock.owner);
            check(!store.changed.waiting.first);
        }
    }
}

TEST(cancels_at_every_await_leave_the_lock_free, .cancel_everywhere = true)
{
    static struct store store;
    with_group(g) {
        spawn_void(g, take, &store, 1);
        spawn_void(g, take, &store, 1);
        await(bide_sleep(bide_ms(1)));
        await(put(&store, 1, false));
        await(put(&store, 1, false));
    }
    check(!store.lock.owner);
    check(!store.changed.waiting.first);
}

static async(void) take_within(struct store *store)
{
    with_deadline(bide_ms(5)) {
        await(take(store, 1));
    }
    return bide_void;
}
SPAWNABLE(void, take_within, struct store *)

TEST(a_deadline_ends_the_wait_with_the_lock_held_until_the_block_is_left)
{
    struct store store = {0};
    bide_error *error;
    attempt(&error, take_within, &store);
    require(error);
    check_int(error->code, BIDE_TIMEOUT);
    check_int(store.held_at_exit, 1);
    check(!store.lock.owner);
}

SPAWNABLE(void, hold_for, bide_mutex *, int)
async(void) hold_for(bide_mutex *mutex, int seconds)
{
    with_lock(mutex) {
        await(bide_sleep(bide_s(seconds)));
    }
    return bide_void;
}

/* Cancelled while somebody keeps the lock: it is taken again if that ends in time. */
TEST(taking_the_lock_again_is_shielded_and_bounded)
{
    for (int seconds = 1; seconds <= 10; seconds += 9) {
        struct store store = {0};
        with_group(g) {
            int64_t start_ns = bide_clock_ns();
            task(void) waiter = spawn(g, take, &store, 1);
            await(bide_sleep(bide_ms(1)));
            spawn_void(g, hold_for, &store.lock, seconds);
            await(bide_sleep(bide_ms(1)));
            bide_cancel(waiter, "test");
            await(bide_wait(BIDE_ALL, &waiter.ref, 1));
            double took = (double)(bide_clock_ns() - start_ns) / 1e9;
            check_near(took, seconds == 1 ? 1.0 : 5.0, 0.1);
            check_int(store.held_at_exit, seconds == 1);
            bide_group_cancel(g, "the result is not wanted");
        }
        check(!store.lock.owner);
    }
}

static struct store misused;

static async(void) wait_without_lock(void)
{
    await(bide_wait_until(&misused.changed, &misused.lock, misused.count > 0));
    return bide_void;
}
static void run_wait_without_lock(void)
{
    exit(bide_run(wait_without_lock));
}

static async(void) wait_with_the_lock_of_another(void)
{
    with_group(g) {
        spawn_void(g, hold_for, &misused.lock, 1);
        await(bide_sleep(bide_ms(1)));
        await(bide_wait_until(&misused.changed, &misused.lock, misused.count > 0));
    }
    return bide_void;
}
static void run_wait_with_the_lock_of_another(void)
{
    exit(bide_run(wait_with_the_lock_of_another, .virtual_clock = true));
}

TEST_PLAIN(waiting_without_the_lock_is_misuse)
{
    check_dies(run_wait_without_lock, "without its lock, which nobody holds");
    check_dies(run_wait_with_the_lock_of_another, "'hold_for' locked at");
}
