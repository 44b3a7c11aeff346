/*
 * Whether bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 * Called by the parsers of everything that a peer sends and that a `str` may hold.
 */
#ifndef BIDE_BASE_UTF8_H
#define BIDE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes at the front are whole, valid characters: `length` if all are. */
size_t bide__utf8_prefix(const char *bytes, size_t length);

static inline bool bide__utf8_valid(const char *bytes, size_t length)
{
    return bide__utf8_prefix(bytes, length) == length;
}

#endif
