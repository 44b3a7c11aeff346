/*
 * The Range field. See range.h. Called by web/content.c.
 */
#include "http/range.h"

#include "http/fields.h"

#include <errno.h>

/* Digits only, all of them; what is larger than any file is as large as can be. */
static int read_number(struct bide__slice text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.length == 0)
        return -EINVAL;
    for (size_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned)(text.bytes[i] - '0');
        if (digit > 9)
            return -EINVAL;
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)digit, &number))
            number = UINT64_MAX / 16; /* once more by ten does not overflow */
    }
    *ret_number = number;
    return 0;
}

/* `first-last`, `first-` or `-last so many`. Its length is 0 if none of it is there. -EINVAL. */
static int read_range(struct bide__slice text, uint64_t size, struct bide__http_range *ret_range)
{
    const char *dash = text.length ? memchr(text.bytes, '-', text.length) : NULL;
    uint64_t first = 0, last = UINT64_MAX;
    if (!dash)
        return -EINVAL;
    struct bide__slice before = bide__slice(text.bytes, (size_t)(dash - text.bytes));
    struct bide__slice behind = bide__slice_from(text, before.length + 1);
    if (before.length == 0) {
        if (read_number(behind, &last) < 0)
            return -EINVAL;
        uint64_t length = last < size ? last : size;
        *ret_range = (struct bide__http_range){size - length, length};
        return 0;
    }
    if (read_number(before, &first) < 0 || (behind.length > 0 && read_number(behind, &last) < 0) ||
        last < first)
        return -EINVAL;
    if (last >= size)
        last = size - 1;
    *ret_range = (struct bide__http_range){first, first < size ? last - first + 1 : 0};
    return 0;
}

static bool touch(const struct bide__http_range *a, const struct bide__http_range *b)
{
    return a->first <= b->first + b->length && b->first <= a->first + a->length;
}

/* Adds one; those that it touches become part of it, at the place of the first of them. */
static int add(struct bide__http_range *ranges, int count, struct bide__http_range one)
{
    int place = count;
    for (int i = 0; i < count;) {
        const struct bide__http_range other = ranges[i];
        if (!touch(&other, &one)) {
            i++;
            continue;
        }
        uint64_t end = one.first + one.length, other_end = other.first + other.length;
        one.first = other.first < one.first ? other.first : one.first;
        one.length = (other_end > end ? other_end : end) - one.first;
        count--;
        memmove(&ranges[i], &ranges[i + 1], (size_t)(count - i) * sizeof *ranges);
        place = i < place ? i : place;
        i = 0; /* it has grown, and may touch one that it did not */
    }
    memmove(&ranges[place + 1], &ranges[place], (size_t)(count - place) * sizeof *ranges);
    ranges[place] = one;
    return count + 1;
}

int bide__http_ranges(struct bide__slice value, uint64_t size,
                      struct bide__http_range ranges[BIDE_CAP_HTTP_RANGES])
{
    static const char unit[] = "bytes=";
    struct bide__slice rest = bide__slice_trim(value), element;
    int count = 0, asked = 0;
    if (size == 0 || rest.length < sizeof unit - 1 ||
        !bide__slice_equal_nocase(bide__slice(rest.bytes, sizeof unit - 1), bide__slice_of(unit)))
        return BIDE__HTTP_RANGE_WHOLE;
    rest = bide__slice_from(rest, sizeof unit - 1);
    while (bide__http_list_next(&rest, &element)) {
        struct bide__http_range one;
        if (++asked > BIDE_CAP_HTTP_RANGES || read_range(element, size, &one) < 0)
            return BIDE__HTTP_RANGE_WHOLE;
        if (one.length > 0)
            count = add(ranges, count, one);
    }
    return count > 0 ? count : asked > 0 ? BIDE__HTTP_RANGE_NONE : BIDE__HTTP_RANGE_WHOLE;
}
