/*
 * Header fields: lists and parameters inside values, hosts, and the way out (RFC 9110 section 5).
 * Pure. Called by head.c, framing.c, multipart.c and by whoever writes a head.
 */
#ifndef BIDE_HTTP_FIELDS_H
#define BIDE_HTTP_FIELDS_H

#include "base/slice.h"
#include "http/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A token, RFC 9110 5.6.2: one tchar or more. */
bool bide__http_is_token(struct bide__slice text);

/* Takes the next element off the front of a comma-separated list, without the white space around
 * it; empty elements are passed over (RFC 9110 5.6.1.2). False at the end. Not for lists whose
 * elements may hold quoted strings. */
bool bide__http_list_next(struct bide__slice *rest, struct bide__slice *ret_element);

/* A parameter `; name=value` (RFC 9110 5.6.6). */
struct bide__http_param {
    struct bide__slice name;
    struct bide__slice value; /* between the quotes, if quoted; escapes are still in it */
    bool quoted;
};

/* Takes the next parameter off the front of what follows a media type or a disposition. Returns 1,
 * 0 at the end, -EINVAL when it is malformed: `rest` is then of no use. */
int bide__http_param_next(struct bide__slice *rest, struct bide__http_param *ret_param);

/* Writes `name: value` and CRLF. Returns the bytes written; -EINVAL for a name that is no token and
 * for a value with a control character in it, so that nothing can be smuggled into a head;
 * -EMSGSIZE when it takes more than `room`. Nothing is written then. */
int bide__http_field_write(char *out, size_t room, struct bide__slice name,
                           struct bide__slice value);

/* Whether the text is `host` or `host:port` (RFC 9112 3.2): a name, an IPv4 address, an IPv6
 * address in brackets. An empty host is one. */
bool bide__http_is_host(struct bide__slice text);

#endif
