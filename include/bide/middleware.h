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

/*
 * Adds what tells browsers to be careful; `arg` is a bide_security_options, or NULL. A field that
 * the reply has already stays as it is. Always: X-Content-Type-Options: nosniff; and
 * `Cache-Control: no-store` for what belongs to somebody, that is when the request has an
 * Authorization or a Cookie, or the reply a Set-Cookie.
 *
 * Source: OWASP, "HTTP Headers Cheat Sheet" and ASVS 5.0, V3.4.
 */
typedef struct bide_security_options { /* NULL: what stands here; "": no such field */
    const char *content_policy;        /* of all but pages: "default-src 'none'; frame-ancestors
                                          'none'" */
    const char *page_policy;           /* of text/html: only what comes from here, no script and no
                                          style inside. /docs has one of its own */
    const char *transport_security;    /* where the client came by https (bide_scheme_of):
                                          "max-age=63072000; includeSubDomains" */
    const char *referrer_policy;       /* "strict-origin-when-cross-origin" */
    const char *frame_options;         /* "DENY" */
    const char *opener_policy;         /* "same-origin" */
    const char *resource_policy;       /* "same-site" */
} bide_security_options;
bide_async(void) bide_security_headers(bide_request *req, bide_next *next, const void *arg);

/*
 * Answers 400 to requests for another host than ours, so that nothing is built from a host that a
 * stranger chose (links in mails, caches). `arg` is a text: "example.com, *.example.com, [::1]":
 * names without a port, `*.` for all names below one, "*" for all. The host is bide_host_of, whose
 * port does not count.
 */
bide_async(void) bide_trusted_hosts(bide_request *req, bide_next *next, const void *arg);

/*
 * Answers 308 with the same address under https to what came by http (bide_scheme_of: behind a
 * proxy it must be one of trusted_proxies). `arg` is NULL for the host that was asked for, without
 * its port (put bide_trusted_hosts before it), or a text, "example.com:8443".
 */
bide_async(void) bide_https_only(bide_request *req, bide_next *next, const void *arg);

/*
 * So many requests of one client in some time; what is more is answered with 429, Retry-After, and
 * has run nothing. `arg` is a bide_rate_limit_options. Replies say what is left: RateLimit-Policy
 * and RateLimit (draft-ietf-httpapi-ratelimit-headers-09).
 *
 * A client may do `burst` at once and gets the next one after `per / requests`: a token bucket. It
 * is shared by all loops of the process: applications that were given the same options (by their
 * address) share them; several processes each have their own. When more clients come than are
 * remembered, those are forgotten first that have used least.
 */
typedef bide_text bide_rate_key(bide_request *req);
typedef struct bide_rate_limit_options {
    uint32_t requests;  /* not 0 */
    bide_duration per;  /* 0: a minute */
    uint32_t burst;     /* 0: `requests` */
    bide_rate_key *key; /* whose requests are counted together; it neither awaits nor fails, and
                           gives a text without bytes for what is not limited. NULL: the address of
                           the client (bide_client_of), of IPv6 its /64 */
    const char *name;   /* in the fields; NULL: "default" */
    uint32_t clients;   /* that are remembered, 16 bytes each; 0: 16384 */
} bide_rate_limit_options;
bide_async(void) bide_rate_limit(bide_request *req, bide_next *next, const void *arg);

/*
 * The same for what only a handler or a provider knows: which account asks, and whether this
 * counts.
 *
 *     static const bide_rate_limit_options of_account = {.requests = 10};    // in a minute
 *
 *     state->comments = bide_app_limit(app, &of_account);       // where the application is made
 *
 *     bide_limit_take(req, state->comments, who->username);     // in a handler: 429 if too many
 *     bide_limit_take(req, state->comments_of_client, NULL);    // counts for the client's address
 *
 * bide_app_limit: before the application is served; `options` live as long as it, and `key` is not
 * asked. NULL when they are wrong: bide_app_check says why. A limit lives as long as the
 * application. bide_limit_take counts one of `subject` (any text); raises 429, with the header
 * field Retry-After, and counts nothing when that is too many. Neither suspends.
 */
typedef struct bide_limit bide_limit;
bide_limit *bide_app_limit(bide_app *app, const bide_rate_limit_options *options);
void bide_limit_take(bide_request *req, bide_limit *limit, const char *subject);

/*
 * Gives replies to GET and HEAD an ETag, a hash of their bytes, unless they have one, and answers
 * 304 without a body to those who have these bytes already (If-None-Match, RFC 9110 13.1.2). The
 * handler runs all the same: what is saved is the way to the client. Not for replies with a
 * Set-Cookie or `Cache-Control: no-store`; put it outside of what adds these. `arg` is NULL.
 */
bide_async(void) bide_etags(bide_request *req, bide_next *next, const void *arg);

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
