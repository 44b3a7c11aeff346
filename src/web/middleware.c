/*
 * The middleware that comes with the library, its small ones; and how the library's middleware is
 * prepared. Called through bide_proceed and by app.c; calls request.c, and the files of
 * the others.
 *
 * Source: the Fetch standard, "CORS protocol"; W3C and WHATWG on the security headers' values.
 */
#include "web/middleware.h"

#include "http/fields.h"
#include "web/reply.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bide_async(void) bide_security_headers(bide_request *req, bide_next *next, const void *arg)
{
    const bide_security_options *options = arg;
    bide_await(bide_proceed(next));
    bool is_page = req->content_type && strncasecmp(req->content_type, "text/html", 9) == 0;
    bool is_secret = bide_header_of(req, "authorization").at || bide_header_of(req, "cookie").at ||
                     bide__web_field(req, "Set-Cookie");
    bide_text scheme = bide_scheme_of(req);
    bide__web_field_default(req, "X-Content-Type-Options", "nosniff");
    bide__web_field_default(req, "X-Frame-Options", options->frame_options);
    bide__web_field_default(req, "Referrer-Policy", options->referrer_policy);
    bide__web_field_default(req, "Content-Security-Policy",
                            is_page ? options->page_policy : options->content_policy);
    bide__web_field_default(req, "Cross-Origin-Opener-Policy", options->opener_policy);
    bide__web_field_default(req, "Cross-Origin-Resource-Policy", options->resource_policy);
    if (scheme.length == 5 && memcmp(scheme.at, "https", 5) == 0)
        bide__web_field_default(req, "Strict-Transport-Security", options->transport_security);
    if (is_secret)
        bide__web_field_default(req, "Cache-Control", "no-store");
    return bide_void;
}

/* What is not said is as OWASP's "HTTP Headers" wants it. */
static int prepare_security(bide_app *app, struct bide__middleware *middleware)
{
    const bide_security_options *said = middleware->arg;
    bide_security_options *options = bide_arena_alloc_zero(&app->arena, 1, sizeof *options);
    if (!options)
        return bide__app_problem(app, "out of memory");
    if (said)
        *options = *said;
    const struct {
        const char **option, *standard;
    } table[] = {
        {&options->content_policy, "default-src 'none'; frame-ancestors 'none'"},
        {&options->page_policy, "default-src 'self'; img-src 'self' data:; object-src 'none'; "
                                "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"},
        {&options->transport_security, "max-age=63072000; includeSubDomains"},
        {&options->referrer_policy, "strict-origin-when-cross-origin"},
        {&options->frame_options, "DENY"},
        {&options->opener_policy, "same-origin"},
        {&options->resource_policy, "same-site"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!*table[i].option)
            *table[i].option = table[i].standard;
    middleware->arg = options;
    return 0;
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
        {bide_security_headers, prepare_security},
        {bide_cross_origin, prepare_cross_origin},
        {bide_trusted_hosts, bide__trusted_hosts_prepare},
        {bide_rate_limit, bide__rate_limit_prepare},
        {bide_gzip, bide__gzip_prepare},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].fn == middleware->fn)
            return table[i].prepare(app, middleware);
    return 0;
}
