/*
 * cookie.c: see cookie.h.
 */
#include "http/cookie.h"

#include "http/fields.h"
#include "http/scan.h"

#include <errno.h>

bool bide__cookie_next(struct bide__slice *rest, struct bide__slice *ret_name,
                       struct bide__slice *ret_value)
{
    struct bide__slice pair;
    while (bide__slice_split(rest, ';', &pair)) {
        const char *equals = pair.length ? memchr(pair.bytes, '=', pair.length) : NULL;
        if (!equals)
            continue;
        size_t at = (size_t)(equals - pair.bytes);
        struct bide__slice name = bide__slice_trim(bide__slice(pair.bytes, at));
        struct bide__slice value = bide__slice_trim(bide__slice_from(pair, at + 1));
        if (name.length == 0)
            continue;
        if (value.length >= 2 && *value.bytes == '"' && value.bytes[value.length - 1] == '"')
            value = bide__slice(value.bytes + 1, value.length - 2);
        *ret_name = name;
        *ret_value = value;
        return true;
    }
    return false;
}

/* What is written so far; `length` may go past `room`, where nothing is written any more. */
struct text {
    char *out;
    size_t room, length;
};

static void put(struct text *text, struct bide__slice part)
{
    if (text->length <= text->room && part.length > 0 && part.length <= text->room - text->length)
        memcpy(text->out + text->length, part.bytes, part.length);
    text->length += part.length;
}

static void put_number(struct text *text, int64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    put(text, bide__slice(digits + at, sizeof digits - at));
}

/* Printable ASCII without the semicolon that would begin another attribute. */
static bool is_attribute(struct bide__slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < ' ' || text.bytes[i] > '~' || text.bytes[i] == ';')
            return false;
    return true;
}

static bool begins(struct bide__slice text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length &&
           bide__slice_equal_nocase(bide__slice(text.bytes, length), bide__slice(prefix, length));
}

static bool is_allowed(const struct bide__cookie *cookie)
{
    bool root = cookie->path.length == 0 || bide__slice_equal(cookie->path, bide__slice_of("/"));
    if (!bide__http_is_token(cookie->name) || !is_attribute(cookie->path) ||
        !is_attribute(cookie->domain))
        return false;
    if (cookie->value.length > 0 &&
        !bide__http_all(cookie->value.bytes, cookie->value.length, BIDE__CLASS_COOKIE))
        return false;
    if (begins(cookie->name, "__Host-") &&
        (cookie->over_plain_http || cookie->domain.length > 0 || !root))
        return false;
    return !cookie->over_plain_http ||
           (!begins(cookie->name, "__Secure-") && cookie->same_site != BIDE__SAME_SITE_NONE);
}

int bide__cookie_write(char *out, size_t room, const struct bide__cookie *cookie)
{
    static const char *const same_sites[] = {"; SameSite=Lax", "; SameSite=Strict",
                                             "; SameSite=None"};
    struct text text = {.out = out, .room = room < INT32_MAX ? room : INT32_MAX};
    if (!is_allowed(cookie))
        return -EINVAL;
    put(&text, cookie->name);
    put(&text, bide__slice_of("="));
    put(&text, cookie->value);
    put(&text, bide__slice_of("; Path="));
    put(&text, cookie->path.length ? cookie->path : bide__slice_of("/"));
    if (cookie->domain.length > 0) {
        put(&text, bide__slice_of("; Domain="));
        put(&text, cookie->domain);
    }
    if (cookie->max_age_s != 0) {
        put(&text, bide__slice_of("; Max-Age="));
        put_number(&text, cookie->max_age_s > 0 ? cookie->max_age_s : 0);
    }
    if (!cookie->over_plain_http)
        put(&text, bide__slice_of("; Secure"));
    if (!cookie->for_scripts)
        put(&text, bide__slice_of("; HttpOnly"));
    put(&text, bide__slice_of(same_sites[cookie->same_site]));
    return text.length <= text.room ? (int)text.length : -EMSGSIZE;
}
