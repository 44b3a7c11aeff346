/*
 * Growing byte buffers with a mandatory cap.
 *
 * What a peer sends goes only into such a buffer: it grows as needed, but never past the cap given
 * at the start. When the cap or the memory is exhausted the buffer frees itself and stays failed:
 * all later appends return the same error, so that a caller may append many pieces and check once
 * at the end.
 *
 * Invariants
 *  1. length <= cap_bytes, and the bytes are always followed by a NUL that is not counted.
 *  2. A failed buffer is empty and holds no memory; only bide_buf_done or bide_buf_reset make it
 *     usable again.
 *  3. A pointer into the buffer is valid until the next call that changes the buffer.
 *
 * One thread uses a buffer at a time; nothing here suspends. The rule is that of curl's DYNBUF.
 */
#ifndef BIDE_BUF_H
#define BIDE_BUF_H

#include <stdarg.h>
#include <stddef.h>

typedef struct bide_buf {
    char *storage;        /* NULL while nothing was stored */
    size_t start;         /* consumed bytes in front */
    size_t length;        /* bytes held, from storage + start */
    size_t storage_bytes; /* allocated */
    size_t cap_bytes;     /* most bytes that may be held */
    int error;            /* 0, -EMSGSIZE (over the cap) or -ENOMEM */
} bide_buf;

/* An empty buffer of at most `cap_bytes` (not 0) bytes. Takes no memory yet and cannot fail. */
void bide_buf_init(bide_buf *buf, size_t cap_bytes);

/* Appends bytes. Returns 0, -EMSGSIZE or -ENOMEM. `bytes` may lie inside the buffer itself. */
int bide_buf_append(bide_buf *buf, const void *bytes, size_t length);
int bide_buf_append_str(bide_buf *buf, const char *text);
int bide_buf_append_char(bide_buf *buf, char c);

/*
 * Appends formatted text, see printf(3). Errors as above, and -EINVAL for an invalid format (the
 * buffer is then left alone).
 */
int bide_buf_printf(bide_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int bide_buf_vprintf(bide_buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/*
 * Room for `length` more bytes, to be filled by the caller and made part of the buffer by
 * bide_buf_commit (with the number really written). Returns NULL, and fails the buffer, when there
 * is no room.
 */
char *bide_buf_reserve(bide_buf *buf, size_t length);
void bide_buf_commit(bide_buf *buf, size_t written);

/* Drops `length` bytes (at most what is held) from the front, without moving the rest. */
void bide_buf_consume(bide_buf *buf, size_t length);

/* The bytes, followed by a NUL: the empty string when there are none. Never NULL. */
const char *bide_buf_str(const bide_buf *buf);
size_t bide_buf_length(const bide_buf *buf);

/* 0, or the error that failed the buffer. */
int bide_buf_error(const bide_buf *buf);

/*
 * Moves the bytes out: the caller owns them and frees them with bide_free. The buffer is empty
 * afterwards and keeps its cap. `ret_length` may be NULL. Returns NULL when the buffer is failed or
 * out of memory (an empty buffer gives "").
 */
char *bide_buf_take(bide_buf *buf, size_t *ret_length);

/* Empties the buffer and forgets an error, but keeps the memory. */
void bide_buf_reset(bide_buf *buf);

/* Gives the memory back. The buffer is then as after bide_buf_init. */
void bide_buf_done(bide_buf *buf);

/* Frees what a `_take` function of the library handed over. NULL is allowed. */
void bide_free(void *memory);

#endif
