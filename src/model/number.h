/*
 * Numbers and their texts, exact and independent of the locale. Called by everything in this folder
 * that reads or writes; calls libc for the doubles that no short way covers.
 */
#ifndef BIDE_MODEL_NUMBER_H
#define BIDE_MODEL_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any number written here. */
enum { BIDE__NUMBER_BYTES = 32 };

/* How many bytes at the front are a number as RFC 8259 section 6 has it; 0: none. `ret_integer`
 * says whether it has neither fraction nor exponent. */
size_t bide__number_span(const char *text, size_t length, bool *ret_integer);

/* An optional `-` and digits, all of the text. 0, -EINVAL for another form, -ERANGE. */
int bide__parse_i64(const char *text, size_t length, int64_t *ret_value);

/* The nearest double of a text that bide__number_span takes as a whole. 0, -EINVAL for another
 * form or for more than BIDE_CAP_NUMBER_BYTES, -ERANGE for what is beyond all doubles. */
int bide__parse_f64(const char *text, size_t length, double *ret_value);

/* Write without a NUL and give the length. A double gets the fewest digits that read back as the
 * same one, and always a fraction or an exponent; infinities and NaN, which JSON lacks, are `null`.
 */
size_t bide__format_i64(char *text, int64_t value);
size_t bide__format_f64(char *text, double value);

#endif
