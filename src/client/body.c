/*
 * body.c: bodies that are too large to be held, or not there yet: replies into a sink, requests out
 * of a source, and the usual sinks and sources. Called by http_client.c; calls transfer/multi.c.
 *
 *     libcurl --on_body--> pieces --the task: sink--> ...        full: the receiving side is paused
 *     libcurl <--on_read-- outgoing <--the task: source-- ...    empty: the sending side is paused
 *
 * Invariants
 *  1. Sinks and sources run in the task of the call, never in libcurl: they may suspend and raise.
 *  2. What a sink is given stays as it is until it returns: pieces that come meanwhile go into
 *     another buffer. So there are two of BIDE_CAP_CLIENT_STREAM_BYTES and a little more.
 *
 * Source: libcurl's manual pages CURLOPT_WRITEFUNCTION(3), CURLOPT_READFUNCTION(3),
 * curl_easy_pause(3).
 */
#include "client/client.h"

#include "core/error.h"

#include <bide/net.h>

#include <errno.h>
#include <string.h>

#if BIDE_CURL

/* ---- what libcurl calls ---- */

/* A piece of a reply: its size when it was taken, CURL_WRITEFUNC_PAUSE, or 0 for an error. */
size_t bide__http_take_piece(struct bide__http_call *call, const char *bytes, size_t size)
{
    uint64_t most = call->request->most_bytes ? call->request->most_bytes : UINT64_MAX;
    if (bide_buf_length(&call->pieces) >= BIDE_CAP_CLIENT_STREAM_BYTES) {
        call->receive_paused = true;
        bide__transfer_want(&call->transfer);
        return CURL_WRITEFUNC_PAUSE;
    }
    call->received += size;
    call->code = call->received > most ? -EMSGSIZE : bide_buf_append(&call->pieces, bytes, size);
    bide__transfer_want(&call->transfer);
    return call->code == 0 ? size : 0;
}

size_t bide__http_give_piece(char *bytes, size_t size, size_t count, void *call_)
{
    struct bide__http_call *call = call_;
    size_t length = bide_buf_length(&call->outgoing);
    if (length == 0 && call->source_ended)
        return 0;
    if (length == 0) {
        call->send_paused = true;
        bide__transfer_want(&call->transfer);
        return CURL_READFUNC_PAUSE;
    }
    if (length > size * count)
        length = size * count;
    memcpy(bytes, bide_buf_str(&call->outgoing), length);
    bide_buf_consume(&call->outgoing, length);
    return length;
}

/* ---- what the task does ---- */

static void empty_pieces(struct bide__http_call *call) BIDE__TASK;
static void empty_pieces(struct bide__http_call *call)
{
    const bide_http_request *request = call->request;
    bide_buf handed = call->pieces;
    if (bide_buf_length(&handed) == 0)
        return;
    call->pieces = call->handed;
    call->handed = handed;
    (void)bide_await(request->sink(request->sink_arg, bide_buf_str(&call->handed),
                                   bide_buf_length(&call->handed)));
    bide_buf_reset(&call->handed);
}

static void fill_outgoing(struct bide__http_call *call) BIDE__TASK;
static void fill_outgoing(struct bide__http_call *call)
{
    const bide_http_request *request = call->request;
    uint64_t left = request->source_bytes ? request->source_bytes - call->sourced : UINT64_MAX;
    size_t size = left < BIDE_CAP_CLIENT_STREAM_BYTES ? (size_t)left : BIDE_CAP_CLIENT_STREAM_BYTES;
    char *room = bide_buf_reserve(&call->outgoing, size);
    if (!room)
        bide__raise(-ENOMEM, &call->client->object);
    size_t count = size > 0 ? bide_await(request->source(request->source_arg, room, size)) : 0;
    if (count > size)
        bide__misuse("the source of %s gives %zu bytes into room for %zu", call->label, count,
                     size);
    if (count == 0 && request->source_bytes && left > 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID,
                                  "http: %s: the source ends %llu bytes before `source_bytes`",
                                  call->label, (unsigned long long)left));
    bide_buf_commit(&call->outgoing, count);
    call->sourced += count;
    call->source_ended = count == 0 || call->sourced == request->source_bytes;
}

static void end_transfer(void *transfer)
{
    bide__transfer_end(transfer);
}

CURLcode bide__http_pump(struct bide__http_call *call)
{
    struct bide__transfer *transfer = &call->transfer;
    CURLcode result = CURLE_OK;
    int code = bide__transfer_begin(transfer, call->client->transfers, call->easy);
    bide_defer(end_transfer, transfer);
    while (code == 0 && result == CURLE_OK) {
        code = bide__transfer_next(transfer);
        if (code < 0)
            break;
        empty_pieces(call);
        if (call->send_paused && !transfer->done)
            fill_outgoing(call);
        if (transfer->done && bide_buf_length(&call->pieces) == 0) {
            result = transfer->result;
            break;
        }
        bool goes_on = call->receive_paused || call->send_paused;
        call->receive_paused = call->send_paused = false;
        if (goes_on && !transfer->done)
            result = curl_easy_pause(call->easy, CURLPAUSE_CONT); /* may call the callbacks */
    }
    if (code < 0)
        bide__raise(code, &call->client->object);
    return result;
}
#endif

/* ---- the usual ones ---- */

bide_async(void) bide_http_to_stream(void *stream, const void *bytes, size_t size)
{
    return bide_write(stream, bytes, size);
}

bide_async(void) bide_http_to_file(void *place_, const void *bytes, size_t size)
{
    bide_http_file *place = place_;
    (void)bide_await(bide_file_write_at(place->file, bytes, size, place->offset));
    place->offset += (int64_t)size;
    return bide_void;
}

bide_async(size_t) bide_http_from_file(void *place_, void *buffer, size_t size)
{
    bide_http_file *place = place_;
    size_t count = bide_await(bide_file_read_at(place->file, buffer, size, place->offset));
    place->offset += (int64_t)count;
    return bide_ready(size_t, count);
}
