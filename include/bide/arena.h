/*
 * Arenas: memory that is given back all at once.
 *
 * An arena hands out small pieces from chunks and never takes a single piece back: the whole arena
 * is reset or ended. Arenas form a tree (worker > connection > request), so that ending a
 * connection also ends whatever its requests still hold.
 *
 * Invariants
 *  1. One thread uses an arena (and its whole tree) at a time. Nothing here locks, and nothing here
 *     suspends.
 *  2. A reset ends the children first (newest child first), then runs the arena's own callbacks
 *     (last registered first), then gives the memory back: a callback may read what the arena
 *     holds, but may not allocate from it.
 *  3. The bytes taken from the system never pass the cap given at the start; a request that would
 *     pass it returns NULL and changes nothing.
 *  4. Every piece is aligned to 16 bytes.
 *
 * Under AddressSanitizer and in debug builds memory that was given back is poisoned.
 * The pattern is that of APR pools and PostgreSQL memory contexts.
 */
#ifndef BIDE_ARENA_H
#define BIDE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bide__arena_chunk;
struct bide__arena_callback;

/* The fields are private; the structure is shown so that it can live inside another one. */
typedef struct bide_arena {
    struct bide_arena *parent; /* NULL for a root, and for a child whose parent ended it */
    struct bide_arena *newest_child;
    struct bide_arena *older_sibling;
    struct bide_arena *newer_sibling;
    char *cursor;                           /* next free byte of the current chunk */
    char *end;                              /* end of the current chunk */
    struct bide__arena_chunk *chunks;       /* newest first; the last one is kept by a reset */
    struct bide__arena_callback *callbacks; /* last registered first */
    size_t next_chunk_bytes;
    size_t held_bytes; /* taken from the system, headers included */
    size_t cap_bytes;
    uint64_t serial; /* of its thread: what is in it now was not there under another */
    bool on_heap;    /* made by bide_arena_new */
    bool resetting;
} bide_arena;

/*
 * Prepares an arena in place. `parent` may be NULL. `cap_bytes` bounds what this arena (its
 * children have their own caps) takes from the system, chunk headers included; it must not be 0.
 * Takes no memory yet and cannot fail.
 */
void bide_arena_init(bide_arena *arena, bide_arena *parent, size_t cap_bytes);

/*
 * The same on the heap. Returns NULL when out of memory. Ended by bide_arena_free, or by its
 * parent's reset or end.
 */
bide_arena *bide_arena_new(bide_arena *parent, size_t cap_bytes);

/*
 * `size` bytes, uninitialised. NULL when the cap or the memory is exhausted. A size of 0 gives a
 * unique pointer.
 */
void *bide_arena_alloc(bide_arena *arena, size_t size) __attribute__((malloc, alloc_size(2)));

/* `count` times `size` bytes, zeroed. NULL also when the product overflows. */
void *bide_arena_alloc_zero(bide_arena *arena, size_t count, size_t size)
    __attribute__((malloc, alloc_size(2, 3)));

/* A copy of `size` bytes, NULL as above. `source` may be NULL when `size` is 0. */
void *bide_arena_copy(bide_arena *arena, const void *source, size_t size);

/*
 * A copy of a string; bide_arena_strndup copies at most `limit` bytes and always ends with a NUL.
 */
char *bide_arena_strdup(bide_arena *arena, const char *text);
char *bide_arena_strndup(bide_arena *arena, const char *text, size_t limit);

/* A formatted string, see printf(3). NULL as above, or when the format is invalid. */
char *bide_arena_printf(bide_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *bide_arena_vprintf(bide_arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/*
 * Runs `fn(arg)` once at the next reset or end. The note of it lives in the arena. Returns 0, or
 * -ENOMEM, and then `fn` will not run: the caller still owns `arg`.
 */
int bide_arena_on_reset(bide_arena *arena, void (*fn)(void *arg), void *arg);

/* Bytes taken from the system by this arena alone. */
size_t bide_arena_held_bytes(const bide_arena *arena);

/*
 * Ends all children, runs the callbacks, forgets all pieces, and keeps the first chunk, if it is of
 * the usual size, for the next use. A child made by bide_arena_new is freed by this; a child in
 * place is left as after bide_arena_done.
 */
void bide_arena_reset(bide_arena *arena);

/* Reset, then gives back everything and leaves the parent. A second call does nothing. */
void bide_arena_done(bide_arena *arena);

/* The end of an arena made by bide_arena_new. NULL is allowed. */
void bide_arena_free(bide_arena *arena);

#endif
