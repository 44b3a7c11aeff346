/*
 * mutex_test.c: the task mutex: exclusion, order, hand-over, cancels at every position, deadlocks
 * and misuse with both parties and both lines.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char journal[256];

static void note(const char *format, int number)
{
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, format, number);
}

/* "file:line" as messages have it. */
static const char *place(int line)
{
    static char texts[4][128];
    static int next;
    char *to = texts[next++ % 4];
    snprintf(to, sizeof texts[0], "%s:%d", __FILE__, line);
    return to;
}

SPAWNABLE(void, count_up, bide_mutex *, int *)
async(void) count_up(bide_mutex *mutex, int *counter)
{
    for (int i = 0; i < 10; i++) {
        with_lock(mutex) {
            int before = *counter;
            await(bide_yield());
            *counter = before + 1;
        }
    }
    return bide_void;
}

TEST(read_await_write_under_the_lock_loses_nothing)
{
    static bide_mutex mutex;
    int counter = 0;
    with_group(g) {
        for (int i = 0; i < 10; i++)
            spawn_void(g, count_up, &mutex, &counter);
    }
    check_int(counter, 100);
    check(!mutex.owner);
    check(!mutex.waiting.first);
}

SPAWNABLE(void, lock_and_note, bide_mutex *, int)
async(void) lock_and_note(bide_mutex *mutex, int number)
{
    await(bide_lock(mutex));
    note("%d", number);
    await(bide_yield());
    bide_unlock(mutex);
    return bide_void;
}

TEST(first_come_first_served, .in_order = true)
{
    bide_mutex mutex;
    bide_mutex_init(&mutex, "order");
    with_group(g) {
        await(bide_lock(&mutex));
        for (int i = 0; i < 6; i++)
            spawn_void(g, lock_and_note, &mutex, i);
        await(bide_yield());
        check_str(journal, "");
        bide_unlock(&mutex);
        check(!bide_try_lock(&mutex)); /* it is handed over: nobody overtakes */
    }
    check_str(journal, "012345");
}

TEST(try_lock_takes_only_a_free_mutex)
{
    bide_mutex mutex = {0};
    check(bide_try_lock(&mutex));
    check(bide_mutex_is_mine(&mutex));
    check(!bide_try_lock(&mutex));
    bide_unlock(&mutex);
    check(!bide_mutex_is_mine(&mutex));
    check(bide_try_lock(&mutex));
    bide_unlock(&mutex);
}

static async(int) leave_by(bide_mutex *mutex, int way)
{
    for (int i = 0; i < 2; i++) {
        with_lock(mutex) {
            if (way == 0)
                return ready(int, 10);
            if (way == 1)
                goto out;
            if (way == 2)
                continue;
            if (way == 3)
                fail(bide_error_new(1000, "on purpose"));
        }
    }
    return ready(int, 20);
out:
    return ready(int, 30);
}
SPAWNABLE(int, leave_by, bide_mutex *, int)

TEST(every_way_out_of_the_block_unlocks)
{
    bide_mutex mutex = {0};
    bide_error *error;
    int expected[] = {10, 30, 20, 0, 20};
    for (int way = 0; way < 5; way++) {
        check_int(attempt(&error, leave_by, &mutex, way), expected[way]);
        check_int(error ? error->code : 0, way == 3 ? 1000 : 0);
        check(!mutex.owner);
    }
}

SPAWNABLE(void, hold_for, bide_mutex *, int)
async(void) hold_for(bide_mutex *mutex, int milliseconds)
{
    with_lock(mutex) {
        note("+%d", 0);
        await(bide_sleep(bide_ms(milliseconds)));
        note("-%d", 0);
    }
    return bide_void;
}

static async(void) lock_within(bide_mutex *mutex, int milliseconds)
{
    with_deadline(bide_ms(milliseconds)) {
        with_lock(mutex) {
            note("!%d", milliseconds);
        }
    }
    return bide_void;
}
SPAWNABLE(void, lock_within, bide_mutex *, int)

TEST(a_deadline_ends_the_wait_and_leaves_the_queue)
{
    bide_mutex mutex = {0};
    bide_error *error;
    with_group(g) {
        spawn_void(g, hold_for, &mutex, 50);
        await(bide_sleep(bide_ms(1)));
        attempt(&error, lock_within, &mutex, 10);
        require(error);
        check_int(error->code, BIDE_TIMEOUT);
        check(!mutex.waiting.first);
        attempt(&error, lock_within, &mutex, 100);
        check(!error);
    }
    check_str(journal, "+0-0!100");
}

/* Of four waiting tasks the one at `cancelled` is cancelled. */
static void cancel_one(int cancelled) BIDE__TASK
{
    bide_mutex mutex = {0};
    bide_task_ref waiting[4];
    journal[0] = 0;
    with_group(g) {
        await(bide_lock(&mutex));
        for (int i = 0; i < 4; i++) {
            task(void) one = spawn(g, lock_and_note, &mutex, i);
            waiting[i] = bide_ref(one);
        }
        await(bide_sleep(bide_ms(1)));
        bide_cancel_task(waiting[cancelled], "test");
        bide_unlock(&mutex);
        await(bide_wait(BIDE_ALL, waiting, 4));
        check(!mutex.waiting.first);
        bide_group_cancel(g, "the results are not wanted");
    }
}

TEST(a_cancelled_waiter_is_skipped_and_the_others_keep_their_order, .in_order = true)
{
    const char *expected[] = {"123", "023", "013", "012"};
    for (int i = 0; i < 4; i++) {
        cancel_one(i);
        check_str(journal, expected[i]);
    }
}

SPAWNABLE(void, with_lock_and_note, bide_mutex *, int)
async(void) with_lock_and_note(bide_mutex *mutex, int number)
{
    with_lock(mutex) {
        note("%d", number);
        await(bide_yield());
        note("%d", number);
    }
    return bide_void;
}

TEST(a_lock_handed_to_a_task_that_is_then_cancelled_is_owned_and_released, .in_order = true)
{
    bide_mutex mutex = {0};
    with_group(g) {
        await(bide_lock(&mutex));
        task(void) first = spawn(g, with_lock_and_note, &mutex, 1);
        spawn_void(g, with_lock_and_note, &mutex, 2);
        await(bide_sleep(bide_ms(1)));
        bide_unlock(&mutex);
        check(mutex.owner == first.ref.task);
        bide_cancel(first, "test");
        check(mutex.owner == first.ref.task);
        await(bide_wait(BIDE_ALL, &first.ref, 1));
        await(bide_sleep(bide_ms(1)));
        check(!mutex.owner);
        check_str(journal, "122"); /* it entered the block, and its next await raised */
        bide_group_cancel(g, "the result of the first is not wanted");
    }
}

TEST(cancels_at_every_await_leave_the_mutex_free, .cancel_everywhere = true)
{
    static bide_mutex mutex;
    int counter = 0;
    with_group(g) {
        spawn_void(g, count_up, &mutex, &counter);
        spawn_void(g, count_up, &mutex, &counter);
        await(bide_sleep(bide_ms(1)));
    }
    check(!mutex.owner);
    check(!mutex.waiting.first);
}

static int second_line[2];

SPAWNABLE(void, lock_both, bide_mutex *, bide_mutex *, int)
async(void) lock_both(bide_mutex *first, bide_mutex *second, int number)
{
    with_lock(first) {
        await(bide_sleep(bide_ms(1)));
        second_line[number] = __LINE__ + 1;
        with_lock(second) {
            note("%d", number);
        }
    }
    return bide_void;
}

static async(void) opposite_order(bide_mutex *a, bide_mutex *b)
{
    with_group(g) {
        spawn_void(g, lock_both, a, b, 0);
        spawn_void(g, lock_both, b, a, 1);
    }
    return bide_void;
}
SPAWNABLE(void, opposite_order, bide_mutex *, bide_mutex *)

TEST(two_locks_in_opposite_order_are_a_deadlock_at_once, .in_order = true)
{
    bide_mutex a, b;
    bide_error *error;
    bide_mutex_init(&a, "accounts");
    bide_mutex_init(&b, "books");
    test_capture_stderr();
    int64_t start_ns = bide_clock_ns();
    attempt(&error, opposite_order, &a, &b);
    int64_t took_ns = bide_clock_ns() - start_ns;
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check(took_ns < 100 * 1000000);
    check_contains(report, "DEADLOCK among 2 tasks");
    check_contains(report, "lock_both");
    check_contains(report, "mutex 'accounts'");
    check_contains(report, "mutex 'books'");
    check_contains(report, place(second_line[1]));     /* what each wants */
    check_contains(report, place(second_line[0] - 3)); /* and where each got what it holds */
    check(!a.owner && !b.owner);
}

static int relock_line;

static async(void) relock(bide_mutex *mutex)
{
    with_lock(mutex) {
        relock_line = __LINE__ + 1;
        await(bide_lock(mutex));
    }
    return bide_void;
}
SPAWNABLE(void, relock, bide_mutex *)

TEST(locking_again_what_one_holds_is_a_deadlock_of_one)
{
    bide_mutex mutex;
    bide_error *error;
    bide_mutex_init(&mutex, "self");
    test_capture_stderr();
    attempt(&error, relock, &mutex);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(error->message, "mutex 'self'");
    check_contains(report, "DEADLOCK among 1 task ");
    check_contains(report, place(relock_line));
    check_contains(report, place(relock_line - 2));
    check(!mutex.owner);
}

/* Misuse aborts in hostile builds and is an error elsewhere: both end the child with a message. */
static bide_mutex misused;

enum { KEEP_LINE = __LINE__ + 5 };

SPAWNABLE(void, keep, bide_mutex *)
async(void) keep(bide_mutex *mutex)
{
    await(bide_lock(mutex));
    await(bide_sleep(bide_ms(10)));
    bide_unlock(mutex);
    return bide_void;
}

enum { UNLOCK_LINE = __LINE__ + 8 };

static async(void) unlock_of_another(void)
{
    bide_mutex_init(&misused, "owned");
    with_group(g) {
        spawn_void(g, keep, &misused);
        await(bide_sleep(bide_ms(1)));
        bide_unlock(&misused);
    }
    return bide_void;
}
static void run_unlock_of_another(void)
{
    exit(bide_run(unlock_of_another, .virtual_clock = true));
}

TEST_PLAIN(unlocking_what_another_task_holds_names_both_and_both_lines)
{
    char expected[256];
    snprintf(expected, sizeof expected, "unlocks mutex 'owned' at %s, which task #",
             place(UNLOCK_LINE));
    check_dies(run_unlock_of_another, expected);
    snprintf(expected, sizeof expected, "'keep' locked at %s", place(KEEP_LINE));
    check_dies(run_unlock_of_another, expected);
}

static async(void) unlock_of_a_free_one(void)
{
    bide_mutex mutex = {0};
    bide_unlock(&mutex);
    return bide_void;
}
static void run_unlock_of_a_free_one(void)
{
    exit(bide_run(unlock_of_a_free_one));
}

SPAWNABLE(void, lock_and_end, bide_mutex *)
async(void) lock_and_end(bide_mutex *mutex)
{
    await(bide_lock(mutex));
    return bide_void;
}
static async(void) owner_has_ended(void)
{
    bide_mutex mutex;
    bide_mutex_init(&mutex, "left");
    with_group(g) {
        spawn_void(g, lock_and_end, &mutex);
    }
    await(bide_lock(&mutex));
    return bide_void;
}
static void run_owner_has_ended(void)
{
    exit(bide_run(owner_has_ended));
}

static void lock_outside(void) BIDE__UNCHECKED
{
    bide_mutex mutex = {0};
    await(bide_lock(&mutex));
}
static void try_lock_outside(void)
{
    bide_mutex mutex = {0};
    exit(bide_try_lock(&mutex));
}

TEST_PLAIN(other_misuse_is_refused)
{
    check_dies(run_unlock_of_a_free_one, "which nobody holds");
    check_dies(run_owner_has_ended, "that ended without unlocking");
    check_dies(lock_outside, "outside a task");
    check_dies(try_lock_outside, "bide_try_lock outside of tasks");
}
