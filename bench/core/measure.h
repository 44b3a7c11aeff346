/* The measuring loop that every C and C++ program of this folder shares.
 *
 * A case is a function that does at least `count` operations and says how many it did and how long
 * the timed part took. `measure_case` grows `count` until the timed part is long enough to be
 * scaled, which is also the warm-up, then runs the case once more for about BENCH_MS milliseconds
 * (default 200) and prints `NAME NANOSECONDS_PER_OPERATION`. One final run, no best-of: run.py
 * takes the medians over whole rounds. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct measured {
    uint64_t operations; /* how many were done inside the timed part */
    uint64_t elapsed_ns; /* how long the timed part took */
};

typedef struct measured (*measured_case)(uint64_t count);

/* Six values that are alive here, in registers: what a switch between stacks has to preserve. */
#define MEASURE_ALIVE(a, b, c, d, e, f)                                                            \
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f))

static inline uint64_t measure_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t measure_target_ns(void)
{
    const char *target_ms = getenv("BENCH_MS");
    uint64_t value = target_ms ? strtoull(target_ms, NULL, 10) : 0;
    return (value ? value : 200) * 1000000u;
}

/* The count after a trial; `last` says that the trial was long enough to scale from. */
static inline uint64_t measure_next_count(struct measured trial, uint64_t target_ns, int *last)
{
    *last = trial.elapsed_ns * 16 >= target_ns;
    if (!*last)
        return trial.operations * 8;
    double scale = (double)target_ns / (double)(trial.elapsed_ns ? trial.elapsed_ns : 1);
    double next = (double)trial.operations * scale;
    return next < 1 ? 1 : (uint64_t)next;
}

static inline void measure_print(const char *name, struct measured run)
{
    printf("%s %.4f\n", name, (double)run.elapsed_ns / (double)run.operations);
    fflush(stdout);
}

static inline void measure_case(const char *name, measured_case run, uint64_t first_count)
{
    uint64_t target_ns = measure_target_ns(), count = first_count;
    for (int last = 0; !last;)
        count = measure_next_count(run(count), target_ns, &last);
    measure_print(name, run(count));
}
