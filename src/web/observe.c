/*
 * Watching requests. See observe.h. Calls the log and the transport.
 */
#include "web/observe.h"

#include "base/mem.h"
#include "http/status.h"

#include <bide/log.h>
#include <string.h>

/* ---- at start ---- */

static struct bide__observer *observer_of(bide_app *app)
{
    if (app && !app->observer) {
        app->observer = bide__app_piece(app, sizeof *app->observer);
        if (app->observer)
            pthread_mutex_init(&app->observer->lock, NULL);
    }
    return app ? app->observer : NULL;
}

void bide_app_access_log(bide_app *app, bool with_query)
{
    struct bide__observer *observer = observer_of(app);
    if (!observer)
        return;
    observer->logs = true;
    observer->logs_query = with_query;
}

void bide_app_metrics(bide_app *app, const char *path)
{
    struct bide__observer *observer = observer_of(app);
    if (!observer)
        return;
    observer->counts = true;
    observer->page = (struct bide__builtin){bide_arena_strdup(&app->arena, path),
                                            bide__metrics_page, NULL, NULL, 0};
    if (!observer->page.pattern)
        app->problem = "out of memory";
}

static size_t stats_bytes(const bide_app *app)
{
    return sizeof(struct bide__stats) +
           ((size_t)app->plan_count + 1) * sizeof(struct bide__route_stats);
}

static void end_observer(void *arg)
{
    struct bide__observer *observer = arg;
    pthread_mutex_destroy(&observer->lock);
    bide__free(observer->ended);
}

int bide__observe_prepare(bide_app *app)
{
    struct bide__observer *observer = app->observer;
    if (!observer || !observer->counts)
        return 0;
    if (bide__plan_builtin(app, &observer->page) < 0)
        return -1;
    observer->ended = bide__calloc(1, stats_bytes(app));
    if (!observer->ended || bide_arena_on_reset(&app->arena, end_observer, observer) < 0) {
        bide__free(observer->ended);
        return bide__app_problem(app, "out of memory");
    }
    return 0;
}

/* ---- counting ---- */

/* A single writer: atomic only for the readers. */
static void add(uint64_t *cell, uint64_t n)
{
    __atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static __attribute__((noinline, cold)) void make_stats(struct bide__web_server *server)
{
    struct bide__observer *observer = server->app->observer;
    struct bide__stats *stats = bide__calloc(1, stats_bytes(server->app));
    if (!stats)
        return;
    server->stats = stats;
    pthread_mutex_lock(&observer->lock);
    stats->next = observer->live;
    observer->live = stats;
    pthread_mutex_unlock(&observer->lock);
}

void bide__observe_server_done(struct bide__web_server *server)
{
    struct bide__stats *stats = server->stats;
    if (!stats)
        return;
    struct bide__observer *observer = server->app->observer;
    struct bide__stats **at = &observer->live;
    pthread_mutex_lock(&observer->lock);
    while (*at != stats)
        at = &(*at)->next;
    *at = stats->next;
    size_t words = (stats_bytes(server->app) - offsetof(struct bide__stats, started)) / 8;
    uint64_t *from = &stats->started, *to = &observer->ended->started;
    for (size_t i = 0; i < words; i++)
        to[i] += from[i];
    pthread_mutex_unlock(&observer->lock);
    bide__free(stats);
    server->stats = NULL;
}

static unsigned bucket_of(uint64_t ns)
{
    if (ns <= (uint64_t)1 << BIDE__STATS_FIRST_LOG2)
        return 0;
    unsigned log2_up = 64 - (unsigned)__builtin_clzll(ns - 1);
    unsigned bucket = (log2_up - BIDE__STATS_FIRST_LOG2 + 1) / 2;
    return bucket < BIDE__STATS_BUCKETS ? bucket : BIDE__STATS_BUCKETS - 1;
}

static void count(bide_request *req, uint64_t ns)
{
    struct bide__stats *stats = req->server->stats;
    uint32_t route = req->plan ? req->plan->index : req->server->app->plan_count;
    struct bide__route_stats *to = &stats->routes[route];
    add(&to->requests[req->method == BIDE__HTTP_HEAD]
                     [(unsigned)req->status / 100 % BIDE__STATS_CLASSES],
        1);
    add(&to->buckets[bucket_of(ns)], 1);
    add(&to->sum_ns, ns);
}

/* ---- the record ---- */

enum { PATH_BYTES = 512, TEXT_BYTES = 256 };

static const char *text_of(struct bide__slice text, char *out, size_t room)
{
    size_t length = text.length < room ? text.length : room - 1;
    if (!text.bytes)
        return "-";
    memcpy(out, text.bytes, length);
    out[length] = 0;
    return out;
}

/* Of the reply's body as it is sent. */
static size_t body_bytes(const bide_request *req)
{
    bool none = req->method == BIDE__HTTP_HEAD || bide__http_bodiless(req->status);
    return none ? 0 : req->body_size;
}

static void log_request(bide_request *req, uint64_t ns)
{
    char method[32], path[PATH_BYTES], query[PATH_BYTES], client[TEXT_BYTES], agent[TEXT_BYTES];
    bool with_query = req->server->app->observer->logs_query;
    bide_log_field fields[10];
    int n = 0;
    fields[n++] = bide_field_str("method", text_of(req->method_text, method, sizeof method));
    fields[n++] = bide_field_str("path", text_of(req->path, path, sizeof path));
    if (with_query && req->query.length > 0)
        fields[n++] = bide_field_str("query", text_of(req->query, query, sizeof query));
    fields[n++] = bide_field_int("status", req->status);
    fields[n++] = bide_field_int("bytes", (int64_t)body_bytes(req));
    fields[n++] = bide_field_int("duration_us", (int64_t)(ns / 1000));
    fields[n++] = bide_field_str(
        "client", text_of(bide__web_slice(bide_client_of(req)), client, sizeof client));
    fields[n++] = bide_field_str("request_id", bide__web_id(req));
    fields[n++] = bide_field_str("user_agent",
                                 text_of(bide__web_header(req, "user-agent"), agent, sizeof agent));
    fields[n] = (bide_log_field){NULL, NULL, 0};
    bide_log_with(BIDE_LOG_INFO, fields, "request");
}

/* ---- each request ---- */

void bide__observe_begin(bide_request *req)
{
    struct bide__web_server *server = req->server;
    req->observed = true;
    req->started_ns = bide__task_current()->loop->now_ns;
    if (bide__unlikely(!server->stats) && server->app->observer->counts)
        make_stats(server);
    if (server->stats)
        add(&server->stats->started, 1);
}

void bide__observe_end(bide_request *req)
{
    int64_t ns = bide__loop_clock_ns(bide__task_current()->loop) - req->started_ns;
    if (req->server->stats)
        count(req, (uint64_t)ns);
    if (req->server->app->observer->logs)
        log_request(req, (uint64_t)ns);
}
