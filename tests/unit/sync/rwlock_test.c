/*
 * rwlock_test.c: the read-write lock: many or one, order and preference, hand-over, cancels,
 * deadlocks, every way out.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>

#include <stdio.h>
#include <string.h>

static int reading, writing, most_readers;
static char journal[256];

static void note(char who)
{
    size_t length = strlen(journal);
    if (length + 1 < sizeof journal)
        journal[length] = who;
}

static void count_down(void *count)
{
    --*(int *)count;
}

static async(void) read_once(bide_rwlock *lock, char who, int64_t ms)
{
    with_read_lock(lock) {
        note(who);
        reading++;
        defer(count_down, &reading);
        check_int(writing, 0);
        if (reading > most_readers)
            most_readers = reading;
        await(bide_sleep(bide_ms(ms)));
        check_int(writing, 0);
    }
    return bide_void;
}
SPAWNABLE(void, read_once, bide_rwlock *, char, int64_t)

static async(void) write_once(bide_rwlock *lock, char who, int64_t ms)
{
    with_write_lock(lock) {
        note(who);
        writing++;
        defer(count_down, &writing);
        check_int(writing, 1);
        check_int(bide_rwlock_readers(lock), 0);
        check(bide_rwlock_written(lock));
        await(bide_sleep(bide_ms(ms)));
    }
    return bide_void;
}
SPAWNABLE(void, write_once, bide_rwlock *, char, int64_t)

static void check_free(const bide_rwlock *lock)
{
    check_int(bide_rwlock_readers(lock), 0);
    check(!bide_rwlock_written(lock));
    check(!lock->holds);
    check(!lock->waiting.first);
}

TEST(many_read_and_one_writes)
{
    static bide_rwlock lock;
    with_group(g) {
        for (int i = 0; i < 30; i++) {
            if (i % 5 == 4)
                spawn_void(g, write_once, &lock, 'w', 2);
            else
                spawn_void(g, read_once, &lock, 'r', 3);
        }
    }
    check(most_readers >= 4);
    check_free(&lock);
}

TEST(a_reader_that_comes_after_a_writer_waits_behind_it, .in_order = true)
{
    bide_rwlock lock;
    bide_rwlock_init(&lock, "prices");
    with_group(g) {
        spawn_void(g, read_once, &lock, 'a', 5);
        spawn_void(g, write_once, &lock, 'B', 5);
        spawn_void(g, read_once, &lock, 'c', 5);
        spawn_void(g, read_once, &lock, 'd', 5);
        spawn_void(g, write_once, &lock, 'E', 5);
        spawn_void(g, read_once, &lock, 'f', 5);
        await(bide_sleep(bide_ms(1)));
        check_str(journal, "a");
        await(bide_sleep(bide_ms(5)));
        check_str(journal, "aB");
        await(bide_sleep(bide_ms(5)));
        check_str(journal, "aBcd"); /* together, not past the next writer */
    }
    check_str(journal, "aBcdEf");
    check_free(&lock);
}

TEST(a_writer_that_gives_up_lets_the_readers_behind_it_in, .in_order = true)
{
    static bide_rwlock lock;
    with_group(g) {
        spawn_void(g, read_once, &lock, 'a', 100);
        task(void) writer = spawn(g, write_once, &lock, 'B', 5);
        spawn_void(g, read_once, &lock, 'c', 1);
        await(bide_sleep(bide_ms(1)));
        check_str(journal, "a");
        bide_cancel(writer, "no longer needed");
        await(bide_sleep(bide_ms(1)));
        check_str(journal, "ac");
        bide_task_ref ref = bide_ref(writer);
        await(bide_wait(BIDE_ALL, &ref, 1));
        bide_group_cancel(g, "its result is not wanted");
    }
    check_free(&lock);
}

TEST(cancels_at_every_await_lose_nothing, .cancel_everywhere = true)
{
    static bide_rwlock lock;
    with_group(g) {
        for (int i = 0; i < 3; i++) {
            spawn_void(g, read_once, &lock, 'r', 2);
            spawn_void(g, write_once, &lock, 'w', 2);
        }
    }
    check_free(&lock);
}

TEST(a_cancel_at_each_place_of_the_queue)
{
    for (int cancelled = 0; cancelled < 6; cancelled++) {
        for (int at_ms = 1; at_ms < 12; at_ms += 2) {
            bide_rwlock lock = {0};
            bide_task_ref tasks[6];
            with_group(g) {
                for (int i = 0; i < 6; i++) {
                    task(void) one = i % 3 ? spawn(g, read_once, &lock, 'r', 4)
                                           : spawn(g, write_once, &lock, 'w', 2);
                    tasks[i] = bide_ref(one);
                }
                await(bide_sleep(bide_ms(at_ms)));
                bide_cancel_task(tasks[cancelled], "test");
                await(bide_wait(BIDE_ALL, tasks, 6));
                bide_group_cancel(g, "the results are not wanted");
            }
            check_free(&lock);
        }
    }
}

static async(int) leave_by(bide_rwlock *lock, int way, bool writes)
{
    if (writes) {
        with_write_lock(lock) {
            if (way == 0)
                return ready(int, 10);
            if (way == 1)
                fail(bide_error_new(1000, "on purpose"));
        }
    } else {
        with_read_lock(lock) {
            if (way == 0)
                return ready(int, 10);
            if (way == 1)
                fail(bide_error_new(1000, "on purpose"));
        }
    }
    return ready(int, 20);
}
SPAWNABLE(int, leave_by, bide_rwlock *, int, bool)

TEST(every_way_out_gives_the_lock_up)
{
    bide_rwlock lock = {0};
    bide_error *error;
    for (int way = 0; way < 6; way++) {
        (void)attempt(&error, leave_by, &lock, way % 3, way >= 3);
        check_int(error ? error->code : 0, way % 3 == 1 ? 1000 : 0);
        check_free(&lock);
    }
}

static async(void) upgrade(bide_rwlock *lock)
{
    with_read_lock(lock) {
        with_write_lock(lock) {
            note('!');
        }
    }
    return bide_void;
}
SPAWNABLE(void, upgrade, bide_rwlock *)

TEST(a_reader_that_wants_to_write_is_a_deadlock)
{
    bide_rwlock lock;
    bide_error *error;
    bide_rwlock_init(&lock, "prices");
    test_capture_stderr();
    attempt(&error, upgrade, &lock);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(report, "DEADLOCK");
    check_contains(report, "read-write lock 'prices'");
    check_free(&lock);
}

static async(void) cross(bide_rwlock *first, bide_rwlock *second)
{
    with_read_lock(first) {
        await(bide_sleep(bide_ms(1)));
        with_write_lock(second) {
            note('x');
        }
    }
    return bide_void;
}
SPAWNABLE(void, cross, bide_rwlock *, bide_rwlock *)

static async(void) cross_both(bide_rwlock *a, bide_rwlock *b)
{
    with_group(g) {
        spawn_void(g, cross, a, b);
        spawn_void(g, cross, b, a);
        spawn_void(g, read_once, a, 'r', 1); /* a holder that runs does not help */
    }
    return bide_void;
}
SPAWNABLE(void, cross_both, bide_rwlock *, bide_rwlock *)

TEST(two_locks_in_opposite_order_are_a_deadlock)
{
    bide_rwlock a, b;
    bide_error *error;
    bide_rwlock_init(&a, "a");
    bide_rwlock_init(&b, "b");
    test_capture_stderr();
    attempt(&error, cross_both, &a, &b);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(report, "read-write lock 'a'");
    check_contains(report, "read-write lock 'b'");
    check_contains(report, "cross");
    check_free(&a);
    check_free(&b);
}

static async(void) write_within(bide_rwlock *lock)
{
    with_deadline(bide_ms(5)) {
        with_write_lock(lock) {
            note('W');
        }
    }
    return bide_void;
}
SPAWNABLE(void, write_within, bide_rwlock *)

TEST(a_deadline_ends_the_wait)
{
    bide_rwlock lock = {0};
    bide_error *error;
    with_group(g) {
        spawn_void(g, read_once, &lock, 'r', 50);
        await(bide_sleep(bide_ms(1)));
        attempt(&error, write_within, &lock);
        require(error);
        check_int(error->code, BIDE_TIMEOUT);
    }
    check_str(journal, "r");
    check_free(&lock);
}

static bide_rwlock everywhere; /* used by tasks of two loops */
static bool reads_there;

static async(void) take_there(void)
{
    if (reads_there) {
        with_read_lock(&everywhere) {
            await(bide_yield());
        }
    } else {
        with_write_lock(&everywhere) {
            await(bide_yield());
        }
    }
    return bide_void;
}
SPAWNABLE(void, take_there)

static async(void) two_loops(void)
{
    if (bide_loop_index() > 0) {
        await(bide_until_stop());
        return bide_void;
    }
    bide_rwlock_init(&everywhere, "everywhere");
    with_read_lock(&everywhere) {
        with_group(g) {
            spawn_void_on(g, 1, take_there);
        }
    }
    return bide_void;
}

static void run_two_loops(void)
{
    exit(bide_run(two_loops, .loops = 2));
}

TEST_PLAIN(a_task_of_another_loop_is_misuse)
{
    for (int i = 0; i < 2; i++) { /* one that would read as well, and one that would wait */
        reads_there = i == 0;
        check_dies(run_two_loops, "of loop 1 uses at");
        check_dies(run_two_loops, "a read-write lock of loop 0, which task #");
    }
}
