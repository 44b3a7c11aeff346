/*
 * once.h: something that is done once, by whoever needs it first.
 *
 *     static bide_once connected;                          // all zero: not done
 *
 *     async(void) connect_database(void *database) { ... }
 *
 *     // in every task that needs it:
 *     await(bide_once_run(&connected, connect_database, &database));
 *
 * The first task runs the function; those that come meanwhile wait for it; those that come later
 * go on at once.
 *
 * Invariants
 *  1. The function runs in one task at a time and returns at most once.
 *  2. When it fails, or its task is cancelled in it, that task gets the error, and the task that
 *     waits longest runs the function. So a failure is not remembered.
 *  3. A function that waits for its own once, itself or through other tasks, is BIDE_DEADLOCK.
 *  4. A once belongs to the loop of the tasks that use it.
 *
 * layer: sync
 */
#ifndef BIDE_ONCE_H
#define BIDE_ONCE_H

#include <bide/task.h>

typedef struct bide_once {
    bool done;
    bide_task_ref runner;               /* .task is NULL while nobody runs the function */
    const struct bide_site *running_at; /* where the runner asked for it */
    struct bide__queue waiting;
    struct bide__object object;
} bide_once;

/* Gives it a name for reports, and makes it not done. `name` is not copied. Needs no end. */
#define bide_once_init(once, name) bide__once_init(once, name, BIDE__SITE("bide_once_init"))

/*
 * Returns when `fn(arg)` has returned once: `async(void) fn(void *arg)`. Suspends while another
 * task runs it, and where fn does. Raises what fn fails with here, BIDE_CANCELLED, BIDE_DEADLOCK.
 * All callers must mean the same function.
 */
bide_async(void) bide_once_run(bide_once *once, bide__async_handler *fn, void *arg);

static inline bool bide_once_is_done(const bide_once *once)
{
    BIDE__IN_ORDER(once);
    return once->done;
}

void bide__once_init(bide_once *once, const char *name, const struct bide_site *made);

#endif
