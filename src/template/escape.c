/*
 * What a value becomes where it stands: entities, percent-encoding, the schemes of URLs. See
 * escape.h. Sources: WHATWG HTML section 13.3, RFC 3986 sections 2 and 3.
 */
#include "template/escape.h"

#include "base/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* ---- text ---- */

/* Neither an entity nor a part of a character above 0x7f. */
static inline bool is_plain(char c)
{
    return (unsigned char)c < 0x80 && c != '&' && c != '<' && c != '>' && c != '"' && c != '\'';
}

/* The first byte that is not plain, or `end`. */
static inline const char *plain_end(const char *at, const char *end)
{
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* & and ', < and > differ in one bit. The sign says 0x80. */
        __m128i marks = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(1)), _mm_set1_epi8('\'')),
                         _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(2)), _mm_set1_epi8('>'))),
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), bytes));
        unsigned special = (unsigned)_mm_movemask_epi8(marks);
        if (special)
            return at + __builtin_ctz(special);
    }
#endif
    while (at < end && is_plain(*at))
        at++;
    return at;
}

static void put_entity(struct bide__out *out, char c)
{
    switch (c) {
    case '&':
        bide__out_put(out, "&amp;", 5);
        break;
    case '<':
        bide__out_put(out, "&lt;", 4);
        break;
    case '>':
        bide__out_put(out, "&gt;", 4);
        break;
    case '"':
        bide__out_put(out, "&quot;", 6);
        break;
    default:
        bide__out_put(out, "&#39;", 5);
        break;
    }
}

/* What is valid, and U+FFFD for each byte that is not. */
static void put_raw(struct bide__out *out, const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    while (at < end) {
        size_t valid = bide__utf8_prefix(at, (size_t)(end - at));
        bide__out_put(out, at, valid);
        at += valid;
        if (at < end) {
            bide__out_put(out, "\xef\xbf\xbd", 3);
            at++;
        }
    }
}

/* The run of bytes above 0x7f at `at`. Gives where it ends. */
static const char *put_run(struct bide__out *out, const char *at, const char *end)
{
    const char *run_end = at;
    while (run_end < end && (unsigned char)*run_end >= 0x80)
        run_end++;
    put_raw(out, at, (size_t)(run_end - at));
    return run_end;
}

void bide__out_html(struct bide__out *out, const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    while (at < end) {
        const char *stop = plain_end(at, end);
        bide__out_put(out, at, (size_t)(stop - at));
        at = stop;
        if (at == end)
            break;
        if ((unsigned char)*at >= 0x80)
            at = put_run(out, at, end);
        else
            put_entity(out, *at++);
    }
}

/* ---- URLs ---- */

/* Whether a byte stays as it is: in a whole URL all that may stand in one, in a path no delimiter
   of others, in a query only what has no meaning. `&` and `'` are none: they become entities. */
static inline bool is_kept(enum bide__escape escape, char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
        return true;
    case '/':
    case '@':
    case '+':
    case '=':
    case '$':
    case '!':
    case '*':
        return escape != BIDE__ESCAPE_URL_QUERY;
    case ':':
    case '?':
    case '#':
    case '[':
    case ']':
    case '(':
    case ')':
    case ',':
    case ';':
    case '%':
        return escape == BIDE__ESCAPE_URL;
    default:
        return false;
    }
}

bool bide__url_scheme_is_harmless(struct bide__slice scheme)
{
    static const char *const schemes[] = {"http", "https", "mailto", "tel"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (bide__slice_equal_nocase(scheme, bide__slice_of(schemes[i])))
            return true;
    return false;
}

/* Whether a URL is relative, or of a scheme that runs nothing. */
static bool is_harmless(const char *text, size_t length)
{
    size_t colon = 0;
    while (colon < length && !strchr(":/?#", text[colon]))
        colon++;
    return colon == length || text[colon] != ':' ||
           bide__url_scheme_is_harmless(bide__slice(text, colon));
}

bool bide__url_part_fits(struct bide__slice text, bool is_rest)
{
    struct bide__slice rest = text, segment;
    if (!is_rest && (text.length == 0 || memchr(text.bytes, '/', text.length)))
        return text.length > 0; /* its slashes are encoded */
    while (bide__slice_split(&rest, '/', &segment))
        if (bide__slice_equal(segment, bide__slice(".", 1)) ||
            bide__slice_equal(segment, bide__slice("..", 2)))
            return false;
    return true;
}

static void put_percent(struct bide__out *out, const char *bytes, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++) {
        char encoded[3] = {'%', digits[(unsigned char)bytes[i] >> 4], digits[bytes[i] & 15]};
        bide__out_put(out, encoded, 3);
    }
}

/* One character that does not stay as it is; gives where it ends. */
static const char *put_changed(struct bide__out *out, enum bide__escape escape, const char *at,
                               const char *end)
{
    unsigned char c = (unsigned char)*at;
    size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (escape == BIDE__ESCAPE_URL && (c == '&' || c == '\'')) {
        put_entity(out, *at);
    } else if (c >= 0x80 && (size > (size_t)(end - at) || !bide__utf8_valid(at, size))) {
        put_percent(out, "\xef\xbf\xbd", 3);
        size = 1;
    } else {
        put_percent(out, at, size);
    }
    return at + size;
}

static void put_url(struct bide__out *out, enum bide__escape escape, const char *text,
                    size_t length)
{
    const char *at = text, *end = text + length;
    if (escape == BIDE__ESCAPE_URL && !is_harmless(text, length)) {
        bide__out_put(out, "about:invalid", 13);
        return;
    }
    if (escape == BIDE__ESCAPE_URL_ROOT && length && *at == '/')
        put_percent(out, at++, 1);
    while (at < end) {
        const char *run = at;
        while (at < end && is_kept(escape, *at))
            at++;
        bide__out_put(out, run, (size_t)(at - run));
        if (at < end)
            at = put_changed(out, escape, at, end);
    }
}

void bide__out_text(struct bide__out *out, enum bide__escape escape, const char *text,
                    size_t length)
{
    if (escape == BIDE__ESCAPE_HTML)
        bide__out_html(out, text, length);
    else if (escape == BIDE__ESCAPE_NONE)
        put_raw(out, text, length);
    else
        put_url(out, escape, text, length);
}
