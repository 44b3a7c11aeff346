/*
 * url.c: see url.h.
 */
#include "http/url.h"

#include "base/utf8.h"
#include "http/scan.h"

#include <errno.h>

/* The byte that "%xy" at text[at] stands for, or -EINVAL. */
static int escaped(struct bide__slice text, size_t at)
{
    if (text.length - at < 3 || !bide__http_all(text.bytes + at + 1, 2, BIDE__CLASS_HEX))
        return -EINVAL;
    int byte = (int)(bide__http_hex(text.bytes[at + 1]) << 4 | bide__http_hex(text.bytes[at + 2]));
    return byte ? byte : -EINVAL;
}

int bide__url_decode(struct bide__slice text, enum bide__url_plus plus, char *out,
                     size_t *ret_length)
{
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        char c = text.bytes[at];
        if (c == '%') {
            int byte = escaped(text, at);
            if (byte < 0)
                return byte;
            c = (char)byte;
            at += 2;
        } else if (c == '+' && plus == BIDE__URL_PLUS_SPACE) {
            c = ' ';
        }
        out[length++] = c;
    }
    *ret_length = length;
    return 0;
}

/* Writes a segment in normal form; gives its length or -EINVAL. Never longer than it was: what it
 * encodes came in encoded. */
static long normalise_segment(struct bide__slice segment, char *out)
{
    long length = 0;
    for (size_t at = 0; at < segment.length; at++) {
        char c = segment.bytes[at];
        if (c == '\0')
            return -EINVAL;
        if (c == '%') {
            int byte = escaped(segment, at);
            if (byte < 0)
                return byte;
            at += 2;
            c = (char)byte;
            if (c == '/' || c == '%') {
                out[length++] = '%';
                out[length++] = '2';
                c = c == '/' ? 'F' : '5';
            }
        }
        out[length++] = c;
    }
    return length;
}

int bide__url_normalise(struct bide__slice path, char *out, size_t *ret_length)
{
    size_t length = 0;
    bool open = false; /* the last segment was a dot segment: the path ends with '/' */
    struct bide__slice segment;
    if (path.length == 0 || *path.bytes != '/')
        return -EINVAL;
    while (bide__url_segment_next(&path, &segment)) {
        char *start = out + length + 1;
        long written = normalise_segment(segment, start);
        if (written < 0)
            return -EINVAL;
        open = (written == 1 || written == 2) && memcmp(start, "..", (size_t)written) == 0;
        if (!open) {
            out[length] = '/';
            length += (size_t)written + 1;
        } else if (written == 2) {
            while (length > 0 && out[--length] != '/') {
            }
        }
    }
    if (open)
        out[length++] = '/';
    if (!bide__utf8_valid(out, length))
        return -EINVAL;
    *ret_length = length;
    return 0;
}

bool bide__url_segment_next(struct bide__slice *rest, struct bide__slice *ret_segment)
{
    if (rest->length == 0)
        return false;
    struct bide__slice text = *rest->bytes == '/' ? bide__slice_from(*rest, 1) : *rest;
    const char *slash = text.length ? memchr(text.bytes, '/', text.length) : NULL;
    size_t length = slash ? (size_t)(slash - text.bytes) : text.length;
    *ret_segment = bide__slice(text.bytes, length);
    *rest = bide__slice_from(text, length);
    return true;
}

bool bide__url_pair_next(struct bide__slice *rest, struct bide__slice *ret_name,
                         struct bide__slice *ret_value)
{
    struct bide__slice pair;
    do {
        if (!bide__slice_split(rest, '&', &pair))
            return false;
    } while (pair.length == 0);
    const char *equals = memchr(pair.bytes, '=', pair.length);
    size_t name = equals ? (size_t)(equals - pair.bytes) : pair.length;
    *ret_name = bide__slice(pair.bytes, name);
    *ret_value = bide__slice_from(pair, equals ? name + 1 : name);
    return true;
}

size_t bide__url_encode(struct bide__slice text, enum bide__url_plus plus, char *out)
{
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        unsigned char byte = (unsigned char)text.bytes[at];
        if (bide__http_is(text.bytes[at], BIDE__CLASS_PLAIN)) {
            out[length++] = text.bytes[at];
        } else if (byte == ' ' && plus == BIDE__URL_PLUS_SPACE) {
            out[length++] = '+';
        } else {
            out[length++] = '%';
            out[length++] = "0123456789ABCDEF"[byte >> 4];
            out[length++] = "0123456789ABCDEF"[byte & 15];
        }
    }
    return length;
}
