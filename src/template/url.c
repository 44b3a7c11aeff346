/*
 * The literals of a URL in an attribute, and how a value among them is escaped: see html.h. Called
 * by html.c; calls escape.c; pure. Source: RFC 3986 section 4.1, WHATWG URL section 4.4.
 */
#include "template/escape.h"
#include "template/html.h"

/* Nothing behind the comma of a list of URLs has to do with what was before. */
static void begin(struct bide__html *html)
{
    html->url = BIDE__URL_EMPTY | BIDE__URL_HOST;
    html->seen = 0;
    memset(html->scheme, 0, sizeof html->scheme);
}

/* A `/`: in front of a path, or of a host. */
static void take_slash(struct bide__html *html)
{
    bool has_scheme = html->scheme[0] && html->url & BIDE__URL_PAST;
    html->seen++;
    if (html->url & BIDE__URL_EMPTY) {
        html->url |= BIDE__URL_ROOT;
    } else {
        bool is_host = html->url & BIDE__URL_ROOT && html->seen == 2;
        if (!(html->url & (BIDE__URL_OPEN | BIDE__URL_ROOT)) && (!has_scheme || html->seen == 3) &&
            !is_host)
            html->url &= ~(unsigned)BIDE__URL_HOST;
        html->url &= ~(unsigned)BIDE__URL_ROOT;
    }
    html->url &= ~(unsigned)(BIDE__URL_EMPTY | BIDE__URL_OPEN);
    html->url |= BIDE__URL_PAST;
}

const char *bide__html_url_literal(struct bide__html *html, char c)
{
    if (html->attribute == BIDE__HTML_URLS && (bide__html_is_space(c) || c == ',')) {
        begin(html);
        return NULL;
    }
    if (bide__html_is_space(c) && html->url & BIDE__URL_EMPTY)
        return NULL;
    if (c == '/') {
        take_slash(html);
        return NULL;
    }
    if (c == '?' || c == '#') {
        html->url |= BIDE__URL_QUERY | BIDE__URL_PAST;
        html->url &= ~(unsigned)(BIDE__URL_EMPTY | BIDE__URL_OPEN | BIDE__URL_ROOT);
        return NULL;
    }
    if (html->url & BIDE__URL_ROOT) /* `/x`: a path of our own */
        html->url &= ~(unsigned)(c == '\\' ? 0 : BIDE__URL_ROOT | BIDE__URL_HOST);
    if (html->url & BIDE__URL_PAST)
        return NULL;
    if (c == ':') {
        if (html->url & BIDE__URL_OPEN)
            return "a value may not be a part of the scheme of a URL: write the scheme, or let the "
                   "value be the whole URL";
        if (!bide__url_scheme_is_harmless(bide__slice_of(html->scheme)))
            html->url |= BIDE__URL_SCHEME;
        html->url |= BIDE__URL_PAST;
    } else if (c == '&' || c == '\\' || bide__html_is_space(c) || (unsigned char)c < 0x20) {
        html->url |= BIDE__URL_SCHEME; /* an entity, or what browsers leave out */
    } else {
        size_t length = strlen(html->scheme);
        if (length + 1 < sizeof html->scheme)
            html->scheme[length] = bide__ascii_lower(c);
    }
    html->url &= ~(unsigned)BIDE__URL_EMPTY;
    return NULL;
}

const char *bide__html_url_value(struct bide__html *html, enum bide__escape *ret_escape)
{
    if (html->url & BIDE__URL_SCHEME)
        return "a value in a URL whose scheme is not http, https, mailto or tel";
    if (html->attribute == BIDE__HTML_LOADED && html->url & BIDE__URL_HOST)
        return "a value in the URL of what is loaded here (src of <script>, <iframe> ...): it can "
               "only stand behind a path, as in \"/static/{{name}}.js\"";
    if (html->attribute == BIDE__HTML_URLS && html->url & BIDE__URL_EMPTY)
        return "a value at the beginning of a URL in a list of them: write the path before it";
    *ret_escape = html->url & (BIDE__URL_EMPTY | BIDE__URL_OPEN) ? BIDE__ESCAPE_URL
                  : html->url & BIDE__URL_QUERY                  ? BIDE__ESCAPE_URL_QUERY
                  : html->url & BIDE__URL_ROOT                   ? BIDE__ESCAPE_URL_ROOT
                                                                 : BIDE__ESCAPE_URL_PATH;
    if (!(html->url & BIDE__URL_PAST))
        html->url |= BIDE__URL_OPEN;
    html->url &= ~(unsigned)BIDE__URL_EMPTY;
    return NULL;
}
