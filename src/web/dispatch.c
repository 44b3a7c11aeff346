/*
 * From a request to its reply: the router, the parameters, the steps of the plan. Called by serve.c
 * and client.c through bide__web_answer, and by providers through provide(); calls body.c, bind.c
 * and security.c for the inputs, render.c for the result, failure.c for what was raised,
 * error_page.c for who wants a page of it.
 */
#include "web/file_cache.h"
#include "web/observe.h"

#include "base/mem.h"
#include "core/error.h"
#include "http/url.h"

#include <bide/offload.h>
#include <errno.h>
#include <string.h>

void bide__web_prepare(bide_request *req, struct bide__web_server *server)
{
    req->server = server;
    req->plan = NULL;
    req->match = NULL;
    req->block = NULL;
    req->buffer = NULL;
    req->source = NULL;
    req->sending = false;
    req->writing = false;
    req->later = NULL;
    req->fields = NULL;
    req->fields_end = &req->fields;
    req->fields_bytes = 0;
    req->problems = NULL;
    req->typed = NULL;
    req->has_body = false;
    req->id[0] = 0;
    req->observed = false;
    bide__web_clear(req);
    if (bide__unlikely(server->app->observer != NULL))
        bide__observe_begin(req);
}

/* All fields but those that a failure keeps. */
static void drop_fields(bide_request *req)
{
    struct bide__web_field **end = &req->fields;
    req->fields_bytes = 0;
    for (struct bide__web_field *field = req->fields; field; field = field->next) {
        if (field->kept) {
            *end = field;
            end = &field->next;
            req->fields_bytes += field->bytes;
        }
    }
    *end = NULL;
    req->fields_end = end;
}

void bide__web_clear(bide_request *req)
{
    req->status = 0;
    req->content_type = req->own_type = NULL;
    req->own_status = 0;
    req->see_other = NULL;
    req->failure.status = 0;
    req->body = "";
    req->body_size = 0;
    if (bide__unlikely(req->source != NULL))
        bide__web_drop_source(req);
    if (bide__unlikely(req->fields != NULL))
        drop_fields(req);
    if (req->buffer)
        bide_buf_reset(&req->buffer->buf);
    if (bide__unlikely(req->later != NULL))
        bide__group_drop_held(req->later);
}

bide_buf *bide__web_buf(bide_request *req)
{
    struct bide__web_buffer *buffer = req->buffer;
    if (!buffer) {
        buffer = req->server->buffers;
        if (buffer) {
            req->server->buffers = buffer->next;
            req->server->buffer_count--;
        } else {
            buffer = bide__alloc(sizeof *buffer);
            if (!buffer)
                return NULL;
            bide_buf_init(&buffer->buf, BIDE_CAP_WEB_RESPONSE_BYTES);
        }
        req->buffer = buffer;
    }
    bide_buf_reset(&buffer->buf);
    return &buffer->buf;
}

void bide__web_replied(bide_request *req)
{
    if (bide__unlikely(req->later != NULL))
        bide__group_move_held(req->later, bide_background());
}

void bide__web_release(void *arg)
{
    bide_request *req = arg;
    struct bide__web_buffer *buffer = req->buffer;
    if (bide__unlikely(req->observed))
        bide__observe_end(req);
    if (bide__unlikely(req->later != NULL))
        bide__group_drop_held(req->later);
    if (bide__unlikely(req->source != NULL))
        bide__web_drop_source(req);
    if (!buffer)
        return;
    req->buffer = NULL;
    if (req->server->buffer_count == BIDE_CAP_WEB_KEPT_BUFFERS) {
        bide_buf_done(&buffer->buf);
        bide__free(buffer);
        return;
    }
    if (buffer->buf.storage_bytes > BIDE_CAP_WEB_KEPT_BYTES)
        bide_buf_done(&buffer->buf);
    req->server->buffer_count++;
    buffer->next = req->server->buffers;
    req->server->buffers = buffer;
}

void bide__web_server_done(void *arg)
{
    struct bide__web_server *server = arg;
    bide__file_cache_free(server->files);
    bide__observe_server_done(server);
    while (server->buffers) {
        struct bide__web_buffer *buffer = server->buffers;
        server->buffers = buffer->next;
        bide_buf_done(&buffer->buf);
        bide__free(buffer);
    }
}

void bide__web_reply(bide_request *req, int status, const char *content_type, const char *body,
                     size_t size)
{
    req->status = status;
    req->content_type = content_type && req->own_type ? req->own_type : content_type;
    req->body = body;
    req->body_size = size;
    if (bide__unlikely(req->source != NULL))
        bide__web_drop_source(req);
}

void bide__web_reply_buf(bide_request *req, int status, const char *content_type)
{
    const bide_buf *buf = &req->buffer->buf;
    bide__web_reply(req, status, content_type, bide_buf_str(buf), bide_buf_length(buf));
}

/* What a request says takes more than an arena may hold. */
static void refuse_memory(bide_request *req)
{
    bide__web_refuse(req, 413, "the request takes too much memory");
}

enum bide__http_method bide__web_method(struct bide__slice text)
{
    for (int method = BIDE__HTTP_GET; method <= BIDE__HTTP_PATCH; method++)
        if (bide__slice_equal(text, bide__slice_of(bide__http_method_text(method))))
            return (enum bide__http_method)method;
    return BIDE__HTTP_OTHER_METHOD;
}

/* ---- the path as the router wants it ---- */

/* Of the bytes of a path: 0 for pchar of RFC 3986 and '/', without '%' and '.'. */
enum { DOT = 1, SPECIAL = 2 };
/* clang-format off */
static const uint8_t path_class[256] = {
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 0, 2, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 2,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 0,
    2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 0, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};
/* clang-format on */

static bool is_plain(unsigned char c)
{
    return path_class[c] != SPECIAL;
}

/* Without escapes and without segments that begin with a dot. */
static bool is_normal(struct bide__slice path)
{
    unsigned classes = 0;
    for (size_t i = 0; i < path.length; i++)
        classes |= path_class[(unsigned char)path.bytes[i]];
    return classes == 0 || (classes == DOT && !memmem(path.bytes, path.length, "/.", 2));
}

/* Decoded, without dot segments, and what may not stand in a URI encoded again: one spelling of
   each path. 0, -EINVAL or -ENOMEM. */
static int normalise(bide_request *req, struct bide__slice *path)
{
    static const char digits[] = "0123456789ABCDEF";
    bide_arena *arena = bide_arena_of(req);
    char *decoded = bide_arena_alloc(arena, path->length);
    size_t length, written = 0;
    if (!decoded)
        return -ENOMEM;
    int result = bide__url_normalise(*path, decoded, &length);
    if (result < 0)
        return result;
    char *out = bide_arena_alloc(arena, 3 * length);
    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)decoded[i];
        if (is_plain(c) || c == '%') {
            out[written++] = (char)c;
        } else {
            out[written++] = '%';
            out[written++] = digits[c >> 4];
            out[written++] = digits[c & 15];
        }
    }
    *path = bide__slice(out, written);
    return 0;
}

/* ---- the steps of a plan ---- */

static __attribute__((noreturn, cold)) void raise_never(const struct bide__callable *callable)
{
    bide__fail(&callable->at,
               bide_error_new(BIDE_MISUSE, "provider `%s` at %s:%d ended without provide()",
                              callable->name, callable->at.file, callable->at.line));
}

static void enter_on_lane(void *arg)
{
    struct bide__visit *call = arg;
    call->callable->enter(call);
}

static void run_step(bide_request *req, uint32_t index) BIDE__TASK;
static void run_step(bide_request *req, uint32_t index)
{
    const struct bide__plan *plan = req->plan;
    const struct bide__step *step = &plan->steps[index];
    struct bide__visit call = {
        .request = req,
        .row = req->block + step->row_at,
        .body = req->block + plan->body_at,
        .value = req->block + step->value_at,
        .block = req->block,
        .depends_at = step->depends_at,
        .callable = step->callable,
        .step = index,
        .provided = 0,
    };
    bool is_handler = index + 1 == plan->step_count;
    if (bide__unlikely(is_handler && plan->route->blocking))
        bide__offload(BIDE_BLOCKING, &step->callable->at, step->callable->name, enter_on_lane,
                      &call);
    else
        step->callable->enter(&call);
    if (is_handler)
        bide__web_render(req, call.value);
    else if (bide__unlikely(call.provided == 0))
        raise_never(call.callable);
}

bide_async(void) bide__provide(struct bide__visit *call)
{
    if (bide__unlikely(call->provided++ > 0))
        bide__fail(
            bide__current->at,
            bide_error_new(BIDE_MISUSE, "provider `%s` calls provide() a second time at %s:%d",
                           call->callable->name, bide__current->at->file, bide__current->at->line));
    run_step(call->request, call->step + 1);
    return bide_void;
}

/* All inputs. False: the reply is made. */
static bool bind_all(bide_request *req) BIDE__TASK;
static bool bind_all(bide_request *req)
{
    const struct bide__plan *plan = req->plan;
    struct bide__web_form form;
    bide_problems problems;
    int error = 0;
    memset(req->block, 0, plan->rows_bytes);
    if (plan->is_secured && !bide__web_prove(req))
        return false;
    bide_problems_init(&problems, bide_arena_of(req));
    if ((plan->body || plan->takes_form) && !bide__web_read_body(req, &problems, &form, &error))
        return false;
    if (error == 0)
        error = bide__web_bind(req, &form, &problems);
    if (bide__unlikely(error < 0)) {
        refuse_memory(req);
        return false;
    }
    if (bide__unlikely(plan->route->takes_problems) &&
        bide__web_keep_problems(req, &problems, &form))
        return true;
    if (bide__likely(bide_problems_count(&problems) == 0))
        return true;
    bide__web_refuse_problems(req, &problems);
    return false;
}

/* Behind a boundary: everything of a route that may fail. */
void bide__web_run(void *arg)
{
    bide_request *req = arg;
    const struct bide__plan *plan = req->plan;
    max_align_t local[BIDE__WEB_BLOCK_BYTES / sizeof(max_align_t)];
    if (bide__unlikely(plan->builtin != NULL)) {
        plan->builtin->fn(req);
        return;
    }
    req->block = (char *)local;
    if (bide__unlikely(plan->block_bytes > sizeof local)) {
        req->block = bide_arena_alloc(bide_arena_of(req), plan->block_bytes);
        if (!req->block)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_NO_MEMORY, "no memory for a request"));
    }
    if (!plan->binds || bind_all(req))
        run_step(req, 0);
}

/* ---- the way there ---- */

static void add_allow(bide_request *req, unsigned methods)
{
    char text[BIDE__ROUTE_ALLOW_BYTES];
    bide__route_allow(methods, text);
    char *copy = bide_arena_strdup(bide_arena_of(req), text);
    if (copy)
        (void)bide__web_add_field(req, "Allow", copy);
}

/* To the path with its last slash, or without it; relative, as a proxy may have taken a prefix off,
   and so never to another host. */
static void redirect_slash(bide_request *req)
{
    struct bide__slice path = req->path;
    bool has_slash = path.length > 1 && path.bytes[path.length - 1] == '/';
    if (has_slash)
        path.length--;
    const char *slash = memrchr(path.bytes, '/', path.length);
    struct bide__slice last = bide__slice_from(path, slash ? (size_t)(slash - path.bytes) + 1 : 0);
    const char *to = bide_arena_printf(bide_arena_of(req), "%s%.*s%s%s%.*s",
                                       has_slash ? "../" : "./", (int)last.length, last.bytes,
                                       has_slash ? "" : "/", req->query.length > 0 ? "?" : "",
                                       (int)req->query.length, req->query.bytes);
    if (!to || bide__web_add_field(req, "Location", to) < 0)
        bide__web_refuse(req, 414, "URI Too Long");
    else
        bide__web_reply(req, 308, NULL, "", 0);
}

static void refuse(bide_request *req, enum bide__route_result result,
                   const struct bide__route_match *match)
{
    if (result == BIDE__ROUTE_NOT_FOUND) {
        bide__web_refuse(req, 404, "Not Found");
    } else if (result == BIDE__ROUTE_REDIRECT) {
        redirect_slash(req);
    } else if (result == BIDE__ROUTE_ALLOWED) {
        bide__web_reply(req, 204, NULL, "", 0);
        add_allow(req, match->allowed_methods);
    } else {
        bide__web_refuse(req, 405, "Method Not Allowed");
        add_allow(req, match->allowed_methods);
    }
}

static bide_arena *arena_of(void *req)
{
    return bide_arena_of(req);
}

bide_request *bide_request_here(void)
{
    return bide__memory_owner(arena_of);
}

void bide__web_enter_memory(bide_request *req, struct bide__memory *memory)
{
    struct bide_task *me = bide__task_current();
    memory->arena_of = arena_of;
    memory->owner = req;
    memory->outer = me->memory;
    memory->has_effects = false;
    req->outer_memory = me->memory;
    req->memory = me->memory = memory;
}

void bide__web_leave_memory(void *arg)
{
    const bide_request *req = arg;
    bide__task_current()->memory = req->outer_memory;
}

void bide__web_pass_cancel(bide_request *req, bide_error *error)
{
    if (!bide__error_is_cancel(error))
        return;
    bide__web_leave_memory(req);
    bide__fail(error->at, error);
}

static __attribute__((cold)) void failed(bide_request *req, bide_error *error)
{
    bide__web_pass_cancel(req, error);
    bide__web_failed(req, error);
    bide__error_free(bide__task_current()->loop, error);
}

/* Below all middleware. Raises nothing but a cancel. */
static void respond(bide_request *req) BIDE__TASK;
static void respond(bide_request *req)
{
    struct bide__route_match match;
    struct bide__slice path = req->path;
    int error = 0;
    if (path.length == 0)
        path = bide__slice("/", 1);
    else if (bide__unlikely(!is_normal(path)))
        error = normalise(req, &path);
    if (error < 0) {
        if (error == -ENOMEM)
            refuse_memory(req);
        else
            bide__web_refuse(req, 400, "the path is malformed");
        return;
    }
    if (req->method == BIDE__HTTP_OTHER_METHOD) {
        bide__web_refuse(req, 501, "Not Implemented");
        return;
    }
    enum bide__route_result result =
        bide__router_find(&req->server->app->router, req->method, path.bytes, path.length, &match);
    if (bide__unlikely(result != BIDE__ROUTE_FOUND)) {
        refuse(req, result, &match);
        return;
    }
    req->plan = match.route->handler;
    req->match = &match;
    const bide_route *route = req->plan->route;
    if (bide__unlikely(route && (route->max_body || route->deadline_ms)))
        req->transport->allow(req, route->max_body, bide_ms(route->deadline_ms));
    bide_error *raised = bide__boundary(bide__web_run, req);
    req->match = NULL; /* these lay in frames that are left */
    req->block = NULL;
    if (bide__unlikely(raised != NULL))
        failed(req, raised);
}

struct bide_next {
    bide_request *req;
    const struct bide__middleware *middleware; /* the next one; NULL: the route */
    bool called;
};

bide_async(void) bide_proceed(bide_next *next)
{
    const struct bide__middleware *middleware = next->middleware;
    if (next->called)
        bide__fail(bide__current->at, bide_error_new(BIDE_MISUSE, "a second bide_proceed"));
    next->called = true;
    if (middleware) {
        struct bide_next inner = {next->req, middleware->next, false};
        bide_await(middleware->fn(next->req, &inner, middleware->arg));
    } else {
        respond(next->req);
    }
    if (bide__unlikely(next->req->failure.status != 0))
        bide__error_page_show(next->req);
    return bide_void;
}

static void run_middleware(void *arg) BIDE__UNCHECKED;
static void run_middleware(void *arg)
{
    bide_request *req = arg;
    struct bide_next next = {req, req->server->app->middleware, false};
    bide_await(bide_proceed(&next));
    if (req->status == 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_MISUSE, "middleware neither proceeded nor answered"));
}

void bide__web_answer(bide_request *req)
{
    struct bide__memory memory;
    bide__web_enter_memory(req, &memory);
    bide_error *raised = NULL;
    if (!req->server->app->middleware)
        respond(req);
    else
        raised = bide__boundary(run_middleware, req);
    if (bide__unlikely(raised != NULL))
        failed(req, raised);
    if (bide__unlikely(req->failure.status != 0))
        bide__error_page_show(req);
    bide__web_leave_memory(req);
}
