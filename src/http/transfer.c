/*
 * The bytes of a connection: sending and receiving with deadlines. Called by connection.c and
 * exchange.c; calls the backend (core/op.h).
 */
#include "http/connection.h"

#include "io/send_file.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const struct bide_site site_wait = {__FILE__, "wait", "the peer", __LINE__};

int64_t bide__http_after(const struct bide__http_server *server, bide_duration duration)
{
    int64_t at_ns;
    if (__builtin_add_overflow(bide__loop_clock_ns(server->loop), duration.ns, &at_ns))
        return INT64_MAX;
    return at_ns;
}

/* Performs an operation that has to wait. -ETIMEDOUT is of this deadline; what a scope further out
   did is -ECANCELED. */
static int wait_until(struct bide__op *op, int64_t deadline_ns)
{
    struct bide__scope scope;
    int result = bide__checkpoint(bide__task_current());
    if (result < 0)
        return result;
    bide__scope_push(&scope, BIDE__SCOPE_DEADLINE, &site_wait, deadline_ns);
    result = op->fd->io->ops->perform(op->fd->io, op);
    bide__scope_pop(&scope);
    bool late = result == -ECANCELED && scope.timed_out && !bide_cancel_requested();
    return late ? -ETIMEDOUT : result;
}

/* A deadline that stands still; not INT64_MAX, which scopes inside may have of themselves. */
static const int64_t paused_ns = INT64_MAX - 1;

/* Moves the handler's deadline, also where scopes inside of it have inherited it. */
static void move_limit(struct bide__limit *limit, int64_t to_ns)
{
    int64_t from_ns = limit->scope.deadline_ns;
    bide__limit_set(limit, &limit->scope.task->loop->timers, to_ns);
    for (struct bide__scope *scope = limit->scope.task->scope; scope != &limit->scope;
         scope = scope->up)
        if (scope->deadline_ns == from_ns)
            scope->deadline_ns = limit->scope.deadline_ns;
}

/* Whether the handler under way has a deadline that can be moved. */
static bool has_limit(const struct bide__http_buffers *buffers)
{
    const struct bide__limit *limit = &buffers->limit;
    return buffers->serving && !limit->scope.cancelled &&
           limit->scope.deadline_ns < limit->outer_ns;
}

void bide__http_move_limit(struct bide__http_connection *connection, int64_t to_ns)
{
    struct bide__http_buffers *buffers = connection->buffers;
    if (buffers->serving && !buffers->limit.scope.cancelled)
        move_limit(&buffers->limit, to_ns);
}

void bide__http_lift_limit(struct bide__http_connection *connection)
{
    if (has_limit(connection->buffers))
        move_limit(&connection->buffers->limit, paused_ns);
}

void bide__http_renew_limit(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    const struct bide__http_server *server = connection->server;
    int64_t patience_ns = exchange->patience_ns;
    if (has_limit(connection->buffers))
        move_limit(&connection->buffers->limit,
                   bide__http_after(server, patience_ns ? bide_ns(patience_ns)
                                                        : server->options.handler_deadline));
}

/* The time that a peer takes to send or to receive is not the handler's: its deadline stands still
   meanwhile, and this one bounds the wait. */
static int wait_for_peer(struct bide__http_connection *connection, struct bide__op *op,
                         int64_t deadline_ns)
{
    struct bide__http_server *server = connection->server;
    struct bide__limit *limit = &connection->buffers->limit;
    bool pauses = has_limit(connection->buffers) && limit->scope.task == bide__task_current();
    int64_t left_ns = 0;
    if (pauses) {
        left_ns = limit->scope.deadline_ns - bide__loop_clock_ns(server->loop);
        move_limit(limit, paused_ns);
    }
    int result = wait_until(op, deadline_ns);
    if (pauses)
        move_limit(limit, bide__http_after(server, bide_ns(left_ns)));
    return result;
}

void bide__http_give_up(struct bide__http_connection *connection)
{
    struct linger none = {.l_onoff = 1};
    connection->gone = connection->closing = true;
    setsockopt(connection->fd.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/* The rest of what did not fit into the socket. */
static __attribute__((noinline)) int send_rest(struct bide__http_connection *connection,
                                               const char *data, size_t size)
{
    const struct bide__http_server *server = connection->server;
    do {
        struct bide__op op = {.kind = BIDE__OP_SEND,
                              .fd = &connection->fd,
                              .buffer = (void *)(uintptr_t)data,
                              .size = size};
        int sent =
            wait_for_peer(connection, &op, bide__http_after(server, server->options.write_stall));
        if (sent < 0) {
            bide__http_give_up(connection);
            return sent;
        }
        data += sent;
        size -= (size_t)sent;
    } while (size > 0);
    return 0;
}

int bide__http_send(struct bide__http_connection *connection, const void *data, size_t size)
{
    struct bide__fd *fd = &connection->fd;
    int sent = connection->gone ? -EPIPE : fd->io->ops->send_now(fd, data, size);
    if (bide__likely(sent == (int64_t)size))
        return 0;
    if (sent < 0 && sent != -EAGAIN) {
        connection->gone = connection->closing = true;
        return sent;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    return send_rest(connection, (const char *)data + done, size - done);
}

int bide__http_send_file(struct bide_exchange *exchange, int file, uint64_t at, uint64_t size)
{
    struct bide__http_connection *connection = exchange->connection;
    const struct bide__http_server *server = connection->server;
    int result = bide__http_flush(connection);
    while (result >= 0 && size > 0) {
        struct bide__op writable = {.kind = BIDE__OP_WRITABLE, .fd = &connection->fd};
        int64_t sent = connection->gone ? -EPIPE : bide__send_file(&connection->fd, file, at, size);
        if (sent == -EAGAIN) {
            result = wait_for_peer(connection, &writable,
                                   bide__http_after(server, server->options.write_stall));
        } else if (sent > 0) {
            at += (uint64_t)sent;
            size -= (uint64_t)sent;
            bide__http_renew_limit(exchange);
            bide__done_at_once(bide__task_current());
            result = bide__checkpoint(bide__task_current());
        } else {
            result = sent == 0 ? -ENODATA : (int)sent;
        }
    }
    if (result < 0 && result != -ENODATA)
        bide__http_give_up(connection);
    return result < 0 ? result : 0;
}

int bide__http_flush(struct bide__http_connection *connection)
{
    struct bide__http_buffers *buffers = connection->buffers;
    size_t size = connection->out_length;
    if (size == 0)
        return 0;
    connection->out_length = 0;
    if (bide__unlikely(bide__list_linked(&buffers->unsent)))
        bide__list_remove(&buffers->unsent);
    return bide__http_send(connection, buffers->out, size);
}

int bide__http_flush_along(struct bide__http_connection *connection)
{
    struct bide__fd *fd = &connection->fd;
    struct bide__http_buffers *buffers = connection->buffers;
    bool (*send_copy)(struct bide__fd *, const void *, size_t) = fd->io->ops->send_copy;
    if (connection->out_length == 0)
        return 0;
    /* Who closes waits until all is sent, and need not wait for the poll. */
    bool whole = !send_copy || connection->closing || connection->gone;
    if (whole || !send_copy(fd, buffers->out, connection->out_length))
        return bide__http_flush(connection);
    connection->out_length = 0;
    if (bide__unlikely(bide__list_linked(&buffers->unsent)))
        bide__list_remove(&buffers->unsent);
    return 0;
}

/* ns until output that did not fit into the socket is tried again; its task may wait for long */
enum { UNSENT_RETRY_NS = 10000000 };

void bide__http_send_soon(struct bide__http_connection *connection)
{
    struct bide__http_server *server = connection->server;
    if (bide__list_linked(&connection->buffers->unsent))
        return;
    bide__list_push_back(&server->unsent, &connection->buffers->unsent);
    if (!bide__timer_armed(&server->send))
        bide__timer_arm(&server->loop->timers, &server->send, server->loop->now_ns);
}

/* Whether all was sent, or nothing can be. */
static bool send_some(struct bide__http_connection *connection)
{
    char *out = connection->buffers->out;
    struct bide__fd *fd = &connection->fd;
    int sent = connection->gone ? -EPIPE : fd->io->ops->send_now(fd, out, connection->out_length);
    if (sent == -EAGAIN)
        return false;
    if (sent < 0)
        connection->gone = connection->closing = true;
    connection->out_length = sent < 0 ? 0 : connection->out_length - (uint32_t)sent;
    memmove(out, out + (sent < 0 ? 0 : sent), connection->out_length);
    return connection->out_length == 0;
}

void bide__http_send_unsent(struct bide__timer *timer)
{
    struct bide__http_server *server = bide__container_of(timer, struct bide__http_server, send);
    bide__list_foreach(node, &server->unsent)
    {
        if (send_some(bide__container_of(node, struct bide__http_buffers, unsent)->connection))
            bide__list_remove(node);
    }
    if (!bide__list_empty(&server->unsent))
        bide__timer_arm(&server->loop->timers, timer, server->loop->now_ns + UNSENT_RETRY_NS);
}

int bide__http_receive(struct bide__http_connection *connection, int64_t deadline_ns)
{
    struct bide__http_buffers *buffers = connection->buffers;
    struct bide__fd *fd = &connection->fd;
    char *end = buffers->in + connection->end;
    size_t room = sizeof buffers->in - connection->end;
    if (room == 0)
        return -ENOBUFS;
    int got = fd->io->ops->receive_now(fd, end, room);
    if (got == -EAGAIN && deadline_ns > 0) {
        struct bide__op op = {.kind = BIDE__OP_RECEIVE, .fd = fd, .buffer = end, .size = room};
        /* Beside a handler that reads its body another task may reply, into the same buffer: it may
           hold nothing that a wait in here still sends. */
        if (buffers->serving && connection->out_length > 0)
            bide__http_send_soon(connection);
        else if ((got = bide__http_flush(connection)) < 0)
            return got;
        got = wait_for_peer(connection, &op, deadline_ns);
    }
    if (bide__likely(got > 0))
        connection->end += (uint32_t)got;
    else if (got == 0)
        connection->ended = true;
    else if (got != -EAGAIN && got != -ETIMEDOUT && got != -ECANCELED)
        connection->gone = true;
    return got;
}

void bide__http_linger(struct bide__http_connection *connection)
{
    if (connection->gone || connection->ended || shutdown(connection->fd.fd, SHUT_WR) < 0)
        return;
    int64_t deadline_ns = bide__http_after(connection->server, bide_ms(BIDE_CAP_HTTP_LINGER_MS));
    size_t dropped = 0;
    while (dropped < BIDE_CAP_HTTP_LINGER_BYTES) {
        connection->start = connection->end = 0;
        int got = bide__http_receive(connection, deadline_ns);
        if (got <= 0)
            return;
        dropped += (size_t)got;
    }
}
