/*
 * What the URLs of an application's routes are made of: worked out once, before the templates are
 * compiled that name them. Called by app.c, declarations (bide__link_register); calls
 * route_pattern.c, plan.c.
 */
#include "web/web.h"

#include "base/nearest.h"

#include <errno.h>
#include <string.h>

static struct bide__linked *declared; /* all LINKs; constructors run on one thread */

void bide__link_register(struct bide__linked *link)
{
    link->next = declared;
    declared = link;
}

/* ---- one route ---- */

/* What its handler and providers take. */
struct inputs {
    const struct bide__callable *callables[BIDE_CAP_WEB_STEPS];
    unsigned count;
};

/* The callable and all that it depends on; more of them than there may be are refused by plan.c. */
static int collect(struct inputs *inputs, struct bide__callable *callable)
{
    for (unsigned i = 0; i < inputs->count; i++)
        if (inputs->callables[i] == callable)
            return 0;
    if (inputs->count == BIDE_CAP_WEB_STEPS)
        return 0;
    inputs->callables[inputs->count++] = callable;
    int result = bide__callable_prepare(callable);
    for (uint32_t i = 0; i < callable->dependency_count && result == 0; i++)
        result = collect(inputs, callable->dependencies[i].provider);
    return result;
}

static const bide_field *path_field(const struct inputs *inputs, struct bide__slice name)
{
    for (unsigned i = 0; i < inputs->count; i++) {
        const bide_model *model = &inputs->callables[i]->models[BIDE__SOURCE_PATH];
        for (size_t n = 0; n < model->field_count; n++)
            if (bide__slice_equal(bide__slice_of(model->fields[n].json_name), name))
                return &model->fields[n];
    }
    return NULL;
}

static bool has_query(const struct bide__link *link, const bide_field *field)
{
    for (unsigned i = 0; i < link->query_count; i++)
        if (strcmp(link->queries[i]->json_name, field->json_name) == 0)
            return true;
    return false;
}

static int add_queries(bide_app *app, const struct inputs *inputs, struct bide__link *link)
{
    size_t most = 0;
    for (unsigned i = 0; i < inputs->count; i++)
        most += inputs->callables[i]->models[BIDE__SOURCE_QUERY].field_count;
    const bide_field **queries = bide_arena_alloc_zero(&app->arena, most + 1, sizeof *queries);
    if (!queries)
        return -ENOMEM;
    link->queries = queries;
    for (unsigned i = 0; i < inputs->count; i++) {
        const bide_model *model = &inputs->callables[i]->models[BIDE__SOURCE_QUERY];
        for (size_t n = 0; n < model->field_count; n++)
            if (!has_query(link, &model->fields[n]))
                queries[link->query_count++] = &model->fields[n];
    }
    return 0;
}

/* The path: literals, with their slashes, and parameters. */
static int add_parts(bide_app *app, const struct inputs *inputs, const char *whole,
                     const struct bide__route_pattern *pattern, struct bide__link *link)
{
    struct bide__link_part *parts =
        bide_arena_alloc_zero(&app->arena, 2 * (size_t)pattern->piece_count + 1, sizeof *parts);
    char *text = bide_arena_alloc(&app->arena, 3 * strlen(whole) + 1), *start = text;
    if (!parts || !text)
        return -ENOMEM;
    link->parts = parts;
    for (unsigned i = 0; i < pattern->piece_count; i++) {
        const struct bide__route_piece *piece = &pattern->pieces[i];
        *text++ = '/';
        if (piece->kind == BIDE__ROUTE_LITERAL) {
            size_t length;
            const char *encoded = bide__route_piece_encode(&app->arena, piece, &length);
            if (!encoded)
                return -ENOMEM;
            text = mempcpy(text, encoded, length);
            continue;
        }
        struct bide__slice name = bide__slice(piece->text, piece->length);
        parts[link->part_count++].text = bide__slice(start, (size_t)(text - start));
        parts[link->part_count++] = (struct bide__link_part){name, path_field(inputs, name), true,
                                                             piece->kind == BIDE__ROUTE_REST};
        start = text;
    }
    if (text > start)
        parts[link->part_count++].text = bide__slice(start, (size_t)(text - start));
    return 0;
}

/* A route whose pattern the router will refuse is left out. */
static int add_link(bide_app *app, const struct bide__added *added, struct bide__link *link)
{
    struct bide__route_pattern *pattern = bide_arena_alloc(&app->arena, sizeof *pattern);
    struct inputs inputs = {.count = 0};
    const char *whole =
        bide_arena_printf(&app->arena, "%s%s", added->prefix, added->route->pattern);
    if (!whole || !pattern)
        return -ENOMEM;
    link->name = added->route->callable.name;
    if (bide__route_pattern_parse(whole, pattern))
        return 0;
    int result = collect(&inputs, &added->route->callable);
    if (result == 0)
        result = add_parts(app, &inputs, whole, pattern, link);
    return result < 0 ? result : add_queries(app, &inputs, link);
}

/* ---- LINKs ---- */

static int refuse(bide_app *app, const struct bide__linked *linked, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
static int refuse(bide_app *app, const struct bide__linked *linked, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *why = bide_arena_vprintf(&app->arena, format, args);
    va_end(args);
    return bide__app_problem(app, "the LINK `%s` at %s:%d: %s", linked->name, linked->at.file,
                             linked->at.line, why ? why : "no memory");
}

static int check_type(bide_app *app, const struct bide__linked *linked,
                      const struct bide__link_member *member, const bide_field *field)
{
    const bide_type *type = member->type();
    if (member->kind == field->kind && strcmp(type->name, field->type->name) == 0)
        return 0;
    return refuse(app, linked, "its `%s` is a %s`%s`, that of the route a %s`%s`", member->name,
                  member->kind == BIDE_KIND_LIST ? "list of " : "", type->name,
                  field->kind == BIDE_KIND_LIST ? "list of " : "", field->type->name);
}

static const bide_field *field_of(const struct bide__link *link,
                                  const struct bide__link_member *member,
                                  struct bide__nearest *nearest)
{
    const bide_field *field = NULL;
    unsigned count = member->is_path ? link->part_count : link->query_count;
    for (unsigned i = 0; i < count && !field; i++) {
        const bide_field *offered = member->is_path ? link->parts[i].field : link->queries[i];
        if (offered && strcmp(offered->name, member->name) == 0)
            field = offered;
        else if (offered)
            bide__nearest_offer(nearest, offered->name);
    }
    return field;
}

static int check_link(bide_app *app, const struct bide__linked *linked,
                      const struct bide__link *link)
{
    unsigned values = 0, parameters = 0;
    for (size_t i = 0; i < linked->count; i++) {
        const struct bide__link_member *member = &linked->members[i];
        struct bide__nearest nearest = {.wanted = member->name};
        const bide_field *field = field_of(link, member, &nearest);
        if (!field)
            return refuse(app, linked, "the route `%s` takes no `%s` from the %s%s%s%s", link->name,
                          member->name, member->is_path ? "path" : "query",
                          nearest.best ? ": did you mean `" : "", nearest.best ? nearest.best : "",
                          nearest.best ? "`?" : "");
        if (check_type(app, linked, member, field) < 0)
            return -EINVAL;
        values += member->is_path;
    }
    for (unsigned i = 0; i < link->part_count; i++)
        parameters += link->parts[i].is_parameter;
    return values == parameters ? 0
                                : refuse(app, linked, "the path of the route `%s` has %u values",
                                         link->name, parameters);
}

/* ---- paths in templates ---- */

static bool is_path(const char *path)
{
    return bide_local_path(path) != NULL;
}

static bool answers(const bide_app *app, const char *path)
{
    struct bide__route_match match;
    return bide__router_find(&app->router, BIDE__HTTP_GET, path, strcspn(path, "?#"), &match) ==
           BIDE__ROUTE_FOUND;
}

static bool note_path(void *app_, const char *path, const char *where, unsigned line)
{
    bide_app *app = app_;
    if (app->checked)
        return answers(app, path);
    struct bide__named_path *named = bide_arena_alloc(&app->arena, sizeof *named);
    const char *path_kept = bide_arena_strdup(&app->arena, path);
    const char *where_kept = bide_arena_strdup(&app->arena, where);
    if (!named || !path_kept || !where_kept) {
        bide__app_problem(app, "out of memory");
        return true;
    }
    *named = (struct bide__named_path){app->paths, path_kept, where_kept, line};
    app->paths = named;
    return true;
}

int bide__links_check_paths(bide_app *app)
{
    for (const struct bide__named_path *named = app->paths; named; named = named->next)
        if (!answers(app, named->path))
            return bide__app_problem(app, "%s:%u: {{@%s}}: nothing answers GET at this path",
                                     named->where, named->line, named->path);
    return 0;
}

/* ---- all ---- */

/* "https://example.org/blog/": the origin and the root. */
static int split_public_url(bide_app *app, const char *url)
{
    const char *wrong = bide__check_url(url, strlen(url));
    if (!wrong && strpbrk(url, "?#"))
        wrong = "it has a query or a fragment";
    if (wrong)
        return bide__app_problem(app, "the public_url '%s': %s", url, wrong);
    size_t origin = (size_t)(strstr(url, "://") - url) + 3;
    origin += strcspn(url + origin, "/");
    app->links.origin = bide_arena_strndup(&app->arena, url, origin);
    if (!app->options.root_path)
        app->links.root = url + origin;
    return app->links.origin ? 0 : -ENOMEM;
}

static int find_root(bide_app *app)
{
    const char *root = app->options.root_path;
    app->links.root = root ? root : "";
    int result = app->options.public_url ? split_public_url(app, app->options.public_url) : 0;
    if (result < 0)
        return result;
    root = app->links.root;
    if (*root && !bide_local_path(root))
        return bide__app_problem(app, "the root_path '%s' is no path", root);
    size_t length = strlen(root);
    while (length > 0 && root[length - 1] == '/')
        length--;
    app->links.root = bide_arena_strndup(&app->arena, root, length);
    return app->links.root ? 0 : -ENOMEM;
}

static bool is_linked(const bide_app *app, const bide_route *route)
{
    for (size_t i = 0; i < app->links.count; i++)
        if (app->linked[i] == route)
            return true;
    return false;
}

static int prepare(bide_app *app)
{
    size_t most = 1;
    for (const struct bide__added *added = app->added; added; added = added->next)
        most++;
    struct bide__link *all = bide_arena_alloc_zero(&app->arena, most, sizeof *all);
    bide_route **linked = bide_arena_alloc_zero(&app->arena, most, sizeof *linked);
    if (!all || !linked)
        return -ENOMEM;
    app->links = (struct bide__links){
        .all = all, .root = "", .is_path = is_path, .note_path = note_path, .app = app};
    app->linked = linked;
    int result = find_root(app);
    for (const struct bide__added *added = app->added; added && result == 0; added = added->next) {
        if (is_linked(app, added->route))
            continue;
        linked[app->links.count] = added->route;
        result = add_link(app, added, &all[app->links.count++]);
    }
    for (const struct bide__linked *link = declared; link && result == 0; link = link->next)
        for (size_t i = 0; i < app->links.count && result == 0; i++)
            if (linked[i] == link->route)
                result = check_link(app, link, &all[i]);
    return result;
}

int bide__links_prepare(bide_app *app)
{
    int result = prepare(app);
    return result == -ENOMEM ? bide__app_problem(app, "out of memory") : result;
}
