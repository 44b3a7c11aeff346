/*
 * mutex.h: a lock between tasks, which may be held across awaits.
 *
 *     static bide_mutex accounts;                  // all zero is a free mutex without a name
 *
 *     with_lock(&accounts) {
 *         long old = await(read_balance(id));      // others that want the lock wait
 *         await(write_balance(id, old + sum));
 *     }                                            // unlocked on every way out
 *
 * Between two awaits nothing else runs on a loop: a mutex is needed only where what it protects is
 * looked at, then awaited, then changed.
 *
 * Invariants
 *  1. Who holds it and the line where it was locked are known while it is held. Only that task
 *     unlocks it; another one that tries is BIDE_MISUSE, naming both tasks and both lines.
 *  2. First come, first served: unlocking hands the lock to the task that waits longest, which
 *     then owns it, also if it is cancelled before it runs.
 *  3. A wait that would close a cycle (two locks in opposite order, or locking again what the task
 *     holds) is BIDE_DEADLOCK in the task that closes it, at once; the report has every task of
 *     the cycle with both of its lines.
 *  4. A mutex belongs to the loop of the tasks that use it: it does not lock out other threads.
 *
 * The functions that take a `bide_mutex *` are macros where they note the line of the caller.
 *
 * layer: sync
 */
#ifndef BIDE_MUTEX_H
#define BIDE_MUTEX_H

#include <bide/task.h>

enum { BIDE__WAITED = 1, BIDE__PARK = 2 };

typedef struct bide_mutex {
    struct bide_task *owner;           /* NULL while it is free */
    const struct bide_site *locked_at; /* where the owner locked it */
    struct bide__queue waiting;
    struct bide__object object;
} bide_mutex;

/* Gives the mutex a name for reports, and makes it free. `name` is not copied. Needs no end. */
#define bide_mutex_init(mutex, name) bide__mutex_init(mutex, name, BIDE__SITE("bide_mutex_init"))

/*
 * with_lock(mutex) { ... }: holds the mutex inside. The heading suspends while another task holds
 * it; it raises BIDE_CANCELLED (then the block is not entered) and BIDE_DEADLOCK. Leaving, in
 * whatever way, unlocks and never suspends.
 */
#define bide_with_lock(mutex) BIDE__WITH_LOCK(__COUNTER__, mutex, #mutex)
#ifndef BIDE_NO_KEYWORDS
#define with_lock(mutex) BIDE__WITH_LOCK(__COUNTER__, mutex, #mutex)
#endif

/*
 * Locks without a block, for locks that are not left in the order they were taken:
 * `await(bide_lock(mutex))`. Errors as with_lock; also BIDE_MISUSE when the task that held the
 * mutex ended without unlocking it.
 */
static inline bide_async(void) bide_lock(bide_mutex *mutex);

/* Takes the mutex if it is free and gives whether it did. Never suspends. */
#define bide_try_lock(mutex) bide__try_lock(mutex, BIDE__SITE("bide_try_lock"))

/* Gives the mutex to the task that waits longest, or makes it free. By its owner only. Never
   suspends: the new owner runs when it is its turn. */
#define bide_unlock(mutex) bide__unlock(mutex, BIDE__SITE("bide_unlock"))

/* Whether the running task holds it. Never suspends. */
static inline bool bide_mutex_is_mine(const bide_mutex *mutex)
{
    BIDE__ACQUIRE(mutex);
    const void *owner = mutex->owner;
    BIDE__RELEASE(mutex);
    return owner == (const void *)bide__current;
}

/*
 * Taking a free mutex is a few stores in the caller's frame. It counts nothing against the budget
 * of awaits in a slice (a counter in memory would cost more than the rest), so a loop that does
 * nothing but take free mutexes does not yield.
 */
static inline __attribute__((__always_inline__)) bool bide__lock_free(bide_mutex *mutex,
                                                                      const struct bide_site *at)
{
    struct bide__head *me = bide__current;
    BIDE__ACQUIRE(mutex);
    if (__builtin_expect(mutex->owner || me->attention, 0)) {
        BIDE__RELEASE(mutex);
        return false;
    }
    mutex->owner = (struct bide_task *)(void *)me;
    mutex->locked_at = at;
    BIDE__RELEASE(mutex);
    return true;
}

/* A wait parks in the caller's frame (detail.h). `begin` gives 0 when there is nothing to wait for,
   else that the wait's result counts: BIDE__PARK when it must be parked for first. */
BIDE__MUST_USE int bide__lock_begin(bide_mutex *mutex, struct bide__parking *parking);
__attribute__((__noreturn__, __cold__)) void bide__lock_failed(bide_mutex *mutex, int result);

static inline __attribute__((__always_inline__)) bide_async(void) bide_lock(bide_mutex *mutex)
{
    if (!bide__lock_free(mutex, bide__current->at)) {
        struct bide__parking parking;
        int how = bide__lock_begin(mutex, &parking);
        if (how == BIDE__PARK)
            bide__park(&parking);
        if (how && parking.wait.result)
            bide__lock_failed(mutex, parking.wait.result);
    }
    return bide_void;
}

void bide__mutex_init(bide_mutex *mutex, const char *name, const struct bide_site *made);
BIDE__MUST_USE bool bide__try_lock(bide_mutex *mutex, const struct bide_site *at);
void bide__unlock_slow(bide_mutex *mutex, const struct bide_site *at);

static inline __attribute__((__always_inline__)) void bide__unlock(bide_mutex *mutex,
                                                                   const struct bide_site *at)
{
    if (__builtin_expect(
            bide_mutex_is_mine(mutex) && !mutex->waiting.first && !bide__current->attention, 1)) {
        mutex->owner = NULL;
        BIDE__RELEASE(mutex);
    } else {
        bide__unlock_slow(mutex, at);
    }
}

/* The end of a with_lock block. */
struct bide__locked {
    bide_mutex *mutex; /* NULL until it is held */
    const struct bide_site *at;
};
void bide__locked_leave_slow(bide_mutex *mutex, const struct bide_site *at);
static inline __attribute__((__always_inline__)) void
bide__locked_leave(struct bide__locked *locked)
{
    bide_mutex *mutex = locked->mutex;
    if (__builtin_expect(mutex && bide_mutex_is_mine(mutex) && !mutex->waiting.first &&
                             !bide__current->attention,
                         1)) {
        mutex->owner = NULL;
        BIDE__RELEASE(mutex);
    } else {
        bide__locked_leave_slow(mutex, locked->at); /* by value: the block stays in registers */
    }
}

#define BIDE__WITH_LOCK(n, mutex, text) BIDE__WITH_LOCK2(n, mutex, text)
#define BIDE__WITH_LOCK2(n, mutex_, text)                                                          \
    BIDE__WITH(n,                                                                                  \
               (struct bide__locked bide__locked_##n __attribute__((__cleanup__(                   \
                    bide__locked_leave))) = {NULL, BIDE__SITE("the end of with_lock(" text ")")}), \
               __extension__({                                                                     \
                   bide_mutex *const bide__mutex_##n = (mutex_);                                   \
                   if (!bide__lock_free(bide__mutex_##n, BIDE__SITE("with_lock(" text ")")))       \
                       (void)BIDE__AWAIT(__COUNTER__, "with_lock(" text ")",                       \
                                         bide_lock(bide__mutex_##n));                              \
                   bide__locked_##n.mutex = bide__mutex_##n;                                       \
               }),                                                                                 \
               (void)0)

#endif
