/*
 * The OpenAPI document of an application, from the tables that serve its requests. Called by app.c
 * when the application is checked; calls the models' schemas.
 *
 * Source: OpenAPI 3.1.0.
 */
#include "web/web.h"

#include "model/model.h"

#include <errno.h>
#include <string.h>

/* bytes of a document, and models in it */
#define OPENAPI_BYTES ((size_t)16 << 20)
enum { OPENAPI_MODELS = 1024 };

struct models {
    bide_schema schema;
    const bide_model *all[OPENAPI_MODELS];
    size_t count;
};

struct document {
    const bide_app *app;
    bide_buf out;
    struct models inputs, outputs;
};

static bool has(const struct models *models, const char *name)
{
    for (size_t i = 0; i < models->count; i++)
        if (strcmp(models->all[i]->name, name) == 0)
            return true;
    return false;
}

/* A model and those inside it, each once by name. */
static void add_models(struct models *models, const bide_model *model)
{
    const bide_model *inside[BIDE_CAP_SCHEMA_MODELS];
    size_t count = bide_schema_models(&models->schema, model, inside, BIDE_CAP_SCHEMA_MODELS);
    for (size_t i = 0; i < count && i < BIDE_CAP_SCHEMA_MODELS; i++)
        if (models->count < OPENAPI_MODELS && !has(models, inside[i]->name))
            models->all[models->count++] = inside[i];
}

static void collect(struct document *document)
{
    for (const struct bide__plan *plan = document->app->plans; plan; plan = plan->next) {
        if (plan->body)
            add_models(&document->inputs, plan->body);
        if (plan->output)
            add_models(&document->outputs, plan->output);
    }
    /* A model that is read and written has two schemas: what is generated is only written. */
    for (size_t i = 0; i < document->inputs.count; i++)
        if (has(&document->outputs, document->inputs.all[i]->name))
            document->inputs.schema.ending = "-Input";
}

static void put_text(bide_buf *out, const char *text)
{
    bide__json_write_text(out, text, strlen(text));
}

static void put_ref(const struct models *models, const bide_model *model, bide_buf *out)
{
    bide_buf_printf(out, "{\"$ref\":\"%s%s%s\"}", models->schema.refs, model->name,
                    models->schema.ending ? models->schema.ending : "");
}

/* `{name:path}` is `{name}` there. */
static void put_path(const char *pattern, bide_buf *out)
{
    bide_buf_append_char(out, '"');
    for (const char *at = *pattern ? pattern : "/"; *at; at++) {
        if (*at == ':' && strcmp(at, ":path}") == 0)
            at += 5;
        if (*at == '"' || *at == '\\')
            bide_buf_append_char(out, '\\');
        bide_buf_append_char(out, *at);
    }
    bide_buf_append_char(out, '"');
}

/* Whether a callable before this one takes the same parameter. */
static bool is_told(const struct bide__plan *plan, uint32_t step, uint8_t source,
                    const char *json_name)
{
    for (uint32_t i = 0; i < step; i++) {
        const bide_model *model = &plan->steps[i].callable->models[source];
        if (bide_model_field(model, json_name, strlen(json_name)))
            return true;
    }
    return false;
}

static void put_parameters(const struct document *document, const struct bide__plan *plan,
                           bide_buf *out)
{
    static const char *const places[] = {"path", "query", "header", "cookie"};
    const char *before = ",\"parameters\":[";
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct bide__callable *callable = plan->steps[i].callable;
        for (uint32_t n = 0; n < callable->field_count; n++) {
            const bide_field *field = &callable->fields[n];
            uint8_t source = callable->sources[n];
            bool required =
                source == BIDE__SOURCE_PATH || !(field->flags & (BIDE_OPTIONAL | BIDE_DFLT));
            if (is_told(plan, i, source, field->json_name))
                continue;
            bide_buf_printf(out,
                            "%s{\"name\":\"%s\",\"in\":\"%s\",\"required\":%s,\"schema\":", before,
                            field->json_name, places[source], required ? "true" : "false");
            bide_schema_write_field(&document->inputs.schema, field, out);
            bide_buf_append_char(out, '}');
            before = ",";
        }
    }
    if (*before == ',' && !before[1])
        bide_buf_append_char(out, ']');
}

static void put_responses(const struct document *document, const struct bide__plan *plan,
                          bide_buf *out)
{
    bide_buf_printf(out, ",\"responses\":{\"%d\":{\"description\":\"Successful Response\"",
                    plan->status);
    if (plan->shape == bide__kind_text) {
        bide_buf_append_str(out,
                            ",\"content\":{\"text/plain\":{\"schema\":{\"type\":\"string\"}}}");
    } else if (plan->output) {
        bool is_list = plan->shape == BIDE_KIND_LIST;
        bide_buf_append_str(out, ",\"content\":{\"application/json\":{\"schema\":");
        if (is_list)
            bide_buf_append_str(out, "{\"type\":\"array\",\"items\":");
        put_ref(&document->outputs, plan->output, out);
        bide_buf_append_str(out, is_list ? "}}}" : "}}");
    }
    bide_buf_append_char(out, '}');
    if (plan->shape == bide__kind_maybe_)
        bide_buf_append_str(out, ",\"404\":{\"description\":\"Not Found\"}");
    if (plan->binds)
        bide_buf_append_str(out, ",\"422\":{\"description\":\"Validation Error\",\"content\":"
                                 "{\"application/json\":{\"schema\":"
                                 "{\"$ref\":\"#/components/schemas/bide.Problems\"}}}}");
    bide_buf_append_char(out, '}');
}

/* A route that was added twice, under two prefixes, is two operations. */
static void put_id(const struct document *document, const struct bide__plan *plan, bide_buf *out)
{
    unsigned count = 1;
    for (const struct bide__plan *other = document->app->plans; other != plan; other = other->next)
        count += other->route == plan->route;
    bide_buf_printf(out, "\"operationId\":\"%s", plan->route->callable.name);
    if (count > 1)
        bide_buf_printf(out, "_%u", count);
    bide_buf_append_char(out, '"');
}

static void put_operation(const struct document *document, const struct bide__plan *plan,
                          bide_buf *out)
{
    bide_buf_append_char(out, '"');
    for (const char *at = plan->route->method; *at; at++)
        bide_buf_append_char(out, bide__ascii_lower(*at));
    bide_buf_append_str(out, "\":{");
    put_id(document, plan, out);
    put_parameters(document, plan, out);
    if (plan->body) {
        bide_buf_append_str(out, ",\"requestBody\":{\"required\":true,\"content\":"
                                 "{\"application/json\":{\"schema\":");
        put_ref(&document->inputs, plan->body, out);
        bide_buf_append_str(out, "}}}");
    }
    put_responses(document, plan, out);
    bide_buf_append_char(out, '}');
}

static void put_paths(const struct document *document, bide_buf *out)
{
    const char *next_path = "";
    for (const struct bide__plan *plan = document->app->plans; plan; plan = plan->next) {
        const struct bide__plan *same = document->app->plans;
        const char *next_operation = ":{";
        if (!plan->route)
            continue;
        while (strcmp(same->pattern, plan->pattern) != 0)
            same = same->next;
        if (same != plan)
            continue; /* its path has been told */
        bide_buf_append_str(out, next_path);
        put_path(plan->pattern, out);
        for (; same; same = same->next) {
            if (!same->route || strcmp(same->pattern, plan->pattern) != 0)
                continue;
            bide_buf_append_str(out, next_operation);
            put_operation(document, same, out);
            next_operation = ",";
        }
        bide_buf_append_char(out, '}');
        next_path = ",";
    }
}

static void put_models(const struct models *models, bide_buf *out)
{
    for (size_t i = 0; i < models->count; i++) {
        bide_buf_printf(out, "\"%s%s\":", models->all[i]->name,
                        models->schema.ending ? models->schema.ending : "");
        bide_schema_write(&models->schema, models->all[i], out);
        bide_buf_append_char(out, ',');
    }
}

static void put_document(struct document *document)
{
    bide_buf *out = &document->out;
    collect(document);
    bide_buf_append_str(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":");
    put_text(out, document->app->options.title);
    bide_buf_append_str(out, ",\"version\":");
    put_text(out, document->app->options.version);
    bide_buf_append_str(out, "},\"paths\":{");
    put_paths(document, out);
    bide_buf_append_str(out, "},\"components\":{\"schemas\":{");
    put_models(&document->outputs, out);
    put_models(&document->inputs, out);
    bide_buf_append_str(
        out,
        "\"bide.Problems\":{\"type\":\"object\",\"properties\":{\"detail\":{\"type\":\"array\","
        "\"items\":{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\"},"
        "\"loc\":{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"integer\"]}},"
        "\"msg\":{\"type\":\"string\"}},\"required\":[\"type\",\"loc\",\"msg\"]}}},"
        "\"required\":[\"detail\"]}}}}");
}

int bide__openapi_make(bide_app *app)
{
    struct document *document = bide_arena_alloc_zero(&app->arena, 1, sizeof *document);
    if (!document)
        return -ENOMEM;
    document->app = app;
    document->inputs.schema = (bide_schema){.refs = "#/components/schemas/"};
    document->outputs.schema = (bide_schema){.output = true, .refs = "#/components/schemas/"};
    bide_buf_init(&document->out, OPENAPI_BYTES);
    put_document(document);
    app->openapi_length = bide_buf_length(&document->out);
    app->openapi =
        bide_arena_strndup(&app->arena, bide_buf_str(&document->out), app->openapi_length);
    int error = bide_buf_error(&document->out);
    bide_buf_done(&document->out);
    return error < 0 ? error : app->openapi ? 0 : -ENOMEM;
}

void bide__openapi_page(bide_request *req)
{
    const bide_app *app = req->server->app;
    bide__web_reply(req, 200, "application/json", app->openapi, app->openapi_length);
}
