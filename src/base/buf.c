/*
 * Capped byte buffers: see buf.h for the rules. Called by every layer that receives or builds
 * bytes; calls mem.
 *
 *     storage: [consumed | start ... length bytes | NUL | free]
 *
 * Room is found by, in this order: the free end, moving the bytes to the front (when at least half
 * is consumed, so that the moves stay linear in what is appended), and growing.
 */
#include <bide/buf.h>

#include "base/assert.h"
#include "base/caps.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void bide_buf_init(bide_buf *buf, size_t cap_bytes)
{
    BIDE_ASSERT(cap_bytes > 0 && cap_bytes < PTRDIFF_MAX, "a buffer with a cap of %zu bytes",
                cap_bytes);
    *buf = (bide_buf){.cap_bytes = cap_bytes};
}

void bide_buf_done(bide_buf *buf)
{
    bide__free(buf->storage);
    *buf = (bide_buf){.cap_bytes = buf->cap_bytes};
}

static int fail(bide_buf *buf, int error)
{
    bide_buf_done(buf);
    buf->error = error;
    return error;
}

/* Debug builds grow to the byte, so that each append moves the bytes and a stale pointer into them
 * is found. */
static size_t grown_bytes(const bide_buf *buf, size_t needed)
{
    if (BIDE_DEBUG)
        return needed;
    size_t doubled = buf->storage_bytes ? buf->storage_bytes * 2 : BIDE_CAP_BUF_FIRST_BYTES;
    if (doubled > buf->cap_bytes + 1)
        doubled = buf->cap_bytes + 1;
    return doubled > needed ? doubled : needed;
}

/* Makes room for `more` bytes and a NUL behind the bytes held. */
static int make_room(bide_buf *buf, size_t more)
{
    if (buf->error)
        return buf->error;
    if (more > buf->cap_bytes - buf->length)
        return fail(buf, -EMSGSIZE);
    size_t needed = buf->length + more + 1;
    if (needed <= buf->storage_bytes - buf->start)
        return 0;
    if (needed <= buf->storage_bytes && buf->start >= buf->storage_bytes / 2) {
        memmove(buf->storage, buf->storage + buf->start, buf->length + 1);
        buf->start = 0;
        return 0;
    }
    size_t bytes = grown_bytes(buf, needed);
    char *storage = bide__alloc(bytes);
    if (!storage)
        return fail(buf, -ENOMEM);
    if (buf->length > 0)
        memcpy(storage, buf->storage + buf->start, buf->length);
    storage[buf->length] = '\0';
    bide__free(buf->storage);
    buf->storage = storage;
    buf->storage_bytes = bytes;
    buf->start = 0;
    return 0;
}

char *bide_buf_reserve(bide_buf *buf, size_t length)
{
    if (make_room(buf, length))
        return NULL;
    return buf->storage + buf->start + buf->length;
}

void bide_buf_commit(bide_buf *buf, size_t written)
{
    if (!buf->storage)
        return; /* failed, or nothing was reserved */
    BIDE_ASSERT(written < buf->storage_bytes - buf->start - buf->length,
                "commit of %zu bytes that were not reserved", written);
    buf->length += written;
    buf->storage[buf->start + buf->length] = '\0';
}

int bide_buf_append(bide_buf *buf, const void *bytes, size_t length)
{
    if (length == 0)
        return buf->error;
    /* The source may be a part of this buffer, which making room may move. */
    size_t offset = (size_t)((uintptr_t)bytes - (uintptr_t)buf->storage - buf->start);
    bool inside = buf->storage && offset < buf->length;
    char *end = bide_buf_reserve(buf, length);
    if (!end)
        return buf->error;
    memcpy(end, inside ? buf->storage + buf->start + offset : bytes, length);
    bide_buf_commit(buf, length);
    return 0;
}

int bide_buf_append_str(bide_buf *buf, const char *text)
{
    return bide_buf_append(buf, text, strlen(text));
}

int bide_buf_append_char(bide_buf *buf, char c)
{
    return bide_buf_append(buf, &c, 1);
}

int bide_buf_vprintf(bide_buf *buf, const char *format, va_list args)
{
    if (buf->error)
        return buf->error;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return -EINVAL;
    char *end = bide_buf_reserve(buf, (size_t)length);
    if (!end)
        return buf->error;
    vsnprintf(end, (size_t)length + 1, format, args);
    bide_buf_commit(buf, (size_t)length);
    return 0;
}

int bide_buf_printf(bide_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = bide_buf_vprintf(buf, format, args);
    va_end(args);
    return result;
}

void bide_buf_consume(bide_buf *buf, size_t length)
{
    BIDE_ASSERT(length <= buf->length, "consume of %zu of %zu bytes", length, buf->length);
    buf->start += length;
    buf->length -= length;
    if (buf->length == 0 && buf->storage) {
        buf->start = 0;
        buf->storage[0] = '\0';
    }
}

const char *bide_buf_str(const bide_buf *buf)
{
    return buf->storage ? buf->storage + buf->start : "";
}

size_t bide_buf_length(const bide_buf *buf)
{
    return buf->length;
}

int bide_buf_error(const bide_buf *buf)
{
    return buf->error;
}

char *bide_buf_take(bide_buf *buf, size_t *ret_length)
{
    if (make_room(buf, 0))
        return NULL;
    char *bytes = buf->storage;
    size_t length = buf->length;
    memmove(bytes, bytes + buf->start, length + 1);
    *buf = (bide_buf){.cap_bytes = buf->cap_bytes};
    if (ret_length)
        *ret_length = length;
    return bytes;
}

void bide_buf_reset(bide_buf *buf)
{
    buf->error = 0;
    bide_buf_consume(buf, buf->length);
}

void bide_free(void *memory)
{
    bide__free(memory);
}
