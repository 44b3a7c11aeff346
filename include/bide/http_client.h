/*
 * http_client.h: requests to other servers: HTTP/1.1 and 2, TLS, kept connections.
 *
 *     with(bide_http_client, api, &(bide_http_client_options){.base_url = "https://api.example"}) {
 *         bide_client_reply r = await(bide_http_get(api, "/users/1"));
 *         if (r.status == 200)
 *             use(bide_reply_as(user, r));               // JSON, checked against the model
 *         r = await(bide_http_post(api, "/users", bide_body_model(user, &u)));
 *         r = await(bide_http_send(api, &(bide_http_request){
 *             .method = "PATCH", .url = "/users/1", .body = bide_body_text("application/json",
 * text), .fields = (bide_http_field[]){{"If-Match", etag}, {0}}, .timeout = bide_s(2)}));
 *     }
 *
 * Invariants
 *  1. A reply is a reply, whatever its status: only what gives none is an error.
 *  2. A cancel, or a deadline of whoever called, ends a request at once, and frees its connection.
 *  3. What a server sends is bounded: BIDE_CAP_CLIENT_HEAD_BYTES of header fields, `most_bytes` of
 * a body, counted behind gzip, and BIDE_CAP_CLIENT_COOKIES (1000) cookies of
 *     BIDE_CAP_CLIENT_COOKIE_BYTES (1 MiB) in all: of a host that sets more, those are kept that
 *     fit beside the cookies of other hosts. A body that goes into a `sink` is never held as a
 *     whole; it is not asked for in gzip, as 64 KiB of that may be 64 MiB.
 *  4. Certificates are verified, always. Credentials of a request go to its host only, also when
 *     it is sent elsewhere; so do the fields Authorization, Cookie and Host.
 *  5. No text of a request becomes another request or field: a control character in a URL, a name
 * or a value is BIDE_INVALID, before anything is sent.
 *  6. A request inside an open transaction of its task is reported once for each transaction's
 * line: connections and locks would wait for another server. In a test that is a failure.
 *  7. A client is used on the loop that opened it.
 *
 * Source: RFC 9110, 9112, 9113; libcurl, which speaks them.
 *
 * layer: client
 */
#ifndef BIDE_HTTP_CLIENT_H
#define BIDE_HTTP_CLIENT_H

#include <bide/client_reply.h>
#include <bide/clock.h>
#include <bide/file.h>
#include <bide/resource.h>
#include <bide/task.h>

/*
 * Codes of errors, which stand in error.h:
 * BIDE_UNREACHABLE     no connection, or it was lost before a reply
 * BIDE_OUTCOME_UNKNOWN it was lost, or the time was over, after a request that is not idempotent
 *                      (GET, HEAD, OPTIONS, PUT, DELETE are) was sent: the server may have done it
 * BIDE_TLS             no trusted connection
 * BIDE_TIMEOUT         not done within `timeout`
 * BIDE_LIMIT           the reply is larger than allowed, or there were too many redirections
 * BIDE_INVALID         the request, or the URL of a redirection, makes no sense
 */

typedef struct bide_http_client bide_http_client;
typedef bide_http_client *bide_http_client_ptr;
AWAITABLE(bide_http_client_ptr);

typedef struct bide_http_field {
    const char *name; /* NULL: the end of a list */
    const char *value;
} bide_http_field;

/* Zero stands for the default. Nothing of it is read after bide_http_client_open. */
typedef struct bide_http_client_options {
    const char *base_url; /* in front of URLs that begin with '/'; without '/' at its end */
    const bide_http_field *fields; /* sent with each request that has none of that name */
    bide_duration timeout;         /* of a request, with waiting for a connection and all
                                      redirections: 30 s; BIDE_FOREVER: none */
    bide_duration connect_timeout; /* name, address and TLS: 10 s */
    uint32_t connections;          /* requests at a time; more wait in order: 100 */
    uint32_t redirects;            /* that are followed; 0: none, a 302 is the reply */
    uint64_t most_bytes;           /* of a reply's body: 16 MiB */
    const char *ca;                /* a PEM file of what is trusted, in place of the system's */
    const char *proxy;             /* http://host:port; NULL: none, whatever the environment says */
    bool cookies;                  /* kept, and sent back, as a browser does */
} bide_http_client_options;

/*
 * Who takes the body of a reply, and who gives that of a request, piece by piece. They run in the
 * task of the call, one at a time, and may suspend: meanwhile, beyond
 * BIDE_CAP_CLIENT_STREAM_BYTES (64 KiB) that are kept, nothing is read from, or sent to, the
 * server. What they raise ends the request and is raised by the call.
 *
 *     bide_http_file to = {.file = file};
 *     await(bide_http_send(c, &(bide_http_request){.url = "/backup.tar", .timeout = BIDE_FOREVER,
 *                                                  .sink = bide_http_to_file, .sink_arg = &to}));
 *
 * A source puts up to `size` bytes (not 0) into `buffer` and gives their number; 0: the end.
 */
typedef struct forgotten_await_void bide_http_sink(void *arg, const void *bytes, size_t size);
typedef struct forgotten_await_size_t bide_http_source(void *arg, void *buffer, size_t size);

/* Zero stands for the default. It and what it points to must stay until the call returns. */
typedef struct bide_http_request {
    const char *method; /* NULL: GET; with a body, POST */
    const char *url;    /* http://, https://, or a path behind `base_url`; escaped where it must be.
                           No user:password@ */
    const bide_http_field *fields;
    bide_client_body body;
    const char *user, *password; /* Basic (RFC 7617) */
    const char *bearer;          /* a token (RFC 6750) */
    bide_duration timeout;       /* in place of the client's */
    uint64_t most_bytes;         /* in place of the client's, which does not hold for a sink */
    bide_http_sink *sink; /* takes the body of a reply with a status of 2xx, whose own is then
                             empty; that of others is held as ever. Nothing is decoded: where a
                             server sends Content-Encoding unasked, these are its bytes */
    void *sink_arg;
    bide_http_source *source; /* in place of body.data and body.size. It can be sent only once: the
                                 connection is a new one, and a redirection that would repeat it
                                 (all but 303) is the reply */
    void *source_arg;
    uint64_t source_bytes; /* that it gives; 0: it ends where it ends (in chunks). A source that
                              ends before is BIDE_INVALID; more is not asked for */
} bide_http_request;

/* Opens a client, which connects when there is a request; NULL: the defaults. Raises BIDE_INVALID
   for options that make no sense, and when bide was built without libcurl; BIDE_NO_MEMORY. Does not
   suspend. */
bide_async(bide_http_client_ptr) bide_http_client_open(const bide_http_client_options *options);

/* Closes it: nobody may use it from then on. Requests under way go on, and while they do new ones
   get BIDE_CLOSED. Does not suspend. */
bide_async(void) bide_http_client_close(bide_http_client_ptr client, bide_error *error);

SPAWNABLE(bide_http_client_ptr, bide_http_client_open, const bide_http_client_options *)

/* with(bide_http_client, c, options) { ... } */
RESOURCE(bide_http_client, bide_http_client_ptr, bide_http_client_open, bide_http_client_close)

/*
 * Sends a request and waits for the whole reply, which lives in bide_task_arena(). Suspends. Raises
 * the codes above, BIDE_CLOSED, BIDE_CANCELLED, BIDE_NO_MEMORY. A request on a kept connection that
 * the server has closed meanwhile is sent again, unless it may have been seen.
 */
bide_async(bide_client_reply) bide_http_send(bide_http_client *client,
                                             const bide_http_request *request);

/* A sink that writes into a bide_stream; the argument is the stream. */
bide_async(void) bide_http_to_stream(void *stream, const void *bytes, size_t size);

/* A sink and a source over a file, from `offset` on, which moves; the argument is a bide_http_file.
 */
typedef struct bide_http_file {
    bide_file *file;
    int64_t offset;
} bide_http_file;
bide_async(void) bide_http_to_file(void *place, const void *bytes, size_t size);
bide_async(size_t) bide_http_from_file(void *place, void *buffer, size_t size);

/* The usual ones. */
bide_async(bide_client_reply) bide_http_get(bide_http_client *client, const char *url);
bide_async(bide_client_reply) bide_http_post(bide_http_client *client, const char *url,
                                             bide_client_body body);

SPAWNABLE(bide_client_reply, bide_http_send, bide_http_client *, const bide_http_request *)
SPAWNABLE(bide_client_reply, bide_http_get, bide_http_client *, const char *)
SPAWNABLE(bide_client_reply, bide_http_post, bide_http_client *, const char *, bide_client_body)

#endif
