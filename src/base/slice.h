/*
 * Bytes that somebody else owns: a pointer and a length, no NUL. Parsers hand these out, so that
 * what they found need not be copied. A slice lives as long as the bytes it points to.
 */
#ifndef BIDE_BASE_SLICE_H
#define BIDE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bide__slice {
    const char *bytes; /* may be NULL when length is 0 */
    size_t length;
};

static inline struct bide__slice bide__slice(const char *bytes, size_t length)
{
    return (struct bide__slice){bytes, length};
}

/* Of a text that ends with a NUL. */
static inline struct bide__slice bide__slice_of(const char *text)
{
    return (struct bide__slice){text, strlen(text)};
}

static inline bool bide__slice_equal(struct bide__slice a, struct bide__slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline char bide__ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters. */
static inline bool bide__slice_equal_nocase(struct bide__slice a, struct bide__slice b)
{
    if (a.length != b.length)
        return false;
    if (bide__slice_equal(a, b))
        return true; /* the usual case, in words instead of bytes */
    for (size_t i = 0; i < a.length; i++) {
        unsigned differ = (unsigned char)a.bytes[i] ^ (unsigned char)b.bytes[i];
        unsigned letter = ((unsigned char)a.bytes[i] | 0x20U) - 'a';
        if (differ != 0 && (differ != 0x20 || letter > 'z' - 'a'))
            return false;
    }
    return true;
}

/* Without spaces and tabs at both ends. */
static inline struct bide__slice bide__slice_trim(struct bide__slice slice)
{
    while (slice.length > 0 && (*slice.bytes == ' ' || *slice.bytes == '\t')) {
        slice.bytes++;
        slice.length--;
    }
    while (slice.length > 0 &&
           (slice.bytes[slice.length - 1] == ' ' || slice.bytes[slice.length - 1] == '\t'))
        slice.length--;
    return slice;
}

/* Without its first `count` bytes, of which it has at least so many. */
static inline struct bide__slice bide__slice_from(struct bide__slice slice, size_t count)
{
    return count ? bide__slice(slice.bytes + count, slice.length - count) : slice;
}

/* Takes what stands before the next `separator`, or all of it, off the front of `rest`. False when
 * there is nothing left: "a,,b" and "a,,b," give "a", "", "b". */
static inline bool bide__slice_split(struct bide__slice *rest, char separator,
                                     struct bide__slice *ret_part)
{
    if (rest->length == 0)
        return false;
    const char *end = memchr(rest->bytes, separator, rest->length);
    size_t length = end ? (size_t)(end - rest->bytes) : rest->length;
    *ret_part = bide__slice(rest->bytes, length);
    *rest = bide__slice_from(*rest, end ? length + 1 : length);
    return true;
}

#endif
