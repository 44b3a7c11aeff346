/*
 * The Range field: which bytes of something are asked for (RFC 9110 14). Pure. Called by whoever
 * sends files.
 */
#ifndef BIDE_HTTP_RANGE_H
#define BIDE_HTTP_RANGE_H

#include "base/caps.h"
#include "base/slice.h"

#include <stdint.h>

struct bide__http_range {
    uint64_t first, length; /* bytes; length is not 0 */
};

enum {
    BIDE__HTTP_RANGE_WHOLE = 0, /* the field does not count: all of it is sent */
    BIDE__HTTP_RANGE_NONE = -1, /* none of them is there: 416 */
};

/*
 * The ranges of a field value, of something with `size` bytes: how many, in the order of asking, or
 * one of the above. Those that overlap or touch are one. A field does not count when it is
 * malformed, of another unit, has more than BIDE_CAP_HTTP_RANGES parts, or when there are no bytes
 * at all.
 */
int bide__http_ranges(struct bide__slice value, uint64_t size,
                      struct bide__http_range ranges[BIDE_CAP_HTTP_RANGES]);

#endif
