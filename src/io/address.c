/*
 * address.c: see address.h. Addresses of IPv4 peers are formatted by hand: it is done for each
 * accepted connection.
 */
#include "io/address.h"

#include <bide/net.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static int parse_in6(const char *host, uint16_t port, struct bide__address *address)
{
    char plain[INET6_ADDRSTRLEN];
    size_t length = strcspn(host, "%");
    if (length >= sizeof plain)
        return -EINVAL;
    memcpy(plain, host, length);
    plain[length] = '\0';
    address->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, plain, &address->in6.sin6_addr) != 1)
        return -EINVAL;
    if (host[length] && !(address->in6.sin6_scope_id = if_nametoindex(host + length + 1)))
        return -EINVAL;
    address->size = sizeof address->in6;
    return 0;
}

int bide__address_parse(const char *host, uint16_t port, struct bide__address *ret_address)
{
    struct bide__address address = {.in = {.sin_family = AF_INET, .sin_port = htons(port)}};
    if (!host)
        return -EINVAL;
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    address.size = sizeof address.in;
    if (inet_pton(AF_INET, host, &address.in.sin_addr) != 1) {
        int code = parse_in6(host, port, &address);
        if (code < 0)
            return code;
    }
    *ret_address = address;
    return 0;
}

int bide__address_parse_unix(const char *path, struct bide__address *ret_address)
{
    struct bide__address address = {.un = {.sun_family = AF_UNIX}};
    size_t length = path ? strlen(path) : 0;
    if (length == 0)
        return -EINVAL;
    if (length >= sizeof address.un.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.un.sun_path, path, length);
    address.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] == '@')
        address.un.sun_path[0] = '\0'; /* abstract: the length counts, not a NUL */
    else
        address.size++;
    *ret_address = address;
    return 0;
}

static char *put_number(char *end, unsigned value)
{
    char digits[10];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (count > 0)
        *end++ = digits[--count];
    return end;
}

static void format_in(const struct sockaddr_in *in, char *text, size_t size)
{
    char whole[sizeof "255.255.255.255:65535"];
    const unsigned char *bytes = (const unsigned char *)&in->sin_addr;
    char *end = whole;
    for (int i = 0; i < 4; i++) {
        end = put_number(end, bytes[i]);
        *end++ = i < 3 ? '.' : ':';
    }
    end = put_number(end, ntohs(in->sin_port));
    *end++ = '\0';
    size_t length = (size_t)(end - whole);
    memcpy(text, whole, length < size ? length : size);
    text[size - 1] = '\0';
}

static void format_in6(const struct sockaddr_in6 *in6, char *text, size_t size)
{
    char plain[INET6_ADDRSTRLEN] = "?";
    char zone[IF_NAMESIZE] = "";
    inet_ntop(AF_INET6, &in6->sin6_addr, plain, sizeof plain);
    if (in6->sin6_scope_id && !if_indextoname(in6->sin6_scope_id, zone))
        snprintf(zone, sizeof zone, "%u", in6->sin6_scope_id);
    snprintf(text, size, "[%s%s%s]:%u", plain, *zone ? "%" : "", zone,
             (unsigned)ntohs(in6->sin6_port));
}

static void format_un(const struct bide__address *address, char *text, size_t size)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t length = address->size > start ? address->size - start : 0;
    const char *path = address->un.sun_path;
    if (length > sizeof address->un.sun_path)
        length = sizeof address->un.sun_path;
    if (length > 1 && path[0] == '\0')
        snprintf(text, size, "unix:@%.*s", (int)length - 1, path + 1);
    else
        snprintf(text, size, "unix:%.*s", (int)length, path);
}

void bide__address_format(const struct bide__address *address, char *text, size_t size)
{
    if (address->any.sa_family == AF_INET)
        format_in(&address->in, text, size);
    else if (address->any.sa_family == AF_INET6)
        format_in6(&address->in6, text, size);
    else if (address->any.sa_family == AF_UNIX)
        format_un(address, text, size);
    else
        snprintf(text, size, "address family %d", address->any.sa_family);
}

void bide__address_host(const struct bide__address *address, char *text, size_t size)
{
    char whole[BIDE_ADDRESS_BYTES];
    bide__address_format(address, whole, sizeof whole);
    const char *start = whole + (whole[0] == '['), *end = strrchr(whole, ':');
    end -= start > whole;
    snprintf(text, size, "%.*s", (int)(end - start), start);
}

uint16_t bide__address_port(const struct bide__address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohs(address->in.sin_port);
    if (address->any.sa_family == AF_INET6)
        return ntohs(address->in6.sin6_port);
    return 0;
}
