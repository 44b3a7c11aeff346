/*
 * Socket addresses from and to text: numbers only, no names, never blocks. Called by stream.c and
 * listen.c.
 *
 *     127.0.0.1:80    [::1]:80    [fe80::1%eth0]:80    unix:/run/app.sock    unix:@abstract
 */
#ifndef BIDE_IO_ADDRESS_H
#define BIDE_IO_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct bide__address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

/* "127.0.0.1", "::1", "fe80::1%eth0" or "localhost" (127.0.0.1). -EINVAL: anything else. */
int bide__address_parse(const char *host, uint16_t port, struct bide__address *ret_address);

/* A path, or '@' and an abstract name. -EINVAL when empty, -ENAMETOOLONG above 107 bytes. */
int bide__address_parse_unix(const char *path, struct bide__address *ret_address);

/* Writes it as above, at most `size` bytes with the NUL; BIDE_ADDRESS_BYTES always fit. */
void bide__address_format(const struct bide__address *address, char *text, size_t size);

/* The same of an IP address, without its port and brackets: "127.0.0.1", "::1", "fe80::1%eth0". */
void bide__address_host(const struct bide__address *address, char *text, size_t size);

/* 0 for what has no port. */
uint16_t bide__address_port(const struct bide__address *address);

#endif
