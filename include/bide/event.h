/*
 * event.h: a flag that tasks wait for.
 *
 *     static bide_event started;          // all zero: not set
 *
 *     await(bide_event_wait(&started));   // in some tasks
 *     bide_event_set(&started);           // in another: all of them go on
 *
 * Invariants
 *  1. Every task that waits when the event is set goes on, also if it is cleared before they run.
 *  2. An event belongs to the loop of the tasks that use it.
 *
 * A condition (condition.h) is for waiting until data has some state; an event is for "it has
 * happened".
 *
 * layer: sync
 */
#ifndef BIDE_EVENT_H
#define BIDE_EVENT_H

#include <bide/async.h>

typedef struct bide_event {
    bool set;
    struct bide__queue waiting;
    struct bide__object object;
} bide_event;

/* Gives the event a name for reports, and clears it. `name` is not copied. Needs no end. */
#define bide_event_init(event, name) bide__event_init(event, name, BIDE__SITE("bide_event_init"))

/* Sets it and wakes all that wait. Setting it again does nothing. Never suspends. */
void bide_event_set(bide_event *event);

/* Clears it: later waits suspend again. Never suspends. */
static inline void bide_event_clear(bide_event *event)
{
    BIDE__ACQUIRE(event);
    event->set = false;
    BIDE__RELEASE(event);
}

static inline bool bide_event_is_set(const bide_event *event)
{
    BIDE__ACQUIRE(event);
    bool set = event->set;
    BIDE__RELEASE(event);
    return set;
}

/* Suspends until it is set; not at all if it is. Raises BIDE_CANCELLED. */
bide_async(void) bide_event_wait(bide_event *event);

void bide__event_init(bide_event *event, const char *name, const struct bide_site *made);

#endif
