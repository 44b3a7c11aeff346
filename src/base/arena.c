/*
 * Arenas: see arena.h for the rules. Called by every layer that has a connection or a request;
 * calls mem.
 *
 *     chunks -> newest -> ... -> first (kept by a reset)
 *               [header | pieces | cursor ... end]
 *
 * A piece that is large against the next chunk gets a chunk of its own, and the cursor stays where
 * it was, so that the room left in the current chunk is not lost.
 */
#include <bide/arena.h>

#include "base/assert.h"
#include "base/caps.h"
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    ALIGNMENT = 16,
    FIRST_BYTES = BIDE_CAP_ARENA_FIRST_CHUNK_BYTES,
    REDZONE_BYTES =
        BIDE__ASAN ? 16
                   : 0, /* a poisoned gap, so that an overrun does not land in the next piece */
};

struct bide__arena_chunk {
    struct bide__arena_chunk *older;
    size_t bytes; /* header included */
} __attribute__((aligned(16)));

_Static_assert(_Alignof(max_align_t) >= ALIGNMENT, "what malloc(3) gives is aligned enough");

struct bide__arena_callback {
    struct bide__arena_callback *earlier;
    void (*fn)(void *arg);
    void *arg;
};

static _Thread_local uint64_t serials;

void bide_arena_init(bide_arena *arena, bide_arena *parent, size_t cap_bytes)
{
    BIDE_ASSERT(cap_bytes > 0, "an arena without a cap");
    *arena = (bide_arena){
        .parent = parent,
        .next_chunk_bytes = FIRST_BYTES,
        .cap_bytes = cap_bytes,
        .serial = ++serials,
    };
    if (!parent)
        return;
    BIDE_ASSERT(!parent->resetting, "a child made in an arena that is being reset");
    arena->older_sibling = parent->newest_child;
    if (parent->newest_child)
        parent->newest_child->newer_sibling = arena;
    parent->newest_child = arena;
}

bide_arena *bide_arena_new(bide_arena *parent, size_t cap_bytes)
{
    bide_arena *arena = bide__alloc(sizeof *arena);
    if (!arena)
        return NULL;
    bide_arena_init(arena, parent, cap_bytes);
    arena->on_heap = true;
    return arena;
}

static char *chunk_start(struct bide__arena_chunk *chunk)
{
    return (char *)(chunk + 1);
}

/* A chunk of `bytes`, or NULL; not linked yet. */
static struct bide__arena_chunk *take_chunk(bide_arena *arena, size_t bytes)
{
    if (bytes > arena->cap_bytes - arena->held_bytes)
        return NULL;
    struct bide__arena_chunk *chunk = bide__alloc(bytes);
    if (!chunk)
        return NULL;
    chunk->bytes = bytes;
    arena->held_bytes += bytes;
    bide__poison(chunk_start(chunk), bytes - sizeof *chunk);
    return chunk;
}

static void give_back(bide_arena *arena, struct bide__arena_chunk *chunk)
{
    arena->held_bytes -= chunk->bytes;
    bide__unpoison(chunk_start(chunk), chunk->bytes - sizeof *chunk);
    bide__free(chunk);
}

/* The size of the next current chunk: doubling, clamped to what the cap leaves. */
static size_t next_chunk_bytes(const bide_arena *arena, size_t least)
{
    size_t left = (arena->cap_bytes - arena->held_bytes) & ~(size_t)(ALIGNMENT - 1);
    size_t bytes = arena->next_chunk_bytes < left ? arena->next_chunk_bytes : left;
    return bytes > least ? bytes : least;
}

static char *alloc_from_new_chunk(bide_arena *arena, size_t rounded)
{
    size_t least = sizeof(struct bide__arena_chunk) + rounded;
    bool alone = arena->chunks && rounded > arena->next_chunk_bytes / 2;
    struct bide__arena_chunk *chunk =
        take_chunk(arena, alone ? least : next_chunk_bytes(arena, least));
    if (!chunk)
        return NULL;
    chunk->older = arena->chunks;
    arena->chunks = chunk;
    if (alone)
        return chunk_start(chunk);
    arena->cursor = chunk_start(chunk) + rounded;
    arena->end = (char *)chunk + chunk->bytes;
    if (!BIDE_DEBUG && arena->next_chunk_bytes < BIDE_CAP_ARENA_CHUNK_BYTES)
        arena->next_chunk_bytes *= 2;
    return chunk_start(chunk);
}

void *bide_arena_alloc(bide_arena *arena, size_t size)
{
    BIDE_ASSERT(!arena->resetting, "allocation of %zu bytes in an arena that is being reset", size);
    if (bide__unlikely(size > PTRDIFF_MAX - 4 * ALIGNMENT))
        return NULL;
    size_t rounded =
        (size + REDZONE_BYTES + (size == 0) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    char *piece = arena->cursor;
    if (bide__likely(rounded <= (size_t)(arena->end - arena->cursor)))
        arena->cursor += rounded;
    else
        piece = alloc_from_new_chunk(arena, rounded);
    if (bide__unlikely(!piece))
        return NULL;
    bide__unpoison(piece, size);
    if (BIDE_DEBUG)
        memset(piece, BIDE__FILL_FRESH, size);
    return piece;
}

void *bide_arena_alloc_zero(bide_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *piece = bide_arena_alloc(arena, total);
    if (piece)
        memset(piece, 0, total);
    return piece;
}

void *bide_arena_copy(bide_arena *arena, const void *source, size_t size)
{
    void *piece = bide_arena_alloc(arena, size);
    if (piece && size > 0)
        memcpy(piece, source, size);
    return piece;
}

char *bide_arena_strdup(bide_arena *arena, const char *text)
{
    return bide_arena_copy(arena, text, strlen(text) + 1);
}

char *bide_arena_strndup(bide_arena *arena, const char *text, size_t limit)
{
    size_t length = strnlen(text, limit);
    if (length == SIZE_MAX)
        return NULL;
    char *copy = bide_arena_alloc(arena, length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *bide_arena_vprintf(bide_arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : bide_arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

char *bide_arena_printf(bide_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = bide_arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

int bide_arena_on_reset(bide_arena *arena, void (*fn)(void *arg), void *arg)
{
    struct bide__arena_callback *callback = bide_arena_alloc(arena, sizeof *callback);
    if (!callback)
        return -ENOMEM;
    *callback = (struct bide__arena_callback){arena->callbacks, fn, arg};
    arena->callbacks = callback;
    return 0;
}

size_t bide_arena_held_bytes(const bide_arena *arena)
{
    return arena->held_bytes;
}

/* Points the cursor at the one chunk that is left, if any, and makes its old content unusable. */
static void start_chunk(bide_arena *arena)
{
    struct bide__arena_chunk *first = arena->chunks;
    arena->cursor = first ? chunk_start(first) : NULL;
    arena->end = first ? (char *)first + first->bytes : NULL;
    if (!first)
        return;
    size_t room = first->bytes - sizeof *first;
    bide__unpoison(arena->cursor, room);
    if (BIDE_DEBUG)
        memset(arena->cursor, BIDE__FILL_FREED, room);
    bide__poison(arena->cursor, room);
}

void bide_arena_reset(bide_arena *arena)
{
    BIDE_ASSERT(!arena->resetting, "an arena reset from one of its own callbacks");
    arena->resetting = true;
    arena->serial = ++serials;
    while (arena->newest_child)
        bide_arena_free(arena->newest_child);
    while (arena->callbacks) {
        struct bide__arena_callback *callback = arena->callbacks;
        arena->callbacks = callback->earlier;
        callback->fn(callback->arg);
    }
    while (arena->chunks && (arena->chunks->older || arena->chunks->bytes > FIRST_BYTES)) {
        struct bide__arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        give_back(arena, chunk);
    }
    start_chunk(arena);
    arena->next_chunk_bytes = FIRST_BYTES;
    arena->resetting = false;
}

static void leave_parent(bide_arena *arena)
{
    if (!arena->parent)
        return;
    if (arena->newer_sibling)
        arena->newer_sibling->older_sibling = arena->older_sibling;
    else
        arena->parent->newest_child = arena->older_sibling;
    if (arena->older_sibling)
        arena->older_sibling->newer_sibling = arena->newer_sibling;
    arena->parent = NULL;
    arena->older_sibling = NULL;
    arena->newer_sibling = NULL;
}

void bide_arena_done(bide_arena *arena)
{
    bide_arena_reset(arena);
    leave_parent(arena);
    if (arena->chunks)
        give_back(arena, arena->chunks);
    arena->chunks = NULL;
    arena->cursor = NULL;
    arena->end = NULL;
}

void bide_arena_free(bide_arena *arena)
{
    if (!arena)
        return;
    bool on_heap = arena->on_heap;
    bide_arena_done(arena);
    if (on_heap)
        bide__free(arena);
}
