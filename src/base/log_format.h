/*
 * One log record, and its two written forms. Shared by log.c (which keeps records in rings) and
 * log_format.c.
 */
#ifndef BIDE_BASE_LOG_FORMAT_H
#define BIDE_BASE_LOG_FORMAT_H

#include <bide/log.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* As it lies in a ring: this header, then the pairs, then the message. */
struct bide__log_record {
    uint32_t bytes; /* of the whole record, a multiple of 8 */
    uint32_t level; /* 0 marks the unused end of a ring, which has only these two words */
    int64_t time_ns;
    uint64_t task_id; /* 0: none */
    const char *file;
    int line;
    int loop; /* -1: none */
    uint32_t fields_length;
    uint32_t message_length;
    char text[]; /* pairs, each as kind ('s' or 'n'), key, NUL, value, NUL; then the message, NUL */
};

/*
 * Fills in pairs and message behind the header, at most `room` bytes in all, and sets `bytes`. What
 * does not fit is cut and ends in "...".
 */
void bide__log_fill(struct bide__log_record *record, size_t room, const bide_log_field *fields,
                    const char *format, va_list args) __attribute__((format(printf, 4, 0)));

/* Writes the line, newline included, into `line` (BIDE_CAP_LOG_LINE_BYTES). Returns its length. */
size_t bide__log_format(const struct bide__log_record *record, bool json, char *line);

#endif
