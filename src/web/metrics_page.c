/*
 * The page for Prometheus: sums of what the loops have counted, as text. Called by the dispatch;
 * calls metrics.h and process.h, on the blocking lane.
 *
 * Source: prometheus.io, "Exposition formats", text format 0.0.4; "Writing client libraries",
 * process metrics.
 */
#include "web/observe.h"

#include "base/mem.h"
#include "base/process.h"
#include "web/reply.h"

#include <bide/metrics.h>
#include <bide/offload.h>
#include <errno.h>
#include <inttypes.h>

static const char *const class_names[BIDE__STATS_CLASSES] = {"none", "1xx", "2xx", "3xx",
                                                             "4xx",  "5xx", "6xx", "7xx"};

/* ---- summing ---- */

static void add_stats(struct bide__stats *sum, const struct bide__stats *one, size_t routes)
{
    size_t words = 1 + routes * sizeof(struct bide__route_stats) / 8;
    uint64_t *to = &sum->started;
    const uint64_t *from = &one->started;
    for (size_t i = 0; i < words; i++)
        to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static struct bide__stats *sum_of(const bide_app *app)
{
    struct bide__observer *observer = app->observer;
    size_t routes = (size_t)app->plan_count + 1;
    struct bide__stats *sum =
        bide__calloc(1, sizeof *sum + routes * sizeof(struct bide__route_stats));
    if (!sum)
        return NULL;
    pthread_mutex_lock(&observer->lock);
    add_stats(sum, observer->ended, routes);
    for (const struct bide__stats *one = observer->live; one; one = one->next)
        add_stats(sum, one, routes);
    pthread_mutex_unlock(&observer->lock);
    return sum;
}

/* The other half of `started`, which requests need not count for themselves. */
static uint64_t count_ended(const struct bide__stats *stats, size_t routes)
{
    uint64_t count = 0;
    for (size_t i = 0; i < routes; i++)
        for (int bucket = 0; bucket < BIDE__STATS_BUCKETS; bucket++)
            count += stats->routes[i].buckets[bucket];
    return count;
}

/* ---- writing ---- */

static void put_head(bide_buf *out, const char *name, const char *type, const char *help)
{
    bide_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_labels(bide_buf *out, const struct bide__plan *plan, const char *method)
{
    bide_buf_append_str(out, "{route=\"");
    for (const char *at = plan ? plan->pattern : ""; *at; at++) {
        if (*at == '"' || *at == '\\')
            bide_buf_append_char(out, '\\');
        if (*at == '\n')
            bide_buf_append_str(out, "\\n");
        else
            bide_buf_append_char(out, *at);
    }
    bide_buf_printf(out, "\",method=\"%s\"", method);
}

/* The method that a route was declared with; "" for what found no route. */
static const char *method_of(const struct bide__plan *plan)
{
    return !plan ? "" : plan->route ? plan->route->method : plan->mounted ? "*" : "GET";
}

static void put_requests(bide_buf *out, const struct bide__plan *plan,
                         const struct bide__route_stats *stats)
{
    for (int head = 0; head < 2; head++)
        for (int i = 0; i < BIDE__STATS_CLASSES; i++) {
            if (stats->requests[head][i] == 0)
                continue;
            bide_buf_append_str(out, "bide_http_requests_total");
            put_labels(out, plan, head && plan ? "HEAD" : method_of(plan));
            bide_buf_printf(out, ",status=\"%s\"} %" PRIu64 "\n", class_names[i],
                            stats->requests[head][i]);
        }
}

#define DURATION "bide_http_request_duration_seconds"

static void put_durations(bide_buf *out, const struct bide__plan *plan,
                          const struct bide__route_stats *stats)
{
    uint64_t count = 0;
    for (int i = 0; i < BIDE__STATS_BUCKETS; i++)
        count += stats->buckets[i];
    if (count == 0)
        return;
    count = 0;
    for (int i = 0; i < BIDE__STATS_BUCKETS; i++) {
        double bound = (double)((uint64_t)1 << (BIDE__STATS_FIRST_LOG2 + 2 * i)) / 1e9;
        count += stats->buckets[i];
        bide_buf_append_str(out, DURATION "_bucket");
        put_labels(out, plan, method_of(plan));
        if (i + 1 < BIDE__STATS_BUCKETS)
            bide_buf_printf(out, ",le=\"%.9g\"} %" PRIu64 "\n", bound, count);
        else
            bide_buf_printf(out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
    }
    bide_buf_append_str(out, DURATION "_sum");
    put_labels(out, plan, method_of(plan));
    bide_buf_printf(out, "} %.9g\n" DURATION "_count", (double)stats->sum_ns / 1e9);
    put_labels(out, plan, method_of(plan));
    bide_buf_printf(out, "} %" PRIu64 "\n", count);
}

static void put_routes(bide_buf *out, const bide_app *app, const struct bide__stats *stats,
                       void (*put)(bide_buf *out, const struct bide__plan *plan,
                                   const struct bide__route_stats *stats))
{
    for (const struct bide__plan *plan = app->plans; plan; plan = plan->next)
        put(out, plan, &stats->routes[plan->index]);
    put(out, NULL, &stats->routes[app->plan_count]);
}

static void put_process(bide_buf *out)
{
    struct bide__process process;
    bide__process_look(&process);
    const struct {
        const char *name, *type, *help;
        double value;
    } table[] = {
        {"process_cpu_seconds_total", "counter", "user and system CPU time", process.cpu_s},
        {"process_start_time_seconds", "gauge", "start of the process, since 1970",
         process.start_unix_s},
        {"process_virtual_memory_bytes", "gauge", "virtual memory", (double)process.virtual_bytes},
        {"process_resident_memory_bytes", "gauge", "resident memory",
         (double)process.resident_bytes},
        {"process_open_fds", "gauge", "open file descriptors", (double)process.open_descriptors},
        {"process_max_fds", "gauge", "most file descriptors", (double)process.most_descriptors},
        {"process_threads", "gauge", "threads", (double)process.threads},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        put_head(out, table[i].name, table[i].type, table[i].help);
        bide_buf_printf(out, "%s %.17g\n", table[i].name, table[i].value);
    }
}

/* On the lane. 0, or the error of the buffer. */
static int write_page(const bide_app *app, bide_buf *out);
OFFLOADABLE(int, write_page, const bide_app *, bide_buf *)
static int write_page(const bide_app *app, bide_buf *out)
{
    struct bide__stats *stats = sum_of(app);
    if (!stats)
        return -ENOMEM;
    put_head(out, "bide_http_requests_total", "counter", "requests by route, method and status");
    put_routes(out, app, stats, put_requests);
    put_head(out, DURATION, "histogram", "from the request to the end of its reply");
    put_routes(out, app, stats, put_durations);
    put_head(out, "bide_http_requests_in_flight", "gauge", "requests that have no reply yet");
    uint64_t ended = count_ended(stats, (size_t)app->plan_count + 1);
    bide_buf_printf(out, "bide_http_requests_in_flight %" PRIu64 "\n",
                    stats->started > ended ? stats->started - ended : 0);
    bide__free(stats);
    put_process(out);
    return bide_metrics_write(out);
}

static void end_page(void *out)
{
    bide_buf_done(out);
}

void bide__metrics_page(bide_request *req)
{
    bide_buf out;
    bide_buf_init(&out, BIDE_CAP_WEB_RESPONSE_BYTES);
    bide_defer(end_page, &out);
    int error = bide_await(bide_offload(BIDE_BLOCKING, write_page, req->server->app, &out));
    if (error == 0 && !bide__web_swap_body(req, &out))
        error = -ENOMEM;
    if (error < 0)
        bide__fail(bide__current->at,
                   bide_error_new(error == -EMSGSIZE ? BIDE_LIMIT : BIDE_NO_MEMORY,
                                  "the metrics cannot be written"));
    bide__web_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", req->body,
                    req->body_size);
    bide_set_header(req, "Cache-Control", "no-store");
}
