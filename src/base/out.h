/*
 * Many small pieces into a buffer: room is reserved in blocks and written directly, so that most
 * pieces only compare and copy. Called by the writers of JSON and of pages; calls buf.c.
 *
 *     buf:  committed bytes | start ... at: written | ... end: reserved
 *
 * Invariants
 *  1. Between two reservations nothing but this writes to the buffer; bide__out_flush commits.
 *  2. Room is asked for exactly before it is filled, so a buffer that ends full is not a failure.
 */
#ifndef BIDE_BASE_OUT_H
#define BIDE_BASE_OUT_H

#include "base/assert.h"

#include <bide/buf.h>
#include <stdbool.h>
#include <string.h>

struct bide__out {
    char *at, *end; /* NULL once the buffer has failed */
    char *start;    /* where the reservation begins */
    bide_buf *buf;
};

/* Commits what was written. */
void bide__out_flush(struct bide__out *out);

/* Room for `needed` more bytes, when there is not enough: a block if the buffer's cap allows it.
   False: the buffer has failed. */
bool bide__out_grow(struct bide__out *out, size_t needed);

static inline bool bide__out_room(struct bide__out *out, size_t needed)
{
    return bide__likely((size_t)(out->end - out->at) >= needed) || bide__out_grow(out, needed);
}

static inline void bide__out_put(struct bide__out *out, const char *bytes, size_t length)
{
    if (length > 0 && bide__out_room(out, length)) {
        memcpy(out->at, bytes, length);
        out->at += length;
    }
}

#endif
