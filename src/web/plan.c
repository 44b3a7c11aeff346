/*
 * Plans: what a request to a route will do, worked out once, when the application starts: the
 * providers that it needs, in order, and where in one block of memory their inputs and values lie.
 * Called by app.c; calls the router and the models' completion.
 */
#include "web/web.h"

#include "base/mem.h"
#include "model/model.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* callables belong to all applications */

/* What is being planned. */
struct draft {
    bide_app *app;
    bide_route *route;
    const char *pattern;
    bool bare; /* the site is a row of zeros */
    struct bide__callable *order[BIDE_CAP_WEB_STEPS];
    unsigned count;
    struct bide__callable
        *open[BIDE_CAP_WEB_STEPS]; /* those whose dependencies are being visited */
    unsigned depth;
};

static int refuse(struct draft *draft, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
static int refuse(struct draft *draft, const char *format, ...)
{
    const bide_route *route = draft->route;
    va_list args;
    va_start(args, format);
    const char *why = bide_arena_vprintf(&draft->app->arena, format, args);
    va_end(args);
    return bide__app_problem(draft->app, "%s '%s' at %s:%d: %s", route->method, draft->pattern,
                             route->callable.at.file, route->callable.at.line,
                             why ? why : "no memory");
}

/* x_token is the field `x-token`: the alias, and the key that models keep beside it. */
static int name_header(bide_field *field)
{
    size_t length = strlen(field->name);
    char *alias = bide__alloc(2 * length + 5);
    if (!alias)
        return -ENOMEM;
    for (size_t i = 0; i <= length; i++)
        alias[i] = field->name[i] == '_' ? '-' : field->name[i];
    char *key = alias + length + 1;
    key[0] = '"';
    memcpy(key + 1, alias, length);
    memcpy(key + 1 + length, "\":", 3);
    field->alias = alias;
    field->alias_key = key;
    return 0;
}

/* Puts the fields into the order of their sources and makes a model of each source's. Once per
   program: what it allocates stays. */
static int prepare(struct bide__callable *callable)
{
    if (callable->prepared)
        return 0;
    for (uint32_t i = 1; i < callable->field_count; i++) {
        bide_field field = callable->fields[i];
        uint8_t source = callable->sources[i];
        uint32_t at = i;
        for (; at > 0 && callable->sources[at - 1] > source; at--) {
            callable->fields[at] = callable->fields[at - 1];
            callable->sources[at] = callable->sources[at - 1];
        }
        callable->fields[at] = field;
        callable->sources[at] = source;
    }
    for (uint32_t i = 0; i < callable->field_count; i++) {
        bide_field *field = &callable->fields[i];
        if (callable->sources[i] == BIDE__SOURCE_HEADER && !field->alias && name_header(field) < 0)
            return -ENOMEM;
    }
    uint32_t first = 0;
    for (unsigned source = 0; source < BIDE__SOURCES; source++) {
        bide_model *model = &callable->models[source];
        uint32_t end = first;
        while (end < callable->field_count && callable->sources[end] == source)
            end++;
        model->name = callable->name;
        model->table = "";
        model->fields = callable->fields + first;
        model->field_count = end - first;
        model->set_offset = callable->set_offset + source * sizeof(uint64_t);
        (void)bide__model(model);
        first = end;
    }
    callable->prepared = true;
    return 0;
}

int bide__callable_prepare(struct bide__callable *callable)
{
    pthread_mutex_lock(&lock);
    int result = prepare(callable);
    pthread_mutex_unlock(&lock);
    return result;
}

/* One that is declared in a header exists in each file that includes it. */
static bool is_same(const struct bide__callable *a, const struct bide__callable *b)
{
    return a == b || (a->at.line == b->at.line && strcmp(a->name, b->name) == 0 &&
                      strcmp(a->at.file, b->at.file) == 0);
}

/* The provider that is called: another one, unless that one asks for what it stands in for. */
static struct bide__callable *chosen(const bide_app *app, struct bide__callable *provider,
                                     const struct bide__callable *asking)
{
    for (const struct bide__override *override = app->overrides; override;
         override = override->next)
        if (is_same(override->provider, provider) && !is_same(override->other, asking))
            return override->other;
    return provider;
}

static bool is_in(struct bide__callable *const *list, unsigned count,
                  const struct bide__callable *callable)
{
    for (unsigned i = 0; i < count; i++)
        if (is_same(list[i], callable))
            return true;
    return false;
}

/* Adds what a callable depends on, depth first, and then itself. */
static int visit(struct draft *draft, struct bide__callable *callable)
{
    if (is_in(draft->order, draft->count, callable))
        return 0;
    if (is_in(draft->open, draft->depth, callable))
        return refuse(draft, "provider `%s` depends on itself", callable->name);
    if (draft->depth == BIDE_CAP_WEB_STEPS || draft->count == BIDE_CAP_WEB_STEPS)
        return refuse(draft, "more than %d providers", BIDE_CAP_WEB_STEPS - 1);
    draft->open[draft->depth++] = callable;
    for (uint32_t i = 0; i < callable->dependency_count; i++) {
        struct bide__callable *provider = callable->dependencies[i].provider;
        int result = visit(draft, chosen(draft->app, provider, callable));
        if (result < 0)
            return result;
    }
    draft->depth--;
    if (draft->count == BIDE_CAP_WEB_STEPS)
        return refuse(draft, "more than %d providers", BIDE_CAP_WEB_STEPS - 1);
    draft->order[draft->count++] = callable;
    return 0;
}

static bool pattern_has(const struct bide__route_pattern *pattern, const char *name)
{
    for (unsigned i = 0; i < pattern->piece_count; i++) {
        const struct bide__route_piece *piece = &pattern->pieces[i];
        if (piece->kind != BIDE__ROUTE_LITERAL && piece->length == strlen(name) &&
            memcmp(piece->text, name, piece->length) == 0)
            return true;
    }
    return false;
}

/* The inputs of one callable: usable, and those of the path in it. */
static int check_inputs(struct draft *draft, struct bide__callable *callable)
{
    struct bide__route_pattern pattern;
    if (prepare(callable) < 0)
        return refuse(draft, "no memory");
    if (bide__route_pattern_parse(*draft->pattern ? draft->pattern : "/", &pattern))
        return 0; /* the router has refused it */
    for (uint32_t i = 0; i < callable->field_count; i++) {
        const bide_field *field = &callable->fields[i];
        if (field->type->kind == BIDE_KIND_OBJ)
            return refuse(draft, "parameter `%s` of `%s` is a list of objects", field->name,
                          callable->name);
        if (callable->sources[i] == BIDE__SOURCE_PATH && !pattern_has(&pattern, field->json_name))
            return refuse(draft, "`%s` takes '{%s}' from the path, which has none", callable->name,
                          field->json_name);
    }
    for (int source = 0; source < BIDE__SOURCES; source++)
        if (bide_model_check(&callable->models[source]))
            return refuse(draft, "%s", bide_model_check(&callable->models[source]));
    return 0;
}

/* A response, and the models inside it, must be usable and hold no secret. */
static int check_output(struct draft *draft, const bide_model *output)
{
    const bide_model *models[BIDE_CAP_SCHEMA_MODELS];
    if (bide_model_check(output))
        return refuse(draft, "%s", bide_model_check(output));
    size_t count =
        bide_schema_models(&(bide_schema){.output = true}, output, models, BIDE_CAP_SCHEMA_MODELS);
    for (size_t i = 0; i < count && i < BIDE_CAP_SCHEMA_MODELS; i++)
        for (size_t n = 0; n < models[i]->field_count; n++)
            if (models[i]->fields[n].flags & BIDE_SECRET)
                return refuse(draft,
                              "the response `%s` has the secret field `%s` of `%s`: declare a VIEW "
                              "without it",
                              output->name, models[i]->fields[n].name, models[i]->name);
    return 0;
}

static uint32_t take(uint32_t *at, size_t size)
{
    uint32_t start = (*at + 15) & ~(uint32_t)15;
    *at = start + (uint32_t)size;
    return start;
}

static uint32_t value_of(const struct bide__plan *plan, const struct bide__callable *callable)
{
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (is_same(plan->steps[i].callable, callable))
            return plan->steps[i].value_at;
    return 0; /* not reached: visit has added every provider */
}

/* Where everything lies in the block: rows, body, values. */
static int lay_out(struct draft *draft, struct bide__plan *plan)
{
    bide_arena *arena = &draft->app->arena;
    uint32_t at = 0;
    plan->step_count = draft->count;
    plan->steps = bide_arena_alloc_zero(arena, draft->count, sizeof *plan->steps);
    if (!plan->steps)
        return refuse(draft, "no memory");
    for (unsigned i = 0; i < draft->count; i++) {
        struct bide__callable *callable = draft->order[i];
        plan->steps[i].callable = callable;
        if (callable->field_count + callable->upload_count + callable->security_count > 0)
            plan->steps[i].row_at = take(&at, callable->row_size);
    }
    if (plan->has_site && draft->bare)
        plan->site_at = take(&at, draft->app->site->size);
    plan->rows_bytes = at;
    plan->binds = at > 0 || plan->body;
    if (plan->body)
        plan->body_at = take(&at, plan->body->size);
    for (unsigned i = 0; i < draft->count; i++)
        plan->steps[i].value_at = take(&at, draft->order[i]->value_size);
    plan->block_bytes = take(&at, 0);
    if (plan->has_site && !draft->bare)
        plan->site_at =
            value_of(plan, chosen(draft->app, draft->app->site_provider, &draft->route->callable));
    for (unsigned i = 0; i < draft->count; i++) {
        const struct bide__callable *callable = draft->order[i];
        if (callable->dependency_count == 0)
            continue;
        uint32_t *offsets =
            bide_arena_alloc_zero(arena, callable->dependency_count, sizeof *offsets);
        if (!offsets)
            return refuse(draft, "no memory");
        for (uint32_t n = 0; n < callable->dependency_count; n++)
            offsets[n] =
                value_of(plan, chosen(draft->app, callable->dependencies[n].provider, callable));
        plan->steps[i].depends_at = offsets;
    }
    return 0;
}

static int find_body(struct draft *draft, struct bide__plan *plan)
{
    for (unsigned i = 0; i < draft->count; i++) {
        if (!draft->order[i]->body)
            continue;
        if (plan->body)
            return refuse(draft, "more than one of its functions takes the body");
        plan->body = draft->order[i]->body();
        plan->takes_form |= draft->order[i]->body_is_form;
        if (bide_model_check(plan->body))
            return refuse(draft, "%s", bide_model_check(plan->body));
    }
    return 0;
}

/* What the plan needs of a request besides values of its head. */
static int find_needs(struct draft *draft, struct bide__plan *plan)
{
    bool body_is_json = plan->body && !plan->takes_form;
    for (unsigned i = 0; i < draft->count; i++) {
        const struct bide__callable *callable = draft->order[i];
        plan->takes_files |= callable->upload_count > 0;
        plan->takes_form |=
            callable->upload_count > 0 || callable->models[BIDE__SOURCE_FORM].field_count > 0;
        for (uint32_t n = 0; n < callable->security_count; n++) {
            const struct bide__security *security = &callable->security[n];
            plan->is_secured = true;
            if (security->scheme != BIDE__SCHEME_BEARER && security->scheme != BIDE__SCHEME_BASIC &&
                !*security->detail)
                return refuse(draft,
                              "`%s` has an oauth2 without a URL or an api_key without a name",
                              callable->name);
        }
    }
    if (plan->takes_form && body_is_json)
        return refuse(draft, "its functions take a JSON body and a form");
    return 0;
}

/* The template of a page, and what it needs of the site. */
static int find_template(struct draft *draft, struct bide__plan *plan)
{
    bide_app *app = draft->app;
    const bide_route *route = draft->route;
    if (route->response != bide__kind_template)
        return 0;
    if (!app->templates)
        return refuse(draft,
                      "the page `%s` has no templates: give the application a folder of them",
                      route->template);
    plan->template =
        bide_template_of(app->templates, route->template, route->type()->model(), app->site);
    if (!plan->template)
        return refuse(draft, "%s", bide_templates_problem(app->templates));
    plan->has_site = bide__template_uses_site(plan->template);
    return plan->has_site && !draft->bare
               ? visit(draft, chosen(app, app->site_provider, &route->callable))
               : 0;
}

static int find_output(struct draft *draft, struct bide__plan *plan)
{
    const bide_route *route = draft->route;
    plan->shape = route->response;
    plan->status = route->status ? route->status : plan->shape == bide__kind_nothing ? 204 : 200;
    if (!route->type)
        return 0;
    const bide_type *type = route->type();
    if (!type)
        return 0;
    if (plan->template) {
        plan->output = type->model();
        return 0;
    }
    if (type->kind != BIDE_KIND_OBJ)
        return refuse(draft, "its response is a list of `%s`, not of a model", type->name);
    plan->output = type->model();
    return check_output(draft, plan->output);
}

/* Keeps a plan that the router has taken, or its problem. */
static int keep(bide_app *app, struct bide__plan *plan, int result, const char *problem)
{
    if (result < 0)
        return bide__app_problem(app, "%s", problem);
    plan->index = app->plan_count++;
    *app->plans_end = plan;
    app->plans_end = &plan->next;
    return 0;
}

static int add(bide_app *app, struct bide__plan *plan, enum bide__http_method method,
               const char *file, int line)
{
    const char *problem = NULL;
    int result = bide__router_add(&app->router, method, plan->pattern, plan, file, line, &problem);
    return keep(app, plan, result, problem);
}

/* A plan and its steps. */
static int begin(struct draft *draft, struct bide__plan *plan)
{
    plan->pattern = draft->pattern;
    plan->route = draft->route;
    int result = find_template(draft, plan);
    return result < 0 ? result : visit(draft, &draft->route->callable);
}

/* What its steps take and give. */
static int complete(struct draft *draft, struct bide__plan *plan)
{
    int result = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < draft->count && result == 0; i++)
        result = check_inputs(draft, draft->order[i]);
    pthread_mutex_unlock(&lock);
    if (result == 0)
        result = find_body(draft, plan);
    if (result == 0)
        result = find_needs(draft, plan);
    if (result == 0)
        result = find_output(draft, plan);
    return result < 0 ? result : lay_out(draft, plan);
}

int bide__plan_add(bide_app *app, bide_route *route, const char *prefix)
{
    struct bide__plan *plan = bide_arena_alloc_zero(&app->arena, 1, sizeof *plan);
    struct draft draft = {.app = app, .route = route};
    draft.pattern = bide_arena_printf(&app->arena, "%s%s", prefix, route->pattern);
    if (!plan || !draft.pattern)
        return bide__app_problem(app, "out of memory");
    int result = begin(&draft, plan);
    if (result == 0)
        result = add(app, plan, bide__web_method(bide__slice_of(route->method)),
                     route->callable.at.file, route->callable.at.line);
    return result < 0 ? result : complete(&draft, plan);
}

struct bide__plan *bide__plan_alone(bide_app *app, bide_route *route, bool bare)
{
    struct bide__plan *plan = bide_arena_alloc_zero(&app->arena, 1, sizeof *plan);
    struct draft draft = {.app = app, .route = route, .pattern = route->pattern, .bare = bare};
    if (!plan) {
        bide__app_problem(app, "out of memory");
        return NULL;
    }
    if (begin(&draft, plan) < 0 || complete(&draft, plan) < 0)
        return NULL;
    if (plan->body || plan->takes_form) {
        refuse(&draft, "its functions take a body");
        return NULL;
    }
    return plan;
}

static struct bide__plan *plan_of(bide_app *app, const struct bide__builtin *builtin)
{
    struct bide__plan *plan = bide_arena_alloc_zero(&app->arena, 1, sizeof *plan);
    if (!plan) {
        bide__app_problem(app, "out of memory");
        return NULL;
    }
    plan->pattern = builtin->pattern;
    plan->builtin = builtin;
    return plan;
}

int bide__plan_builtin(bide_app *app, const struct bide__builtin *builtin)
{
    struct bide__plan *plan = plan_of(app, builtin);
    if (!plan)
        return -EINVAL;
    return add(app, plan, BIDE__HTTP_GET, builtin->file ? builtin->file : "bide", builtin->line);
}

int bide__plan_mount(bide_app *app, const struct bide__builtin *builtin)
{
    const char *problem = NULL;
    struct bide__plan *plan = plan_of(app, builtin);
    if (!plan)
        return -EINVAL;
    plan->mounted = true;
    int result = bide__router_mount(&app->router, builtin->pattern, plan, builtin->file,
                                    builtin->line, &problem);
    return keep(app, plan, result, problem);
}
