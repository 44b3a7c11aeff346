/*
 * Who the client behind proxies is: addresses, trusted networks, X-Forwarded-For and Forwarded
 * (RFC 7239). Pure. Called by exchange.c and server.c; calls fields.c.
 *
 *     X-Forwarded-For: 9.9.9.9, 1.2.3.4, 10.0.0.7     peer 10.0.0.1, trusted 10.0.0.0/8
 *                      said by   said by  said by
 *                      1.2.3.4   10.0.0.7 the peer    so 1.2.3.4 is the client
 *
 * Invariants
 *  1. What somebody says counts only if all between him and us are trusted.
 *  2. What is malformed ends the walk: the last address before it is the client.
 */
#ifndef BIDE_HTTP_PROXY_H
#define BIDE_HTTP_PROXY_H

#include "http/head.h"

#include <stdint.h>
#include <sys/socket.h>

/* IPv4 as ::ffff:a.b.c.d; all zero is a unix socket, since no peer has the address "::". */
struct bide__http_address {
    uint8_t bytes[16];
};

/* bytes of an address as text, without a NUL: the longest of inet_ntop(3) */
enum { BIDE__HTTP_ADDRESS_BYTES = 45 };

struct bide__http_network {
    struct bide__http_address address;
    uint8_t bits; /* of the address that count; 128 for one address */
};

struct bide__http_networks {
    size_t count;
    struct bide__http_network list[BIDE_CAP_HTTP_TRUSTED];
};

/* The client, and how it reached the outermost trusted proxy. */
struct bide__http_origin {
    struct bide__http_address client;
    bool https;
};

/* Of an accepted socket; a unix socket's for all but IPv4 and IPv6. */
struct bide__http_address bide__http_address_of(const struct sockaddr *address);

/* "127.0.0.1", "::1", "unix"; gives the bytes written, no NUL. */
size_t bide__http_address_format(const struct bide__http_address *address,
                                 char text[BIDE__HTTP_ADDRESS_BYTES + 1]);

/* "127.0.0.1, 10.0.0.0/8, ::1, unix" into networks. 0; -EINVAL, and the bad entry; -E2BIG. */
int bide__http_networks_parse(const char *text, struct bide__http_networks *ret_networks,
                              struct bide__slice *ret_bad);

bool bide__http_is_trusted(const struct bide__http_networks *networks,
                           const struct bide__http_address *address);

/* Who sent this request over a connection from `peer`. -EINVAL: Forwarded and X-Forwarded-* say
 * different things, so one of them is the client's own invention. */
int bide__http_origin_of(const struct bide__http_head *head, const char *bytes,
                         const struct bide__http_networks *trusted,
                         const struct bide__http_address *peer,
                         struct bide__http_origin *ret_origin);

#endif
