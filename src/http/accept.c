/*
 * Quality values. See accept.h. Called by web/gzip.c, web/files.c and web/error_page.c; calls
 * fields.c.
 */
#include "http/accept.h"

#include "http/fields.h"

/* qvalue: "0" or "1" with at most three digits behind a point, RFC 9110 12.4.2. -1: none. */
static int qvalue(struct bide__slice text)
{
    static const int weights[] = {100, 10, 1};
    if (text.length == 0 || text.length > 5 || (text.bytes[0] != '0' && text.bytes[0] != '1') ||
        (text.length > 1 && text.bytes[1] != '.'))
        return -1;
    int value = (text.bytes[0] - '0') * 1000;
    for (size_t i = 2; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return -1;
        value += (text.bytes[i] - '0') * weights[i - 2];
    }
    return value > 1000 ? -1 : value;
}

/* The weight of an element whose name was taken off: 1000 without a `q`. */
static int weight(struct bide__slice parameters)
{
    struct bide__http_param param;
    int result, value = 1000;
    while ((result = bide__http_param_next(&parameters, &param)) > 0)
        if (bide__slice_equal_nocase(param.name, bide__slice("q", 1)))
            value = qvalue(param.value);
    return result < 0 || value < 0 ? 0 : value;
}

/* Takes the name and the weight of an element. */
static struct bide__slice name_of(struct bide__slice element, int *ret_weight)
{
    const char *semicolon = memchr(element.bytes, ';', element.length);
    size_t length = semicolon ? (size_t)(semicolon - element.bytes) : element.length;
    *ret_weight = weight(bide__slice_from(element, length));
    return bide__slice_trim(bide__slice(element.bytes, length));
}

int bide__http_quality(struct bide__slice list, const char *name)
{
    const struct bide__slice x = bide__slice("x-", 2); /* x-gzip is gzip, RFC 9110 8.4.1.3 */
    struct bide__slice element;
    int named = -1, any = -1;
    while (bide__http_list_next(&list, &element)) {
        int value;
        struct bide__slice own = name_of(element, &value);
        if (own.length > 2 && bide__slice_equal_nocase(bide__slice(own.bytes, 2), x))
            own = bide__slice_from(own, 2);
        if (bide__slice_equal_nocase(own, bide__slice_of(name)))
            named = value > named ? value : named;
        else if (bide__slice_equal(own, bide__slice("*", 1)))
            any = value;
    }
    return named >= 0 ? named : any;
}

bool bide__http_takes_gzip(struct bide__slice accept_encoding)
{
    int gzip = bide__http_quality(accept_encoding, "gzip");
    int plain = bide__http_quality(accept_encoding, "identity");
    return gzip > 0 && gzip >= plain;
}

/* How special a range is: 3 is the type itself, 2 all of its first part, 1 all types; 0: it does
   not cover the type. */
static int coverage(struct bide__slice range, const char *type)
{
    const char *slash = strchr(type, '/');
    size_t major = (size_t)(slash - type) + 1;
    if (bide__slice_equal_nocase(range, bide__slice_of(type)))
        return 3;
    if (range.length == major + 1 && range.bytes[major] == '*' &&
        bide__slice_equal_nocase(bide__slice(range.bytes, major), bide__slice(type, major)))
        return 2;
    return bide__slice_equal(range, bide__slice("*/*", 3)) ? 1 : 0;
}

/* How welcome a media type such as "text/html" is to an Accept field (12.5.1), as
 * bide__http_quality: the most special range that covers it counts. Parameters of ranges are not
 * looked at. */
static int media_quality(struct bide__slice accept, const char *type)
{
    struct bide__slice element;
    int most = 0, quality = -1;
    while (bide__http_list_next(&accept, &element)) {
        int value;
        struct bide__slice range = name_of(element, &value);
        int covers = coverage(range, type);
        if (covers == 0 || covers < most)
            continue;
        quality = covers == most && quality > value ? quality : value;
        most = covers;
    }
    return quality;
}

bool bide__http_prefers_page(struct bide__slice accept)
{
    int page = media_quality(accept, "text/html");
    return page > 0 && page > media_quality(accept, "application/json") &&
           page > media_quality(accept, "application/problem+json");
}
