/*
 * Conditions of requests: whether a peer has already what a reply would say (RFC 9110 13). Pure.
 * Called by web/folder.c, web/content.c and web/etag.c.
 */
#ifndef BIDE_HTTP_CONDITION_H
#define BIDE_HTTP_CONDITION_H

#include "base/slice.h"

#include <stdint.h>

/* The fields of a request, without bytes: not there; and what the reply says by itself, which then
   counts in place of the tag and the time that are given to the functions below. */
struct bide__http_condition {
    struct bide__slice if_none_match;
    struct bide__slice if_modified_since;
    struct bide__slice if_match;
    struct bide__slice if_unmodified_since;
    struct bide__slice if_range;
    const char *own_tag; /* or NULL */
    bool is_own_time;
    int64_t own_modified_s;
};

/* Whether the answer to a GET or HEAD is 304, for something with this tag (with its quotes) that
 * was changed last at `modified_s`. If-None-Match compares weakly, in a list, and `*` is every tag;
 * where it is, If-Modified-Since does not count (RFC 9110 13.1.2, 13.1.3, 13.2.2). */
bool bide__http_not_modified(const struct bide__http_condition *condition, const char *tag,
                             int64_t modified_s, int64_t now_s);

/* The answer to a GET or HEAD in place of 200: 412, 304, or 0 for none, in the order of RFC 9110
 * 13.2.2. If-Match compares strongly (13.1.1); where it is, If-Unmodified-Since does not count. */
int bide__http_precondition(const struct bide__http_condition *condition, const char *tag,
                            int64_t modified_s, int64_t now_s);

/* Whether a Range field counts: without If-Range, or if that has this tag and it is strong, or just
 * this date (RFC 9110 13.1.5). */
bool bide__http_range_holds(const struct bide__http_condition *condition, const char *tag,
                            int64_t modified_s, int64_t now_s);

#endif
