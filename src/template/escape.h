/*
 * Values as bytes of a page, escaped for where they stand; what a URL can have in it. Called by
 * render.c, link.c, url.c and web/url_for.c; pure.
 */
#ifndef BIDE_TEMPLATE_ESCAPE_H
#define BIDE_TEMPLATE_ESCAPE_H

#include "base/out.h"
#include "template/template.h"

/* A text as it is escaped; bytes that are not UTF-8 become U+FFFD. */
void bide__out_text(struct bide__out *out, enum bide__escape escape, const char *text,
                    size_t length);
void bide__out_html(struct bide__out *out, const char *text, size_t length);

/* Whether a path can have the text as the value of a parameter: "" would make it another path, and
   browsers take `.` and `..` away (RFC 3986 5.2.4). `is_rest`: one of many segments, which has
   neither of the two in it. */
bool bide__url_part_fits(struct bide__slice text, bool is_rest);

/* Whether a URL of this scheme may be one of a page: it runs nothing. */
bool bide__url_scheme_is_harmless(struct bide__slice scheme);

#endif
