/*
 * Room for many small pieces. See out.h. Called by the writers of JSON and of pages; calls buf.c.
 */
#include "base/out.h"

enum { BLOCK_BYTES = 512 };

void bide__out_flush(struct bide__out *out)
{
    if (out->at)
        bide_buf_commit(out->buf, (size_t)(out->at - out->start));
    out->at = out->end = out->start = NULL;
}

bool bide__out_grow(struct bide__out *out, size_t needed)
{
    bide_buf *buf = out->buf;
    bide__out_flush(out);
    size_t wanted = needed > BLOCK_BYTES ? needed : BLOCK_BYTES;
    size_t free_bytes = buf->storage ? buf->storage_bytes - buf->start - buf->length - 1 : 0;
    size_t left = buf->cap_bytes - buf->length;
    if (wanted < free_bytes)
        wanted = free_bytes;
    if (wanted > left)
        wanted = needed > left ? needed : left;
    out->at = out->start = bide_buf_reserve(buf, wanted);
    out->end = out->at ? out->at + wanted : NULL;
    return out->at != NULL;
}
