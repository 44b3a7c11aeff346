/*
 * Metrics: counters, gauges and histograms that cost an addition.
 *
 * A metric is a static object, registered before main. Each thread adds into a shard of its own, so
 * that loops never contend; reading sums the shards. A thread that ends leaves its shard to the
 * next one.
 *
 *     BIDE_COUNTER(app_logins_total, "successful logins");
 *     ...
 *     bide_counter_add(&app_logins_total, 1);
 *
 * Invariants
 *  1. A counter never falls. A read is not a snapshot over several metrics.
 *  2. The sum of all metrics' cells is at most BIDE__METRIC_CELLS; more stops the program at
 *     start, with a message.
 *  3. A metric must live as long as the process: do not dlclose(3) an object that declares one.
 *
 * Nothing here suspends or fails but bide_metrics_write. Not for signal handlers.
 * Format: Prometheus text exposition, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats).
 */
#ifndef BIDE_METRICS_H
#define BIDE_METRICS_H

#include <bide/buf.h>

#include <stdint.h>

enum bide__metric_kind { BIDE__METRIC_COUNTER, BIDE__METRIC_GAUGE, BIDE__METRIC_HISTOGRAM };

/* Private; initialised by the macros below. */
struct bide__metric {
    const char *name;
    const char *labels; /* `level="warn"`, or "" */
    const char *help;
    double unit;   /* stored values are divided by this when written */
    int64_t level; /* the part of a gauge that bide_gauge_set writes */
    enum bide__metric_kind kind;
    uint16_t cell;      /* first cell in every shard */
    uint8_t first_log2; /* histogram: bounds are 2^first_log2 ... 2^last_log2 */
    uint8_t last_log2;
    struct bide__metric *next;
};

typedef struct bide_counter {
    struct bide__metric metric;
} bide_counter;
typedef struct bide_gauge {
    struct bide__metric metric;
} bide_gauge;
typedef struct bide_histogram {
    struct bide__metric metric;
} bide_histogram;

/* A static counter. By convention its name ends in _total. */
#define BIDE_COUNTER(variable, help) BIDE_COUNTER_LABELED(variable, #variable, "", help)

/* The same with an exported name and labels:
 * BIDE_COUNTER_LABELED(warns, "records_total", "level=\"warn\"", "log records") */
#define BIDE_COUNTER_LABELED(variable, name, labels, help)                                         \
    BIDE__METRIC(bide_counter, variable, name, labels, help, BIDE__METRIC_COUNTER, 1, 0, 0)

/* A static gauge: a number that goes up and down. */
#define BIDE_GAUGE(variable, help) BIDE_GAUGE_LABELED(variable, #variable, "", help)
#define BIDE_GAUGE_LABELED(variable, name, labels, help)                                           \
    BIDE__METRIC(bide_gauge, variable, name, labels, help, BIDE__METRIC_GAUGE, 1, 0, 0)

/* Durations observed in nanoseconds, written in seconds, with bounds from 2^10 ns (1 us) to 2^34 ns
 * (17 s). */
#define BIDE_HISTOGRAM_NS(variable, help) BIDE_HISTOGRAM(variable, help, 10, 34, 1e9)

/* Any value: bounds 2^first_log2 to 2^last_log2 (at most 63), written divided by `unit`. */
#define BIDE_HISTOGRAM(variable, help, first_log2, last_log2, unit)                                \
    BIDE__METRIC(bide_histogram, variable, #variable, "", help, BIDE__METRIC_HISTOGRAM, unit,      \
                 first_log2, last_log2)

/* Adds to a counter, from any thread. */
static inline void bide_counter_add(bide_counter *counter, uint64_t n);

/* Adds to a gauge (negative: subtracts), from any thread; the one that adds need not be the one
 * that subtracts. */
static inline void bide_gauge_add(bide_gauge *gauge, int64_t n);

/* Sets a gauge. A gauge is either set or added to, not both. One shared word: not for hot paths. */
void bide_gauge_set(bide_gauge *gauge, int64_t value);

/* Counts a value into its bucket: the first whose bound is not below it. */
static inline void bide_histogram_observe(bide_histogram *histogram, uint64_t value);

/* The current values, summed over threads. */
uint64_t bide_counter_read(const bide_counter *counter);
int64_t bide_gauge_read(const bide_gauge *gauge);
uint64_t bide_histogram_count(const bide_histogram *histogram);

/* Appends all metrics, families kept together. Returns 0 or the buffer's error. */
int bide_metrics_write(bide_buf *buf);

/* Below: what the macros and inline functions need. */
enum { BIDE__METRIC_CELLS = 1024 };

struct bide__metric_shard {
    uint64_t cells[BIDE__METRIC_CELLS];
    int shared; /* used by several threads: the last shard, when threads outnumber shards */
    int owned;
} __attribute__((aligned(64)));

extern _Thread_local struct bide__metric_shard *bide__metric_shard;
struct bide__metric_shard *bide__metric_shard_take(void);
void bide__metric_register(struct bide__metric *metric);

#define BIDE__METRIC(type, variable, name, labels, help, kind, unit, first, last)                  \
    static type variable = {{name, labels, help, unit, 0, kind, 0, first, last, NULL}};            \
    __attribute__((constructor)) static void bide__register_##variable(void)                       \
    {                                                                                              \
        bide__metric_register(&variable.metric);                                                   \
    }                                                                                              \
    extern int bide__metric_semicolon

static inline void bide__metric_add(unsigned cell, uint64_t n)
{
    struct bide__metric_shard *shard = bide__metric_shard;
    if (__builtin_expect(!shard, 0))
        shard = bide__metric_shard_take();
    uint64_t *word = &shard->cells[cell];
    if (__builtin_expect(shard->shared, 0))
        __atomic_fetch_add(word, n, __ATOMIC_RELAXED);
    else /* a single writer needs no locked instruction; atomic only for the readers */
        __atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void bide_counter_add(bide_counter *counter, uint64_t n)
{
    bide__metric_add(counter->metric.cell, n);
}

static inline void bide_gauge_add(bide_gauge *gauge, int64_t n)
{
    bide__metric_add(gauge->metric.cell, (uint64_t)n);
}

static inline void bide_histogram_observe(bide_histogram *histogram, uint64_t value)
{
    const struct bide__metric *metric = &histogram->metric;
    unsigned bucket = 0;
    if (value > (uint64_t)1 << metric->first_log2) {
        unsigned log2_up = 64 - (unsigned)__builtin_clzll(value - 1);
        unsigned top = log2_up > metric->last_log2 ? metric->last_log2 + 1u : log2_up;
        bucket = top - metric->first_log2;
    }
    /* The first cell is the sum, then come the buckets, the last without a bound. */
    bide__metric_add(metric->cell, value);
    bide__metric_add(metric->cell + 1 + bucket, 1);
}

#endif
