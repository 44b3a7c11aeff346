/*
 * url_for.h: the way back: from a route to its URL.
 *
 *     GET(show_post, "/posts/{slug}", html("post", shown_post), path(str, slug),
 *         query(i32, comments, dflt(1))) { ... }
 *
 *     url_for(req, show_post, "a b")                      "/posts/a%20b"
 *     url_for(req, show_post, slug, .comments = 2)        "/posts/a%20b?comments=2"
 *     bide_absolute_url(req, url_for(req, show_post, slug))      "https://example.org/posts/a%20b"
 *
 * url_for(of, NAME, values of the path..., .query = value...): the URL of the route NAME, as the
 * route was declared: first a value for each of its path(...), in their order, then any of its
 * query(...) by name. `of` is a bide_request * or a bide_app *. Wrong names, wrong types, too few
 * or too many values of the path do not compile. A text that is NULL, and an empty list, is left
 * out of the query.
 *
 * NAME is a route of the same file. For other files a header declares a link to it, with what it is
 * made of; a link is used as a route is, and what does not fit its route is found by
 * bide_app_check:
 *
 *     LINK(to_post, show_post, path(str, slug), query(i32, comments));
 *
 *     url_for(req, to_post, "first", .comments = 2)
 *
 * Templates (template.h) have {{@show_post}}, with the fields around it in place of the parameters:
 * whatever is wrong with it is found when the application starts.
 *
 *     <a href="{{@show_post}}">             `slug` is the field of that name
 *     <a href="{{@show_post slug=best.slug comments=2}}">      another field, a literal
 *     <a href="{{@show_login note="ended"}}">                  a text
 *     <link rel="stylesheet" href="{{@/static/style.css}}">    a path that is no route's
 *     <a href="{{@@show_post}}">            absolute, in mails: needs .public_url
 *
 * A field that is absent (NULL, an optional one without a value) is left out of a query.
 *
 * What stands before the paths is said once, where the application is made (web.h): `root_path` is
 * what a proxy takes off, `public_url` where browsers find the application.
 *
 * Source: RFC 3986; Starlette, "Reverse URL lookups".
 *
 * layer: web
 */
#ifndef BIDE_URL_FOR_H
#define BIDE_URL_FOR_H

/* Compilers then name the line of the caller, and not a line of this file. */
#pragma GCC system_header

#include <bide/error.h>
#include <bide/model.h>

struct bide_app;
struct bide_request;
struct bide_route;

/* A value of a URL: where it is, and of what type. */
struct bide__link_member {
    const char *name;
    size_t offset;
    enum bide_kind kind;            /* also LIST */
    const bide_type *(*type)(void); /* of the items of a list */
    bool is_path;
};

/* What url_for is given: a route, or a link to one. */
struct bide__linked {
    struct bide_route *route;
    const char *name;
    struct bide_site at;
    const struct bide__link_member *members;
    size_t count;
    struct bide__linked *next; /* of all links that the program declares */
};

/*
 * The URL in the request's arena, or in the task's (bide_task_arena) for an application; with the
 * root path. Never suspends. Raises BIDE_INVALID for a value of the path that no URL can carry
 * ("", ".", "..", NULL; of {x:path} only the last three, also between its slashes), an instant or a
 * date that cannot be written; BIDE_MISUSE when the application has no such route, or is not
 * checked yet; BIDE_NO_MEMORY. Of a route that was added several times it is the first one.
 */
#define bide_url_for(of, ...) BIDE__URL_FOR(of, __VA_ARGS__, )
const char *bide__url_for_request(struct bide_request *req, const struct bide__linked *to,
                                  const void *values, const char *const *given);
const char *bide__url_for_app(struct bide_app *app, const struct bide__linked *to,
                              const void *values, const char *const *given);

/*
 * bide_absolute_url(of, url): a URL of url_for with what stands before it, as mails and feeds need
 * it. Of an application, and of its requests: the `public_url` of its options. Without one: the
 * scheme and the host of the request, as they came (bide_host_of), but only behind
 * bide_trusted_hosts (middleware.h): else whoever sends a request chooses where the links of a mail
 * lead to. In the same memory. Raises BIDE_MISUSE without both, BIDE_NO_MEMORY.
 */
#define bide_absolute_url(of, url)                                                                 \
    _Generic((of), struct bide_app *                                                               \
             : bide__absolute_url_of_app, default                                                  \
             : bide__absolute_url_of_request)(of, url)
const char *bide__absolute_url_of_app(struct bide_app *app, const char *url);
const char *bide__absolute_url_of_request(struct bide_request *req, const char *url);

/* clang-format off */
#define BIDE__URL_FOR(of, name, ...) \
    __extension__({ \
        _Static_assert((0 BIDE__FE(BIDE__URL_VALUES, , , __VA_ARGS__)) == name##__path_values, \
                       "url_for(" #name "): it takes a value for each path(...) of the route, in " \
                       "their order, and then `.name = value` of its query"); \
        _Generic((of), struct bide_app *: bide__url_for_app, default: bide__url_for_request)( \
            of, &name##__linked, &(struct name##__link){__VA_ARGS__ .bide__end = 0}, \
            (const char *const[]){BIDE__FE(BIDE__URL_NAMES, , , __VA_ARGS__) NULL}); \
    })
/* How an argument begins tells what it is: `.name = value`, or a value. */
#define BIDE__URL_VALUES(a, b, x) + (__builtin_strncmp(#x, ".", 1) != 0 && __builtin_strlen(#x) > 0)
#define BIDE__URL_NAMES(a, b, x) #x,
/* clang-format on */

void bide__link_register(struct bide__linked *link);

#ifndef BIDE_NO_KEYWORDS
#define url_for bide_url_for
#endif

#endif
