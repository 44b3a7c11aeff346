/* What the C programs of this folder share: the data, and counting operations for a while.
 *
 * A program warms up for a quarter of BENCH_MS, counts for BENCH_MS milliseconds and prints `CASE`
 * operations/s and `CASE_cpu`, the CPU time of this process in microseconds per operation. */
#pragma once
#include "../core/measure.h"
#include <stdbool.h>
#include <sys/resource.h>

/* Rows of the table `accounts`, with ids from 1 on (run.py fills it); rows of a batch. */
enum { ACCOUNTS = 10000, BATCH_ROWS = 1000 };
#define NOTE "salary of May"

/* The next of a row of ids that seem to be at random. */
static inline int64_t next_account(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((*state >> 33) % ACCOUNTS) + 1;
}

struct rate {
    uint64_t operations, unseen; /* unseen: since the last look at the clock */
    uint64_t every;              /* operations between two looks */
    uint64_t start_ns, cpu_ns, until_ns;
    bool counts, over;
};

static inline uint64_t rate_cpu_ns(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000u;
}

static inline struct rate rate_begin(uint64_t every)
{
    return (struct rate){.every = every, .until_ns = measure_now_ns() + measure_target_ns() / 4};
}

/* Counts operations that are done; false when the time is over. */
static inline bool rate_goes_on(struct rate *rate, uint64_t operations)
{
    rate->unseen += operations;
    if (rate->over || rate->unseen < rate->every)
        return !rate->over;
    rate->operations += rate->unseen;
    rate->unseen = 0;
    uint64_t now_ns = measure_now_ns();
    if (now_ns < rate->until_ns)
        return true;
    if (rate->counts) {
        rate->over = true;
        rate->until_ns = now_ns;
        rate->cpu_ns = rate_cpu_ns() - rate->cpu_ns;
        return false;
    }
    rate->counts = true;
    rate->operations = 0;
    rate->start_ns = now_ns;
    rate->cpu_ns = rate_cpu_ns();
    rate->until_ns = now_ns + measure_target_ns();
    return true;
}

static inline void rate_print(const struct rate *rate, const char *name)
{
    double count = (double)rate->operations;
    printf("%s %.1f\n", name, count * 1e9 / (double)(rate->until_ns - rate->start_ns));
    printf("%s_cpu %.4f\n", name, (double)rate->cpu_ns / count / 1000);
}
