/*
 * Well-known field names and their numbers. Pure. Called by head.c, fields.c and by whoever asks
 * for a field by its number.
 *
 * A name is looked up in two steps: its length, its first and its last byte choose the one known
 * name that it can be, then all its bytes are compared with that one.
 */
#ifndef BIDE_HTTP_NAMES_H
#define BIDE_HTTP_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names that bide itself looks at. At most 64: a head keeps a bit for each. */
enum bide__http_field_id {
    BIDE__FIELD_UNKNOWN,
    BIDE__FIELD_ACCEPT,
    BIDE__FIELD_ACCEPT_ENCODING,
    BIDE__FIELD_ACCEPT_LANGUAGE,
    BIDE__FIELD_ACCESS_CONTROL_REQUEST_HEADERS,
    BIDE__FIELD_ACCESS_CONTROL_REQUEST_METHOD,
    BIDE__FIELD_AUTHORIZATION,
    BIDE__FIELD_CACHE_CONTROL,
    BIDE__FIELD_CONNECTION,
    BIDE__FIELD_CONTENT_ENCODING,
    BIDE__FIELD_CONTENT_LENGTH,
    BIDE__FIELD_CONTENT_TYPE,
    BIDE__FIELD_COOKIE,
    BIDE__FIELD_DATE,
    BIDE__FIELD_ETAG,
    BIDE__FIELD_EXPECT,
    BIDE__FIELD_FORWARDED,
    BIDE__FIELD_HOST,
    BIDE__FIELD_IF_MATCH,
    BIDE__FIELD_IF_MODIFIED_SINCE,
    BIDE__FIELD_IF_NONE_MATCH,
    BIDE__FIELD_IF_UNMODIFIED_SINCE,
    BIDE__FIELD_LAST_MODIFIED,
    BIDE__FIELD_LOCATION,
    BIDE__FIELD_ORIGIN,
    BIDE__FIELD_RANGE,
    BIDE__FIELD_REFERER,
    BIDE__FIELD_RETRY_AFTER,
    BIDE__FIELD_SERVER,
    BIDE__FIELD_SET_COOKIE,
    BIDE__FIELD_TRANSFER_ENCODING,
    BIDE__FIELD_UPGRADE,
    BIDE__FIELD_USER_AGENT,
    BIDE__FIELD_VARY,
    BIDE__FIELD_X_FORWARDED_FOR,
    BIDE__FIELD_X_FORWARDED_HOST,
    BIDE__FIELD_X_FORWARDED_PROTO,
    BIDE__FIELD_X_REQUEST_ID,
    BIDE__FIELDS
};

/* The well-known name that these bytes spell in any case, or BIDE__FIELD_UNKNOWN. The bytes
 * must be tchars. */
enum bide__http_field_id bide__http_field_id_of(const char *name, size_t length);

/* Whether a reply writes it by itself: what somebody else says of it would let a peer misread where
 * the reply ends, or what it is. */
bool bide__http_field_is_ours(const char *name);

/* The spelling for the wire, "Content-Length"; "" for the unknown name. */
const char *bide__http_field_name(enum bide__http_field_id name);

enum { BIDE__HTTP_NAME_BYTES = 48, BIDE__HTTP_NAME_SLOTS = 128 };

/* One slot of the table of names. */
struct bide__http_name {
    char lower[BIDE__HTTP_NAME_BYTES]; /* the name in lower case, a colon, NULs; "" of free slots */
    uint64_t bit;                      /* of its number; 0 of the unknown name */
    uint64_t id;                       /* enum bide__http_field_id */
};
extern const struct bide__http_name bide__http_names[BIDE__HTTP_NAME_SLOTS];

/* The slot of a name. Bit 5 of the two bytes, the case of a letter, falls out of the sum. */
#define BIDE__HTTP_NAME_SLOT(length, first, last)                                                  \
    ((((unsigned)(first)*3 + (unsigned)(last)*18) * 4 + (unsigned)(length)) % BIDE__HTTP_NAME_SLOTS)

/* The one known name that has this length and these bytes at its ends. */
static inline const struct bide__http_name *bide__http_name_guess(size_t length, char first,
                                                                  char last)
{
    unsigned slot = BIDE__HTTP_NAME_SLOT(length, (unsigned char)first, (unsigned char)last);
    return &bide__http_names[slot];
}

#endif
