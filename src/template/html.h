/*
 * Where in HTML a tag of a template stands: the tokenizer of HTML (WHATWG section 13.2.5), as far
 * as it matters for how a value is escaped. Called by compile.c; pure.
 *
 * Invariants
 *  1. The literals of a template are what decides; a value never changes the state, because it is
 *     escaped for it.
 *  2. Where it cannot be said for certain the answer is a reason to refuse the template.
 */
#ifndef BIDE_TEMPLATE_HTML_H
#define BIDE_TEMPLATE_HTML_H

#include "template/template.h"

#include <string.h>

enum bide__html_where {
    BIDE__HTML_TEXT,
    BIDE__HTML_OPEN,    /* behind `<` */
    BIDE__HTML_ELEMENT, /* in the name of a tag, also of one that closes */
    BIDE__HTML_INSIDE,  /* in a tag, between attributes */
    BIDE__HTML_NAME,    /* in the name of an attribute */
    BIDE__HTML_NAMED,   /* behind it */
    BIDE__HTML_EQUALS,  /* behind `=` */
    BIDE__HTML_VALUE,   /* in quotes */
    BIDE__HTML_BARE,    /* in a value without quotes */
    BIDE__HTML_COMMENT,
    BIDE__HTML_MARKUP, /* <!doctype>, <?...> */
    BIDE__HTML_CODE,   /* in <script>, <style> and what else is no text */
    BIDE__HTML_PLAIN,  /* in <title>, <textarea> */
};

/* What the value of an attribute is. */
enum bide__html_attribute {
    BIDE__HTML_ANY,
    BIDE__HTML_URL,
    BIDE__HTML_URLS,    /* with commas and spaces between them */
    BIDE__HTML_LOADED,  /* a URL whose content runs: only behind a path of our own */
    BIDE__HTML_STYLE,   /* numbers only */
    BIDE__HTML_REFUSED, /* a program, or what switches a protection off */
};

/* What may stand before a place in a URL. */
enum {
    BIDE__URL_EMPTY = 1 << 0,  /* nothing */
    BIDE__URL_OPEN = 1 << 1,   /* a value that could be a part of a scheme */
    BIDE__URL_PAST = 1 << 2,   /* for certain no scheme any more: its `:` or a `/`, `?`, `#` */
    BIDE__URL_QUERY = 1 << 3,  /* a `?` or `#` */
    BIDE__URL_SCHEME = 1 << 4, /* a scheme that no value may stand behind */
    BIDE__URL_ROOT = 1 << 5,   /* only a `/`: another one would begin a host */
    BIDE__URL_HOST = 1 << 6,   /* anything but the beginning of a path on a host that is given */
};

enum { BIDE__HTML_NAME_BYTES = 24 };

struct bide__html {
    enum bide__html_where where;
    enum bide__html_attribute attribute;
    char quote;
    bool cut;      /* a section has begun or ended in a name: nothing may continue it */
    bool closes;   /* in </name> */
    bool refresh;  /* the tag is a <meta http-equiv> */
    bool valued;   /* the tag is a <meta>, and has a value in an attribute */
    unsigned url;  /* of BIDE__URL_ */
    unsigned seen; /* of `<!--` and `-->`; of `</name` in CODE and PLAIN; slashes in a URL */
    char element[BIDE__HTML_NAME_BYTES]; /* of the tag, or that CODE and PLAIN end with */
    char name[BIDE__HTML_NAME_BYTES];    /* of the attribute */
    char scheme[BIDE__HTML_NAME_BYTES];  /* the literal that a URL begins with, up to its `:` */
};

/* Goes through a literal. NULL, or why it cannot stand there, and how far it came. */
const char *bide__html_literal(struct bide__html *html, struct bide__slice literal,
                               size_t *ret_stop);

/* A value stands here: how it is escaped. `is_raw`: HTML by itself; `is_number`: a number or a word
   of the program. NULL, or why none can stand here. */
const char *bide__html_value(struct bide__html *html, bool is_raw, bool is_number,
                             enum bide__escape *ret_escape);

/* A section, a partial or a block begins or ends here. */
void bide__html_cut(struct bide__html *html);

/* What `html` is after a section that may be there or not, `other` being the state without it.
   NULL, or why the section cannot end here. */
const char *bide__html_join(struct bide__html *html, const struct bide__html *other);

bool bide__html_equal(const struct bide__html *a, const struct bide__html *b);

/* White space of HTML (WHATWG HTML section 13.2.5). */
static inline bool bide__html_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Whether the word is in a list that NULL ends. */
static inline bool bide__html_is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

/* attribute.c: what the value of an attribute is; both names in lower case. */
enum bide__html_attribute bide__html_attribute(const char *element, const char *name);

/* url.c: one byte of a literal in a URL. NULL, or why it cannot stand there. */
const char *bide__html_url_literal(struct bide__html *html, char c);
/* The same for a value: how it is escaped. */
const char *bide__html_url_value(struct bide__html *html, enum bide__escape *ret_escape);

#endif
