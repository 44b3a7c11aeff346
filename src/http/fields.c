/*
 * fields.c: see fields.h.
 */
#include "http/fields.h"

#include "http/scan.h"

#include <errno.h>
#include <stdint.h>

static const char *const names[BIDE__FIELDS] = {
    [BIDE__FIELD_UNKNOWN] = "",
    [BIDE__FIELD_ACCEPT] = "Accept",
    [BIDE__FIELD_ACCEPT_ENCODING] = "Accept-Encoding",
    [BIDE__FIELD_ACCEPT_LANGUAGE] = "Accept-Language",
    [BIDE__FIELD_ACCESS_CONTROL_REQUEST_HEADERS] = "Access-Control-Request-Headers",
    [BIDE__FIELD_ACCESS_CONTROL_REQUEST_METHOD] = "Access-Control-Request-Method",
    [BIDE__FIELD_AUTHORIZATION] = "Authorization",
    [BIDE__FIELD_CACHE_CONTROL] = "Cache-Control",
    [BIDE__FIELD_CONNECTION] = "Connection",
    [BIDE__FIELD_CONTENT_ENCODING] = "Content-Encoding",
    [BIDE__FIELD_CONTENT_LENGTH] = "Content-Length",
    [BIDE__FIELD_CONTENT_TYPE] = "Content-Type",
    [BIDE__FIELD_COOKIE] = "Cookie",
    [BIDE__FIELD_DATE] = "Date",
    [BIDE__FIELD_ETAG] = "ETag",
    [BIDE__FIELD_EXPECT] = "Expect",
    [BIDE__FIELD_FORWARDED] = "Forwarded",
    [BIDE__FIELD_HOST] = "Host",
    [BIDE__FIELD_IF_MATCH] = "If-Match",
    [BIDE__FIELD_IF_MODIFIED_SINCE] = "If-Modified-Since",
    [BIDE__FIELD_IF_NONE_MATCH] = "If-None-Match",
    [BIDE__FIELD_IF_UNMODIFIED_SINCE] = "If-Unmodified-Since",
    [BIDE__FIELD_LAST_MODIFIED] = "Last-Modified",
    [BIDE__FIELD_LOCATION] = "Location",
    [BIDE__FIELD_ORIGIN] = "Origin",
    [BIDE__FIELD_RANGE] = "Range",
    [BIDE__FIELD_REFERER] = "Referer",
    [BIDE__FIELD_RETRY_AFTER] = "Retry-After",
    [BIDE__FIELD_SERVER] = "Server",
    [BIDE__FIELD_SET_COOKIE] = "Set-Cookie",
    [BIDE__FIELD_TRANSFER_ENCODING] = "Transfer-Encoding",
    [BIDE__FIELD_UPGRADE] = "Upgrade",
    [BIDE__FIELD_USER_AGENT] = "User-Agent",
    [BIDE__FIELD_VARY] = "Vary",
    [BIDE__FIELD_X_FORWARDED_FOR] = "X-Forwarded-For",
    [BIDE__FIELD_X_FORWARDED_HOST] = "X-Forwarded-Host",
    [BIDE__FIELD_X_FORWARDED_PROTO] = "X-Forwarded-Proto",
    [BIDE__FIELD_X_REQUEST_ID] = "X-Request-Id",
};

_Static_assert(BIDE__FIELDS <= 64, "a head keeps one bit per known name");

const char *bide__http_field_name(enum bide__http_field_id name)
{
    return names[name];
}

/* Setting bit 5 lowers letters. It maps no other tchar to a letter or to '-', which is all that the
 * known names are made of. */
static inline bool spells(const char *name, const char *lower, size_t length)
{
    size_t at = 0;
    uint64_t a, b, different = 0;
    for (; length - at >= 8; at += 8) {
        memcpy(&a, name + at, 8);
        memcpy(&b, lower + at, 8);
        different |= (a | UINT64_C(0x2020202020202020)) ^ b;
    }
    for (; at < length; at++)
        different |= (uint64_t)(((unsigned char)name[at] | 0x20U) ^ (unsigned char)lower[at]);
    return different == 0;
}

#define IS(lower, id)                                                                              \
    do {                                                                                           \
        if (spells(name, lower, sizeof(lower) - 1))                                                \
            return BIDE__FIELD_##id;                                                               \
    } while (0)

static enum bide__http_field_id short_name(const char *name, size_t length)
{
    switch (length) {
    case 4:
        IS("host", HOST);
        IS("date", DATE);
        IS("etag", ETAG);
        IS("vary", VARY);
        break;
    case 5:
        IS("range", RANGE);
        break;
    case 6:
        IS("accept", ACCEPT);
        IS("cookie", COOKIE);
        IS("expect", EXPECT);
        IS("origin", ORIGIN);
        IS("server", SERVER);
        break;
    case 7:
        IS("referer", REFERER);
        IS("upgrade", UPGRADE);
        break;
    case 8:
        IS("if-match", IF_MATCH);
        IS("location", LOCATION);
        break;
    case 9:
        IS("forwarded", FORWARDED);
        break;
    case 10:
        IS("connection", CONNECTION);
        IS("set-cookie", SET_COOKIE);
        IS("user-agent", USER_AGENT);
        break;
    case 11:
        IS("retry-after", RETRY_AFTER);
        break;
    case 12:
        IS("content-type", CONTENT_TYPE);
        IS("x-request-id", X_REQUEST_ID);
        break;
    default:
        break;
    }
    return BIDE__FIELD_UNKNOWN;
}

static enum bide__http_field_id long_name(const char *name, size_t length)
{
    switch (length) {
    case 13:
        IS("authorization", AUTHORIZATION);
        IS("cache-control", CACHE_CONTROL);
        IS("if-none-match", IF_NONE_MATCH);
        IS("last-modified", LAST_MODIFIED);
        break;
    case 14:
        IS("content-length", CONTENT_LENGTH);
        break;
    case 15:
        IS("accept-encoding", ACCEPT_ENCODING);
        IS("accept-language", ACCEPT_LANGUAGE);
        IS("x-forwarded-for", X_FORWARDED_FOR);
        break;
    case 16:
        IS("content-encoding", CONTENT_ENCODING);
        IS("x-forwarded-host", X_FORWARDED_HOST);
        break;
    case 17:
        IS("if-modified-since", IF_MODIFIED_SINCE);
        IS("transfer-encoding", TRANSFER_ENCODING);
        IS("x-forwarded-proto", X_FORWARDED_PROTO);
        break;
    case 19:
        IS("if-unmodified-since", IF_UNMODIFIED_SINCE);
        break;
    case 29:
        IS("access-control-request-method", ACCESS_CONTROL_REQUEST_METHOD);
        break;
    case 30:
        IS("access-control-request-headers", ACCESS_CONTROL_REQUEST_HEADERS);
        break;
    default:
        break;
    }
    return BIDE__FIELD_UNKNOWN;
}

#undef IS

enum bide__http_field_id bide__http_field_id_of(const char *name, size_t length)
{
    return length <= 12 ? short_name(name, length) : long_name(name, length);
}

static bool is_port(struct bide__slice text)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.bytes[i] - '0');
        if (port > 65535)
            return false;
    }
    return true;
}

bool bide__http_is_token(struct bide__slice text)
{
    return bide__http_all(text.bytes, text.length, BIDE__CLASS_TOKEN);
}

bool bide__http_list_next(struct bide__slice *rest, struct bide__slice *ret_element)
{
    struct bide__slice element;
    while (bide__slice_split(rest, ',', &element)) {
        element = bide__slice_trim(element);
        if (element.length > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

static struct bide__slice skip_spaces(struct bide__slice text)
{
    while (text.length > 0 && (*text.bytes == ' ' || *text.bytes == '\t'))
        text = bide__slice_from(text, 1);
    return text;
}

/* Where the quoted string that begins at text[1] ends: the place of its closing quote, or 0. */
static size_t closing_quote(struct bide__slice text)
{
    for (size_t i = 1; i < text.length; i++) {
        if (text.bytes[i] == '"')
            return i;
        if (text.bytes[i] == '\\')
            i++;
    }
    return 0;
}

int bide__http_param_next(struct bide__slice *rest, struct bide__http_param *ret_param)
{
    struct bide__slice text = skip_spaces(*rest);
    while (text.length > 0 && *text.bytes == ';') { /* "; ;" holds an empty one: allowed */
        text = skip_spaces(bide__slice_from(text, 1));
        if (text.length == 0 || *text.bytes == ';')
            continue;
        struct bide__http_param param = {.quoted = false};
        size_t end = bide__http_scan_token(text.bytes, 0, text.length);
        param.name = bide__slice(text.bytes, end);
        if (end == 0 || end == text.length || text.bytes[end] != '=')
            return -EINVAL;
        text = bide__slice_from(text, end + 1);
        if (text.length > 0 && *text.bytes == '"') {
            end = closing_quote(text);
            if (end == 0)
                return -EINVAL;
            param.quoted = true;
            param.value = bide__slice(text.bytes + 1, end - 1);
            text = bide__slice_from(text, end + 1);
        } else {
            end = bide__http_scan_token(text.bytes, 0, text.length);
            if (end == 0)
                return -EINVAL;
            param.value = bide__slice(text.bytes, end);
            text = bide__slice_from(text, end);
        }
        text = skip_spaces(text);
        if (text.length > 0 && *text.bytes != ';')
            return -EINVAL;
        *ret_param = param;
        *rest = text;
        return 1;
    }
    *rest = text;
    return text.length > 0 ? -EINVAL : 0;
}

int bide__http_field_write(char *out, size_t room, struct bide__slice name,
                           struct bide__slice value)
{
    if (!bide__http_is_token(name) ||
        bide__http_scan_value(value.bytes, 0, value.length) < value.length)
        return -EINVAL;
    if (name.length > room || value.length > room - name.length ||
        room - name.length - value.length < 4 || room > INT32_MAX)
        return -EMSGSIZE;
    memcpy(out, name.bytes, name.length);
    out += name.length;
    *out++ = ':';
    *out++ = ' ';
    if (value.length > 0)
        memcpy(out, value.bytes, value.length);
    out[value.length] = '\r';
    out[value.length + 1] = '\n';
    return (int)(name.length + value.length + 4);
}

/* The length of a reg-name or IPv4 address at the front (RFC 3986 3.2.2): as far as its bytes go.
 */
static size_t scan_reg_name(struct bide__slice text)
{
    size_t at = 0;
    for (;;) {
        while (at < text.length && bide__http_is(text.bytes[at], BIDE__CLASS_REG_NAME))
            at++;
        if (text.length - at < 3 || text.bytes[at] != '%' ||
            !bide__http_all(text.bytes + at + 1, 2, BIDE__CLASS_HEX))
            return at;
        at += 3;
    }
}

/* Of an address in brackets. Looks at the bytes only: "[::::]" is nobody's name either way. */
static size_t scan_ip_literal(struct bide__slice text)
{
    for (size_t at = 1; at < text.length; at++) {
        if (text.bytes[at] == ']')
            return at > 1 ? at + 1 : 0;
        if (!bide__http_is(text.bytes[at], BIDE__CLASS_HEX) && text.bytes[at] != ':' &&
            text.bytes[at] != '.')
            return 0;
    }
    return 0;
}

bool bide__http_is_host(struct bide__slice text)
{
    size_t end;
    if (text.length > 0 && *text.bytes == '[') {
        end = scan_ip_literal(text);
        if (end == 0)
            return false;
    } else {
        end = scan_reg_name(text);
    }
    if (end == text.length)
        return true;
    return text.bytes[end] == ':' && is_port(bide__slice_from(text, end + 1));
}
