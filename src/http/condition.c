/*
 * Conditions of requests. See condition.h. Calls date.c.
 */
#include "http/condition.h"

#include "http/date.h"

/* The opaque part of a tag: with its quotes, without `W/`. */
static struct bide__slice opaque(struct bide__slice tag)
{
    bool weak = tag.length > 2 && tag.bytes[0] == 'W' && tag.bytes[1] == '/';
    return bide__slice_from(tag, weak ? 2 : 0);
}

/* Takes the next tag off a list. A tag may hold commas, so its quotes are looked for. */
static bool next_tag(struct bide__slice *rest, struct bide__slice *ret_tag)
{
    while (rest->length > 0 && (*rest->bytes == ',' || *rest->bytes == ' ' || *rest->bytes == '\t'))
        *rest = bide__slice_from(*rest, 1);
    const char *open = rest->length > 0 ? memchr(rest->bytes, '"', rest->length) : NULL;
    if (!open)
        return false;
    size_t before = (size_t)(open - rest->bytes);
    const char *close = memchr(open + 1, '"', rest->length - before - 1);
    if (!close)
        return false;
    *ret_tag = bide__slice(rest->bytes, (size_t)(close - rest->bytes) + 1);
    *rest = bide__slice_from(*rest, ret_tag->length);
    return true;
}

static bool is_strong(const char *tag)
{
    return *tag == '"';
}

/* Whether the tag, or every one, is in the list. Strongly: `W/"x"` is neither `"x"` nor itself (RFC
 * 9110 8.8.3.2). */
static bool is_in(struct bide__slice list, const char *tag, bool strongly)
{
    struct bide__slice one, own = bide__slice_of(tag);
    if (bide__slice_equal(bide__slice_trim(list), bide__slice("*", 1)))
        return true;
    if (strongly && !is_strong(tag))
        return false;
    while (next_tag(&list, &one))
        if (bide__slice_equal(strongly ? one : opaque(one), strongly ? own : opaque(own)))
            return true;
    return false;
}

static const char *tag_of(const struct bide__http_condition *condition, const char *tag)
{
    return condition->own_tag ? condition->own_tag : tag;
}

static int64_t time_of(const struct bide__http_condition *condition, int64_t modified_s)
{
    return condition->is_own_time ? condition->own_modified_s : modified_s;
}

bool bide__http_not_modified(const struct bide__http_condition *condition, const char *tag,
                             int64_t modified_s, int64_t now_s)
{
    int64_t since_s;
    if (condition->if_none_match.bytes)
        return is_in(condition->if_none_match, tag_of(condition, tag), false);
    return condition->if_modified_since.bytes &&
           bide__http_date_parse(condition->if_modified_since, now_s, &since_s) == 0 &&
           time_of(condition, modified_s) <= since_s;
}

int bide__http_precondition(const struct bide__http_condition *condition, const char *tag,
                            int64_t modified_s, int64_t now_s)
{
    int64_t since_s;
    if (condition->if_match.bytes) {
        if (!is_in(condition->if_match, tag_of(condition, tag), true))
            return 412;
    } else if (condition->if_unmodified_since.bytes &&
               bide__http_date_parse(condition->if_unmodified_since, now_s, &since_s) == 0 &&
               time_of(condition, modified_s) > since_s) {
        return 412;
    }
    return bide__http_not_modified(condition, tag, modified_s, now_s) ? 304 : 0;
}

bool bide__http_range_holds(const struct bide__http_condition *condition, const char *tag,
                            int64_t modified_s, int64_t now_s)
{
    struct bide__slice value = bide__slice_trim(condition->if_range);
    int64_t then_s;
    if (!condition->if_range.bytes)
        return true;
    if (value.length > 0 && memchr(value.bytes, '"', value.length))
        return is_strong(tag_of(condition, tag)) &&
               bide__slice_equal(value, bide__slice_of(tag_of(condition, tag)));
    return bide__http_date_parse(value, now_s, &then_s) == 0 &&
           then_s == time_of(condition, modified_s);
}
