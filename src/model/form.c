/*
 * Named texts into structs: forms, queries, path parameters. Called by users and the web layer;
 * calls convert.c, which the JSON reader calls too.
 *
 * Each field looks for its name among the pairs: both are short, and a peer decides neither how
 * many fields there are nor (see BIDE_CAP_FORM_PARTS) how many pairs.
 */
#include <bide/json.h>

#include "base/caps.h"
#include "base/utf8.h"
#include "model/model.h"
#include "model/number.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

static void read_bool(const bide_input *input, const struct bide__path *path, const char *text,
                      size_t length, bool *ret_value)
{
    static const char *const words[] = {"false", "true", "0", "1", "off", "on", "no", "yes"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is_word(text, length, words[i])) {
            *ret_value = i % 2;
            return;
        }
    }
    bide__problem(input, path, "bool_parsing",
                  "Input should be a valid boolean, unable to interpret input");
}

static int read_number(const bide_input *input, const struct bide__path *path,
                       const struct bide__target *target, const char *text, size_t length,
                       void *ret_value)
{
    bool is_integer;
    if (length > 0 && bide__number_span(text, length, &is_integer) == length)
        return bide__convert_number(input, path, target, text, length, is_integer, ret_value);
    if (target->kind == BIDE_KIND_F64)
        bide__problem(input, path, "float_parsing",
                      "Input should be a valid number, unable to parse string as a number");
    else
        bide__problem(input, path, "int_parsing",
                      "Input should be a valid integer, unable to parse string as an integer");
    return 0;
}

static int read_json(const bide_input *input, const struct bide__path *path, const char *text,
                     size_t length, bide_json *ret_value)
{
    size_t offset;
    const char *reason;
    if (bide_json_check(text, length, &offset, &reason)) {
        bide__problem(input, path, "json_invalid", "Invalid JSON: %s at byte %zu", reason, offset);
        return 0;
    }
    while (length > 0 && strchr(" \t\r\n", text[0])) { /* as the JSON reader does */
        text++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    char *copy = bide_arena_strndup(input->arena, text, length);
    if (!copy)
        return -ENOMEM;
    *ret_value = (bide_json){copy, length};
    return 0;
}

int bide__text_read(const bide_input *input, const struct bide__path *path,
                    const struct bide__target *target, const char *text, size_t length,
                    void *ret_value)
{
    if (!bide__utf8_valid(text, length)) {
        bide__problem(input, path, "string_unicode", "Input should be valid UTF-8");
        return 0;
    }
    if (length && memchr(text, '\0', length)) {
        bide__problem(input, path, "string_nul", "String should not contain NUL characters");
        return 0;
    }
    switch (target->kind) {
    case BIDE_KIND_BOOL:
        read_bool(input, path, text, length, ret_value);
        return 0;
    case BIDE_KIND_I32:
    case BIDE_KIND_I64:
    case BIDE_KIND_F64:
        return read_number(input, path, target, text, length, ret_value);
    case BIDE_KIND_JSON:
        return read_json(input, path, text, length, ret_value);
    default:
        return bide__convert_string(input, path, target, text, length, 0, ret_value);
    }
}

static bool is_named(const bide_pair *pair, const bide_field *field)
{
    return pair->name_length == field->json_key_length - 3 &&
           memcmp(pair->name, field->json_name, pair->name_length) == 0;
}

/* All pairs of that name become the items. */
static int read_list(const bide_input *input, const struct bide__path *path,
                     const bide_field *field, const bide_pair *pairs, size_t count,
                     size_t occurrences, struct bide__any_list *ret_list)
{
    size_t most = field->flags & BIDE_LEN ? field->max_length : BIDE_CAP_JSON_ITEMS;
    size_t kept = occurrences < most ? occurrences : most;
    char *items = bide_arena_alloc_zero(input->arena, kept, field->type->size);
    struct bide__path here = {.up = path};
    struct bide__target item = {field->type->kind, field->type, NULL};
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < count && here.index < kept; i++) {
        if (!is_named(&pairs[i], field))
            continue;
        int error = bide__text_read(input, &here, &item, pairs[i].value, pairs[i].value_length,
                                    items + here.index * field->type->size);
        if (error)
            return error;
        here.index++;
    }
    bide__check_count(input, path, field, occurrences);
    *ret_list = (struct bide__any_list){items, kept};
    return 0;
}

/* Finds a field among the pairs and reads it. `seen` gets its bit if it was there. */
static int read_field(const bide_input *input, const bide_model *model, const bide_field *field,
                      const bide_pair *pairs, size_t count, uint64_t *seen, void *row)
{
    const bide_pair *first = NULL;
    size_t occurrences = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_named(&pairs[i], field)) {
            first = first ? first : &pairs[i];
            occurrences++;
        }
    }
    if (!first)
        return 0;
    uint64_t bit = UINT64_C(1) << (field - model->fields);
    struct bide__path here = {NULL, field->json_name, field->json_key_length - 3, 0};
    void *member = (char *)row + field->offset;
    size_t before = bide_problems_count(input->problems);
    int error = 0;
    *seen |= bit;
    if (field->kind == BIDE_KIND_LIST) {
        struct bide__any_list list = {NULL, 0};
        error = read_list(input, &here, field, pairs, count, occurrences, &list);
        memcpy(member, &list, sizeof list);
    } else if (occurrences > 1) {
        bide__problem(input, &here, "duplicate_key", "Field is there twice");
    } else if (first->value_length == 0 && field->flags & BIDE_OPTIONAL) {
        if (model->partial)
            *(uint64_t *)((char *)row + model->null_offset) |= bit;
        return 0;
    } else {
        struct bide__target target = {field->kind, field->type, field};
        error = bide__text_read(input, &here, &target, first->value, first->value_length, member);
    }
    if (!error && bide_problems_count(input->problems) == before)
        *bide__set_of(model, row) |= bit;
    else /* a list would have items that are none */
        memset(member, 0, field->size);
    return error;
}

static void refuse_unknown(const bide_input *input, const bide_model *model, const bide_pair *pairs,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const bide_field *field = bide_model_field(model, pairs[i].name, pairs[i].name_length);
        if (field && model->readable >> (field - model->fields) & 1)
            continue;
        struct bide__path here = {NULL, pairs[i].name, pairs[i].name_length, 0};
        bide__problem(input, &here, field ? "read_only" : "extra_forbidden",
                      field ? "Field is read-only" : "Extra inputs are not permitted");
    }
}

int bide_form_read(const bide_input *input, const bide_model *model, const bide_pair *pairs,
                   size_t count, void *ret_row)
{
    uint64_t seen = 0;
    size_t before = bide_problems_count(input->problems);
    memset(ret_row, 0, model->size);
    if (model->error)
        return -EINVAL;
    for (size_t i = 0; i < model->field_count; i++) {
        if (!(model->readable >> i & 1))
            continue;
        int error = read_field(input, model, &model->fields[i], pairs, count, &seen, ret_row);
        if (error)
            return error;
    }
    if (input->refuse_unknown)
        refuse_unknown(input, model, pairs, count);
    bide__finish_row(input, NULL, model, seen, ret_row);
    return bide_problems_count(input->problems) > before ? -EBADMSG : 0;
}

int bide_text_read(const bide_input *input, const bide_field *field, const char *text,
                   size_t length, void *ret_value)
{
    size_t before = bide_problems_count(input->problems);
    struct bide__path here = {NULL, field->json_name, field->json_key_length - 3, 0};
    struct bide__target target = {field->kind, field->type, field};
    int error = bide__text_read(input, &here, &target, text, length, ret_value);
    if (error)
        return error;
    return bide_problems_count(input->problems) > before ? -EBADMSG : 0;
}
