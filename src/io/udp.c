/*
 * Datagrams: include/bide/udp.h. Called by users; calls endpoint.c, and the backend (core/op.h) to
 * wait: it tells only when to try again.
 */
#include "base/mem.h"
#include "core/graph.h"
#include "io/address.h"
#include "io/endpoint.h"

#include <bide/udp.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct bide_udp {
    uint16_t port;
    struct bide__endpoint endpoint;
};

/* What a bide_udp_address holds. */
struct held {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};
_Static_assert(sizeof(struct held) <= sizeof(bide_udp_address), "an address fits");

static const struct bide__kind kind_udp = {.noun = "udp socket", .verb = "waits for"};

static const char binding[] = "bind";
static const char connecting[] = "connect to";
static const char sending[] = "send to";
static const char receiving[] = "receive on";

static void hold(const struct bide__address *address, bide_udp_address *ret_address)
{
    struct held held = {.size = address->size};
    memcpy(&held.in6, &address->in6, sizeof held.in6);
    memset(ret_address, 0, sizeof *ret_address);
    memcpy(ret_address, &held, sizeof held);
}

static struct bide__address address_of(const bide_udp_address *of)
{
    struct held held;
    struct bide__address address = {.size = 0};
    memcpy(&held, of, sizeof held);
    address.size = held.size;
    memcpy(&address.in6, &held.in6, sizeof held.in6);
    return address;
}

bool bide_udp_address_parse(const char *host, uint16_t port, bide_udp_address *ret_address)
{
    struct bide__address address = {.size = 0};
    if (bide__address_parse(host, port, &address) < 0)
        return false;
    hold(&address, ret_address);
    return true;
}

const char *bide_udp_address_format(const bide_udp_address *of, char *text)
{
    struct bide__address address = address_of(of);
    bide__address_format(&address, text, BIDE_ADDRESS_BYTES);
    return text;
}

static struct bide__address parse(const char *doing, const char *host, uint16_t port)
{
    struct bide__address address = {.size = 0};
    if (bide__address_parse(host, port, &address) < 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "%s \"%s\" port %u: not a numeric address", doing,
                                  host ? host : "(null)", (unsigned)port));
    return address;
}

static int open_socket(const struct bide__address *address, bide_udp **ret_udp)
{
    char name[BIDE_ADDRESS_BYTES];
    struct bide__address own = {.size = sizeof own.un};
    void *object;
    int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int code = bind(fd, &address->any, address->size) < 0 ? -errno : 0;
    if (code == 0 && getsockname(fd, &own.any, &own.size) < 0)
        code = -errno;
    if (code == 0) {
        struct bide__fd as = {.fd = fd};
        bide__address_format(&own, name, sizeof name);
        code = bide__endpoint_open(sizeof(bide_udp), offsetof(bide_udp, endpoint), &as, &kind_udp,
                                   name, &object);
    }
    if (code < 0) {
        close(fd);
        return code;
    }
    *ret_udp = object;
    (*ret_udp)->port = bide__address_port(&own);
    return 0;
}

bide_async(bide_udp_ptr) bide_udp_bind(const char *host, uint16_t port)
{
    struct bide_task *me = bide__task_current();
    struct bide__address address = parse(binding, host, port);
    bide_udp *udp = NULL;
    int code = bide__checkpoint(me);
    bide__needs_kernel("datagrams");
    if (code == 0)
        code = open_socket(&address, &udp);
    if (code < 0) {
        char name[BIDE_ADDRESS_BYTES];
        bide__address_format(&address, name, sizeof name);
        bide__net_raise(code, binding, name);
    }
    bide__done_at_once(me);
    return bide_ready(bide_udp_ptr, udp);
}

void bide_udp_close(void *udp_)
{
    bide_udp *udp = udp_;
    if (udp && bide__endpoint_close(&udp->endpoint))
        bide__free(udp);
}

bide_async(void) bide__udp_left(bide_udp_ptr udp, bide_error *error)
{
    (void)error;
    bide_udp_close(udp);
    return bide_void;
}

uint16_t bide_udp_port(const bide_udp *udp)
{
    return udp->port;
}

const char *bide_udp_name(const bide_udp *udp)
{
    return bide__endpoint_name(&udp->endpoint);
}

static struct bide_task *enter(bide_udp *udp, const char *doing)
{
    struct bide_task *me = bide__task_current();
    int code = bide__checkpoint(me);
    if (bide__unlikely(code < 0))
        bide__net_raise(code, doing, bide_udp_name(udp));
    bide__endpoint_enter(me, &udp->endpoint, doing);
    return me;
}

/* `name` is a copy: the socket may be freed here. */
static void leave(struct bide_task *me, bide_udp *udp, bool waited, int code, const char *doing,
                  const bide_udp_address *to)
{
    char name[BIDE_ADDRESS_BYTES];
    if (bide__unlikely(code < 0)) {
        if (to)
            bide_udp_address_format(to, name);
        else
            snprintf(name, sizeof name, "%s", bide_udp_name(udp));
        if (udp->endpoint.closed && code != -ECANCELED)
            code = -ESHUTDOWN;
    }
    if (bide__endpoint_leave(&udp->endpoint))
        bide__free(udp);
    if (bide__unlikely(code < 0))
        bide__net_raise(code, doing, name);
    if (!waited)
        bide__done_at_once(me);
}

bide_async(void) bide_udp_connect(bide_udp *udp, const char *host, uint16_t port)
{
    bide_udp_address to;
    struct bide__address address = parse(connecting, host, port);
    hold(&address, &to);
    struct bide_task *me = enter(udp, connecting);
    int code = connect(udp->endpoint.fd.fd, &address.any, address.size) < 0 ? -errno : 0;
    leave(me, udp, false, code, connecting, &to);
    return bide_void;
}

/* Waits until it is worth trying again; 0 or why not. */
static int wait_until_ready(struct bide_task *me, struct bide__op *op)
{
    if (op->fd->fd < 0)
        return -ESHUTDOWN;
    return me->loop->io->ops->perform(me->loop->io, op);
}

static void send_one(bide_udp *udp, const void *data, size_t size, const bide_udp_address *to)
{
    struct bide_task *me = enter(udp, sending);
    struct bide__op op = {.kind = BIDE__OP_WRITABLE, .fd = &udp->endpoint.fd};
    struct bide__address address = {.size = 0};
    if (to)
        address = address_of(to);
    int code;
    for (;;) {
        ssize_t n = sendto(udp->endpoint.fd.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT,
                           to ? &address.any : NULL, address.size);
        code = n < 0 ? -errno : 0;
        if (code != -EAGAIN && code != -EINTR)
            break;
        if (code == -EAGAIN && (code = wait_until_ready(me, &op)) < 0)
            break;
    }
    leave(me, udp, op.waited, code, sending, to);
}

bide_async(void) bide_udp_send(bide_udp *udp, const void *data, size_t size)
{
    send_one(udp, data, size, NULL);
    return bide_void;
}

bide_async(void) bide_udp_send_to(bide_udp *udp, const void *data, size_t size,
                                  const bide_udp_address *to)
{
    send_one(udp, data, size, to);
    return bide_void;
}

bide_async(bide_datagram) bide_udp_receive(bide_udp *udp, void *buffer, size_t size)
{
    struct bide_task *me = enter(udp, receiving);
    struct bide__op op = {.kind = BIDE__OP_READABLE, .fd = &udp->endpoint.fd};
    struct bide__address from;
    bide_datagram datagram = {.size = 0};
    int code;
    for (;;) {
        from.size = sizeof from.in6;
        /* With MSG_TRUNC it gives the length that was sent. */
        ssize_t n = recvfrom(udp->endpoint.fd.fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC, &from.any,
                             &from.size);
        code = n < 0 ? -errno : 0;
        datagram.whole_size = n < 0 ? 0 : (size_t)n;
        if (code != -EAGAIN && code != -EINTR)
            break;
        if (code == -EAGAIN && (code = wait_until_ready(me, &op)) < 0)
            break;
    }
    leave(me, udp, op.waited, code, receiving, NULL);
    datagram.size = datagram.whole_size < size ? datagram.whole_size : size;
    hold(&from, &datagram.from);
    return bide_ready(bide_datagram, datagram);
}
