/*
 * What a value becomes where it stands, byte by byte.
 */
#include "template/escape.h"

#include <bide/test.h>
#include <errno.h>
#include <stdio.h>

static const char *escaped(enum bide__escape escape, const char *text)
{
    static char result[65536];
    bide_buf buf;
    bide_buf_init(&buf, sizeof result - 1);
    struct bide__out out = {.buf = &buf};
    bide__out_text(&out, escape, text, strlen(text));
    bide__out_flush(&out);
    memcpy(result, bide_buf_str(&buf), bide_buf_length(&buf) + 1);
    bide_buf_done(&buf);
    return result;
}

static const struct {
    enum bide__escape escape;
    const char *text, *expected;
} table[] = {
    {BIDE__ESCAPE_NONE, "<&>\"'\xff", "<&>\"'\xef\xbf\xbd"},
    {BIDE__ESCAPE_HTML, "", ""},
    {BIDE__ESCAPE_HTML, "<&>\"'", "&lt;&amp;&gt;&quot;&#39;"},
    {BIDE__ESCAPE_HTML, "no special in more than sixteen bytes",
     "no special in more than sixteen bytes"},
    {BIDE__ESCAPE_HTML, "the last of sixteen bytes is a <", "the last of sixteen bytes is a &lt;"},
    {BIDE__ESCAPE_HTML, "%=?!#(:;\x7f\x01\n", "%=?!#(:;\x7f\x01\n"},
    {BIDE__ESCAPE_HTML, "é한국어中文😀", "é한국어中文😀"},
    {BIDE__ESCAPE_HTML, "a\xc3<\xe2\x82<\xed\xa0\x80",
     "a\xef\xbf\xbd&lt;\xef\xbf\xbd\xef\xbf\xbd&lt;"
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {BIDE__ESCAPE_URL, "https://a.example:80/b?c=d&e='f'#g",
     "https://a.example:80/b?c=d&amp;e=&#39;f&#39;#g"},
    {BIDE__ESCAPE_URL, "/é?a=中文&b", "/%C3%A9?a=%E4%B8%AD%E6%96%87&amp;b"},
    {BIDE__ESCAPE_URL, "/%41 %zz\\\"<>`", "/%41%20%zz%5C%22%3C%3E%60"},
    {BIDE__ESCAPE_URL, "HTTPS://x", "HTTPS://x"},
    {BIDE__ESCAPE_URL, "mailto:a@b", "mailto:a@b"},
    {BIDE__ESCAPE_URL, "tel:+49", "tel:+49"},
    {BIDE__ESCAPE_URL, "ftp://x", "about:invalid"},
    {BIDE__ESCAPE_URL, "javascript:x", "about:invalid"},
    {BIDE__ESCAPE_URL, "\tjavascript:x", "about:invalid"},
    {BIDE__ESCAPE_URL, "java\nscript:x", "about:invalid"},
    {BIDE__ESCAPE_URL, "httpsx:x", "about:invalid"},
    {BIDE__ESCAPE_URL, ":x", "about:invalid"},
    {BIDE__ESCAPE_URL, "a/b:c", "a/b:c"},
    {BIDE__ESCAPE_URL, "?javascript:x", "?javascript:x"},
    {BIDE__ESCAPE_URL, "\xff", "%EF%BF%BD"},
    {BIDE__ESCAPE_URL, "a\xe2\x82", "a%EF%BF%BD%EF%BF%BD"},
    {BIDE__ESCAPE_URL_PATH, "/a/b c?d#e:f&g", "/a/b%20c%3Fd%23e%3Af%26g"},
    {BIDE__ESCAPE_URL_PATH, "a@b.example", "a@b.example"},
    {BIDE__ESCAPE_URL_ROOT, "//a/b", "%2F/a/b"},
    {BIDE__ESCAPE_URL_ROOT, "\\a", "%5Ca"},
    {BIDE__ESCAPE_URL_QUERY, "a/b?c=d&e+f", "a%2Fb%3Fc%3Dd%26e%2Bf"},
};

TEST_PLAIN(values)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check_str(escaped(table[i].escape, table[i].text), table[i].expected);
}

/* Each byte at each place around a step of sixteen, against what it must become. */
TEST_PLAIN(every_byte_at_every_place)
{
    for (int c = 1; c < 0x80; c++)
        for (size_t length = 1; length < 40; length++)
            for (size_t at = 0; at < length; at++) {
                char text[64], expected[128];
                const char *entity = c == '<'    ? "&lt;"
                                     : c == '>'  ? "&gt;"
                                     : c == '&'  ? "&amp;"
                                     : c == '"'  ? "&quot;"
                                     : c == '\'' ? "&#39;"
                                                 : (const char[]){(char)c, 0};
                memset(text, 'x', length);
                text[length] = '\0';
                text[at] = (char)c;
                snprintf(expected, sizeof expected, "%.*s%s%s", (int)at, text, entity,
                         text + at + 1);
                if (strcmp(escaped(BIDE__ESCAPE_HTML, text), expected) != 0)
                    check_str(escaped(BIDE__ESCAPE_HTML, text), expected);
            }
}

TEST_PLAIN(a_full_buffer)
{
    for (size_t cap = 1; cap < 40; cap++) {
        bide_buf buf;
        bide_buf_init(&buf, cap);
        struct bide__out out = {.buf = &buf};
        bide__out_text(&out, BIDE__ESCAPE_HTML, "twenty bytes of text", 20);
        bide__out_text(&out, BIDE__ESCAPE_URL, "<<<<<", 5);
        bide__out_flush(&out);
        check_int(bide_buf_error(&buf), cap < 35 ? -EMSGSIZE : 0);
        check_int(bide_buf_length(&buf), cap < 35 ? 0 : 35);
        bide_buf_done(&buf);
    }
}
