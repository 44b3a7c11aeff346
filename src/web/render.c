/*
 * What a handler returned, as the reply. Called by dispatch.c when the handler has returned, while
 * all that its result points to is there; calls the models' writers.
 */
#include "web/reply.h"

#include "core/error.h"
#include "model/model.h"
#include "web/media_type.h"

#include <errno.h>
#include <string.h>

/* What every page(T) is made of. */
struct any_page {
    void *items;
    size_t count;
    int64_t total;
    int32_t page, size;
};

static __attribute__((noreturn, cold)) void raise_unwritten(const bide_request *req, int error)
{
    const bide_route *route = req->plan->route;
    bide__fail(bide__current->at,
               bide_error_new(error == -EMSGSIZE ? BIDE_LIMIT
                              : error == -ENOMEM ? BIDE_NO_MEMORY
                                                 : BIDE_INVALID,
                              "the response `%s` of `%s` cannot be written: %s",
                              req->plan->output ? req->plan->output->name : "text",
                              route->callable.name,
                              error == -EMSGSIZE ? "it is too large" : strerror(-error)));
}

static bide_buf *start(bide_request *req)
{
    bide_buf *buf = bide__web_buf(req);
    if (!buf)
        raise_unwritten(req, -ENOMEM);
    return buf;
}

static int status_of(const bide_request *req)
{
    return req->own_status ? req->own_status : req->plan->status;
}

static void finish(bide_request *req, const char *content_type)
{
    int error = bide_buf_error(&req->buffer->buf);
    if (bide__unlikely(error < 0))
        raise_unwritten(req, error);
    bide__web_reply_buf(req, status_of(req), content_type);
}

static void write_rows(bide_request *req, const void *items, size_t count,
                       bide_buf *buf) BIDE__TASK;
static void write_rows(bide_request *req, const void *items, size_t count, bide_buf *buf)
{
    const bide_model *model = req->plan->output;
    int error = 0;
    if (model->resolves)
        bide_await(bide_json_render_list(model, items, count, bide_arena_of(req), buf));
    else
        error = bide_json_write_list(model, items, count, bide_arena_of(req), buf);
    if (bide__unlikely(error < 0))
        raise_unwritten(req, error);
}

static void render_row(bide_request *req, const void *row) BIDE__TASK;
static void render_row(bide_request *req, const void *row)
{
    const bide_model *model = req->plan->output;
    bide_buf *buf = start(req);
    int error = 0;
    if (bide__unlikely(model->resolves))
        bide_await(bide_json_render(model, row, bide_arena_of(req), buf));
    else
        error = bide_json_write(model, row, bide_arena_of(req), buf);
    if (bide__unlikely(error < 0))
        raise_unwritten(req, error);
    finish(req, "application/json");
}

static void render_page(bide_request *req, const struct any_page *page) BIDE__TASK;
static void render_page(bide_request *req, const struct any_page *page)
{
    bide_buf *buf = start(req);
    int64_t pages = page->size > 0 ? page->total / page->size + (page->total % page->size > 0) : 0;
    bide_buf_append_str(buf, "{\"items\":");
    write_rows(req, page->items, page->count, buf);
    bide_buf_printf(buf, ",\"total\":%lld,\"page\":%d,\"size\":%d,\"pages\":%lld}",
                    (long long)page->total, page->page, page->size, (long long)pages);
    finish(req, "application/json");
}

/* Copied if there are providers: it may lie in the frame of one, or in what the teardown frees. */
static void render_bytes(bide_request *req, const char *content_type, const void *data, size_t size)
{
    const char *type = content_type ? content_type : "application/octet-stream";
    if (!data) {
        data = "";
        size = 0;
    }
    if (req->plan->step_count == 1) {
        bide__web_reply(req, status_of(req), type, data, size);
        return;
    }
    bide_buf *buf = start(req);
    bide_buf_append(buf, data, size);
    if (req->plan->shape == bide__kind_raw && !(type = bide_arena_strdup(bide_arena_of(req), type)))
        raise_unwritten(req, -ENOMEM);
    finish(req, type);
}

static void render_redirect(bide_request *req, const bide_redirect *to)
{
    if (to->status < 300 || to->status > 399 || !to->location || !*to->location)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "`%s` redirects with status %d to '%s'",
                                  req->plan->route->callable.name, to->status,
                                  to->location ? to->location : ""));
    bide_set_header(req, "Location", to->location);
    bide__web_reply(req, to->status, NULL, "", 0);
}

/* Proxies that would keep events back, and caches, are told not to. */
static void render_stream(bide_request *req, const bide_streamed *streamed)
{
    const char *type = req->plan->route->content_type;
    if (!streamed->source)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "`%s` returned no stream",
                                                     req->plan->route->callable.name));
    bide__web_reply(req, status_of(req), type, "", 0);
    req->source = streamed->source;
    req->source->is_events = bide__media_is_events(req->content_type);
    if (req->source->is_events) {
        bide__web_field_default(req, "Cache-Control", "no-cache");
        bide__web_field_default(req, "X-Accel-Buffering", "no");
    }
}

/* A page by its template. */
static void render_template(bide_request *req, const void *row) BIDE__TASK;
static void render_template(bide_request *req, const void *row)
{
    const struct bide__plan *plan = req->plan;
    bide_buf *buf = start(req);
    bide_await(bide_template_render(plan->template, row,
                                    plan->has_site ? req->block + plan->site_at : NULL,
                                    bide_arena_of(req), buf));
    finish(req, "text/html; charset=utf-8");
}

void bide__web_render(bide_request *req, const void *value)
{
    const struct bide__plan *plan = req->plan;
    const struct bide__any_list *list = value;
    const bide_raw *raw = value;
    const char *text;
    if (bide__unlikely(req->see_other != NULL)) {
        render_redirect(req, &(bide_redirect){303, req->see_other});
        return;
    }
    switch (plan->shape) {
    case BIDE_KIND_OBJ:
        render_row(req, value);
        return;
    case bide__kind_template:
        render_template(req, value);
        return;
    case BIDE_KIND_LIST: {
        bide_buf *buf = start(req);
        write_rows(req, list->items, list->count, buf);
        finish(req, "application/json");
        return;
    }
    case bide__kind_page_:
        render_page(req, value);
        return;
    case bide__kind_maybe_:
        value = *(const void *const *)value;
        if (value) {
            render_row(req, value);
        } else {
            bide__web_clear(req);
            bide__web_refuse(req, 404, "Not Found");
        }
        return;
    case bide__kind_text:
    case bide__kind_html:
        text = *(const char *const *)value;
        render_bytes(req,
                     plan->shape == bide__kind_html ? "text/html; charset=utf-8"
                                                    : "text/plain; charset=utf-8",
                     text, text ? strlen(text) : 0);
        return;
    case bide__kind_raw:
        render_bytes(req, raw->content_type, raw->data, raw->size);
        return;
    case bide__kind_redirect:
        render_redirect(req, value);
        return;
    case bide__kind_file:
        bide__web_reply_file(req, value);
        return;
    case bide__kind_stream_:
        render_stream(req, value);
        return;
    default:
        bide__web_reply(req, status_of(req), NULL, "", 0);
    }
}
