/*
 * clock.h: durations, the two clocks, sleeping.
 *
 * A duration is a type of its own, so `bide_sleep(5)` does not compile: say `bide_ms(5)`. In tests
 * both clocks are virtual: they stand still while a task can run and jump to the next timer when
 * every task is blocked (runtime.h, `virtual_clock`).
 *
 * layer: core
 */
#ifndef BIDE_CLOCK_H
#define BIDE_CLOCK_H

#include <bide/async.h>

typedef struct bide_duration {
    int64_t ns;
} bide_duration;

/* Durations from seconds, milliseconds, microseconds, nanoseconds. Fractions are allowed; negative
   values count as 0; more than 292 years saturate. */
static inline bide_duration bide__duration(double value, double unit_ns)
{
    double ns = value * unit_ns;
    if (!(ns > 0))
        return (bide_duration){0};
    return (bide_duration){ns >= 9.2e18 ? INT64_MAX : (int64_t)ns};
}
static inline bide_duration bide_s(double seconds)
{
    return bide__duration(seconds, 1e9);
}
static inline bide_duration bide_ms(double milliseconds)
{
    return bide__duration(milliseconds, 1e6);
}
static inline bide_duration bide_us(double microseconds)
{
    return bide__duration(microseconds, 1e3);
}
static inline bide_duration bide_ns(int64_t nanoseconds)
{
    return (bide_duration){nanoseconds < 0 ? 0 : nanoseconds};
}

/* No limit: a deadline that never comes, a sleep until cancelled. */
#define BIDE_FOREVER ((bide_duration){INT64_MAX})

/* Nanoseconds of the monotonic clock, from an unspecified start. Never suspends; callable outside
   of tasks. (clock_gettime(2), CLOCK_MONOTONIC) */
int64_t bide_clock_ns(void);

/* Microseconds since 1970-01-01T00:00:00Z. Never suspends. (clock_gettime(2), CLOCK_REALTIME) */
int64_t bide_now_us(void);

/* Suspends the task for at least `duration`; 0 yields once. Raises BIDE_CANCELLED. */
bide_async(void) bide_sleep(bide_duration duration);

/* Lets every other ready task run once. Raises BIDE_CANCELLED, and then does not yield. */
bide_async(void) bide_yield(void);

#endif
