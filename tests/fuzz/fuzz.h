/*
 * What the targets share: how an input is cut, and what happens when a promise is broken. Included
 * once per target.
 */
#ifndef BIDE_TESTS_FUZZ_H
#define BIDE_TESTS_FUZZ_H

#include "base/assert.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define promise(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#ifndef FUZZ_WITH_LIBRARY /* which has one of its own, that aborts too */
void bide__assert_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    fprintf(stderr, "%s:%d: %s (%s)\n", file, line, condition, format);
    abort();
}
#endif

/* Bytes of the next piece: all of them for a seed of 0, else sizes that follow from it. */
__attribute__((unused)) static size_t next_piece(uint32_t *seed, size_t left)
{
    if (*seed == 0)
        return left;
    *seed = *seed * 1664525 + 1013904223;
    size_t size = 1 + (*seed >> 16) % (*seed >> 31 ? 3 : 64);
    if (*seed == 0)
        *seed = 1;
    return size < left ? size : left;
}

/* A copy of exactly this size, so that a step beyond it is seen. */
__attribute__((unused)) static char *copy_of(const char *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1);
    promise(copy);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

#endif
