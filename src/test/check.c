/*
 * The checks of <bide/test.h>: compare, and on a difference print file, line and both values.
 *
 * Called by tests through the macros; calls harness.c to count a failure. Checks may run in a task,
 * in a thread and in a forked child. The messages are part of the contract:
 * tests/unit/test/harness_test.c reads them word by word.
 */
#include "harness.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bide__test_failed(const char *file, int line, const char *format, ...)
{
    char message[4096];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s\n", file, line, message);
    atomic_fetch_add(&bide__test_verdict->failures, 1);
}

bool bide__check(bool holds, const char *condition, const char *file, int line)
{
    if (!holds)
        bide__test_failed(file, line, "check failed: %s", condition);
    return holds;
}

bool bide__check_int(long long actual, long long expected, const char *actual_text,
                     const char *expected_text, const char *file, int line)
{
    if (actual == expected)
        return true;
    bide__test_failed(file, line, "check_int failed: %s, %s\n    is       %lld\n    expected %lld",
                      actual_text, expected_text, actual, expected);
    return false;
}

bool bide__check_str(const char *actual, const char *expected, const char *text, const char *file,
                     int line)
{
    const char *quote_actual = actual ? "\"" : "";
    const char *quote_expected = expected ? "\"" : "";

    if (actual == expected || (actual && expected && strcmp(actual, expected) == 0))
        return true;
    bide__test_failed(file, line, "check_str failed: %s\n    is       %s%s%s\n    expected %s%s%s",
                      text, quote_actual, actual ? actual : "NULL", quote_actual, quote_expected,
                      expected ? expected : "NULL", quote_expected);
    return false;
}

bool bide__check_ptr(const void *actual, const void *expected, const char *text, const char *file,
                     int line)
{
    if (actual == expected)
        return true;
    bide__test_failed(file, line, "check_ptr failed: %s\n    is       %p\n    expected %p", text,
                      actual, expected);
    return false;
}

/* Writes up to 16 bytes of `bytes` from `from` on as hexadecimal. */
static void hex(char text[16 * 3 + 1], const unsigned char *bytes, size_t from, size_t size)
{
    size_t length = 0;

    text[0] = 0;
    for (size_t i = from; i < size && i < from + 16; i++)
        length += (size_t)snprintf(text + length, 4, "%02x ", bytes[i]);
}

bool bide__check_mem(const void *actual, const void *expected, size_t size, const char *text,
                     const char *file, int line)
{
    const unsigned char *a = actual, *e = expected;
    char hex_actual[16 * 3 + 1], hex_expected[16 * 3 + 1];
    size_t at = 0;

    while (at < size && a[at] == e[at])
        at++;
    if (at == size)
        return true;
    hex(hex_actual, a, at, size);
    hex(hex_expected, e, at, size);
    bide__test_failed(
        file, line,
        "check_mem failed: %s differs from byte %zu of %zu on\n    is       %s\n    expected %s",
        text, at, size, hex_actual, hex_expected);
    return false;
}

bool bide__check_contains(const char *text, const char *part, const char *what, const char *file,
                          int line)
{
    if (text && part && strstr(text, part))
        return true;
    bide__test_failed(file, line,
                      "check_contains failed: %s\n    is       %s\n    expected a part: %s", what,
                      text ? text : "NULL", part ? part : "NULL");
    return false;
}

bool bide__check_near(double actual, double expected, double tolerance, const char *text,
                      const char *file, int line)
{
    /* The comparison is written so that a NaN on either side fails. */
    if (fabs(actual - expected) <= tolerance)
        return true;
    bide__test_failed(file, line,
                      "check_near failed: %s\n    is       %.17g\n    expected %.17g within %g",
                      text, actual, expected, tolerance);
    return false;
}

void bide__require_failed(const char *condition, const char *file, int line)
{
    bide__test_failed(file, line, "require failed: %s; the test ends here", condition);
    fflush(stdout);
    /* Not exit(): what the test still holds is not a leak to report. */
    _exit(1);
}

void test_skip(const char *reason)
{
    snprintf(bide__test_verdict->reason, sizeof bide__test_verdict->reason, "%s", reason);
    atomic_store(&bide__test_verdict->skipped, true);
    fflush(stdout);
    _exit(0);
}

uint64_t test_seed(void)
{
    return bide__test_current_seed;
}
