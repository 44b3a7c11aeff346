/*
 * JSON tokens, strictly as RFC 8259 has them. Pure: bytes in, spans out, nothing allocated. Called
 * by json_read.c. What a usual body is made of is passed in line here; json_scan.c has the rest.
 *
 * Invariants
 *  1. at <= end, and no byte at or behind `end` is read.
 *  2. `reason` is set once, with `at` at the byte that is wrong; each function then returns false.
 */
#ifndef BIDE_MODEL_JSON_SCAN_H
#define BIDE_MODEL_JSON_SCAN_H

#include "base/assert.h"
#include "base/caps.h"
#include "model/text.h"

struct bide__scan {
    const char *at, *end;
    const char *reason; /* why this is no JSON, or NULL */
    unsigned depth;     /* objects and arrays open around `at` */
};

/* A string without its quotes. */
struct bide__json_string {
    const char *text;
    size_t length;
    bool ascii;    /* ... and nothing to unescape */
    bool escaped;  /* it holds backslashes: unescape it */
    bool has_zero; /* one of them is \u0000 */
};

bool bide__scan_fail(struct bide__scan *scan, const char *reason);

/* At white space or at the end. */
char bide__scan_space(struct bide__scan *scan);

/* Passes white space and gives the next byte; '\0' at the end (a NUL byte is no JSON either). */
static inline char bide__scan_next(struct bide__scan *scan)
{
    if (bide__likely(scan->at < scan->end && (unsigned char)*scan->at > ' '))
        return *scan->at;
    return bide__scan_space(scan);
}

/* Behind the quote at `text`, at the first byte that is not plain. */
bool bide__scan_marked(struct bide__scan *scan, const char *text,
                       struct bide__json_string *ret_string);

/* At a `"`. Checks escapes, surrogates and UTF-8. */
__attribute__((__always_inline__)) static inline bool
bide__scan_string(struct bide__scan *scan, struct bide__json_string *ret_string)
{
    const char *text = scan->at + 1, *stop = bide__plain_end(text, scan->end);
    if (bide__likely(stop < scan->end && *stop == '"')) {
        *ret_string = (struct bide__json_string){text, (size_t)(stop - text), true, false, false};
        scan->at = stop + 1;
        return true;
    }
    scan->at = stop;
    return bide__scan_marked(scan, text, ret_string);
}

/* At a digit or `-`. */
bool bide__scan_number(struct bide__scan *scan, size_t *ret_length, bool *ret_integer);

/* At a letter: true, false or null; nothing else may begin with one. */
bool bide__scan_word(struct bide__scan *scan, const char *word);

/* Enters a `{` or `[`: counts the depth. */
static inline bool bide__scan_open(struct bide__scan *scan)
{
    if (scan->depth == BIDE_CAP_JSON_DEPTH)
        return bide__scan_fail(scan, "more than 64 levels");
    scan->depth++;
    scan->at++;
    return true;
}

/* After a value: passes `,` and sets `ret_more`, or passes `close`. */
static inline bool bide__scan_more(struct bide__scan *scan, char close, bool *ret_more)
{
    char c = bide__scan_next(scan);
    if (c != ',' && c != close)
        return bide__scan_fail(scan, close == '}' ? "`,` or `}` was expected"
                                                  : "`,` or `]` was expected");
    scan->at++;
    *ret_more = c == ',';
    scan->depth -= c == close;
    return true;
}

/* Passes one whole value of any kind. */
bool bide__scan_value(struct bide__scan *scan);

/* Writes the string that the escapes mean; at most `length` bytes, no NUL. Gives the length. */
size_t bide__json_unescape(const struct bide__json_string *string, char *ret_text);

#endif
