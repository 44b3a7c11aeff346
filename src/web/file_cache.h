/*
 * Small files that one loop keeps in memory. Called by files.c, in tasks of that loop; calls base.
 *
 * Invariants
 *  1. What is kept, with its records, takes at most BIDE_CAP_FILE_CACHE_BYTES; what was used last
 *     stays longest.
 *  2. An entry is what its stamp says, as of checked_ns. It is gone after any call that may put
 *     another: a pointer to it does not outlive a wait.
 */
#ifndef BIDE_WEB_FILE_CACHE_H
#define BIDE_WEB_FILE_CACHE_H

#include "web/folder.h"
#include "web/web.h"

/* Which file: of a folder, by its path, for a peer that takes gzip or does not. */
struct bide__file_key {
    const void *folder;
    const char *path;
    bool gzip;
};

struct bide__cached_file {
    struct bide__list_node node;    /* in the order of use */
    struct bide__cached_file *next; /* of the same bucket */
    struct bide__file_key key;      /* its path is behind the content */
    struct bide__file_stamp stamp;
    bool zipped;
    int64_t checked_ns; /* the loop's clock */
    size_t size;
    char content[];
};

/* NULL without memory. */
struct bide__file_cache *bide__file_cache_new(void);
void bide__file_cache_free(struct bide__file_cache *cache); /* NULL is allowed */

/* NULL: it is not there. */
struct bide__cached_file *bide__file_cache_find(struct bide__file_cache *cache,
                                                const struct bide__file_key *key);

/* Keeps what was read, in place of what is there for the key; not if it is too large, or without
   memory. */
void bide__file_cache_put(struct bide__file_cache *cache, const struct bide__file_key *key,
                          const struct bide__cached_file *file, const char *content);

#endif
