/*
 * Threads beside the loops. Called by offload.c and name.c.
 */
#ifndef BIDE_IO_THREAD_H
#define BIDE_IO_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Cores of this process at its start, before loops are pinned to some. */
int bide__thread_cores(void);

/* Starts a thread on all of these cores, which blocks all signals but those that a fault of its own
   causes. Somebody joins it, unless it is `detached`. 0 or a negative errno. */
int bide__thread_start(void *(*run)(void *arg), void *arg, bool detached);

#endif
