/*
 * The head of a request or of a response: bytes in, a table of slices out (RFC 9112 sections 2 to
 * 6). Pure: no allocation, no calls back. Called by connections and by tests.
 *
 *     struct bide__http_head head;
 *     bide__http_head_request(&head);
 *     while ((result = bide__http_head_parse(&head, buffer, held)) == BIDE__HTTP_MORE)
 *         held += read(..., buffer + held, ...);
 *     if (result == BIDE__HTTP_DONE)
 *         body begins at buffer + head.bytes;
 *
 * Invariants
 *  1. Spans are offsets from the first byte given, so the buffer may move between two calls. What
 *     was held must be unchanged.
 *  2. No byte is looked at twice by a later call: feeding byte by byte costs no more than a
 *     constant per byte. How the bytes were cut never changes the outcome.
 *  3. Where RFC 9112 lets a recipient be lenient, this refuses: bare CR, bare LF, folded lines,
 *     white space before a colon, HTTP/0.9, both framings, either framing twice.
 *  4. Nothing beyond the head is looked at.
 */
#ifndef BIDE_HTTP_HEAD_H
#define BIDE_HTTP_HEAD_H

#include "base/caps.h"
#include "base/slice.h"
#include "http/fields.h"
#include "http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bide__http_method {
    BIDE__HTTP_OTHER_METHOD, /* a token that is none of these: answer 501 unless a route names it */
    BIDE__HTTP_GET,
    BIDE__HTTP_HEAD,
    BIDE__HTTP_POST,
    BIDE__HTTP_PUT,
    BIDE__HTTP_DELETE,
    BIDE__HTTP_CONNECT,
    BIDE__HTTP_OPTIONS,
    BIDE__HTTP_TRACE,
    BIDE__HTTP_PATCH,
};

/* What the request target looks like, RFC 9112 3.2. */
enum bide__http_form {
    BIDE__HTTP_ORIGIN,    /* /path?query */
    BIDE__HTTP_ABSOLUTE,  /* http://host/path?query: its host counts, not the Host field */
    BIDE__HTTP_AUTHORITY, /* host:port, of CONNECT only */
    BIDE__HTTP_ASTERISK,  /* *, of OPTIONS only */
};

/* How the body ends, RFC 9112 6.3. */
enum bide__http_framing {
    BIDE__HTTP_NO_BODY,
    BIDE__HTTP_LENGTH,      /* after content_length bytes, which are not 0 */
    BIDE__HTTP_CHUNKED,     /* with its last chunk */
    BIDE__HTTP_UNTIL_CLOSE, /* with the connection; responses only */
};

struct bide__http_span {
    uint16_t at, length;
};

struct bide__http_field {
    struct bide__http_span name;
    struct bide__http_span value; /* without the white space around it */
    uint16_t id;                  /* enum bide__http_field_id */
};

struct bide__http_head {
    /* Valid after BIDE__HTTP_DONE. */
    uint16_t bytes;        /* of the head, its last CRLF included */
    uint8_t minor_version; /* 1 or 0 */
    uint8_t method;        /* enum bide__http_method; of a response: of its request */
    uint8_t form;          /* requests: enum bide__http_form */
    uint8_t framing;       /* enum bide__http_framing */
    uint16_t status;       /* responses: 100 to 599 */
    bool keep_alive;       /* the connection may serve another request afterwards */
    bool expect_continue;  /* the peer waits for 100 before it sends the body */
    bool upgrade;          /* asks for, or answers with, another protocol; see the Upgrade field */
    bool has_query;        /* there is a '?', if only with an empty query behind it */
    uint16_t count;        /* of fields */
    uint64_t known;        /* bit n: a field with id n is there */
    uint64_t content_length; /* with framing LENGTH */
    struct bide__http_span method_text;
    struct bide__http_span target; /* as sent */
    struct bide__http_span path;   /* as sent; empty for "/" in "http://host", for * and CONNECT */
    struct bide__http_span query;  /* without the '?' */
    struct bide__http_span host;   /* with the port: of the target, else of the Host field */
    struct bide__http_span reason; /* responses */

    /* Valid after BIDE__HTTP_BAD. */
    struct bide__http_refusal refusal;

    /* Private: where the parser stands. */
    uint8_t state;
    bool response;
    uint16_t at;    /* bytes looked at */
    uint16_t start; /* of the part being read */
    uint16_t line;  /* where the first line begins, after empty ones */

    /* Last, and never cleared: only `count` of them are valid. */
    struct bide__http_field fields[BIDE_CAP_HTTP_HEADERS];
};

/* Gets ready for a request, or for the response to a request with this method. */
void bide__http_head_request(struct bide__http_head *head);
void bide__http_head_response(struct bide__http_head *head, enum bide__http_method method);

/* Goes on with a head whose first `length` bytes are held at `bytes`: all that were there at the
 * call before, and more. Gives MORE, DONE or BAD; after the last two it gives the same again.
 * Refusals of requests: 400; 413 for a Content-Length that no machine can hold; 414, 431 over
 * BIDE_CAP_HTTP_*; 417 for an unknown expectation; 501 for an unknown transfer coding; 505. */
enum bide__http_result bide__http_head_parse(struct bide__http_head *head, const char *bytes,
                                             size_t length);

static inline struct bide__slice bide__http_text(const char *bytes, struct bide__http_span span)
{
    return bide__slice(bytes + span.at, span.length);
}

/* The first field with this id from number `from` on, or -1. */
static inline int bide__http_find(const struct bide__http_head *head, enum bide__http_field_id id,
                                  int from)
{
    if (head->known >> id & 1)
        for (int i = from; i < head->count; i++)
            if (head->fields[i].id == id)
                return i;
    return -1;
}

/* The value of the first field with this id or name (in any case); false when there is none. */
bool bide__http_value(const struct bide__http_head *head, const char *bytes,
                      enum bide__http_field_id id, struct bide__slice *ret_value);
bool bide__http_value_named(const struct bide__http_head *head, const char *bytes,
                            struct bide__slice name, struct bide__slice *ret_value);

/* "GET"; "" for the other methods, whose text the head holds. */
const char *bide__http_method_text(enum bide__http_method method);

#endif
