/*
 * JSON tokens, strictly as RFC 8259 has them. Pure: bytes in, spans out, nothing allocated. Called
 * by json_read.c.
 *
 * Invariants
 *  1. at <= end, and no byte at or behind `end` is read.
 *  2. `reason` is set once, with `at` at the byte that is wrong; each function then returns false.
 */
#ifndef BIDE_MODEL_JSON_SCAN_H
#define BIDE_MODEL_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct bide__scan {
    const char *at, *end;
    const char *reason; /* why this is no JSON, or NULL */
    unsigned depth;     /* objects and arrays open around `at` */
};

/* A string without its quotes. */
struct bide__json_string {
    const char *text;
    size_t length;
    bool escaped;  /* it holds backslashes: unescape it */
    bool has_zero; /* one of them is \u0000 */
};

bool bide__scan_fail(struct bide__scan *scan, const char *reason);

/* Passes white space and gives the next byte; '\0' at the end (a NUL byte is no JSON either). */
char bide__scan_next(struct bide__scan *scan);

/* At a `"`. Checks escapes, surrogates and UTF-8. */
bool bide__scan_string(struct bide__scan *scan, struct bide__json_string *ret_string);

/* At a digit or `-`. */
bool bide__scan_number(struct bide__scan *scan, size_t *ret_length, bool *ret_integer);

/* At a letter: true, false or null; nothing else may begin with one. */
bool bide__scan_word(struct bide__scan *scan, const char *word);

/* Enters a `{` or `[`: counts the depth. */
bool bide__scan_open(struct bide__scan *scan);

/* After a value: passes `,` and sets `ret_more`, or passes `close`. */
bool bide__scan_more(struct bide__scan *scan, char close, bool *ret_more);

/* Passes one whole value of any kind. */
bool bide__scan_value(struct bide__scan *scan);

/* Writes the string that the escapes mean; at most `length` bytes, no NUL. Gives the length. */
size_t bide__json_unescape(const struct bide__json_string *string, char *ret_text);

#endif
