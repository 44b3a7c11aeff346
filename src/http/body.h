/*
 * A body on its way in, and chunks on their way out (RFC 9112 sections 6 and 7). Pure. Called by
 * connections after a head; knows heads by their framing only.
 *
 *     struct bide__http_body body;
 *     result = bide__http_body_init(&body, head.framing, head.content_length, cap_bytes);
 *     while (result == BIDE__HTTP_MORE || result == BIDE__HTTP_DATA) {
 *         result = bide__http_body_next(&body, bytes, length, &used, &data);
 *         bytes += used, length -= used;
 *         if (result == BIDE__HTTP_DATA) take(data);
 *         if (result == BIDE__HTTP_MORE) read more bytes;
 *     }
 *
 * Invariants
 *  1. Data are slices of the bytes given; nothing is copied or kept.
 *  2. The byte after the body is never used: a pipelined request begins there.
 *  3. What was used is used: bytes need not be kept for a later call.
 *  4. Trailers are checked like header fields, counted against the same caps, and dropped: merged
 *     into the head they would be a way around every check of it (RFC 9110 6.5.1).
 */
#ifndef BIDE_HTTP_BODY_H
#define BIDE_HTTP_BODY_H

#include "base/slice.h"
#include "http/http.h"

#include <stdint.h>

struct bide__http_body {
    uint64_t total;                    /* bytes of data handed out */
    struct bide__http_refusal refusal; /* valid after BIDE__HTTP_BAD */

    /* Private */
    uint8_t state;
    uint64_t cap;      /* most bytes of data */
    uint64_t left;     /* of this body or chunk; while its line is read: the size so far */
    uint32_t overhead; /* extension bytes and superfluous zeros so far */
    uint32_t trailer_bytes, trailer_count;
};

/* Gets ready for a body with this framing (enum bide__http_framing) of at most `cap_bytes` bytes.
 * Gives DONE when there is none, BAD (413) when a Content-Length is over the cap, else MORE. */
enum bide__http_result bide__http_body_init(struct bide__http_body *body, unsigned framing,
                                            uint64_t content_length, uint64_t cap_bytes);

/* Uses bytes from the front. DATA: `ret_data` holds some, never none. MORE: all bytes are used.
 * DONE: the body ended behind those used. BAD: 400, 413 over the cap, 431 for trailers over theirs.
 */
enum bide__http_result bide__http_body_next(struct bide__http_body *body, const char *bytes,
                                            size_t length, size_t *ret_used,
                                            struct bide__slice *ret_data);

/* The peer has ended: DONE if the body is whole (or ends so), else BAD (RFC 9112 section 8). */
enum bide__http_result bide__http_body_ended(struct bide__http_body *body);

enum {
    BIDE__HTTP_CHUNK_HEAD_BYTES = 18, /* 16 digits and CRLF */
};

/* Writes the line before a chunk of `size` bytes, which is not 0; returns its length. CRLF follows
 * the chunk. */
size_t bide__http_chunk_head(char out[BIDE__HTTP_CHUNK_HEAD_BYTES], uint64_t size);

/* Ends a chunked body without trailers. */
#define BIDE__HTTP_LAST_CHUNK "0\r\n\r\n"

#endif
