/*
 * The trace that always runs: which tasks a loop has resumed lately, and when its turns were.
 * Written by the inline paths of loop.h; read from outside by core/look.c for `bide trace`, and by
 * debuggers in a core.
 *
 * A resume costs seven instructions, so no clock is read for it: a turn has a stamp at its begin
 * and one at its end, in ticks of the processor's counter, and `slices` says which resumes lie
 * between.
 */
#ifndef BIDE_CORE_RING_H
#define BIDE_CORE_RING_H

#include <stdint.h>

enum { BIDE__RING_RESUMES = 8192, BIDE__RING_TURNS = 4096 }; /* powers of two */

/* The n-th resume of a loop stands at n modulo BIDE__RING_RESUMES. */
struct bide__ring_resume {
    const void *at; /* struct bide_site: where the task goes on; NULL: it is fresh, a main task */
    uint32_t task, woken_by; /* low halves of ids; woken_by 0: by no task */
};

/* Two for each turn: its begin, and behind it its end, which is the one of an older turn as long as
   this one goes on. */
struct bide__ring_turn {
    uint64_t slices; /* twice the resumes so far, plus 1 at the end of a turn */
    uint64_t ticks;
};

/* Counts at one speed on all cores; `bide trace` measures that speed. */
static inline uint64_t bide__ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
}

#endif
