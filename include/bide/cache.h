/*
 * cache.h: what is dear to make and may be a little old, kept for a while.
 *
 *     SPAWNABLE(user_ptr, load_user, bide_db *, int64_t)       // async(user_ptr): one or NULL
 *
 *     with(bide_cache, c, "memory:app", NULL) {                // or "redis://127.0.0.1"
 *         const char *key = bide_cache_key("user:%lld", id);
 *         user *u = await(bide_cached(c, user, key, bide_s(60), load_user, db, id));
 *         with_tx(tx, db) {
 *             await(bide_update(tx, user, &changed, email));
 *             bide_cache_invalidate_after(tx, c, key);         // when it is committed
 *         }
 *     }
 *
 * `memory:` is a store in this process, of this handle alone; `memory:NAME` is one that all handles
 * of that name share, on whichever loop. A Redis URL (redis.h) is a store that processes share.
 *
 * Invariants
 *  1. Nothing is kept without a time to live. Up to a tenth is taken off at random, so that what
 *     was made together does not end together.
 *  2. Single flight: of the tasks of a loop that ask for a missing key one runs the loader, the
 *     others wait for what it gives. If it is cancelled, the one that waits longest runs its own
 *     loader; if it fails, all of them fail with that error, and nothing is kept.
 *  3. What was read before an invalidation is never kept after it: a miss leaves a token in the
 *     store, which the invalidation takes away with the value, and only who has the token may
 *     fill. A task that asks after an invalidation never gets what was loaded before it. This holds
 *     over all loops and processes of a store.
 *  4. A store in memory is bounded by bytes and entries; what was used least recently goes first.
 *     Nobody sees a value after its time; one that nobody asks for goes with the others.
 *  5. Values are copies: what a task gets is its own, in its request's memory (bide_task_arena),
 *     and models travel as JSON, not as anything that could be run.
 *  6. Without Redis a cache is empty, and what is asked for is loaded: the server is left alone for
 *     BIDE_CAP_CACHE_AWAY_MS (1 s) then. options.strict raises its errors instead. Opening, and
 *     bide_cache_invalidate, always raise them: a stale value would stay. What is invalidated after
 *     a commit is tried until it is done; meanwhile this handle does not look at these keys.
 *  7. A handle is used on the loop that opened it.
 *
 * layer: cache
 */
#ifndef BIDE_CACHE_H
#define BIDE_CACHE_H

#include <bide/db.h>
#include <bide/group.h>
#include <bide/redis.h>

typedef struct bide_cache bide_cache;
typedef bide_cache *bide_cache_ptr;
AWAITABLE(bide_cache_ptr);

/* Zero means the default for each field. */
struct bide_cache_options {
    const char *prefix;    /* of keys in Redis: "cache". Copied */
    size_t max_bytes;      /* of a store in memory, keys and what it needs itself included; 64 MiB.
                              The first handle of a name decides */
    size_t max_entries;    /* 100,000 */
    size_t value_bytes;    /* a longer value is given, and not kept; 1 MiB */
    bide_duration timeout; /* of each call of Redis; 250 ms */
    bool strict;           /* errors of Redis are raised, rather than taken for an empty cache */
};

/* Opens a cache; `options` may be NULL. BIDE_INVALID for the URL; what bide_redis_open raises. */
bide_async(bide_cache_ptr) bide_cache_open(const char *url,
                                           const struct bide_cache_options *options);

/* Closes it; tasks that are in it get BIDE_CLOSED. Tries once what is still to be invalidated. */
bide_async(void) bide_cache_close(bide_cache_ptr cache, bide_error *error);

SPAWNABLE(bide_cache_ptr, bide_cache_open, const char *, const struct bide_cache_options *)

/* with(bide_cache, c, url, options) { ... } */
RESOURCE(bide_cache, bide_cache_ptr, bide_cache_open, bide_cache_close)

/* A key, as printf(3): in the request's memory. 1 to BIDE_CAP_CACHE_KEY_BYTES (512) bytes. Raises
   BIDE_NO_MEMORY. Never suspends. */
const char *bide_cache_key(const char *format, ...)
    __attribute__((__format__(__printf__, 1, 2), __returns_nonnull__));

/*
 * bide_cached(c, M, key, ttl, fn, args...): async(M_ptr): the value of this key, or what
 * `fn(args...)` gives, which is then kept: a SPAWNABLE async(M_ptr) function of up to 7 arguments.
 * NULL, "there is none", is kept too. M is a MODEL or VIEW without secret fields: BIDE_INVALID, for
 * what a cache holds is no secret. Computed fields are computed anew by who writes the value.
 * bide_cached_list: async(M_list), of a function that gives one. bide_cached_text: async(str).
 *
 * `ttl` is more than 0 and less than for ever. Suspends. Raises what the loader does,
 * BIDE_CANCELLED, BIDE_DEADLOCK for a loader that waits for its own key, BIDE_CLOSED.
 */
#define bide_cached(c, M, key, ttl, ...)                                                           \
    M##__row_of(bide__cache_fetch(c, BIDE__CACHED(M##_model(), BIDE__CACHE_ROW, key, ttl,          \
                                                  bide_into(&(M *){NULL}, __VA_ARGS__)))           \
                    .await)
#define bide_cached_list(c, M, key, ttl, ...)                                                      \
    M##__list_of(bide__cache_fetch(c, BIDE__CACHED(M##_model(), BIDE__CACHE_LIST, key, ttl,        \
                                                   bide_into(&(M##_list){0}, __VA_ARGS__)))        \
                     .await)
#define bide_cached_text(c, key, ttl, ...)                                                         \
    bide__cache_text(                                                                              \
        bide__cache_fetch(c, BIDE__CACHED(NULL, BIDE__CACHE_TEXT, key, ttl,                        \
                                          bide_into(&(const char *){NULL}, __VA_ARGS__)))          \
            .await)

/*
 * The same by hand. bide_cache_get gives the text of a key, or NULL. With `ret_ticket` a miss
 * leaves a token, and what is read from now on may be kept by bide_cache_put, once: it gives
 * whether it was, rather than invalidated, filled by another or thrown out meanwhile. A ticket is
 * good for BIDE_CAP_CACHE_TOKEN_MS (60 s).
 */
typedef struct bide_cache_ticket {
    uint64_t token; /* 0: of no miss; nothing can be kept with it */
} bide_cache_ticket;
bide_async(str) bide_cache_get(bide_cache *c, const char *key, bide_cache_ticket *ret_ticket);
bide_async(bool) bide_cache_put(bide_cache *c, const char *key, bide_cache_ticket ticket,
                                const char *text, bide_duration ttl);

/*
 * bide_cache_invalidate(c, key, ...): takes keys out, together: async(void). It is done when it
 * returns. bide_cache_invalidate_keys: the same for an array.
 *
 * bide_cache_invalidate_after(tx, c, key, ...): the same when the transaction is committed, and not
 * if it is rolled back. The keys are copied. A plain call: never suspends; raises BIDE_NO_MEMORY,
 * BIDE_INVALID. `c` may be closed before the transaction ends. With Redis it is done soon after the
 * block: for this handle at once, for other processes a moment later.
 */
#define bide_cache_invalidate(c, ...) bide_cache_invalidate_keys(c, BIDE__CACHE_KEYS(__VA_ARGS__))
#define bide_cache_invalidate_after(tx, c, ...)                                                    \
    bide_cache_invalidate_keys_after(tx, c, BIDE__CACHE_KEYS(__VA_ARGS__))
bide_async(void) bide_cache_invalidate_keys(bide_cache *c, const char *const *keys, size_t count);
void bide_cache_invalidate_keys_after(bide_tx *tx, bide_cache *c, const char *const *keys,
                                      size_t count);

/* The numbers of this handle since it was opened; of a store in memory as a whole the last four. */
struct bide_cache_stats {
    uint64_t hits;
    uint64_t misses;      /* what was not there */
    uint64_t joined;      /* of those, tasks that waited for the loader of another */
    uint64_t loads;       /* loaders that ran */
    uint64_t load_failed; /* of those, failed or cancelled */
    uint64_t kept;        /* values put into the store */
    uint64_t outdated;    /* values that were not: invalidated meanwhile, or filled by another */
    uint64_t too_long;    /* ... longer than options.value_bytes */
    uint64_t invalidated; /* keys, whether they were there or not */
    uint64_t away;        /* calls of Redis that failed */
    uint64_t lost;        /* keys to be invalidated that were given up */
    size_t pending;       /* ... and that wait for Redis now */
    size_t entries;       /* in memory now, tokens included */
    size_t bytes;         /* that they take */
    uint64_t evicted;     /* thrown out for others */
    uint64_t expired;     /* found too old */
};
void bide_cache_stats(const bide_cache *c, struct bide_cache_stats *ret_stats);

SPAWNABLE(str, bide_cache_get, bide_cache *, const char *, bide_cache_ticket *)
SPAWNABLE(bool, bide_cache_put, bide_cache *, const char *, bide_cache_ticket, const char *,
          bide_duration)
SPAWNABLE(void, bide_cache_invalidate_keys, bide_cache *, const char *const *, size_t)

/* The rest is for the macros: compilers then name the line of the use. */
#pragma GCC system_header
enum bide__cache_shape { BIDE__CACHE_ROW, BIDE__CACHE_LIST, BIDE__CACHE_TEXT };
struct bide__cache_load {
    const bide_model *model;
    enum bide__cache_shape shape;
    const char *key;
    bide_duration ttl;
    struct bide__call call;
};
#define BIDE__CACHED(model, shape, key, ttl, call)                                                 \
    ((struct bide__cache_load){model, shape, key, {(ttl).ns}, call})
SPAWNABLE(bide__rows, bide__cache_fetch, bide_cache *, struct bide__cache_load)

static inline bide_async(str) bide__cache_text(bide__rows rows)
{
    return bide_ready(str, rows.items);
}

/* clang-format off */
#define BIDE__CACHE_KEYS(...) \
    (const char *const[]){__VA_ARGS__}, \
    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

/* ---- attempt(&err, bide_cached, c, user, key, ttl, fn, ...) ---- */
#define bide_cached__attempt(e, at, c, M, key, ttl, ...) \
    M##__row_of(bide__cache_fetch__attempt(e, at, c, \
        BIDE__CACHED(M##_model(), BIDE__CACHE_ROW, key, ttl, \
                     bide_into(&(M *){NULL}, __VA_ARGS__)))).await
#define bide_cached_list__attempt(e, at, c, M, key, ttl, ...) \
    M##__list_of(bide__cache_fetch__attempt(e, at, c, \
        BIDE__CACHED(M##_model(), BIDE__CACHE_LIST, key, ttl, \
                     bide_into(&(M##_list){0}, __VA_ARGS__)))).await
#define bide_cached_text__attempt(e, at, c, key, ttl, ...) \
    bide__cache_text(bide__cache_fetch__attempt(e, at, c, \
        BIDE__CACHED(NULL, BIDE__CACHE_TEXT, key, ttl, \
                     bide_into(&(const char *){NULL}, __VA_ARGS__)))).await
#define bide_cache_invalidate__attempt(e, at, c, ...) \
    bide_cache_invalidate_keys__attempt(e, at, c, BIDE__CACHE_KEYS(__VA_ARGS__))
/* clang-format on */

#endif
