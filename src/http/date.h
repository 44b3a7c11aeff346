/*
 * Dates of header fields (RFC 9110 5.6.7). Pure: the caller has the clock, and keeps the text that
 * it formats once per second.
 */
#ifndef BIDE_HTTP_DATE_H
#define BIDE_HTTP_DATE_H

#include "base/slice.h"

#include <stdint.h>

enum {
    BIDE__HTTP_DATE_BYTES = 30, /* 29 and the NUL */
};

/* Writes "Sun, 06 Nov 1994 08:49:37 GMT". Seconds since 1970; outside of the years 0 to 9999 the
 * nearest that can be written. */
void bide__http_date_format(int64_t unix_s, char out[BIDE__HTTP_DATE_BYTES]);

/* Reads the form above and the two obsolete ones that a recipient must take: "Sunday, 06-Nov-94
 * 08:49:37 GMT" and "Sun Nov  6 08:49:37 1994". A year of two digits is at most 50 years after
 * `now_s`. The day's name is not compared with the date. Returns 0 or -EINVAL. */
int bide__http_date_parse(struct bide__slice text, int64_t now_s, int64_t *ret_unix_s);

#endif
