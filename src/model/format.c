/*
 * The forms that `email` and `url` ask for, and base64. Pure; called by convert.c, by
 * who writes bytes as text (json_write.c, template, mail), by web/security.c.
 *
 * An e-mail address is what people have: the dot-atom of RFC 5321 section 4.1.2 before the last
 * `@`, a host name with at least two labels behind it; no quoted local parts, no comments, no
 * address literals, and ASCII only before the `@`. A URL is absolute, http or https, with a host
 * (RFC 3986), and has only characters that may stand in one.
 */
#include "model/model.h"

#include <string.h>
#include <strings.h>

/* What a byte may be part of. */
enum { LABEL = 1, LOCAL = 2, HYPHEN = 4 };

/* LABEL: letters, digits, and bytes above 127, which stand for an international name. LOCAL: what
   stands between the dots before the `@` (atext of RFC 5322 section 3.2.3). */
/* clang-format off */
static const uint8_t class_of[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 2, 0, 2, 2, 2, 2, 2, 0, 0, 2, 2, 0, 6, 0, 2,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 2, 0, 2,
    0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 2, 2,
    2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 0,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};
/* clang-format on */

static bool is_of(char c, unsigned class)
{
    return (class_of[(unsigned char)c] & class) != 0;
}

/* A host name: labels of letters, digits and inner hyphens (RFC 1123 section 2.1). `ret_last` is
   where the last label begins. */
static bool is_host(const char *text, size_t length, size_t *ret_last)
{
    if (length == 0 || length > 253)
        return false;
    size_t label = 0, i = 0; /* where this label begins */
    for (;; label = ++i) {
        while (i < length && is_of(text[i], LABEL | HYPHEN))
            i++;
        if (i == label || i - label > 63 || text[label] == '-' || text[i - 1] == '-')
            return false;
        if (i == length)
            break;
        if (text[i] != '.')
            return false;
    }
    *ret_last = label;
    return true;
}

/* What stands before the `@`: atoms with dots between them. */
static bool is_local(const char *text, size_t length)
{
    size_t atom = 0; /* where this one begins */
    for (size_t i = 0; i < length; i++) {
        if (is_of(text[i], LOCAL))
            continue;
        if (text[i] != '.' || i == atom)
            return false;
        atom = i + 1;
    }
    return atom < length;
}

const char *bide__check_email(const char *text, size_t length)
{
    const char *at = memrchr(text, '@', length);
    if (!at)
        return "An email address must have an @-sign.";
    size_t local = (size_t)(at - text), last;
    if (local == 0)
        return "There must be something before the @-sign.";
    if (local > 64 || length > 254)
        return "The email address is too long.";
    if (!is_local(text, local))
        return "The email address contains characters that are not allowed before the @-sign.";
    const char *host = at + 1;
    if (!is_host(host, length - local - 1, &last) || last == 0 ||
        (host[last] >= '0' && host[last] <= '9'))
        return "The part after the @-sign is not valid.";
    return NULL;
}

/* `[IPv6 address]`: the digits are not weighed, only what they are made of. */
static bool is_address_literal(const char *text, size_t length)
{
    if (length < 4 || text[0] != '[' || text[length - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < length; i++)
        if (!strchr("0123456789abcdefABCDEF:.", text[i]))
            return false;
    return memchr(text, ':', length) != NULL;
}

/* Whether `host:port` is one; the port may be absent, as may be its digits. */
static bool is_host_and_port(const char *text, size_t length)
{
    size_t host = length;
    while (host > 0 && text[host - 1] >= '0' && text[host - 1] <= '9')
        host--;
    unsigned long port = 0;
    if (host > 0 && text[host - 1] == ':') {
        for (size_t i = host; i < length; i++)
            if ((port = port * 10 + (unsigned long)(text[i] - '0')) > 65535)
                return false;
        host--;
    } else {
        host = length;
    }
    size_t last;
    return is_address_literal(text, host) || is_host(text, host, &last);
}

const char *bide__check_url(const char *text, size_t length)
{
    size_t scheme = 0;
    if (length > 8 && strncasecmp(text, "https://", 8) == 0)
        scheme = 8;
    else if (length > 7 && strncasecmp(text, "http://", 7) == 0)
        scheme = 7;
    else
        return "a URL begins with http:// or https://";
    if (length > 2083)
        return "the URL is too long";
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == 0x7f || (c < 0x80 && strchr("\"<>\\^`{|}", c)))
            return "a URL has no spaces, quotes, angle brackets or control characters";
    }
    const char *host = text + scheme;
    size_t authority = 0;
    while (authority < length - scheme && !strchr("/?#", host[authority]))
        authority++;
    if (memchr(host, '@', authority))
        return "a user name in a URL is not allowed";
    return is_host_and_port(host, authority) ? NULL : "the URL has no valid host";
}

size_t bide__base64_encode(const void *bytes, size_t size, char *ret_text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    char *out = ret_text;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                         (left > 2 ? from[i + 2] : 0);
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[group & 63] : '=';
    }
    return (size_t)(out - ret_text);
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ptrdiff_t bide__base64_decode(const char *text, size_t length, unsigned char *ret_data)
{
    if (length % 4)
        return -1;
    unsigned char *out = ret_data;
    for (size_t i = 0; i < length; i += 4) {
        int padding = 0;
        if (i + 4 == length)
            padding = text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        uint32_t group = 0;
        for (int j = 0; j < 4 - padding; j++) {
            int value = sextet(text[i + (size_t)j]);
            if (value < 0)
                return -1;
            group |= (uint32_t)value << (18 - 6 * j);
        }
        if (group & (padding == 2 ? 0xffffu : padding == 1 ? 0xffu : 0))
            return -1; /* bits that belong to no byte: two texts would mean the same */
        *out++ = (unsigned char)(group >> 16);
        if (padding < 2)
            *out++ = (unsigned char)(group >> 8);
        if (padding < 1)
            *out++ = (unsigned char)group;
    }
    return out - ret_data;
}
