/*
 * middleware.h: the middleware that comes with the library.
 *
 *     static const bide_cors cors = {.origins = "https://app.example"};
 *
 *     bide_app_use(app, bide_request_ids, NULL);
 *     bide_app_use(app, bide_security_headers, NULL);
 *     bide_app_use(app, bide_cross_origin, &cors);
 *
 * Each is a function for bide_app_use (web.h), which see for the order; the last argument of
 * bide_app_use is said beside each. It is not copied and lives as long as the application.
 *
 * layer: web
 */
#ifndef BIDE_MIDDLEWARE_H
#define BIDE_MIDDLEWARE_H

#include <bide/web.h>

/* Adds X-Content-Type-Options, X-Frame-Options, Referrer-Policy. `arg` is NULL. */
bide_async(void) bide_security_headers(bide_request *req, bide_next *next, const void *arg);

/* Gives each request an id (that of the peer's X-Request-Id if it is 1 to 64 of [A-Za-z0-9._-])
   and sends it back. `arg` is NULL. */
bide_async(void) bide_request_ids(bide_request *req, bide_next *next, const void *arg);

/* Cross-origin requests (the Fetch standard, "CORS protocol"); `arg` is a bide_cors. */
typedef struct bide_cors {
    const char *origins; /* "https://a.example, https://b.example", or "*" */
    const char *methods; /* NULL: "GET, HEAD, POST, PUT, PATCH, DELETE" */
    const char *headers; /* NULL: "Authorization, Content-Type" */
    bool credentials;    /* cookies too; not together with "*" */
    int max_age_s;       /* how long a browser may keep the answer to its preflight; 0: 600 */
} bide_cors;
bide_async(void) bide_cross_origin(bide_request *req, bide_next *next, const void *arg);

/*
 * Compresses replies for those who accept gzip (and do not like the plain form better); `arg` is a
 * bide_gzip_options, or NULL. Only what is worth it: texts, JSON, XML, JavaScript, WebAssembly of
 * some size, and only if it gets smaller. A reply with a Content-Encoding of its own, or
 * `Cache-Control: no-transform`, is left alone. All that could have been compressed say
 * `Vary: Accept-Encoding`; a strong ETag becomes a weak one. Replies over 32 KiB are compressed on
 * the CPU lane (offload.h), so that the loop goes on.
 *
 * A reply that has a secret in it (a CSRF token) and repeats what the request says tells the secret
 * by its length (BREACH, CVE-2013-3587): keep such routes out of it by `no-transform`.
 *
 * Needs zlib when bide is built; without it bide_app_check says so.
 */
typedef struct bide_gzip_options {
    int level;          /* 1, fast, to 9, small; 0: 6 */
    size_t least_bytes; /* smaller replies stay as they are; 0: 500 */
} bide_gzip_options;
bide_async(void) bide_gzip(bide_request *req, bide_next *next, const void *arg);

#endif
