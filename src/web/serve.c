/*
 * Applications on HTTP connections. Called by users through bide_app_serve, then by http for each
 * exchange; calls dispatch.c and hands its reply back to http.
 */
#include "web/web.h"

#include "base/list.h"
#include "core/error.h"
#include "http/connection.h"

struct http_request {
    bide_request base;
    bide_exchange *exchange;
};

static bide_exchange *exchange_of(const bide_request *req)
{
    return bide__container_of(req, const struct http_request, base)->exchange;
}

static bide_text header(const bide_request *req, const char *name)
{
    return bide_request_header(exchange_of(req), name);
}

static bide_arena *arena(bide_request *req)
{
    return bide_exchange_arena(exchange_of(req));
}

static bide_text body(bide_request *req) BIDE__UNCHECKED;
static bide_text body(bide_request *req)
{
    return bide_await(bide_body_all(exchange_of(req)));
}

static bide_text client(bide_request *req)
{
    return bide_request_client(exchange_of(req));
}

static bide_text scheme(bide_request *req)
{
    return bide_request_scheme(exchange_of(req));
}

static bide_text host(const bide_request *req)
{
    return bide_request_host(exchange_of(req));
}

static void allow(bide_request *req, uint64_t body_bytes, bide_duration deadline)
{
    bide_request_allow(exchange_of(req), body_bytes, deadline);
}

static void add_fields(bide_request *req)
{
    for (const struct bide__web_field *field = req->fields; field; field = field->next)
        bide_reply_header(exchange_of(req), field->name, field->value);
}

static bool begin(bide_request *req, int64_t size) BIDE__UNCHECKED;
static bool begin(bide_request *req, int64_t size)
{
    bide_exchange *exchange = exchange_of(req);
    add_fields(req);
    bool wanted = bide_await(bide_reply_begin(exchange, req->status, req->content_type, size));
    if (wanted && req->source->is_events)
        bide_reply_ends_at_stop(exchange);
    return wanted;
}

static void write_piece(bide_request *req, const void *data, size_t size) BIDE__UNCHECKED;
static void write_piece(bide_request *req, const void *data, size_t size)
{
    bide_await(bide_reply_write(exchange_of(req), data, size));
}

static void write_file(bide_request *req, int fd, uint64_t offset, uint64_t size) BIDE__UNCHECKED;
static void write_file(bide_request *req, int fd, uint64_t offset, uint64_t size)
{
    bide_await(bide_reply_write_file(exchange_of(req), fd, offset, size));
}

static const struct bide__transport http_transport = {
    header, arena, body, client, scheme, host, allow, begin, write_piece, write_file};

/* Its peer has all of it before what is to come afterwards begins. */
static void send_source(bide_request *req) BIDE__TASK;
static void send_source(bide_request *req)
{
    bide_exchange *exchange = exchange_of(req);
    bide__web_send(req);
    int result = bide__http_end_pieces(exchange);
    if (result < 0)
        bide__http_raise_reply(bide__task_current(), exchange, result, req->status);
}

static bide_async(void) serve(bide_exchange *exchange, void *arg);
static bide_async(void) serve(bide_exchange *exchange, void *arg)
{
    struct http_request request;
    bide_request *req = &request.base;
    request.exchange = exchange;
    req->transport = &http_transport;
    req->method = (enum bide__http_method)exchange->head->method;
    req->method_text = bide__web_slice(bide_request_method(exchange));
    req->path = bide__web_slice(bide_request_path(exchange));
    req->query = bide__web_slice(bide_request_query(exchange));
    bide__web_prepare(req, arg);
    bide_defer(bide__web_release, req);
    bide__web_answer(req);
    if (bide__unlikely(req->source != NULL)) {
        send_source(req);
    } else {
        add_fields(req);
        exchange->ends_so = !req->later;
        bide_await(bide_reply(exchange, req->status, req->content_type, req->body, req->body_size));
    }
    bide__web_replied(req);
    return bide_void;
}

bide_async(void) bide__app_start(bide_app *app)
{
    if (app->options.start)
        bide_await(app->options.start(app));
    return bide_void;
}

bide_async(void) bide__app_stop(void *arg)
{
    bide_app *app = arg;
    if (app->options.stop)
        bide_await(app->options.stop(app));
    return bide_void;
}

/* With room for the largest body that a route lets in. */
static struct bide_http_options with_bodies(const bide_app *app,
                                            const struct bide_http_options *options)
{
    struct bide_http_options with = options ? *options : (struct bide_http_options){0};
    for (const struct bide__plan *plan = app->plans; plan; plan = plan->next)
        if (plan->route && plan->route->max_body > with.most_body_bytes)
            with
                .most_body_bytes = plan->route->max_body;
    return with;
}

bide_async(void) bide__app_serve(bide_app *app, bide_listener *listener,
                                 const struct bide_http_options *options,
                                 void (*started)(void *arg), void *arg)
{
    const char *problem = bide_app_check(app);
    if (problem)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "%s", problem));
    struct bide__web_server server = {.app = app};
    struct bide_http_options with = with_bodies(app, options);
    bide_defer(bide__web_server_done, &server);
    bide_await(bide__app_start(app));
    bide_defer(bide__app_stop, app);
    if (started)
        started(arg);
    bide_await(bide_http_serve(listener, serve, &server, &with));
    return bide_void;
}

bide_async(void) bide_app_serve(bide_app_ptr app, bide_listener_ptr listener,
                                const struct bide_http_options *options)
{
    bide_await(bide__app_serve(app, listener, options, NULL, NULL));
    return bide_void;
}
