/*
 * JSON Schema from descriptors. Pure; called by users and by the web layer's OpenAPI; calls the
 * JSON writer for texts and defaults.
 *
 * Source: JSON Schema draft 2020-12; OpenAPI 3.1.0, "Schema Object".
 */
#include <bide/json.h>

#include "base/caps.h"
#include "model/model.h"
#include "model/number.h"

#include <errno.h>
#include <string.h>

/* `,"key":` and a text, a number. */
static void put_text(bide_buf *out, const char *key, const char *text)
{
    bide_buf_printf(out, ",\"%s\":", key);
    bide__json_write_text(out, text, strlen(text));
}

static void put_number(bide_buf *out, const char *key, long double value)
{
    char text[BIDE__NUMBER_BYTES];
    bool is_integer = value >= (long double)INT64_MIN && value < (long double)INT64_MAX &&
                      value == (long double)(int64_t)value;
    size_t length =
        is_integer ? bide__format_i64(text, (int64_t)value) : bide__format_f64(text, (double)value);
    bide_buf_printf(out, ",\"%s\":%.*s", key, (int)length, text);
}

static void put_enum(bide_buf *out, const bide_type *type)
{
    bide_buf_append_str(out, "\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; i < type->enum_count; i++)
        bide_buf_printf(out, "%s\"%s\"", i ? "," : "", type->enum_names[i]);
    bide_buf_append_char(out, ']');
}

/* The type alone, without braces: of a field, or of the items of its list. */
static void put_type(const bide_schema *schema, enum bide_kind kind, const bide_type *type,
                     bide_buf *out)
{
    static const char *const plain[] = {
        [BIDE_KIND_BOOL] = "\"type\":\"boolean\"",
        [BIDE_KIND_I32] = "\"type\":\"integer\",\"format\":\"int32\"",
        [BIDE_KIND_I64] = "\"type\":\"integer\",\"format\":\"int64\"",
        [BIDE_KIND_F64] = "\"type\":\"number\",\"format\":\"double\"",
        [BIDE_KIND_STR] = "\"type\":\"string\"",
        [BIDE_KIND_BYTES] = "\"type\":\"string\",\"contentEncoding\":\"base64\"",
        [BIDE_KIND_UUID] = "\"type\":\"string\",\"format\":\"uuid\"",
        [BIDE_KIND_TIME] = "\"type\":\"string\",\"format\":\"date-time\"",
        [BIDE_KIND_DATE] = "\"type\":\"string\",\"format\":\"date\"",
        [BIDE_KIND_JSON] = "",
        [BIDE_KIND_SECRET] = "\"type\":\"string\",\"format\":\"password\"",
        [BIDE_KIND_PLAIN_PW] = "\"type\":\"string\",\"format\":\"password\"",
        [BIDE_KIND_HASH] = "\"type\":\"string\"",
    };
    switch (kind) {
    case BIDE_KIND_DECIMAL:
        bide_buf_printf(out, "\"type\":%s,\"pattern\":\"^-?[0-9]+([.][0-9]{1,18})?$\"",
                        schema->output ? "\"string\"" : "[\"string\",\"number\"]");
        break;
    case BIDE_KIND_ENUM:
        put_enum(out, type);
        break;
    case BIDE_KIND_OBJ:
        bide_buf_printf(out, "\"$ref\":\"%s%s%s\"", schema->refs ? schema->refs : "#/$defs/",
                        type->name, schema->ending ? schema->ending : "");
        break;
    case BIDE_KIND_LIST:
        bide_buf_append_str(out, "\"type\":\"array\",\"items\":{");
        put_type(schema, type->kind, type, out);
        bide_buf_append_char(out, '}');
        break;
    default:
        bide_buf_append_str(out, plain[kind]);
        break;
    }
}

static void put_limits(const bide_schema *schema, const bide_field *field, bide_buf *out)
{
    bool is_list = field->kind == BIDE_KIND_LIST;
    if (field->flags & BIDE_LEN && field->kind != BIDE_KIND_BYTES) {
        put_number(out, is_list ? "minItems" : "minLength", field->min_length);
        put_number(out, is_list ? "maxItems" : "maxLength", field->max_length);
    }
    /* A decimal is written as a string, which has no minimum. */
    if (field->flags & BIDE_RANGE && !(schema->output && field->kind == BIDE_KIND_DECIMAL)) {
        put_number(out, "minimum", field->min);
        put_number(out, "maximum", field->max);
    }
    if (field->flags & BIDE_MATCH)
        put_text(out, "pattern", field->pattern);
    if (field->flags & BIDE_EMAIL)
        put_text(out, "format", "email");
    if (field->flags & BIDE_URL)
        put_text(out, "format", "uri");
}

static void put_default(const bide_field *field, bide_buf *out)
{
    union {
        max_align_t alignment;
        char bytes[64];
    } value;
    bide_arena arena;
    bide_problems problems;
    bide_arena_init(&arena, NULL, 65536);
    bide_problems_init(&problems, &arena);
    memset(&value, 0, sizeof value);
    bide__set_default(&(bide_input){.arena = &arena, .problems = &problems}, NULL, field, &value);
    bide_buf_append_str(out, ",\"default\":");
    bide__json_write_value(out, field->kind, field->type, &value);
    bide_arena_done(&arena);
}

int bide_schema_write_field(const bide_schema *schema, const bide_field *field, bide_buf *out)
{
    bool nullable = field->flags & BIDE_OPTIONAL && field->kind != BIDE_KIND_JSON;
    bide_buf_append_str(out, nullable ? "{\"anyOf\":[{" : "{");
    put_type(schema, field->kind, field->type, out);
    put_limits(schema, field, out);
    if (nullable)
        bide_buf_append_str(out, "},{\"type\":\"null\"}]");
    if (field->flags & BIDE_DFLT && !schema->output)
        put_default(field, out);
    return bide_buf_append_char(out, '}');
}

/* The fields that the schema is about. */
static uint64_t fields_of(const bide_schema *schema, const bide_model *model)
{
    return schema->output ? model->writable : model->readable;
}

int bide_schema_write(const bide_schema *schema, const bide_model *model, bide_buf *out)
{
    if (model->error)
        return -EINVAL;
    uint64_t fields = fields_of(schema, model);
    uint64_t required = !schema->output ? model->required : model->partial ? 0 : fields;
    const char *before = "";
    bide_buf_printf(out, "{\"title\":\"%s\",\"type\":\"object\",\"properties\":{", model->name);
    for (uint64_t left = fields; left; left &= left - 1) {
        const bide_field *field = &model->fields[bide__first_bit(left)];
        bide_buf_printf(out, "%s%s", before, field->json_key);
        bide_schema_write_field(schema, field, out);
        before = ",";
    }
    bide_buf_append_char(out, '}');
    before = ",\"required\":[";
    for (uint64_t left = required; left; left &= left - 1) {
        bide_buf_printf(out, "%s\"%s\"", before, model->fields[bide__first_bit(left)].json_name);
        before = ",";
    }
    return bide_buf_append_str(out, required ? "]}" : "}");
}

static bool is_listed(const bide_model *const *models, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(models[i]->name, name) == 0)
            return true;
    return false;
}

size_t bide_schema_models(const bide_schema *schema, const bide_model *model,
                          const bide_model **ret_models, size_t capacity)
{
    const bide_model *found[BIDE_CAP_SCHEMA_MODELS] = {model};
    size_t count = 1;
    for (size_t next = 0; next < count; next++) {
        for (uint64_t left = fields_of(schema, found[next]); left; left &= left - 1) {
            const bide_field *field = &found[next]->fields[bide__first_bit(left)];
            if (field->type->kind == BIDE_KIND_OBJ && count < BIDE_CAP_SCHEMA_MODELS &&
                !is_listed(found, count, field->type->name))
                found[count++] = field->type->model();
        }
    }
    size_t given = count < capacity ? count : capacity;
    if (given)
        memcpy(ret_models, found, given * sizeof *found);
    return count;
}

int bide_schema_document(const bide_schema *schema, const bide_model *model, bide_buf *out)
{
    const bide_model *models[BIDE_CAP_SCHEMA_MODELS];
    bide_schema local = {.output = schema->output};
    if (model->error)
        return -EINVAL;
    size_t count = bide_schema_models(schema, model, models, BIDE_CAP_SCHEMA_MODELS);
    bide_buf_printf(out,
                    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                    "\"$ref\":\"#/$defs/%s\",\"$defs\":{",
                    model->name);
    for (size_t i = 0; i < count; i++) {
        bide_buf_printf(out, "%s\"%s\":", i ? "," : "", models[i]->name);
        bide_schema_write(&local, models[i], out);
    }
    return bide_buf_append_str(out, "}}");
}
