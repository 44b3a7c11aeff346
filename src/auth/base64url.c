/*
 * base64url.c: base64url without padding, in one form only: two texts are two values. Called by
 * token.c, jwt.c, refresh.c. Pure.
 *
 * Source: RFC 4648 sections 3.5 (canonical encoding) and 5.
 */
#include "auth/auth.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void bide__base64url_encode(const void *bytes, size_t size, char *ret_text)
{
    const unsigned char *in = bytes;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | in[i];
        for (held += 8; held >= 6; held -= 6)
            *ret_text++ = digits[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *ret_text++ = digits[bits << (6 - held) & 63];
    *ret_text = 0;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ptrdiff_t bide__base64url_decode(const char *text, size_t length, void *ret_bytes)
{
    unsigned char *out = ret_bytes;
    uint32_t bits = 0;
    unsigned held = 0;
    if (length % 4 == 1)
        return -1;
    for (size_t i = 0; i < length; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *out++ = (unsigned char)(bits >> held);
        }
    }
    if (bits & ((1U << held) - 1))
        return -1;
    return out - (unsigned char *)ret_bytes;
}
