/*
 * Turns: at most so many tasks at a time of all loops of the process, first come, first served.
 * For what takes much memory beside the loops. Called by password.c; calls the wait mechanism and
 * the mail of core/loop.h.
 *
 * Invariants
 *  1. A turn is given under the lock, and from then on a cancel no longer ends its wait: no turn is
 *     lost.
 *  2. `struct bide__turn` lives in the frame of its task. Who gives it from another thread does not
 *     touch it after `posted`.
 *  3. Who has a turn is busy on a lane: waiting for one ends by itself.
 */
#ifndef BIDE_AUTH_TURNS_H
#define BIDE_AUTH_TURNS_H

#include "core/loop.h"

#include <pthread.h>

struct bide__turns {
    pthread_mutex_t lock;
    size_t taken, waiting;
    struct bide__list line;
};
#define BIDE__TURNS(name)                                                                          \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, 0, 0,                                                           \
        {                                                                                          \
            {                                                                                      \
                &(name).line.head, &(name).line.head                                               \
            }                                                                                      \
        }                                                                                          \
    }

struct bide__turn {
    struct bide__turns *turns; /* NULL until it is taken */
    struct bide__list_node node;
    struct bide_task *task;
    bool given;  /* under the lock */
    bool posted; /* atomic: who gave it no longer needs the loop */
    struct bide__mail mail;
    struct bide__wait wait;
    struct bide__object object;
};

/* Waits for a turn. Raises BIDE_CANCELLED, and BIDE_LIMIT if `most` wait. */
void bide__turn_take(struct bide__turn *turn, struct bide__turns *turns, size_t limit, size_t most,
                     const char *name);

/* Passes it on, if it was taken: a handler of defer. */
void bide__turn_give(void *turn);

#endif
