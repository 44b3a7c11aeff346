/*
 * value.h: the types of fields that C does not have, and their texts.
 *
 * A field of a model (model.h) is a plain C member: `i64` is an int64_t, `str` a `const char *`.
 * What C has no type for is here. Passwords, secrets and safe HTML are structs of their own, so
 * that one cannot be passed where a text, or the other, is meant.
 *
 * Invariants
 *  1. A `str` ends with a NUL, holds none, and is UTF-8.
 *  2. An instant has no time zone: a text without an offset is refused.
 *  3. Nothing here depends on the locale, allocates, or suspends.
 *
 * The `_parse` functions take the whole of `length` bytes and return 0, -EINVAL for another form,
 * or -ERANGE for a value that the type cannot hold; then the result is untouched.
 *
 * layer: model
 */
#ifndef BIDE_VALUE_H
#define BIDE_VALUE_H

#include <bide/async.h>

/* Bytes of any kind; in JSON as base64 (RFC 4648 section 4). */
typedef struct bide_bytes {
    const unsigned char *data; /* may be NULL when size is 0 */
    size_t size;
} bide_bytes;

typedef struct bide_uuid {
    unsigned char bytes[16]; /* in the order in which they are written */
} bide_uuid;

/* An instant: microseconds since 1970-01-01T00:00:00Z, as bide_now_us gives. */
typedef int64_t bide_time;

/* A day of the Gregorian calendar: days since 1970-01-01. */
typedef struct bide_date {
    int32_t days;
} bide_date;

/* A decimal number, exact: units / 10^scale. 12.50 is {1250, 2}, which is not the same text as
   12.5, but compares equal. */
typedef struct bide_decimal {
    int64_t units;
    int32_t scale; /* 0 to 18 */
} bide_decimal;

/* A JSON text that was checked, in the words in which it came. */
typedef struct bide_json {
    const char *text; /* ends with a NUL; NULL: null */
    size_t length;
} bide_json;

/* A text that is never written to a response, a log or an error. */
typedef struct bide_secret {
    const char *text;
} bide_secret;

/* The hash of a password, as it is kept. Neither read from input nor written. */
typedef struct bide_hash {
    const char *text;
} bide_hash;

/* A password as it was typed. Read, never written, and no column holds one. */
typedef struct bide_plain_pw {
    const char *text;
} bide_plain_pw;

/*
 * A text that is HTML and safe as it stands: who writes `(bide_html_safe){.text = text}` says so. A
 * template (template.h) writes it raw with {{{name}}}, and nothing else that is a text. Never read
 * from input. The other member keeps C from taking a plain text, as in `(page){.body = text}`.
 */
struct bide_this_text_is_not_known_to_be_safe;
typedef struct bide_html_safe {
    union {
        const struct bide_this_text_is_not_known_to_be_safe *no_text;
        const char *text;
    };
} bide_html_safe;

AWAITABLE(bide_bytes);
AWAITABLE(bide_uuid);
AWAITABLE(bide_date);
AWAITABLE(bide_decimal);
AWAITABLE(bide_json);
AWAITABLE(bide_secret);
AWAITABLE(bide_hash);
AWAITABLE(bide_html_safe);

/* `async(str)`: a `const char *` under the name that fields have. */
typedef const char *bide__value_str;
struct forgotten_await_str {
    bide__value_str await;
};
BIDE__HANDLE(bide_task_str, bide_settled_str, bide__value_str);

/* Room for any text of the types below, NUL included. */
enum { BIDE_VALUE_TEXT = 48 };

/* 8-4-4-4-12 hexadecimal digits (RFC 9562 section 4); written in lower case. */
int bide_uuid_parse(const char *text, size_t length, bide_uuid *ret_uuid);
size_t bide_uuid_format(bide_uuid uuid, char *text);

/*
 * RFC 3339 section 5.6, with `T`, `t` or a space between date and time, and `Z` or an offset.
 * Digits after the microsecond are dropped; second 60 is the first of the next minute. Written in
 * UTC, with six digits of fraction if it is not 0. The years are 1 to 9999: _format returns 0 for
 * others.
 */
int bide_time_parse(const char *text, size_t length, bide_time *ret_time);
size_t bide_time_format(bide_time time, char *text);

/* YYYY-MM-DD. The years are 1 to 9999: _format returns 0 for others. */
int bide_date_parse(const char *text, size_t length, bide_date *ret_date);
size_t bide_date_format(bide_date date, char *text);

/* A date from its parts (-ERANGE: there is no such day), and back. */
int bide_date_of(int year, int month, int day, bide_date *ret_date);
void bide_date_split(bide_date date, int *ret_year, int *ret_month, int *ret_day);

/* An optional `-`, digits, and a fraction; no exponent. At most 18 digits of fraction. */
int bide_decimal_parse(const char *text, size_t length, bide_decimal *ret_decimal);
size_t bide_decimal_format(bide_decimal decimal, char *text);

/* Less than, equal to or greater than 0, as a is to b. Exact for all scales. */
int bide_decimal_compare(bide_decimal a, bide_decimal b);

#endif
