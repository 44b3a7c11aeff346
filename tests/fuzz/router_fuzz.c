/*
 * The router against a slow matcher: see README.md. The input is lines: routes up to an empty line,
 * then paths. The first byte of a line chooses its method.
 */
#include "fuzz.h"

#include "web/router.h"

#include <errno.h>

enum {
    ROUTES = 24,
    LINE_BYTES = 200,
};

struct known {
    char pattern[LINE_BYTES + 1];
    struct bide__route_pattern parsed;
    enum bide__http_method method;
};

struct set {
    struct known all[ROUTES];
    int count;
};

/* Which kind each segment of a path was found by, and what the parameters are. */
struct found {
    char kinds[BIDE__ROUTE_SEGMENTS + 1];
    struct bide__slice parameters[BIDE__ROUTE_PARAMETERS];
    unsigned count;
};

static bool is_literal(const struct bide__route_piece *piece, struct bide__slice segment)
{
    static const char digits[] = "0123456789ABCDEF", others[] = "-._~!$&'()*+,;=:@";
    size_t at = 0;
    for (size_t i = 0; i < piece->length; i++) {
        unsigned char c = (unsigned char)piece->text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c && strchr(others, c));
        char bytes[3] = {(char)c, digits[c >> 4], digits[c & 15]};
        size_t length = plain ? 1 : 3;
        if (!plain)
            bytes[0] = '%';
        if (segment.length - at < length || memcmp(segment.bytes + at, bytes, length) != 0)
            return false;
        at += length;
    }
    return at == segment.length;
}

static bool matches(const struct bide__route_pattern *pattern, struct bide__slice path,
                    struct found *ret)
{
    const char *at = path.bytes, *end = path.bytes + path.length;
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; i < pattern->piece_count; i++) {
        const struct bide__route_piece *piece = &pattern->pieces[i];
        if (at == end || *at++ != '/')
            return false;
        const char *slash = at < end ? memchr(at, '/', (size_t)(end - at)) : NULL;
        struct bide__slice segment = bide__slice(at, (size_t)((slash ? slash : end) - at));
        ret->kinds[i] = (char)('0' + piece->kind);
        if (piece->kind == BIDE__ROUTE_REST) {
            ret->parameters[ret->count++] = bide__slice(at, (size_t)(end - at));
            return true;
        }
        if (piece->kind == BIDE__ROUTE_PARAMETER) {
            ret->parameters[ret->count++] = segment;
            if (segment.length == 0)
                return false;
        } else if (!is_literal(piece, segment) || (segment.length == 0 && slash)) {
            return false;
        }
        at += segment.length;
    }
    return at == end;
}

static int slow_find(const struct set *set, enum bide__http_method method, struct bide__slice path,
                     struct found *ret_best, unsigned *ret_allowed)
{
    int best = -1;
    *ret_allowed = 0;
    for (int i = 0; i < set->count; i++) {
        struct found found;
        const struct known *route = &set->all[i];
        if (!matches(&route->parsed, path, &found))
            continue;
        bool by_get = method == BIDE__HTTP_HEAD && route->method == BIDE__HTTP_GET;
        *ret_allowed |= 1u << route->method | 1u << BIDE__HTTP_OPTIONS;
        if (route->method == BIDE__HTTP_GET)
            *ret_allowed |= 1u << BIDE__HTTP_HEAD;
        if (route->method != method && !by_get)
            continue;
        int order = best < 0 ? -1 : strcmp(found.kinds, ret_best->kinds);
        if (order < 0 || (order == 0 && !by_get)) {
            best = i;
            *ret_best = found;
        }
    }
    return best;
}

static void add(struct bide__router *router, struct set *set, unsigned method, const char *line,
                size_t length)
{
    struct known *route = &set->all[set->count];
    const char *problem = NULL;
    if (set->count == ROUTES || length > LINE_BYTES || memchr(line, '\0', length))
        return;
    memcpy(route->pattern, line, length);
    route->pattern[length] = '\0';
    route->method = (enum bide__http_method)(BIDE__HTTP_GET + method % BIDE__HTTP_PATCH);
    const char *wrong = bide__route_pattern_parse(route->pattern, &route->parsed);
    int result =
        bide__router_add(router, route->method, route->pattern, route, "f.c", set->count, &problem);
    promise(result == 0 || (problem && problem[0]));
    promise((result == -EINVAL) == (wrong != NULL));
    promise(result == 0 || result == -EINVAL || result == -EEXIST);
    set->count += result == 0;
}

static void find(const struct bide__router *router, const struct set *set, unsigned number,
                 const char *line, size_t length)
{
    struct bide__route_match match;
    struct found best;
    unsigned allowed;
    char text[BIDE__ROUTE_ALLOW_BYTES];
    enum bide__http_method method =
        (enum bide__http_method)(BIDE__HTTP_GET + number % BIDE__HTTP_PATCH);
    char *copy = copy_of(line, length);
    struct bide__slice path = bide__slice(copy, length);
    int expected = slow_find(set, method, path, &best, &allowed);
    enum bide__route_result result = bide__router_find(router, method, copy, length, &match);
    if (expected >= 0) {
        promise(result == BIDE__ROUTE_FOUND && match.route->handler == &set->all[expected]);
        promise(match.parameter_count == best.count);
        for (unsigned i = 0; i < best.count; i++)
            promise(match.parameters[i].bytes == best.parameters[i].bytes &&
                    match.parameters[i].length == best.parameters[i].length);
    } else if (allowed) {
        promise(result ==
                (method == BIDE__HTTP_OPTIONS ? BIDE__ROUTE_ALLOWED : BIDE__ROUTE_NOT_ALLOWED));
        promise(match.allowed_methods == allowed);
        promise(bide__route_allow(match.allowed_methods, text) == strlen(text));
    } else {
        promise(result == BIDE__ROUTE_NOT_FOUND);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct set set;
    struct bide__router router;
    bool adding = true;
    if (size < 1)
        return 0;
    const char *at = (const char *)data + 1, *end = (const char *)data + size;
    set.count = 0;
    bide__router_init(&router, "");
    while (at < end) {
        const char *line = at, *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - line);
        at = stop ? stop + 1 : end;
        if (length == 0)
            adding = false;
        else if (adding)
            add(&router, &set, (unsigned char)*line, line + 1, length - 1);
        else
            find(&router, &set, (unsigned char)*line, line + 1, length - 1);
    }
    size_t count;
    bide__router_routes(&router, &count);
    promise(count == (size_t)set.count);
    bide__router_done(&router);
    return 0;
}
