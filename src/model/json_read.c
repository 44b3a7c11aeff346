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
                      const struct bide__target *target, void *ret_list);

static bool stop(struct reader *reader, int error)
{
    reader->error = error;
    return false;
}

static bool read_string(struct reader *reader, const struct bide__path *path,
                        const struct bide__target *target, void *ret_value)
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
    unsigned facts = string.ascii ? BIDE__TEXT_ASCII : string.escaped ? BIDE__TEXT_KEPT : 0;
    int error = bide__convert_string(reader->input, path, target, text, length, facts, ret_value);
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
                         const struct bide__target *target)
{
    bide__problem_of_type(reader->input, path, target);
    return bide__scan_value(&reader->scan);
}

/* One value, of which `first` is the first byte. */
static bool read_value(struct reader *reader, const struct bide__path *path,
                       const struct bide__target *target, char first, void *ret_value)
{
    if (target->kind == BIDE_KIND_JSON)
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
    if (first == '{' && target->kind == BIDE_KIND_OBJ)
        return read_object(reader, path, target->type->model(), ret_value);
    if (first == '[' && target->kind == BIDE_KIND_LIST)
        return read_list(reader, path, target, ret_value);
    if ((first == 't' || first == 'f') && target->kind == BIDE_KIND_BOOL)
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
                      const struct bide__target *target, void *ret_list)
{
    const bide_field *field = target->field;
    size_t most = field && field->flags & BIDE_LEN ? field->max_length : BIDE_CAP_JSON_ITEMS;
    struct bide__target item = {target->type->kind, target->type, NULL};
    struct items items = {.size = target->type->size};
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
            if (!read_value(reader, &here, &item, first, value))
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
                              &(struct bide__target){field->kind, field->type, field});
    else if (model->partial)
        *(uint64_t *)((char *)row + model->null_offset) |= UINT64_C(1) << (field - model->fields);
    return bide__scan_word(&reader->scan, "null");
}

/* A whole number of at most 18 digits within the limits of its field, which most are. False:
   nothing was passed. */
static bool read_small_integer(struct reader *reader, const bide_field *field, void *ret_value)
{
    const char *text = reader->scan.at, *at = text, *end = reader->scan.end;
    int64_t value = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (at - text == 18)
            return false;
        value = value * 10 + (*at - '0');
    }
    bool whole = at > text && (*text != '0' || at - text == 1) &&
                 (at == end || (*at != '.' && (*at | 0x20) != 'e'));
    if (!whole || value < field->min_int || value > field->max_int)
        return false;
    if (field->kind == BIDE_KIND_I32) {
        int32_t narrow = (int32_t)value;
        memcpy(ret_value, &narrow, sizeof narrow);
    } else {
        memcpy(ret_value, &value, sizeof value);
    }
    reader->scan.at = at;
    return true;
}

/* One object, while it is read. */
struct object {
    const struct bide__path *path;
    const bide_model *model;
    void *row;
    uint64_t seen;  /* fields that were there, with whatever value */
    uint64_t ahead; /* readable ones behind the last that was there: where the next key is likely */
};

static bool may_be_read(const bide_input *input, const bide_model *model, const bide_field *field)
{
    if (input->trusted)
        return !(field->flags & BIDE_COMPUTED);
    return model->readable >> (field - model->fields) & 1;
}

/* At any key; passes it and its colon. `ret_field` is NULL if the member is not to be read: it was
   passed too. */
__attribute__((__noinline__)) static bool
read_any_key(struct reader *reader, const struct object *object, const bide_field **ret_field)
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
        field = bide_model_field(object->model, key.text, key.length);
    if (field && may_be_read(reader->input, object->model, field)) {
        *ret_field = field;
        return true;
    }
    struct bide__path here = {object->path, key.text, key.length, 0};
    if (reader->input->refuse_unknown)
        bide__problem(reader->input, &here, field ? "read_only" : "extra_forbidden",
                      field ? "Field is read-only" : "Extra inputs are not permitted");
    *ret_field = NULL;
    return bide__scan_value(&reader->scan);
}

/* The same, where the key is most often that of the first field ahead, written as it is. */
static inline bool read_key(struct reader *reader, const struct object *object,
                            const bide_field **ret_field)
{
    struct bide__scan *scan = &reader->scan;
    bide__scan_next(scan);
    if (object->ahead) {
        const bide_field *field = &object->model->fields[bide__first_bit(object->ahead)];
        size_t length = field->json_key_length;
        if ((size_t)(scan->end - scan->at) >= length &&
            bide__text_same(scan->at, field->json_key, length)) {
            scan->at += length;
            *ret_field = field;
            return true;
        }
    }
    return read_any_key(reader, object, ret_field);
}

/* The value of a key. */
static inline bool read_member(struct reader *reader, struct object *object,
                               const bide_field *field)
{
    const bide_model *model = object->model;
    struct bide__path here = {object->path, field->json_name, field->json_key_length - 3, 0};
    uint64_t bit = UINT64_C(1) << (field - model->fields);
    char first = bide__scan_next(&reader->scan);
    if (object->seen & bit) {
        bide__problem(reader->input, &here, "duplicate_key", "Field is there twice");
        return bide__scan_value(&reader->scan);
    }
    object->seen |= bit;
    object->ahead = model->readable & ~(bit | (bit - 1));
    if (first == 'n' && (field->kind != BIDE_KIND_JSON || field->flags & BIDE_OPTIONAL))
        return read_null(reader, &here, model, field, object->row);
    size_t before = bide_problems_count(reader->input->problems);
    void *member = (char *)object->row + field->offset;
    bool is_integer = field->kind == BIDE_KIND_I32 || field->kind == BIDE_KIND_I64;
    if (!(is_integer && read_small_integer(reader, field, member))) {
        struct bide__target target = {field->kind, field->type, field};
        bool is_string = first == '"' && field->kind != BIDE_KIND_JSON;
        if (!(is_string ? read_string(reader, &here, &target, member)
                        : read_value(reader, &here, &target, first, member)))
            return false;
    }
    if (bide_problems_count(reader->input->problems) == before)
        *bide__set_of(model, object->row) |= bit;
    else /* a list would have items that are none */
        memset(member, 0, field->size);
    return true;
}

/* At a `{`. The row is zero. */
static bool read_object(struct reader *reader, const struct bide__path *path,
                        const bide_model *model, void *ret_row)
{
    struct object object = {path, model, ret_row, 0, model->readable};
    size_t keys = 0;
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
        const bide_field *field;
        if (!read_key(reader, &object, &field) || (field && !read_member(reader, &object, field)) ||
            !bide__scan_more(&reader->scan, '}', &more))
            return false;
    }
    bide__finish_row(reader->input, path, model, object.seen, ret_row);
    return true;
}

int bide__json_read_value(const bide_input *input, const struct bide__target *target,
                          const char *text, size_t length, void *ret_value)
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
    return bide__json_read_value(input, &target, text, length, ret_row);
}

int bide_json_read_list(const bide_input *input, const bide_model *model, const char *text,
                        size_t length, void *ret_list)
{
    memset(ret_list, 0, sizeof(struct bide__any_list));
    if (model->error)
        return -EINVAL;
    struct bide__target target = {BIDE_KIND_LIST, model->type_of(), NULL};
    return bide__json_read_value(input, &target, text, length, ret_list);
}
