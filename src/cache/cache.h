/*
 * What the files of this folder share: the handle, and what a store must do.
 *
 *     bide_cached -> flight.c --> store: memory.c or remote.c
 *                        +------> value.c (models from and to text)
 *     bide_cache_get, _put, _invalidate -> cache.c --> store
 *     bide_cache_invalidate_after -> after.c --------> store
 *
 * In a store a key has a value, a token, or nothing. A token says: whoever knows me began to read
 * after I was made, and nobody has invalidated the key since, for that takes me away.
 *
 *     nothing --reserve--> token --fill, by who knows it--> value --its time--> nothing
 *        ^                   |  ^                             |
 *        +----- drop, time --+  +-------- drop, reserve ------+
 */
#ifndef BIDE_CACHE_CACHE_H
#define BIDE_CACHE_CACHE_H

#include "base/caps.h"
#include "base/list.h"
#include "core/graph.h"
#include "core/loop.h"

#include <bide/buf.h>
#include <bide/cache.h>

enum bide__cache_found {
    BIDE__CACHE_NONE,
    BIDE__CACHE_TOKEN,
    BIDE__CACHE_HIT,
    BIDE__CACHE_AWAY, /* the store cannot be asked */
};

/* What a store says of a key. */
struct bide__cache_seen {
    enum bide__cache_found found;
    uint64_t token;
    const char *text; /* of a hit: in bide_task_arena */
    size_t size;
};

typedef struct bide__cache_seen bide__cache_seen;
AWAITABLE(bide__cache_seen);

struct bide__cache_kind {
    bide_async_fn(bide__cache_seen) (*look)(bide_cache *c, const char *key);
    /* The value, or the token, or a new token: HIT, TOKEN or AWAY. */
    bide_async_fn(bide__cache_seen) (*reserve)(bide_cache *c, const char *key);
    /* Keeps the text if the token is still there. */
    bide_async_fn(bool) (*fill)(bide_cache *c, const char *key, uint64_t token, const char *text,
                                size_t size, bide_duration ttl);
    /* Takes keys out; raises. */
    bide_async_fn(void) (*drop)(bide_cache *c, const char *const *keys, size_t count);
    bool at_once; /* nothing of this suspends or fails */
};

struct bide_cache {
    const struct bide__cache_kind *kind;
    struct bide_cache_options options;
    const struct bide__loop *loop;
    uint32_t users; /* the handle, tasks in it, transactions that will invalidate: the last frees */
    bool closed;
    uint64_t jitter; /* a random state */
    struct bide_cache_stats stats;
    struct bide__list flights[64]; /* by their keys' hashes */

    struct bide__memory_store *memory;

    bide_redis *redis;
    char prefix[64];
    int64_t away_until_ns;           /* of the tick's clock: Redis is left alone */
    bide_redis_script reserve, fill; /* here, since their hashes are found by each loop */
    struct bide__list pending;       /* struct bide__cache_after: to be invalidated */
    struct bide__queue pending_wanted;
    struct bide__object object;
    bide_task_ref task; /* the one that does it */
};

/* cache.c */
void bide__cache_use(bide_cache *c);
void bide__cache_unuse(bide_cache *c);

/* Checks who calls and the key; raises. */
void bide__cache_check(const bide_cache *c, const char *key);
void bide__cache_check_ttl(bide_duration ttl);

/* The store's functions, with the rules of this handle: what waits to be invalidated is not there,
   a store that is away is empty. Counts. */
bide_async(bide__cache_seen) bide__cache_look(bide_cache *c, const char *key);
bide_async(bide__cache_seen) bide__cache_reserve(bide_cache *c, const char *key);
bide_async(bool) bide__cache_fill(bide_cache *c, const char *key, uint64_t token, const char *text,
                                  size_t size, bide_duration ttl);

/* after.c */
bool bide__cache_is_pending(const bide_cache *c, const char *key);
void bide__cache_after_start(bide_cache *c);
bide_async(void) bide__cache_after_stop(bide_cache *c);

/* memory.c: the store of a name, "" for one of its own. NULL: no memory. */
struct bide__memory_store *bide__memory_store_of(const char *name,
                                                 const struct bide_cache_options *options);
void bide__memory_store_unuse(struct bide__memory_store *store);
void bide__memory_store_stats(struct bide__memory_store *store, struct bide_cache_stats *ret_stats);
extern const struct bide__cache_kind bide__cache_in_memory;

/* remote.c */
extern const struct bide__cache_kind bide__cache_in_redis;
void bide__cache_remote_init(bide_cache *c);

/* value.c: what a loader gave as text: 0, or the buffer's error, -EACCES for a secret field,
   -ERANGE, -EINVAL. And back: 0, -EBADMSG, -ENOMEM. */
int bide__cache_encode(const struct bide__cache_load *load, bide__rows rows, bide_buf *out);
int bide__cache_decode(const struct bide__cache_load *load, const char *text, size_t size,
                       bide_arena *arena, bide__rows *ret_rows);

/* Whether it stands for a text that there is none of. */
static inline bool bide__cache_is_none(const char *text, size_t size)
{
    return size == 1 && text[0] == 0;
}

/* What the loader's thunk left in its arguments. */
bide__rows bide__cache_result(const struct bide__cache_load *load);

#endif
