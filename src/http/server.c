/*
 * The server: accepts, bounds, sweeps, stops. Called by users; calls connection.c.
 *
 * Stopping, in phases (include/bide/http.h): lame duck -> no more accepting -> connections that are
 * quiet for a while are closed, the others with their next reply -> none is left. Whoever cancels
 * the server's task ends it at once.
 */
#include "http/connection.h"
#include "io/endpoint.h"

#include "core/graph.h"

#include <bide/log.h>
#include <errno.h>
#include <sys/resource.h>

static const struct bide__kind kind_server = {.noun = "http server", .verb = "waits for room in"};

/* ns between two looks for connections that are idle too long: a quarter of that, within these */
enum { SWEEP_LEAST_NS = 1000000, SWEEP_MOST_NS = 1000000000 };
/* connections that are closed in one slice: a close takes about 10 us */
enum { CLOSE_AT_A_TIME = 64 };

static void or_else_ms(bide_duration *duration, int64_t ms)
{
    if (duration->ns <= 0)
        *duration = bide_ms((double)ms);
}

static uint32_t most_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT32_MAX;
    rlim_t most = limit.rlim_cur / 10 * 8 / (rlim_t)bide_loop_count();
    if (most <= BIDE_CAP_HTTP_SPARE_DESCRIPTORS)
        return 1;
    most -= BIDE_CAP_HTTP_SPARE_DESCRIPTORS;
    return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

static void set_options(struct bide_http_options *to, const struct bide_http_options *from)
{
    *to = from ? *from : (struct bide_http_options){.requests = 0};
    or_else_ms(&to->head_deadline, BIDE_CAP_HTTP_HEAD_MS);
    or_else_ms(&to->body_gap, BIDE_CAP_HTTP_BODY_GAP_MS);
    or_else_ms(&to->body_grace, BIDE_CAP_HTTP_BODY_GRACE_MS);
    or_else_ms(&to->body_deadline, BIDE_CAP_HTTP_BODY_MS);
    or_else_ms(&to->handler_deadline, BIDE_CAP_HTTP_HANDLER_MS);
    or_else_ms(&to->write_stall, BIDE_CAP_HTTP_WRITE_STALL_MS);
    or_else_ms(&to->idle, BIDE_CAP_HTTP_IDLE_MS);
    or_else_ms(&to->age, BIDE_CAP_HTTP_AGE_MS);
    or_else_ms(&to->lame_duck, BIDE_CAP_HTTP_LAME_DUCK_MS);
    if (!to->body_rate)
        to->body_rate = BIDE_CAP_HTTP_BODY_RATE;
    if (!to->body_bytes)
        to->body_bytes = BIDE_CAP_HTTP_BODY_BYTES;
    if (to->most_body_bytes < to->body_bytes)
        to->most_body_bytes = to->body_bytes;
    if (!to->requests)
        to->requests = BIDE_CAP_HTTP_REQUESTS;
    if (!to->connections)
        to->connections = most_connections();
}

/* Of the option; NULL when nobody is trusted. */
static struct bide__http_networks *trusted_by(const char *text)
{
    struct bide__slice bad;
    if (!text)
        return NULL;
    struct bide__http_networks *networks = bide__alloc(sizeof *networks);
    if (!networks)
        bide__raise(-ENOMEM, NULL);
    int result = bide__http_networks_parse(text, networks, &bad);
    if (result == 0)
        return networks;
    bide__free(networks);
    bide__fail(
        bide__current->at,
        bide_error_new(BIDE_INVALID, "trusted_proxies: %s: '%.*s'",
                       result == -E2BIG ? "too many of them" : "neither an address nor a network",
                       (int)bad.length, bad.bytes));
}

static struct bide__http_connection *connection_of(struct bide__list_node *node)
{
    return bide__container_of(node, struct bide__http_connection, node);
}

/* The list is in the order of becoming idle, so the first that is young enough ends the look. A
   request that has arrived and was not noticed yet is not thrown away. */
static void sweep(struct bide__timer *timer)
{
    struct bide__http_server *server = bide__container_of(timer, struct bide__http_server, sweep);
    int64_t now_ns = bide__loop_clock_ns(server->loop);
    int64_t wait_ns = server->options.idle.ns / 4;
    int closed = 0;
    bide__list_foreach(node, &server->idle)
    {
        struct bide__http_connection *connection = connection_of(node);
        if (now_ns - connection->idle_since_ns < server->options.idle.ns)
            break;
        if (closed == CLOSE_AT_A_TIME) {
            wait_ns = 0;
            break;
        }
        if (bide__http_connection_quiet(connection)) {
            if (bide__unlikely(connection->fd.sends_later))
                bide__http_give_up(connection);
            bide__http_connection_close(connection);
            closed++;
        }
    }
    wait_ns = wait_ns < SWEEP_MOST_NS ? wait_ns : SWEEP_MOST_NS;
    bide__timer_arm(&server->loop->timers, timer,
                    now_ns + (wait_ns > SWEEP_LEAST_NS ? wait_ns : SWEEP_LEAST_NS));
}

/* Waits until there are fewer connections than that. */
static void wait_until_below(struct bide__http_server *server, uint32_t count)
{
    struct bide_task *me = bide__task_current();
    while (server->connections >= count) {
        struct bide__wait wait = {.payload = NULL};
        int result = bide__checkpoint(me);
        if (result == 0)
            result = bide__wait(me, &server->room, &wait, &server->object);
        if (result < 0)
            bide__raise(result, &server->object);
    }
}

SPAWNABLE(void, bide__http_accept, struct bide__http_server *, bide_listener_ptr)
bide_async(void) bide__http_accept(struct bide__http_server *server, bide_listener_ptr listener)
{
    for (;;) {
        wait_until_below(server, server->options.connections);
        struct bide__address address;
        int fd = bide__accept(listener, &address, NULL);
        struct bide__http_address peer = bide__http_address_of(&address.any);
        bide__http_connection_open(server, fd, &peer);
    }
}

/* On every way out; the group's end has waited for the connections that had tasks. */
static bide_async(void) end_server(void *arg)
{
    struct bide__http_server *server = arg;
    struct bide__list_node *node;
    server->group = NULL;
    for (int closed = 1; (node = bide__list_first(&server->idle)); closed++) {
        bide__http_connection_close(connection_of(node));
        if (closed % CLOSE_AT_A_TIME == 0)
            bide_await(bide_yield());
    }
    server->loop->outside--;
    bide__list_remove(&server->reporter.node);
    bide__timer_disarm(&server->loop->timers, &server->send);
    bide__timer_disarm(&server->loop->timers, &server->held);
    bide__timer_disarm(&server->loop->timers, &server->sweep);
    while (server->free_buffers) {
        struct bide__http_buffers *buffers = server->free_buffers;
        server->free_buffers = buffers->next;
        bide__http_buffers_free(buffers);
    }
    bide__free(server->trusted);
    int64_t left = bide__slab_done(&server->slab);
    BIDE_ASSERT(left == 0, "%lld connections outlive their server", (long long)left);
    return bide_void;
}

static void report(struct bide__reporter *reporter, void (*say)(const char *line))
{
    bide__http_report(bide__container_of(reporter, struct bide__http_server, reporter), say);
}

static void log_line(const char *line)
{
    bide_log(BIDE_LOG_WARN, "stopping waits for %s", line);
}

/* Nothing new has come for a while, and the idle ones are closed. */
static void log_what_holds(struct bide__timer *timer)
{
    bide__http_report(bide__container_of(timer, struct bide__http_server, held), log_line);
}

/* From now on half of the lame duck without a request is long enough; what is there after all of it
   is worth a word. */
static void shorten_idle(struct bide__http_server *server)
{
    int64_t quiet_ns = server->options.lame_duck.ns / 2;
    bide__timer_arm(&server->loop->timers, &server->held,
                    bide__http_after(server, server->options.lame_duck));
    if (server->options.idle.ns > quiet_ns)
        server->options.idle.ns = quiet_ns;
    bide__timer_disarm(&server->loop->timers, &server->sweep);
    sweep(&server->sweep);
}

/* Who has connected is still served; who comes later learns that he must go elsewhere, instead of
   waiting in a queue that nobody looks at: at once, or when the kernel tries for the second time,
   after a second, if he came while no handshakes were taken. */
static void refuse_more(struct bide__http_server *server, bide_listener_ptr listener)
{
    struct bide__address address;
    int fd;
    while (server->connections < server->options.connections &&
           (fd = bide__accept_now(listener, &address)) >= 0) {
        struct bide__http_address peer = bide__http_address_of(&address.any);
        bide__http_connection_open(server, fd, &peer);
    }
    bide__listener_refuse(listener);
}

/* The lame duck. Its last part only lets those in whose handshake has begun: a connection that was
   made while the socket is closed would be reset, perhaps with a request in it. */
static bide_async(void) accept_the_last(struct bide__http_server *server,
                                        bide_listener_ptr listener)
{
    int64_t lame_duck_ns = server->options.lame_duck.ns;
    int64_t last_ns = (int64_t)BIDE_CAP_HTTP_HANDSHAKES_MS * 1000000;
    if (last_ns > lame_duck_ns / 2)
        last_ns = lame_duck_ns / 2;
    bide_await(bide_sleep((bide_duration){lame_duck_ns - last_ns}));
    bide__listener_hold(listener);
    bide_await(bide_sleep((bide_duration){last_ns}));
    return bide_void;
}

/* Replies that would go on for ever, whose clients come again. */
static void cancel_endless(struct bide__http_server *server)
{
    server->ending = true;
    bide__list_foreach(node, &server->working)
    {
        struct bide__http_buffers *buffers =
            bide__container_of(node, struct bide__http_buffers, working);
        if (buffers->serving && buffers->exchange.replied == BIDE__HTTP_IN_PIECES &&
            buffers->exchange.ends_at_stop)
            bide__scope_cancel(&buffers->limit.scope, "the server is stopping");
    }
}

static bide_async(void) serve_until_stop(struct bide__http_server *server,
                                         bide_listener_ptr listener)
{
    bide_with_group(group)
    {
        server->group = group;
        bide_task_of(void) accepting = bide_spawn(group, bide__http_accept, server, listener);
        bide_await(bide_until_stop());
        server->stopping = true;
        bool is_shared = bide__listener_is_handed_over(listener);
        if (!is_shared)
            bide_await(accept_the_last(server, listener));
        bide_cancel(accepting, "the server is stopping");
        bide_await(bide_wait(BIDE_ALL, &bide_ref(accepting), 1));
        if (is_shared) /* who comes now is for whoever else has the socket */
            bide_await(bide_sleep(server->options.lame_duck));
        else
            refuse_more(server, listener);
        shorten_idle(server);
        cancel_endless(server);
        wait_until_below(server, 1);
    }
    return bide_void;
}

bide_async(void) bide_http_serve(bide_listener_ptr listener, bide_http_handler *handler, void *arg,
                                 const struct bide_http_options *options)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (result < 0)
        bide__raise(result, NULL);
    struct bide__http_server server = {.loop = me->loop, .handler = handler, .arg = arg};
    set_options(&server.options, options);
    server.trusted = trusted_by(server.options.trusted_proxies);
    server.short_is_drained = bide_listener_port(listener) != 0; /* TCP */
    bide__list_init(&server.idle);
    bide__list_init(&server.readable);
    bide__list_init(&server.working);
    bide__object_init(&server.object, &kind_server, bide_listener_address(listener), me->head.at);
    bide__slab_init(&server.slab, sizeof(struct bide__http_connection), 64);
    bide__list_init(&server.unsent);
    server.send.fire = bide__http_send_unsent;
    server.sweep.fire = sweep;
    server.held.fire = log_what_holds;
    server.reporter.report = report;
    bide__list_push_back(&me->loop->reporters, &server.reporter.node);
    server.jitter = (uint64_t)bide__loop_clock_ns(me->loop);
    me->loop->outside++; /* idle connections wait for their peers, without a task to count */
    bide_defer(end_server, &server);
    sweep(&server.sweep);
    bide_await(serve_until_stop(&server, listener));
    return bide_void;
}
