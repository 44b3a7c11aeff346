/*
 * Applications: what is added to them, and the check that makes them ready. Called by users, by
 * serve.c and client.c; calls plan.c for each route, openapi.c for the document.
 */
#include "web/docs_page.h"
#include "web/files.h"
#include "web/middleware.h"
#include "web/observe.h"

#include "base/mem.h"
#include "base/random.h"

#include <bide/clock.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

static bide_route *declared; /* all routes of the program; its constructors run on one thread */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one check at a time */

void bide__route_register(bide_route *route)
{
    route->next = declared;
    declared = route;
}

static void open_templates(bide_app *app)
{
    const struct bide_templates_options options = {app->options.reload_templates};
    app->templates = bide_templates_open(app->options.templates, &options);
    const char *problem = app->templates ? bide_templates_problem(app->templates) : "out of memory";
    if (problem)
        bide__app_problem(app, "%s", problem);
    if (app->templates)
        bide__templates_link(app->templates, &app->links);
}

bide_app *bide__app_new(const struct bide_app_options *options)
{
    bide_app *app = bide__calloc(1, sizeof *app);
    if (!app)
        return NULL;
    app->options = *options;
    if (!app->options.title)
        app->options.title = "bide";
    if (!app->options.version)
        app->options.version = "0.1.0";
    bide_arena_init(&app->arena, NULL, BIDE_CAP_WEB_PLANS_BYTES);
    bide__router_init(&app->router, "");
    bide__router_redirect_slash(&app->router, options->redirect_slashes);
    app->added_end = &app->added;
    app->middleware_end = &app->middleware;
    app->plans_end = &app->plans;
    if (options->templates)
        open_templates(app);
    if (bide__random(&app->id_seed, sizeof app->id_seed) < 0)
        app->id_seed = (uint64_t)bide_now_us();
    return app;
}

void bide_app_free(bide_app *app)
{
    if (!app)
        return;
    bide_templates_close(app->templates);
    bide__router_done(&app->router);
    bide_arena_done(&app->arena);
    bide__free(app);
}

bide_arena *bide_app_arena(bide_app *app)
{
    return app ? &app->arena : NULL;
}

void *bide__app_state(const bide_app *app)
{
    return app->options.state;
}

void bide_app_set_state(bide_app *app, void *state)
{
    if (app)
        app->options.state = state;
}

void bide_app_set_public_url(bide_app *app, const char *url)
{
    size_t size = strlen(url) + 1;
    char *kept = bide__app_piece(app, size);
    if (kept)
        app->options.public_url = memcpy(kept, url, size);
}

/* The pointer is handed on, never looked into: this layer knows no database. */
struct bide_db *bide__app_db(const bide_app *app)
{
    if (!app->options.db)
        bide__misuse("the application has no database: bide_app_new(.db = db), or bide_app_set_db "
                     "in its `start` hook");
    return app->options.db;
}

void bide_app_set_db(bide_app *app, struct bide_db *db)
{
    if (app)
        app->options.db = db;
}

int bide__app_problem(bide_app *app, const char *format, ...)
{
    va_list args;
    if (app->problem)
        return -EINVAL;
    va_start(args, format);
    app->problem = bide_arena_vprintf(&app->arena, format, args);
    va_end(args);
    if (!app->problem)
        app->problem = "out of memory";
    return -EINVAL;
}

void *bide__app_piece(bide_app *app, size_t size)
{
    if (!app)
        return NULL;
    if (app->checked) {
        bide__app_problem(app, "something was added to the application after its check");
        return NULL;
    }
    void *memory = bide_arena_alloc_zero(&app->arena, 1, size);
    if (!memory)
        app->problem = "out of memory";
    return memory;
}

void bide__app_add(bide_app *app, const char *prefix, bide_route *const *routes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bide__added *added = bide__app_piece(app, sizeof *added);
        if (!added)
            return;
        added->route = routes[i];
        added->prefix = bide_arena_strdup(&app->arena, prefix);
        if (!added->prefix)
            app->problem = "out of memory";
        *app->added_end = added;
        app->added_end = &added->next;
    }
}

void bide_app_add_all(bide_app *app, const char *prefix)
{
    for (bide_route *route = declared; route; route = route->next)
        bide__app_add(app, prefix, &route, 1);
}

void bide__app_override(bide_app *app, struct bide__callable *provider,
                        struct bide__callable *other)
{
    struct bide__override *override = bide__app_piece(app, sizeof *override);
    if (!override)
        return;
    *override = (struct bide__override){app->overrides, provider, other};
    app->overrides = override;
}

void bide__app_site(bide_app *app, const bide_model *model, struct bide__callable *provider)
{
    if (!bide__app_piece(app, 1))
        return;
    if (app->site)
        bide__app_problem(app, "bide_app_site was called twice: `%s` and `%s`",
                          app->site_provider->name, provider->name);
    app->site = model;
    app->site_provider = provider;
}

bide_templates *bide_app_templates(bide_app *app)
{
    if (app && !app->templates)
        open_templates(app);
    return app ? app->templates : NULL;
}

static void run_mounted(bide_request *req) BIDE__UNCHECKED;
static void run_mounted(bide_request *req)
{
    const struct bide__mount *mount = req->plan->builtin->arg;
    bide_text rest = {"", 0};
    if (req->match->parameter_count > 0)
        rest = (bide_text){req->match->parameters[0].bytes, req->match->parameters[0].length};
    bide_await(mount->fn(req, rest, mount->arg));
    if (req->status == 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_MISUSE, "the mount of '%s' at %s:%d did not answer",
                                  mount->page.pattern, mount->page.file, mount->page.line));
}

void bide__app_mount(bide_app *app, const char *prefix, bide_mounted *fn, const void *arg,
                     const char *file, int line)
{
    struct bide__mount *mount = bide__app_piece(app, sizeof *mount);
    if (!mount)
        return;
    const char *pattern = bide_arena_strdup(&app->arena, prefix);
    if (!pattern)
        app->problem = "out of memory";
    *mount = (struct bide__mount){app->mounts, fn, arg, {pattern, run_mounted, mount, file, line}};
    app->mounts = mount;
}

void bide_app_on_error(bide_app *app, int code, bide_error_answer *answer)
{
    struct bide__error_rule *rule = bide__app_piece(app, sizeof *rule);
    if (!rule)
        return;
    *rule = (struct bide__error_rule){app->error_rules, code, answer};
    app->error_rules = rule;
}

void bide_app_use(bide_app *app, bide_middleware *fn, const void *arg)
{
    struct bide__middleware *middleware = bide__app_piece(app, sizeof *middleware);
    if (!middleware)
        return;
    *middleware = (struct bide__middleware){NULL, fn, arg};
    *app->middleware_end = middleware;
    app->middleware_end = &middleware->next;
}

/* Whether a stands before b: constructors run in an order that differs between compilers. */
static bool stands_before(const bide_route *a, const bide_route *b)
{
    int order = strcmp(a->callable.at.file, b->callable.at.file);
    return order < 0 || (order == 0 && a->callable.at.line < b->callable.at.line);
}

/* In the order of file and line; as added where that says nothing. */
static void sort_added(bide_app *app)
{
    struct bide__added *sorted = NULL;
    for (struct bide__added *added = app->added, *next; added; added = next) {
        struct bide__added **at = &sorted;
        next = added->next;
        while (*at && !stands_before(added->route, (*at)->route))
            at = &(*at)->next;
        added->next = *at;
        *at = added;
    }
    app->added = sorted;
}

static void add_docs(bide_app *app)
{
    static const struct bide__builtin openapi = {"/openapi.json", bide__openapi_page, 0, 0, 0};
    bide__plan_builtin(app, &openapi);
    bide__docs_prepare(app);
    if (!app->problem && bide__openapi_make(app) < 0)
        bide__app_problem(app, "out of memory for the OpenAPI document");
}

static void check(bide_app *app)
{
    for (struct bide__middleware *use = app->middleware; use && !app->problem; use = use->next)
        bide__middleware_prepare(app, use);
    sort_added(app);
    if (!app->problem)
        bide__links_prepare(app);
    for (struct bide__added *added = app->added; added && !app->problem; added = added->next)
        bide__plan_add(app, added->route, added->prefix);
    for (struct bide__mount *mount = app->mounts; mount && !app->problem; mount = mount->next)
        bide__plan_mount(app, &mount->page);
    for (struct bide__files *files = app->files; files && !app->problem; files = files->next)
        bide__files_prepare(app, files);
    if (!app->problem && app->error_page)
        bide__error_page_prepare(app);
    if (!app->problem && !app->options.no_docs)
        add_docs(app);
    if (!app->problem)
        bide__links_check_paths(app);
    if (!app->problem)
        bide__observe_prepare(app); /* the last: it counts the plans */
}

const char *bide_app_check(bide_app *app)
{
    if (!app)
        return "out of memory";
    pthread_mutex_lock(&lock);
    if (!app->checked) {
        if (!app->problem)
            check(app);
        app->checked = true;
    }
    pthread_mutex_unlock(&lock);
    return app->problem;
}
