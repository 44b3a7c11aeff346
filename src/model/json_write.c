/*
 * Structs into JSON: one loop over the descriptors of a model. Called by users, the web layer and
 * resolve.c, which brings the values of async computed fields in the order in which they are met
 * here.
 */
#include <bide/json.h>

#include "base/assert.h"
#include "base/caps.h"
#include "base/out.h"
#include "base/utf8.h"
#include "model/model.h"
#include "model/number.h"
#include "model/text.h"

#include <errno.h>
#include <string.h>

struct writer {
    struct bide__out out;
    bide_arena *arena;
    struct bide__resolved *resolved;
    int error; /* of a value: -ERANGE, -EAGAIN, -EINVAL, -EACCES */
    unsigned depth;
    bool stored; /* for this program itself: all but computed fields */
};

static inline bool has_room(struct writer *writer, size_t needed)
{
    return bide__out_room(&writer->out, needed);
}

static inline void put(struct writer *writer, const char *bytes, size_t length)
{
    bide__out_put(&writer->out, bytes, length);
}

static inline void put_char(struct writer *writer, char c)
{
    if (has_room(writer, 1))
        *writer->out.at++ = c;
}

static void put_escape(struct writer *writer, char c)
{
    static const char hex[] = "0123456789abcdef", letters[] = "\"\\\b\f\n\r\t";
    static const char names[] = "\"\\bfnrt";
    const char *found = c ? strchr(letters, c) : NULL;
    if (found) {
        char escape[2] = {'\\', names[found - letters]};
        put(writer, escape, 2);
    } else {
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15]};
        put(writer, escape, 6);
    }
}

/* A text without anything to escape, in quotes. */
static inline void put_quoted(struct writer *writer, const char *text, size_t length)
{
    if (length > PTRDIFF_MAX)
        __builtin_unreachable(); /* no object is that long: `length + 2` is above `length` */
    if (has_room(writer, length + 2)) {
        char *at = writer->out.at;
        writer->out.at = at + length + 2;
        *at = '"';
        bide__text_copy(at + 1, text, length);
        at[length + 1] = '"';
    }
}

/* A text with something to escape or to check. */
__attribute__((__noinline__)) static void put_marked(struct writer *writer, const char *text,
                                                     size_t length)
{
    const char *at = text, *end = text + length;
    put_char(writer, '"');
    while (at < end) {
        const char *stop = bide__plain_end(at, end);
        put(writer, at, (size_t)(stop - at));
        at = stop;
        if (at == end)
            break;
        if ((unsigned char)*at < 0x80) {
            put_escape(writer, *at++);
            continue;
        }
        const char *run = at;
        while (at < end && (unsigned char)*at >= 0x80)
            at++;
        for (;;) {
            size_t valid = bide__utf8_prefix(run, (size_t)(at - run));
            put(writer, run, valid);
            run += valid;
            if (run == at)
                break;
            put(writer, "\xef\xbf\xbd", 3); /* U+FFFD for each byte that is none */
            run++;
        }
    }
    put_char(writer, '"');
}

BIDE__IN_LINE void put_string(struct writer *writer, const char *text, size_t length)
{
    if (length > PTRDIFF_MAX)
        __builtin_unreachable(); /* no object is that long: `length + 2` is above `length` */
    if (!has_room(writer, length + 2))
        return;
    char *at = writer->out.at;
    if (!bide__copy_plain(at + 1, text, length)) {
        put_marked(writer, text, length);
        return;
    }
    *at = '"';
    at[length + 1] = '"';
    writer->out.at = at + length + 2;
}

int bide__json_write_text(bide_buf *out, const char *text, size_t length)
{
    struct writer writer = {.out = {.buf = out}};
    put_string(&writer, text, length);
    bide__out_flush(&writer.out);
    return bide_buf_error(out);
}

__attribute__((__noinline__)) static void put_base64(struct writer *writer, const bide_bytes *bytes)
{
    char text[BIDE__BASE64_PIECE_TEXT];
    put_char(writer, '"');
    for (size_t i = 0; i < bytes->size; i += BIDE__BASE64_PIECE) {
        size_t left = bytes->size - i;
        size_t size = left < BIDE__BASE64_PIECE ? left : BIDE__BASE64_PIECE;
        put(writer, text, bide__base64_encode(bytes->data + i, size, text));
    }
    put_char(writer, '"');
}

__attribute__((__noinline__)) static void put_formatted(struct writer *writer, enum bide_kind kind,
                                                        const void *value)
{
    char text[BIDE_VALUE_TEXT];
    size_t length;
    switch (kind) {
    case BIDE_KIND_UUID:
        length = bide_uuid_format(*(const bide_uuid *)value, text);
        break;
    case BIDE_KIND_TIME:
        length = bide_time_format(*(const bide_time *)value, text);
        break;
    case BIDE_KIND_DATE:
        length = bide_date_format(*(const bide_date *)value, text);
        break;
    default:
        length = bide_decimal_format(*(const bide_decimal *)value, text);
        break;
    }
    if (length)
        put_quoted(writer, text, length);
    else
        writer->error = -ERANGE;
}

BIDE__IN_LINE void put_text(struct writer *writer, const char *text)
{
    if (text)
        put_string(writer, text, strlen(text));
    else
        put(writer, "null", 4);
}

/* For lists: the texts of rows are written in line. */
__attribute__((__noinline__)) static void put_item_text(struct writer *writer, const char *text)
{
    put_text(writer, text);
}

static void put_row(struct writer *writer, const bide_model *model, const void *row);
static void put_rows(struct writer *writer, const bide_type *type, const void *items, size_t count);

static void put_enum(struct writer *writer, const bide_type *type, const void *value)
{
    int32_t index;
    memcpy(&index, value, sizeof index);
    if (index >= 0 && (size_t)index < type->enum_count)
        put_quoted(writer, type->enum_names[index], strlen(type->enum_names[index]));
    else
        writer->error = -ERANGE;
}

static void put_json(struct writer *writer, const bide_json *json)
{
    if (json->text)
        put(writer, json->text, json->length);
    else
        put(writer, "null", 4);
}

static void put_value(struct writer *writer, enum bide_kind kind, const bide_type *type,
                      const void *value)
{
    switch (kind) {
    case BIDE_KIND_BOOL:
        if (*(const bool *)value)
            put(writer, "true", 4);
        else
            put(writer, "false", 5);
        break;
    case BIDE_KIND_I32:
        if (has_room(writer, BIDE__NUMBER_BYTES))
            writer->out.at += bide__format_i64(writer->out.at, *(const int32_t *)value);
        break;
    case BIDE_KIND_I64:
        if (has_room(writer, BIDE__NUMBER_BYTES))
            writer->out.at += bide__format_i64(writer->out.at, *(const int64_t *)value);
        break;
    case BIDE_KIND_F64:
        if (has_room(writer, BIDE__NUMBER_BYTES))
            writer->out.at += bide__format_f64(writer->out.at, *(const double *)value);
        break;
    case BIDE_KIND_STR:
        put_item_text(writer, *(const char *const *)value);
        break;
    case BIDE_KIND_BYTES:
        put_base64(writer, value);
        break;
    case BIDE_KIND_JSON:
        put_json(writer, value);
        break;
    case BIDE_KIND_ENUM:
        put_enum(writer, type, value);
        break;
    case BIDE_KIND_OBJ:
        put_row(writer, type->model(), value);
        break;
    case BIDE_KIND_LIST: {
        const struct bide__any_list *list = value;
        put_rows(writer, type, list->items, list->count);
        break;
    }
    default:
        put_formatted(writer, kind, value);
        break;
    }
}

/* Computes a plain field, or takes the value of an async one, and writes it. */
static void put_computed(struct writer *writer, const bide_model *model, const bide_field *field,
                         const void *row)
{
    union {
        max_align_t alignment;
        char bytes[64];
    } value;
    if (field->flags & BIDE_ASYNC) {
        struct bide__resolved *resolved = writer->resolved;
        if (!resolved || resolved->next == resolved->count) {
            writer->error = -EAGAIN;
            return;
        }
        put_value(writer, field->kind, field->type, resolved->values[resolved->next++]);
        return;
    }
    BIDE_ASSERT(field->type->size <= sizeof value, "a computed value of %zu bytes",
                field->type->size);
    memset(&value, 0, sizeof value);
    bide_row at = bide__row_of(model, row, writer->arena);
    field->compute(&at, &value);
    put_value(writer, field->kind, field->type, &value);
}

/* Whether a field of a partial is absent: those are left out. */
static bool is_absent(const bide_model *model, size_t index, const void *row)
{
    uint64_t set, null;
    memcpy(&set, (const char *)row + model->set_offset, sizeof set);
    memcpy(&null, (const char *)row + model->null_offset, sizeof null);
    return !((set | null) >> index & 1);
}

/* All fields that are not computed, if none of them is secret. */
static uint64_t stored_fields(struct writer *writer, const bide_model *model)
{
    uint64_t fields = 0;
    for (size_t i = 0; i < model->field_count; i++) {
        if (model->fields[i].flags & BIDE_SECRET)
            writer->error = -EACCES;
        if (!(model->fields[i].flags & BIDE_COMPUTED))
            fields |= UINT64_C(1) << i;
    }
    return writer->error ? 0 : fields;
}

static void put_row(struct writer *writer, const bide_model *model, const void *row)
{
    char before = '{';
    if (writer->depth == BIDE_CAP_JSON_DEPTH) {
        writer->error = -EINVAL;
        return;
    }
    writer->depth++;
    uint64_t left = writer->stored ? stored_fields(writer, model) : model->writable;
    for (; left; left &= left - 1) {
        size_t index = bide__first_bit(left);
        const bide_field *field = &model->fields[index];
        if (model->partial && is_absent(model, index, row))
            continue;
        size_t length = field->json_key_length;
        if (!has_room(writer, length + 1))
            return;
        char *at = writer->out.at;
        writer->out.at = at + length + 1;
        const void *member = (const char *)row + field->offset;
        *at = before;
        bide__text_copy(at + 1, field->json_key, length);
        before = ',';
        if (field->flags & BIDE_COMPUTED)
            put_computed(writer, model, field, row);
        else if (field->flags & BIDE_OPTIONAL && !bide_field_has_value(model, field, row))
            put(writer, "null", 4);
        else if (field->kind == BIDE_KIND_STR)
            put_text(writer, *(const char *const *)member);
        else
            put_value(writer, field->kind, field->type, member);
    }
    writer->depth--;
    if (before == '{')
        put_char(writer, '{');
    put_char(writer, '}');
}

static void put_rows(struct writer *writer, const bide_type *type, const void *items, size_t count)
{
    if (writer->depth == BIDE_CAP_JSON_DEPTH) {
        writer->error = -EINVAL;
        return;
    }
    writer->depth++;
    put_char(writer, '[');
    for (size_t i = 0; i < count && !bide_buf_error(writer->out.buf); i++) {
        if (i)
            put_char(writer, ',');
        put_value(writer, type->kind, type, (const char *)items + i * type->size);
    }
    put_char(writer, ']');
    writer->depth--;
}

int bide__json_write_value(bide_buf *out, enum bide_kind kind, const bide_type *type,
                           const void *value)
{
    struct writer writer = {.out = {.buf = out}};
    put_value(&writer, kind, type, value);
    bide__out_flush(&writer.out);
    return bide_buf_error(out) ? bide_buf_error(out) : writer.error;
}

static int write_rows(struct writer *writer, const bide_model *model, const void *rows,
                      size_t count, bool is_list)
{
    if (model->error)
        return -EINVAL;
    if (is_list)
        put_rows(writer, model->type_of(), rows, count);
    else if (rows)
        put_row(writer, model, rows);
    else
        put(writer, "null", 4);
    bide__out_flush(&writer->out);
    return bide_buf_error(writer->out.buf) ? bide_buf_error(writer->out.buf) : writer->error;
}

int bide__json_write_rows(const bide_model *model, const void *rows, size_t count, bool is_list,
                          bide_arena *arena, struct bide__resolved *resolved, bide_buf *out)
{
    struct writer writer = {.out = {.buf = out}, .arena = arena, .resolved = resolved};
    return write_rows(&writer, model, rows, count, is_list);
}

int bide__json_write_stored(const bide_model *model, const void *rows, size_t count, bool is_list,
                            bide_buf *out)
{
    struct writer writer = {.out = {.buf = out}, .stored = true};
    return write_rows(&writer, model, rows, count, is_list);
}

int bide_json_write(const bide_model *model, const void *row, bide_arena *arena, bide_buf *out)
{
    return bide__json_write_rows(model, row, 1, false, arena, NULL, out);
}

int bide_json_write_list(const bide_model *model, const void *rows, size_t count, bide_arena *arena,
                         bide_buf *out)
{
    return bide__json_write_rows(model, rows, count, true, arena, NULL, out);
}
