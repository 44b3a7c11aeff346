/*
 * What streams, listeners, datagram sockets and processes share: a descriptor attached to the loop,
 * tasks inside its operations, closing under them, and errors. Called by stream.c, listen.c,
 * connect.c, udp.c and process.c, and by src/http, src/redis and src/web.
 *
 *   open --close--> closed, freed as soon as nobody is inside
 *
 * Invariants
 *  1. A task is inside from before its first look at the endpoint until it has made its error:
 *     the memory stays that long, and only that.
 */
#ifndef BIDE_IO_ENDPOINT_H
#define BIDE_IO_ENDPOINT_H

#include "core/loop.h"
#include "io/address.h"

#include <bide/net.h>

struct bide__endpoint {
    struct bide__fd fd;
    uint32_t inside; /* tasks in an operation */
    bool closed;
};

/* The address as text; it lies behind the object. */
static inline const char *bide__endpoint_name(const struct bide__endpoint *endpoint)
{
    return endpoint->fd.object.name;
}

/* A zeroed object of `object_size` bytes with its endpoint at `endpoint_offset`, for a descriptor
   that does not block in the object's operations, and which it takes if it succeeds: `as` says
   which, and what is known of it. With `as->io` it is attached already, and moves. */
int bide__endpoint_open(size_t object_size, size_t endpoint_offset, struct bide__fd *as,
                        const struct bide__kind *kind, const char *name, void **ret_object);

/* Wakes who waits with -ESHUTDOWN and closes the descriptor. True: free the memory now, else the
   last task inside does. */
bool bide__endpoint_close(struct bide__endpoint *endpoint);

/* The start of an operation, after the checkpoint: misuse by another loop, BIDE_CLOSED when it is
   closed already. */
void bide__endpoint_enter(struct bide_task *me, struct bide__endpoint *endpoint,
                          const char *operation);

/* The end of one. True: it was closed meanwhile and this was the last; free it. */
static inline bool bide__endpoint_leave(struct bide__endpoint *endpoint)
{
    return --endpoint->inside == 0 && bide__unlikely(endpoint->closed);
}

/* The error of a negative code: "read from 127.0.0.1:80: Connection reset by peer". */
bide_error *bide__net_error(int code, const char *operation, const char *name);

/* Raises at the await in progress. */
__attribute__((noreturn, cold)) void bide__net_raise(int code, const char *operation,
                                                     const char *name);

/* Waits for a while, or until bide__wake in `queue` (may be NULL). 0 or -ECANCELED. */
int bide__net_pause(struct bide_task *me, struct bide__queue *queue, struct bide__object *object,
                    int64_t duration_ns);

/* The tasks of this thread that wait for a free descriptor. */
extern __thread struct bide__queue bide__descriptors_wanted;

/* A new, non-blocking socket for a stream, of this loop's network; a negative errno. Its address.
 */
int bide__stream_socket(int family);
int bide__own_address(int fd, struct bide__address *ret_address);

/* Raises where a chooser decides, for what only the kernel has. */
void bide__needs_kernel(const char *what);

/* A new socket, bound and listening, or a negative errno. `mode` are the permissions of a unix
   socket, of which the umask takes away; a socket file that nobody listens on is replaced. */
int bide__listening_socket(const struct bide__address *address, unsigned mode,
                           const struct bide_listen_options *options);

/* The next connection's descriptor, non-blocking and close-on-exec, its peer, and the peer's name
   (NULL: not wanted). Raises. May suspend. */
int bide__accept(bide_listener *listener, struct bide__address *ret_peer,
                 char name[BIDE_ADDRESS_BYTES]);

/* The next connection that waits already, or -EAGAIN or another negative code. */
int bide__accept_now(bide_listener *listener, struct bide__address *ret_peer);

/* Both do so where it is this process's to say: over TCP, on a socket that bide_listen_fd took over
   only after bide__listener_own. From _hold on nobody connects any more, and whoever has begun to
   does come in: who tries is neither answered nor refused. From _refuse on who tries is refused;
   what still waits is reset, also one that the kernel adds at this very moment: so _hold goes
   before it by a round trip. */
void bide__listener_own(bide_listener *listener);
void bide__listener_hold(bide_listener *listener);
void bide__listener_refuse(bide_listener *listener);

/* Whether bide_listen_fd took it over, and nobody owns it. */
bool bide__listener_is_handed_over(const bide_listener *listener);

/* One attempt to connect a fresh socket: a stream, or a negative code with nothing left. -EBUSY:
   the listener's queue is full. May suspend. */
int bide__stream_connect(struct bide_task *me, struct bide__address *address, const char *name,
                         bide_stream **ret_stream);

/* A new stream for a connected, non-blocking socket, which it takes if it succeeds. The second is
   for one that is attached already: it moves, with what has come for it. */
int bide__stream_new(int fd, const char *peer, bide_stream **ret_stream);
int bide__stream_move(struct bide__fd *fd, const char *peer, bide_stream **ret_stream);

/* Whether there is something to read, without taking it: > 0, 0 at the end, or a negative errno;
   -EAGAIN: all is quiet. */
int bide__stream_peek(bide_stream *stream);

/* For a stream that somebody else opened for its user: reads give these bytes first, which stay
   where they are until the stream is closed; the close sets `*slot` to NULL. */
void bide__stream_lend(bide_stream *stream, const char *ahead, size_t size, bide_stream **slot);

#endif
