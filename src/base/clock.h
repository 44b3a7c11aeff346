/*
 * The two clocks of the system, in nanoseconds. Tasks use the loop's clock (virtual in tests);
 * these are for what has no loop.
 */
#ifndef BIDE_BASE_CLOCK_H
#define BIDE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define BIDE__NS_PER_S INT64_C(1000000000)
#define BIDE__NS_PER_MS INT64_C(1000000)

/* Never steps back; for durations and deadlines. clock_gettime(2), CLOCK_MONOTONIC. */
static inline int64_t bide__clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * BIDE__NS_PER_S + now.tv_nsec;
}

/* Since 1970-01-01 UTC; may step. For log lines and what people read. */
static inline int64_t bide__clock_realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * BIDE__NS_PER_S + now.tv_nsec;
}

#endif
