/*
 * Another protocol on a connection (RFC 9110 7.8): the 101, and the hand-over of the descriptor to
 * a stream. Called by handlers; calls transfer.c and io's streams.
 */
#include "http/connection.h"
#include "io/endpoint.h"

#include <errno.h>
#include <string.h>

/* bytes of a protocol's name: those that are registered have 12 at most */
enum { PROTOCOL_BYTES = 256 };

/* HTTP/1.0 knows no upgrade; without the connection option the field is not for us. */
static bool asks_for(const struct bide_exchange *exchange, struct bide__slice protocol)
{
    const struct bide__http_head *head = exchange->head;
    int number = -1;
    if (!head->upgrade || head->minor_version == 0)
        return false;
    while ((number = bide__http_find(head, BIDE__FIELD_UPGRADE, number + 1)) >= 0) {
        struct bide__slice rest = bide__http_text(exchange->bytes, head->fields[number].value);
        struct bide__slice element;
        while (bide__http_list_next(&rest, &element))
            if (bide__slice_equal_nocase(element, protocol))
                return true;
    }
    return false;
}

/* The 101 behind the replies before it. */
static int answer(struct bide_exchange *exchange, struct bide__slice protocol)
{
    static const char start[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n";
    struct bide__http_connection *connection = exchange->connection;
    struct bide__http_buffers *buffers = connection->buffers;
    int result = bide__http_flush(connection);
    if (result < 0)
        return result;
    char *at = mempcpy(buffers->out, start, sizeof start - 1);
    at += bide__http_field_write(at, 2 * PROTOCOL_BYTES, bide__slice_of("Upgrade"), protocol);
    at = mempcpy(at, buffers->headers, exchange->headers_length);
    at = mempcpy(at, "\r\n", 2);
    connection->out_length = (uint32_t)(at - buffers->out);
    return bide__http_flush(connection);
}

/* The descriptor changes hands: the connection keeps only its task and its buffers, from which the
   stream's first reads come. */
static int hand_over(struct bide_exchange *exchange)
{
    struct bide__http_connection *connection = exchange->connection;
    char name[BIDE_ADDRESS_BYTES];
    bide_text peer = bide_request_peer(exchange);
    *(char *)mempcpy(name, peer.at, peer.length) = 0;
    int result = bide__stream_move(&connection->fd, name, &exchange->upgraded);
    connection->gone = true;
    if (result < 0)
        return result;
    bide__stream_lend(exchange->upgraded, connection->buffers->in + connection->start,
                      connection->end - connection->start, &exchange->upgraded);
    connection->start = connection->end;
    return 0;
}

bide_async(bide_stream_ptr) bide_exchange_upgrade(bide_exchange *exchange, const char *protocol)
{
    const struct bide_site *at = bide__current->at;
    struct bide__http_connection *connection = exchange->connection;
    struct bide__slice name = bide__slice_of(protocol);
    char rest[512];
    if (bide__unlikely(exchange->replied))
        bide__misuse("an upgrade after the reply, at %s:%d", at->file, at->line);
    if (name.length == 0 || name.length > PROTOCOL_BYTES || strpbrk(protocol, ", \t\r\n"))
        bide__fail(at, bide_error_new(BIDE_INVALID, "not a protocol: '%s'", protocol));
    if (!asks_for(exchange, name))
        bide__fail(at, bide_error_new(400, "the request does not ask for '%s'", protocol));
    /* What follows the head belongs to the request until its body has ended. */
    while (bide_await(bide_body_read(exchange, rest, sizeof rest)) > 0)
        continue;
    exchange->replied = BIDE__HTTP_REPLIED;
    connection->closing = true;
    int result = answer(exchange, name);
    if (result == 0)
        result = hand_over(exchange);
    if (result == -ECANCELED || result == -ENOMEM)
        bide__raise(result, &connection->fd.object);
    if (result < 0)
        bide__fail(at, bide_error_new(BIDE_CLOSED, "the peer is gone: %s", strerror(-result)));
    bide__http_lift_limit(connection);
    return bide_ready(bide_stream_ptr, exchange->upgraded);
}
