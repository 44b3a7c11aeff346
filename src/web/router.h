/*
 * The router: from a method and a path to a route and the slices of its parameters.
 *
 * A radix tree over path segments, one per application. It is built while the application starts,
 * and from then on only read: any number of threads may find in it at the same time. Called by the
 * application and by what lists routes; calls base and the names of methods in http. Nothing here
 * suspends or unwinds, and finding allocates nothing.
 *
 * Patterns. A pattern is a path of segments: literal text, `{name}` (one segment that is not
 * empty), or, as the last one, `{name:path}` (everything that is left, slashes included, possibly
 * nothing). `/users` and `/users/` are two patterns. Text is written as people read it: what may
 * not stand in a URI is percent-encoded by the router, so that "/a b" finds "/a%20b". A
 * percent sign in a pattern is refused, because it could mean either.
 *
 * Precedence. At each segment literal text beats a parameter, which beats a catch-all. A choice
 * that leads to no route of the method is taken back, so `GET /users/me` hides neither
 * `GET /users/{id}/posts` nor `DELETE /users/{id}`. The order of adding never matters.
 *
 * Paths are matched as they are, byte by byte, and must be normalised by the caller (RFC 3986
 * section 6.2.2): no dot segments, unreserved characters not encoded, hexadecimal digits in
 * capitals, no query. In a normalised path only the last segment may be empty; an empty one before
 * that is taken by catch-alls only. Any other bytes are safe and find nothing or a parameter: who
 * turns a slice into a file name checks it again.
 *
 * Invariants
 *  1. A lookup visits each node of the tree at most once, whatever the path is; one that ends in a
 *     redirect or in its refusal, twice.
 *  2. Every route in the tree has a method and a normalised path that find it: routes that could
 *     never match are refused when they, or the route that would hide them, are added.
 *  3. A route has at most BIDE__ROUTE_PARAMETERS parameters and BIDE__ROUTE_SEGMENTS segments,
 *     which also bounds the recursion of a lookup.
 */
#ifndef BIDE_WEB_ROUTER_H
#define BIDE_WEB_ROUTER_H

#include <bide/arena.h>

#include "base/slice.h"
#include "http/head.h"
#include "web/route_pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BIDE__ROUTE_METHODS = BIDE__HTTP_PATCH + 1, /* indices are those of enum bide__http_method */
    BIDE__ROUTE_ANY_METHOD = (1 << BIDE__ROUTE_METHODS) - 1,
    BIDE__ROUTE_ALLOW_BYTES = 80 /* an Allow field with every method, and its NUL */
};

/* bytes that one router takes: about 30,000 routes */
#define BIDE__ROUTER_CAP_BYTES ((size_t)16 << 20)

/* A route as it was declared. Lives as long as the router. */
struct bide__route {
    const char *pattern; /* whole: with all prefixes */
    const void *handler; /* as given; never read */
    const char *file;    /* as given; not copied */
    int line;
    uint16_t methods; /* one bit per method index */
    uint8_t parameter_count;
    bool has_rest;                      /* the last parameter is a catch-all */
    const char *const *parameter_names; /* this route's own, in the order of the path */
};

struct bide__route_node;

struct bide__router {
    bide_arena arena;
    const char *prefix;
    struct bide__route_node *root;
    const struct bide__route **routes; /* in order of file, line, pattern */
    size_t route_count;
    size_t route_room;
    bool redirect_slash;
};

enum bide__route_result {
    BIDE__ROUTE_FOUND,
    BIDE__ROUTE_NOT_FOUND,   /* 404 */
    BIDE__ROUTE_NOT_ALLOWED, /* 405, with `allowed_methods` */
    BIDE__ROUTE_ALLOWED, /* an OPTIONS request that no route asks for: answer with the methods */
    BIDE__ROUTE_REDIRECT /* 308 to the same path with its last slash taken off, or with one more
                          * when it ends without; never for a path that begins with "//" */
};

struct bide__route_match {
    const struct bide__route *route; /* when found */
    unsigned allowed_methods;        /* when not allowed, or allowed: one bit per method index */
    unsigned parameter_count;        /* when found: that of the route */
    struct bide__slice parameters[BIDE__ROUTE_PARAMETERS]; /* valid below the count */
};

/*
 * An empty router. `prefix` ("" for none) stands before every pattern added to this router: with
 * "/users" the pattern "" means /users and "/{id}" means /users/{id}. It is not copied. Takes no
 * memory yet and cannot fail.
 */
void bide__router_init(struct bide__router *router, const char *prefix);

/* Whether a path that only lacks its last slash, or only has one too many, is answered with a
 * redirect. It is not by default: then it is not found. */
void bide__router_redirect_slash(struct bide__router *router, bool redirect);

/*
 * Adds a route for the methods in `methods` (1u << BIDE__HTTP_GET, several, or
 * BIDE__ROUTE_ANY_METHOD). GET also answers HEAD where no route asks for it.
 *
 * Returns 0; or a code and a text in `*ret_problem` that names both routes and both lines:
 *   -EINVAL  the pattern is malformed
 *   -EEXIST  the route is there already (parameter names do not tell routes apart), or a route
 *            could never match: this one, or because of this one
 *   -ENOMEM  memory, or BIDE__ROUTER_CAP_BYTES, is used up
 * The router is then as before. The text lives as long as the router.
 */
int bide__router_add_methods(struct bide__router *router, unsigned methods, const char *pattern,
                             const void *handler, const char *file, int line,
                             const char **ret_problem);

/* The same for one method. */
int bide__router_add(struct bide__router *router, enum bide__http_method method,
                     const char *pattern, const void *handler, const char *file, int line,
                     const char **ret_problem);

/*
 * Gives all methods at `prefix` and everything below it that no other route takes to one handler:
 * an application that is not made of routes, a folder of files. These are two routes: `prefix`
 * itself, without a parameter for the rest, and `prefix/{rest:path}`. A prefix of "" is the second
 * alone. Errors as above.
 */
int bide__router_mount(struct bide__router *router, const char *prefix, const void *handler,
                       const char *file, int line, const char **ret_problem);

/*
 * Looks for the route of a method and a path, which need not end with a NUL. HEAD finds a route for
 * HEAD, else for GET, at each place. When no route takes the method, `allowed_methods` is what all
 * routes that match the path allow together (RFC 9110 section 10.2.1), with HEAD where there is
 * GET, and OPTIONS. In `*ret_match` only what the result names is written to the end; the
 * parameters may hold leftovers. The slices point into `path`.
 */
enum bide__route_result bide__router_find(const struct bide__router *router,
                                          enum bide__http_method method, const char *path,
                                          size_t length, struct bide__route_match *ret_match);

/* All routes in order of file, line and pattern; `*ret_count` of them. Valid until the next change
 * of the router. */
const struct bide__route *const *bide__router_routes(const struct bide__router *router,
                                                     size_t *ret_count);

/* The value of an Allow field, such as "GET, HEAD, OPTIONS", in `buffer`, NUL-terminated. Returns
 * its length. */
size_t bide__route_allow(unsigned methods, char buffer[BIDE__ROUTE_ALLOW_BYTES]);

/* Gives all memory back, also that of routes and problem texts. */
void bide__router_done(struct bide__router *router);

#endif
