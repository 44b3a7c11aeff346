/*
 * Classes of bytes, and the fast walks over bytes of one class. Called by every parser of this
 * folder. Reads within [at, end) only.
 */
#ifndef BIDE_HTTP_SCAN_H
#define BIDE_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 16 bytes at a time where SSE2 is; BIDE__HTTP_PORTABLE keeps it out, for tests. */
#if defined(__SSE2__) && !defined(BIDE__HTTP_PORTABLE)
#define BIDE__HTTP_SSE2 1
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

#ifdef BIDE__HTTP_SSE2
static inline __m128i bide__http_block(const char *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* The last bytes, from `at` on, NULs behind them: 1 to 15, of at least 8. */
static inline __m128i bide__http_last_block(const char *bytes, size_t at, size_t end)
{
    size_t left = end - at;
    uint64_t low, high;
    memcpy(&high, bytes + end - 8, 8);
    if (left < 8)
        return _mm_set_epi64x(0, (long long)(high >> 8 * (8 - left)));
    memcpy(&low, bytes + at, 8);
    return _mm_set_epi64x((long long)(high >> 8 * (15 - left) >> 8), (long long)low);
}

/* Bytes from `low` to `low + span`. */
static inline __m128i bide__http_between(__m128i block, char low, char span)
{
    __m128i above = _mm_sub_epi8(block, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(span)), above);
}

/* Bytes from `low` to '~'; of signed bytes, all from 0x80 on are below. */
static inline __m128i bide__http_visible(__m128i block, char low)
{
    return _mm_cmpgt_epi8(_mm_add_epi8(block, _mm_set1_epi8(1)), _mm_set1_epi8(low));
}

/* The place of the first 1 in a mask that is not 0. */
static inline size_t bide__http_first(unsigned mask)
{
    return (size_t)__builtin_ctz(mask);
}

/* One bit per byte of a block: those that are this one. */
static inline unsigned bide__http_mask_of(__m128i block, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(c)));
}

/* Those that are not letters, digits or '-'. */
static inline unsigned bide__http_not_word(__m128i block)
{
    __m128i lower = _mm_or_si128(block, _mm_set1_epi8(0x20));
    __m128i word = _mm_or_si128(
        bide__http_between(lower, 'a', 25),
        _mm_or_si128(bide__http_between(block, '0', 9), _mm_cmpeq_epi8(block, _mm_set1_epi8('-'))));
    return (unsigned)_mm_movemask_epi8(word) ^ 0xFFFFU;
}

/* Those that are SP or VCHAR. */
static inline unsigned bide__http_text_mask(__m128i block)
{
    return (unsigned)_mm_movemask_epi8(bide__http_visible(block, ' '));
}

static inline unsigned bide__http_not_text(__m128i block)
{
    return bide__http_text_mask(block) ^ 0xFFFFU;
}

/* Those that may not stand in a field value. */
static inline unsigned bide__http_not_value(__m128i block)
{
    __m128i tab = _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'));
    __m128i control = _mm_andnot_si128(tab, bide__http_between(block, 0, 0x1F));
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(control, _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7F))));
}

/* Those that may not stand in a request target. */
static inline unsigned bide__http_not_target(__m128i block)
{
    __m128i hash = _mm_cmpeq_epi8(block, _mm_set1_epi8('#'));
    __m128i target = _mm_andnot_si128(hash, bide__http_visible(block, '!'));
    return (unsigned)_mm_movemask_epi8(target) ^ 0xFFFFU;
}

/* Those and '?'. */
static inline unsigned bide__http_not_path(__m128i block)
{
    __m128i mark = _mm_cmpeq_epi8(block, _mm_set1_epi8('?'));
    __m128i hash = _mm_cmpeq_epi8(block, _mm_set1_epi8('#'));
    __m128i path = _mm_andnot_si128(_mm_or_si128(mark, hash), bide__http_visible(block, '!'));
    return (unsigned)_mm_movemask_epi8(path) ^ 0xFFFFU;
}

/* Those that a usual host does not hold: other than lower case, digits, '-' and '.'. */
static inline unsigned bide__http_not_host(__m128i block)
{
    __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('/'));
    __m128i word =
        _mm_or_si128(bide__http_between(block, '-', '9' - '-'), bide__http_between(block, 'a', 25));
    return (unsigned)_mm_movemask_epi8(_mm_andnot_si128(slash, word)) ^ 0xFFFFU;
}

/* Finds the first byte of a mask. The last block overlaps the one before it: no byte past `end` is
 * read, and no loop is left for the tail. */
#define BIDE__HTTP_SCAN(mask_of)                                                                   \
    do {                                                                                           \
        if (end >= 16) {                                                                           \
            size_t last = end - 16;                                                                \
            for (; at <= last; at += 16) {                                                         \
                unsigned mask = mask_of(bide__http_block(bytes + at));                             \
                if (mask)                                                                          \
                    return at + bide__http_first(mask);                                            \
            }                                                                                      \
            if (at == end)                                                                         \
                return end;                                                                        \
            unsigned mask = mask_of(bide__http_block(bytes + last)) >> (at - last);                \
            return mask ? at + bide__http_first(mask) : end;                                       \
        }                                                                                          \
    } while (0)
#else
#define BIDE__HTTP_SCAN(mask_of)
#endif

/* Whether all 8 bytes are SP or VCHAR. */
static inline bool bide__http_text_8(const char *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    memcpy(&word, bytes, 8);
    return (((word - ones * ' ') | word | (word + ones)) & ones * 0x80) == 0;
}

/* The first byte that a usual host does not hold, such as the colon before a port. */
static inline __attribute__((always_inline)) size_t bide__http_scan_host(const char *bytes,
                                                                         size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_host);
    while (at < end && bide__http_is(bytes[at], BIDE__CLASS_PLAIN))
        at++;
    return at;
}

#ifdef BIDE__HTTP_SSE2
static inline size_t bide__http_scan_word(const char *bytes, size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_word);
    return at;
}
#endif

/* The first byte that is not a tchar. Usual names are words; the table knows the rest. */
static inline size_t bide__http_scan_token(const char *bytes, size_t at, size_t end)
{
#ifdef BIDE__HTTP_SSE2
    at = bide__http_scan_word(bytes, at, end);
#endif
    while (at < end && bide__http_is(bytes[at], BIDE__CLASS_TOKEN))
        at++;
    return at;
}

/* The first byte that is not SP or VCHAR. */
static inline __attribute__((always_inline)) size_t bide__http_scan_text(const char *bytes,
                                                                         size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_text);
    while (end - at >= 8 && bide__http_text_8(bytes + at))
        at += 8;
    while (at < end && bytes[at] >= ' ' && bytes[at] <= '~')
        at++;
    return at;
}

/* The first byte that may not stand in a field value, such as the CR after it. */
size_t bide__http_scan_any_value(const char *bytes, size_t at, size_t end);

/* The same, for usual values: without tabs and obs-text. */
static inline size_t bide__http_scan_value(const char *bytes, size_t at, size_t end)
{
    at = bide__http_scan_text(bytes, at, end);
    if (at == end || !bide__http_is(bytes[at], BIDE__CLASS_VALUE))
        return at;
    return bide__http_scan_any_value(bytes, at, end);
}

/* The first byte that may not stand in a request target, such as the space after it. */
static inline size_t bide__http_scan_target(const char *bytes, size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_target);
    while (at < end && bide__http_is(bytes[at], BIDE__CLASS_TARGET))
        at++;
    return at;
}

/* The same, or the '?' before a query. */
static inline __attribute__((always_inline)) size_t bide__http_scan_path(const char *bytes,
                                                                         size_t at, size_t end)
{
    BIDE__HTTP_SCAN(bide__http_not_path);
    while (at < end && bytes[at] != '?' && bide__http_is(bytes[at], BIDE__CLASS_TARGET))
        at++;
    return at;
}

#endif
