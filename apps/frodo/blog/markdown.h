/*
 * Markdown (CommonMark with tables, ~~deleted~~, task lists and bare links) as HTML that is safe in
 * a page, and as plain text.
 *
 * HTML in the source is text. A link goes to http, https, mailto, tel or a place of this site, an
 * image comes from this site; other links keep their words only. An image of http or https is a
 * link that says its host, "a rose (picture: example.org)": browsers ask no other host on their
 * own, which would tell it who reads what, and the content policy forbids it. Headings begin at
 * <h2>, since the page has the <h1>, and leave no level out: how deep one stands counts, not the
 * number of its #.
 */
#ifndef FRODO_BLOG_MARKDOWN_H
#define FRODO_BLOG_MARKDOWN_H

#include <bide/bide.h>

/* A source may have so many marks; tables can make millions of cells of a few bytes. */
enum { MARKDOWN_MARKS = 100000, MARKDOWN_HTML_BYTES = 8 << 20, MARKDOWN_INLINE_BYTES = 16 << 10 };

typedef enum markdown_text_kind {
    MARKDOWN_ALL_TEXT, /* for a search */
    MARKDOWN_PROSE,    /* paragraphs and lists: for an excerpt */
} markdown_text_kind;

/* Both in the arena. 422 for a source with too many marks, BIDE_NO_MEMORY. Longer sources are
   written beside the loop: markdown_html may suspend, markdown_text does not. */
async(bide_html_safe) markdown_html(bide_arena *arena, const char *source);
const char *markdown_text(bide_arena *arena, const char *source, markdown_text_kind kind);

#endif
