/*
 * fields.c: see fields.h.
 */
#include "http/fields.h"

#include "http/scan.h"

#include <errno.h>
#include <stdint.h>

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
