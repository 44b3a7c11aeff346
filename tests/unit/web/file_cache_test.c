/* Files in memory: found by folder, path and encoding; bounded; the least used goes first. */
#include "web/file_cache.h"

#include "base/caps.h"

#include <bide/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int folder, other;

static void put(struct bide__file_cache *cache, const char *path, const char *content, size_t size)
{
    struct bide__file_key key = {&folder, path, false};
    struct bide__cached_file file = {.size = size};
    bide__file_cache_put(cache, &key, &file, content);
}

static const char *get(struct bide__file_cache *cache, const void *of, const char *path, bool gzip)
{
    struct bide__cached_file *file =
        bide__file_cache_find(cache, &(struct bide__file_key){of, path, gzip});
    return file ? file->content : NULL;
}

TEST_PLAIN(what_was_put_is_found_by_its_whole_key)
{
    struct bide__file_cache *cache = bide__file_cache_new();
    char path[] = "a.txt";
    require(cache);
    put(cache, path, "one", 4);
    path[0] = 'x'; /* the path was copied */
    check_str(get(cache, &folder, "a.txt", false), "one");
    check_str(get(cache, &folder, "a.txt", true), NULL);
    check_str(get(cache, &other, "a.txt", false), NULL);
    check_str(get(cache, &folder, "a.tx", false), NULL);
    put(cache, "a.txt", "two", 4);
    check_str(get(cache, &folder, "a.txt", false), "two");
    put(cache, "empty", NULL, 0);
    check(get(cache, &folder, "empty", false) != NULL);
    bide__file_cache_free(cache);
    bide__file_cache_free(NULL);
}

TEST_PLAIN(it_is_bounded_and_the_least_used_goes_first)
{
    struct bide__file_cache *cache = bide__file_cache_new();
    char *content = calloc(1, BIDE_CAP_FILE_CACHED_BYTES + 1), path[16];
    size_t room = BIDE_CAP_FILE_CACHE_BYTES / BIDE_CAP_FILE_CACHED_BYTES;
    require(cache && content);
    put(cache, "large", content, BIDE_CAP_FILE_CACHED_BYTES + 1);
    check_str(get(cache, &folder, "large", false), NULL);
    put(cache, "kept", content, 10);
    for (size_t i = 0; i < 3 * room; i++) {
        snprintf(path, sizeof path, "%zu", i);
        put(cache, path, content, BIDE_CAP_FILE_CACHED_BYTES);
        check(get(cache, &folder, path, false) != NULL);
        check(get(cache, &folder, "kept", false) != NULL);
    }
    size_t found = 0;
    for (size_t i = 0; i < 3 * room; i++) {
        snprintf(path, sizeof path, "%zu", i);
        found += get(cache, &folder, path, false) != NULL;
    }
    check(found > 0 && found < room);
    check_str(get(cache, &folder, "0", false), NULL);
    free(content);
    bide__file_cache_free(cache);
}
