/*
 * The slow paths of the pools: carving, collecting, remote frees, checks. See slab.h. Called by
 * slab.h's inline functions and by the loop (collect, done); calls mem.
 *
 * A chunk is an aligned header, followed by objects. A chunk is carved a few objects at a time, so
 * that memory that is not needed is not touched.
 */
#include "base/slab.h"

#include "base/caps.h"

#include <stdbool.h>
#include <string.h>

enum { ALIGNMENT = 64, CARVE_BYTES = 2048 };

struct bide__slab_chunk {
    struct bide__slab_chunk *next;
} __attribute__((aligned(BIDE__SLAB_CHUNK_HEAD)));

static _Thread_local char thread_mark;

void bide__slab_init(struct bide__slab *slab, size_t object_size, unsigned objects_per_chunk)
{
    BIDE_ASSERT(objects_per_chunk > 0, "a chunk of no objects");
    *slab = (struct bide__slab){
        .object_bytes = object_size < 16 ? 16 : (object_size + 15) & ~(size_t)15,
        .objects_per_chunk = objects_per_chunk,
    };
}

static void assert_owner(struct bide__slab *slab)
{
    if (!BIDE_DEBUG)
        return;
    if (!slab->owner)
        slab->owner = &thread_mark;
    BIDE_ASSERT(slab->owner == &thread_mark,
                "pool of %zu bytes used by a thread that does not own it", slab->object_bytes);
}

/* Looks behind the link, which stays readable in an object on the remote stack. */
static void assert_live(const struct bide__slab *slab, struct bide__slab_object *object)
{
    BIDE_ASSERT(!bide__is_poisoned(object + 1), "object of %zu bytes at %p freed twice",
                slab->object_bytes, (void *)object);
}

/* Gives an object the state of a free one, but for the link. */
static void clean_object(struct bide__slab *slab, struct bide__slab_object *object)
{
    if (BIDE_DEBUG)
        memset((char *)object + sizeof *object, BIDE__FILL_FREED,
               slab->object_bytes - sizeof *object);
}

void bide__slab_object_taken(struct bide__slab *slab, struct bide__slab_object *object)
{
    assert_owner(slab);
    bide__unpoison(object, slab->object_bytes);
    if (!BIDE_DEBUG)
        return;
    unsigned char *bytes = (unsigned char *)object;
    for (size_t i = sizeof *object; i < slab->object_bytes; i++)
        BIDE_ASSERT(bytes[i] == BIDE__FILL_FREED,
                    "byte %zu of a free object of %zu bytes at %p was written after its free", i,
                    slab->object_bytes, (void *)object);
    memset(bytes + sizeof *object, BIDE__FILL_FRESH, slab->object_bytes - sizeof *object);
}

void bide__slab_object_freed(struct bide__slab *slab, struct bide__slab_object *object)
{
    assert_owner(slab);
    assert_live(slab, object);
    BIDE_ASSERT(slab->live > 0, "more frees than allocations in a pool of %zu bytes",
                slab->object_bytes);
    clean_object(slab, object);
}

static bool add_chunk(struct bide__slab *slab)
{
    size_t objects_bytes = slab->object_bytes * slab->objects_per_chunk;
    struct bide__slab_chunk *chunk = bide__alloc_aligned(ALIGNMENT, sizeof *chunk + objects_bytes);
    if (!chunk)
        return false;
    chunk->next = slab->chunks;
    slab->chunks = chunk;
    slab->fresh = (char *)(chunk + 1);
    slab->fresh_end = slab->fresh + objects_bytes;
    bide__poison(slab->fresh, objects_bytes);
    return true;
}

/* Moves some fresh objects to the free list, in the order of their addresses. */
static void carve(struct bide__slab *slab)
{
    size_t most = CARVE_BYTES / slab->object_bytes + 1;
    struct bide__slab_object **link = &slab->free;
    for (size_t i = 0; i < most && slab->fresh < slab->fresh_end; i++) {
        struct bide__slab_object *object = (struct bide__slab_object *)(void *)slab->fresh;
        slab->fresh += slab->object_bytes;
        bide__unpoison(object, slab->object_bytes);
        clean_object(slab, object);
        *link = object;
        link = &object->next;
    }
    *link = NULL;
    for (struct bide__slab_object *object = slab->free, *next; BIDE__ASAN && object;
         object = next) {
        next = object->next;
        bide__poison(object, slab->object_bytes);
    }
}

struct bide__slab_object *bide__slab_refill(struct bide__slab *slab)
{
    assert_owner(slab);
    if (bide__slab_collect(slab) > 0)
        return slab->free;
    if (slab->fresh == slab->fresh_end && !add_chunk(slab))
        return NULL;
    carve(slab);
    return slab->free;
}

void bide__slab_free_remote(struct bide__slab *slab, void *memory)
{
    struct bide__slab_object *object = memory;
    assert_live(slab, object);
    clean_object(slab, object);
    bide__poison(object + 1, slab->object_bytes - sizeof *object);
    struct bide__slab_object *top = __atomic_load_n(&slab->remote, __ATOMIC_RELAXED);
    do {
        object->next = top;
    } while (!__atomic_compare_exchange_n(&slab->remote, &top, object, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

size_t bide__slab_collect(struct bide__slab *slab)
{
    if (!__atomic_load_n(&slab->remote, __ATOMIC_RELAXED))
        return 0;
    assert_owner(slab);
    struct bide__slab_object *object = __atomic_exchange_n(&slab->remote, NULL, __ATOMIC_ACQUIRE);
    size_t count = 0;
    while (object) {
        struct bide__slab_object *next = object->next;
        object->next = slab->free;
        slab->free = object;
        bide__poison(object, slab->object_bytes);
        object = next;
        count++;
    }
    slab->live -= (int64_t)count;
    return count;
}

int64_t bide__slab_done(struct bide__slab *slab)
{
    bide__slab_collect(slab);
    if (slab->live != 0)
        return slab->live;
    for (struct bide__slab_chunk *chunk = slab->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        bide__unpoison(chunk + 1, slab->object_bytes * slab->objects_per_chunk);
        bide__free(chunk);
    }
    bide__slab_init(slab, slab->object_bytes, slab->objects_per_chunk);
    return 0;
}
