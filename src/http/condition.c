/*
 * Conditions of requests. See condition.h. Called by web/files.c; calls date.c.
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

static bool is_in(struct bide__slice list, const char *tag)
{
    struct bide__slice one, own = opaque(bide__slice_of(tag));
    if (bide__slice_equal(bide__slice_trim(list), bide__slice("*", 1)))
        return true;
    while (next_tag(&list, &one))
        if (bide__slice_equal(opaque(one), own))
            return true;
    return false;
}

bool bide__http_not_modified(const struct bide__http_condition *condition, const char *tag,
                             int64_t modified_s, int64_t now_s)
{
    int64_t since_s;
    if (condition->if_none_match.bytes)
        return is_in(condition->if_none_match, tag);
    return condition->if_modified_since.bytes &&
           bide__http_date_parse(condition->if_modified_since, now_s, &since_s) == 0 &&
           modified_s <= since_s;
}
