/*
 * A connection's life: idle without a task, serving in one. Called by server.c (open, close) and by
 * the poll (hooks); calls the parsers, the handler, exchange.c and transfer.c.
 */
#include "http/connection.h"

#include "base/rng.h"
#include "core/graph.h"
#include "core/scope.h"

#include <bide/log.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct bide__kind kind_connection = {"connection", "waits for", NULL, false};
static const struct bide_site site_serve = {__FILE__, "serve", "a request", __LINE__};

/* Buffers that a server keeps for the next requests; what a burst took beyond them is freed. */
enum { FREE_BUFFERS_KEPT = 64 };

/* The next head: DONE, BAD, or MORE when there is none: the connection is idle or at its end. */
static enum bide__http_result read_head(struct bide__http_connection *connection)
{
    struct bide__http_buffers *buffers = connection->buffers;
    struct bide__http_head *head = &buffers->head;
    int64_t deadline_ns = 0; /* of the whole head, however it dribbles in */
    bide__http_head_request(head);
    for (;;) {
        uint32_t held = connection->end - connection->start;
        enum bide__http_result result =
            held ? bide__http_head_parse(head, buffers->in + connection->start, held)
                 : BIDE__HTTP_MORE;
        if (result != BIDE__HTTP_MORE)
            return result;
        if (connection->start > 0) {
            memmove(buffers->in, buffers->in + connection->start, held);
            connection->start = 0;
            connection->end = held;
        }
        int got = bide__http_receive(connection, 0);
        if (got == -EAGAIN && held > 0) {
            if (deadline_ns == 0)
                deadline_ns =
                    bide__http_after(connection->server, connection->server->options.head_deadline);
            got = bide__http_receive(connection, deadline_ns);
        }
        if (got > 0)
            continue;
        if (got == -EAGAIN)
            return BIDE__HTTP_MORE;
        if (got == -ETIMEDOUT) {
            head->refusal = (struct bide__http_refusal){408, "the head took too long"};
            return BIDE__HTTP_BAD;
        }
        connection->closing = true;
        return BIDE__HTTP_MORE;
    }
}

static void answer_error(struct bide_exchange *exchange, int status, const char *text)
{
    char body[BIDE_CAP_ERROR_MESSAGE + 2];
    int length = snprintf(body, sizeof body, "%s\n", text);
    exchange->headers_length = 0;
    (void)bide__http_reply(exchange, status, "text/plain; charset=utf-8", body, (size_t)length);
}

static void log_failure(const struct bide_exchange *exchange, const bide_error *error)
{
    char report[2048] = "it ended without a reply";
    bide_text method = bide_request_method(exchange), path = bide_request_path(exchange);
    if (error)
        bide_error_format(error, report, sizeof report);
    bide_log(BIDE_LOG_ERROR, "the handler of %.*s %.*s failed: %s", (int)method.length, method.at,
             (int)path.length, path.at, report);
}

/* What a handler failed with, as a reply: only what was meant for the peer is told to it. */
static void answer_failure(struct bide_exchange *exchange, const bide_error *error, bool late)
{
    struct bide__http_connection *connection = exchange->connection;
    bool cancelled = bide__error_is_cancel(error) && !late; /* stopping, or the peer is gone */
    if (cancelled || (connection->gone && error->code == BIDE_CLOSED)) {
        connection->closing = connection->unread_input = true;
        if (!connection->gone && !exchange->replied)
            answer_error(exchange, 503, "the server is stopping");
        if (error->also)
            log_failure(exchange, error);
        return;
    }
    if (exchange->replied) {
        connection->closing = connection->unread_input = true;
    } else if (late) {
        answer_error(exchange, 503, "the request took too long");
    } else if (error->code >= 400 && error->code <= 599) {
        answer_error(exchange, error->code, error->message);
        return;
    } else {
        answer_error(exchange, 500, "internal server error");
    }
    log_failure(exchange, error);
}

static void call_handler(void *arg)
{
    struct bide_exchange *exchange = arg;
    struct bide__http_server *server = exchange->connection->server;
    (void)server->handler(exchange, server->arg).await;
}

/* Runs the handler under its deadline, behind a boundary. */
static void handle(struct bide_exchange *exchange)
{
    struct bide__http_server *server = exchange->connection->server;
    struct bide__http_buffers *buffers = exchange->connection->buffers;
    struct bide__scope scope;
    int64_t deadline_ns;
    if (__builtin_add_overflow(server->loop->now_ns, server->options.handler_deadline.ns,
                               &deadline_ns))
        deadline_ns = INT64_MAX;
    bide__scope_push(&scope, BIDE__SCOPE_DEADLINE, &site_serve, deadline_ns);
    buffers->limit = bide__timer_armed(&scope.timer) ? &scope : NULL;
    bide_error *error = bide__boundary(call_handler, exchange);
    buffers->limit = NULL;
    bide__scope_pop(&scope);
    if (bide__likely(!error && exchange->replied))
        return;
    if (error) {
        bool late = bide__error_is_cancel(error) && scope.timed_out && !bide_cancel_requested();
        answer_failure(exchange, error, late);
    } else {
        answer_error(exchange, 500, "internal server error");
        log_failure(exchange, NULL);
    }
}

/* Whether a trusted proxy hands on two stories of where the request comes from: one of them is the
   client's, and nobody knows which. */
static bool is_contradicted(struct bide_exchange *exchange)
{
    return bide__unlikely(exchange->connection->server->trusted != NULL) &&
           bide__unlikely(exchange->head->known >> BIDE__FIELD_FORWARDED & 1) &&
           bide__http_resolve(exchange) < 0;
}

/* Serves the request whose head was just read. */
static void serve_one(struct bide__http_connection *connection)
{
    struct bide__http_buffers *buffers = connection->buffers;
    struct bide__http_head *head = &buffers->head;
    const struct bide_http_options *options = &connection->server->options;
    struct bide_exchange exchange;
    exchange.connection = connection;
    exchange.head = head;
    exchange.bytes = buffers->in + connection->start;
    exchange.continued = !head->expect_continue;
    exchange.replied = false;
    exchange.has_arena = false;
    exchange.upgraded = NULL;
    exchange.headers_length = 0;
    exchange.waited_ns = 0;
    exchange.since_ns = connection->server->loop->now_ns;
    buffers->exchange = &exchange;
    buffers->client_length = 0;
    connection->keep_running = false;
    connection->start += head->bytes;
    if (++connection->served >= options->requests ||
        connection->server->loop->now_ns >= connection->old_at_ns)
        connection->closing = connection->unread_input = true;
    if (!head->keep_alive)
        connection->closing = true;
    exchange.body_state = (uint8_t)bide__http_body_init(&exchange.body, head->framing,
                                                        head->content_length, options->body_bytes);
    if (bide__unlikely(exchange.body_state == (uint8_t)BIDE__HTTP_BAD)) {
        connection->closing = connection->unread_input = true;
        answer_error(&exchange, exchange.body.refusal.status, exchange.body.refusal.text);
    } else if (bide__unlikely(is_contradicted(&exchange))) {
        connection->closing = connection->unread_input = true;
        answer_error(&exchange, 400, "Forwarded and X-Forwarded-* contradict each other");
    } else if (bide__unlikely(head->method == BIDE__HTTP_CONNECT)) {
        /* Its peer takes what follows for a tunnel, so nothing that follows is a request. */
        connection->closing = connection->unread_input = true;
        answer_error(&exchange, 501, "this is no proxy");
    } else {
        if (bide__unlikely(connection->out_length > 0))
            bide__http_send_soon(connection);
        handle(&exchange);
        if (exchange.body_state != BIDE__HTTP_DONE &&
            (connection->closing || !bide__http_finish_body(&exchange)))
            connection->closing = connection->unread_input = true;
    }
    buffers->exchange = NULL;
    if (bide__unlikely(exchange.upgraded != NULL))
        bide_close_stream(exchange.upgraded);
    if (exchange.has_arena)
        bide_arena_done(&exchange.arena);
}

static void refuse(struct bide__http_connection *connection)
{
    struct bide_exchange exchange = {.connection = connection,
                                     .head = &connection->buffers->head,
                                     .body_state = BIDE__HTTP_DONE};
    struct bide__http_refusal refusal = connection->buffers->head.refusal;
    connection->closing = connection->unread_input = true;
    answer_error(&exchange, refusal.status, refusal.text);
}

/* Everything there is to serve now. What came while the output was being sent had nobody to tell:
   it is looked for. */
static void serve_all(void *arg)
{
    struct bide__http_connection *connection = arg;
    while (!connection->closing) {
        enum bide__http_result result = read_head(connection);
        if (result == BIDE__HTTP_MORE) {
            (void)bide__http_flush(connection);
            if (!bide__fd_may_read(&connection->fd))
                break;
        } else if (bide__likely(result == BIDE__HTTP_DONE)) {
            serve_one(connection);
        } else {
            refuse(connection);
        }
        bide__done_at_once(connection->task);
    }
    (void)bide__http_flush(connection);
    if (connection->closing && (connection->unread_input || connection->start < connection->end ||
                                bide__fd_may_read(&connection->fd)))
        bide__http_linger(connection);
}

static struct bide__http_buffers *borrow(struct bide__http_server *server)
{
    struct bide__http_buffers *buffers = server->free_buffers;
    if (bide__likely(buffers != NULL)) {
        server->free_buffers = buffers->next;
        server->free_count--;
    } else if ((buffers = bide__alloc(sizeof *buffers))) {
        buffers->limit = NULL;
        buffers->exchange = NULL;
        buffers->unsent.next = NULL;
    }
    return buffers;
}

static void give_back(struct bide__http_server *server, struct bide__http_buffers *buffers)
{
    if (bide__unlikely(server->free_count >= FREE_BUFFERS_KEPT)) {
        bide__free(buffers);
        return;
    }
    buffers->next = server->free_buffers;
    server->free_buffers = buffers;
    server->free_count++;
}

static void wake(struct bide__fd *fd);

static void go_idle(struct bide__http_connection *connection)
{
    struct bide__http_server *server = connection->server;
    bide__list_remove(&connection->node);
    bide__list_push_back(&server->idle, &connection->node);
    connection->idle_since_ns = server->loop->now_ns;
    connection->task = NULL;
    connection->fd.on_readable = wake;
}

static void serve(void *arg)
{
    struct bide__http_connection *connection = *(struct bide__http_connection **)arg;
    struct bide__http_server *server = connection->server;
    uint32_t served = connection->served;
    connection->buffers = borrow(server);
    if (bide__unlikely(!connection->buffers)) {
        bide__http_connection_close(connection);
        return;
    }
    connection->buffers->connection = connection;
    connection->buffers->peer_length = 0;
    connection->start = connection->end = connection->out_length = 0;
    bide_error *error = bide__boundary(serve_all, connection);
    if (bide__unlikely(error != NULL)) { /* a callback of an arena, which must not fail */
        connection->closing = true;
        if (bide__list_linked(&connection->buffers->unsent))
            bide__list_remove(&connection->buffers->unsent);
        bide_log(BIDE_LOG_ERROR, "a connection failed: %s", error->message);
    }
    give_back(server, connection->buffers);
    connection->buffers = NULL;
    if (bide__unlikely(connection->served == served)) {
        /* Urgent data wakes, too, and must not keep a connection from growing old. */
        connection->closing |= connection->excused;
        connection->excused = true;
    }
    if (bide__unlikely(connection->closing))
        bide__http_connection_close(connection);
    else
        go_idle(connection);
}

/* A hook of idle connections, for the first byte of a request or the end of the stream: starts the
   task that looks. */
static void wake(struct bide__fd *fd)
{
    struct bide__http_connection *connection =
        bide__container_of(fd, struct bide__http_connection, fd);
    struct bide__http_server *server = connection->server;
    struct bide_task *task = NULL;
    if (bide__likely(server->group != NULL))
        task = bide__task_new(server->loop, &site_serve, "connection", serve, &connection,
                              sizeof(void *));
    if (bide__unlikely(!task)) {
        bide__http_connection_close(connection);
        return;
    }
    fd->on_readable = NULL;
    bide__list_remove(&connection->node);
    bide__list_push_back(&server->busy, &connection->node);
    connection->task = task;
    bide__group_add(server->group, task);
}

static void peer_is_gone(struct bide__fd *fd)
{
    struct bide__http_connection *connection =
        bide__container_of(fd, struct bide__http_connection, fd);
    connection->gone = connection->closing = true;
    if (!connection->task)
        bide__http_connection_close(connection);
    else if (!connection->keep_running)
        bide__task_cancel(connection->task, "the peer is gone");
}

/* When a connection that begins now is old: between nine tenths of the age and all of it. */
static int64_t old_at(struct bide__http_server *server)
{
    int64_t age_ns = server->options.age.ns, at_ns;
    age_ns -= (int64_t)(bide__splitmix64(&server->jitter) % ((uint64_t)age_ns / 10 + 1));
    bool never = __builtin_add_overflow(server->loop->now_ns, age_ns, &at_ns);
    return never ? INT64_MAX : at_ns;
}

void bide__http_connection_open(struct bide__http_server *server, int fd,
                                const struct bide__http_address *peer)
{
    struct bide__http_connection *connection = bide__slab_alloc(&server->slab);
    if (!connection) {
        close(fd);
        return;
    }
    memset(connection, 0, sizeof *connection);
    connection->server = server;
    connection->peer = *peer;
    connection->fd.fd = fd;
    connection->fd.short_is_drained = server->short_is_drained;
    connection->fd.on_readable = wake;
    connection->fd.on_gone = peer_is_gone;
    connection->fd.object = (struct bide__object){&kind_connection, NULL, NULL};
    connection->idle_since_ns = server->loop->now_ns;
    connection->old_at_ns = old_at(server);
    if (server->loop->io->ops->attach(server->loop->io, &connection->fd) < 0) {
        bide__slab_free(&server->slab, connection);
        close(fd);
        return;
    }
    bide__list_push_back(&server->idle, &connection->node);
    server->connections++;
}

void bide__http_connection_close(struct bide__http_connection *connection)
{
    struct bide__http_server *server = connection->server;
    if (bide__likely(connection->fd.fd >= 0)) { /* else an upgrade took it */
        server->loop->io->ops->detach(server->loop->io, &connection->fd);
        close(connection->fd.fd);
    }
    bide__list_remove(&connection->node);
    bide__slab_free(&server->slab, connection);
    server->connections--;
    bide__wake_all(&server->room, 0);
}

bool bide__http_connection_quiet(const struct bide__http_connection *connection)
{
    char byte;
    return recv(connection->fd.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}
