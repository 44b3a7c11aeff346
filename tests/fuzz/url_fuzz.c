/*
 * Paths, queries, cookies, parameters, dates and ranges, all of which are small: see README.md.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "http/cookie.h"
#include "http/date.h"
#include "http/fields.h"
#include "http/range.h"
#include "http/url.h"

static void check_path(struct bide__slice path)
{
    char *once = copy_of(path.bytes, path.length), *twice;
    size_t length, same;
    if (bide__url_normalise(path, once, &length) == 0) {
        promise(length > 0 && length <= path.length && once[0] == '/');
        promise(bide__utf8_valid(once, length) && !memchr(once, '\0', length));
        twice = copy_of(once, length);
        promise(bide__url_normalise(bide__slice(once, length), twice, &same) == 0);
        promise(same == length && memcmp(once, twice, length) == 0);
        struct bide__slice rest = bide__slice(once, length), segment;
        while (bide__url_segment_next(&rest, &segment)) {
            promise(!bide__slice_equal(segment, bide__slice_of(".")));
            promise(!bide__slice_equal(segment, bide__slice_of("..")));
        }
        free(twice);
    }
    free(once);
}

static void check_coding(struct bide__slice text)
{
    char *encoded = malloc(3 * text.length + 1), *decoded = malloc(3 * text.length + 1);
    promise(encoded && decoded);
    for (int plus = 0; plus < 2; plus++) {
        enum bide__url_plus kind = (enum bide__url_plus)plus;
        size_t length = bide__url_encode(text, kind, encoded), back;
        int code = bide__url_decode(bide__slice(encoded, length), kind, decoded, &back);
        bool nul = text.length > 0 && memchr(text.bytes, '\0', text.length);
        promise((code == 0) == !nul);
        promise(code < 0 || (back == text.length && memcmp(decoded, text.bytes, back) == 0));
        if (bide__url_decode(text, kind, decoded, &back) == 0)
            promise(back <= text.length);
    }
    free(encoded);
    free(decoded);
}

static void check_ranges(struct bide__slice text)
{
    static const uint64_t sizes[] = {0, 1, 100, (uint64_t)5 << 30};
    struct bide__http_range all[BIDE_CAP_HTTP_RANGES];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int count = bide__http_ranges(text, sizes[i], all);
        promise(count >= BIDE__HTTP_RANGE_NONE && count <= BIDE_CAP_HTTP_RANGES);
        for (int a = 0; a < count; a++) {
            promise(all[a].length > 0 && all[a].first < sizes[i]);
            promise(all[a].length <= sizes[i] - all[a].first);
            for (int b = 0; b < a; b++)
                promise(all[a].first > all[b].first + all[b].length ||
                        all[b].first > all[a].first + all[a].length);
        }
    }
}

static void check_slice(struct bide__slice whole, struct bide__slice part)
{
    promise(part.length == 0 ||
            (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length));
}

static void check_lists(struct bide__slice text)
{
    struct bide__slice rest = text, name, value;
    while (bide__url_pair_next(&rest, &name, &value)) {
        check_slice(text, name);
        check_slice(text, value);
    }
    for (rest = text; bide__cookie_next(&rest, &name, &value);) {
        promise(name.length > 0);
        check_slice(text, name);
        check_slice(text, value);
        char out[256];
        struct bide__cookie cookie = {.name = name, .value = value, .path = name, .domain = value};
        int length = bide__cookie_write(out, sizeof out, &cookie);
        for (int i = 0; i < length; i++)
            promise(out[i] >= ' ' && out[i] <= '~');
    }
    struct bide__http_param param;
    for (rest = text; bide__http_param_next(&rest, &param) > 0;) {
        check_slice(text, param.name);
        check_slice(text, param.value);
        char out[256];
        int length = bide__http_field_write(out, sizeof out, param.name, param.value);
        promise(length < 0 || memchr(out, '\n', (size_t)length) == out + length - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *copy = copy_of((const char *)data + 1, size - 1);
    struct bide__slice text = bide__slice(copy, size - 1);
    check_path(text);
    check_coding(text);
    check_ranges(text);
    check_lists(text);
    bide__http_is_host(text);
    int64_t unix_s, again;
    if (bide__http_date_parse(text, 0, &unix_s) == 0) {
        char out[BIDE__HTTP_DATE_BYTES];
        bide__http_date_format(unix_s, out);
        promise(bide__http_date_parse(bide__slice_of(out), 0, &again) == 0 && again == unix_s);
    }
    free(copy);
    return 0;
}
