/*
 * cache.c: the handle: opening, closing, what tasks do by hand, and the rules that stand before a
 * store. Called by users and flight.c; calls memory.c, remote.c, after.c.
 */
#include "cache/cache.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/rng.h"
#include "redis/redis.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct bide__kind cache_kind = {.noun = "cache", .verb = "waits for"};

void bide__cache_use(bide_cache *c)
{
    c->users++;
}

void bide__cache_unuse(bide_cache *c)
{
    if (--c->users > 0)
        return;
    if (c->memory)
        bide__memory_store_unuse(c->memory);
    bide_redis_close(c->redis);
    bide__free(c);
}

static void unuse(void *c)
{
    bide__cache_unuse(c);
}

static void set_options(bide_cache *c, const struct bide_cache_options *given)
{
    struct bide_cache_options *options = &c->options;
    if (given)
        *options = *given;
    snprintf(c->prefix, sizeof c->prefix, "%s", options->prefix ? options->prefix : "cache");
    options->prefix = c->prefix;
    if (options->max_bytes == 0)
        options->max_bytes = BIDE_CAP_CACHE_BYTES;
    if (options->max_entries == 0)
        options->max_entries = BIDE_CAP_CACHE_ENTRIES;
    if (options->value_bytes == 0)
        options->value_bytes = BIDE_CAP_CACHE_VALUE_BYTES;
    if (options->timeout.ns == 0)
        options->timeout = bide_ms(BIDE_CAP_CACHE_MS);
}

static bide_async(void) open_redis(bide_cache *c, const char *url)
{
    const struct bide_redis_options options = {.timeout = c->options.timeout};
    c->kind = &bide__cache_in_redis;
    bide__cache_remote_init(c);
    c->redis = bide_await(bide_redis_open(url, &options));
    c->redis->repeatable = true;
    bide__cache_after_start(c);
    return bide_void;
}

bide_async(bide_cache_ptr) bide_cache_open(const char *url,
                                           const struct bide_cache_options *options)
{
    static const char memory[] = "memory:";
    bide_cache *c = bide__calloc(1, sizeof *c);
    if (!c)
        bide__raise(-ENOMEM, NULL);
    c->users = 1;
    c->loop = bide__loop_here;
    set_options(c, options);
    bide__list_init(&c->pending);
    for (size_t i = 0; i < sizeof c->flights / sizeof *c->flights; i++)
        bide__list_init(&c->flights[i]);
    bide__object_init(&c->object, &cache_kind, NULL, bide__current->at);
    bide_on_error(unuse, c);
    if (bide__random(&c->jitter, sizeof c->jitter) < 0)
        c->jitter = (uint64_t)bide_now_us() ^ (uintptr_t)c;
    if (strncmp(url, memory, sizeof memory - 1) != 0) {
        (void)bide_await(open_redis(c, url));
        return bide_ready(bide_cache_ptr, c);
    }
    c->kind = &bide__cache_in_memory;
    c->memory = bide__memory_store_of(url + sizeof memory - 1, &c->options);
    if (!c->memory)
        bide__raise(-ENOMEM, &c->object);
    return bide_ready(bide_cache_ptr, c);
}

bide_async(void) bide_cache_close(bide_cache_ptr c, bide_error *error)
{
    (void)error;
    if (!c)
        return bide_void;
    bide_defer(unuse, c);
    c->closed = true;
    if (c->redis)
        (void)bide_await(bide__cache_after_stop(c));
    return bide_void;
}

void bide__cache_check(const bide_cache *c, const char *key)
{
    size_t size = key ? strlen(key) : 0;
    if (bide__unlikely(c->loop != bide__loop_here))
        bide__misuse("a cache is used on loop %d: it belongs to loop %d", bide__loop_here->index,
                     c->loop->index);
    if (bide__unlikely(c->closed))
        bide__raise(-ESHUTDOWN, &c->object);
    if (bide__unlikely(size == 0 || size > BIDE_CAP_CACHE_KEY_BYTES))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "a key of a cache has 1 to %d bytes, this one %zu",
                                  BIDE_CAP_CACHE_KEY_BYTES, size));
}

void bide__cache_check_ttl(bide_duration ttl)
{
    if (bide__unlikely(ttl.ns <= 0 || ttl.ns == INT64_MAX))
        bide__fail(
            bide__current->at,
            bide_error_new(BIDE_INVALID, "a value in a cache needs a time to live, which ends"));
}

/* Redis has failed: its error is swallowed, and it is left alone for a while; or it is raised. */
static void away(bide_cache *c, bide_error *error)
{
    if (error->is_cancel || error->code == BIDE_CANCELLED || error->code == BIDE_NO_MEMORY ||
        c->options.strict)
        bide_fail(error);
    c->stats.away++;
    c->away_until_ns = c->loop->now_ns + BIDE_CAP_CACHE_AWAY_MS * INT64_C(1000000);
}

static bool may_ask(const bide_cache *c, const char *key)
{
    if (bide__unlikely(!bide__list_empty(&c->pending)) && bide__cache_is_pending(c, key))
        return false;
    return c->options.strict || c->loop->now_ns >= c->away_until_ns;
}

typedef struct forgotten_await_bide__cache_seen looking(bide_cache *c, const char *key);

static bide_async(bide__cache_seen) look_now(bide_cache *c, const char *key, looking *how);
SPAWNABLE(bide__cache_seen, look_now, bide_cache *, const char *, looking *)
static bide_async(bide__cache_seen) look_now(bide_cache *c, const char *key, looking *how)
{
    return how(c, key);
}

static bide_async(bide__cache_seen) look_safely(bide_cache *c, const char *key, looking *how)
{
    struct bide__cache_seen look = {.found = BIDE__CACHE_AWAY};
    if (c->kind->at_once)
        return how(c, key);
    if (may_ask(c, key)) {
        bide_error *error;
        look = bide_attempt(&error, look_now, c, key, how);
        if (error) {
            away(c, error);
            look = (struct bide__cache_seen){.found = BIDE__CACHE_AWAY};
        } else if (bide__cache_is_pending(c, key)) {
            look = (struct bide__cache_seen){.found = BIDE__CACHE_AWAY};
        }
    }
    return bide_ready(bide__cache_seen, look);
}

bide_async(bide__cache_seen) bide__cache_look(bide_cache *c, const char *key)
{
    struct bide__cache_seen look = bide_await(look_safely(c, key, c->kind->look));
    if (look.found == BIDE__CACHE_HIT)
        c->stats.hits++;
    else
        c->stats.misses++;
    return bide_ready(bide__cache_seen, look);
}

bide_async(bide__cache_seen) bide__cache_reserve(bide_cache *c, const char *key)
{
    return look_safely(c, key, c->kind->reserve);
}

/* Less up to a tenth, at random. */
static bide_duration shortened(bide_cache *c, bide_duration ttl)
{
    uint64_t tenth = (uint64_t)ttl.ns / 10;
    return tenth ? bide_ns(ttl.ns - (int64_t)(bide__splitmix64(&c->jitter) % tenth)) : ttl;
}

struct filling {
    const char *key, *text;
    size_t size;
    uint64_t token;
    bide_duration ttl;
};
typedef const struct filling *filling_ptr;

static bide_async(bool) fill_now(bide_cache *c, filling_ptr what);
SPAWNABLE(bool, fill_now, bide_cache *, filling_ptr)
static bide_async(bool) fill_now(bide_cache *c, filling_ptr what)
{
    return c->kind->fill(c, what->key, what->token, what->text, what->size, what->ttl);
}

bide_async(bool) bide__cache_fill(bide_cache *c, const char *key, uint64_t token, const char *text,
                                  size_t size, bide_duration ttl)
{
    struct filling what = {key, text, size, token, shortened(c, ttl)};
    bide_error *error = NULL;
    bool kept = false;
    if (size > c->options.value_bytes) {
        c->stats.too_long++;
        return bide_ready(bool, false);
    }
    if (token == 0 || !may_ask(c, key))
        return bide_ready(bool, false);
    kept = bide_attempt(&error, fill_now, c, &what);
    if (error)
        away(c, error);
    else if (kept)
        c->stats.kept++;
    else
        c->stats.outdated++;
    return bide_ready(bool, kept);
}

bide_async(str) bide_cache_get(bide_cache *c, const char *key, bide_cache_ticket *ret_ticket)
{
    bide__cache_check(c, key);
    bide__cache_use(c);
    bide_defer(unuse, c);
    struct bide__cache_seen look = bide_await(bide__cache_look(c, key));
    if (ret_ticket && look.found == BIDE__CACHE_NONE)
        look = bide_await(bide__cache_reserve(c, key));
    if (ret_ticket)
        ret_ticket->token = look.found == BIDE__CACHE_TOKEN ? look.token : 0;
    bide__done_at_once(bide__task_current());
    bool is_there = look.found == BIDE__CACHE_HIT && !bide__cache_is_none(look.text, look.size);
    return bide_ready(str, is_there ? look.text : NULL);
}

bide_async(bool) bide_cache_put(bide_cache *c, const char *key, bide_cache_ticket ticket,
                                const char *text, bide_duration ttl)
{
    bide__cache_check(c, key);
    bide__cache_check_ttl(ttl);
    if (!text)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "bide_cache_put of NULL"));
    bide__cache_use(c);
    bide_defer(unuse, c);
    return bide__cache_fill(c, key, ticket.token, text, strlen(text), ttl);
}

bide_async(void) bide_cache_invalidate_keys(bide_cache *c, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bide__cache_check(c, keys[i]);
    bide__cache_use(c);
    bide_defer(unuse, c);
    (void)bide_await(c->kind->drop(c, keys, count));
    c->stats.invalidated += count;
    return bide_void;
}

const char *bide_cache_key(const char *format, ...)
{
    va_list args;
    bide_arena *arena = bide_task_arena();
    va_start(args, format);
    const char *key = arena ? bide_arena_vprintf(arena, format, args) : NULL;
    va_end(args);
    if (!key)
        bide__raise(-ENOMEM, NULL);
    return key;
}

void bide_cache_stats(const bide_cache *c, struct bide_cache_stats *ret_stats)
{
    *ret_stats = c->stats;
    if (c->memory)
        bide__memory_store_stats(c->memory, ret_stats);
}
