/*
 * JSON tokens: see json_scan.h.
 *
 * Source: RFC 8259; RFC 3629 for UTF-8.
 */
#include "model/json_scan.h"

#include "base/caps.h"
#include "base/utf8.h"
#include "model/number.h"

#include <bide/json.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

bool bide__scan_fail(struct bide__scan *scan, const char *reason)
{
    if (!scan->reason)
        scan->reason = reason;
    return false;
}

char bide__scan_space(struct bide__scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
    return scan->at < scan->end ? *scan->at : '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits after `\u`, or -1. */
static int hex_unit(const char *at, const char *end)
{
    int unit = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int value = hex_value(at[i]);
        if (value < 0)
            return -1;
        unit = unit << 4 | value;
    }
    return unit;
}

static bool is_high_surrogate(int unit)
{
    return (unit & 0xfc00) == 0xd800;
}

static bool is_low_surrogate(int unit)
{
    return (unit & 0xfc00) == 0xdc00;
}

/* At a backslash. */
static bool scan_escape(struct bide__scan *scan, bool *has_zero)
{
    if (scan->end - scan->at < 2)
        return bide__scan_fail(scan, "a string without its closing quote");
    char c = scan->at[1];
    if (c != 'u') {
        if (c == '\0' || !strchr("\"\\/bfnrt", c))
            return bide__scan_fail(scan, "an invalid escape");
        scan->at += 2;
        return true;
    }
    int unit = hex_unit(scan->at + 2, scan->end);
    if (unit < 0)
        return bide__scan_fail(scan, "an invalid escape");
    if (is_low_surrogate(unit))
        return bide__scan_fail(scan, "a lone surrogate");
    *has_zero = *has_zero || unit == 0;
    if (is_high_surrogate(unit)) {
        if (scan->end - scan->at < 12 || scan->at[6] != '\\' || scan->at[7] != 'u' ||
            !is_low_surrogate(hex_unit(scan->at + 8, scan->end)))
            return bide__scan_fail(scan, "a lone surrogate");
        scan->at += 6;
    }
    scan->at += 6;
    return true;
}

bool bide__scan_marked(struct bide__scan *scan, const char *text,
                       struct bide__json_string *ret_string)
{
    bool escaped = false, has_zero = false;
    for (;; scan->at = bide__plain_end(scan->at, scan->end)) {
        if (scan->at == scan->end)
            return bide__scan_fail(scan, "a string without its closing quote");
        unsigned char c = (unsigned char)*scan->at;
        if (c == '"')
            break;
        if (c < 0x20)
            return bide__scan_fail(scan, "a control character in a string");
        if (c == '\\') {
            escaped = true;
            if (!scan_escape(scan, &has_zero))
                return false;
            continue;
        }
        const char *run = scan->at;
        while (scan->at < scan->end && (unsigned char)*scan->at >= 0x80)
            scan->at++;
        size_t length = (size_t)(scan->at - run), valid = bide__utf8_prefix(run, length);
        if (valid != length) {
            scan->at = run + valid;
            return bide__scan_fail(scan, "bytes that are not UTF-8");
        }
    }
    *ret_string =
        (struct bide__json_string){text, (size_t)(scan->at - text), false, escaped, has_zero};
    scan->at++;
    return true;
}

static size_t put_character(char *text, unsigned code)
{
    if (code < 0x80) {
        text[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        text[0] = (char)(0xc0 | code >> 6);
        text[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        text[0] = (char)(0xe0 | code >> 12);
        text[1] = (char)(0x80 | (code >> 6 & 63));
        text[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    text[0] = (char)(0xf0 | code >> 18);
    text[1] = (char)(0x80 | (code >> 12 & 63));
    text[2] = (char)(0x80 | (code >> 6 & 63));
    text[3] = (char)(0x80 | (code & 63));
    return 4;
}

size_t bide__json_unescape(const struct bide__json_string *string, char *ret_text)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *at = string->text, *end = at + string->length;
    char *out = ret_text;
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((slash ? slash : end) - at);
        memcpy(out, at, plain);
        out += plain;
        at += plain;
        if (!slash)
            break;
        if (at[1] != 'u') {
            *out++ = meanings[strchr(letters, at[1]) - letters];
            at += 2;
            continue;
        }
        unsigned code = (unsigned)hex_unit(at + 2, end);
        at += 6;
        if (is_high_surrogate((int)code)) {
            code = 0x10000 + ((code & 0x3ff) << 10 | ((unsigned)hex_unit(at + 2, end) & 0x3ff));
            at += 6;
        }
        out += put_character(out, code);
    }
    return (size_t)(out - ret_text);
}

bool bide__scan_number(struct bide__scan *scan, size_t *ret_length, bool *ret_integer)
{
    size_t length = bide__number_span(scan->at, (size_t)(scan->end - scan->at), ret_integer);
    if (!length)
        return bide__scan_fail(scan, "an invalid number");
    scan->at += length;
    *ret_length = length;
    return true;
}

bool bide__scan_word(struct bide__scan *scan, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return bide__scan_fail(scan, "a value was expected");
    scan->at += length;
    return true;
}

/* A value that holds no others. */
static bool scan_leaf(struct bide__scan *scan, char first)
{
    struct bide__json_string string;
    size_t length;
    bool is_integer;
    switch (first) {
    case '"':
        return bide__scan_string(scan, &string);
    case 't':
        return bide__scan_word(scan, "true");
    case 'f':
        return bide__scan_word(scan, "false");
    case 'n':
        return bide__scan_word(scan, "null");
    default:
        if (first != '-' && (first < '0' || first > '9'))
            return bide__scan_fail(scan, "a value was expected");
        return bide__scan_number(scan, &length, &is_integer);
    }
}

/* At the key of a member: passes it and the colon. */
static bool scan_key(struct bide__scan *scan)
{
    struct bide__json_string key;
    if (bide__scan_next(scan) != '"')
        return bide__scan_fail(scan, "a key in quotes was expected");
    if (!bide__scan_string(scan, &key))
        return false;
    if (bide__scan_next(scan) != ':')
        return bide__scan_fail(scan, "`:` was expected");
    scan->at++;
    return true;
}

bool bide__scan_value(struct bide__scan *scan)
{
    struct {
        char close;
        unsigned keys;
    } open[BIDE_CAP_JSON_DEPTH];
    unsigned level = 0;
    for (;;) {
        char c = bide__scan_next(scan);
        if (c == '{' || c == '[') {
            if (!bide__scan_open(scan))
                return false;
            open[level].close = c == '{' ? '}' : ']';
            open[level].keys = 0;
            if (bide__scan_next(scan) != open[level].close) {
                level++;
                if (c == '{' && !scan_key(scan))
                    return false;
                continue;
            }
            scan->at++;
            scan->depth--;
        } else if (!scan_leaf(scan, c)) {
            return false;
        }
        bool more = false;
        while (level > 0 && !more) {
            if (!bide__scan_more(scan, open[level - 1].close, &more))
                return false;
            level -= !more;
        }
        if (level == 0)
            return true;
        if (open[level - 1].close == '}') {
            if (++open[level - 1].keys >= BIDE_CAP_JSON_KEYS)
                return bide__scan_fail(scan, "more than 1000 keys in one object");
            if (!scan_key(scan))
                return false;
        }
    }
}

int bide_json_check(const char *text, size_t length, size_t *ret_offset, const char **ret_reason)
{
    struct bide__scan scan = {.at = text, .end = text + length};
    if (bide__scan_value(&scan) && (bide__scan_next(&scan) || scan.at < scan.end))
        bide__scan_fail(&scan, "something behind the value");
    if (!scan.reason)
        return 0;
    *ret_offset = (size_t)(scan.at - text);
    *ret_reason = scan.reason;
    return -EBADMSG;
}
