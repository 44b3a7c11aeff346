/*
 * wire.c: connections that libcurl makes (names, addresses, TLS, for some protocols the login) and
 * that somebody else then talks over. Called by drivers of protocols; calls multi.c.
 *
 *     NEW --connect--> libcurl's epoll --connected--> attached to the loop --done--> closed
 *
 * Invariant: a socket is detached from the loop before it is closed, whoever closes it. libcurl
 * closes one by itself when its peer has ended it and another connection is made.
 *
 * Source: libcurl's manual pages CURLOPT_CONNECT_ONLY(3), curl_easy_send(3), curl_easy_recv(3).
 */
#include "transfer/transfer.h"

#if BIDE_CURL
#include "core/graph.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

static void detach(struct bide__wire *wire)
{
    if (!wire->attached)
        return;
    wire->attached = false;
    bide__wake_all(&wire->fd.readers, -ECONNRESET);
    bide__wake_all(&wire->fd.writers, -ECONNRESET);
    wire->fd.io->ops->detach(wire->fd.io, &wire->fd);
}

static int on_close(void *wire_, curl_socket_t socket)
{
    struct bide__wire *wire = wire_;
    if (wire->attached && wire->fd.fd == socket)
        detach(wire);
    return close(socket);
}

int bide__wire_init(struct bide__wire *wire, struct bide__transfers *transfers,
                    const struct bide__kind *kind)
{
    wire->transfers = transfers;
    wire->easy = bide__transfer_easy();
    bide__object_init(&wire->fd.object, kind, "", bide__current->at);
    if (!wire->easy)
        return -ENOMEM;
    curl_easy_setopt(wire->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(wire->easy, CURLOPT_MAXAGE_CONN, (long)INT_MAX); /* never too old */
    curl_easy_setopt(wire->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(wire->easy, CURLOPT_CLOSESOCKETDATA, wire);
    curl_easy_setopt(wire->easy, CURLOPT_ERRORBUFFER, wire->problem);
    return 0;
}

int bide__wire_connect(struct bide__wire *wire, CURLcode *ret_result)
{
    struct bide__io *io = bide__loop_here->io;
    curl_socket_t socket = CURL_SOCKET_BAD;
    int code = bide__transfer(wire->transfers, wire->easy, true, ret_result);
    if (code < 0 || *ret_result != CURLE_OK)
        return code;
    if (curl_easy_getinfo(wire->easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK)
        return -ECONNRESET;
    wire->fd.fd = socket;
    code = io->ops->attach(io, &wire->fd);
    wire->attached = code == 0;
    return code;
}

static int wait_for(struct bide__wire *wire, enum bide__op_kind kind)
{
    struct bide__op op = {.kind = (uint8_t)kind, .fd = &wire->fd};
    return wire->attached ? wire->fd.io->ops->perform(wire->fd.io, &op) : -ECONNRESET;
}

int bide__wire_send(struct bide__wire *wire, const void *data, size_t size)
{
    const char *at = data;
    int code = bide__checkpoint(bide__task_current());
    while (code == 0 && size > 0) {
        size_t sent = 0;
        CURLcode result = curl_easy_send(wire->easy, at, size, &sent);
        if (result == CURLE_AGAIN)
            code = wait_for(wire, BIDE__OP_WRITABLE);
        else if (result != CURLE_OK)
            code = -ECONNRESET;
        at += sent;
        size -= sent;
    }
    return code;
}

int bide__wire_receive(struct bide__wire *wire, void *data, size_t size)
{
    size_t received = 0;
    int code = bide__checkpoint(bide__task_current());
    CURLcode result = CURLE_OK;
    while (code == 0 && (result = curl_easy_recv(wire->easy, data, size, &received)) == CURLE_AGAIN)
        code = wait_for(wire, BIDE__OP_READABLE);
    if (code < 0)
        return code;
    return result == CURLE_OK ? (int)received : -ECONNRESET;
}

bool bide__wire_is_quiet(const struct bide__wire *wire)
{
    struct pollfd one = {.fd = wire->fd.fd, .events = POLLIN};
    return wire->attached && poll(&one, 1, 0) == 0;
}

void bide__wire_done(struct bide__wire *wire)
{
    if (!wire->easy)
        return;
    detach(wire);
    bide__transfer_remove(wire->transfers, wire->easy);
    curl_easy_cleanup(wire->easy);
    wire->easy = NULL;
}
#endif
