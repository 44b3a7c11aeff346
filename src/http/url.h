/*
 * Percent-encoding, paths and queries (RFC 3986; the form encoding of the WHATWG URL standard).
 * Pure. Called by the router, by parameter binding and by forms.
 *
 * A path's normal form, which is what routes are matched against:
 *  1. Everything is decoded but `/` and `%`, which stay as "%2F" and "%25": so a segment's borders
 *     are those of the path as sent, and no two different paths have the same normal form.
 *  2. The segments `.` and `..` are gone, also when they were sent as "%2e" (RFC 3986 5.2.4); `..`
 *     at the root goes nowhere.
 *  3. Empty segments stay: "/a//b" is not "/a/b".
 *  4. It is UTF-8 without NUL.
 * A path parameter is a segment of the normal form, decoded once more by bide__url_decode. It may
 * then hold a `/`: whoever makes a file name of it must refuse that.
 */
#ifndef BIDE_HTTP_URL_H
#define BIDE_HTTP_URL_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* What a plus sign means. */
enum bide__url_plus {
    BIDE__URL_PLUS,       /* itself: in paths */
    BIDE__URL_PLUS_SPACE, /* a space: in queries and forms */
};

/* Decodes into `out`, which has room for text.length bytes and may be text.bytes itself. Returns 0;
 * -EINVAL for a `%` without two hexadecimal digits behind it, and for an encoded NUL. Does not look
 * for UTF-8. */
int bide__url_decode(struct bide__slice text, enum bide__url_plus plus, char *out,
                     size_t *ret_length);

/* Writes the normal form of a path that begins with '/' into `out`, which has room for path.length
 * bytes and does not overlap. Returns 0 or -EINVAL. */
int bide__url_normalise(struct bide__slice path, char *out, size_t *ret_length);

/* Takes the next segment off the front of a path: "/a//b/" gives "a", "", "b", "". False at the
 * end. */
bool bide__url_segment_next(struct bide__slice *rest, struct bide__slice *ret_segment);

/* Takes the next pair off the front of a query or an urlencoded form, still encoded; a name without
 * '=' has an empty value, and empty pairs are passed over. False at the end. */
bool bide__url_pair_next(struct bide__slice *rest, struct bide__slice *ret_name,
                         struct bide__slice *ret_value);

/* Encodes all but letters, digits and "-._~" into `out`, which has room for 3 * text.length bytes;
 * with BIDE__URL_PLUS_SPACE a space becomes '+'. Returns the length. */
size_t bide__url_encode(struct bide__slice text, enum bide__url_plus plus, char *out);

#endif
