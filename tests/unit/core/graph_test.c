/*
 * graph_test.c: deadlocks found when a task would close a cycle, idle loops, the printed tree. The
 * locks here are made of the core's own waits.
 */
#include "core/graph.h"

#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A lock for up to 4 holders at a time. */
struct lock {
    struct bide__object object;
    struct bide__queue queue;
    struct bide_task *holders[4];
    const struct bide_site *since[4];
    int capacity, held;
};
typedef struct lock *lock_ptr;
typedef task(int) int_task;
typedef int_task *int_task_ptr;

static struct bide_task *lock_holder(const struct bide__object *object, size_t index,
                                     const struct bide_site **ret_since)
{
    struct lock *lock = bide__container_of(object, struct lock, object);
    for (int i = 0; i < lock->capacity; i++) {
        if (lock->holders[i] && index-- == 0) {
            *ret_since = lock->since[i];
            return lock->holders[i];
        }
    }
    return NULL;
}

static const struct bide__kind kind_lock = {.noun = "lock", .verb = "wants", .holder = lock_holder};

static void lock_init(struct lock *lock, const char *name, int capacity)
{
    *lock = (struct lock){.object = {&kind_lock, name, NULL}, .capacity = capacity};
}

static void take(struct lock *lock, struct bide_task *task, const struct bide_site *at)
{
    for (int i = 0; i < lock->capacity; i++) {
        if (!lock->holders[i]) {
            lock->holders[i] = task;
            lock->since[i] = at;
            lock->held++;
            return;
        }
    }
}

SPAWNABLE(void, acquire, lock_ptr)
async(void) acquire(lock_ptr lock)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (result == 0 && lock->held == lock->capacity) {
        struct bide__wait wait = {.payload = NULL};
        result = bide__wait_checked(me, &lock->queue, &wait, &lock->object);
    } else if (result == 0) {
        take(lock, me, me->head.at);
    }
    if (result < 0)
        bide__raise(result, &lock->object);
    return bide_void;
}

static void release(void *arg)
{
    struct lock *lock = arg;
    struct bide_task *me = bide__task_current();
    for (int i = 0; i < lock->capacity; i++) {
        if (lock->holders[i] != me)
            continue;
        lock->holders[i] = NULL;
        lock->held--;
        if (lock->queue.first) {
            struct bide_task *next = lock->queue.first->task;
            take(lock, next, next->head.at);
            bide__wake(lock->queue.first, 0);
        }
        return;
    }
}

__attribute__((format(printf, 1, 2))) static const char *expected(const char *format, ...)
{
    static char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return text;
}

static int first_line, second_line;

SPAWNABLE(int, take_both, lock_ptr, lock_ptr)
async(int) take_both(lock_ptr first, lock_ptr second)
{
    first_line = __LINE__ + 1;
    await(acquire(first));
    defer(release, first);
    await(bide_sleep(bide_ms(5)));
    second_line = __LINE__ + 1;
    await(acquire(second));
    defer(release, second);
    await(bide_sleep(bide_ms(5)));
    return ready(int, 1);
}

static int a_line, b_line;

SPAWNABLE(void, lock_crosswise, bool)
async(void) lock_crosswise(bool bystander)
{
    struct lock a, b, c;
    lock_init(&a, "a", 1);
    lock_init(&b, "b", 1);
    lock_init(&c, "c", 1);
    with_group(g) {
        if (bystander)
            spawn_void(g, take_both, &c, &a);
        a_line = __LINE__ + 1;
        spawn_void(g, take_both, &a, &b);
        b_line = __LINE__ + 1;
        spawn_void(g, take_both, &b, &a);
    }
    return bide_void;
}

TEST(two_locks_taken_crosswise_are_reported_at_once, .in_order = true)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, lock_crosswise, false);
    const char *said = test_captured();
    if (!check(error))
        return;
    check_int(error->code, BIDE_DEADLOCK);
    check_str(error->message, "waiting for lock 'a' would never end");
    check_ptr(error->also, NULL);
    check_int(bide_clock_ns(), 5000000);
    check_str(said, expected("bide: DEADLOCK among 2 tasks (would wait for ever)\n"
                             "  #3 take_both  spawned %s:%d\n"
                             "       holds  lock 'b'  since %s:%d\n"
                             "       wants  lock 'a'  at %s:%d\n"
                             "  #2 take_both  spawned %s:%d\n"
                             "       holds  lock 'a'  since %s:%d\n"
                             "       wants  lock 'b'  at %s:%d\n",
                             __FILE__, b_line, __FILE__, first_line, __FILE__, second_line,
                             __FILE__, a_line, __FILE__, first_line, __FILE__, second_line));
}

TEST(a_task_that_waits_beside_a_cycle_is_not_in_it)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, lock_crosswise, true);
    check_contains(test_captured(), "DEADLOCK among 2 tasks");
    check(error && error->code == BIDE_DEADLOCK);
}

TEST(locks_taken_in_one_order_are_no_deadlock)
{
    struct lock a, b;
    lock_init(&a, "a", 1);
    lock_init(&b, "b", 1);
    test_capture_stderr();
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, take_both, &a, &b);
    }
    check_str(test_captured(), "");
    check_int(bide_clock_ns(), 50000000);
}

SPAWNABLE(int, take_twice, lock_ptr)
async(int) take_twice(lock_ptr lock)
{
    await(acquire(lock));
    defer(release, lock);
    await(acquire(lock));
    return ready(int, 0);
}

TEST(a_lock_taken_twice_is_a_deadlock_of_one_task)
{
    struct lock a;
    bide_error *error;
    lock_init(&a, NULL, 1);
    test_capture_stderr();
    attempt(&error, take_twice, &a);
    check_contains(test_captured(), "bide: DEADLOCK among 1 task (would wait for ever)\n  #1 main");
    check(error && error->code == BIDE_DEADLOCK);
    check_ptr(a.queue.first, NULL);
    check_int(a.held, 0);
}

SPAWNABLE(void, hold_for, lock_ptr, int)
async(void) hold_for(lock_ptr lock, int ms)
{
    await(acquire(lock));
    defer(release, lock);
    await(bide_sleep(bide_ms(ms)));
    return bide_void;
}

/* With several holders, one that runs is enough. */
TEST(a_lock_with_several_holders_needs_all_of_them_stuck)
{
    struct lock two, other;
    lock_init(&two, "two", 2);
    lock_init(&other, "other", 1);
    test_capture_stderr();
    with_group(g) {
        spawn_void(g, take_both, &two, &other);
        spawn_void(g, hold_for, &two, 50);
        spawn_void(g, take_both, &other, &two);
    }
    check_str(test_captured(), "");
    check_int(bide_clock_ns(), 60000000);
}

SPAWNABLE(void, fill_both_slots)
async(void) fill_both_slots(void)
{
    struct lock two, other;
    lock_init(&two, "two", 2);
    lock_init(&other, "other", 1);
    with_group(g) {
        spawn_void(g, take_both, &two, &other);
        spawn_void(g, take_both, &other, &two);
        spawn_void(g, take_both, &two, &two);
    }
    return bide_void;
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

TEST(a_deadlock_whose_ring_leaves_out_the_last_task, .in_order = true)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, fill_both_slots);
    const char *said = test_captured();
    check(error && error->code == BIDE_DEADLOCK);
    check_contains(said, "bide: DEADLOCK among ");
    check_int(count_of(said, "\n  #2 take_both"), 1);
    check_int(count_of(said, "\n  #3 take_both"), 1);
    check(count_of(said, "\n  #4 take_both") <= 1);
}

SPAWNABLE(int, join_stored, int_task_ptr)
async(int) join_stored(int_task_ptr other)
{
    await(bide_yield());
    return ready(int, await_task(*other));
}

SPAWNABLE(void, join_in_a_ring, int)
async(void) join_in_a_ring(int count)
{
    int_task tasks[200];
    with_group(g) {
        for (int i = 0; i < count; i++)
            tasks[i] = spawn(g, join_stored, &tasks[(i + 1) % count]);
    }
    return bide_void;
}

TEST(tasks_that_join_each_other_are_a_deadlock, .in_order = true)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, join_in_a_ring, 3);
    const char *said = test_captured();
    check(error && error->code == BIDE_DEADLOCK);
    check_contains(said, "bide: DEADLOCK among 3 tasks");
    check_contains(said, "       joins  task 'join_stored'  at ");
    check(!strstr(said, "holds"));
    test_capture_stderr();
    attempt(&error, join_in_a_ring, 1);
    check_contains(test_captured(), "DEADLOCK among 1 task (");
    check(error && error->code == BIDE_DEADLOCK);
}

SPAWNABLE(int, join_itself)
async(int) join_itself(void)
{
    int_task me = {.ref = bide_current_task()};
    return ready(int, await_task(me));
}

TEST(a_task_that_joins_itself_is_a_deadlock)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, join_itself);
    check_contains(test_captured(), "DEADLOCK among 1 task (");
    check(error && error->code == BIDE_DEADLOCK);
}

/* Longer than any search: then the idle loop is what tells. */
TEST(a_ring_too_long_to_search_still_ends)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, join_in_a_ring, 200);
    check_contains(test_captured(), "DEADLOCK");
    check(error && error->code == BIDE_DEADLOCK);
}

static int_task of_parent;

SPAWNABLE(int, join_parent)
async(int) join_parent(void)
{
    return ready(int, await_task(of_parent));
}

SPAWNABLE(void, spawn_a_child_that_joins_me)
async(void) spawn_a_child_that_joins_me(void)
{
    of_parent.ref = bide_current_task();
    with_group(g) {
        spawn_void(g, join_parent);
    }
    return bide_void;
}

TEST(a_child_that_joins_its_parent_is_a_deadlock)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, spawn_a_child_that_joins_me);
    const char *said = test_captured();
    check(error && error->code == BIDE_DEADLOCK);
    check_contains(said, "DEADLOCK among 2 tasks");
    check_contains(said, "waits for the end of  the group of ");
}

SPAWNABLE(void, end_a_group_with_the_lock, lock_ptr)
async(void) end_a_group_with_the_lock(lock_ptr lock)
{
    await(acquire(lock));
    defer(release, lock);
    with_group(g) {
        spawn_void(g, acquire, lock);
        await(bide_yield());
        await(bide_yield());
    }
    return bide_void;
}

TEST(a_groups_end_whose_child_wants_what_the_parent_holds)
{
    struct lock a;
    bide_error *error;
    lock_init(&a, "a", 1);
    test_capture_stderr();
    attempt(&error, end_a_group_with_the_lock, &a);
    const char *said = test_captured();
    check(error && error->code == BIDE_DEADLOCK);
    check_contains(said, "DEADLOCK among 2 tasks");
    check_contains(said, "holds  lock 'a'");
    check_int(a.held, 0);
}

SPAWNABLE(void, end_a_group_and_then_lock, lock_ptr)
async(void) end_a_group_and_then_lock(lock_ptr lock)
{
    await(acquire(lock));
    defer(release, lock);
    with_group(g) {
        spawn_void(g, take_both, lock, lock);
    }
    return bide_void;
}

TEST(a_groups_end_that_waits_first_is_found_by_the_child)
{
    struct lock a;
    bide_error *error;
    lock_init(&a, "a", 1);
    test_capture_stderr();
    attempt(&error, end_a_group_and_then_lock, &a);
    const char *said = test_captured();
    check(error && error->code == BIDE_DEADLOCK);
    check_contains(said, "DEADLOCK among 2 tasks");
    check_int(a.held, 0);
}

static struct bide__queue nobody;

SPAWNABLE(int, wait_for_nobody, const char *)
async(int) wait_for_nobody(const char *name)
{
    static const struct bide__kind kind = {.noun = "signal", .verb = "waits for a signal"};
    struct bide__object object = {&kind, name, NULL};
    struct bide__wait wait = {.payload = NULL};
    int result = bide__wait(bide__task_current(), &nobody, &wait, &object);
    if (result < 0)
        bide__raise(result, &object);
    return ready(int, 0);
}

static int idle_line, idle_spawn_line, idle_group_line;

SPAWNABLE(int, wait_for_nobody_below)
async(int) wait_for_nobody_below(void)
{
    idle_group_line = __LINE__ + 1;
    with_group(g) {
        idle_spawn_line = __LINE__ + 1;
        task(int) child = spawn(g, wait_for_nobody, "lamp");
        idle_line = __LINE__ + 1;
        return ready(int, await_task(child));
    }
    return ready(int, 0);
}

TEST(when_every_task_waits_and_nothing_can_happen_that_is_an_error)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, wait_for_nobody_below);
    const char *said = test_captured();
    check_str(said,
              expected("bide: DEADLOCK: every task waits and nothing can wake one\n"
                       "bide: tasks of loop 0\n"
                       "  #1 main  joins task 'wait_for_nobody' for 0.0 s  at %s:%d\n"
                       "    #2 wait_for_nobody  waits for a signal signal 'lamp' for 0.0 s  "
                       "at %s:%d  spawned %s:%d\n"
                       "bide: 2 tasks\n",
                       __FILE__, idle_line, __FILE__, idle_spawn_line, __FILE__, idle_spawn_line));
    if (!check(error))
        return;
    check_int(error->code, BIDE_DEADLOCK);
    check_str(error->message, "waiting for signal 'lamp' would never end");
}

TEST(a_sleeper_or_a_deadline_is_something_that_can_happen)
{
    bool late;
    test_capture_stderr();
    (void)move_on_after(&late, bide_s(100), wait_for_nobody, "lamp");
    check(late);
    check_str(test_captured(), "");
}

SPAWNABLE(int, print_the_tree)
async(int) print_the_tree(void)
{
    bide_print_tasks();
    return ready(int, 0);
}

TEST(the_tree_shows_every_state, .in_order = true)
{
    struct lock a;
    lock_init(&a, "a", 1);
    await(acquire(&a));
    test_capture_stderr();
    with_group(g, .max_concurrency = 4) {
        task(void) waiting = spawn(g, acquire, &a);
        task(int) sleeping = spawn(g, wait_for_nobody_below);
        await(bide_sleep(bide_ms(1500)));
        spawn_void(g, print_the_tree);
        bide_task_rename("renamed");
        spawn_void(g, print_the_tree);
        spawn_void(g, print_the_tree);
        bide_cancel(sleeping, "x");
        await(bide_sleep(bide_ms(1)));
        bide_cancel(waiting, "x");
        release(&a);
    }
    const char *said = test_captured();
    check_contains(said, "  #1 renamed  sleeps for 0.0 s  at ");
    check_contains(said, "    #2 acquire  wants lock 'a' for 1.5 s  at ");
    check_contains(said, "  running  spawned ");
    check_contains(said, "  queued  spawned ");
    check_contains(said, "  cancelled\n");
    check_contains(said, "\nbide: 7 tasks\n");
}
