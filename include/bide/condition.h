/*
 * condition.h: waiting until data protected by a mutex has some state.
 *
 *     with_lock(&lock) {
 *         await(bide_wait_until(&not_empty, &lock, queue.count > 0));
 *         take(&queue);                               // the lock is held, and count > 0
 *     }
 *
 *     with_lock(&lock) {
 *         put(&queue, item);
 *         bide_notify_one(&not_empty);
 *     }
 *
 * There is no wait without a predicate: it is evaluated with the lock held, before the first wait
 * and after every wake-up, so an early, late or spurious notification does no harm.
 *
 * Invariants
 *  1. The wait lets go of the lock and begins to wait in one step: a notification in between is
 *     not possible.
 *  2. When the wait returns the lock is held and the predicate is true. When it raises the lock is
 *     held too: it is taken again first, shielded from cancels for up to BIDE_CAP_CLEANUP_MS.
 *     Only if that bound passes, or taking it would be a deadlock, the error leaves without the
 *     lock; the with_lock block around does not unlock then.
 *  3. A signal of bide_notify_one is used by a task whose predicate is true, or has been seen by
 *     every task that waited when it was sent: a woken task that has no use for it (its predicate
 *     is false, or it is cancelled) passes it on.
 *  4. Tasks are woken in the order in which they began to wait.
 *  5. A condition belongs to the loop of the tasks that use it.
 *
 * Source: C. A. R. Hoare, "Monitors" (1974), with the re-evaluation of B. Lampson and D. Redell,
 * "Experience with processes and monitors in Mesa" (1980).
 *
 * layer: sync
 */
#ifndef BIDE_CONDITION_H
#define BIDE_CONDITION_H

#include <bide/mutex.h>

typedef struct bide_condition {
    struct bide__queue waiting;
    uint64_t tickets; /* how often a task began to wait: tells who waited when a signal was sent */
    struct bide__object object;
} bide_condition;

/* Gives it a name for reports. `name` is not copied. An all-zero one is ready. Needs no end. */
#define bide_condition_init(condition, name)                                                       \
    bide__condition_init(condition, name, BIDE__SITE("bide_condition_init"))

/*
 * await(bide_wait_until(condition, mutex, expression)): waits until the expression, which is
 * evaluated again after each wake-up, is true. The running task must hold the mutex. An
 * async(void). Does not suspend when the expression is true. Raises BIDE_CANCELLED,
 * BIDE_DEADLOCK, BIDE_MISUSE when the task does not hold the mutex, and what the expression
 * raises.
 */
#define bide_wait_until(condition, mutex, ...)                                                     \
    BIDE__WAIT_UNTIL(__COUNTER__, condition, mutex, __VA_ARGS__)

/* The same with the predicate as a function: waits until `holds(arg)`. */
bide_async(void) bide_condition_wait(bide_condition *condition, bide_mutex *mutex,
                                     bool (*holds)(void *arg), void *arg);

/*
 * Wakes one waiting task, or all. Call it after the change, with or without the lock. Use
 * bide_notify_one when one task can use the change. Never suspend.
 */
void bide_notify_one(bide_condition *condition);
void bide_notify_all(bide_condition *condition);

/* One wait, in the waiting task's frame. */
struct bide__waiting {
    bide_condition *condition;
    bide_mutex *mutex;
    uint64_t signal; /* holds a signal for tasks up to that ticket; 0: none */
};
void bide__condition_init(bide_condition *condition, const char *name,
                          const struct bide_site *made);
void bide__condition_begin(const struct bide__waiting *waiting) BIDE__AWAITS;
void bide__condition_step(struct bide__waiting *waiting) BIDE__AWAITS;
void bide__condition_left(struct bide__waiting *waiting);
static inline bide_async(void) bide__condition_waited(int unused)
{
    (void)unused;
    return bide_void;
}

#define BIDE__WAIT_UNTIL(n, condition, mutex, ...)                                                 \
    BIDE__WAIT_UNTIL2(n, condition, mutex, __VA_ARGS__)
#define BIDE__WAIT_UNTIL2(n, condition_, mutex_, ...)                                              \
    bide__condition_waited(__extension__({                                                         \
        struct bide__waiting bide__waiting_##n                                                     \
            __attribute__((__cleanup__(bide__condition_left))) = {(condition_), (mutex_), 0};      \
        bide__condition_begin(&bide__waiting_##n);                                                 \
        while (!(__VA_ARGS__))                                                                     \
            bide__condition_step(&bide__waiting_##n);                                              \
        bide__waiting_##n.signal = 0; /* used */                                                   \
        0;                                                                                         \
    }))

#endif
