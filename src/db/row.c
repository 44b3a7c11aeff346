/*
 * Between cells and members: what each kind of field is in the database. Called by query.c and
 * write.c; calls model/value.c for texts.
 */
#include "db/db.h"

#include "base/utf8.h"
#include "model/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_number(const struct bide__db_cell *cell, enum bide_kind kind, void *ret_value);

static int wrong_type(const char *name, const bide_type *type, struct bide__trouble *trouble)
{
    return bide__trouble(trouble, BIDE_QUERY, "the value of the column '%s' is no %s", name,
                         type->name);
}

static char *copy_text(const struct bide__db_cell *cell, bide_arena *arena)
{
    char *text = bide_arena_alloc(arena, cell->size + 1);
    if (text) {
        memcpy(text, cell->data, cell->size);
        text[cell->size] = 0;
    }
    return text;
}

/* The text of a cell, that a `str` may hold. */
static int read_text(const struct bide__db_cell *cell, const bide_type *type, bide_arena *arena,
                     const char *name, const char **ret_text, struct bide__trouble *trouble)
{
    if (cell->kind != BIDE__CELL_TEXT || memchr(cell->data, 0, cell->size) ||
        !bide__utf8_valid(cell->data, cell->size))
        return wrong_type(name, type, trouble);
    *ret_text = copy_text(cell, arena);
    return *ret_text ? 0 : bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a row");
}

/* An integer is microseconds; SQL's own functions give "2026-11-21 12:00:00", which is UTC. */
static int read_time(const struct bide__db_cell *cell, bide_time *ret_time)
{
    char text[BIDE_VALUE_TEXT];
    if (cell->kind == BIDE__CELL_INT) {
        *ret_time = cell->integer;
        return 0;
    }
    if (cell->kind != BIDE__CELL_TEXT)
        return -EINVAL;
    if (bide_time_parse(cell->data, cell->size, ret_time) == 0)
        return 0;
    if (cell->size + 2 > sizeof text)
        return -EINVAL;
    memcpy(text, cell->data, cell->size);
    text[cell->size] = 'Z';
    return bide_time_parse(text, cell->size + 1, ret_time);
}

static int read_enum(const struct bide__db_cell *cell, const bide_type *type, int32_t *ret_value)
{
    if (cell->kind != BIDE__CELL_TEXT)
        return -EINVAL;
    for (size_t i = 0; i < type->enum_count; i++) {
        const char *name = type->enum_names[i];
        if (strlen(name) == cell->size && memcmp(name, cell->data, cell->size) == 0) {
            *ret_value = (int32_t)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_decimal(const struct bide__db_cell *cell, bide_decimal *ret_decimal)
{
    if (cell->kind == BIDE__CELL_TEXT || cell->kind == BIDE__CELL_DECIMAL)
        return bide_decimal_parse(cell->data, cell->size, ret_decimal);
    if (cell->kind != BIDE__CELL_INT)
        return -EINVAL;
    *ret_decimal = (bide_decimal){cell->integer, 0};
    return 0;
}

static int read_uuid(const struct bide__db_cell *cell, bide_uuid *ret_uuid)
{
    if (cell->kind == BIDE__CELL_TEXT)
        return bide_uuid_parse(cell->data, cell->size, ret_uuid);
    if (cell->kind != BIDE__CELL_BYTES || cell->size != sizeof ret_uuid->bytes)
        return -EINVAL;
    memcpy(ret_uuid->bytes, cell->data, sizeof ret_uuid->bytes);
    return 0;
}

static int read_date(const struct bide__db_cell *cell, bide_date *ret_date)
{
    if (cell->kind == BIDE__CELL_TEXT)
        return bide_date_parse(cell->data, cell->size, ret_date);
    if (cell->kind != BIDE__CELL_DATE)
        return -EINVAL;
    ret_date->days = (int32_t)cell->integer;
    return 0;
}

/* An exact number of SQL, a sum for example, as one of C. */
static int read_exact(const struct bide__db_cell *cell, enum bide_kind kind, void *ret_value)
{
    struct bide__db_cell whole = {.kind = BIDE__CELL_INT};
    if (kind == BIDE_KIND_F64)
        return bide__parse_f64(cell->data, cell->size, ret_value);
    int code = bide__parse_i64(cell->data, cell->size, &whole.integer);
    return code < 0 ? code : read_number(&whole, kind, ret_value);
}

static int read_number(const struct bide__db_cell *cell, enum bide_kind kind, void *ret_value)
{
    int64_t n = cell->integer;
    if (cell->kind == BIDE__CELL_DECIMAL)
        return read_exact(cell, kind, ret_value);
    if (kind == BIDE_KIND_F64 && cell->kind == BIDE__CELL_REAL) {
        *(double *)ret_value = cell->real;
        return 0;
    }
    if (cell->kind != BIDE__CELL_INT)
        return -EINVAL;
    if (kind == BIDE_KIND_F64)
        *(double *)ret_value = (double)n;
    else if (kind == BIDE_KIND_I64)
        *(int64_t *)ret_value = n;
    else if (kind == BIDE_KIND_I32 && n >= INT32_MIN && n <= INT32_MAX)
        *(int32_t *)ret_value = (int32_t)n;
    else if (kind == BIDE_KIND_BOOL && (n == 0 || n == 1))
        *(bool *)ret_value = n == 1;
    else
        return -EINVAL;
    return 0;
}

static int hex_of(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* "\x00ff", as the server writes it. */
static int read_hex(const struct bide__db_cell *cell, bide_arena *arena, bide_bytes *ret_bytes,
                    struct bide__trouble *trouble)
{
    size_t size = (cell->size - 2) / 2;
    unsigned char *data = bide_arena_alloc(arena, size + 1);
    if (!data)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a row");
    for (size_t i = 0; i < size; i++) {
        const char *digits = cell->data + 2 + 2 * i;
        data[i] = (unsigned char)(hex_of(digits[0]) << 4 | hex_of(digits[1]));
    }
    *ret_bytes = (bide_bytes){data, size};
    return 0;
}

static int read_bytes(const struct bide__db_cell *cell, bide_arena *arena, bide_bytes *ret_bytes,
                      struct bide__trouble *trouble)
{
    if (cell->kind == BIDE__CELL_HEX)
        return read_hex(cell, arena, ret_bytes, trouble);
    if (cell->kind != BIDE__CELL_BYTES)
        return -EINVAL;
    ret_bytes->size = cell->size;
    ret_bytes->data = bide_arena_copy(arena, cell->data, cell->size);
    return ret_bytes->data ? 0 : bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a row");
}

int bide__cell_read(const struct bide__db_cell *cell, enum bide_kind kind, const bide_type *type,
                    bide_arena *arena, const char *name, void *ret_value,
                    struct bide__trouble *trouble)
{
    int code = -EINVAL;
    bide_json *json = ret_value;
    switch (kind) {
    case BIDE_KIND_STR:
    case BIDE_KIND_SECRET:
    case BIDE_KIND_HASH:
        return read_text(cell, type, arena, name, ret_value, trouble);
    case BIDE_KIND_JSON:
        json->length = cell->size;
        return read_text(cell, type, arena, name, &json->text, trouble);
    case BIDE_KIND_BYTES:
        code = read_bytes(cell, arena, ret_value, trouble);
        break;
    case BIDE_KIND_UUID:
        code = read_uuid(cell, ret_value);
        break;
    case BIDE_KIND_TIME:
        code = read_time(cell, ret_value);
        break;
    case BIDE_KIND_DATE:
        code = read_date(cell, ret_value);
        break;
    case BIDE_KIND_DECIMAL:
        code = read_decimal(cell, ret_value);
        break;
    case BIDE_KIND_ENUM:
        code = read_enum(cell, type, ret_value);
        break;
    default:
        code = read_number(cell, kind, ret_value);
    }
    return code == 0 || code == -EBADMSG ? code : wrong_type(name, type, trouble);
}

/* Columns mostly come in the order of the fields: `hint` is looked at first. */
static size_t field_of(const bide_model *model, const char *name, size_t hint)
{
    for (size_t i = 0; i < model->field_count; i++) {
        size_t at = (hint + i) % model->field_count;
        if (bide__is_column(&model->fields[at]) && strcmp(model->fields[at].name, name) == 0)
            return at;
    }
    return model->field_count;
}

static int match_columns(const struct bide__run *run, const bide_model *model,
                         struct bide__columns *ret_columns, struct bide__trouble *trouble)
{
    struct bide__statement *statement = run->statement;
    uint64_t seen = 0;
    size_t next = 0;
    ret_columns->count = 0;
    for (int i = 0; i < statement->columns; i++) {
        const char *name = run->connection->driver->column_name(statement, i);
        size_t at = field_of(model, name, next);
        if (at == model->field_count)
            return bide__trouble(trouble, BIDE_QUERY,
                                 "the query gives a column '%s', which %s has not", name,
                                 model->name);
        if (seen >> at & 1)
            return bide__trouble(trouble, BIDE_QUERY, "the query gives the column '%s' twice",
                                 name);
        seen |= UINT64_C(1) << at;
        ret_columns->field[ret_columns->count++] = (unsigned char)at;
        next = at + 1;
    }
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        if (bide__is_column(field) && !(field->flags & BIDE_OPTIONAL) && !(seen >> i & 1))
            return bide__trouble(trouble, BIDE_QUERY,
                                 "the query gives no column '%s', which %s has", field->name,
                                 model->name);
    }
    return 0;
}

int bide__columns_of(const struct bide__run *run, const bide_model *model,
                     struct bide__columns *ret_columns, struct bide__trouble *trouble)
{
    struct bide__statement *statement = run->statement;
    if (statement->model != model) {
        statement->model = NULL;
        int code = match_columns(run, model, &statement->of_model, trouble);
        if (code < 0)
            return code;
        statement->model = model;
    }
    *ret_columns = statement->of_model;
    return 0;
}

int bide__row_read(struct bide__run *run, const bide_model *model,
                   const struct bide__columns *columns, bide_arena *arena, void *row,
                   struct bide__trouble *trouble)
{
    uint64_t *set = (uint64_t *)(void *)((char *)row + model->set_offset);
    for (size_t i = 0; i < columns->count; i++) {
        const bide_field *field = &model->fields[columns->field[i]];
        char *member = (char *)row + field->offset;
        struct bide__db_cell cell;
        run->connection->driver->cell(run, (int)i, &cell);
        if (cell.kind == BIDE__CELL_NULL) {
            if (!(field->flags & BIDE_OPTIONAL))
                return bide__trouble(trouble, BIDE_QUERY,
                                     "the column '%s' is NULL, and the field of %s is not optional",
                                     field->name, model->name);
            memset(member, 0, field->size);
            *set &= ~(UINT64_C(1) << columns->field[i]);
            continue;
        }
        int code =
            bide__cell_read(&cell, field->kind, field->type, arena, field->name, member, trouble);
        if (code < 0)
            return code;
        *set |= UINT64_C(1) << columns->field[i];
    }
    return 0;
}

static bide_bind bind_number(enum bide_kind kind, const void *member)
{
    switch (kind) {
    case BIDE_KIND_BOOL:
        return bide__bind_bool(*(const bool *)member);
    case BIDE_KIND_I32:
        return bide__bind_int(*(const int32_t *)member);
    case BIDE_KIND_F64:
        return bide__bind_real(*(const double *)member);
    default:
        return bide__bind_int(*(const int64_t *)member);
    }
}

static bide_bind bind_value(enum bide_kind kind, const bide_type *type, const void *member)
{
    switch (kind) {
    case BIDE_KIND_STR:
    case BIDE_KIND_SECRET:
    case BIDE_KIND_HASH:
        return bide__bind_text(*(const char *const *)member);
    case BIDE_KIND_BYTES:
        return bide__bind_bytes(*(const bide_bytes *)member);
    case BIDE_KIND_UUID:
        return bide__bind_uuid(*(const bide_uuid *)member);
    case BIDE_KIND_DATE:
        return bide__bind_date(*(const bide_date *)member);
    case BIDE_KIND_DECIMAL:
        return bide__bind_decimal(*(const bide_decimal *)member);
    case BIDE_KIND_JSON:
        return bide__bind_json(*(const bide_json *)member);
    case BIDE_KIND_ENUM: {
        uint32_t value = *(const uint32_t *)member;
        return value < type->enum_count ? bide__bind_text(type->enum_names[value])
                                        : (bide_bind){.kind = BIDE__BIND_TOO_LARGE};
    }
    default:
        return bind_number(kind, member);
    }
}

bide_bind bide__bind_item(const bide_bind *list, size_t index)
{
    const bide_type *type = list->list.type;
    return bind_value(type->kind, type, (const char *)list->list.items + index * type->size);
}

bide_bind bide__bind_field(const bide_model *model, const bide_field *field, const void *row)
{
    bide_bind bind = (field->flags & BIDE_OPTIONAL) && !bide_field_has_value(model, field, row)
                         ? bide__bind_none(NULL)
                         : bind_value(field->kind, field->type, (const char *)row + field->offset);
    bind.secret = field->flags & BIDE_SECRET;
    return bind;
}

const char *bide__table_of(const bide_model *model)
{
    while (!model->table[0] && model->base)
        model = model->base;
    return model->table;
}

const bide_field *bide__only_key(const bide_model *model, struct bide__trouble *trouble)
{
    const bide_field *key = NULL;
    size_t keys = 0;
    for (size_t i = 0; i < model->field_count; i++)
        if (model->fields[i].flags & BIDE_KEY) {
            key = &model->fields[i];
            keys++;
        }
    if (keys == 1)
        return key;
    bide__trouble(trouble, BIDE_QUERY, "the model %s has not one key", model->name);
    return NULL;
}

int bide__text_trouble(const bide_buf *text, struct bide__trouble *trouble)
{
    if (bide_buf_error(text) == -EMSGSIZE)
        return bide__trouble(trouble, BIDE_LIMIT,
                             "a statement is longer than %d bytes (BIDE_CAP_DB_STATEMENT_BYTES)",
                             BIDE_CAP_DB_STATEMENT_BYTES);
    return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement");
}

void bide__put_columns(bide_buf *buf, const bide_model *model)
{
    const char *separator = "\"";
    for (size_t i = 0; i < model->field_count; i++) {
        if (!bide__is_column(&model->fields[i]))
            continue;
        bide_buf_append_str(buf, separator);
        bide_buf_append_str(buf, model->fields[i].name);
        separator = "\",\"";
    }
    bide_buf_append_str(buf, "\"");
}
