/*
 * A connection's life: idle without a task, serving in one. Called by server.c (open, close) and by
 * the poll (hooks); calls the parsers, the handler, exchange.c, reply.c and transfer.c.
 */
#include "http/connection.h"

#include "base/rng.h"
#include "core/graph.h"
#include "core/local.h"

#include <bide/log.h>
#include <bide/metrics.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

BIDE_GAUGE(bide_http_connections, "open connections of HTTP servers");
BIDE_COUNTER(bide_http_connections_total, "connections that HTTP servers have accepted");

static const struct bide__kind kind_connection = {.noun = "connection", .verb = "waits for"};
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

/* Whether a trusted proxy hands on two stories of where the request comes from: one of them is the
   client's, and nobody knows which. */
static bool is_contradicted(struct bide_exchange *exchange)
{
    return bide__unlikely(exchange->connection->server->trusted != NULL) &&
           bide__unlikely(exchange->head->known >> BIDE__FIELD_FORWARDED & 1) &&
           bide__http_resolve(exchange) < 0;
}

/* What the handler's scope was cancelled for is over. */
static void renew(struct bide__limit *limit)
{
    if (bide__likely(!limit->scope.cancelled))
        return;
    bide__limit_pop(limit);
    bide__limit_push(limit, &site_serve);
}

static void begin_exchange(struct bide__http_connection *connection)
{
    struct bide__http_buffers *buffers = connection->buffers;
    const struct bide__http_server *server = connection->server;
    struct bide__http_head *head = &buffers->head;
    struct bide_exchange *exchange = &buffers->exchange;
    exchange->connection = connection;
    exchange->bytes = buffers->in + connection->start;
    exchange->upgraded = NULL;
    exchange->since_ns = server->loop->now_ns;
    exchange->waited_ns = 0;
    exchange->patience_ns = 0;
    exchange->headers_length = 0;
    exchange->client_length = 0;
    exchange->replied = BIDE__HTTP_UNREPLIED;
    exchange->used_arena = false;
    exchange->ends_so = false;
    exchange->https = false;
    exchange->continued = !head->expect_continue;
    exchange->body_begun = false;
    connection->keep_running = false;
    connection->start += head->bytes;
    if (++connection->served >= server->options.requests ||
        server->loop->now_ns >= connection->old_at_ns)
        connection->closing = connection->unread_input = true;
    if (!head->keep_alive)
        connection->closing = true;
    exchange->body_state = (uint8_t)BIDE__HTTP_DONE;
    if (head->framing != BIDE__HTTP_NO_BODY)
        exchange->body_state = (uint8_t)bide__http_body_init(
            &exchange->body, head->framing, head->content_length, server->options.body_bytes);
    buffers->serving = true;
}

/* What an exchange leaves behind that is more than its reply. */
static __attribute__((noinline)) void tidy_exchange(struct bide__http_connection *connection)
{
    struct bide__http_buffers *buffers = connection->buffers;
    struct bide_exchange *exchange = &buffers->exchange;
    renew(&buffers->limit);
    if (exchange->body_state != BIDE__HTTP_DONE &&
        (connection->closing || !bide__http_finish_body(exchange)))
        connection->closing = connection->unread_input = true;
    if (exchange->upgraded)
        bide_close_stream(exchange->upgraded);
    if (exchange->used_arena)
        bide_arena_reset(&exchange->arena);
}

/* After the handler, on every way out of it. */
static inline void end_exchange(struct bide__http_connection *connection)
{
    struct bide__http_buffers *buffers = connection->buffers;
    const struct bide_exchange *exchange = &buffers->exchange;
    buffers->serving = false;
    buffers->limit.scope.deadline_ns = buffers->limit.outer_ns;
    if (bide__unlikely(buffers->limit.scope.cancelled || exchange->body_state != BIDE__HTTP_DONE ||
                       exchange->upgraded || exchange->used_arena))
        tidy_exchange(connection);
}

/* Answers what no handler is to see. False: it is for the handler. */
static bool refuse_early(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    struct bide__http_refusal refusal;
    if (bide__unlikely(exchange->body_state == (uint8_t)BIDE__HTTP_BAD &&
                       exchange->head->content_length >
                           connection->server->options.most_body_bytes))
        refusal = exchange->body.refusal;
    else if (bide__unlikely(exchange->head->method == BIDE__HTTP_CONNECT))
        /* Its peer takes what follows for a tunnel, so nothing that follows is a request. */
        refusal = (struct bide__http_refusal){501, "this is no proxy"};
    else if (is_contradicted(exchange))
        refusal =
            (struct bide__http_refusal){400, "Forwarded and X-Forwarded-* contradict each other"};
    else
        return false;
    connection->closing = connection->unread_input = true;
    answer_error(exchange, refusal.status, refusal.text);
    return true;
}

/* The handler has returned without a whole reply. */
static __attribute__((noinline)) void end_reply(struct bide_exchange *exchange)
{
    if (exchange->replied) {
        if (bide__http_end_pieces(exchange) == -ENODATA)
            bide_log(BIDE_LOG_ERROR,
                     "a reply was cut off: its handler ended %llu bytes before its end",
                     (unsigned long long)exchange->left);
    } else {
        answer_error(exchange, 500, "internal server error");
        log_failure(exchange, NULL);
    }
}

/* Serves the request whose head was just read. What a handler raises leaves this function, too. */
static void serve_one(struct bide__http_connection *connection)
{
    struct bide__http_buffers *buffers = connection->buffers;
    struct bide__http_server *server = connection->server;
    struct bide_exchange *exchange = &buffers->exchange;
    int64_t deadline_ns;
    begin_exchange(connection);
    if (bide__likely(!refuse_early(exchange))) {
        if (bide__unlikely(connection->out_length > 0))
            bide__http_send_soon(connection);
        if (__builtin_add_overflow(server->loop->now_ns, server->options.handler_deadline.ns,
                                   &deadline_ns))
            deadline_ns = INT64_MAX;
        bide__limit_set(&buffers->limit, &server->loop->timers, deadline_ns);
        (void)server->handler(exchange, server->arg).await;
        if (bide__unlikely(bide__task_current()->locals != NULL))
            bide__locals_end_request(bide__task_current());
        if (bide__unlikely(exchange->replied != BIDE__HTTP_REPLIED))
            end_reply(exchange);
    }
    end_exchange(connection);
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

/* Before the close: nothing that goes along is lost by it. */
static __attribute__((noinline)) void end_connection(struct bide__http_connection *connection)
{
    if (connection->fd.sends_later)
        (void)bide__http_send(connection, "", 0);
    if (connection->unread_input || connection->start < connection->end ||
        bide__fd_may_read(&connection->fd))
        bide__http_linger(connection);
}

/* Everything there is to serve now. What came while the output was being sent had nobody to tell:
   it is looked for. */
static void serve_all(struct bide__http_connection *connection)
{
    while (!connection->closing) {
        enum bide__http_result result = read_head(connection);
        if (bide__likely(result == BIDE__HTTP_DONE))
            serve_one(connection);
        else if (result == BIDE__HTTP_MORE)
            (void)bide__http_flush_along(connection);
        else
            refuse(connection);
        bide__done_at_once(connection->task);
        /* Not before all is sent: what comes meanwhile would be seen by nobody. */
        bool waits = result == BIDE__HTTP_MORE || connection->start == connection->end;
        if (bide__likely(waits && connection->out_length == 0 &&
                         !bide__fd_may_read(&connection->fd)))
            break;
    }
    (void)bide__http_flush(connection);
    if (bide__unlikely(connection->closing))
        end_connection(connection);
}

/* Kept from exchange to exchange, with the chunk that most of them get along with. A body of
   unknown size grows in steps that together take three times its size. */
static void init_arena(struct bide__http_buffers *buffers)
{
    uint64_t body_bytes = buffers->server->options.most_body_bytes;
    size_t cap = body_bytes < SIZE_MAX / 4 ? 3 * (size_t)body_bytes : SIZE_MAX / 2;
    bide_arena_init(&buffers->exchange.arena, NULL, cap + BIDE_CAP_HTTP_ARENA_BYTES);
}

static struct bide__http_buffers *borrow(struct bide__http_server *server)
{
    struct bide__http_buffers *buffers = server->free_buffers;
    if (bide__likely(buffers != NULL)) {
        server->free_buffers = buffers->next;
        server->free_count--;
    } else if ((buffers = bide__alloc(sizeof *buffers))) {
        buffers->server = server;
        buffers->unsent.next = NULL;
        buffers->connection = NULL;
        buffers->serving = false;
        buffers->exchange.head = &buffers->head;
        bide__limit_init(&buffers->limit);
        init_arena(buffers);
    }
    return buffers;
}

void bide__http_buffers_free(struct bide__http_buffers *buffers)
{
    bide__limit_done(&buffers->limit, &buffers->server->loop->timers);
    bide_arena_done(&buffers->exchange.arena);
    bide__free(buffers);
}

static void give_back(struct bide__http_server *server, struct bide__http_buffers *buffers)
{
    if (bide__unlikely(server->free_count >= FREE_BUFFERS_KEPT)) {
        bide__http_buffers_free(buffers);
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
    bide__list_push_back(&server->idle, &connection->node);
    connection->idle_since_ns = server->loop->now_ns;
    connection->task = NULL;
    connection->buffers = NULL;
    connection->fd.on_readable = wake;
}

static void take(struct bide__http_buffers *buffers, struct bide__http_connection *connection)
{
    bide__list_remove(&connection->node);
    buffers->connection = connection;
    buffers->peer_length = 0;
    buffers->served_before = connection->served;
    connection->buffers = buffers;
    connection->task = bide__task_current();
    connection->start = connection->end = connection->out_length = 0;
}

static void leave(struct bide__http_buffers *buffers)
{
    struct bide__http_connection *connection = buffers->connection;
    buffers->connection = NULL;
    renew(&buffers->limit);
    if (bide__unlikely(connection->served == buffers->served_before)) {
        /* Urgent data wakes, too, and must not keep a connection from growing old. */
        connection->closing |= connection->excused;
        connection->excused = true;
    }
    if (bide__unlikely(connection->closing))
        bide__http_connection_close(connection);
    else
        go_idle(connection);
}

static struct bide__http_connection *next_readable(const struct bide__http_server *server)
{
    struct bide__list_node *node = bide__list_first(&server->readable);
    return node ? bide__container_of(node, struct bide__http_connection, node) : NULL;
}

/* One connection after the other; after a failure it goes on with the one that failed. */
static void serve_readable(void *arg)
{
    struct bide__http_buffers *buffers = arg;
    for (;;) {
        struct bide__http_connection *connection = buffers->connection;
        if (bide__unlikely(connection != NULL)) {
            if (buffers->serving)
                end_exchange(connection);
        } else {
            connection = next_readable(buffers->server);
            if (!connection)
                return;
            take(buffers, connection);
        }
        serve_all(connection);
        leave(buffers);
    }
}

static void answer_for(struct bide__http_buffers *buffers, const bide_error *error)
{
    struct bide__http_connection *connection = buffers->connection;
    bool late = buffers->limit.scope.timed_out;
    renew(&buffers->limit);
    late = late && bide__error_is_cancel(error) && !bide_cancel_requested();
    if (bide__likely(buffers->serving)) {
        answer_failure(&buffers->exchange, error, late);
        bide__http_cut_pieces(&buffers->exchange);
    } else { /* a callback of the arena, which must not fail; the next reset runs the others */
        connection->closing = true;
        buffers->exchange.arena.resetting = false;
        bide_log(BIDE_LOG_ERROR, "a connection failed: %s", error->message);
    }
}

static void serve(void *arg);

/* Has a task come for what is readable; false without memory for it. */
static bool call_task(struct bide__http_server *server)
{
    struct bide_task *task = NULL;
    if (bide__likely(server->group != NULL))
        task =
            bide__task_new(server->loop, &site_serve, "connection", serve, &server, sizeof(void *));
    if (bide__unlikely(!task))
        return false;
    server->task_coming = true;
    bide__group_add(server->group, task);
    return true;
}

/* A task of the server. */
static void serve(void *arg)
{
    struct bide__http_server *server = *(struct bide__http_server **)arg;
    struct bide__http_connection *connection = next_readable(server);
    struct bide__http_buffers *buffers = connection ? borrow(server) : NULL;
    server->task_coming = false;
    if (bide__unlikely(!buffers)) {
        while ((connection = next_readable(server)))
            bide__http_connection_close(connection);
        return;
    }
    if (server->readable.head.next != server->readable.head.previous)
        (void)call_task(server);
    bide__list_push_back(&server->working, &buffers->working);
    bide__limit_push(&buffers->limit, &site_serve);
    bide_error *error;
    while (bide__unlikely((error = bide__boundary(serve_readable, buffers)) != NULL)) {
        answer_for(buffers, error);
        bide__error_release_all(bide__task_current());
    }
    bide__limit_pop(&buffers->limit);
    bide__list_remove(&buffers->working);
    give_back(server, buffers);
}

/* A hook of idle connections, for the first byte of a request or the end of the stream. */
static void wake(struct bide__fd *fd)
{
    struct bide__http_connection *connection =
        bide__container_of(fd, struct bide__http_connection, fd);
    struct bide__http_server *server = connection->server;
    if (bide__unlikely(!server->task_coming && !call_task(server))) {
        bide__http_connection_close(connection);
        return;
    }
    fd->on_readable = NULL;
    bide__list_remove(&connection->node);
    bide__list_push_back(&server->readable, &connection->node);
}

static void peer_is_gone(struct bide__fd *fd)
{
    struct bide__http_connection *connection =
        bide__container_of(fd, struct bide__http_connection, fd);
    connection->gone = connection->closing = true;
    if (!connection->task)
        bide__http_connection_close(connection);
    else if (!connection->keep_running)
        bide__scope_cancel(&connection->buffers->limit.scope, "the peer is gone");
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
    connection->fd.is_stream = true;
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
    bide_gauge_add(&bide_http_connections, 1);
    bide_counter_add(&bide_http_connections_total, 1);
}

void bide__http_connection_close(struct bide__http_connection *connection)
{
    struct bide__http_server *server = connection->server;
    if (bide__likely(connection->fd.fd >= 0)) { /* else an upgrade took it */
        server->loop->io->ops->detach(server->loop->io, &connection->fd);
        close(connection->fd.fd);
    }
    if (bide__list_linked(&connection->node))
        bide__list_remove(&connection->node);
    bide__slab_free(&server->slab, connection);
    server->connections--;
    bide_gauge_add(&bide_http_connections, -1);
    bide__wake_all(&server->room, 0);
}

bool bide__http_connection_quiet(struct bide__http_connection *connection)
{
    const struct bide__http_server *server = connection->server;
    int64_t idle_ns = bide__loop_clock_ns(server->loop) - connection->idle_since_ns;
    if (connection->fd.sends_later && idle_ns < server->options.write_stall.ns)
        return false;
    return connection->fd.io->ops->peek(&connection->fd) <= 0;
}
