/*
 * Replies in pieces: what handlers give one after the other goes out in chunks, counted, or up to
 * the end of the connection. Called by handlers and the web layer, and by connection.c when a
 * handler is over; calls reply.c for the head, transfer.c to send.
 *
 * Invariants
 *  1. A piece lies in the output buffer until that is full, or the turn ends: so small ones go out
 *     together, but wait for nobody. One that does not fit is sent from where it is.
 *  2. A write that ends early (a cancel in the middle of a chunk) leaves the connection closed:
 *     what comes next could not be told from the rest of it.
 *
 * Source: RFC 9112 6.3, 7.1, 8.
 */
#include "http/connection.h"

#include <errno.h>
#include <string.h>

enum { CRLF_BYTES = 2 };

static void put(struct bide__http_connection *connection, const void *data, size_t size)
{
    memcpy(connection->buffers->out + connection->out_length, data, size);
    connection->out_length += (uint32_t)size;
}

static size_t room(const struct bide__http_connection *connection)
{
    return sizeof connection->buffers->out - connection->out_length;
}

/* More than there is room for: what is in the buffer, filled up, and then the rest from where it
   lies. */
static int send_large(struct bide__http_connection *connection, const char *data, size_t size)
{
    size_t first = room(connection);
    put(connection, data, first);
    int result = bide__http_flush(connection);
    return result < 0 ? result : bide__http_send(connection, data + first, size - first);
}

static int write_piece(struct bide_exchange *exchange, const char *data, size_t size)
{
    struct bide__http_connection *connection = exchange->connection;
    char head[BIDE__HTTP_CHUNK_HEAD_BYTES];
    size_t head_bytes = 0, tail_bytes = 0;
    int result = connection->gone ? -EPIPE : 0;
    if (exchange->pieces == BIDE__HTTP_PIECES_CHUNKED) {
        head_bytes = bide__http_chunk_head(head, size);
        tail_bytes = CRLF_BYTES;
    }
    bool fits = head_bytes + size + tail_bytes <= room(connection);
    bool is_small = head_bytes + size + tail_bytes <= sizeof connection->buffers->out;
    if (result == 0 && !fits && (is_small || room(connection) < head_bytes))
        result = bide__http_flush(connection);
    if (result < 0)
        return result;
    put(connection, head, head_bytes);
    if (is_small)
        put(connection, data, size);
    else
        result = send_large(connection, data, size);
    if (result < 0)
        return result;
    put(connection, "\r\n", tail_bytes);
    if (connection->out_length > 0)
        bide__http_send_soon(connection);
    return 0;
}

/* The begin of a write; `size` bytes more of the body. False: nobody is to get them. */
static bool enter(struct bide_task *me, struct bide_exchange *exchange, uint64_t size)
{
    const struct bide__http_connection *connection = exchange->connection;
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &connection->fd.object);
    if (bide__unlikely(exchange->replied != BIDE__HTTP_IN_PIECES))
        bide__misuse("a piece of a reply that was not begun, at %s:%d", me->head.at->file,
                     me->head.at->line);
    if (bide__unlikely(exchange->writer && exchange->writer != me))
        bide__misuse("task #%llu at %s:%d and task #%llu write pieces of one reply at once",
                     (unsigned long long)me->head.id, me->head.at->file, me->head.at->line,
                     (unsigned long long)exchange->writer->head.id);
    if (exchange->pieces == BIDE__HTTP_PIECES_COUNTED) {
        if (bide__unlikely(size > exchange->left))
            bide__misuse("a reply gets %llu bytes more than it has said, at %s:%d",
                         (unsigned long long)(size - exchange->left), me->head.at->file,
                         me->head.at->line);
        exchange->left -= size;
    }
    return exchange->pieces != BIDE__HTTP_PIECES_DROPPED && size > 0;
}

/* The end of one, which may have failed. */
static void leave(struct bide_task *me, struct bide_exchange *exchange, int result)
{
    struct bide__http_connection *connection = exchange->connection;
    exchange->writer = NULL;
    bool dropped = connection->keep_running && result != -ECANCELED;
    if (bide__unlikely(result < 0 && !dropped))
        bide__http_raise_reply(me, exchange, result, 200);
    bide__http_renew_limit(exchange);
    bide__done_at_once(me);
}

bide_async(bool) bide_reply_begin(bide_exchange *exchange, int status, const char *content_type,
                                  int64_t size)
{
    struct bide_task *me = bide__task_current();
    struct bide__http_connection *connection = exchange->connection;
    bide__http_enter_reply(me, exchange);
    int result = bide__http_put_head(exchange, status, content_type, size);
    if (result == -EINVAL)
        bide__http_raise_reply(me, exchange, result, status);
    exchange->replied = BIDE__HTTP_IN_PIECES;
    exchange->left = size > 0 ? (uint64_t)size : 0;
    exchange->writer = NULL;
    exchange->ends_at_stop = false;
    if (result == 0)
        bide__http_send_soon(connection);
    leave(me, exchange, result);
    return bide_ready(bool, exchange->pieces != BIDE__HTTP_PIECES_DROPPED);
}

void bide_reply_ends_at_stop(bide_exchange *exchange)
{
    const struct bide__http_connection *connection = exchange->connection;
    exchange->ends_at_stop = true;
    if (connection->server->ending)
        bide__scope_cancel(&connection->buffers->limit.scope, "the server is stopping");
}

bide_async(void) bide_reply_write(bide_exchange *exchange, const void *data, size_t size)
{
    struct bide_task *me = bide__task_current();
    if (!enter(me, exchange, size))
        return bide_void;
    exchange->writer = me;
    leave(me, exchange, write_piece(exchange, data, size));
    return bide_void;
}

/* Nobody knows how much of the file was sent. */
static void file_was_left(void *arg)
{
    struct bide_exchange *exchange = arg;
    exchange->writer = NULL;
    bide__http_give_up(exchange->connection);
}

/* What sendfile(2) says of the file, not of the socket. */
static bool is_of_file(int code)
{
    return code == -ENODATA || code == -EIO || code == -EINVAL || code == -EBADF ||
           code == -ESTALE || code == -EOVERFLOW || code == -ENOMEM;
}

/* A chunk around the bytes of the file. */
static int write_file(struct bide_exchange *exchange, int file, uint64_t at,
                      uint64_t size) BIDE__TASK;
static int write_file(struct bide_exchange *exchange, int file, uint64_t at, uint64_t size)
{
    struct bide__http_connection *connection = exchange->connection;
    char head[BIDE__HTTP_CHUNK_HEAD_BYTES];
    bool is_chunk = exchange->pieces == BIDE__HTTP_PIECES_CHUNKED;
    int result = 0;
    if (is_chunk) {
        size_t head_bytes = bide__http_chunk_head(head, size);
        if (room(connection) < head_bytes)
            result = bide__http_flush(connection);
        put(connection, head, head_bytes);
    }
    if (result == 0)
        result = bide__http_send_file(exchange, file, at, size);
    if (result == 0 && is_chunk) {
        put(connection, "\r\n", CRLF_BYTES);
        bide__http_send_soon(connection);
    }
    return result;
}

bide_async(void) bide_reply_write_file(bide_exchange *exchange, int file, uint64_t offset,
                                       uint64_t size)
{
    struct bide_task *me = bide__task_current();
    if (!enter(me, exchange, size))
        return bide_void;
    exchange->writer = me;
    bide_on_error(file_was_left, exchange);
    int result = write_file(exchange, file, offset, size);
    if (is_of_file(result))
        bide__fail(me->head.at, bide_error_new(BIDE_SYSTEM, "a file that is sent: %s",
                                               result == -ENODATA ? "it has become shorter"
                                                                  : strerror(-result)));
    leave(me, exchange, result);
    return bide_void;
}

int bide__http_end_pieces(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    int result = 0;
    exchange->replied = BIDE__HTTP_REPLIED;
    if (exchange->pieces == BIDE__HTTP_PIECES_COUNTED && exchange->left > 0)
        result = -ENODATA;
    if (exchange->pieces == BIDE__HTTP_PIECES_CHUNKED) {
        if (room(connection) < sizeof BIDE__HTTP_LAST_CHUNK)
            result = bide__http_flush(connection);
        put(connection, BIDE__HTTP_LAST_CHUNK, sizeof BIDE__HTTP_LAST_CHUNK - 1);
    }
    if (result < 0)
        connection->closing = connection->unread_input = true;
    /* Whatever the handler does next, its peer need not wait for it. */
    else if (connection->start == connection->end)
        result = bide__http_flush(connection);
    return result;
}

/* Chunks and counted bytes show that some are missing. The end of a connection shows nothing unless
   it is a reset. */
void bide__http_cut_pieces(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    if (exchange->replied != BIDE__HTTP_IN_PIECES)
        return;
    connection->closing = connection->unread_input = true;
    if (exchange->pieces == BIDE__HTTP_PIECES_TO_CLOSE)
        bide__http_give_up(connection);
}
