/*
 * names.c: see names.h.
 */
#include "http/names.h"

#include <string.h>

/* Number, first and last byte, lower case, as on the wire. */
#define KNOWN_NAMES(X)                                                                             \
    X(ACCEPT, 'a', 't', "accept", "Accept")                                                        \
    X(ACCEPT_ENCODING, 'a', 'g', "accept-encoding", "Accept-Encoding")                             \
    X(ACCEPT_LANGUAGE, 'a', 'e', "accept-language", "Accept-Language")                             \
    X(ACCESS_CONTROL_REQUEST_HEADERS, 'a', 's', "access-control-request-headers",                  \
      "Access-Control-Request-Headers")                                                            \
    X(ACCESS_CONTROL_REQUEST_METHOD, 'a', 'd', "access-control-request-method",                    \
      "Access-Control-Request-Method")                                                             \
    X(AUTHORIZATION, 'a', 'n', "authorization", "Authorization")                                   \
    X(CACHE_CONTROL, 'c', 'l', "cache-control", "Cache-Control")                                   \
    X(CONNECTION, 'c', 'n', "connection", "Connection")                                            \
    X(CONTENT_ENCODING, 'c', 'g', "content-encoding", "Content-Encoding")                          \
    X(CONTENT_LENGTH, 'c', 'h', "content-length", "Content-Length")                                \
    X(CONTENT_TYPE, 'c', 'e', "content-type", "Content-Type")                                      \
    X(COOKIE, 'c', 'e', "cookie", "Cookie")                                                        \
    X(DATE, 'd', 'e', "date", "Date")                                                              \
    X(ETAG, 'e', 'g', "etag", "ETag")                                                              \
    X(EXPECT, 'e', 't', "expect", "Expect")                                                        \
    X(FORWARDED, 'f', 'd', "forwarded", "Forwarded")                                               \
    X(HOST, 'h', 't', "host", "Host")                                                              \
    X(IF_MATCH, 'i', 'h', "if-match", "If-Match")                                                  \
    X(IF_MODIFIED_SINCE, 'i', 'e', "if-modified-since", "If-Modified-Since")                       \
    X(IF_NONE_MATCH, 'i', 'h', "if-none-match", "If-None-Match")                                   \
    X(IF_UNMODIFIED_SINCE, 'i', 'e', "if-unmodified-since", "If-Unmodified-Since")                 \
    X(LAST_MODIFIED, 'l', 'd', "last-modified", "Last-Modified")                                   \
    X(LOCATION, 'l', 'n', "location", "Location")                                                  \
    X(ORIGIN, 'o', 'n', "origin", "Origin")                                                        \
    X(RANGE, 'r', 'e', "range", "Range")                                                           \
    X(REFERER, 'r', 'r', "referer", "Referer")                                                     \
    X(RETRY_AFTER, 'r', 'r', "retry-after", "Retry-After")                                         \
    X(SERVER, 's', 'r', "server", "Server")                                                        \
    X(SET_COOKIE, 's', 'e', "set-cookie", "Set-Cookie")                                            \
    X(TRANSFER_ENCODING, 't', 'g', "transfer-encoding", "Transfer-Encoding")                       \
    X(UPGRADE, 'u', 'e', "upgrade", "Upgrade")                                                     \
    X(USER_AGENT, 'u', 't', "user-agent", "User-Agent")                                            \
    X(VARY, 'v', 'y', "vary", "Vary")                                                              \
    X(X_FORWARDED_FOR, 'x', 'r', "x-forwarded-for", "X-Forwarded-For")                             \
    X(X_FORWARDED_HOST, 'x', 't', "x-forwarded-host", "X-Forwarded-Host")                          \
    X(X_FORWARDED_PROTO, 'x', 'o', "x-forwarded-proto", "X-Forwarded-Proto")                       \
    X(X_REQUEST_ID, 'x', 'd', "x-request-id", "X-Request-Id")

/* The compiler warns of two names in one slot: other factors in BIDE__HTTP_NAME_SLOT help. */
#define SLOT(number, first, last, text, wire)                                                      \
    [BIDE__HTTP_NAME_SLOT(sizeof(text) - 1, first, last)] = {                                      \
        .lower = text ":",                                                                         \
        .bit = UINT64_C(1) << BIDE__FIELD_##number,                                                \
        .id = BIDE__FIELD_##number,                                                                \
    },
__attribute__((aligned(64)))
const struct bide__http_name bide__http_names[BIDE__HTTP_NAME_SLOTS] = {KNOWN_NAMES(SLOT)};

#define WIRE(id, first, last, text, wire) [BIDE__FIELD_##id] = wire,
static const char *const wire_names[BIDE__FIELDS] = {[BIDE__FIELD_UNKNOWN] = "", KNOWN_NAMES(WIRE)};

_Static_assert(BIDE__FIELDS <= 64, "a head keeps one bit per known name");

const char *bide__http_field_name(enum bide__http_field_id name)
{
    return wire_names[name];
}

/* What two words differ in but for bit 5, which is the case of a letter. It maps no other tchar to
 * a letter or to '-', which is all that the known names are made of. */
static inline uint64_t differ_8(const char *name, const char *lower)
{
    uint64_t a, b;
    memcpy(&a, name, 8);
    memcpy(&b, lower, 8);
    return (a | UINT64_C(0x2020202020202020)) ^ b;
}

static inline uint32_t differ_4(const char *name, const char *lower)
{
    uint32_t a, b;
    memcpy(&a, name, 4);
    memcpy(&b, lower, 4);
    return (a | UINT32_C(0x20202020)) ^ b;
}

/* Of a known name's length, which is 4 or more. The last word overlaps the one before it. */
static inline bool spells(const char *name, const char *lower, size_t length)
{
    if (length < 8)
        return (differ_4(name, lower) | differ_4(name + length - 4, lower + length - 4)) == 0;
    uint64_t different = differ_8(name + length - 8, lower + length - 8);
    for (size_t at = 0; at + 8 < length; at += 8)
        different |= differ_8(name + at, lower + at);
    return different == 0;
}

enum bide__http_field_id bide__http_field_id_of(const char *name, size_t length)
{
    if (length == 0 || length >= BIDE__HTTP_NAME_BYTES)
        return BIDE__FIELD_UNKNOWN;
    const struct bide__http_name *guess = bide__http_name_guess(length, name[0], name[length - 1]);
    if (guess->lower[length] != ':' || !spells(name, guess->lower, length))
        return BIDE__FIELD_UNKNOWN;
    return (enum bide__http_field_id)guess->id;
}

bool bide__http_field_is_ours(const char *name)
{
    enum bide__http_field_id id = bide__http_field_id_of(name, strlen(name));
    return id == BIDE__FIELD_CONTENT_LENGTH || id == BIDE__FIELD_CONTENT_TYPE ||
           id == BIDE__FIELD_TRANSFER_ENCODING || id == BIDE__FIELD_CONNECTION ||
           id == BIDE__FIELD_DATE;
}
