/*
 * stream.c: connected sockets: include/bide/net.h from the socket to closing. Calls endpoint.c and
 * the backend (core/op.h).
 *
 * Invariants
 *  1. `reader` (`writer`) is the task inside a read (write), from enter to leave.
 *  2. What a cancel interrupted in the middle is remembered in the direction's `cut`.
 */
#include "base/mem.h"
#include "core/graph.h"
#include "io/address.h"
#include "io/endpoint.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

struct direction {
    struct bide_task *task; /* inside an operation */
    bool cut;               /* an operation was given up after a part of its bytes */
};

struct bide_stream {
    struct direction reading, writing;
    const char *ahead; /* bytes that were read already: bide__stream_lend */
    size_t ahead_size;
    bide_stream **slot; /* NULL, or set to that by the close */
    struct bide__endpoint endpoint;
};

static const struct bide__kind kind_stream = {.noun = "stream", .verb = "waits for"};

static const char reading[] = "read from";
static const char writing[] = "write to";

int bide__stream_move(struct bide__fd *fd, const char *peer, bide_stream **ret_stream)
{
    void *object;
    int code = bide__endpoint_open(sizeof(bide_stream), offsetof(bide_stream, endpoint), fd,
                                   &kind_stream, peer, &object);
    if (code == 0)
        *ret_stream = object;
    return code;
}

int bide__stream_new(int fd, const char *peer, bide_stream **ret_stream)
{
    /* A unix socket may stop in the middle, where a descriptor was passed along. */
    struct bide__fd as = {
        .fd = fd, .is_stream = true, .is_peer = true, .short_is_drained = peer[0] != 'u'};
    return bide__stream_move(&as, peer, ret_stream);
}

int bide__stream_peek(bide_stream *stream)
{
    struct bide__fd *fd = &stream->endpoint.fd;
    return stream->ahead_size > 0 ? 1 : fd->io->ops->peek(fd);
}

void bide__stream_lend(bide_stream *stream, const char *ahead, size_t size, bide_stream **slot)
{
    stream->ahead = ahead;
    stream->ahead_size = size;
    stream->slot = slot;
}

void bide_close_stream(void *stream_)
{
    bide_stream *stream = stream_;
    if (!stream)
        return;
    if (stream->slot)
        *stream->slot = NULL;
    stream->ahead_size = 0;
    if (bide__endpoint_close(&stream->endpoint))
        bide__free(stream);
}

bide_async(void) bide__stream_left(bide_stream_ptr stream, bide_error *error)
{
    (void)error;
    bide_close_stream(stream);
    return bide_void;
}

int bide__stream_connect(struct bide_task *me, struct bide__address *address, const char *name,
                         bide_stream **ret_stream)
{
    int yes = 1;
    bide_stream *stream;
    int fd = bide__stream_socket(address->any.sa_family);
    if (fd < 0)
        return fd;
    if (address->any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    int code = bide__stream_new(fd, name, &stream);
    if (code < 0) {
        close(fd);
        return code;
    }
    struct bide__op op = {.kind = BIDE__OP_CONNECT,
                          .fd = &stream->endpoint.fd,
                          .address = &address->any,
                          .address_size = address->size};
    code = me->loop->io->ops->perform(me->loop->io, &op);
    if (code < 0) {
        bide_close_stream(stream);
        return code;
    }
    if (!op.waited)
        bide__done_at_once(me);
    *ret_stream = stream;
    return 0;
}

bide_async(void) bide_stream_pair(bide_stream_ptr ret_streams[2])
{
    struct bide_task *me = bide__task_current();
    int fds[2] = {-1, -1};
    bide_stream *streams[2] = {NULL, NULL};
    int code = bide__checkpoint(me);
    if (code == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        code = -errno;
    for (int i = 0; i < 2 && code == 0; i++) {
        code = bide__stream_new(fds[i], "unix:", &streams[i]);
        if (code == 0)
            fds[i] = -1;
    }
    if (code < 0) {
        for (int i = 0; i < 2; i++) {
            bide_close_stream(streams[i]);
            if (fds[i] >= 0)
                close(fds[i]);
        }
        bide__net_raise(code, "connect to", "a stream of this program");
    }
    bide__done_at_once(me);
    ret_streams[0] = streams[0];
    ret_streams[1] = streams[1];
    return bide_void;
}

/* bide__misuse for two tasks in one direction. */
__attribute__((noreturn, cold)) static void shared_direction(const struct bide_task *me,
                                                             const struct bide_task *other,
                                                             const char *operation,
                                                             const char *name)
{
    const struct bide_site *here = me->head.at;
    const struct bide_site *there = other->head.at;
    bide__misuse("two tasks %s %s at once: #%llu '%s' at %s:%d, and #%llu '%s' at %s:%d since",
                 operation, name, (unsigned long long)me->head.id, bide__task_label(me),
                 here ? here->file : "?", here ? here->line : 0, (unsigned long long)other->head.id,
                 bide__task_label(other), there ? there->file : "?", there ? there->line : 0);
}

static void enter(struct bide_task *me, bide_stream *stream, struct direction *direction,
                  const char *operation)
{
    int code = bide__checkpoint(me);
    if (bide__unlikely(code < 0))
        bide__net_raise(code, operation, bide__endpoint_name(&stream->endpoint));
    if (bide__unlikely(direction->task))
        shared_direction(me, direction->task, operation, bide__endpoint_name(&stream->endpoint));
    if (bide__unlikely(direction->cut))
        bide__fail(me->head.at, bide_error_new(BIDE_CLOSED,
                                               "%s %s: an earlier one was cut off in "
                                               "the middle",
                                               operation, bide__endpoint_name(&stream->endpoint)));
    bide__endpoint_enter(me, &stream->endpoint, operation);
    direction->task = me;
}

static void leave(bide_stream *stream, struct direction *direction)
{
    direction->task = NULL;
    if (bide__endpoint_leave(&stream->endpoint))
        bide__free(stream);
}

/* Leaves with an error; a cancel after `done` bytes cuts the direction. */
__attribute__((noreturn, cold)) static void leave_by(int code, bide_stream *stream,
                                                     struct direction *direction,
                                                     const char *operation, size_t done)
{
    char name[BIDE_ADDRESS_BYTES];
    snprintf(name, sizeof name, "%s", bide__endpoint_name(&stream->endpoint));
    if (done > 0)
        direction->cut = true;
    if (stream->endpoint.closed && code != -ECANCELED)
        code = -ESHUTDOWN;
    leave(stream, direction);
    bide__net_raise(code, operation, name);
}

/* What was read ahead comes first. */
static int receive(bide_stream *stream, struct bide__op *op)
{
    struct bide__io *io = op->fd->io;
    if (bide__likely(stream->ahead_size == 0))
        return io->ops->perform(io, op);
    size_t size = op->size < stream->ahead_size ? op->size : stream->ahead_size;
    memcpy(op->buffer, stream->ahead, size);
    stream->ahead += size;
    stream->ahead_size -= size;
    return (int)size;
}

bide_async(size_t) bide_read(bide_stream *stream, void *buffer, size_t size)
{
    struct bide_task *me = bide__task_current();
    if (bide__unlikely(size == 0))
        bide__misuse("read from %s: the size is 0", bide__endpoint_name(&stream->endpoint));
    enter(me, stream, &stream->reading, reading);
    struct bide__op op = {
        .kind = BIDE__OP_RECEIVE, .fd = &stream->endpoint.fd, .buffer = buffer, .size = size};
    int n = receive(stream, &op);
    if (bide__unlikely(n < 0))
        leave_by(n, stream, &stream->reading, reading, 0);
    leave(stream, &stream->reading);
    if (!op.waited)
        bide__done_at_once(me);
    return bide_ready(size_t, (size_t)n);
}

bide_async(void) bide_read_exactly(bide_stream *stream, void *buffer, size_t size)
{
    struct bide_task *me = bide__task_current();
    enter(me, stream, &stream->reading, reading);
    struct bide__op op = {.kind = BIDE__OP_RECEIVE, .fd = &stream->endpoint.fd};
    for (size_t done = 0; done < size;) {
        op.buffer = (char *)buffer + done;
        op.size = size - done;
        int n = receive(stream, &op);
        if (bide__unlikely(n == 0)) {
            bide_error *ended =
                bide_error_new(BIDE_CLOSED, "read from %s: it ended after %zu of %zu bytes",
                               bide__endpoint_name(&stream->endpoint), done, size);
            leave(stream, &stream->reading);
            bide__fail(me->head.at, ended);
        }
        if (bide__unlikely(n < 0))
            leave_by(n, stream, &stream->reading, reading, done);
        done += (size_t)n;
    }
    leave(stream, &stream->reading);
    if (!op.waited)
        bide__done_at_once(me);
    return bide_void;
}

bide_async(void) bide_write(bide_stream *stream, const void *data, size_t size)
{
    struct bide_task *me = bide__task_current();
    struct bide__io *io = me->loop->io;
    enter(me, stream, &stream->writing, writing);
    struct bide__op op = {.kind = BIDE__OP_SEND, .fd = &stream->endpoint.fd};
    for (size_t done = 0; done < size;) {
        op.buffer = (char *)(uintptr_t)data + done;
        op.size = size - done;
        int n = io->ops->perform(io, &op);
        if (bide__unlikely(n < 0))
            leave_by(n, stream, &stream->writing, writing, done);
        done += (size_t)n;
    }
    leave(stream, &stream->writing);
    if (!op.waited)
        bide__done_at_once(me);
    return bide_void;
}

void bide_shutdown_write(bide_stream *stream)
{
    struct bide_task *me = bide__task_current();
    if (bide__unlikely(stream->writing.task))
        shared_direction(me, stream->writing.task, "shut down writing to",
                         bide__endpoint_name(&stream->endpoint));
    shutdown(stream->endpoint.fd.fd, SHUT_WR);
}

const char *bide_stream_peer(const bide_stream *stream)
{
    return bide__endpoint_name(&stream->endpoint);
}

int bide_stream_fd(const bide_stream *stream)
{
    return stream->endpoint.fd.fd;
}

const char *bide_stream_local(const bide_stream *stream, char *text, size_t size)
{
    struct bide__address address;
    if (bide__own_address(stream->endpoint.fd.fd, &address) < 0)
        address = (struct bide__address){.size = 0};
    bide__address_format(&address, text, size);
    return text;
}
