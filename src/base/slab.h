/*
 * Pools of equal objects, one set per loop: an allocation pops a list, a free pushes it.
 *
 *              owner thread                         other threads
 *     alloc <- free list <- (when empty) collect <- remote stack <- bide__slab_free_remote
 *                        <- (when empty) carve from the newest chunk
 *
 * Called by every layer that makes many short-lived objects; calls mem. Objects do not know their
 * pool: the caller says the pool when it frees, which the structures that use this know anyway.
 *
 * Invariants
 *  1. All functions but the two `_remote` ones are for the owner: the thread that first allocated
 *     (checked in debug builds).
 *  2. The pool outlives all its objects: bide__slab_done frees nothing while objects are live.
 *  3. The remote stack is pushed by anyone and taken whole by the owner, so that it has no ABA
 *     problem (Treiber's stack, IBM RJ 5118, 1986).
 *  4. Memory goes back to the system only at the end.
 *
 * Free objects are poisoned under AddressSanitizer. Debug builds fill them and check, at the next
 * allocation, that nobody wrote to them meanwhile.
 */
#ifndef BIDE_BASE_SLAB_H
#define BIDE_BASE_SLAB_H

#include "base/assert.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

struct bide__slab_object {
    struct bide__slab_object *next;
};

/* A chunk begins with a pointer to the next one; objects follow at this offset. */
struct bide__slab_chunk;
enum { BIDE__SLAB_CHUNK_HEAD = 64 };

struct bide__slab {
    struct bide__slab_object *free; /* last freed first: still warm in the cache */
    int64_t live;                   /* handed out, and not yet back in the owner's hands */
    char *fresh;                    /* never used part of the newest chunk */
    char *fresh_end;
    struct bide__slab_chunk *chunks;
    size_t object_bytes;
    unsigned objects_per_chunk;
    const void *owner; /* debug builds: an address that only the owner thread has */
    /* Atomic; on a cache line of its own, because other threads write it. */
    struct bide__slab_object *remote __attribute__((aligned(64)));
};

/*
 * `object_size` is rounded up to 16, and objects are aligned to 16 (to 64 when the rounded size is
 * a multiple of 64). Takes no memory yet and cannot fail.
 */
void bide__slab_init(struct bide__slab *slab, size_t object_size, unsigned objects_per_chunk);

/* Private: the slow part of an allocation, and what debug and sanitizer builds do to an object. */
struct bide__slab_object *bide__slab_refill(struct bide__slab *slab);
void bide__slab_object_taken(struct bide__slab *slab, struct bide__slab_object *object);
void bide__slab_object_freed(struct bide__slab *slab, struct bide__slab_object *object);

#define BIDE__SLAB_CHECKED (BIDE__ASAN || BIDE_DEBUG)

/* An uninitialised object, or NULL when out of memory. Owner only. */
static inline void *bide__slab_alloc(struct bide__slab *slab)
{
    struct bide__slab_object *object = slab->free;
    if (bide__unlikely(!object)) {
        object = bide__slab_refill(slab);
        if (!object)
            return NULL;
    }
#if BIDE__SLAB_CHECKED
    bide__slab_object_taken(slab, object);
#endif
    slab->free = object->next;
    slab->live++;
    return object;
}

/* Gives an object of this pool back. Owner only. */
static inline void bide__slab_free(struct bide__slab *slab, void *memory)
{
    struct bide__slab_object *object = memory;
#if BIDE__SLAB_CHECKED
    bide__slab_object_freed(slab, object);
#endif
    object->next = slab->free;
    slab->free = object;
    slab->live--;
#if BIDE__SLAB_CHECKED
    bide__poison(object, slab->object_bytes);
#endif
}

/* The same from any other thread: one compare-and-swap. The owner gets the object when its own list
 * is empty. */
void bide__slab_free_remote(struct bide__slab *slab, void *memory);

/* Takes what other threads freed now. Owner only. Returns how many objects came back. */
size_t bide__slab_collect(struct bide__slab *slab);

/*
 * Collects, and frees all chunks when no object is live. Returns the number of live objects: when
 * it is not 0 nothing was freed, and the caller reports it or calls again once the other threads
 * are done.
 */
int64_t bide__slab_done(struct bide__slab *slab);

#endif
