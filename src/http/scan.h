/*
 * Classes of bytes, and the fast walks over bytes of one class. Called by every parser of this
 * folder. Reads within [at, end) only.
 */
#ifndef BIDE_HTTP_SCAN_H
#define BIDE_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    BIDE__CLASS_TOKEN = 1,    /* tchar, RFC 9110 5.6.2 */
    BIDE__CLASS_VALUE = 2,    /* HTAB, SP, VCHAR, obs-text: what a field value may hold, 9110 5.5 */
    BIDE__CLASS_TARGET = 4,   /* visible ASCII but '#', which never belongs into a request */
    BIDE__CLASS_REG_NAME = 8, /* unreserved and sub-delims, RFC 3986 3.2.2, but no '%' */
    BIDE__CLASS_COOKIE = 16,  /* cookie-octet, RFC 6265 4.1.1 */
    BIDE__CLASS_PLAIN = 32,   /* unreserved, RFC 3986 2.3: never needs percent-encoding */
    BIDE__CLASS_BOUNDARY = 64, /* bcharsnospace, RFC 2046 5.1.1 */
    BIDE__CLASS_HEX = 128,     /* hexadecimal digit of either case */
};
extern const uint8_t bide__http_class[256];

static inline bool bide__http_is(char c, unsigned classes)
{
    return (bide__http_class[(unsigned char)c] & classes) != 0;
}

/* Whether all bytes are of the class, and there is one. */
static inline bool bide__http_all(const char *bytes, size_t length, unsigned classes)
{
    for (size_t i = 0; i < length; i++)
        if (!bide__http_is(bytes[i], classes))
            return false;
    return length > 0;
}

/* The value of a byte of class HEX. */
static inline unsigned bide__http_hex(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

#ifdef __SSE2__
static inline __m128i bide__http_block(const char *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* Bytes from `low` to `low + span`. */
static inline __m128i bide__http_between(__m128i block, char low, char span)
{
    __m128i above = _mm_sub_epi8(block, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(span)), above);
}

/* One bit per byte of a block: those that are not letters, digits or '-'. */
static inline unsigned bide__http_not_word(const char *bytes)
{
    __m128i block = bide__http_block(bytes);
    __m128i lower = _mm_or_si128(block, _mm_set1_epi8(0x20));
    __m128i word = _mm_or_si128(
        bide__http_between(lower, 'a', 25),
        _mm_or_si128(bide__http_between(block, '0', 9), _mm_cmpeq_epi8(block, _mm_set1_epi8('-'))));
    return (unsigned)_mm_movemask_epi8(word) ^ 0xFFFFU;
}

/* Those that may not stand in a field value. */
static inline unsigned bide__http_not_value(const char *bytes)
{
    __m128i block = bide__http_block(bytes);
    __m128i tab = _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'));
    __m128i control = _mm_andnot_si128(tab, bide__http_between(block, 0, 0x1F));
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(control, _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7F))));
}

/* Those that may not stand in a request target. */
static inline unsigned bide__http_not_target(const char *bytes)
{
    __m128i block = bide__http_block(bytes);
    __m128i hash = _mm_cmpeq_epi8(block, _mm_set1_epi8('#'));
    __m128i visible = _mm_andnot_si128(hash, bide__http_between(block, 0x21, 0x5D));
    return (unsigned)_mm_movemask_epi8(visible) ^ 0xFFFFU;
}

/* Finds the first byte of a mask. The last block overlaps the one before it: no byte past `end` is
 * read, and no loop is left for the tail. */
#define BIDE__HTTP_SCAN(mask_of)                                                                   \
    do {                                                                                           \
        for (; end - at >= 16; at += 16) {                                                         \
            unsigned mask = mask_of(bytes + at);                                                   \
            if (mask)                                                                              \
                return at + (unsigned)__builtin_ctz(mask);                                         \
        }                                                                                          \
        if (end >= 16 && at < end) {                                                               \
            unsigned mask = mask_of(bytes + end - 16) >> (16 - (end - at));                        \
            return mask ? at + (unsigned)__builtin_ctz(mask) : end;                                \
        }                                                                                          \
    } while (0)
#else
#define BIDE__HTTP_SCAN(mask_of)
#endif

static inline size_t bide__http_scan_word(const char *bytes, size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_word);
    return at;
}

/* The first byte that is not a tchar. Usual names are words; the table knows the rest. */
static inline size_t bide__http_scan_token(const char *bytes, size_t at, size_t end)
{
    at = bide__http_scan_word(bytes, at, end);
    while (at < end && bide__http_is(bytes[at], BIDE__CLASS_TOKEN))
        at++;
    return at;
}

/* The first byte that may not stand in a field value, such as the CR after it. */
static inline size_t bide__http_scan_value(const char *bytes, size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_value);
    while (at < end && bide__http_is(bytes[at], BIDE__CLASS_VALUE))
        at++;
    return at;
}

/* The first byte that may not stand in a request target, such as the space after it. */
static inline size_t bide__http_scan_target(const char *bytes, size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_target);
    while (at < end && bide__http_is(bytes[at], BIDE__CLASS_TARGET))
        at++;
    return at;
}

#endif
