/*
 * Feeds a parser the same bytes in every way: whole, byte by byte, and cut in two at each place.
 * What came out is written down as text, a trace, which must not depend on the cuts. Every piece is
 * a copy of its own size at an address of its own, so that a sanitizer sees each step beyond it.
 */
#ifndef BIDE_TESTS_HTTP_FEED_H
#define BIDE_TESTS_HTTP_FEED_H

#include <bide/test.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRACE_BYTES = 65536,
};

struct trace {
    char text[TRACE_BYTES];
    size_t length;
};

__attribute__((format(printf, 2, 3), unused)) static void note(struct trace *trace,
                                                               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(trace->text + trace->length, TRACE_BYTES - trace->length, format, args);
    va_end(args);
    require(length >= 0 && (size_t)length < TRACE_BYTES - trace->length);
    trace->length += (size_t)length;
}

__attribute__((unused)) static void note_bytes(struct trace *trace, const char *bytes,
                                               size_t length)
{
    require(length < TRACE_BYTES - trace->length);
    if (length > 0)
        memcpy(trace->text + trace->length, bytes, length);
    trace->length += length;
    trace->text[trace->length] = '\0';
}

/* The end of the piece that begins at `at`: `cut` is 0 for whole, (size_t)-1 for byte by byte, else
 * the place of the one cut. */
__attribute__((unused)) static size_t piece_end(size_t at, size_t length, size_t cut)
{
    if (cut == (size_t)-1)
        return at + 1;
    return at < cut ? cut : length;
}

/* A copy that is exactly as large; for the caller to free. */
__attribute__((unused)) static char *copy_of(const char *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1);
    require(copy);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

typedef void feed_function(struct trace *trace, const char *bytes, size_t length, size_t cut,
                           const void *context);

static struct trace whole_trace, cut_trace;

/* Feeds in every way; gives the trace, which begins with `expected`. */
__attribute__((unused)) static const char *feed_all(feed_function *feed, const void *context,
                                                    const char *bytes, size_t length,
                                                    const char *expected)
{
    whole_trace.length = 0;
    whole_trace.text[0] = '\0';
    feed(&whole_trace, bytes, length, 0, context);
    if (strncmp(whole_trace.text, expected, strlen(expected)) != 0) {
        fprintf(stderr, "input: %.*s\n", (int)length, bytes);
        check_str(whole_trace.text, expected);
    }
    size_t stride = length > 2000 ? 997 : 1;
    for (size_t cut = length > 2000 ? (size_t)0 : (size_t)-1; cut == (size_t)-1 || cut < length;
         cut += cut == (size_t)-1 ? 2 : stride) {
        cut_trace.length = 0;
        cut_trace.text[0] = '\0';
        feed(&cut_trace, bytes, length, cut, context);
        if (strcmp(cut_trace.text, whole_trace.text) != 0) {
            fprintf(stderr, "cut at %zd: %.*s\n", (ssize_t)cut, (int)length, bytes);
            check_str(cut_trace.text, whole_trace.text);
            break;
        }
    }
    return whole_trace.text;
}

#endif
