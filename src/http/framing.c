/*
 * framing.c: what a request target and a whole head mean: where the body ends (RFC 9112 6.3), which
 * host is asked for (3.2), whether the connection goes on (9.3). Called by head.c
 * when the first line and by it and whole_lines.c when the head is complete; calls fields.c.
 */
#include "http/head_parts.h"

#include "base/assert.h"

static struct bide__http_span span_at(const char *bytes, struct bide__slice slice)
{
    return (struct bide__http_span){(uint16_t)(slice.bytes - bytes), (uint16_t)slice.length};
}

/* Path and query, from `at` in the target on. */
static void set_path(struct bide__http_head *head, const char *bytes, size_t at)
{
    size_t end = (size_t)head->target.at + head->target.length;
    bide__http_set_path(head, at, bide__http_scan_path(bytes, at, end), end);
}

/* Bytes of "http://" or "https://" at the front, in any case; 0 for anything else. */
static size_t scheme_length(struct bide__slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (int i = 0; i < 2; i++) {
        struct bide__slice scheme = bide__slice_of(schemes[i]);
        if (target.length > scheme.length &&
            bide__slice_equal_nocase(bide__slice(target.bytes, scheme.length), scheme))
            return scheme.length;
    }
    return 0;
}

/* RFC 9112 3.2.2. User information does not pass as a host (RFC 9110 4.2.4). */
static enum bide__http_result judge_absolute(struct bide__http_head *head, const char *bytes,
                                             struct bide__slice target)
{
    size_t scheme = scheme_length(target);
    if (scheme == 0)
        return bide__http_refuse(head, 400, "the request target has none of the four forms");
    struct bide__slice rest = bide__slice_from(target, scheme);
    size_t end = 0;
    while (end < rest.length && rest.bytes[end] != '/' && rest.bytes[end] != '?')
        end++;
    struct bide__slice host = bide__slice(rest.bytes, end);
    if (end == 0 || *host.bytes == ':' || !bide__http_is_host(host))
        return bide__http_refuse(head, 400, "the host in the request target is malformed");
    head->form = BIDE__HTTP_ABSOLUTE;
    head->host = span_at(bytes, host);
    set_path(head, bytes, head->host.at + end);
    return BIDE__HTTP_MORE;
}

/* RFC 9112 3.2.3: host and port, neither of them empty. */
static enum bide__http_result judge_authority(struct bide__http_head *head, const char *bytes,
                                              struct bide__slice target)
{
    size_t port = 0;
    while (port < target.length &&
           bide__http_is(target.bytes[target.length - 1 - port], BIDE__CLASS_HEX))
        port++;
    if (port == 0 || port + 2 > target.length || target.bytes[target.length - 1 - port] != ':' ||
        *target.bytes == ':' || !bide__http_is_host(target))
        return bide__http_refuse(head, 400, "CONNECT needs a host and a port");
    head->form = BIDE__HTTP_AUTHORITY;
    head->host = span_at(bytes, target);
    return BIDE__HTTP_MORE;
}

enum bide__http_result bide__http_judge_target(struct bide__http_head *head, const char *bytes)
{
    struct bide__slice target = bide__http_text(bytes, head->target);
    if (head->method == BIDE__HTTP_CONNECT)
        return judge_authority(head, bytes, target);
    if (*target.bytes == '/') {
        head->form = BIDE__HTTP_ORIGIN;
        set_path(head, bytes, head->target.at);
        return BIDE__HTTP_MORE;
    }
    if (target.length == 1 && *target.bytes == '*') {
        if (head->method != BIDE__HTTP_OPTIONS)
            return bide__http_refuse(head, 400, "the target * is for OPTIONS only");
        head->form = BIDE__HTTP_ASTERISK;
        return BIDE__HTTP_MORE;
    }
    return judge_absolute(head, bytes, target);
}

static bool has(const struct bide__http_head *head, enum bide__http_field_id id)
{
    return (head->known >> id & 1) != 0;
}

static __attribute__((noinline)) enum bide__http_result judge_host(struct bide__http_head *head,
                                                                   const char *bytes)
{
    int number = bide__http_find(head, BIDE__FIELD_HOST, 0);
    if (number < 0)
        return head->minor_version == 0 ? BIDE__HTTP_MORE : bide__http_refuse(head, 400, "no Host");
    struct bide__http_span host = head->fields[number].value;
    if (!bide__http_is_host(bide__http_text(bytes, host)))
        return bide__http_refuse(head, 400, "Host is malformed");
    if (head->form == BIDE__HTTP_ORIGIN || head->form == BIDE__HTTP_ASTERISK)
        head->host = host;
    return BIDE__HTTP_MORE;
}

/* Whether an Upgrade field names a protocol, RFC 9110 7.8. */
static __attribute__((noinline)) bool names_protocol(const struct bide__http_head *head,
                                                     const char *bytes)
{
    int number = -1;
    while ((number = bide__http_find(head, BIDE__FIELD_UPGRADE, number + 1)) >= 0) {
        struct bide__slice rest = bide__http_text(bytes, head->fields[number].value), element;
        if (bide__http_list_next(&rest, &element))
            return true;
    }
    return false;
}

enum { CLOSE = 1, KEEP = 2, UPGRADE = 4 };

static __attribute__((noinline)) unsigned connection_options(struct bide__slice rest)
{
    struct bide__slice element;
    unsigned options = 0;
    while (bide__http_list_next(&rest, &element)) {
        if (bide__slice_equal_nocase(element, bide__slice_of("close")))
            options |= CLOSE;
        else if (bide__slice_equal_nocase(element, bide__slice_of("keep-alive")))
            options |= KEEP;
        else if (bide__slice_equal_nocase(element, bide__slice_of("upgrade")))
            options |= UPGRADE;
    }
    return options;
}

/* RFC 9112 9.3: close wins. */
static __attribute__((noinline)) void judge_connection(struct bide__http_head *head,
                                                       const char *bytes)
{
    const struct bide__http_field *field = head->fields, *end = field + head->count;
    unsigned options = 0;
    for (; field < end; field++) {
        if (field->id != BIDE__FIELD_CONNECTION)
            continue;
        struct bide__slice value = bide__http_text(bytes, field->value);
        if (value.length == 10 && memcmp(value.bytes, "keep-alive", 10) == 0)
            options |= KEEP; /* what nearly all clients say, if anything */
        else
            options |= connection_options(value);
    }
    head->keep_alive = !(options & CLOSE) && (head->minor_version == 1 || options & KEEP);
    head->upgrade = options & UPGRADE && head->minor_version == 1 && names_protocol(head, bytes);
}

/* RFC 9110 8.6: digits, nothing else. A list of equal numbers is refused too. */
static __attribute__((noinline)) enum bide__http_result judge_length(struct bide__http_head *head,
                                                                     const char *bytes)
{
    int number = bide__http_find(head, BIDE__FIELD_CONTENT_LENGTH, 0);
    struct bide__slice text = bide__http_text(bytes, head->fields[number].value);
    uint64_t length = 0;
    bool huge = false;
    if (text.length == 0)
        return bide__http_refuse(head, 400, "Content-Length is empty");
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return bide__http_refuse(head, 400, "Content-Length is not a number");
        huge |= length > (INT64_MAX - 9) / 10;
        length = huge ? 0 : length * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    if (huge)
        return bide__http_refuse(head, 413, "Content-Length is beyond all limits");
    head->content_length = length;
    head->framing = length ? BIDE__HTTP_LENGTH : BIDE__HTTP_NO_BODY;
    return BIDE__HTTP_DONE;
}

/* RFC 9112 6.1 and 6.3: one coding, chunked. Empty elements of the list, which other lists may
 * have, are refused: they only serve to disguise. */
static __attribute__((noinline)) enum bide__http_result judge_codings(struct bide__http_head *head,
                                                                      const char *bytes)
{
    unsigned chunked = 0;
    bool chunked_last = false, unknown = false;
    if (head->minor_version == 0)
        return bide__http_refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
    int number = -1;
    while ((number = bide__http_find(head, BIDE__FIELD_TRANSFER_ENCODING, number + 1)) >= 0) {
        struct bide__slice rest = bide__http_text(bytes, head->fields[number].value);
        if (rest.length == 0 || rest.bytes[rest.length - 1] == ',')
            return bide__http_refuse(head, 400, "Transfer-Encoding has an empty element");
        struct bide__slice element;
        while (bide__slice_split(&rest, ',', &element)) {
            element = bide__slice_trim(element);
            size_t end = bide__http_scan_token(element.bytes, 0, element.length);
            struct bide__slice name = bide__slice(element.bytes, end);
            chunked_last = bide__slice_equal_nocase(name, bide__slice_of("chunked"));
            chunked += chunked_last;
            unknown |= !chunked_last;
            if (end == 0 || (chunked_last && end < element.length))
                return bide__http_refuse(head, 400, "Transfer-Encoding is malformed");
        }
    }
    if (!chunked_last || chunked > 1)
        return bide__http_refuse(head, 400, "chunked is not the last coding, or there twice");
    if (unknown)
        return bide__http_refuse(head, 501, "a transfer coding other than chunked");
    head->framing = BIDE__HTTP_CHUNKED;
    return BIDE__HTTP_DONE;
}

static enum bide__http_result judge_framing(struct bide__http_head *head, const char *bytes)
{
    bool length = has(head, BIDE__FIELD_CONTENT_LENGTH);
    bool codings = has(head, BIDE__FIELD_TRANSFER_ENCODING);
    if (!length && !codings)
        return BIDE__HTTP_DONE;
    if (length && codings)
        return bide__http_refuse(head, 400, "both Content-Length and Transfer-Encoding");
    if (head->method == BIDE__HTTP_CONNECT && !head->response)
        return bide__http_refuse(head, 400, "CONNECT with a body"); /* or is it the tunnel's? */
    return length ? judge_length(head, bytes) : judge_codings(head, bytes);
}

/* RFC 9110 10.1.1: nothing is expected of HTTP/1.0, and nothing is waited for without a body. */
static enum bide__http_result judge_expect(struct bide__http_head *head, const char *bytes)
{
    int number = -1;
    while ((number = bide__http_find(head, BIDE__FIELD_EXPECT, number + 1)) >= 0) {
        struct bide__slice rest = bide__http_text(bytes, head->fields[number].value), element;
        while (head->minor_version == 1 && bide__http_list_next(&rest, &element)) {
            if (!bide__slice_equal_nocase(element, bide__slice_of("100-continue")))
                return bide__http_refuse(head, 417, "an expectation other than 100-continue");
            head->expect_continue = head->framing != BIDE__HTTP_NO_BODY;
        }
    }
    return BIDE__HTTP_DONE;
}

/* RFC 9112 6.3, items 1, 2 and 8. */
static __attribute__((noinline)) enum bide__http_result judge_response(struct bide__http_head *head,
                                                                       const char *bytes)
{
    unsigned status = head->status;
    if (judge_framing(head, bytes) == BIDE__HTTP_BAD)
        return BIDE__HTTP_BAD;
    bool tunnel = head->method == BIDE__HTTP_CONNECT && status / 100 == 2;
    if (head->method == BIDE__HTTP_HEAD || status / 100 == 1 || status == 204 || status == 304 ||
        tunnel)
        head->framing = BIDE__HTTP_NO_BODY;
    else if (!has(head, BIDE__FIELD_CONTENT_LENGTH) && !has(head, BIDE__FIELD_TRANSFER_ENCODING))
        head->framing = BIDE__HTTP_UNTIL_CLOSE;
    head->keep_alive &= head->framing != BIDE__HTTP_UNTIL_CLOSE;
    head->upgrade = tunnel || (head->upgrade && status == 101);
    return BIDE__HTTP_DONE;
}

/* Whether the first field is a Host of the usual bytes, with a port of up to 4 digits or none. Most
 * are, and judge_host() knows the rest. */
static inline __attribute__((always_inline)) bool has_usual_host(const struct bide__http_head *head,
                                                                 const char *bytes)
{
    const struct bide__http_field *field = head->fields;
    if (head->count == 0 || field->id != BIDE__FIELD_HOST || head->form != BIDE__HTTP_ORIGIN)
        return false;
    size_t end = (size_t)field->value.at + field->value.length;
    size_t at = bide__http_scan_host(bytes, field->value.at, end);
    if (at < end && bytes[at] == ':' && end - at <= 5)
        while (++at < end && bytes[at] >= '0' && bytes[at] <= '9') {
        }
    return at == end;
}

static __attribute__((noinline)) enum bide__http_result judge_all(struct bide__http_head *head,
                                                                  const char *bytes)
{
    head->keep_alive = head->minor_version == 1;
    if (has(head, BIDE__FIELD_CONNECTION))
        judge_connection(head, bytes);
    if (head->response)
        return judge_response(head, bytes);
    if (bide__likely(has_usual_host(head, bytes)))
        head->host = head->fields[0].value;
    else if (judge_host(head, bytes) == BIDE__HTTP_BAD)
        return BIDE__HTTP_BAD;
    if (judge_framing(head, bytes) == BIDE__HTTP_BAD)
        return BIDE__HTTP_BAD;
    return has(head, BIDE__FIELD_EXPECT) ? judge_expect(head, bytes) : BIDE__HTTP_DONE;
}

enum bide__http_result bide__http_judge(struct bide__http_head *head, const char *bytes)
{
    const uint64_t rare = UINT64_C(1) << BIDE__FIELD_CONTENT_LENGTH |
                          UINT64_C(1) << BIDE__FIELD_TRANSFER_ENCODING |
                          UINT64_C(1) << BIDE__FIELD_CONNECTION | UINT64_C(1) << BIDE__FIELD_EXPECT;
    if (head->known & rare || head->response || !has_usual_host(head, bytes))
        return judge_all(head, bytes);
    head->host = head->fields[0].value;
    head->keep_alive = head->minor_version == 1;
    return BIDE__HTTP_DONE;
}
