/*
 * JSON straight into structs. Called by users and the web layer; calls the scanner for tokens and
 * convert.c for values. Recursive over objects and lists, at most BIDE_CAP_JSON_DEPTH deep.
 *
 * Invariants
 *  1. A function that returns false has stopped the reading: the text is no JSON (scan.reason), or
 *     memory is out (reader.error). Wrong values are problems, and reading goes on behind them.
 *  2. A field's bit is set exactly when its member was assigned from the input.
 */
#include <bide/json.h>

#include "base/caps.h"
#include "model/json_scan.h"
#include "model/model.h"

#include <errno.h>
#include <string.h>

struct reader {
    struct bide__scan scan;
    const bide_input *input;
    int error; /* 0 or -ENOMEM */
};

/* One list, while it grows. */
struct items {
    char *data;
    size_t count, capacity, size;
};

static bool read_object(struct reader *reader, const struct bide__path *path,
                        const bide_model *model, void *ret_row);
static bool read_list(struct reader *reader, const struct bide__path *path,
                      struct bide__target target, void *ret_list);

static bool stop(struct reader *reader, int error)
{
    reader->error = error;
    return false;
}

static bool read_string(struct reader *reader, const struct bide__path *path,
                        struct bide__target target, void *ret_value)
{
    struct bide__json_string string;
    if (!bide__scan_string(&reader->scan, &string))
        return false;
    if (string.has_zero) {
        bide__problem(reader->input, path, "string_nul",
                      "String should not contain NUL characters");
        return true;
    }
    const char *text = string.text;
    size_t length = string.length;
    if (string.escaped) {
        char *copy = bide_arena_alloc(reader->input->arena, length + 1);
        if (!copy)
            return stop(reader, -ENOMEM);
        length = bide__json_unescape(&string, copy);
        copy[length] = '\0';
        text = copy;
    }
    int error =
        bide__convert_string(reader->input, path, target, text, length, string.escaped, ret_value);
    return error ? stop(reader, error) : true;
}

static bool read_json(struct reader *reader, bide_json *ret_value)
{
    const char *start = reader->scan.at;
    if (!bide__scan_value(&reader->scan))
        return false;
    size_t length = (size_t)(reader->scan.at - start);
    char *text = bide_arena_strndup(reader->input->arena, start, length);
    if (!text)
        return stop(reader, -ENOMEM);
    *ret_value = (bide_json){text, length};
    return true;
}

static bool read_bool(struct reader *reader, char first, bool *ret_value)
{
    if (!bide__scan_word(&reader->scan, first == 't' ? "true" : "false"))
        return false;
    *ret_value = first == 't';
    return true;
}

/* Passes a value of another type than the target's and says so. */
static bool refuse_value(struct reader *reader, const struct bide__path *path,
                         struct bide__target target)
{
    bide__problem_of_type(reader->input, path, target);
    return bide__scan_value(&reader->scan);
}

/* One value, of which `first` is the first byte. */
static bool read_value(struct reader *reader, const struct bide__path *path,
                       struct bide__target target, char first, void *ret_value)
{
    if (target.kind == BIDE_KIND_JSON)
        return read_json(reader, ret_value);
    if (first == '"')
        return read_string(reader, path, target, ret_value);
    if (first == '-' || (first >= '0' && first <= '9')) {
        const char *text = reader->scan.at;
        size_t length;
        bool is_integer;
        if (!bide__scan_number(&reader->scan, &length, &is_integer))
            return false;
        int error =
            bide__convert_number(reader->input, path, target, text, length, is_integer, ret_value);
        return error ? stop(reader, error) : true;
    }
    if (first == '{' && target.kind == BIDE_KIND_OBJ)
        return read_object(reader, path, target.type->model(), ret_value);
    if (first == '[' && target.kind == BIDE_KIND_LIST)
        return read_list(reader, path, target, ret_value);
    if ((first == 't' || first == 'f') && target.kind == BIDE_KIND_BOOL)
        return read_bool(reader, first, ret_value);
    return refuse_value(reader, path, target);
}

/* Room for one more item, zeroed; NULL without memory. */
static void *add_item(struct reader *reader, struct items *items)
{
    if (items->count == items->capacity) {
        size_t capacity = items->capacity ? items->capacity * 2 : 4;
        char *data = bide_arena_alloc(reader->input->arena, capacity * items->size);
        if (!data)
            return NULL;
        if (items->count)
            memcpy(data, items->data, items->count * items->size);
        items->data = data;
        items->capacity = capacity;
    }
    void *item = items->data + items->count++ * items->size;
    return memset(item, 0, items->size);
}

/* At a `[`. Items beyond the limit are counted and not kept. */
static bool read_list(struct reader *reader, const struct bide__path *path,
                      struct bide__target target, void *ret_list)
{
    const bide_field *field = target.field;
    size_t most = field && field->flags & BIDE_LEN ? field->max_length : BIDE_CAP_JSON_ITEMS;
    struct bide__target item = {target.type->kind, target.type, NULL};
    struct items items = {.size = target.type->size};
    struct bide__path here = {.up = path};
    if (!bide__scan_open(&reader->scan))
        return false;
    bool more = bide__scan_next(&reader->scan) != ']';
    if (!more) {
        reader->scan.at++;
        reader->scan.depth--;
    }
    for (; more; here.index++) {
        char first = bide__scan_next(&reader->scan);
        if (here.index >= most) {
            if (!bide__scan_value(&reader->scan))
                return false;
        } else {
            void *value = add_item(reader, &items);
            if (!value)
                return stop(reader, -ENOMEM);
            if (!read_value(reader, &here, item, first, value))
                return false;
        }
        if (!bide__scan_more(&reader->scan, ']', &more))
            return false;
    }
    bide__check_count(reader->input, path, field, here.index);
    struct bide__any_list list = {items.data, items.count};
    memcpy(ret_list, &list, sizeof list);
    return true;
}

static bool read_null(struct reader *reader, const struct bide__path *path, const bide_model *model,
                      const bide_field *field, void *row)
{
    if (!(field->flags & BIDE_OPTIONAL))
        bide__problem_of_type(reader->input, path,
                              (struct bide__target){field->kind, field->type, field});
    else if (model->partial)
        *(uint64_t *)((char *)row + model->null_offset) |= UINT64_C(1) << (field - model->fields);
    return bide__scan_word(&reader->scan, "null");
}

/* The value of a known key. */
static bool read_member(struct reader *reader, const struct bide__path *path,
                        const bide_model *model, const bide_field *field, void *row)
{
    char first = bide__scan_next(&reader->scan);
    if (first == 'n' && (field->kind != BIDE_KIND_JSON || field->flags & BIDE_OPTIONAL))
        return read_null(reader, path, model, field, row);
    size_t before = bide_problems_count(reader->input->problems);
    struct bide__target target = {field->kind, field->type, field};
    if (!read_value(reader, path, target, first, (char *)row + field->offset))
        return false;
    if (bide_problems_count(reader->input->problems) == before)
        *bide__set_of(model, row) |= UINT64_C(1) << (field - model->fields);
    return true;
}

static bool may_be_read(const bide_input *input, const bide_model *model, const bide_field *field)
{
    if (input->trusted)
        return !(field->flags & BIDE_COMPUTED);
    return model->readable >> (field - model->fields) & 1;
}

/* The field of a key, or NULL; `guess` is the one that follows in the declaration. */
static const bide_field *find_field(const bide_model *model, size_t guess, const char *name,
                                    size_t length)
{
    if (guess < model->field_count) {
        const bide_field *field = &model->fields[guess];
        if (field->json_key_length == length + 3 && memcmp(field->json_name, name, length) == 0)
            return field;
    }
    return bide_model_field(model, name, length);
}

/* At a key; passes the member. `seen` are the fields that were there. */
static bool read_key(struct reader *reader, const struct bide__path *path, const bide_model *model,
                     size_t *guess, uint64_t *seen, void *row)
{
    struct bide__json_string key;
    char unescaped[256];
    if (bide__scan_next(&reader->scan) != '"')
        return bide__scan_fail(&reader->scan, "a key in quotes was expected");
    if (!bide__scan_string(&reader->scan, &key))
        return false;
    if (bide__scan_next(&reader->scan) != ':')
        return bide__scan_fail(&reader->scan, "`:` was expected");
    reader->scan.at++;
    bide__scan_next(&reader->scan);
    const bide_field *field = NULL;
    if (key.escaped && key.length < sizeof unescaped) {
        key.length = bide__json_unescape(&key, unescaped);
        key.text = unescaped;
        key.escaped = false;
    }
    if (!key.escaped)
        field = find_field(model, *guess, key.text, key.length);
    struct bide__path here = {path, key.text, key.length, 0};
    if (!field || !may_be_read(reader->input, model, field)) {
        if (reader->input->refuse_unknown)
            bide__problem(reader->input, &here, field ? "read_only" : "extra_forbidden",
                          field ? "Field is read-only" : "Extra inputs are not permitted");
        return bide__scan_value(&reader->scan);
    }
    *guess = (size_t)(field - model->fields) + 1;
    uint64_t bit = UINT64_C(1) << (field - model->fields);
    if (*seen & bit) {
        bide__problem(reader->input, &here, "duplicate_key", "Field is there twice");
        return bide__scan_value(&reader->scan);
    }
    *seen |= bit;
    return read_member(reader, &here, model, field, row);
}

/* At a `{`. The row is zero. */
static bool read_object(struct reader *reader, const struct bide__path *path,
                        const bide_model *model, void *ret_row)
{
    uint64_t seen = 0;
    size_t guess = 0, keys = 0;
    if (!bide__scan_open(&reader->scan))
        return false;
    bool more = bide__scan_next(&reader->scan) != '}';
    if (!more) {
        reader->scan.at++;
        reader->scan.depth--;
    }
    while (more) {
        if (keys++ == BIDE_CAP_JSON_KEYS)
            return bide__scan_fail(&reader->scan, "more than 1000 keys in one object");
        if (!read_key(reader, path, model, &guess, &seen, ret_row) ||
            !bide__scan_more(&reader->scan, '}', &more))
            return false;
    }
    bide__finish_row(reader->input, path, model, seen, ret_row);
    return true;
}

int bide__json_read_value(const bide_input *input, struct bide__target target, const char *text,
                          size_t length, void *ret_value)
{
    struct reader reader = {.scan = {.at = text, .end = text + length}, .input = input};
    bide_problems *problems = input->problems, before = *problems;
    char first = bide__scan_next(&reader.scan);
    bool done = read_value(&reader, NULL, target, first, ret_value);
    if (done && (bide__scan_next(&reader.scan) || reader.scan.at < reader.scan.end))
        bide__scan_fail(&reader.scan, "something behind the value");
    if (reader.scan.reason) { /* the values of what is no JSON do not count */
        if (before.last)
            before.last->next = NULL;
        *problems = before;
        struct bide__path offset = {.index = (size_t)(reader.scan.at - text)};
        bide__problem(input, &offset, "json_invalid", "JSON decode error: %s", reader.scan.reason);
    }
    if (reader.error)
        return reader.error;
    return bide_problems_count(problems) > bide_problems_count(&before) ? -EBADMSG : 0;
}

int bide_json_read(const bide_input *input, const bide_model *model, const char *text,
                   size_t length, void *ret_row)
{
    memset(ret_row, 0, model->size);
    if (model->error)
        return -EINVAL;
    struct bide__target target = {BIDE_KIND_OBJ, model->type_of(), NULL};
    return bide__json_read_value(input, target, text, length, ret_row);
}

int bide_json_read_list(const bide_input *input, const bide_model *model, const char *text,
                        size_t length, void *ret_list)
{
    memset(ret_list, 0, sizeof(struct bide__any_list));
    if (model->error)
        return -EINVAL;
    struct bide__target target = {BIDE_KIND_LIST, model->type_of(), NULL};
    return bide__json_read_value(input, target, text, length, ret_list);
}
