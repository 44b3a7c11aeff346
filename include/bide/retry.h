/*
 * retry.h: a call that is made again, within bounds.
 *
 *     static BIDE_RETRY_BUDGET(to_the_shop, 10, 100);        // at most about 10 % more calls
 *     static const bide_retry_policy patiently = {
 *         .tries = 4, .codes = {BIDE_UNREACHABLE, BIDE_TIMEOUT}, .budget = &to_the_shop};
 *
 *     bide_error *err;
 *     price p = retry(&err, &patiently, ask_the_shop, article);   // SPAWNABLE(price, ask_the_shop,
 * ...)
 *
 * A server that is down is not helped by callers that all call again at once, and again. So the
 * pauses double and are spread by chance, and a budget bounds what all callers together add.
 *
 * Invariants
 *  1. Only what the policy names is retried. Never: a cancel; what may have been done already
 *     (BIDE_OUTCOME_UNKNOWN, BIDE_REDIS_LOST); BIDE_MISUSE and BIDE_DEADLOCK; each in the error
 *     itself, among its causes or its further errors (siblings in a group). And what was cancelled,
 *     by the failure of a sibling or at a deadline, after it may have been done: a POST, a mail, a
 *     command of Redis that may change something or, outside of transactions, a write of
 *     PostgreSQL, that was sent. The policy cannot ask for those.
 *  2. A pause before call n is between half and all of first * 2^(n-2), at most `most`. Where the
 *     deadline in force would pass before the pause ends, the last error comes back at once.
 *  3. A budget holds thousandths of calls, for all loops: every retry() puts its percentage in, and
 *     every call after the first takes a whole one out, or does not happen.
 *
 * Source: M. Brooker, "Exponential backoff and jitter" (2015); "Addressing cascading failures",
 * Site Reliability Engineering, chapter 22 (2016).
 *
 * layer: core
 */
#ifndef BIDE_RETRY_H
#define BIDE_RETRY_H

#include <bide/scope.h>
#include <bide/task.h>

/* How many more calls all that share it may make. Static; of any loop. */
typedef struct bide_retry_budget {
    int64_t milli_calls; /* atomic: what is left */
    int64_t capacity;    /* calls: what it begins with, and holds at the most */
    int percent;         /* of a call that each retry() puts in */
} bide_retry_budget;

/* Declares a budget: `percent` of the calls, after `capacity` calls that are there from the start.
 */
#define BIDE_RETRY_BUDGET(name, percent_, capacity_)                                               \
    bide_retry_budget name = {(capacity_)*INT64_C(1000), (capacity_), (percent_)}

enum { BIDE_RETRY_CODES = 8 };

typedef struct bide_retry_policy {
    unsigned tries;              /* calls at the most, the first among them; 0: 3 */
    bide_duration first;         /* the pause before the second; 0: 50 ms */
    bide_duration most;          /* no pause is longer; 0: 5 s */
    int codes[BIDE_RETRY_CODES]; /* what is retried: errors with one of these (not 0) ... */
    bool (*when)(const bide_error *error, void *arg); /* ... or of which this says so; it must
                                    neither await nor fail */
    void *arg;
    bide_retry_budget *budget; /* NULL: none */
} bide_retry_policy;

/*
 * retry(&err, &policy, fn, args...): calls the SPAWNABLE `fn(args...)` until it succeeds, and gives
 * its value and sets the error to NULL; or, when it is not to be called again, a zero value with
 * the last error set. A policy that names no error is BIDE_MISUSE. Suspends. The function sees the
 * arguments anew each time. A cancel during a pause comes back as the error, and the next await
 * raises it, as with attempt.
 */
#define bide_retry(ret_error, policy, ...) BIDE__RETRY(__COUNTER__, ret_error, policy, __VA_ARGS__)
#ifndef BIDE_NO_KEYWORDS
#define retry(ret_error, policy, ...) BIDE__RETRY(__COUNTER__, ret_error, policy, __VA_ARGS__)
#endif

bide_error *bide__retry(const bide_retry_policy *policy,
                        const struct bide__call *call) BIDE__AWAITS;

#define BIDE__RETRY(n, ret_error, policy, ...)                                                     \
    BIDE__CAT(BIDE__RETRY_, BIDE__COUNT(__VA_ARGS__))(n, ret_error, policy, __VA_ARGS__)
#define BIDE__RETRY_1(n, e, policy, fn)                                                            \
    BIDE__RETRY3(n, e, policy, fn, fn##__call(&bide__tried_##n, NULL, NULL, BIDE__SITE(#fn)))
#define BIDE__RETRY_N(n, e, policy, fn, ...)                                                       \
    BIDE__RETRY3(n, e, policy, fn,                                                                 \
                 fn##__call(&bide__tried_##n, NULL, NULL, BIDE__SITE(#fn), __VA_ARGS__))
#define BIDE__RETRY_2 BIDE__RETRY_N
#define BIDE__RETRY_3 BIDE__RETRY_N
#define BIDE__RETRY_4 BIDE__RETRY_N
#define BIDE__RETRY_5 BIDE__RETRY_N
#define BIDE__RETRY_6 BIDE__RETRY_N
#define BIDE__RETRY_7 BIDE__RETRY_N
#define BIDE__RETRY_8 BIDE__RETRY_N
#define BIDE__RETRY3(n, e, policy, fn, call)                                                       \
    __extension__({                                                                                \
        struct fn##__args bide__tried_##n;                                                         \
        const struct bide__call bide__call_##n = (call);                                           \
        *(e) = bide__retry((policy), &bide__call_##n);                                             \
        bide__tried_##n.result;                                                                    \
    })

#endif
