/*
 * What handlers call: the request's parts and its body. Called by handlers and the web layer; calls
 * transfer.c to receive.
 */
#include "http/connection.h"

#include <errno.h>
#include <string.h>

static const struct bide_site site_rest = {__FILE__, "serve", "the rest of a body", __LINE__};

static bide_text part(const bide_exchange *exchange, struct bide__http_span span)
{
    return (bide_text){exchange->bytes + span.at, span.length};
}

bide_text bide_request_method(const bide_exchange *exchange)
{
    return part(exchange, exchange->head->method_text);
}

bide_text bide_request_path(const bide_exchange *exchange)
{
    const struct bide__http_head *head = exchange->head;
    if (bide__unlikely(head->form == BIDE__HTTP_ASTERISK))
        return part(exchange, head->target);
    if (bide__unlikely(head->path.length == 0)) /* "http://host", RFC 9112 3.2.2 */
        return (bide_text){"/", 1};
    return part(exchange, head->path);
}

bide_text bide_request_query(const bide_exchange *exchange)
{
    if (!exchange->head->has_query)
        return (bide_text){NULL, 0};
    return part(exchange, exchange->head->query);
}

bide_text bide_request_header(const bide_exchange *exchange, const char *name)
{
    struct bide__slice value;
    if (!bide__http_value_named(exchange->head, exchange->bytes, bide__slice_of(name), &value))
        return (bide_text){NULL, 0};
    return (bide_text){value.bytes, value.length};
}

bide_text bide_request_host(const bide_exchange *exchange)
{
    return part(exchange, exchange->head->host);
}

bide_text bide_request_peer(bide_exchange *exchange)
{
    struct bide__http_buffers *buffers = exchange->connection->buffers;
    if (buffers->peer_length == 0)
        buffers->peer_length =
            (uint8_t)bide__http_address_format(&exchange->connection->peer, buffers->peer);
    return (bide_text){buffers->peer, buffers->peer_length};
}

int bide__http_resolve(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    struct bide__http_buffers *buffers = connection->buffers;
    struct bide__http_origin origin;
    int result = bide__http_origin_of(exchange->head, exchange->bytes, connection->server->trusted,
                                      &connection->peer, &origin);
    exchange->client_length = (uint8_t)bide__http_address_format(&origin.client, buffers->client);
    exchange->https = origin.https;
    return result;
}

bide_text bide_request_client(bide_exchange *exchange)
{
    struct bide__http_buffers *buffers = exchange->connection->buffers;
    if (!exchange->connection->server->trusted)
        return bide_request_peer(exchange);
    if (exchange->client_length == 0)
        (void)bide__http_resolve(exchange);
    return (bide_text){buffers->client, exchange->client_length};
}

bide_text bide_request_scheme(bide_exchange *exchange)
{
    (void)bide_request_client(exchange);
    bool https = exchange->connection->server->trusted && exchange->https;
    return https ? (bide_text){"https", 5} : (bide_text){"http", 4};
}

bide_arena *bide_exchange_arena(bide_exchange *exchange)
{
    exchange->used_arena = true;
    return &exchange->arena;
}

/* `100 Continue`, before the first byte of a body that the peer holds back. After the reply it
   would be taken for the next one's. The wait for the body sends it. */
static int tell_to_continue(struct bide_exchange *exchange)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct bide__http_connection *connection = exchange->connection;
    struct bide__http_buffers *buffers = connection->buffers;
    if (exchange->replied)
        return -ESHUTDOWN;
    exchange->continued = true;
    if (sizeof line - 1 > sizeof buffers->out - connection->out_length) {
        int result = bide__http_flush(connection);
        if (result < 0)
            return result;
    }
    memcpy(buffers->out + connection->out_length, line, sizeof line - 1);
    connection->out_length += sizeof line - 1;
    return 0;
}

/* How long to wait for the next part of the body: none of the bounds is passed. */
static bide_duration patience(const struct bide_exchange *exchange)
{
    const struct bide_http_options *options = &exchange->connection->server->options;
    double earned_ns = (double)exchange->body.total / options->body_rate * 1e9;
    double most_ns = (double)options->body_deadline.ns;
    double left_ns = (double)options->body_grace.ns + earned_ns;
    left_ns = (left_ns < most_ns ? left_ns : most_ns) - (double)exchange->waited_ns;
    if (left_ns >= (double)options->body_gap.ns)
        return options->body_gap;
    return bide_ns(left_ns > 1 ? (int64_t)left_ns : 1);
}

/* More of the body into the input buffer, whose body part is used up; 0, or a negative code. */
static int more_input(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    const struct bide__http_server *server = connection->server;
    int result = exchange->continued ? 0 : tell_to_continue(exchange);
    if (result < 0)
        return result;
    /* The head stays where it is; the body's bytes follow it, again and again. */
    size_t head_end = (size_t)(exchange->bytes - connection->buffers->in) + exchange->head->bytes;
    connection->start = connection->end = (uint32_t)head_end;
    result = bide__http_receive(connection, 0);
    if (result == -EAGAIN) {
        int64_t start_ns = bide__loop_clock_ns(server->loop);
        result = bide__http_receive(connection, bide__http_after(server, patience(exchange)));
        exchange->waited_ns += bide__loop_clock_ns(server->loop) - start_ns;
    }
    if (result == 0)
        exchange->body_state = (uint8_t)bide__http_body_ended(&exchange->body);
    return result < 0 ? result : 0;
}

/* The next part of the body, which stays valid until the next call: empty at its end. */
static int next_part(struct bide_exchange *exchange, size_t most, struct bide__slice *ret_data)
{
    struct bide__http_connection *connection = exchange->connection;
    *ret_data = bide__slice(NULL, 0);
    exchange->body_begun = true;
    while (exchange->body_state != BIDE__HTTP_DONE) {
        if (exchange->body_state == (uint8_t)BIDE__HTTP_BAD)
            return -EBADMSG;
        /* Without a byte it still knows its end. */
        size_t held = connection->end - connection->start, used;
        exchange->body_state = (uint8_t)bide__http_body_next(
            &exchange->body, connection->buffers->in + connection->start, held < most ? held : most,
            &used, ret_data);
        connection->start += (uint32_t)used;
        if (exchange->body_state == BIDE__HTTP_DATA)
            return 0;
        if (exchange->body_state == BIDE__HTTP_MORE && connection->start == connection->end) {
            int result = more_input(exchange);
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static __attribute__((noreturn, cold)) void raise_body(struct bide_exchange *exchange, int code)
{
    struct bide__http_connection *connection = exchange->connection;
    bide_error *error;
    if (code == -ECANCELED) /* nothing is lost: who goes on may read on */
        bide__raise(code, &connection->fd.object);
    connection->closing = connection->unread_input = true;
    if (code == -EBADMSG)
        error = bide_error_new(exchange->body.refusal.status, "%s", exchange->body.refusal.text);
    else if (code == -ETIMEDOUT)
        error = bide_error_new(408, "the body took too long");
    else if (code == -ESHUTDOWN)
        error =
            bide_error_new(BIDE_CLOSED, "the peer has its reply, it cannot be asked for a body");
    else
        error = bide_error_new(BIDE_CLOSED, "the peer is gone: %s", strerror(-code));
    bide__fail(bide__current->at, error);
}

bide_async(size_t) bide_body_read(bide_exchange *exchange, void *buffer, size_t size)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    struct bide__slice data = {NULL, 0};
    if (bide__unlikely(size == 0))
        bide__misuse("read from a body at %s:%d: the size is 0", me->head.at->file,
                     me->head.at->line);
    if (result == 0)
        result = next_part(exchange, size, &data);
    if (result < 0)
        raise_body(exchange, result);
    if (data.length > 0)
        memcpy(buffer, data.bytes, data.length);
    bide__done_at_once(me);
    return bide_ready(size_t, data.length);
}

/* Bytes to allocate for a body that has `size` so far: all of it if that is known, else twice as
   much each time, never more than it may have. */
static size_t room_for(const struct bide_exchange *exchange, size_t size)
{
    if (exchange->head->framing == BIDE__HTTP_LENGTH)
        return (size_t)exchange->head->content_length;
    uint64_t most = exchange->body.cap;
    return 2 * size < most ? 2 * size : (size_t)most;
}

bide_async(bide_text) bide_body_all(bide_exchange *exchange)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    size_t size = 0, room = 0;
    char *all = NULL;
    while (result == 0) {
        struct bide__slice data;
        result = next_part(exchange, SIZE_MAX, &data);
        if (result < 0 || data.length == 0)
            break;
        if (!all || data.length > room - size) {
            room = room_for(exchange, size + data.length);
            char *grown = bide_arena_alloc(bide_exchange_arena(exchange), room + 1);
            if (!grown)
                bide__raise(-ENOMEM, &exchange->connection->fd.object);
            if (size > 0)
                memcpy(grown, all, size);
            all = grown;
        }
        memcpy(all + size, data.bytes, data.length);
        size += data.length;
    }
    if (result < 0)
        raise_body(exchange, result);
    bide__done_at_once(me);
    if (!all)
        return bide_ready(bide_text, {"", 0});
    all[size] = 0;
    return bide_ready(bide_text, {all, size});
}

bool bide__http_finish_body(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    struct bide__scope scope = {0};
    size_t dropped = 0;
    int result = 0;
    bide__deadline_enter(&scope, &site_rest, connection->server->options.body_gap);
    while (result == 0 && dropped < BIDE_CAP_HTTP_UNREAD_BODY_BYTES) {
        struct bide__slice data;
        result = next_part(exchange, SIZE_MAX, &data);
        if (data.length == 0)
            break;
        dropped += data.length;
    }
    bide__scope_pop(&scope);
    return result == 0 && exchange->body_state == BIDE__HTTP_DONE;
}

void bide_request_keep_running(bide_exchange *exchange)
{
    exchange->connection->keep_running = true;
}

void bide_request_allow(bide_exchange *exchange, uint64_t body_bytes, bide_duration deadline)
{
    struct bide__http_connection *connection = exchange->connection;
    const struct bide__http_head *head = exchange->head;
    uint64_t most = connection->server->options.most_body_bytes;
    int64_t until_ns;
    if (body_bytes > 0 && !exchange->body_begun && head->framing != BIDE__HTTP_NO_BODY)
        exchange->body_state =
            (uint8_t)bide__http_body_init(&exchange->body, head->framing, head->content_length,
                                          body_bytes < most ? body_bytes : most);
    if (deadline.ns <= 0)
        return;
    exchange->patience_ns = deadline.ns;
    if (__builtin_add_overflow(exchange->since_ns, deadline.ns, &until_ns))
        until_ns = INT64_MAX - 1;
    bide__http_move_limit(connection, until_ns);
}
