/*
 * Files in memory. See file_cache.h.
 */
#include "web/file_cache.h"

#include "base/caps.h"
#include "base/list.h"
#include "base/mem.h"

#include <string.h>

enum { BUCKETS = 256 };

struct bide__file_cache {
    struct bide__list used; /* the one that was not used for longest first */
    size_t held_bytes;
    struct bide__cached_file *buckets[BUCKETS];
};

static size_t bytes_of(const struct bide__cached_file *file)
{
    return sizeof *file + file->size + strlen(file->key.path) + 1;
}

/* FNV-1a: whose names collide is no matter, only files that are there are kept. */
static struct bide__cached_file **bucket_of(struct bide__file_cache *cache,
                                            const struct bide__file_key *key)
{
    uint32_t hash = 2166136261u;
    for (const char *at = key->path; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return &cache->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static bool is_same(const struct bide__file_key *a, const struct bide__file_key *b)
{
    return a->folder == b->folder && a->gzip == b->gzip && strcmp(a->path, b->path) == 0;
}

struct bide__file_cache *bide__file_cache_new(void)
{
    struct bide__file_cache *cache = bide__calloc(1, sizeof *cache);
    if (cache)
        bide__list_init(&cache->used);
    return cache;
}

static void drop(struct bide__file_cache *cache, struct bide__cached_file *file)
{
    struct bide__cached_file **at = bucket_of(cache, &file->key);
    while (*at != file)
        at = &(*at)->next;
    *at = file->next;
    bide__list_remove(&file->node);
    cache->held_bytes -= bytes_of(file);
    bide__free(file);
}

static struct bide__cached_file *oldest(struct bide__file_cache *cache)
{
    return bide__container_of(cache->used.head.next, struct bide__cached_file, node);
}

void bide__file_cache_free(struct bide__file_cache *cache)
{
    while (cache && !bide__list_empty(&cache->used))
        drop(cache, oldest(cache));
    bide__free(cache);
}

struct bide__cached_file *bide__file_cache_find(struct bide__file_cache *cache,
                                                const struct bide__file_key *key)
{
    struct bide__cached_file *file = *bucket_of(cache, key);
    while (file && !is_same(&file->key, key))
        file = file->next;
    if (!file)
        return NULL;
    bide__list_remove(&file->node);
    bide__list_push_back(&cache->used, &file->node);
    return file;
}

void bide__file_cache_put(struct bide__file_cache *cache, const struct bide__file_key *key,
                          const struct bide__cached_file *file, const char *content)
{
    struct bide__cached_file *before = bide__file_cache_find(cache, key);
    size_t path_size = strlen(key->path) + 1, size = file->size;
    if (before)
        drop(cache, before);
    if (size > BIDE_CAP_FILE_CACHED_BYTES)
        return;
    struct bide__cached_file *kept = bide__alloc(sizeof *kept + size + path_size);
    if (!kept)
        return;
    *kept = *file;
    kept->key = *key;
    kept->key.path = memcpy(kept->content + size, key->path, path_size);
    if (size > 0)
        memcpy(kept->content, content, size);
    while (cache->held_bytes + bytes_of(kept) > BIDE_CAP_FILE_CACHE_BYTES)
        drop(cache, oldest(cache));
    struct bide__cached_file **bucket = bucket_of(cache, key);
    kept->next = *bucket;
    *bucket = kept;
    bide__list_push_back(&cache->used, &kept->node);
    cache->held_bytes += bytes_of(kept);
}
