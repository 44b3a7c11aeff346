/*
 * Short texts in a few instructions each: where a run of plain characters ends, copies and
 * comparisons. Plain is what stands in a JSON string as it is and is ASCII: all but `"`, `\`,
 * control characters and bytes above 0x7f. Called by the reader and the writer of JSON.
 *
 * Invariant
 *  1. Nothing in front of a text or behind its end is read or written: what is shorter than a
 *     vector or a word is taken in two parts that overlap.
 */
#ifndef BIDE_MODEL_TEXT_H
#define BIDE_MODEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The readers and the writer of JSON spend their time here. */
#define BIDE__IN_LINE __attribute__((__always_inline__)) static inline

static inline bool bide__is_plain(char c)
{
    return c >= ' ' && c != '"' && c != '\\' && (unsigned char)c < 0x80;
}

static inline const char *bide__plain_end_bytes(const char *at, const char *end)
{
    while (at < end && bide__is_plain(*at))
        at++;
    return at;
}

static inline uint64_t bide__load_8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t bide__load_4(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

#if defined(__SSE2__)

/* A bit for each of 16 bytes that is not plain. */
static inline unsigned bide__special_of(__m128i bytes)
{
    __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    /* Signed and saturated: negative for what is below a space or above 0x7f. */
    marks = _mm_or_si128(marks, _mm_subs_epi8(bytes, _mm_set1_epi8(' ')));
    return (unsigned)_mm_movemask_epi8(marks);
}

static inline unsigned bide__special_16(const char *at)
{
    return bide__special_of(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* Of two words, one behind the other. */
static inline unsigned bide__special_2(uint64_t low, uint64_t high)
{
    return bide__special_of(_mm_set_epi64x((long long)high, (long long)low));
}

/* The first byte at or after `at` that is not plain, or `end`. */
BIDE__IN_LINE const char *bide__plain_end(const char *at, const char *end)
{
    unsigned special;
    if (end - at >= 16) {
        for (; end - at >= 16; at += 16)
            if ((special = bide__special_16(at)))
                return at + __builtin_ctz(special);
        if (at == end)
            return end;
        special = bide__special_16(end - 16);
        return special ? end - 16 + __builtin_ctz(special) : end;
    }
    if (end - at >= 8) {
        special = bide__special_2(bide__load_8(at), bide__load_8(end - 8));
        if (!special)
            return end;
        int first = __builtin_ctz(special);
        return first < 8 ? at + first : end - 16 + first;
    }
    if (end - at >= 4) {
        uint64_t word = bide__load_4(at) | (uint64_t)bide__load_4(end - 4) << 32;
        special = bide__special_2(word, word);
        if (!special)
            return end;
        int first = __builtin_ctz(special);
        return first < 4 ? at + first : end - 8 + first;
    }
    return bide__plain_end_bytes(at, end);
}

/* Copies a text if all of it is plain. */
BIDE__IN_LINE bool bide__copy_plain(char *restrict to, const char *restrict from, size_t length)
{
    if (length >= 16) {
        size_t at = 0, last = length - 16;
        for (;;) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(from + at));
            if (bide__special_of(bytes))
                return false;
            _mm_storeu_si128((__m128i *)(void *)(to + at), bytes);
            if (at == last)
                return true;
            at = at + 16 < last ? at + 16 : last;
        }
    }
    if (length >= 8) {
        uint64_t low = bide__load_8(from), high = bide__load_8(from + length - 8);
        memcpy(to, &low, sizeof low);
        memcpy(to + length - 8, &high, sizeof high);
        return !bide__special_2(low, high);
    }
    if (length >= 4) {
        uint32_t low = bide__load_4(from), high = bide__load_4(from + length - 4);
        uint64_t word = low | (uint64_t)high << 32;
        memcpy(to, &low, sizeof low);
        memcpy(to + length - 4, &high, sizeof high);
        return !bide__special_2(word, word);
    }
    for (size_t i = 0; i < length; i++) {
        if (!bide__is_plain(from[i]))
            return false;
        to[i] = from[i];
    }
    return true;
}

#else

BIDE__IN_LINE const char *bide__plain_end(const char *at, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = UINT64_C(0x0101010101010101);
    for (; end - at >= 8; at += 8) {
        uint64_t word = bide__load_8(at);
        uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';
        uint64_t special =
            (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (word - ones * 0x20) | word) &
            ones * 0x80; /* the bits above the first one set may be wrong */
        if (special)
            return at + __builtin_ctzll(special) / 8;
    }
#endif
    return bide__plain_end_bytes(at, end);
}

BIDE__IN_LINE bool bide__copy_plain(char *restrict to, const char *restrict from, size_t length)
{
    if (bide__plain_end(from, from + length) != from + length)
        return false;
    memcpy(to, from, length);
    return true;
}

#endif

/* As memcpy(3), in line for what is short. */
BIDE__IN_LINE void bide__text_copy(char *restrict to, const char *restrict from, size_t length)
{
    if (length > 32) {
        memcpy(to, from, length);
    } else if (length >= 16) {
        memcpy(to, from, 16);
        memcpy(to + length - 16, from + length - 16, 16);
    } else if (length >= 8) {
        memcpy(to, from, 8);
        memcpy(to + length - 8, from + length - 8, 8);
    } else if (length >= 4) {
        memcpy(to, from, 4);
        memcpy(to + length - 4, from + length - 4, 4);
    } else if (length) {
        to[0] = from[0];
        to[length / 2] = from[length / 2];
        to[length - 1] = from[length - 1];
    }
}

/* Whether two texts of one length are the same. */
static inline bool bide__text_same(const char *a, const char *b, size_t length)
{
    if (length < 4 || length > 16)
        return memcmp(a, b, length) == 0;
    if (length < 8)
        return bide__load_4(a) == bide__load_4(b) &&
               bide__load_4(a + length - 4) == bide__load_4(b + length - 4);
    return bide__load_8(a) == bide__load_8(b) &&
           bide__load_8(a + length - 8) == bide__load_8(b + length - 8);
}

#endif
