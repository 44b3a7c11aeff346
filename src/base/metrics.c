/*
 * Metrics: registration, shards, and the text format. See metrics.h. Called by the macros and
 * inline functions of metrics.h from everywhere, and by whoever serves /metrics; calls buf.
 *
 * Shards are static and zero until used, so that taking one cannot fail. All but the last have one
 * writer at a time; the last is for the threads beyond BIDE_CAP_METRIC_SHARDS and is written with
 * locked additions. A shard keeps its sums when its thread ends.
 */
#include <bide/metrics.h>

#include "base/assert.h"
#include "base/caps.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(BIDE__METRIC_CELLS == BIDE_CAP_METRIC_CELLS, "metrics.h and caps.h disagree");

enum { SHARDS = BIDE_CAP_METRIC_SHARDS, SHARED_SHARD = SHARDS - 1 };

static struct bide__metric_shard shards[SHARDS] = {[SHARED_SHARD] = {.shared = 1}};
_Thread_local struct bide__metric_shard *bide__metric_shard;

static struct bide__metric *registered; /* newest first */
static unsigned cells_used;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static unsigned buckets_of(const struct bide__metric *metric)
{
    return metric->last_log2 - metric->first_log2 + 2u; /* the last has no bound */
}

void bide__metric_register(struct bide__metric *metric)
{
    bool histogram = metric->kind == BIDE__METRIC_HISTOGRAM;
    BIDE_ASSERT(metric->first_log2 <= metric->last_log2 && metric->last_log2 < 64,
                "histogram '%s' has wrong bounds", metric->name);
    unsigned cells = histogram ? 1 + buckets_of(metric) : 1;
    unsigned first = __atomic_fetch_add(&cells_used, cells, __ATOMIC_RELAXED);
    BIDE_ASSERT(first + cells <= BIDE__METRIC_CELLS, "no room for metric '%s': more than %d cells",
                metric->name, BIDE__METRIC_CELLS);
    metric->cell = (uint16_t)first;
    metric->next = __atomic_load_n(&registered, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&registered, &metric->next, metric, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        continue;
}

/* At the end of a thread. Clears the thread's pointer, for what its later destructors still count.
 */
static void give_back(void *shard_)
{
    struct bide__metric_shard *shard = shard_;
    bide__metric_shard = NULL;
    __atomic_store_n(&shard->owned, 0, __ATOMIC_RELEASE);
}

static void make_key(void)
{
    int failed = pthread_key_create(&key, give_back);
    BIDE_ASSERT(!failed, "pthread_key_create: error %d", failed);
}

struct bide__metric_shard *bide__metric_shard_take(void)
{
    pthread_once(&key_once, make_key);
    struct bide__metric_shard *shard = &shards[SHARED_SHARD];
    for (int i = 0; i < SHARED_SHARD; i++) {
        int nobody = 0;
        if (__atomic_compare_exchange_n(&shards[i].owned, &nobody, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            shard = &shards[i];
            break;
        }
    }
    bide__metric_shard = shard;
    if (!shard->shared)
        pthread_setspecific(key,
                            shard); /* when that fails, the shard is not used again: harmless */
    return shard;
}

static uint64_t read_cell(unsigned cell)
{
    uint64_t sum = 0;
    for (int i = 0; i < SHARDS; i++)
        sum += __atomic_load_n(&shards[i].cells[cell], __ATOMIC_RELAXED);
    return sum;
}

uint64_t bide_counter_read(const bide_counter *counter)
{
    return read_cell(counter->metric.cell);
}

void bide_gauge_set(bide_gauge *gauge, int64_t value)
{
    __atomic_store_n(&gauge->metric.level, value, __ATOMIC_RELAXED);
}

static int64_t read_gauge(const struct bide__metric *metric)
{
    return __atomic_load_n(&metric->level, __ATOMIC_RELAXED) + (int64_t)read_cell(metric->cell);
}

int64_t bide_gauge_read(const bide_gauge *gauge)
{
    return read_gauge(&gauge->metric);
}

uint64_t bide_histogram_count(const bide_histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < buckets_of(&histogram->metric); i++)
        count += read_cell(histogram->metric.cell + 1u + i);
    return count;
}

static void write_head(bide_buf *buf, const struct bide__metric *metric)
{
    static const char *const kinds[] = {
        [BIDE__METRIC_COUNTER] = "counter",
        [BIDE__METRIC_GAUGE] = "gauge",
        [BIDE__METRIC_HISTOGRAM] = "histogram",
    };
    bide_buf_printf(buf, "# HELP %s ", metric->name);
    for (const char *c = metric->help; *c; c++) {
        if (*c == '\n')
            bide_buf_append_str(buf, "\\n");
        else if (*c == '\\')
            bide_buf_append_str(buf, "\\\\");
        else
            bide_buf_append_char(buf, *c);
    }
    bide_buf_printf(buf, "\n# TYPE %s %s\n", metric->name, kinds[metric->kind]);
}

static void write_histogram(bide_buf *buf, const struct bide__metric *metric)
{
    const char *comma = metric->labels[0] ? "," : "";
    const char *open = metric->labels[0] ? "{" : "";
    const char *close = metric->labels[0] ? "}" : "";
    uint64_t count = 0;
    unsigned bounded = buckets_of(metric) - 1;
    for (unsigned i = 0; i < bounded; i++) {
        count += read_cell(metric->cell + 1u + i);
        double bound = (double)((uint64_t)1 << (metric->first_log2 + i)) / metric->unit;
        bide_buf_printf(buf, "%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", metric->name,
                        metric->labels, comma, bound, count);
    }
    count += read_cell(metric->cell + 1u + bounded);
    bide_buf_printf(buf, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric->name, metric->labels,
                    comma, count);
    bide_buf_printf(buf, "%s_sum%s%s%s %.17g\n", metric->name, open, metric->labels, close,
                    (double)read_cell(metric->cell) / metric->unit);
    bide_buf_printf(buf, "%s_count%s%s%s %" PRIu64 "\n", metric->name, open, metric->labels, close,
                    count);
}

static void write_metric(bide_buf *buf, const struct bide__metric *metric)
{
    if (metric->kind == BIDE__METRIC_HISTOGRAM) {
        write_histogram(buf, metric);
        return;
    }
    bide_buf_append_str(buf, metric->name);
    if (metric->labels[0])
        bide_buf_printf(buf, "{%s}", metric->labels);
    if (metric->kind == BIDE__METRIC_GAUGE)
        bide_buf_printf(buf, " %" PRId64 "\n", read_gauge(metric));
    else
        bide_buf_printf(buf, " %" PRIu64 "\n", read_cell(metric->cell));
}

int bide_metrics_write(bide_buf *buf)
{
    struct bide__metric *first = __atomic_load_n(&registered, __ATOMIC_ACQUIRE);
    for (struct bide__metric *metric = first; metric; metric = metric->next) {
        struct bide__metric *same = first;
        while (strcmp(same->name, metric->name) != 0)
            same = same->next;
        if (same != metric)
            continue; /* written with the first of its family */
        write_head(buf, metric);
        for (; same; same = same->next)
            if (strcmp(same->name, metric->name) == 0)
                write_metric(buf, same);
    }
    return bide_buf_error(buf);
}
