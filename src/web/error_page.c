/*
 * Failures as pages, for those who would rather have a page than JSON: the page of the application,
 * or its login page. Called by dispatch.c when a reply to a failure is made; calls plan.c at start,
 * and runs the page's plan as a route's.
 *
 * Invariants
 *  1. The status and the header of a failure are the same in both forms, but for 401, which sends
 *     to the login page.
 *  2. There is always a reply: the page; the page with a site of zeros; a plain page.
 */
#include "web/reply.h"

#include "core/error.h"
#include "http/accept.h"

#include <errno.h>
#include <string.h>

static bool is_path(const char *text)
{
    return *text == '/' && text[strlen(text) - 1] != '/';
}

/* The handler of the page: its result is what the provider has provided. */
static void give_row(struct bide__visit *visit)
{
    memcpy(visit->value, bide__depend(visit, 0), visit->callable->value_size);
}

void bide__app_error_page(bide_app *app, const bide_type *(*type)(void),
                          struct bide__callable *provider,
                          const struct bide_error_page_options *options)
{
    static bide_field no_fields[1];
    static uint8_t no_sources[1];
    struct bide__error_page *page = bide__app_piece(app, sizeof *page);
    if (!page)
        return;
    if (app->error_page)
        bide__app_problem(app, "bide_app_error_page was called twice: `%s` and `%s`",
                          app->error_page->options.template, options->template);
    page->options = *options;
    page->dependency = (struct bide__dependency){provider->name, provider};
    page->route = (bide_route){.callable = {.name = options->template,
                                            .at = provider->at,
                                            .enter = give_row,
                                            .fields = no_fields,
                                            .sources = no_sources,
                                            .dependencies = &page->dependency,
                                            .dependency_count = 1,
                                            .value_size = provider->value_size},
                               .method = "the page of errors",
                               .pattern = "",
                               .response = bide__kind_template,
                               .type = type,
                               .template = options->template};
    app->error_page = page;
}

int bide__error_page_prepare(bide_app *app)
{
    struct bide__error_page *page = app->error_page;
    const char *login = page->options.login, *api = page->options.api;
    if (login && !bide_local_path(login))
        return bide__app_problem(app, "the page of errors: login '%s' is no path", login);
    if (api && !is_path(api))
        return bide__app_problem(app, "the page of errors: api '%s' is no path, or ends with '/'",
                                 api);
    page->plan = bide__plan_alone(app, &page->route, false);
    page->bare = page->plan ? bide__plan_alone(app, &page->route, true) : NULL;
    return page->bare ? 0 : -EINVAL;
}

/* ---- the login page ---- */

/* What was asked for, if a browser can ask for it again by its URL. */
static const char *wanted(bide_request *req)
{
    if ((req->method != BIDE__HTTP_GET && req->method != BIDE__HTTP_HEAD) ||
        req->path.length + req->query.length >= BIDE_CAP_WEB_NEXT_BYTES) /* and a `?` */
        return NULL;
    return bide_local_path(bide_arena_printf(bide_arena_of(req), "%s%.*s%s%.*s",
                                             bide_app_of(req)->links.root, (int)req->path.length,
                                             req->path.bytes, req->query.length > 0 ? "?" : "",
                                             (int)req->query.length, req->query.bytes));
}

/* A route that asks for `basic` is answered with its challenge: browsers ask their users then. */
static bool is_for_login(bide_request *req, const char *login)
{
    const char *challenge = bide__web_challenge(req);
    return req->failure.status == 401 && login &&
           !bide__slice_equal(req->path, bide__slice(login, strcspn(login, "?"))) &&
           !(challenge && strncmp(challenge, "Basic", 5) == 0);
}

static bool send_to_login(bide_request *req, const char *login)
{
    bide_arena *arena = bide_arena_of(req);
    const char *next = bide_url_escape(arena, wanted(req));
    const char *to = bide_arena_printf(arena, "%s%s%s%s", bide_app_of(req)->links.root, login,
                                       !next                ? ""
                                       : strchr(login, '?') ? "&next="
                                                            : "?next=",
                                       next ? next : "");
    if (!to)
        return false;
    bide__web_clear(req);
    bide__web_vary(req, "Accept");
    bide_set_header(req, "Location", to);
    bide__web_reply(req, 303, NULL, "", 0);
    return true;
}

/* ---- the page ---- */

/* Runs a plan in place of the route's. False: it has failed, and left nothing. */
static bool show_by(bide_request *req, const struct bide__plan *plan,
                    const bide_failure *failure) BIDE__TASK;
static bool show_by(bide_request *req, const struct bide__plan *plan, const bide_failure *failure)
{
    const struct bide__plan *own = req->plan;
    struct bide__web_field **fields_end = req->fields_end;
    size_t fields_bytes = req->fields_bytes;
    req->plan = plan;
    req->failure = *failure;
    req->own_status = failure->status;
    req->see_other = req->own_type = NULL;
    bide_error *raised = bide__boundary(bide__web_run, req);
    req->plan = own;
    req->block = NULL;
    if (!raised && !req->failure_is_new)
        return true;
    req->failure = *failure;
    req->failure_is_new = false;
    req->fields_end = fields_end;
    *fields_end = NULL;
    req->fields_bytes = fields_bytes;
    if (raised) {
        bide__web_pass_cancel(req, raised);
        bide__web_log_failure(req, raised);
        bide__error_free(bide__task_current()->loop, raised);
    }
    return false;
}

static void show_plain(bide_request *req, const bide_failure *failure)
{
    bool repeats = strcmp(failure->detail, failure->title) == 0;
    const char *detail = bide_html_escape(bide_arena_of(req), repeats ? "" : failure->detail);
    bide_buf *buf = bide__web_buf(req);
    req->own_type = NULL;
    if (buf &&
        bide_buf_printf(buf,
                        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                        "<title>%d %s</title>\n<h1>%s</h1>\n<p>%s</p>\n",
                        failure->status, failure->title, failure->title, detail ? detail : "") == 0)
        bide__web_reply_buf(req, failure->status, "text/html; charset=utf-8");
    else
        bide__web_reply(req, failure->status, NULL, "", 0);
}

/* Behind a boundary. */
static void show(void *arg) BIDE__UNCHECKED;
static void show(void *arg)
{
    bide_request *req = arg;
    const struct bide__error_page *page = req->server->app->error_page;
    const bide_failure failure = req->failure;
    bide_text accept = bide_header_of(req, "accept");
    bide__web_vary(req, "Accept");
    if (!bide__http_prefers_page(bide__slice(accept.at, accept.at ? accept.length : 0)))
        return;
    if (is_for_login(req, page->options.login) && send_to_login(req, page->options.login))
        return;
    bool is_busy = failure.status == 429 || failure.status == 503; /* not to be asked for more */
    if ((is_busy || !show_by(req, page->plan, &failure)) && !show_by(req, page->bare, &failure))
        show_plain(req, &failure);
}

/* Whether failures of this path are JSON for all. */
static bool is_of_api(const bide_request *req, const char *api)
{
    size_t length = api ? strlen(api) : 0;
    return api && req->path.length >= length && memcmp(req->path.bytes, api, length) == 0 &&
           (req->path.length == length || req->path.bytes[length] == '/');
}

void bide__error_page_show(bide_request *req)
{
    const struct bide__error_page *page = req->server->app->error_page;
    bool is_new = req->failure_is_new;
    req->failure_is_new = false;
    if (!is_new || !page || is_of_api(req, page->options.api))
        return;
    bide_error *raised = bide__boundary(show, req);
    if (!raised)
        return;
    bide__web_pass_cancel(req, raised);
    bide__web_log_failure(req, raised);
    bide__error_free(bide__task_current()->loop, raised);
}
