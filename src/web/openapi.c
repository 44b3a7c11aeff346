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

/* bytes of a document; models and security schemes in it */
#define OPENAPI_BYTES ((size_t)16 << 20)
enum { OPENAPI_MODELS = 1024, OPENAPI_SCHEMES = 32 };

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

/* The library's own pages and hidden routes are not in the document. */
static bool is_told_of(const struct bide__plan *plan)
{
    return plan->route && !plan->route->hidden;
}

static void collect(struct document *document)
{
    for (const struct bide__plan *plan = document->app->plans; plan; plan = plan->next) {
        if (!is_told_of(plan))
            continue;
        if (plan->body && !plan->takes_form)
            add_models(&document->inputs, plan->body);
        if (plan->output && !plan->template)
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

/* ---- proofs ---- */

static const char *const scheme_names[] = {
    [BIDE__SCHEME_BEARER] = "bearer",   [BIDE__SCHEME_OAUTH2] = "oauth2",
    [BIDE__SCHEME_BASIC] = "basic",     [BIDE__SCHEME_HEADER_KEY] = "header",
    [BIDE__SCHEME_QUERY_KEY] = "query", [BIDE__SCHEME_COOKIE_KEY] = "cookie",
};

static bool is_key(const struct bide__security *security)
{
    return security->scheme >= BIDE__SCHEME_HEADER_KEY;
}

/* Its name among the components: keys of one name may be in several places. */
static void put_scheme_name(const struct bide__security *security, bide_buf *out)
{
    bide_buf_printf(out, "\"%s%s%s\":", scheme_names[security->scheme], is_key(security) ? "." : "",
                    is_key(security) ? security->detail : "");
}

static bool is_same_scheme(const struct bide__security *a, const struct bide__security *b)
{
    return a->scheme == b->scheme && (!is_key(a) || strcmp(a->detail, b->detail) == 0);
}

/* Proofs, each scheme once: it is optional if all that ask for it say so. */
struct proofs {
    const struct bide__security *all[OPENAPI_SCHEMES];
    size_t count;
};

static void add_proof(struct proofs *proofs, const struct bide__security *security)
{
    size_t at = 0;
    while (at < proofs->count && !is_same_scheme(proofs->all[at], security))
        at++;
    if (at == OPENAPI_SCHEMES)
        return;
    if (at == proofs->count)
        proofs->count++;
    else if (security->optional)
        return;
    proofs->all[at] = security;
}

/* Those that the steps of a plan ask for. */
static void add_proofs(struct proofs *proofs, const struct bide__plan *plan)
{
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct bide__callable *callable = plan->steps[i].callable;
        for (uint32_t n = 0; n < callable->security_count; n++)
            add_proof(proofs, &callable->security[n]);
    }
}

static bool needs_proof(const struct bide__plan *plan)
{
    struct proofs proofs = {.count = 0};
    add_proofs(&proofs, plan);
    for (size_t i = 0; i < proofs.count; i++)
        if (!proofs.all[i]->optional)
            return true;
    return false;
}

/* One way of proving: all that is needed, and one that is optional, or NULL. */
static void put_way(const struct proofs *proofs, const struct bide__security *optional,
                    bide_buf *out)
{
    const char *before = "";
    bide_buf_append_char(out, '{');
    for (size_t i = 0; i < proofs->count; i++) {
        if (proofs->all[i]->optional && proofs->all[i] != optional)
            continue;
        bide_buf_append_str(out, before);
        put_scheme_name(proofs->all[i], out);
        bide_buf_append_str(out, "[]");
        before = ",";
    }
    bide_buf_append_char(out, '}');
}

/* Any one of the ways will do: with each of the optional proofs, and without. */
static void put_security(const struct bide__plan *plan, bide_buf *out)
{
    struct proofs proofs = {.count = 0};
    add_proofs(&proofs, plan);
    if (proofs.count == 0)
        return;
    bide_buf_append_str(out, ",\"security\":[");
    for (size_t i = 0; i < proofs.count; i++) {
        if (!proofs.all[i]->optional)
            continue;
        put_way(&proofs, proofs.all[i], out);
        bide_buf_append_char(out, ',');
    }
    put_way(&proofs, NULL, out);
    bide_buf_append_char(out, ']');
}

static void put_scheme(const struct bide__security *security, bide_buf *out)
{
    put_scheme_name(security, out);
    switch (security->scheme) {
    case BIDE__SCHEME_BEARER:
        bide_buf_append_str(out, "{\"type\":\"http\",\"scheme\":\"bearer\"}");
        return;
    case BIDE__SCHEME_BASIC:
        bide_buf_append_str(out, "{\"type\":\"http\",\"scheme\":\"basic\"}");
        return;
    case BIDE__SCHEME_OAUTH2:
        bide_buf_append_str(out, "{\"type\":\"oauth2\",\"flows\":{\"password\":{\"scopes\":{},"
                                 "\"tokenUrl\":");
        put_text(out, security->detail);
        bide_buf_append_str(out, "}}}");
        return;
    default:
        bide_buf_printf(
            out, "{\"type\":\"apiKey\",\"in\":\"%s\",\"name\":", scheme_names[security->scheme]);
        put_text(out, security->detail);
        bide_buf_append_char(out, '}');
    }
}

/* All schemes of all plans. */
static void put_schemes(const bide_app *app, bide_buf *out)
{
    struct proofs proofs = {.count = 0};
    for (const struct bide__plan *plan = app->plans; plan; plan = plan->next)
        add_proofs(&proofs, plan);
    for (size_t i = 0; i < proofs.count; i++) {
        bide_buf_append_str(out, i ? "," : ",\"securitySchemes\":{");
        put_scheme(proofs.all[i], out);
    }
    if (proofs.count > 0)
        bide_buf_append_char(out, '}');
}

/* ---- parameters and forms ---- */

/* The properties and the required names of a form, which are told in two passes. */
struct properties {
    const bide_schema *schema;
    bide_buf *out;
    bool names;         /* this pass tells the required names */
    const char *before; /* the next one */
};

static void put_property(struct properties *to, const bide_field *field)
{
    bool required = !(field->flags & (BIDE_OPTIONAL | BIDE_DFLT));
    if (to->names && !required)
        return;
    bide_buf_append_str(to->out, to->before);
    to->before = ",";
    put_text(to->out, field->json_name);
    if (to->names)
        return;
    bide_buf_append_char(to->out, ':');
    bide_schema_write_field(to->schema, field, to->out);
}

static void put_upload(struct properties *to, const struct bide__upload *upload)
{
    if (to->names && upload->optional)
        return;
    bide_buf_printf(to->out, "%s\"%s\"", to->before, upload->name);
    to->before = ",";
    if (to->names)
        return;
    bide_buf_append_str(to->out, upload->many
                                     ? ":{\"type\":\"array\",\"items\":{\"type\":\"string\","
                                       "\"format\":\"binary\"}}"
                                     : ":{\"type\":\"string\",\"format\":\"binary\"}");
}

static void put_properties(struct properties *to, const struct bide__plan *plan)
{
    for (uint64_t left = plan->body ? plan->body->readable : 0; left; left &= left - 1)
        put_property(to, &plan->body->fields[bide__first_bit(left)]);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct bide__callable *callable = plan->steps[i].callable;
        const bide_model *model = &callable->models[BIDE__SOURCE_FORM];
        for (size_t n = 0; n < model->field_count; n++)
            put_property(to, &model->fields[n]);
        for (uint32_t n = 0; n < callable->upload_count; n++)
            put_upload(to, &callable->uploads[n]);
    }
}

static void put_form(const struct document *document, const struct bide__plan *plan, bide_buf *out)
{
    struct properties to = {&document->inputs.schema, out, false, ""};
    bide_buf_printf(out,
                    ",\"requestBody\":{\"required\":true,\"content\":{\"%s\":{\"schema\":"
                    "{\"type\":\"object\",\"properties\":{",
                    plan->takes_files ? "multipart/form-data"
                                      : "application/x-www-form-urlencoded");
    put_properties(&to, plan);
    bide_buf_append_char(out, '}');
    to.names = true;
    to.before = ",\"required\":[";
    put_properties(&to, plan);
    bide_buf_append_str(out, to.before[1] ? "}}}}" : "]}}}}");
}

static void put_body(const struct document *document, const struct bide__plan *plan, bide_buf *out)
{
    if (plan->takes_form) {
        put_form(document, plan, out);
    } else if (plan->body) {
        bide_buf_append_str(out, ",\"requestBody\":{\"required\":true,\"content\":"
                                 "{\"application/json\":{\"schema\":");
        put_ref(&document->inputs, plan->body, out);
        bide_buf_append_str(out, "}}}");
    }
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
            if (source == BIDE__SOURCE_FORM || is_told(plan, i, source, field->json_name))
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

static void put_page(const struct models *models, const bide_model *model, bide_buf *out)
{
    bide_buf_append_str(out, "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\","
                             "\"items\":");
    put_ref(models, model, out);
    bide_buf_append_str(out, "},\"total\":{\"type\":\"integer\"},\"page\":{\"type\":\"integer\"},"
                             "\"size\":{\"type\":\"integer\"},\"pages\":{\"type\":\"integer\"}},"
                             "\"required\":[\"items\",\"total\",\"page\",\"size\",\"pages\"]}");
}

/* What a reply that succeeds has in it. */
static void put_content(const struct document *document, const struct bide__plan *plan,
                        bide_buf *out)
{
    bool is_bytes = plan->shape == bide__kind_raw || plan->shape == bide__kind_file;
    const char *type = plan->shape == bide__kind_text                     ? "text/plain"
                       : plan->shape == bide__kind_html || plan->template ? "text/html"
                       : is_bytes                                         ? "*/*"
                       : plan->route->content_type ? plan->route->content_type
                                                   : "application/json";
    if (plan->shape == bide__kind_nothing || plan->shape == bide__kind_redirect)
        return;
    bide_buf_printf(out, ",\"content\":{\"%.*s\":{\"schema\":", (int)strcspn(type, "; \"\\"), type);
    if (!plan->output || plan->template) {
        bide_buf_append_str(out, is_bytes ? "{}" : "{\"type\":\"string\"}");
    } else if (plan->shape == BIDE_KIND_LIST) {
        bide_buf_append_str(out, "{\"type\":\"array\",\"items\":");
        put_ref(&document->outputs, plan->output, out);
        bide_buf_append_char(out, '}');
    } else if (plan->shape == bide__kind_page_) {
        put_page(&document->outputs, plan->output, out);
    } else {
        put_ref(&document->outputs, plan->output, out);
    }
    bide_buf_append_str(out, "}}");
}

static void put_responses(const struct document *document, const struct bide__plan *plan,
                          bide_buf *out)
{
    if (plan->shape == bide__kind_redirect)
        bide_buf_append_str(out, ",\"responses\":{\"3XX\":{\"description\":\"Redirect\"");
    else
        bide_buf_printf(out, ",\"responses\":{\"%d\":{\"description\":\"Successful Response\"",
                        plan->status);
    put_content(document, plan, out);
    bide_buf_append_char(out, '}');
    if (needs_proof(plan))
        bide_buf_append_str(out, ",\"401\":{\"description\":\"Not authenticated\"}");
    if (plan->shape == bide__kind_maybe_)
        bide_buf_append_str(out, ",\"404\":{\"description\":\"Not Found\"}");
    if (plan->binds)
        bide_buf_printf(out,
                        ",\"422\":{\"description\":\"Validation Error\",\"content\":"
                        "{\"application/%sjson\":{\"schema\":"
                        "{\"$ref\":\"#/components/schemas/bide.Problems\"}}}}",
                        document->app->options.problem_details ? "problem+" : "");
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

static void put_labels(const bide_route *route, bide_buf *out)
{
    struct bide__slice rest = bide__slice_of(route->tags ? route->tags : ""), tag;
    const char *before = ",\"tags\":[";
    while (bide__slice_split(&rest, ',', &tag)) {
        tag = bide__slice_trim(tag);
        bide_buf_append_str(out, before);
        bide__json_write_text(out, tag.bytes, tag.length);
        before = ",";
    }
    if (!before[1])
        bide_buf_append_char(out, ']');
    if (route->summary) {
        bide_buf_append_str(out, ",\"summary\":");
        put_text(out, route->summary);
    }
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
    put_labels(plan->route, out);
    put_body(document, plan, out);
    put_security(plan, out);
    put_responses(document, plan, out);
    bide_buf_append_char(out, '}');
}

static void put_paths(const struct document *document, bide_buf *out)
{
    const char *next_path = "";
    for (const struct bide__plan *plan = document->app->plans; plan; plan = plan->next) {
        const struct bide__plan *same = document->app->plans;
        const char *next_operation = ":{";
        if (!is_told_of(plan))
            continue;
        while (!is_told_of(same) || strcmp(same->pattern, plan->pattern) != 0)
            same = same->next;
        if (same != plan)
            continue; /* its path has been told */
        bide_buf_append_str(out, next_path);
        put_path(plan->pattern, out);
        for (; same; same = same->next) {
            if (!is_told_of(same) || strcmp(same->pattern, plan->pattern) != 0)
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

/* The body of a 422. */
static void put_problems(bool problem_details, bide_buf *out)
{
    static const char list[] = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
                               "\"type\":{\"type\":\"string\"},\"loc\":{\"type\":\"array\","
                               "\"items\":{\"type\":[\"string\",\"integer\"]}},"
                               "\"msg\":{\"type\":\"string\"}},"
                               "\"required\":[\"type\",\"loc\",\"msg\"]}}";
    bide_buf_append_str(out, "\"bide.Problems\":{\"type\":\"object\",\"properties\":{");
    if (problem_details)
        bide_buf_printf(out,
                        "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
                        "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
                        "\"errors\":%s},\"required\":[\"type\",\"title\",\"status\",\"detail\"]}",
                        list);
    else
        bide_buf_printf(out, "\"detail\":%s},\"required\":[\"detail\"]}", list);
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
    put_problems(document->app->options.problem_details, out);
    bide_buf_append_char(out, '}');
    put_schemes(document->app, out);
    bide_buf_append_str(out, "}}");
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
