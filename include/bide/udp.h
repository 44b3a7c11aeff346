/*
 * udp.h: datagrams.
 *
 *     with(bide_udp_bound, udp, "127.0.0.1", 5353) {
 *         char buffer[2048];
 *         for (;;) {
 *             bide_datagram one = await(bide_udp_receive(udp, buffer, sizeof buffer));
 *             if (!bide_datagram_cut(one))
 *                 await(bide_udp_send_to(udp, buffer, one.size, &one.from));
 *         }
 *     }
 *
 * A datagram arrives whole or not at all, perhaps twice, in any order. No call takes a timeout: a
 * deadline stands around it (scope.h).
 *
 * Invariants
 *  1. Whoever opened a socket closes it: by the block, a `defer`, or bide_udp_close; tasks that
 * wait in it then get BIDE_CLOSED. It is used on the loop that opened it, by any number of tasks:
 *     each datagram goes to one of those that receive.
 *  2. A datagram that is longer than the buffer is cut, and that is told: `whole_size` is what was
 *     sent, `size` what the buffer has.
 *  3. A cancelled receive has taken no datagram, a cancelled send has sent none.
 *
 * Errors name the operation and the address: BIDE_SYSTEM with the errno (EMSGSIZE: longer than the
 * network takes; on a connected socket ECONNREFUSED: nobody listens there, told by an earlier
 * datagram), BIDE_INVALID for an address that is no number. Source: udp(7).
 *
 * layer: io
 */
#ifndef BIDE_UDP_H
#define BIDE_UDP_H

#include <bide/net.h>

typedef struct bide_udp bide_udp;
typedef bide_udp *bide_udp_ptr;
AWAITABLE(bide_udp_ptr);

/* An address and a port, as bytes. */
typedef struct bide_udp_address {
    _Alignas(8) unsigned char bytes[32];
} bide_udp_address;

typedef struct bide_datagram {
    size_t size;       /* bytes in the buffer */
    size_t whole_size; /* bytes that were sent */
    bide_udp_address from;
} bide_datagram;
AWAITABLE(bide_datagram);

static inline bool bide_datagram_cut(bide_datagram datagram)
{
    return datagram.whole_size > datagram.size;
}

/* A numeric address, or "localhost"; whether it is one. Never suspends. */
BIDE__MUST_USE bool bide_udp_address_parse(const char *host, uint16_t port,
                                           bide_udp_address *ret_address);

/* "127.0.0.1:53" into `text` of BIDE_ADDRESS_BYTES; gives `text`. */
const char *bide_udp_address_format(const bide_udp_address *address, char *text);

/* A socket at an address of this machine ("0.0.0.0", "::": all), for what is sent there; port 0
   takes a free one. Never suspends. */
bide_async(bide_udp_ptr) bide_udp_bind(const char *host, uint16_t port);

/* Closes it. For `defer` too; NULL is allowed. Never suspends or fails. */
void bide_udp_close(void *udp);

/* The port that it has, and its own address as text. */
uint16_t bide_udp_port(const bide_udp *udp);
const char *bide_udp_name(const bide_udp *udp);

/* From now on it sends there (bide_udp_send), and takes datagrams from there only. Never suspends.
 */
bide_async(void) bide_udp_connect(bide_udp *udp, const char *host, uint16_t port);

/* Sends one datagram, perhaps of no bytes; suspends while the system has no room. */
bide_async(void) bide_udp_send(bide_udp *udp, const void *data, size_t size);
bide_async(void) bide_udp_send_to(bide_udp *udp, const void *data, size_t size,
                                  const bide_udp_address *to);

/* Waits for a datagram. `size` may be 0. */
bide_async(bide_datagram) bide_udp_receive(bide_udp *udp, void *buffer, size_t size);

bide_async(void) bide__udp_left(bide_udp_ptr udp, bide_error *error);
RESOURCE(bide_udp_bound, bide_udp_ptr, bide_udp_bind, bide__udp_left)

SPAWNABLE(bide_udp_ptr, bide_udp_bind, const char *, uint16_t)
SPAWNABLE(void, bide_udp_connect, bide_udp *, const char *, uint16_t)
SPAWNABLE(void, bide_udp_send, bide_udp *, const void *, size_t)
SPAWNABLE(void, bide_udp_send_to, bide_udp *, const void *, size_t, const bide_udp_address *)
SPAWNABLE(bide_datagram, bide_udp_receive, bide_udp *, void *, size_t)

#endif
