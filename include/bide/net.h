/*
 * net.h: listening, connecting, reading and writing: TCP and unix sockets.
 *
 *     async(void) serve(bide_stream_ptr stream)      // SPAWNABLE(void, serve, bide_stream_ptr)
 *     {
 *         char buffer[4096];
 *         size_t n;
 *         defer(bide_close_stream, stream);
 *         while ((n = await(bide_read(stream, buffer, sizeof buffer))) > 0)
 *             await(bide_write(stream, buffer, n));
 *         return bide_void;
 *     }
 *
 *     with(bide_tcp_listener, listener, "127.0.0.1", 8080, NULL) {
 *         with_group(connections) {
 *             for (;;)
 *                 spawn_void(connections, serve, await(bide_accept(listener)));
 *         }
 *     }
 *
 * No call takes a timeout: a deadline stands around it (scope.h) and is inherited.
 *
 * Invariants
 *  1. Whoever opened a stream or listener closes it: by a with-block, a `defer`, or bide_close.
 *     What is still open when the loop ends is named in the log, with the line that opened it.
 *  2. One task reads a stream and one, perhaps another, writes it, at a time. A second reader or
 *     writer is BIDE_MISUSE, naming both tasks and lines. Several tasks may accept.
 *  3. A handle is used on the loop that opened it.
 *  4. A cancelled bide_read, bide_accept or bide_connect has done nothing: no byte and no
 *     connection is lost. A cancelled bide_write or bide_read_exactly that had moved a part of its
 *     bytes leaves that direction of the stream cut: its next use raises BIDE_CLOSED.
 *  5. Every error names the operation and the peer. What the kernel reports is BIDE_SYSTEM with its
 *     errno (a peer that is gone: ECONNRESET, EPIPE); BIDE_CLOSED is what this program or the end
 *     of the stream did.
 *
 * All functions marked async are cancellation points, also those that never suspend.
 *
 * Sources: tcp(7), unix(7), ipv6(7), accept(2).
 *
 * layer: io
 */
#ifndef BIDE_NET_H
#define BIDE_NET_H

#include <bide/resource.h>
#include <bide/task.h>

typedef struct bide_listener bide_listener;
typedef struct bide_stream bide_stream;
typedef bide_listener *bide_listener_ptr;
typedef bide_stream *bide_stream_ptr;
AWAITABLE(bide_listener_ptr);
AWAITABLE(bide_stream_ptr);

/* Any address as text, NUL included: "127.0.0.1:80", "[::1]:80", "unix:/run/app.sock",
   "unix:@abstract". */
enum { BIDE_ADDRESS_BYTES = 128 };

struct bide_listen_options {
    int backlog;     /* connections that wait to be accepted; 0: as many as the system allows */
    bool reuse_port; /* several sockets may listen on this port, one per loop: SO_REUSEPORT */
};

/*
 * Listens for TCP connections. `host` is a numeric address of this machine, "localhost"
 * (127.0.0.1), "0.0.0.0" or "::" for all (the latter also for IPv4, unless the system is set
 * otherwise); port 0 takes a free one. `options` may be NULL. Never suspends. BIDE_INVALID for a
 * host that is no number, BIDE_SYSTEM: EADDRINUSE, EACCES ...
 */
bide_async(bide_listener_ptr) bide_listen_tcp(const char *host, uint16_t port,
                                              const struct bide_listen_options *options);

/*
 * Listens on a unix socket with these permissions (0600; the process's umask takes away from them).
 * A path that starts with '@' is an abstract name, without permissions. A socket file that nobody
 * listens on any more is replaced; closing removes it. Never suspends.
 */
bide_async(bide_listener_ptr) bide_listen_unix(const char *path, unsigned mode);

/* Takes over a descriptor that already listens, as from a supervisor. On an error it stays the
   caller's. Never suspends. */
bide_async(bide_listener_ptr) bide_listen_fd(int fd);

/*
 * The next connection; TCP_NODELAY is set. Suspends until there is one. Out of descriptors or
 * memory it waits and goes on (that is logged, at most once in ten seconds): no connection is lost.
 * Connections that end before they are accepted are skipped.
 */
bide_async(bide_stream_ptr) bide_accept(bide_listener *listener);

/* The port that is listened on (0: not TCP); the address as text and the descriptor, valid until
   the listener is closed. */
uint16_t bide_listener_port(const bide_listener *listener);
const char *bide_listener_address(const bide_listener *listener);
int bide_listener_fd(const bide_listener *listener);

/*
 * Connects to a host; TCP_NODELAY is set. Of a name (name.h; "localhost" too) all addresses are
 * tried, in the system's order: the next one 250 ms after the one before, or once that has failed.
 * The first that answers is the stream, the others are given up. Suspends until then. Raises what
 * bide_resolve does; if no address answers, the error of the first.
 */
bide_async(bide_stream_ptr) bide_connect_tcp(const char *host, uint16_t port);

/* Connects to a unix socket, see bide_listen_unix. Suspends while the listener's queue is full. */
bide_async(bide_stream_ptr) bide_connect_unix(const char *path);

/* Two streams connected with each other (socketpair(2)), for tests and child processes. Never
   suspends. */
bide_async(void) bide_stream_pair(bide_stream_ptr ret_streams[2]);

/* Waits until there are bytes and reads at most `size` (not 0) of them. 0: the peer has ended its
   side. */
bide_async(size_t) bide_read(bide_stream *stream, void *buffer, size_t size);

/* Reads `size` bytes. When the stream ends before: BIDE_CLOSED, saying after how many. */
bide_async(void) bide_read_exactly(bide_stream *stream, void *buffer, size_t size);

/* Writes all `size` bytes: hands them to the kernel, suspending while it has no room. */
bide_async(void) bide_write(bide_stream *stream, const void *data, size_t size);

/* Says to the peer that nothing more comes; reading goes on. Never suspends, never fails: that the
   peer is gone shows at the next read. Not while another task writes. */
void bide_shutdown_write(bide_stream *stream) BIDE__TASK;

/*
 * Closes a stream or a listener and frees it; what was written is still sent. Tasks that wait in it
 * get BIDE_CLOSED. Never suspends or fails; NULL is allowed. The functions are for `defer`.
 */
#define bide_close(handle)                                                                         \
    _Generic((handle), bide_stream *                                                               \
             : bide_close_stream, bide_listener *                                                  \
             : bide_close_listener)(handle)
void bide_close_stream(void *stream);
void bide_close_listener(void *listener);

/* The peer's address and the descriptor, valid until the stream is closed. Accepted unix
   connections have the listener's address. Do not receive from the descriptor: bytes that have
   come may be in the loop's buffers already. */
const char *bide_stream_peer(const bide_stream *stream);
int bide_stream_fd(const bide_stream *stream);

/* Writes this side's address, at most `size` bytes with the NUL; gives `text`. */
const char *bide_stream_local(const bide_stream *stream, char *text, size_t size);

/* with(bide_tcp, stream, host, port), with(bide_unix, stream, path), with(bide_accepted, stream,
   listener), with(bide_tcp_listener, listener, host, port, options), with(bide_unix_listener,
   listener, path, mode): closed on every way out. */
bide_async(void) bide__stream_left(bide_stream_ptr stream, bide_error *error);
bide_async(void) bide__listener_left(bide_listener_ptr listener, bide_error *error);
RESOURCE(bide_tcp, bide_stream_ptr, bide_connect_tcp, bide__stream_left)
RESOURCE(bide_unix, bide_stream_ptr, bide_connect_unix, bide__stream_left)
RESOURCE(bide_accepted, bide_stream_ptr, bide_accept, bide__stream_left)
RESOURCE(bide_tcp_listener, bide_listener_ptr, bide_listen_tcp, bide__listener_left)
RESOURCE(bide_unix_listener, bide_listener_ptr, bide_listen_unix, bide__listener_left)

/* All of them can be attempted, spawned and given a deadline by move_on_after. */
SPAWNABLE(bide_listener_ptr, bide_listen_tcp, const char *, uint16_t,
          const struct bide_listen_options *)
SPAWNABLE(bide_listener_ptr, bide_listen_unix, const char *, unsigned)
SPAWNABLE(bide_listener_ptr, bide_listen_fd, int)
SPAWNABLE(bide_stream_ptr, bide_accept, bide_listener *)
SPAWNABLE(bide_stream_ptr, bide_connect_tcp, const char *, uint16_t)
SPAWNABLE(bide_stream_ptr, bide_connect_unix, const char *)
SPAWNABLE(size_t, bide_read, bide_stream *, void *, size_t)
SPAWNABLE(void, bide_read_exactly, bide_stream *, void *, size_t)
SPAWNABLE(void, bide_write, bide_stream *, const void *, size_t)

#endif
