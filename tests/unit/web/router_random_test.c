/* The router against a slow matcher: random routes, random paths, and which routes are refused. */
#include "base/rng.h"
#include "web/router.h"

#include <bide/test.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct bide__router router;

/*
 * The slow matcher. It knows nothing of trees: it walks pattern and path side by side and notes the
 * kind of each segment, 0 for a literal, 1 for a parameter, 2 for a catch-all. Of all routes that
 * match, the one whose kinds come first in the dictionary wins.
 */
struct slow {
    char kinds[16];
    struct bide__slice parameters[BIDE__ROUTE_PARAMETERS];
    unsigned count;
};

static bool slow_match(const char *pattern, const char *path, struct slow *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int segment = 0;; segment++) {
        if (*pattern != '/' || *path != '/')
            return *pattern == '\0' && *path == '\0';
        pattern++;
        path++;
        const char *slash = strchr(path, '/');
        size_t length = slash ? (size_t)(slash - path) : strlen(path);
        size_t pattern_length = strcspn(pattern, "/");
        ret->kinds[segment] = '0';
        if (*pattern == '{' && memchr(pattern, ':', pattern_length)) {
            ret->kinds[segment] = '2';
            ret->parameters[ret->count++] = bide__slice_of(path);
            return true;
        }
        if (*pattern == '{') {
            ret->kinds[segment] = '1';
            ret->parameters[ret->count++] = bide__slice(path, length);
            if (length == 0)
                return false;
        } else if (pattern_length != length || memcmp(pattern, path, length) != 0) {
            return false;
        }
        if (length == 0 && path[0] == '/' && pattern_length == 0)
            return false;
        pattern += pattern_length;
        path += length;
    }
}

enum { SET_ROUTES = 14 };

struct set {
    int count;
    enum bide__http_method methods[SET_ROUTES];
    char patterns[SET_ROUTES][128];
};

/* The number of the route that a path finds, or -1; and the methods that would be allowed. */
static int slow_find(const struct set *set, enum bide__http_method method, const char *path,
                     struct slow *ret_best, unsigned *ret_allowed)
{
    int best = -1;
    *ret_allowed = 0;
    for (int i = 0; i < set->count; i++) {
        struct slow found;
        if (!slow_match(set->patterns[i], path, &found))
            continue;
        bool by_get = method == BIDE__HTTP_HEAD && set->methods[i] == BIDE__HTTP_GET;
        *ret_allowed |= 1u << set->methods[i] | 1u << BIDE__HTTP_OPTIONS;
        if (set->methods[i] == BIDE__HTTP_GET)
            *ret_allowed |= 1u << BIDE__HTTP_HEAD;
        if (set->methods[i] != method && !by_get)
            continue;
        int order = best < 0 ? -1 : strcmp(found.kinds, ret_best->kinds);
        if (order < 0 || (order == 0 && !by_get)) {
            best = i;
            *ret_best = found;
        }
    }
    return best;
}

static const enum bide__http_method some_methods[] = {BIDE__HTTP_GET,  BIDE__HTTP_GET,
                                                      BIDE__HTTP_GET,  BIDE__HTTP_HEAD,
                                                      BIDE__HTTP_POST, BIDE__HTTP_OPTIONS};

static const char *const words[] = {"a", "b", "ab", "seventeen-bytes-1", "seventeen-bytes-2", "c"};

static void random_pattern(struct bide__rng *rng, char *ret_pattern)
{
    size_t used = 0;
    ret_pattern[0] = '\0';
    int depth = (int)bide__rng_below(rng, 4);
    for (int i = 0; i < depth; i++) {
        if (bide__rng_below(rng, 5) < 2)
            used += (size_t)sprintf(ret_pattern + used, "/{%c%d}",
                                    (char)('p' + bide__rng_below(rng, 3)), i);
        else
            used += (size_t)sprintf(ret_pattern + used, "/%s", words[bide__rng_below(rng, 5)]);
    }
    uint64_t end = bide__rng_below(rng, 4);
    if (end == 0)
        strcat(ret_pattern, "/{r:path}");
    else if (end == 1 || depth == 0)
        strcat(ret_pattern, "/");
}

static void random_path(struct bide__rng *rng, char *ret_path)
{
    size_t used = 0;
    int depth = 1 + (int)bide__rng_below(rng, 5);
    for (int i = 0; i < depth; i++)
        used += (size_t)sprintf(ret_path + used, "/%s", words[bide__rng_below(rng, 6)]);
    uint64_t end = bide__rng_below(rng, 8);
    if (end == 0)
        strcat(ret_path, "/");
    else if (end == 1)
        ret_path[1 + bide__rng_below(rng, used - 1)] = '/';
}

/* Paths of a pattern, in which no literal stands where the pattern has none: number `n` in the
 * place of the catch-all "", "z", "z/", "z/z" and so on. */
static void witness(const char *pattern, int n, char *ret_path)
{
    size_t used = 0;
    while (*pattern) {
        size_t length = 1 + strcspn(pattern + 1, "/");
        ret_path[used++] = '/';
        if (pattern[1] != '{') {
            memcpy(ret_path + used, pattern + 1, length - 1);
            used += length - 1;
        } else if (!memchr(pattern, ':', length)) {
            ret_path[used++] = 'z';
        } else {
            for (int i = 0; i < n; i++)
                ret_path[used++] = i % 2 ? '/' : 'z';
        }
        pattern += length;
    }
    ret_path[used] = '\0';
}

/* Whether some path finds route number `i`, by the slow matcher. */
static bool can_match(const struct set *set, int i)
{
    for (int n = 0; n < 14; n++) {
        char path[256];
        struct slow best;
        unsigned allowed;
        witness(set->patterns[i], n, path);
        if (slow_find(set, set->methods[i], path, &best, &allowed) == i)
            return true;
    }
    return false;
}

static bool same_place(const char *a, const char *b)
{
    while (*a && *b) {
        if (*a != *b)
            return false;
        if (*a == '{') {
            a += strcspn(a, ":}");
            b += strcspn(b, ":}");
            if (*a != *b)
                return false;
        }
        a++;
        b++;
    }
    return *a == *b;
}

/* Adds a random route to both; a refusal must have one of the two reasons. Returns whether one of
 * the refusals was for a route that could never match. */
static bool add_random(struct bide__rng *rng, struct set *set)
{
    int i = set->count;
    random_pattern(rng, set->patterns[i]);
    set->methods[i] = some_methods[bide__rng_below(rng, 6)];
    bool twice = false;
    for (int k = 0; k < i; k++)
        twice |=
            set->methods[k] == set->methods[i] && same_place(set->patterns[k], set->patterns[i]);
    set->count++;
    bool all_match = true;
    for (int k = 0; !twice && k <= i; k++)
        all_match &= can_match(set, k);
    const char *problem = "";
    int result = bide__router_add(&router, set->methods[i], set->patterns[i], set->patterns[i],
                                  "a.c", i, &problem);
    if (!check_int(result, twice || !all_match ? -EEXIST : 0))
        printf("%s %s\n", set->patterns[i], problem);
    check(!twice || strstr(problem, "is the same route as"));
    check(all_match || strstr(problem, "can never match"));
    if (result)
        set->count--;
    return !all_match;
}

static void compare_lookup(const struct set *set, enum bide__http_method method, const char *path)
{
    struct slow best;
    unsigned allowed;
    int expected = slow_find(set, method, path, &best, &allowed);
    struct bide__route_match match;
    enum bide__route_result result = bide__router_find(&router, method, path, strlen(path), &match);
    if (expected >= 0) {
        if (!check_int(result, BIDE__ROUTE_FOUND) ||
            !check_ptr(match.route->handler, set->patterns[expected]))
            printf("%s should find %s\n", path, set->patterns[expected]);
        require(match.parameter_count == best.count);
        for (unsigned i = 0; i < best.count; i++)
            check(match.parameters[i].bytes == best.parameters[i].bytes &&
                  match.parameters[i].length == best.parameters[i].length);
    } else if (allowed) {
        check_int(result,
                  method == BIDE__HTTP_OPTIONS ? BIDE__ROUTE_ALLOWED : BIDE__ROUTE_NOT_ALLOWED);
        check_int(match.allowed_methods, allowed);
    } else {
        check_int(result, BIDE__ROUTE_NOT_FOUND);
    }
}

TEST_PLAIN(finds_what_a_slow_matcher_finds)
{
    struct bide__rng rng;
    bide__rng_init(&rng, test_seed());
    int hidden = 0;
    int found = 0;
    for (int round = 0; round < 500; round++) {
        static struct set set;
        set.count = 0;
        bide__router_init(&router, "");
        for (int i = 0; i < SET_ROUTES; i++)
            hidden += add_random(&rng, &set);
        for (int i = 0; i < 200; i++) {
            char path[256];
            random_path(&rng, path);
            enum bide__http_method method = some_methods[bide__rng_below(&rng, 6)];
            compare_lookup(&set, method, path);
            struct bide__route_match match;
            found +=
                bide__router_find(&router, method, path, strlen(path), &match) == BIDE__ROUTE_FOUND;
        }
        bide__router_done(&router);
    }
    /* The generator reaches what it is for. */
    check(hidden > 0);
    check(found > 20000);
}
