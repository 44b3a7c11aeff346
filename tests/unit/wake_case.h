/*
 * wake_case.h: whether who wakes a loop has a lock that the loop takes first: both would wait.
 */
#ifndef BIDE_TEST_WAKE_CASE_H
#define BIDE_TEST_WAKE_CASE_H

#include "core/loop.h"

#include <pthread.h>
#include <time.h>

static const struct bide__io_ops *backend;
static pthread_mutex_t *watched;
static uint32_t woken_under_it; /* atomic */

static void wake_watched(struct bide__io *io)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++; /* others have it for a moment; who has it already waits in vain */
    if (pthread_mutex_timedlock(watched, &until) == 0)
        pthread_mutex_unlock(watched);
    else
        __atomic_add_fetch(&woken_under_it, 1, __ATOMIC_RELAXED);
    backend->wake(io);
}

/* From here on, of the running task's loop. */
static void watch_wakes(pthread_mutex_t *lock)
{
    static struct bide__io_ops ops;
    struct bide__io *io = bide__loop_here->io;
    watched = lock;
    backend = io->ops;
    ops = *backend;
    ops.wake = wake_watched;
    io->ops = &ops; /* others may look at it from here on: it stays */
}

#endif
