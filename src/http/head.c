/*
 * head.c: see head.h. One function per state; each goes on at head->at, and either moves to another
 * state (true) or has used up the bytes or refused (false). Called by whole_lines.c with what is
 * not usual; calls it for fields, and framing.c, which decides what the finished head means.
 *
 *  request   START METHOD TARGET VERSION LINE_LF          \
 *                                                          > FIELD NAME SPACE VALUE VALUE_LF ...
 *  response  VERSION STATUS REASON LINE_LF                /  FIELD END_LF DONE
 */
#include "http/head_parts.h"

#include <string.h>

_Static_assert(BIDE_CAP_HTTP_HEAD_BYTES <= UINT16_MAX, "spans have 16 bits");
_Static_assert(BIDE_CAP_HTTP_HEADERS <= INT16_MAX, "field numbers are ints");

enum state {
    START,    /* empty lines before a request line, RFC 9112 2.2 */
    METHOD,   /* up to the space */
    TARGET,   /* up to the space */
    VERSION,  /* HTTP/x.y */
    LINE_CR,  /* after the version of a request */
    STATUS,   /* SP 3DIGIT */
    REASON,   /* up to the CR, a space in front */
    LINE_LF,  /* of the first line */
    FIELD,    /* at the first byte of a line */
    NAME,     /* up to the colon */
    SPACE,    /* before the value */
    VALUE,    /* up to the CR */
    VALUE_LF, /* after it */
    END_LF,   /* of the empty line */
    DONE,
    REFUSED,
};

_Static_assert((int)START == BIDE__HTTP_AT_START && (int)FIELD == BIDE__HTTP_AT_FIELD &&
                   (int)DONE == BIDE__HTTP_AT_END,
               "whole_lines.c names these");

static const char VERSION_PREFIX[] = "HTTP/";

enum bide__http_result bide__http_refuse(struct bide__http_head *head, int status, const char *text)
{
    head->state = REFUSED;
    head->refusal = (struct bide__http_refusal){.status = status, .text = text};
    return BIDE__HTTP_BAD;
}

static bool bad(struct bide__http_head *head, const char *text)
{
    bide__http_refuse(head, 400, text);
    return false;
}

static bool go(struct bide__http_head *head, enum state state)
{
    head->state = (uint8_t)state;
    return true;
}

void bide__http_head_request(struct bide__http_head *head)
{
    memset(head, 0, offsetof(struct bide__http_head, fields));
    head->state = START;
}

void bide__http_head_response(struct bide__http_head *head, enum bide__http_method method)
{
    memset(head, 0, offsetof(struct bide__http_head, fields));
    head->response = true;
    head->method = (uint8_t)method;
    head->state = VERSION;
}

static struct bide__http_span span_to(const struct bide__http_head *head, size_t end)
{
    return (struct bide__http_span){head->start, (uint16_t)(end - head->start)};
}

#define IS(method)                                                                                 \
    do {                                                                                           \
        if (memcmp(name, #method, sizeof(#method) - 1) == 0)                                       \
            return BIDE__HTTP_##method;                                                            \
    } while (0)

enum bide__http_method bide__http_method_of(const char *name, size_t length)
{
    switch (length) {
    case 3:
        IS(GET);
        IS(PUT);
        break;
    case 4:
        IS(POST);
        IS(HEAD);
        break;
    case 5:
        IS(PATCH);
        IS(TRACE);
        break;
    case 6:
        IS(DELETE);
        break;
    case 7:
        IS(OPTIONS);
        IS(CONNECT);
        break;
    default:
        break;
    }
    return BIDE__HTTP_OTHER_METHOD;
}

#undef IS

/* Adds the field whose name and value stand at fields[count]. */
static bool add_field(struct bide__http_head *head)
{
    const uint64_t once = UINT64_C(1) << BIDE__FIELD_HOST | UINT64_C(1)
                                                                << BIDE__FIELD_CONTENT_LENGTH;
    uint64_t bit = UINT64_C(1) << head->fields[head->count].id;
    if (head->known & bit & once)
        return bad(head, "Host or Content-Length more than once");
    head->known |= bit & ~UINT64_C(1);
    head->count++;
    return true;
}

static bool end_head(struct bide__http_head *head, const char *bytes)
{
    head->state = DONE;
    head->bytes = head->at;
    bide__http_judge(head, bytes);
    return false;
}

static bool read_field(struct bide__http_head *head, const char *bytes, size_t end)
{
    if (bide__http_read_whole_fields(head, bytes, end))
        return end_head(head, bytes);
    if (head->at == end)
        return false;
    char c = bytes[head->at];
    if (c == '\r') {
        head->at++;
        return go(head, END_LF);
    }
    if (c == ' ' || c == '\t')
        return bad(head, "a line begins with white space");
    if (head->count == BIDE_CAP_HTTP_HEADERS) {
        bide__http_refuse(head, 431, "too many header fields");
        return false;
    }
    head->start = head->at;
    return go(head, NAME);
}

static bool read_start(struct bide__http_head *head, const char *bytes, size_t end)
{
    while (head->at < end) {
        size_t inside = (size_t)(head->at - head->line); /* 1: between CR and LF */
        char c = bytes[head->at];
        if (inside == 1) {
            if (c != '\n')
                return bad(head, "CR without LF before the request line");
            head->line = ++head->at;
        } else if (c == '\r') {
            head->at++;
        } else {
            head->start = head->at;
            return go(head, METHOD);
        }
    }
    return false;
}

static bool read_method(struct bide__http_head *head, const char *bytes, size_t end)
{
    size_t at = bide__http_scan_token(bytes, head->at, end);
    head->at = (uint16_t)at;
    if (at == end)
        return false;
    if (bytes[at] != ' ' || at == head->start)
        return bad(head, "the request line does not begin with a method and a space");
    head->method_text = span_to(head, at);
    head->method = (uint8_t)bide__http_method_of(bytes + head->start, at - head->start);
    head->at = head->start = (uint16_t)(at + 1);
    return go(head, TARGET);
}

static bool read_target(struct bide__http_head *head, const char *bytes, size_t end)
{
    size_t at = bide__http_scan_target(bytes, head->at, end);
    head->at = (uint16_t)at;
    if (at == end)
        return false;
    if (bytes[at] == '\r' || bytes[at] == '\n')
        return bad(head, "the request line has no version");
    if (bytes[at] != ' ' || at == head->start)
        return bad(head, "the request target is empty or holds a byte that it must not");
    head->target = span_to(head, at);
    head->at = head->start = (uint16_t)(at + 1);
    return go(head, VERSION);
}

static bool read_version(struct bide__http_head *head, const char *bytes, size_t end)
{
    for (; head->at < end; head->at++) {
        size_t index = (size_t)(head->at - head->start);
        char c = bytes[head->at];
        bool digit = c >= '0' && c <= '9';
        if (index < 5 ? c != VERSION_PREFIX[index] : index == 6 ? c != '.' : !digit)
            return bad(head, "the version is not of the form HTTP/x.y");
        if (index < 7)
            continue;
        if (bytes[head->at - 2] != '1' || c > '1') {
            bide__http_refuse(head, 505, "the version is neither HTTP/1.1 nor HTTP/1.0");
            return false;
        }
        head->minor_version = (uint8_t)(c - '0');
        head->at++;
        head->start = head->at;
        return go(head, head->response ? STATUS : LINE_CR);
    }
    return false;
}

static bool read_status(struct bide__http_head *head, const char *bytes, size_t end)
{
    for (; head->at < end; head->at++) {
        size_t index = (size_t)(head->at - head->start);
        char c = bytes[head->at];
        if (index == 0 ? c != ' ' : c < '0' || c > '9')
            return bad(head, "the status is not a space and three digits");
        if (index > 0)
            head->status = (uint16_t)(head->status * 10 + (c - '0'));
        if (index < 3)
            continue;
        if (head->status < 100 || head->status > 599)
            return bad(head, "the status is not between 100 and 599");
        head->at++;
        head->start = head->at;
        return go(head, REASON);
    }
    return false;
}

/* The space before the reason must be there, RFC 9112 4, but many leave it out with the reason. */
static bool read_reason(struct bide__http_head *head, const char *bytes, size_t end)
{
    size_t at = bide__http_scan_value(bytes, head->at, end);
    if (at > head->start && bytes[head->start] != ' ')
        return bad(head, "no space after the status");
    head->at = (uint16_t)at;
    if (at == end)
        return false;
    if (bytes[at] != '\r')
        return bad(head, "a control character in the reason");
    if (at > head->start)
        head->start++;
    head->reason = span_to(head, at);
    head->at++;
    return go(head, LINE_LF);
}

/* At a byte that must be this one. */
static bool read_byte(struct bide__http_head *head, const char *bytes, size_t end, char expected,
                      enum state next)
{
    if (head->at == end)
        return false;
    if (bytes[head->at] != expected)
        return bad(head, expected == '\r' ? "the version is not followed by CRLF"
                                          : "CR without LF behind it");
    head->at++;
    return go(head, next);
}

static bool read_line_lf(struct bide__http_head *head, const char *bytes, size_t end)
{
    if (!read_byte(head, bytes, end, '\n', FIELD))
        return false;
    if (!head->response)
        bide__http_judge_target(head, bytes);
    return true;
}

static bool read_name(struct bide__http_head *head, const char *bytes, size_t end)
{
    size_t at = bide__http_scan_token(bytes, head->at, end);
    head->at = (uint16_t)at;
    if (at == end)
        return false;
    if (bytes[at] != ':' || at == head->start) {
        if (bytes[at] == ' ' || bytes[at] == '\t')
            return bad(head, "white space in or after a field name");
        return bad(head, "a header line without a name and a colon");
    }
    struct bide__http_field *field = &head->fields[head->count];
    field->name = span_to(head, at);
    field->id = (uint16_t)bide__http_field_id_of(bytes + head->start, field->name.length);
    head->at++;
    return go(head, SPACE);
}

static bool read_space(struct bide__http_head *head, const char *bytes, size_t end)
{
    while (head->at < end && (bytes[head->at] == ' ' || bytes[head->at] == '\t'))
        head->at++;
    head->start = head->at;
    return head->at < end && go(head, VALUE);
}

static bool read_value(struct bide__http_head *head, const char *bytes, size_t end)
{
    size_t at = bide__http_scan_value(bytes, head->at, end);
    head->at = (uint16_t)at;
    if (at == end)
        return false;
    if (bytes[at] != '\r')
        return bad(head, bytes[at] == '\n' ? "LF without CR before it"
                                           : "a control character in a field value");
    head->at++;
    while (at > head->start && (bytes[at - 1] == ' ' || bytes[at - 1] == '\t'))
        at--;
    head->fields[head->count].value = span_to(head, at);
    return go(head, VALUE_LF);
}

static bool read_value_lf(struct bide__http_head *head, const char *bytes, size_t end)
{
    return read_byte(head, bytes, end, '\n', FIELD) && add_field(head);
}

static bool read_end(struct bide__http_head *head, const char *bytes, size_t end)
{
    return read_byte(head, bytes, end, '\n', DONE) && end_head(head, bytes);
}

static bool step(struct bide__http_head *head, const char *bytes, size_t end)
{
    switch ((enum state)head->state) {
    case START:
        return read_start(head, bytes, end);
    case METHOD:
        return read_method(head, bytes, end);
    case TARGET:
        return read_target(head, bytes, end);
    case VERSION:
        return read_version(head, bytes, end);
    case LINE_CR:
        return read_byte(head, bytes, end, '\r', LINE_LF);
    case STATUS:
        return read_status(head, bytes, end);
    case REASON:
        return read_reason(head, bytes, end);
    case LINE_LF:
        return read_line_lf(head, bytes, end);
    case FIELD:
        return read_field(head, bytes, end);
    case NAME:
        return read_name(head, bytes, end);
    case SPACE:
        return read_space(head, bytes, end);
    case VALUE:
        return read_value(head, bytes, end);
    case VALUE_LF:
        return read_value_lf(head, bytes, end);
    case END_LF:
        return read_end(head, bytes, end);
    case DONE:
    case REFUSED:
        break;
    }
    return false;
}

/* Bytes, from the first one, that this part of the head may take up to. Bytes behind it are not
 * looked at, so that the outcome at a limit does not depend on how much is held. */
static size_t limit_of(const struct bide__http_head *head)
{
    size_t line = (size_t)head->line + BIDE_CAP_HTTP_REQUEST_LINE_BYTES + 2;
    bool in_line = head->state > START && head->state < FIELD;
    return in_line && line < BIDE_CAP_HTTP_HEAD_BYTES ? line : BIDE_CAP_HTTP_HEAD_BYTES;
}

enum bide__http_result bide__http_parse_in_steps(struct bide__http_head *head, const char *bytes,
                                                 size_t length)
{
    size_t limit, end;
    do {
        limit = limit_of(head);
        end = length < limit ? length : limit;
    } while (step(head, bytes, end));
    if (head->state == DONE)
        return BIDE__HTTP_DONE;
    if (head->state == REFUSED)
        return BIDE__HTTP_BAD;
    if (head->at < limit)
        return BIDE__HTTP_MORE;
    if (limit < BIDE_CAP_HTTP_HEAD_BYTES && !head->response)
        return bide__http_refuse(head, 414, "the request line is too long");
    return bide__http_refuse(head, 431, "the head is too large");
}

bool bide__http_value(const struct bide__http_head *head, const char *bytes,
                      enum bide__http_field_id id, struct bide__slice *ret_value)
{
    int number = bide__http_find(head, id, 0);
    if (number >= 0)
        *ret_value = bide__http_text(bytes, head->fields[number].value);
    return number >= 0;
}

bool bide__http_value_named(const struct bide__http_head *head, const char *bytes,
                            struct bide__slice name, struct bide__slice *ret_value)
{
    enum bide__http_field_id id = bide__http_field_id_of(name.bytes, name.length);
    for (int i = 0; i < head->count; i++) {
        if (head->fields[i].id == id && /* equal names have equal numbers, if they are names */
            bide__slice_equal_nocase(bide__http_text(bytes, head->fields[i].name), name)) {
            *ret_value = bide__http_text(bytes, head->fields[i].value);
            return true;
        }
    }
    return false;
}

const char *bide__http_method_text(enum bide__http_method method)
{
    static const char *const texts[] = {
        [BIDE__HTTP_OTHER_METHOD] = "",   [BIDE__HTTP_GET] = "GET",
        [BIDE__HTTP_HEAD] = "HEAD",       [BIDE__HTTP_POST] = "POST",
        [BIDE__HTTP_PUT] = "PUT",         [BIDE__HTTP_DELETE] = "DELETE",
        [BIDE__HTTP_CONNECT] = "CONNECT", [BIDE__HTTP_OPTIONS] = "OPTIONS",
        [BIDE__HTTP_TRACE] = "TRACE",     [BIDE__HTTP_PATCH] = "PATCH",
    };
    return texts[method];
}
