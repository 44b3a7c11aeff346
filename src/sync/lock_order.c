/*
 * The order in which tasks take mutexes, in tests and hostile builds: two orders are told before
 * they ever meet in a deadlock. Called by mutex.c, for tasks with BIDE__ATTENTION_ORDER.
 *
 * A class is what the mutexes of one bide_mutex_init are; one without it is a class of its own. Two
 * of one class are in no order that could be known.
 *
 * Invariants
 *  1. All is per loop, as a mutex belongs to one. A full table forgets its oldest.
 *  2. A mutex without bide_mutex_init that was never locked is a new one, whatever was at its place
 *     before.
 *  3. A try does not wait: what is held by then is in no order with it, but what comes later is.
 *
 * Source: I. Molnar, A. van de Ven, "Runtime locking correctness validator" (Linux, lockdep).
 */
#include "sync/sync.h"

#include "base/caps.h"
#include "base/mem.h"
#include "core/finding.h"

struct held {
    const bide_mutex *mutex;
    uint64_t task_id;
    const struct bide_site *at;
};

/* `later` was taken while `first` was held. */
struct pair {
    const void *first, *later; /* classes */
    const struct bide_site *first_at, *later_at;
    char later_label[BIDE__LABEL_BYTES];
};

struct bide__lock_order {
    struct held held[BIDE_CAP_LOCKS_WATCHED];
    struct pair pairs[BIDE_CAP_LOCK_PAIRS];
    size_t held_next, pair_next;
};

static const void *class_of(const bide_mutex *mutex)
{
    return mutex->object.made ? (const void *)mutex->object.made : mutex;
}

/* The pair that begins with `from` and from which there is a way to `to`, over `links` more. */
static const struct pair *way(const struct bide__lock_order *seen, const void *from, const void *to,
                              int links)
{
    for (size_t i = 0; i < BIDE_CAP_LOCK_PAIRS; i++) {
        const struct pair *pair = &seen->pairs[i];
        if (pair->first == from &&
            (pair->later == to || (links > 0 && way(seen, pair->later, to, links - 1))))
            return pair;
    }
    return NULL;
}

static void tell(const struct held *held, const bide_mutex *mutex, const struct bide_task *task,
                 const struct bide_site *at, const struct pair *other)
{
    char one[BIDE__LABEL_BYTES], two[BIDE__LABEL_BYTES];
    bide__object_label(&held->mutex->object, one, sizeof one);
    bide__object_label(&mutex->object, two, sizeof two);
    bide__find(BIDE__FINDING_LOCK_ORDER, at,
               "two orders of locks: task #%llu '%s' takes %s at %s:%d and holds %s since %s:%d; "
               "before, %s was taken at %s:%d while %s was held since %s:%d: two tasks that meet "
               "there wait for ever",
               (unsigned long long)task->head.id, bide__task_label(task), two, BIDE__AT(at), one,
               BIDE__AT(held->at), other->later_label, BIDE__AT(other->later_at), two,
               BIDE__AT(other->first_at));
}

static void note_pair(struct bide__lock_order *seen, const struct held *held,
                      const bide_mutex *mutex, const struct bide_task *task,
                      const struct bide_site *at)
{
    enum { LINKS = 4 };
    const void *first = class_of(held->mutex), *later = class_of(mutex);
    if (first == later || way(seen, first, later, 0))
        return;
    const struct pair *other = way(seen, later, first, LINKS);
    if (other) {
        tell(held, mutex, task, at, other);
        return;
    }
    struct pair *pair = &seen->pairs[seen->pair_next++ % BIDE_CAP_LOCK_PAIRS];
    *pair = (struct pair){first, later, held->at, at, ""};
    bide__object_label(&mutex->object, pair->later_label, sizeof pair->later_label);
}

static void forget(struct bide__lock_order *seen, const void *class)
{
    for (size_t i = 0; i < BIDE_CAP_LOCK_PAIRS; i++)
        if (seen->pairs[i].first == class || seen->pairs[i].later == class)
            seen->pairs[i].first = NULL;
}

/* NULL without memory: then nothing is watched. */
static struct bide__lock_order *seen_here(struct bide__loop *loop)
{
    if (!loop->lock_order)
        loop->lock_order = bide__calloc_apart(sizeof *loop->lock_order);
    return loop->lock_order;
}

void bide__lock_order_taken(const bide_mutex *mutex, const struct bide_task *task,
                            const struct bide_site *at, bool tried)
{
    struct bide__lock_order *seen = seen_here(task->loop);
    if (!seen)
        return;
    if (!mutex->object.made && !mutex->locked_at)
        forget(seen, mutex);
    for (size_t i = 0; i < BIDE_CAP_LOCKS_WATCHED && !tried; i++) {
        const struct held *held = &seen->held[i];
        if (held->mutex && held->task_id == task->head.id && held->mutex->owner == task)
            note_pair(seen, held, mutex, task, at);
    }
    size_t place = 0;
    while (place < BIDE_CAP_LOCKS_WATCHED && seen->held[place].mutex)
        place++;
    if (place == BIDE_CAP_LOCKS_WATCHED)
        place = seen->held_next++ % BIDE_CAP_LOCKS_WATCHED;
    seen->held[place] = (struct held){mutex, task->head.id, at};
}

void bide__lock_order_left(const bide_mutex *mutex)
{
    struct bide__lock_order *seen = bide__loop_here->lock_order;
    for (size_t i = 0; seen && i < BIDE_CAP_LOCKS_WATCHED; i++)
        if (seen->held[i].mutex == mutex)
            seen->held[i].mutex = NULL;
}
