/*
 * memory.c: a store in this process: a table of entries under one lock, which all handles of a name
 * share, on all loops. Called by cache.c; calls nothing that suspends.
 *
 *     bucket -> entry -> entry        used: the most recently used entry first
 *
 * Invariants
 *  1. `bytes` is the sum over all entries of what they take, never above max_bytes; no more than
 *     max_entries are there. Who exceeds it throws out the last of `used`, whatever it is: without
 *     its token nobody fills a key, so that only costs a load.
 *  2. The lock is held for a look, a copy or a change, and by nobody who waits for anything.
 *  3. Tokens grow: none is given twice.
 */
#include "cache/cache.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/siphash.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct entry {
    struct entry *next;          /* in its bucket */
    struct bide__list_node node; /* in `used` */
    uint64_t hash, token;        /* 0: it is a value */
    int64_t expires_ns;
    size_t key_bytes, size; /* of the key with its NUL; of the value */
    char bytes[];           /* the key, the value */
};

struct bide__memory_store {
    struct bide__list_node node; /* in `stores` */
    char *name;
    uint32_t handles; /* under the list's lock */
    uint64_t hash_key[2];
    size_t max_bytes, max_entries;
    pthread_mutex_t lock; /* for all below */
    struct entry **buckets;
    size_t mask; /* buckets - 1 */
    struct bide__list used;
    size_t bytes, entries;
    uint64_t last_token, evicted, expired;
};

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bide__list stores = {{&stores.head, &stores.head}};

static size_t bytes_of(const struct entry *entry)
{
    return sizeof *entry + entry->key_bytes + entry->size + sizeof entry->next;
}

static struct entry **place_of(struct bide__memory_store *store, const char *key, size_t key_bytes,
                               uint64_t *ret_hash)
{
    uint64_t hash = bide__siphash(store->hash_key, key, key_bytes);
    struct entry **at = &store->buckets[hash & store->mask];
    *ret_hash = hash;
    while (*at && ((*at)->hash != hash || (*at)->key_bytes != key_bytes ||
                   memcmp((*at)->bytes, key, key_bytes) != 0))
        at = &(*at)->next;
    return at;
}

static void take_out(struct bide__memory_store *store, struct entry **at)
{
    struct entry *entry = *at;
    *at = entry->next;
    bide__list_remove(&entry->node);
    store->bytes -= bytes_of(entry);
    store->entries--;
    bide__free(entry);
}

static void evict(struct bide__memory_store *store)
{
    struct bide__list_node *last = bide__list_last(&store->used);
    struct entry *entry = bide__container_of(last, struct entry, node);
    struct entry **at = &store->buckets[entry->hash & store->mask];
    while (*at != entry)
        at = &(*at)->next;
    take_out(store, at);
    store->evicted++;
}

/* Where the key's entry is, if it is there and its time is not over. */
static struct entry **find(struct bide__memory_store *store, const char *key)
{
    uint64_t hash;
    struct entry **at = place_of(store, key, strlen(key) + 1, &hash);
    if (*at && (*at)->expires_ns <= bide__loop_here->now_ns) {
        take_out(store, at);
        store->expired++;
    }
    return *at ? at : NULL;
}

/* A new entry, first of all; others go for it. NULL: no memory, or it is larger than the store. */
static struct entry *put_in(struct bide__memory_store *store, const char *key, size_t size,
                            int64_t life_ns)
{
    size_t key_bytes = strlen(key) + 1;
    struct entry *entry = bide__alloc(sizeof *entry + key_bytes + size);
    if (!entry)
        return NULL;
    *entry = (struct entry){
        .key_bytes = key_bytes, .size = size, .expires_ns = bide__loop_here->now_ns + life_ns};
    memcpy(entry->bytes, key, key_bytes);
    if (bytes_of(entry) > store->max_bytes) {
        bide__free(entry);
        return NULL;
    }
    while (store->entries == store->max_entries ||
           store->bytes + bytes_of(entry) > store->max_bytes)
        evict(store);
    struct entry **at = place_of(store, key, key_bytes, &entry->hash);
    entry->next = *at;
    *at = entry;
    bide__list_node_init(&entry->node);
    bide__list_push_front(&store->used, &entry->node);
    store->bytes += bytes_of(entry);
    store->entries++;
    return entry;
}

/* -ENOMEM: there is no room for the copy. */
static int look_at(struct bide__memory_store *store, struct entry **at, bide_arena *arena,
                   struct bide__cache_seen *look)
{
    struct entry *entry = *at;
    if (entry->token) {
        *look = (struct bide__cache_seen){.found = BIDE__CACHE_TOKEN, .token = entry->token};
        return 0;
    }
    char *copy = arena ? bide_arena_alloc(arena, entry->size + 1) : NULL;
    if (!copy)
        return -ENOMEM;
    memcpy(copy, entry->bytes + entry->key_bytes, entry->size);
    copy[entry->size] = 0;
    *look = (struct bide__cache_seen){.found = BIDE__CACHE_HIT, .text = copy, .size = entry->size};
    bide__list_remove(&entry->node);
    bide__list_push_front(&store->used, &entry->node);
    return 0;
}

static struct bide__cache_seen look(bide_cache *c, const char *key, bool reserve)
{
    struct bide__memory_store *store = c->memory;
    struct bide__cache_seen look = {.found = BIDE__CACHE_NONE};
    bide_arena *arena = bide_task_arena();
    int code = 0;
    pthread_mutex_lock(&store->lock);
    struct entry **at = find(store, key);
    if (at) {
        code = look_at(store, at, arena, &look);
    } else if (reserve) {
        int64_t life_ns = BIDE_CAP_CACHE_TOKEN_MS * INT64_C(1000000);
        struct entry *entry = put_in(store, key, 0, life_ns);
        look.found = entry ? BIDE__CACHE_TOKEN : BIDE__CACHE_AWAY;
        if (entry)
            look.token = entry->token = ++store->last_token;
    }
    pthread_mutex_unlock(&store->lock);
    if (code < 0)
        bide__raise(code, &c->object);
    return look;
}

static bide_async(bide__cache_seen) memory_look(bide_cache *c, const char *key)
{
    return bide_ready(bide__cache_seen, look(c, key, false));
}

static bide_async(bide__cache_seen) memory_reserve(bide_cache *c, const char *key)
{
    return bide_ready(bide__cache_seen, look(c, key, true));
}

static bide_async(bool) memory_fill(bide_cache *c, const char *key, uint64_t token,
                                    const char *text, size_t size, bide_duration ttl)
{
    struct bide__memory_store *store = c->memory;
    struct entry *entry = NULL;
    pthread_mutex_lock(&store->lock);
    struct entry **at = find(store, key);
    if (at && (*at)->token == token) {
        take_out(store, at);
        entry = put_in(store, key, size, ttl.ns);
        if (entry)
            memcpy(entry->bytes + entry->key_bytes, text, size);
    }
    pthread_mutex_unlock(&store->lock);
    return bide_ready(bool, entry != NULL);
}

static bide_async(void) memory_drop(bide_cache *c, const char *const *keys, size_t count)
{
    struct bide__memory_store *store = c->memory;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count; i++) {
        struct entry **at = find(store, keys[i]);
        if (at)
            take_out(store, at);
    }
    pthread_mutex_unlock(&store->lock);
    return bide_void;
}

const struct bide__cache_kind bide__cache_in_memory = {
    .look = memory_look,
    .reserve = memory_reserve,
    .fill = memory_fill,
    .drop = memory_drop,
    .at_once = true,
};

static void store_free(struct bide__memory_store *store)
{
    while (store->buckets && store->entries > 0)
        evict(store);
    pthread_mutex_destroy(&store->lock);
    bide__free(store->buckets);
    bide__free(store->name);
    bide__free(store);
}

static struct bide__memory_store *store_new(const char *name,
                                            const struct bide_cache_options *options)
{
    struct bide__memory_store *store = bide__calloc(1, sizeof *store);
    size_t buckets = 16;
    if (!store)
        return NULL;
    while (buckets < options->max_entries && buckets < SIZE_MAX / 64)
        buckets *= 2;
    pthread_mutex_init(&store->lock, NULL);
    bide__list_init(&store->used);
    store->max_bytes = options->max_bytes;
    store->max_entries = options->max_entries;
    store->mask = buckets - 1;
    store->buckets = bide__calloc(buckets, sizeof *store->buckets);
    store->name = bide__strdup(name);
    if (!store->buckets || !store->name) {
        store_free(store);
        return NULL;
    }
    if (bide__random(store->hash_key, sizeof store->hash_key) < 0)
        store->hash_key[0] = (uint64_t)bide_clock_ns();
    return store;
}

static struct bide__memory_store *find_store(const char *name)
{
    bide__list_foreach(node, &stores)
    {
        struct bide__memory_store *store =
            bide__container_of(node, struct bide__memory_store, node);
        if (name[0] && strcmp(store->name, name) == 0)
            return store;
    }
    return NULL;
}

struct bide__memory_store *bide__memory_store_of(const char *name,
                                                 const struct bide_cache_options *options)
{
    pthread_mutex_lock(&stores_lock);
    struct bide__memory_store *store = find_store(name);
    if (!store) {
        store = store_new(name, options);
        if (store)
            bide__list_push_back(&stores, &store->node);
    }
    if (store)
        store->handles++;
    pthread_mutex_unlock(&stores_lock);
    return store;
}

void bide__memory_store_unuse(struct bide__memory_store *store)
{
    pthread_mutex_lock(&stores_lock);
    bool last = --store->handles == 0;
    if (last)
        bide__list_remove(&store->node);
    pthread_mutex_unlock(&stores_lock);
    if (last)
        store_free(store);
}

void bide__memory_store_stats(struct bide__memory_store *store, struct bide_cache_stats *ret_stats)
{
    pthread_mutex_lock(&store->lock);
    ret_stats->entries = store->entries;
    ret_stats->bytes = store->bytes;
    ret_stats->evicted = store->evicted;
    ret_stats->expired = store->expired;
    pthread_mutex_unlock(&store->lock);
}
