/*
 * body.c: see body.h. Chunked bodies go byte by byte through a state machine, but for their data.
 *
 *   SIZE_FIRST SIZE [EXT_...] LINE_LF  ->  CHUNK CHUNK_CR CHUNK_LF  ->  SIZE_FIRST
 *                                      ->  TRAILER [NAME VALUE VALUE_LF TRAILER] END_LF DONE
 */
#include "http/body.h"

#include "base/caps.h"
#include "http/head.h"
#include "http/scan.h"

enum state {
    PLAIN,       /* data, `left` bytes of it */
    UNTIL_CLOSE, /* data, as long as there are */
    SIZE_FIRST,  /* the first digit must come */
    SIZE,
    EXT_BEFORE, /* white space before a semicolon */
    EXT_START,  /* behind a semicolon */
    EXT_NAME,
    EXT_AFTER_NAME, /* white space behind a name */
    EXT_EQUALS,     /* behind the equals sign */
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_AFTER_QUOTE,
    LINE_LF, /* of a size line */
    CHUNK,   /* data, `left` bytes of it */
    CHUNK_CR,
    CHUNK_LF,
    TRAILER, /* at the first byte of a line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
    REFUSED,
};

static bool refuse(struct bide__http_body *body, int status, const char *text)
{
    body->state = REFUSED;
    body->refusal = (struct bide__http_refusal){.status = status, .text = text};
    return false;
}

static bool go(struct bide__http_body *body, enum state state)
{
    body->state = (uint8_t)state;
    return true;
}

enum bide__http_result bide__http_body_init(struct bide__http_body *body, unsigned framing,
                                            uint64_t content_length, uint64_t cap_bytes)
{
    *body = (struct bide__http_body){.cap = cap_bytes};
    switch ((enum bide__http_framing)framing) {
    case BIDE__HTTP_CHUNKED:
        body->state = SIZE_FIRST;
        return BIDE__HTTP_MORE;
    case BIDE__HTTP_UNTIL_CLOSE:
        body->state = UNTIL_CLOSE;
        return BIDE__HTTP_MORE;
    case BIDE__HTTP_LENGTH:
        if (content_length > cap_bytes) {
            refuse(body, 413, "the body is too large");
            return BIDE__HTTP_BAD;
        }
        body->state = content_length ? PLAIN : DONE;
        body->left = content_length;
        break;
    case BIDE__HTTP_NO_BODY:
        body->state = DONE;
        break;
    }
    return body->state == DONE ? BIDE__HTTP_DONE : BIDE__HTTP_MORE;
}

/* One byte that is not counted as part of the plain form of a chunk. */
static bool count_overhead(struct bide__http_body *body)
{
    if (++body->overhead > BIDE_CAP_HTTP_CHUNK_OVERHEAD_BYTES)
        return refuse(body, 400, "too many bytes of chunk extensions");
    return true;
}

/* What may stand behind a size, a name or a value that is over. */
static bool end_of_extension(struct bide__http_body *body, char c, enum state space)
{
    if (c == '\r')
        return go(body, LINE_LF);
    if (c == ';')
        return count_overhead(body) && go(body, EXT_START);
    if (c == ' ' || c == '\t')
        return count_overhead(body) && go(body, space);
    return refuse(body, 400, "a byte in a chunk line that must not be there");
}

static bool size_byte(struct bide__http_body *body, char c)
{
    if (!bide__http_is(c, BIDE__CLASS_HEX)) {
        if (body->state == SIZE_FIRST)
            return refuse(body, 400, "a chunk does not begin with its size");
        return end_of_extension(body, c, EXT_BEFORE);
    }
    if (body->state == SIZE && body->left == 0 && !count_overhead(body))
        return false; /* the digit before was a zero in front */
    if (body->left > UINT64_MAX >> 4 ||
        (body->left << 4 | bide__http_hex(c)) > body->cap - body->total)
        return refuse(body, 413, "the body is too large");
    body->left = body->left << 4 | bide__http_hex(c);
    return go(body, SIZE);
}

/* chunk-ext of RFC 9112 7.1.1: read over, but never past what its grammar allows. White space is
 * "bad", but must be understood (RFC 9110 5.6.3). */
static bool extension_byte(struct bide__http_body *body, char c)
{
    bool space = c == ' ' || c == '\t';
    bool token = bide__http_is(c, BIDE__CLASS_TOKEN);
    switch ((enum state)body->state) {
    case EXT_BEFORE:
        if (!space && c != ';')
            break;
        return end_of_extension(body, c, EXT_BEFORE);
    case EXT_START:
        if (space || token)
            return count_overhead(body) && go(body, space ? EXT_START : EXT_NAME);
        break;
    case EXT_NAME:
    case EXT_AFTER_NAME:
        if (c == '=')
            return count_overhead(body) && go(body, EXT_EQUALS);
        if (body->state == EXT_NAME && token)
            return count_overhead(body);
        if (body->state == EXT_AFTER_NAME && c == '\r')
            break;
        return end_of_extension(body, c, EXT_AFTER_NAME);
    case EXT_EQUALS:
        if (space || token || c == '"')
            return count_overhead(body) && go(body, space   ? EXT_EQUALS
                                                    : token ? EXT_VALUE
                                                            : EXT_QUOTED);
        break;
    case EXT_VALUE:
        if (token)
            return count_overhead(body);
        return end_of_extension(body, c, EXT_BEFORE);
    case EXT_QUOTED:
        if (bide__http_is(c, BIDE__CLASS_VALUE))
            return count_overhead(body) && go(body, c == '"'    ? EXT_AFTER_QUOTE
                                                    : c == '\\' ? EXT_ESCAPED
                                                                : EXT_QUOTED);
        break;
    case EXT_ESCAPED:
        if (bide__http_is(c, BIDE__CLASS_VALUE))
            return count_overhead(body) && go(body, EXT_QUOTED);
        break;
    case EXT_AFTER_QUOTE:
        return end_of_extension(body, c, EXT_BEFORE);
    default:
        break;
    }
    return refuse(body, 400, "a malformed chunk extension");
}

static bool trailer_byte(struct bide__http_body *body, char c)
{
    switch ((enum state)body->state) {
    case TRAILER:
        if (c == '\r')
            return go(body, END_LF);
        if (!bide__http_is(c, BIDE__CLASS_TOKEN))
            break;
        if (++body->trailer_count > BIDE_CAP_HTTP_HEADERS)
            return refuse(body, 431, "too many trailer fields");
        return go(body, TRAILER_NAME);
    case TRAILER_NAME:
        if (c != ':' && !bide__http_is(c, BIDE__CLASS_TOKEN))
            break;
        return go(body, c == ':' ? TRAILER_VALUE : TRAILER_NAME);
    case TRAILER_VALUE:
        if (c != '\r' && !bide__http_is(c, BIDE__CLASS_VALUE))
            break;
        return go(body, c == '\r' ? TRAILER_LF : TRAILER_VALUE);
    default:
        break;
    }
    return refuse(body, 400, "a malformed trailer");
}

static bool expect_byte(struct bide__http_body *body, char c)
{
    if (c != (body->state == CHUNK_CR ? '\r' : '\n'))
        return refuse(body, 400,
                      body->state == CHUNK_CR || body->state == CHUNK_LF
                          ? "a chunk is not followed by CRLF"
                          : "CR without LF behind it");
    switch ((enum state)body->state) {
    case LINE_LF:
        return go(body, body->left ? CHUNK : TRAILER);
    case CHUNK_CR:
        return go(body, CHUNK_LF);
    case CHUNK_LF:
        return go(body, SIZE_FIRST);
    case TRAILER_LF:
        return go(body, TRAILER);
    default: /* END_LF */
        return go(body, DONE);
    }
}

/* One byte that is not data. False when it is refused. */
static bool frame_byte(struct bide__http_body *body, char c)
{
    if (body->state >= TRAILER && ++body->trailer_bytes > BIDE_CAP_HTTP_HEAD_BYTES)
        return refuse(body, 431, "the trailers are too large");
    switch ((enum state)body->state) {
    case SIZE_FIRST:
    case SIZE:
        return size_byte(body, c);
    case TRAILER:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return trailer_byte(body, c);
    case LINE_LF:
    case CHUNK_CR:
    case CHUNK_LF:
    case TRAILER_LF:
    case END_LF:
        return expect_byte(body, c);
    default:
        return extension_byte(body, c);
    }
}

/* Hands out up to `length` bytes of data. */
static enum bide__http_result hand_out(struct bide__http_body *body, const char *bytes,
                                       size_t length, struct bide__slice *ret_data)
{
    uint64_t room = body->state == UNTIL_CLOSE ? body->cap - body->total : body->left;
    if (room == 0) { /* UNTIL_CLOSE only: the other two end with their last byte */
        refuse(body, 413, "the body is too large");
        return BIDE__HTTP_BAD;
    }
    size_t count = length < room ? length : (size_t)room;
    body->total += count;
    if (body->state != UNTIL_CLOSE && (body->left -= count) == 0)
        body->state = body->state == CHUNK ? CHUNK_CR : DONE;
    *ret_data = bide__slice(bytes, count);
    return BIDE__HTTP_DATA;
}

static bool at_data(const struct bide__http_body *body)
{
    return body->state == PLAIN || body->state == UNTIL_CLOSE || body->state == CHUNK;
}

enum bide__http_result bide__http_body_next(struct bide__http_body *body, const char *bytes,
                                            size_t length, size_t *ret_used,
                                            struct bide__slice *ret_data)
{
    size_t at = 0;
    enum bide__http_result result = BIDE__HTTP_MORE;
    while (at < length && body->state != DONE && body->state != REFUSED && !at_data(body))
        frame_byte(body, bytes[at++]);
    if (body->state == DONE) {
        result = BIDE__HTTP_DONE;
    } else if (body->state == REFUSED) {
        result = BIDE__HTTP_BAD;
    } else if (at < length) {
        result = hand_out(body, bytes + at, length - at, ret_data);
        if (result == BIDE__HTTP_DATA)
            at += ret_data->length;
    }
    *ret_used = at;
    return result;
}

enum bide__http_result bide__http_body_ended(struct bide__http_body *body)
{
    if (body->state == UNTIL_CLOSE)
        body->state = DONE;
    if (body->state != DONE && body->state != REFUSED)
        refuse(body, 400, "the connection ended inside the body");
    return body->state == DONE ? BIDE__HTTP_DONE : BIDE__HTTP_BAD;
}

size_t bide__http_chunk_head(char out[BIDE__HTTP_CHUNK_HEAD_BYTES], uint64_t size)
{
    size_t digits = 1;
    while (digits < 16 && size >> (4 * digits))
        digits++;
    for (size_t i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}
