/*
 * Replies: their fields, their heads, into the output buffer. Called by handlers and the web layer
 * and, for errors, by connection.c; calls transfer.c to send.
 *
 * Most replies are put together from two blocks: a status line of 200 with the date of the second,
 * and the end of a head with a content type that was checked before.
 */
#include "http/connection.h"

#include "http/scan.h"
#include "http/status.h"

#include <errno.h>
#include <string.h>

void bide_reply_header(bide_exchange *exchange, const char *name, const char *value)
{
    struct bide__http_buffers *buffers = exchange->connection->buffers;
    const struct bide_site *at = bide__current->at;
    size_t room = sizeof buffers->headers - exchange->headers_length;
    if (bide__unlikely(exchange->replied))
        bide__misuse("the header field '%s' comes after the reply", name);
    int written = bide__http_field_write(buffers->headers + exchange->headers_length, room,
                                         bide__slice_of(name), bide__slice_of(value));
    if (written == -EINVAL || (written > 0 && bide__http_field_is_ours(name)))
        bide__fail(at, bide_error_new(BIDE_INVALID, "no header field for a reply: '%s'", name));
    if (written < 0)
        bide__fail(at, bide_error_new(BIDE_LIMIT,
                                      "the header fields of a reply have more than %d bytes",
                                      BIDE_CAP_HTTP_REPLY_HEADERS_BYTES));
    exchange->headers_length = (uint16_t)(exchange->headers_length + written);
}

static char *put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

/* A copy of one size is a few moves; what is too much is overwritten by what comes next. */
#define PUT_BLOCK(at, block, length) (memcpy(at, block, sizeof(block)), (at) + (length))

static char *put_long_number(char *at, size_t number)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static inline char *put_number(char *at, size_t number)
{
    if (number >= 1000)
        return put_long_number(at, number);
    if (number >= 100)
        *at++ = (char)('0' + number / 100);
    if (number >= 10)
        *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

static const char ok_line[] = "HTTP/1.1 200 OK\r\n", length_name[] = "Content-Length: ";
enum {
    OK_BYTES = sizeof ok_line - 1,
    DATE_BYTES = sizeof "Date: \r\n" - 1 + BIDE__HTTP_DATE_BYTES - 1,
    START_BYTES = OK_BYTES + DATE_BYTES + sizeof length_name - 1,
};

_Static_assert((int)START_BYTES <= (int)BIDE__HTTP_START_BYTES,
               "the start of a head fits into its block");

static __attribute__((noinline)) void refresh_start(struct bide__http_server *server)
{
    char date[BIDE__HTTP_DATE_BYTES];
    int64_t now_us = bide_now_us();
    bide__http_date_format(now_us / 1000000, date);
    char *at = put(server->start, ok_line, OK_BYTES);
    at = PUT(at, "Date: ");
    at = put(at, date, BIDE__HTTP_DATE_BYTES - 1);
    at = PUT(at, "\r\n");
    put(at, length_name, sizeof length_name - 1);
    server->start_until_ns = server->loop->now_ns + (1000000 - now_us % 1000000) * 1000;
}

/* The status line and the date. */
static char *put_start(char *at, const struct bide__http_server *server, int status)
{
    const char *reason = bide__http_reason(status);
    at = put_number(PUT(at, "HTTP/1.1 "), (size_t)status);
    *at++ = ' ';
    at = put(at, reason, strlen(reason));
    at = PUT(at, "\r\n");
    return put(at, server->start + OK_BYTES, DATE_BYTES);
}

static __attribute__((noinline)) const struct bide__http_type *
learn_type(struct bide__http_type *type, const char *content_type, size_t length)
{
    if (length > sizeof type->text || bide__http_scan_value(content_type, 0, length) < length)
        return NULL;
    char *at = put(PUT(type->line, "\r\nContent-Type: "), content_type, length);
    at = PUT(at, "\r\n\r\n");
    type->length = (uint8_t)(at - type->line);
    put(type->text, content_type, length);
    type->text_length = (uint8_t)length;
    return type;
}

/* The block of a content type that was checked: its text is compared, since only the text tells
   whether it is still what was at its address. NULL: it is long, or malformed. */
static const struct bide__http_type *type_of(struct bide__http_server *server,
                                             const char *content_type)
{
    struct bide__http_type *type =
        &server->types[(uintptr_t)content_type / 8 % BIDE__HTTP_TYPES_KEPT];
    size_t length = strlen(content_type);
    if (bide__likely(type->length > 0 && length == type->text_length &&
                     memcmp(type->text, content_type, length) == 0))
        return type;
    return learn_type(type, content_type, length);
}

/* Bytes of the head beside a long content type and the added fields, at most. */
enum { HEAD_BYTES = 384, TYPE_BYTES = 1024 };

_Static_assert(HEAD_BYTES + TYPE_BYTES + BIDE_CAP_HTTP_REPLY_HEADERS_BYTES <
                   BIDE_CAP_HTTP_OUTPUT_BYTES,
               "a head fits into the output buffer");

/* Whether the rest of the request's body will not be read: the peer must hear that in the reply. */
static bool body_is_left(const struct bide_exchange *exchange)
{
    if (exchange->body_state == BIDE__HTTP_DONE)
        return false;
    if (exchange->body_state == (uint8_t)BIDE__HTTP_BAD)
        return true;
    if (exchange->head->framing != BIDE__HTTP_LENGTH)
        return !exchange->continued;
    uint64_t left = exchange->head->content_length - exchange->body.total;
    return left > (exchange->continued ? BIDE_CAP_HTTP_UNREAD_BODY_BYTES : 0);
}

/* The status line and the date, and how long the body is, or how its end is found. */
static char *put_framing(char *at, struct bide_exchange *exchange, int status, int64_t size)
{
    struct bide__http_connection *connection = exchange->connection;
    at = put_start(at, connection->server, status);
    if (bide__http_bodiless(status)) {
        exchange->pieces = BIDE__HTTP_PIECES_DROPPED;
    } else if (size >= 0) {
        at = put_number(put(at, length_name, sizeof length_name - 1), (size_t)size);
        at = PUT(at, "\r\n");
        exchange->pieces = BIDE__HTTP_PIECES_COUNTED;
    } else if (exchange->head->minor_version > 0) {
        at = PUT(at, "Transfer-Encoding: chunked\r\n");
        exchange->pieces = BIDE__HTTP_PIECES_CHUNKED;
    } else {
        connection->closing = true;
        exchange->pieces = BIDE__HTTP_PIECES_TO_CLOSE;
    }
    if (exchange->head->method == BIDE__HTTP_HEAD)
        exchange->pieces = BIDE__HTTP_PIECES_DROPPED;
    return at;
}

int bide__http_put_head(struct bide_exchange *exchange, int status, const char *content_type,
                        int64_t size)
{
    struct bide__http_connection *connection = exchange->connection;
    struct bide__http_buffers *buffers = connection->buffers;
    size_t type_length = content_type ? strlen(content_type) : 0;
    int result = 0;
    if (status < 200 || status > 599 || type_length > TYPE_BYTES ||
        (content_type && bide__http_scan_value(content_type, 0, type_length) < type_length))
        return -EINVAL;
    exchange->replied = BIDE__HTTP_REPLIED;
    if (bide__unlikely(connection->server->loop->now_ns >= connection->server->start_until_ns))
        refresh_start(connection->server);
    if (connection->server->stopping || body_is_left(exchange))
        connection->closing = connection->unread_input = true;
    size_t head_size = HEAD_BYTES + type_length + exchange->headers_length;
    if (head_size > sizeof buffers->out - connection->out_length)
        result = bide__http_flush(connection);
    char *at = put_framing(buffers->out + connection->out_length, exchange, status, size);
    if (content_type) {
        at = put(PUT(at, "Content-Type: "), content_type, type_length);
        at = PUT(at, "\r\n");
    }
    if (connection->closing)
        at = PUT(at, "Connection: close\r\n");
    else if (exchange->head->minor_version == 0)
        at = PUT(at, "Connection: keep-alive\r\n");
    at = put(at, buffers->headers, exchange->headers_length);
    at = PUT(at, "\r\n");
    connection->out_length = (uint32_t)(at - buffers->out);
    return result;
}

/* Every reply that put_usual does not take. */
static __attribute__((noinline)) int put_unusual(struct bide_exchange *exchange, int status,
                                                 const char *content_type, const void *body,
                                                 size_t size)
{
    struct bide__http_connection *connection = exchange->connection;
    struct bide__http_buffers *buffers = connection->buffers;
    int result = bide__http_put_head(exchange, status, content_type, (int64_t)size);
    if (result == -EINVAL || exchange->pieces == BIDE__HTTP_PIECES_DROPPED || size == 0)
        return result;
    if (size <= sizeof buffers->out - connection->out_length) {
        memcpy(buffers->out + connection->out_length, body, size);
        connection->out_length += (uint32_t)size;
        return result;
    }
    if (result == 0)
        result = bide__http_flush(connection);
    return result < 0 ? result : bide__http_send(connection, body, size);
}

/* Most replies: a 200 with a known content type and nothing special, for which there is room. */
static inline bool put_usual(struct bide_exchange *exchange, int status, const char *content_type,
                             const void *body, size_t size)
{
    struct bide__http_connection *connection = exchange->connection;
    struct bide__http_server *server = connection->server;
    struct bide__http_buffers *buffers = connection->buffers;
    const struct bide__http_head *head = exchange->head;
    size_t room = sizeof buffers->out - connection->out_length;
    if (status != 200 || !content_type || size == 0 || room < HEAD_BYTES ||
        size > room - HEAD_BYTES || exchange->headers_length > 0 || connection->closing ||
        server->stopping || exchange->body_state != BIDE__HTTP_DONE || head->minor_version == 0 ||
        head->method == BIDE__HTTP_HEAD)
        return false;
    const struct bide__http_type *type = type_of(server, content_type);
    if (!type)
        return false;
    char *at = buffers->out + connection->out_length;
    at = PUT_BLOCK(at, server->start, START_BYTES);
    at = put_number(at, size);
    at = PUT_BLOCK(at, type->line, type->length);
    memcpy(at, body, size);
    connection->out_length = (uint32_t)(at + size - buffers->out);
    exchange->replied = BIDE__HTTP_REPLIED;
    return true;
}

int bide__http_reply(struct bide_exchange *exchange, int status, const char *content_type,
                     const void *body, size_t size)
{
    struct bide__http_server *server = exchange->connection->server;
    if (bide__unlikely(server->loop->now_ns >= server->start_until_ns))
        refresh_start(server);
    if (bide__likely(put_usual(exchange, status, content_type, body, size)))
        return 0;
    return put_unusual(exchange, status, content_type, body, size);
}

void bide__http_raise_reply(struct bide_task *me, const struct bide_exchange *exchange, int result,
                            int status)
{
    if (result == -EINVAL)
        bide__fail(me->head.at, bide_error_new(BIDE_INVALID, "%s",
                                               status < 200 || status > 599
                                                   ? "a reply has a status from 200 to 599"
                                                   : "not a content type"));
    if (result == -ECANCELED)
        bide__raise(result, &exchange->connection->fd.object);
    bide__fail(me->head.at, bide_error_new(BIDE_CLOSED, "the peer is gone: %s", strerror(-result)));
}

bide_async(void) bide_reply(bide_exchange *exchange, int status, const char *content_type,
                            const void *body, size_t size)
{
    struct bide_task *me = bide__task_current();
    struct bide__http_connection *connection = exchange->connection;
    bide__http_enter_reply(me, exchange);
    int result = bide__http_reply(exchange, status, content_type, body, size);
    /* Whatever the handler does next, its peer need not wait for it. */
    if (bide__likely(result == 0 && connection->start == connection->end))
        result =
            exchange->ends_so ? bide__http_flush_along(connection) : bide__http_flush(connection);
    bool dropped = connection->keep_running && result != -EINVAL && result != -ECANCELED;
    if (bide__unlikely(result < 0 && !dropped))
        bide__http_raise_reply(me, exchange, result, status);
    return bide_void;
}
