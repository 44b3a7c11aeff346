/*
 * utf8.c: see utf8.h. ASCII goes eight bytes at a time; the rest follows table 3-7 of the Unicode
 * standard ("Well-Formed UTF-8 Byte Sequences"), in which only the second byte has odd bounds.
 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static size_t skip_ascii(const unsigned char *bytes, size_t at, size_t length)
{
    while (length - at >= 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
        at += 8;
    }
    while (at < length && bytes[at] < 0x80)
        at++;
    return at;
}

/* Bytes of the character that starts here with a byte above 0x7F; 0 when it is wrong or cut. */
static size_t character(const unsigned char *bytes, size_t room)
{
    unsigned first = bytes[0];
    unsigned low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t size;
    if (first >= 0xC2 && first <= 0xDF) {
        size = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        size = 3;
        if (first == 0xE0)
            low = 0xA0;
        else if (first == 0xED)
            high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        size = 4;
        if (first == 0xF0)
            low = 0x90;
        else if (first == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (room < size || bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

size_t bide__utf8_prefix(const char *bytes_, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)bytes_;
    size_t at = 0;
    while ((at = skip_ascii(bytes, at, length)) < length) {
        size_t size = character(bytes + at, length - at);
        if (size == 0)
            return at;
        at += size;
    }
    return at;
}
