/*
 * multipart/form-data, piece by piece (RFC 7578, RFC 2046 section 5.1). Pure. Called by forms, with
 * what a body hands out.
 *
 *     int code = bide__multipart_boundary(content_type, &boundary);
 *     code = bide__multipart_init(&form, boundary, storage, sizeof storage);
 *     result = bide__multipart_next(&form, bytes, length, &used, &data);    ... until the body ends
 *     result = bide__multipart_ended(&form);
 *
 * The events of a form: (PART DATA* PART_END)* DONE. After DONE all bytes are used and dropped.
 *
 * Invariants
 *  1. What was used is used: bytes need not be kept for a later call.
 *  2. Data are slices of the bytes given or of the delimiter kept here: valid until the next call.
 *  3. The name, the file name and the media type of a part lie in the storage: valid until its
 *     PART_END.
 */
#ifndef BIDE_HTTP_MULTIPART_H
#define BIDE_HTTP_MULTIPART_H

#include "base/slice.h"
#include "http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BIDE__MULTIPART_BOUNDARY_BYTES = 70, /* most that RFC 2046 allows */
};

struct bide__multipart {
    /* The part that began last. */
    struct bide__slice name;         /* UTF-8, may be empty */
    struct bide__slice file_name;    /* UTF-8, as the peer calls it: no path to write to */
    struct bide__slice content_type; /* empty when not sent: text/plain */
    bool is_file;                    /* it has a file name, if only an empty one */

    struct bide__http_refusal refusal; /* valid after BIDE__HTTP_BAD */

    /* Private */
    uint8_t state;
    bool inside;             /* PART without its PART_END */
    uint32_t parts;          /* begun so far */
    uint32_t matched;        /* bytes of the delimiter found at the end of the last bytes */
    uint32_t borrowed;       /* the first of them, which belong to what stands before */
    uint32_t delimiter_size; /* of CRLF, two dashes and the boundary */
    uint32_t held;           /* bytes of a part's head in the storage */
    char *storage;
    size_t storage_size;
    char delimiter[4 + BIDE__MULTIPART_BOUNDARY_BYTES];
};

/* The boundary that a Content-Type field names. -EINVAL: it is not multipart/form-data, or has no
 * valid boundary. The slice points into the text. */
int bide__multipart_boundary(struct bide__slice content_type, struct bide__slice *ret_boundary);

/* Gets ready. The storage holds one part's head at a time, which is over the cap when it does not
 * fit: BIDE_CAP_FORM_PART_HEAD_BYTES is usual. -EINVAL for a boundary that is none. */
int bide__multipart_init(struct bide__multipart *form, struct bide__slice boundary, char *storage,
                         size_t storage_size);

/* Uses bytes from the front, up to the next event. MORE: all are used. BAD: 400, 413 for too many
 * parts, 431 for a part's head over the storage. */
enum bide__http_result bide__multipart_next(struct bide__multipart *form, const char *bytes,
                                            size_t length, size_t *ret_used,
                                            struct bide__slice *ret_data);

/* The body has ended: DONE if the form had, else BAD. */
enum bide__http_result bide__multipart_ended(struct bide__multipart *form);

#endif
