/*
 * retry_tx: a transaction that is made again when the database says that it would then succeed.
 * Called by users through db.h; calls tx.c.
 *
 * Invariants
 *  1. Each try is a transaction of its own, from its first statement to its commit, behind a
 *     boundary: nothing of a try that failed is left.
 *  2. Only BIDE_TX_RETRY leads to another try. BIDE_OUTCOME_UNKNOWN never does, nor an error that
 *     holds one: what may have been done would be done twice.
 */
#include "db/db.h"

#include "base/clock.h"
#include "base/rng.h"
#include "core/scope.h"

#include <string.h>

struct trial {
    bide_db *db;
    const struct bide_site *at;
    bide_tx **slot; /* where the arguments have it */
    void (*thunk)(void *args);
    void *args;
    int64_t pause_ns; /* before it */
};

static void try_once(void *arg) BIDE__UNCHECKED
{
    struct trial *trial = arg;
    bide_tx tx __attribute__((cleanup(bide__tx_leave))) = {.db = NULL};
    if (trial->pause_ns > 0)
        (void)bide_sleep(bide_ns(trial->pause_ns)).await;
    *trial->slot = bide__tx_enter(&tx, bide__on_db(trial->db), true, trial->at);
    trial->thunk(trial->args);
}

/* Between half of it and all of it, so that those who met do not meet again. */
static int64_t jitter(struct bide__loop *loop, int64_t ns)
{
    return ns - (int64_t)bide__rng_below(&loop->jitter, (uint64_t)ns / 2);
}

bide_error *bide__retry_tx(const struct bide_site *at, bide_db *db, bide_tx **slot,
                           void (*thunk)(void *args), void *args, size_t result_size)
{
    struct bide_task *me = bide__task_current();
    struct trial trial = {.db = db, .at = at, .slot = slot, .thunk = thunk, .args = args};
    int64_t pause_ns = BIDE_CAP_DB_RETRY_FIRST_MS * BIDE__NS_PER_MS;
    for (int tries = 1;; tries++) {
        bide_error *error = bide__attempt(at, try_once, &trial);
        if (!error)
            return NULL;
        memset(args, 0, result_size);
        trial.pause_ns = jitter(me->loop, pause_ns);
        int64_t left_ns = bide__deadline_ns(me) - bide__loop_clock_ns(me->loop);
        if (error->code != BIDE_TX_RETRY || bide__error_never_again(error) ||
            tries == BIDE_CAP_DB_TRIES || left_ns < trial.pause_ns)
            return error;
        if (pause_ns < BIDE_CAP_DB_RETRY_MOST_MS * BIDE__NS_PER_MS)
            pause_ns *= 2;
    }
}
