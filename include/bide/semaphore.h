/*
 * semaphore.h: at most so many tasks at a time.
 *
 *     bide_semaphore slots;
 *     bide_semaphore_init(&slots, 3, "downloads");
 *
 *     with_slot(&slots) {
 *         await(download(url));                 // never more than three of these
 *     }                                         // the slot is free again on every way out
 *
 * Invariants
 *  1. It is bounded: never more slots are taken than it has, and giving back more than was taken
 *     is BIDE_MISUSE, naming the line and the one that released last.
 *  2. First come, first served: a slot given back goes to the task that waits longest.
 *  3. with_slot notes who holds the slot. While all slots are held that way, a wait that no holder
 *     can end any more (each of them waits, directly or through others, for this semaphore or for
 *     the one that would wait) is BIDE_DEADLOCK at once. Slots taken by bide_acquire have no known
 *     holder: nothing is concluded then.
 *  4. A semaphore belongs to the loop of the tasks that use it.
 *
 * Source: E. W. Dijkstra, "Cooperating sequential processes" (1965).
 *
 * layer: sync
 */
#ifndef BIDE_SEMAPHORE_H
#define BIDE_SEMAPHORE_H

#include <bide/task.h>

struct bide__slot;

typedef struct bide_semaphore {
    size_t available;  /* free slots; 0 while a task waits */
    size_t slots;      /* the bound; 0: bide_semaphore_init was not called */
    size_t unrecorded; /* slots taken by bide_acquire */
    struct bide__queue waiting;
    struct bide__slot *holders;          /* of with_slot, newest first */
    const struct bide_site *released_at; /* the last bide_release ... */
    uint64_t released_by;                /* ... and the id of the task that did it */
    struct bide__object object;
} bide_semaphore;

/*
 * Prepares a semaphore of `slots` (not 0) free slots. `name` is for reports, may be NULL, and is
 * not copied. Needs no end. Unlike the other objects of sync an all-zero one is not ready: taking
 * a slot of it is BIDE_MISUSE, because how many there are is never a default.
 */
#define bide_semaphore_init(semaphore, slots, name)                                                \
    bide__semaphore_init(semaphore, slots, name, BIDE__SITE("bide_semaphore_init"))

/*
 * with_slot(semaphore) { ... }: holds a slot inside. The heading suspends while none is free; it
 * raises BIDE_CANCELLED (then the block is not entered) and BIDE_DEADLOCK. Leaving, in whatever
 * way, gives the slot back and never suspends.
 */
#define bide_with_slot(semaphore) BIDE__WITH_SLOT(__COUNTER__, semaphore, #semaphore)
#ifndef BIDE_NO_KEYWORDS
#define with_slot(semaphore) BIDE__WITH_SLOT(__COUNTER__, semaphore, #semaphore)
#endif

/* Takes a slot that is given back elsewhere, by bide_release, perhaps by another task. Suspends
   while none is free. Raises BIDE_CANCELLED. */
bide_async(void) bide_acquire(bide_semaphore *semaphore);

/* The same if one is free; gives whether it was. Never suspends. */
BIDE__MUST_USE bool bide_try_acquire(bide_semaphore *semaphore);

/* Gives back a slot that bide_acquire or bide_try_acquire took. Never suspends. */
#define bide_release(semaphore) bide__release(semaphore, BIDE__SITE("bide_release"))

/* How many slots are free now; the others are taken. */
static inline size_t bide_semaphore_available(const bide_semaphore *semaphore)
{
    BIDE__IN_ORDER(semaphore);
    return semaphore->available;
}

/* A slot held by a with_slot block, in its frame. */
struct bide__slot {
    bide_semaphore *semaphore; /* NULL until it is held */
    struct bide_task *task;
    const struct bide_site *since;
    struct bide__slot *newer, *older;
};
void bide__semaphore_init(bide_semaphore *semaphore, size_t slots, const char *name,
                          const struct bide_site *made);
bide_async(void) bide__slot_take(struct bide__slot *slot, bide_semaphore *semaphore);
void bide__slot_leave(struct bide__slot *slot);
void bide__release(bide_semaphore *semaphore, const struct bide_site *at);

#define BIDE__WITH_SLOT(n, semaphore, text) BIDE__WITH_SLOT2(n, semaphore, text)
#define BIDE__WITH_SLOT2(n, semaphore_, text)                                                      \
    BIDE__WITH(n,                                                                                  \
               (struct bide__slot bide__slot_##n                                                   \
                __attribute__((__cleanup__(bide__slot_leave))) = {NULL, NULL, NULL, NULL, NULL}),  \
               BIDE__AWAIT(__COUNTER__, "with_slot(" text ")",                                     \
                           bide__slot_take(&bide__slot_##n, (semaphore_))),                        \
               (void)0)

#endif
