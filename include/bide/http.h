/*
 * http.h: the HTTP/1.1 server below the web layer: connections, requests, replies.
 *
 *     static async(void) hello(bide_exchange *x, void *unused)
 *     {
 *         await(bide_reply(x, 200, "text/plain", "hello\n", 6));
 *         return bide_void;
 *     }
 *
 *     async(void) app(void)
 *     {
 *         with(bide_tcp_listener, listener, "127.0.0.1", 8000, NULL)
 *             await(bide_http_serve(listener, hello, NULL, NULL));
 *         return bide_void;
 *     }
 *
 * An exchange is one request and its reply. Its handler runs in a task of the connection; while a
 * connection waits for its next request it has no task, no stack and no buffers.
 *
 * Invariants
 *  1. One reply to each request, in the order of the requests. A handler that ends without one, or
 *     with an error, is answered for: with 500, with the error's code if that is a status from 400
 *     to 599, or with 503 when its time was over. The text of an unknown error stays in the log.
 *  2. After a message whose framing is not sound nothing more is read: the connection is closed.
 *  3. A peer that is gone (reset, or both directions ended) cancels the handler, unless it says
 *     bide_request_keep_running. One that has only ended its own direction is answered.
 *  4. A reply after which the connection is closed says so, unless its handler fails behind it, or
 *     leaves more of a chunked body than is worth reading. The peer gets the reply, also when it
 *     goes on sending: what it sends is read and dropped for a moment (RFC 9112 9.6).
 *  5. Every wait for a peer has a deadline; every buffer and count has a cap (bide_http_options).
 *
 * Source: RFC 9110, RFC 9112.
 *
 * layer: http
 */
#ifndef BIDE_HTTP_H
#define BIDE_HTTP_H

#include <bide/arena.h>
#include <bide/net.h>

typedef struct bide_exchange bide_exchange;

/* Bytes of the request: valid until the handler ends, no NUL behind them. */
typedef struct bide_text {
    const char *at; /* NULL: there is none */
    size_t length;
} bide_text;
AWAITABLE(bide_text);

typedef struct forgotten_await_void bide_http_handler(bide_exchange *exchange, void *arg);

/* Zero stands for the default, which is named in base/caps.h. */
struct bide_http_options {
    bide_duration head_deadline;    /* from a request's first byte to the end of its head: 10 s */
    bide_duration body_gap;         /* the longest wait for the next part of a body: 30 s */
    bide_duration body_grace;       /* all waits for a body together: 20 s, and 1 s more for ...  */
    uint32_t body_rate;             /* ... so many bytes of it: 500 ... */
    bide_duration body_deadline;    /* ... but never more than that: 300 s */
    bide_duration handler_deadline; /* for the handler: 30 s; BIDE_FOREVER: none. It stands still
                                       while bide_reply or reading the body waits for the peer;
                                       each piece of a reply gives all of it again */
    bide_duration write_stall;      /* the longest wait without progress while sending: 60 s */
    bide_duration idle;             /* without a request: 75 s */
    bide_duration age;              /* of a connection, after which its next reply is the last: 1 h.
                                       Up to a tenth less, by chance, so that those that came
                                       together do not come again together */
    bide_duration lame_duck;        /* while stopping: still accepting: 2 s */
    uint64_t body_bytes;            /* of a request: 1 MiB; more is answered with 413 */
    uint64_t most_body_bytes;       /* what bide_request_allow may raise that to; 0: nothing */
    uint32_t requests;              /* of one connection: 1000 */
    uint32_t connections;           /* at a time: 0.8 of RLIMIT_NOFILE, less 32 */
    const char *trusted_proxies;    /* whose word about the client counts, by address or network:
                                       "127.0.0.1, 10.0.0.0/8, ::1, unix"; NULL: nobody's. What is
                                       no such list is raised as BIDE_INVALID */
};

/*
 * Serves until the program is to stop (bide_until_stop), or the task is cancelled, which ends
 * everything at once. Stopping: says `Connection: close` in every reply from then on, and goes on
 * accepting for lame_duck (not on a socket that bide_listen_fd took over: who comes then is for
 * whoever else has it); then closes what is quiet for half of that, and returns when the last *
 * exchange under way has ended. So a request is lost only if it crosses the close of a connection
 * that was quiet so long. What is still under way a lame_duck later is logged; the runtime's drain
 * (25 s) names it again and cancels it: who has no reply yet gets 503. `options` may be NULL. One
 * per listener; call it on each loop with a listener of its own (reuse_port) to use several cores.
 * May suspend. Raises what accepting raises.
 */
bide_async(void) bide_http_serve(bide_listener_ptr listener, bide_http_handler *handler, void *arg,
                                 const struct bide_http_options *options);

/* The request. The path is as sent, without the query, still percent-encoded: "/..." or "*". A name
   is found in any case; of several fields the first. Never suspend. */
bide_text bide_request_method(const bide_exchange *exchange);
bide_text bide_request_path(const bide_exchange *exchange);
bide_text bide_request_query(const bide_exchange *exchange);
bide_text bide_request_header(const bide_exchange *exchange, const char *name);

/* The host that is asked for, with its port if it was given: of the target, else of the Host field
   (RFC 9112 3.2.2). Whoever sends the request may choose it. */
bide_text bide_request_host(const bide_exchange *exchange);

/* The address at the other end of the connection, without a port: "192.0.2.1", "2001:db8::1", or
   "unix". Never suspend, never fail; valid until the handler ends. */
bide_text bide_request_peer(bide_exchange *exchange);

/*
 * Who sent the request: the address that the nearest proxy which is not in trusted_proxies has, or
 * the client itself, and the scheme that it used, "http" or "https". A peer that is not trusted is
 * the client, and the scheme http, whatever its fields say.
 *
 * X-Forwarded-For and X-Forwarded-Proto, or Forwarded (RFC 7239), are read from the right, past
 * trusted addresses, 16 of them at most; what is malformed or obfuscated ends the walk, and the
 * last address before it is the client. A proxy that sets the one kind of field but hands on the
 * other would let its clients say who they are: a request whose two kinds do not agree is answered
 * with 400. The host is never taken from such a field.
 */
bide_text bide_request_client(bide_exchange *exchange);
bide_text bide_request_scheme(bide_exchange *exchange);

/* Reads the next part of the body: at most `size` bytes (not 0), 0 at its end. May suspend. Raises
   413 over the cap, 400 for bad chunks and for a peer that ends too early, 408 for one too slow,
   BIDE_CLOSED when the peer is gone; a handler that lets them through has them answered. The first
   read answers `Expect: 100-continue`; after the reply it is too late for that: BIDE_CLOSED. */
bide_async(size_t) bide_body_read(bide_exchange *exchange, void *buffer, size_t size);

/* What was not read yet of the body, in the exchange's arena, with a NUL behind it. As above. */
bide_async(bide_text) bide_body_all(bide_exchange *exchange);

/* Memory until the exchange ends. */
bide_arena *bide_exchange_arena(bide_exchange *exchange);

/*
 * This request's body may have so many bytes, in place of the option body_bytes; more than
 * most_body_bytes are not allowed. Its handler has so long from its beginning, in place of
 * handler_deadline. 0 leaves a bound as it is. Nothing of the body was read yet: else that bound
 * stays. Never suspends.
 */
void bide_request_allow(bide_exchange *exchange, uint64_t body_bytes, bide_duration deadline);

/* From now on a peer that goes away (reset, hang-up) does not cancel the handler: it runs to its
   end, and bide_reply drops what nobody can receive. Deadlines and a stop cancel it all the same.
   For work that must not stop half-way. Never suspends. */
void bide_request_keep_running(bide_exchange *exchange);

/*
 * Takes the connection over for another protocol (RFC 9110 7.8): reads what is left of the body,
 * replies 101 with the fields that were added, and gives the stream, which reads first what the
 * peer has sent behind its request. From then on the handler has no deadline, and a peer that goes
 * away is the stream's matter; a stop cancels it at the end of the drain, so it should look at
 * bide_stopping. The stream may be closed; it is when the handler ends. May suspend. Raises 400
 * when the request does not ask for this protocol, BIDE_INVALID for what is no protocol, what
 * reading the body raises, BIDE_CLOSED, BIDE_MISUSE after the reply. Nobody upgrades by himself:
 * a handler that does not call this answers as usual.
 */
bide_async(bide_stream_ptr) bide_exchange_upgrade(bide_exchange *exchange, const char *protocol);

/* Adds a header field to the reply to come. Raises BIDE_INVALID for names and values that no field
   may have (so nothing from a peer splits a reply) and for those that bide_reply writes
   (Connection, Content-Length, Content-Type, Date, Transfer-Encoding), BIDE_LIMIT when all
   together take more than 10 KiB, BIDE_MISUSE after the reply. Never suspends. */
void bide_reply_header(bide_exchange *exchange, const char *name, const char *value);

/*
 * The whole reply: status 200 to 599, the content type (NULL: none), the body. It is sent at once,
 * unless another request is there already: then they are answered together. Suspends only while the
 * peer does not read. Raises BIDE_MISUSE for a second reply, BIDE_INVALID for a status or a content
 * type that cannot be, an error of the peer as BIDE_CLOSED.
 */
bide_async(void) bide_reply(bide_exchange *exchange, int status, const char *content_type,
                            const void *body, size_t size);

/*
 * A reply in pieces, for a body that is made while it is sent. bide_reply_begin sends the head:
 * status and content type as above, and the size of the body in bytes, or -1 when it is not known:
 * then the pieces go out in chunks (to a client of HTTP/1.0 up to the end of the connection).
 * False: nobody gets a body (HEAD; 204, 304), and what is written is dropped. The reply ends when
 * the handler returns.
 *
 * bide_reply_write: the next piece (of no bytes: nothing happens). It is copied, and sent at the
 * end of the turn, or when 16 KiB have come together: small pieces cost no packet each, and none
 * waits for the next. Suspends while the peer does not read, up to the option write_stall: so what
 * is made waits for who takes it. One task at a time.
 *
 * Each piece gives the handler its whole deadline anew: it is the longest time between two pieces.
 * A handler that fails in between, or returns before `size` bytes, leaves its peer with a body that
 * is seen to be incomplete: the connection is closed, a reset for HTTP/1.0, and the log says why.
 * Raise as bide_reply does, and BIDE_MISUSE for a piece without a begin, one of another task's at
 * the same time, and more than `size` bytes.
 *
 * Source: RFC 9112 6, 7.1.
 */
bide_async(bool) bide_reply_begin(bide_exchange *exchange, int status, const char *content_type,
                                  int64_t size);
bide_async(void) bide_reply_write(bide_exchange *exchange, const void *data, size_t size);

/* After bide_reply_begin: this reply has no end of its own, and its client comes again when it is
   cut, as one of events does. A server that stops (bide_http_serve) cancels the handler when
   lame_duck is over, rather than at the end of the drain. Never suspends. */
void bide_reply_ends_at_stop(bide_exchange *exchange);

/*
 * A piece that is in a file: `size` bytes at `offset` of an open regular file, which go from there
 * to the socket without being copied (sendfile(2)): by the loop what is in memory, by the blocking
 * lane (offload.h) what a disk has to be asked for. Ends when they are sent, so that the file may
 * be closed. As above; raises BIDE_SYSTEM when the file has fewer bytes (somebody has cut it while
 * it was sent), or cannot be read: the reply is over then.
 */
bide_async(void) bide_reply_write_file(bide_exchange *exchange, int file, uint64_t offset,
                                       uint64_t size);

#endif
