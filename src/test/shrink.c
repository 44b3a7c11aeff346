/*
 * shrink.c: a failing schedule, made smaller. Called by harness.c, which runs the smaller ones.
 *
 * Leaves out halves, quarters and so on down to single decisions, as delta debugging does (Zeller
 * and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 2002).
 */
#include "trail.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static void leave_out(const struct bide__trail *trail, uint32_t start, uint32_t size,
                      struct bide__trail *ret_smaller)
{
    uint32_t rest = trail->count - start - size;

    memcpy(ret_smaller->decisions, trail->decisions, start * sizeof *trail->decisions);
    memcpy(ret_smaller->decisions + start, trail->decisions + start + size,
           rest * sizeof *trail->decisions);
    ret_smaller->count = start + rest;
}

void bide__trail_shrink(struct bide__trail *trail,
                        bool (*fails)(const struct bide__trail *trail, void *arg), void *arg,
                        int limit_ms)
{
    int64_t until_ns = bide__clock_monotonic_ns() + limit_ms * INT64_C(1000000);
    struct bide__trail *smaller = malloc(sizeof *smaller);

    if (!smaller)
        abort();
    for (uint32_t size = trail->count; size > 0; size = size > 1 ? (size + 1) / 2 : 0) {
        for (uint32_t start = 0; start < trail->count;) {
            uint32_t left = trail->count - start;

            if (bide__clock_monotonic_ns() > until_ns)
                break;
            leave_out(trail, start, size < left ? size : left, smaller);
            if (fails(smaller, arg))
                memcpy(trail, smaller, sizeof *trail);
            else
                start += size;
        }
    }
    free(smaller);
}
