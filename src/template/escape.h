/*
 * Values as bytes of a page: room in a buffer, and what is escaped. Called by render.c; pure.
 *
 *     out (bide_buf):  committed bytes | at ... end: reserved, written directly
 *
 * Invariant
 *  1. Between two reservations nothing but this writes to the buffer; bide__out_flush commits.
 */
#ifndef BIDE_TEMPLATE_ESCAPE_H
#define BIDE_TEMPLATE_ESCAPE_H

#include "base/assert.h"
#include "template/template.h"

struct bide__out {
    char *at, *end; /* NULL once the buffer has failed */
    char *start;    /* where the reservation begins */
    bide_buf *buf;
};

void bide__out_flush(struct bide__out *out);

/* Room for `needed` more bytes, if there is not enough. */
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

/* A text as it is escaped; bytes that are not UTF-8 become U+FFFD. */
void bide__out_text(struct bide__out *out, enum bide__escape escape, const char *text,
                    size_t length);
void bide__out_html(struct bide__out *out, const char *text, size_t length);

/* Whether a URL of this scheme may be one of a page: it runs nothing. */
bool bide__url_scheme_is_harmless(struct bide__slice scheme);

#endif
