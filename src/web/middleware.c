/*
 * The middleware that comes with the library, its small ones; and how the library's middleware is
 * prepared. Called through bide_proceed and by app.c; calls request.c, gzip.c.
 *
 * Source: the Fetch standard, "CORS protocol"; W3C and WHATWG on the security headers' values.
 */
#include "web/middleware.h"

#include "http/fields.h"
#include "web/reply.h"

#include <stdio.h>
#include <string.h>

bide_async(void) bide_security_headers(bide_request *req, bide_next *next, const void *arg)
{
    (void)arg;
    bide_await(bide_proceed(next));
    bide_set_header(req, "X-Content-Type-Options", "nosniff");
    bide_set_header(req, "X-Frame-Options", "DENY");
    bide_set_header(req, "Referrer-Policy", "same-origin");
    return bide_void;
}

/* Whether a peer's id may stand in a log: short, and of harmless characters. */
static bool is_id(bide_text text)
{
    static const char harmless[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789._-";
    if (text.length == 0 || text.length >= BIDE__WEB_ID_BYTES)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!memchr(harmless, text.at[i], sizeof harmless - 1))
            return false;
    return true;
}

bide_async(void) bide_request_ids(bide_request *req, bide_next *next, const void *arg)
{
    bide_text text = bide_header_of(req, "x-request-id");
    (void)arg;
    if (is_id(text)) {
        memcpy(req->id, text.at, text.length);
        req->id[text.length] = 0;
    }
    bide_await(bide_proceed(next));
    bide_set_header(req, "X-Request-Id", bide__web_id(req));
    return bide_void;
}

static bool allows(const bide_cors *cors, bide_text origin)
{
    struct bide__slice rest = bide__slice_of(cors->origins), one;
    if (strcmp(cors->origins, "*") == 0)
        return true;
    while (bide__http_list_next(&rest, &one))
        if (bide__slice_equal(one, bide__slice(origin.at, origin.length)))
            return true;
    return false;
}

/* The answer depends on the origin unless all may ask: caches must know. */
static void allow_origin(bide_request *req, const bide_cors *cors, bide_text origin)
{
    bool all = strcmp(cors->origins, "*") == 0;
    char *text = bide_arena_strndup(bide_arena_of(req), origin.at, origin.length);
    if (!all)
        bide__web_vary(req, "Origin");
    bide_set_header(req, "Access-Control-Allow-Origin", all ? "*" : text ? text : "null");
    if (cors->credentials && !all)
        bide_set_header(req, "Access-Control-Allow-Credentials", "true");
}

static void answer_preflight(bide_request *req, const bide_cors *cors)
{
    char age[16];
    snprintf(age, sizeof age, "%d", cors->max_age_s > 0 ? cors->max_age_s : 600);
    bide_answer(req, 204, NULL, "", 0);
    bide_set_header(req, "Access-Control-Allow-Methods",
                    cors->methods ? cors->methods : "GET, HEAD, POST, PUT, PATCH, DELETE");
    bide_set_header(req, "Access-Control-Allow-Headers",
                    cors->headers ? cors->headers : "Authorization, Content-Type");
    bide_set_header(req, "Access-Control-Max-Age", age);
}

bide_async(void) bide_cross_origin(bide_request *req, bide_next *next, const void *arg)
{
    const bide_cors *cors = arg;
    bide_text origin = bide_header_of(req, "origin");
    bool allowed = origin.at && allows(cors, origin);
    if (allowed && req->method == BIDE__HTTP_OPTIONS &&
        bide_header_of(req, "access-control-request-method").at)
        answer_preflight(req, cors);
    else
        bide_await(bide_proceed(next));
    if (allowed)
        allow_origin(req, cors, origin);
    else if (strcmp(cors->origins, "*") != 0)
        bide__web_vary(req, "Origin");
    return bide_void;
}

static int prepare_cross_origin(bide_app *app, struct bide__middleware *middleware)
{
    const bide_cors *cors = middleware->arg;
    if (!cors || !cors->origins)
        return bide__app_problem(app, "bide_cross_origin: it names no origins");
    if (cors->credentials && strcmp(cors->origins, "*") == 0)
        return bide__app_problem(app, "bide_cross_origin: credentials and all origins, \"*\", do "
                                      "not go together: name the origins");
    return 0;
}

int bide__middleware_prepare(bide_app *app, struct bide__middleware *middleware)
{
    static const struct {
        bide_middleware *fn;
        int (*prepare)(bide_app *app, struct bide__middleware *middleware);
    } table[] = {
        {bide_cross_origin, prepare_cross_origin},
        {bide_gzip, bide__gzip_prepare},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].fn == middleware->fn)
            return table[i].prepare(app, middleware);
    return 0;
}
