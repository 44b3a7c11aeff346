/*
 * Calls that are made again: include/bide/retry.h. Called by users; calls unwind.c for the boundary
 * around each call.
 */
#include "base/clock.h"
#include "core/error.h"
#include "core/loop.h"
#include "core/scope.h"

#include <bide/metrics.h>
#include <bide/retry.h>

#include <errno.h>
#include <string.h>

enum { TRIES = 3, FIRST_MS = 50, MOST_MS = 5000, WHOLE_CALL = 1000 /* thousandths */ };

BIDE_COUNTER(bide_retries_total, "calls that retry() made again");
BIDE_COUNTER(bide_retries_refused_total, "calls that a retry budget did not allow");

static void put_in(bide_retry_budget *budget)
{
    int64_t most = budget->capacity * WHOLE_CALL;
    int64_t left = __atomic_load_n(&budget->milli_calls, __ATOMIC_RELAXED), more;
    do {
        more = left + budget->percent * (WHOLE_CALL / 100);
        if (more > most)
            more = most;
    } while (more != left && !__atomic_compare_exchange_n(&budget->milli_calls, &left, more, true,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

static bool take_out(bide_retry_budget *budget)
{
    int64_t left = __atomic_load_n(&budget->milli_calls, __ATOMIC_RELAXED);
    do {
        if (left < WHOLE_CALL)
            return false;
    } while (!__atomic_compare_exchange_n(&budget->milli_calls, &left, left - WHOLE_CALL, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

static bool is_named(const bide_retry_policy *policy, const bide_error *error)
{
    for (size_t i = 0; i < BIDE_RETRY_CODES; i++)
        if (policy->codes[i] && policy->codes[i] == error->code)
            return true;
    return policy->when && policy->when(error, policy->arg);
}

static void check(const bide_retry_policy *policy, const struct bide__call *call)
{
    bool named = policy->when != NULL;
    for (size_t i = 0; i < BIDE_RETRY_CODES; i++)
        named |= policy->codes[i] != 0;
    if (bide__unlikely(!named))
        bide__misuse("retry of '%s' at %s:%d by a policy that names no error", call->name,
                     call->at->file, call->at->line);
}

struct trial {
    const struct bide__call *call;
    int64_t pause_ns; /* before it */
};

/* The callee may change what it is given: each time it gets a copy of its own in its parameters. */
static void try_once(void *arg) BIDE__UNCHECKED
{
    struct trial *trial = arg;
    if (trial->pause_ns > 0)
        (void)bide_sleep(bide_ns(trial->pause_ns)).await;
    trial->call->thunk((void *)(uintptr_t)trial->call->args);
}

static int64_t or_default(bide_duration duration, int64_t ms)
{
    return duration.ns > 0 ? duration.ns : ms * BIDE__NS_PER_MS;
}

bide_error *bide__retry(const bide_retry_policy *policy, const struct bide__call *call)
{
    check(policy, call);
    struct bide_task *me = bide__task_current();
    struct trial trial = {.call = call};
    int64_t most_ns = or_default(policy->most, MOST_MS);
    int64_t pause_ns = or_default(policy->first, FIRST_MS);
    unsigned tries = policy->tries ? policy->tries : TRIES;
    if (policy->budget)
        put_in(policy->budget);
    for (unsigned tried = 1;; tried++) {
        bide_error *error = bide__attempt(call->at, try_once, &trial);
        if (!error)
            return NULL;
        memset((void *)(uintptr_t)call->args, 0, call->value_size);
        if (tried >= tries || bide__error_never_again(error) || bide_cancel_requested() ||
            !is_named(policy, error))
            return error;
        if (pause_ns > most_ns)
            pause_ns = most_ns;
        trial.pause_ns =
            pause_ns - (int64_t)bide__rng_below(&me->loop->jitter, (uint64_t)pause_ns / 2 + 1);
        if (bide__deadline_ns(me) - bide__loop_clock_ns(me->loop) <= trial.pause_ns)
            return error;
        if (policy->budget && !take_out(policy->budget)) {
            bide_counter_add(&bide_retries_refused_total, 1);
            return error;
        }
        bide_counter_add(&bide_retries_total, 1);
        pause_ns *= pause_ns < most_ns ? 2 : 1;
    }
}
