/*
 * Assertion failures: print, flush the log, let the runtime add what it knows, abort.
 *
 * Called by the macros of assert.h from anywhere in the library; calls the log's flush. Uses no
 * allocation and no stdio stream, because the failure may have happened inside either.
 */
#include "base/assert.h"

#include "base/caps.h"

#include <bide/log.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void (*bide__assert_hook)(int fd);

static _Thread_local bool failing;

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

void bide__assert_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);

    char text[1024];
    int length = snprintf(text, sizeof text, "%s:%d: bide assertion failed: %s (%s)\n", file, line,
                          message, condition);
    bool nested = failing;
    failing = true;
    if (!nested)
        bide_log_flush(
            BIDE_CAP_LOG_ABORT_FLUSH_MS); /* so that the lines that led here come first */
    write_all(STDERR_FILENO, text, length < (int)sizeof text ? (size_t)length : sizeof text - 1);
    if (!nested && bide__assert_hook)
        bide__assert_hook(STDERR_FILENO);
    abort();
}
