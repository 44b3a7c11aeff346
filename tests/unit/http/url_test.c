/*
 * Percent-encoding, the normal form of paths, queries.
 */
#include "feed.h"

#include "base/rng.h"
#include "http/url.h"

#include <errno.h>

/* The decoded text, or "refused". In place and into another buffer must agree. */
static const char *decoded(const char *text, enum bide__url_plus plus)
{
    static char out[256];
    char in_place[256];
    size_t length = 0, length_in_place = 0;
    int code = bide__url_decode(bide__slice_of(text), plus, out, &length);
    memcpy(in_place, text, strlen(text));
    check_int(
        bide__url_decode(bide__slice(in_place, strlen(text)), plus, in_place, &length_in_place),
        code);
    if (code < 0)
        return "refused";
    check_int(length, length_in_place);
    check_mem(in_place, out, length);
    out[length] = '\0';
    return out;
}

TEST_PLAIN(decoding_is_strict)
{
    check_str(decoded("", BIDE__URL_PLUS), "");
    check_str(decoded("abc", BIDE__URL_PLUS), "abc");
    check_str(decoded("a%20b%2Fc%2fd", BIDE__URL_PLUS), "a b/c/d");
    check_str(decoded("%41%5a%7E", BIDE__URL_PLUS), "AZ~");
    check_str(decoded("a+b", BIDE__URL_PLUS), "a+b");
    check_str(decoded("a+b%2B", BIDE__URL_PLUS_SPACE), "a b+");
    check_str(decoded("%C3%A9", BIDE__URL_PLUS), "\xC3\xA9");
    check_str(decoded("%2541", BIDE__URL_PLUS), "%41"); /* once, not twice */
    static const char *const bad[] = {"%",   "a%",  "%4",  "%g0",   "%0g",   "%%",
                                      "%+1", "% 1", "%00", "a%00b", "%u0041"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_str(decoded(bad[i], BIDE__URL_PLUS_SPACE), "refused");
}

static const char *normalised(const char *path)
{
    static char out[256];
    char *copy = copy_of(path, strlen(path)), *small = copy_of(path, strlen(path));
    size_t length = 12345;
    int code = bide__url_normalise(bide__slice(copy, strlen(path)), small, &length);
    check_int(length == 12345, code < 0);
    if (code == 0)
        memcpy(out, small, length);
    free(small);
    free(copy);
    if (code < 0)
        return code == -EINVAL ? "refused" : "?";
    out[length] = '\0';
    return out;
}

TEST_PLAIN(normal_form_of_a_path)
{
    static const char *const rows[][2] = {
        {"/", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"/a/b", "/a/b"},
        {"/a//b", "/a//b"},
        {"//", "//"},
        {"/a%20b", "/a b"},
        {"/%61%62", "/ab"},
        {"/%C3%A9", "/\xC3\xA9"},
        {"/a+b", "/a+b"},
        {"/a%2Fb", "/a%2Fb"},
        {"/a%2fb", "/a%2Fb"},
        {"/a%25b", "/a%25b"},
        {"/a%252Fb", "/a%252Fb"},
        {"/a%3Fb", "/a?b"},
        {"/.", "/"},
        {"/./", "/"},
        {"/..", "/"},
        {"/../", "/"},
        {"/../../a", "/a"},
        {"/a/.", "/a/"},
        {"/a/..", "/"},
        {"/a/../", "/"},
        {"/a/../b", "/b"},
        {"/a/./b", "/a/b"},
        {"/a/b/../../c", "/c"},
        {"/a/b/c/./../../g", "/a/g"}, /* RFC 3986 5.2.4 */
        {"/mid/content=5/../6", "/mid/6"},
        {"/a//..", "/a/"},
        {"/a/%2e%2E/b", "/b"},
        {"/a/.%2e/b", "/b"},
        {"/a/%2e/b", "/a/b"},
        {"/a/%252e%252e/b", "/a/%252e%252e/b"},
        {"/a/..%2Fb", "/a/..%2Fb"}, /* one segment: no way up */
        {"/...", "/..."},
        {"/.a", "/.a"},
        {"/a..", "/a.."},
        {"/a\\..\\b", "/a\\..\\b"},
        {"", "refused"},
        {"a", "refused"},
        {"*", "refused"},
        {"/%00", "refused"},
        {"/a%0", "refused"},
        {"/%zz", "refused"},
        {"/%FF", "refused"},
        {"/%C0%AE%C0%AE/", "refused"}, /* an overlong ".." */
        {"/%ED%A0%80", "refused"},
        {"/%C3/%A9", "refused"}, /* a character cut by a slash */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!check_str(normalised(rows[i][0]), rows[i][1]))
            fprintf(stderr, "path %s\n", rows[i][0]);
    size_t length;
    char out[8];
    check_int(bide__url_normalise(bide__slice("/a\0b", 4), out, &length), -EINVAL);
}

/* A normal form has no dot segments, and stays what it is when it is normalised again. */
TEST_PLAIN(normal_forms_are_normal)
{
    static const char *const parts[] = {"/", "..", ".", "a", "%2e", "%2F", "%25", "%41", "b/"};
    struct bide__rng rng;
    bide__rng_init(&rng, 3986);
    for (int i = 0; i < 20000; i++) {
        char path[128] = "/", once[256];
        for (uint64_t left = bide__rng_below(&rng, 12); left > 0; left--)
            strcat(path, parts[bide__rng_below(&rng, sizeof parts / sizeof parts[0])]);
        snprintf(once, sizeof once, "%s", normalised(path));
        require(once[0] == '/');
        struct bide__slice rest = bide__slice_of(once), segment;
        while (bide__url_segment_next(&rest, &segment)) {
            check(!bide__slice_equal(segment, bide__slice_of(".")));
            check(!bide__slice_equal(segment, bide__slice_of("..")));
        }
        if (!check_str(normalised(once), once))
            fprintf(stderr, "path %s\n", path);
    }
}

TEST_PLAIN(segments_of_a_path)
{
    struct bide__slice rest = bide__slice_of("/a//b%2Fc/"), segment;
    static const char *const expected[] = {"a", "", "b%2Fc", ""};
    for (int i = 0; i < 4; i++) {
        require(bide__url_segment_next(&rest, &segment));
        check(bide__slice_equal(segment, bide__slice_of(expected[i])));
    }
    check(!bide__url_segment_next(&rest, &segment));
}

static const char *pairs_of(const char *query)
{
    static struct trace trace;
    trace.length = 0;
    trace.text[0] = '\0';
    struct bide__slice rest = bide__slice_of(query), name, value;
    while (bide__url_pair_next(&rest, &name, &value)) {
        note(&trace, "<");
        note_bytes(&trace, name.bytes, name.length);
        note(&trace, "|");
        note_bytes(&trace, value.bytes, value.length);
        note(&trace, ">");
    }
    return trace.text;
}

TEST_PLAIN(pairs_of_a_query)
{
    check_str(pairs_of(""), "");
    check_str(pairs_of("a=1&b=2"), "<a|1><b|2>");
    check_str(pairs_of("a=1&a=2&A=3"), "<a|1><a|2><A|3>");
    check_str(pairs_of("a"), "<a|>");
    check_str(pairs_of("a&b="), "<a|><b|>");
    check_str(pairs_of("=1"), "<|1>");
    check_str(pairs_of("&&a=1&&"), "<a|1>");
    check_str(pairs_of("a=b=c"), "<a|b=c>");
    check_str(pairs_of("a=1;b=2"), "<a|1;b=2>");
    check_str(pairs_of("a%3Db=%26"), "<a%3Db|%26>");
}

TEST_PLAIN(what_is_encoded_is_decoded_again)
{
    char all[255], out[3 * 255], back[3 * 255];
    size_t length;
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    for (int plus = 0; plus < 2; plus++) {
        size_t size =
            bide__url_encode(bide__slice(all, sizeof all), (enum bide__url_plus)plus, out);
        require(bide__url_decode(bide__slice(out, size), (enum bide__url_plus)plus, back,
                                 &length) == 0);
        require(length == sizeof all);
        check_mem(back, all, length);
    }
    size_t size = bide__url_encode(bide__slice_of("a b/\xC3\xA9~"), BIDE__URL_PLUS, out);
    check_int(size, 15);
    check_mem(out, "a%20b%2F%C3%A9~", 15);
    size = bide__url_encode(bide__slice_of("a b+"), BIDE__URL_PLUS_SPACE, out);
    check_int(size, 6);
    check_mem(out, "a+b%2B", 6);
}
