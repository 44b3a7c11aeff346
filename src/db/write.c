/*
 * Writes of models: bide_insert, bide_insert_many, bide_insert_new, bide_upsert, bide_update,
 * bide_delete, bide_create_table. Called by users through db_macros.h; calls perform.c, row.c,
 * connection.c, write_rows.c.
 */
#include "db/write.h"

#include "base/mem.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct bide__writing *writing_of(struct bide__work *work)
{
    return bide__container_of(work, struct bide__writing, work);
}

static bool is_zero(const bide_field *field, const void *row)
{
    const char *member = (const char *)row + field->offset;
    for (size_t i = 0; i < field->size; i++)
        if (member[i])
            return false;
    return true;
}

/* A random UUID, version 4 (RFC 9562 section 5.4). */
static int make_uuid(bide_uuid *ret_uuid, struct bide__trouble *trouble)
{
    if (bide__random(ret_uuid->bytes, sizeof ret_uuid->bytes) < 0)
        return bide__trouble(trouble, BIDE_QUERY, "the system gives no random bytes");
    ret_uuid->bytes[6] = (unsigned char)((ret_uuid->bytes[6] & 0x0f) | 0x40);
    ret_uuid->bytes[8] = (unsigned char)((ret_uuid->bytes[8] & 0x3f) | 0x80);
    return 0;
}

/* Sets what the program makes, and tells what is given and what the database makes. */
int bide__sort_fields(const bide_model *model, void *row, uint64_t *ret_given, uint64_t *ret_read,
                      struct bide__trouble *trouble)
{
    uint64_t *set = (uint64_t *)(void *)((char *)row + model->set_offset);
    *ret_given = *ret_read = 0;
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        char *member = (char *)row + field->offset;
        if (!bide__is_column(field))
            continue;
        bool empty = !(*set & bide__bit(i)) && is_zero(field, row);
        bool theirs = field->flags & BIDE_SQL_DFLT;
        if (empty && !theirs && (field->flags & BIDE_GENERATED)) {
            theirs = field->kind != BIDE_KIND_TIME && field->kind != BIDE_KIND_UUID;
            if (field->kind == BIDE_KIND_TIME)
                *(bide_time *)(void *)member = bide_now_us();
            else if (field->kind == BIDE_KIND_UUID &&
                     make_uuid((bide_uuid *)(void *)member, trouble))
                return -EBADMSG;
            if (!theirs)
                *set |= bide__bit(i);
        }
        if (empty && theirs)
            *ret_read |= bide__bit(i);
        else
            *ret_given |= bide__bit(i);
    }
    return 0;
}

/* "a","b": the fields of the set. */
void bide__put_fields(bide_buf *buf, const bide_model *model, uint64_t fields)
{
    const char *separator = "";
    for (size_t i = 0; i < model->field_count; i++) {
        if (!(fields & bide__bit(i)))
            continue;
        bide_buf_printf(buf, "%s\"%s\"", separator, model->fields[i].name);
        separator = ",";
    }
}

/* "a"=excluded."a", for each. */
static void put_overwrites(bide_buf *buf, const bide_model *model, uint64_t fields)
{
    const char *separator = "";
    for (size_t i = 0; i < model->field_count; i++) {
        if (!(fields & bide__bit(i)))
            continue;
        bide_buf_printf(buf, "%s\"%s\"=excluded.\"%s\"", separator, model->fields[i].name,
                        model->fields[i].name);
        separator = ",";
    }
}

static uint64_t columns_of(const bide_model *model, uint32_t without_flags)
{
    uint64_t fields = 0;
    for (size_t i = 0; i < model->field_count; i++)
        if (bide__is_column(&model->fields[i]) && !(model->fields[i].flags & without_flags))
            fields |= bide__bit(i);
    return fields;
}

/* ($1,$2),($3,$4): the values of so many rows. */
static void put_values(bide_buf *buf, int fields, size_t rows)
{
    int next = 1;
    for (size_t row = 0; row < rows; row++) {
        bide_buf_append_str(buf, row ? ",(" : "(");
        for (int i = 0; i < fields; i++, next++)
            bide_buf_printf(buf, "%s$%d", i ? "," : "", next);
        bide_buf_append_str(buf, ")");
    }
}

void bide__put_returning(struct bide__writing *writing)
{
    if (writing->read & ~writing->counted) {
        bide_buf_append_str(writing->text, " returning ");
        bide__put_fields(writing->text, writing->what.model, writing->read);
    }
}

void bide__put_insert(struct bide__writing *writing, size_t rows)
{
    const bide_model *model = writing->what.model;
    bide_buf *buf = writing->text;
    int count = __builtin_popcountll(writing->given);
    bide_buf_printf(buf, "insert into \"%s\" ", model->table);
    if (count > 0) {
        bide_buf_append_str(buf, "(");
        bide__put_fields(buf, model, writing->given);
        bide_buf_append_str(buf, ") values ");
        put_values(buf, count, rows);
    } else {
        bide_buf_append_str(buf, "default values");
    }
    if (writing->what.kind != BIDE__INSERT) {
        bide_buf_append_str(buf, " on conflict (");
        bide__put_fields(buf, model, writing->what.fields);
        bide_buf_append_str(buf, ") do ");
    }
    if (writing->what.kind == BIDE__INSERT_NEW)
        bide_buf_append_str(buf, "nothing");
    if (writing->what.kind == BIDE__UPSERT) {
        uint64_t others =
            writing->given & ~writing->what.fields & columns_of(model, BIDE_KEY | BIDE_GENERATED);
        bide_buf_append_str(buf, "update set ");
        put_overwrites(buf, model, others ? others : writing->what.fields);
        writing->read = columns_of(model, 0);
    }
    bide__put_returning(writing);
}

void *bide__row_at(const struct bide__writing *writing, size_t index)
{
    const struct bide__write *what = &writing->what;
    return what->each ? what->each[index] : (char *)what->rows + index * what->model->size;
}

/* Gives the fields of the set that the returned rows have to the structs, in their order. */
int bide__read_back(struct bide__writing *writing, struct bide__run *run, uint64_t fields,
                    size_t first, size_t rows)
{
    struct bide__trouble *trouble = &writing->work.trouble;
    const bide_model *model = writing->what.model;
    struct bide__columns columns = {0};
    int code = 0, got = 0;
    for (size_t i = 0; i < model->field_count; i++)
        if (fields & bide__bit(i))
            columns.field[columns.count++] = (unsigned char)i;
    for (size_t i = 0; code == 0 && (got = bide__step(run, trouble)) > 0 && i < rows; i++) {
        if (run->rows && (size_t)run->rows != rows) /* a trigger skips some: who knows which */
            break;
        code = bide__row_read(run, model, &columns, writing->work.arena,
                              bide__row_at(writing, first + i), trouble);
    }
    return got < 0 ? got : code;
}

/* The only field to read may be known without asking. */
static int look_at_numbers(struct bide__writing *writing, struct bide__connection *connection)
{
    const bide_model *model = writing->what.model;
    writing->counted = 0;
    if (__builtin_popcountll(writing->read) != 1 || writing->what.kind != BIDE__INSERT)
        return 0;
    const bide_field *field = &model->fields[__builtin_ctzll(writing->read)];
    int code = bide__numbers(connection, model, field, &writing->work.trouble);
    if (code > 0)
        writing->counted = writing->read;
    return code < 0 ? code : 0;
}

static void set_numbers(struct bide__writing *writing, size_t first, size_t rows, int64_t last)
{
    const bide_model *model = writing->what.model;
    const bide_field *field = &model->fields[__builtin_ctzll(writing->counted)];
    for (size_t i = 0; i < rows; i++) {
        char *row = bide__row_at(writing, first + i);
        *(int64_t *)(void *)(row + field->offset) = last - (int64_t)(rows - 1 - i);
        *(uint64_t *)(void *)(row + model->set_offset) |= writing->counted;
    }
}

/* The fields of the set, behind the binds that are there; how many there are then. */
static size_t bind_fields(const bide_model *model, uint64_t fields, const void *row,
                          bide_bind *binds, size_t count)
{
    for (size_t i = 0; i < model->field_count; i++)
        if (fields & bide__bit(i))
            binds[count++] = bide__bind_field(model, &model->fields[i], row);
    return count;
}

/* How many rows from `first` on the next statement takes: those that give the same fields, and a
   power of four, so that a model has few statements to keep. */
static int rows_alike(struct bide__writing *writing, size_t first, uint64_t *ret_given,
                      uint64_t *ret_read, size_t *ret_rows)
{
    struct bide__trouble *trouble = &writing->work.trouble;
    const bide_model *model = writing->what.model;
    uint64_t given, read;
    int code = bide__sort_fields(model, bide__row_at(writing, first), ret_given, ret_read, trouble);
    size_t fields = (size_t)__builtin_popcountll(*ret_given);
    size_t most = writing->what.count - first, alike = 1;
    if (fields == 0 || most > BIDE_CAP_DB_INSERT_ROWS)
        most = fields ? BIDE_CAP_DB_INSERT_ROWS : 1;
    if (fields && most > BIDE_CAP_DB_INSERT_BINDS / fields)
        most = BIDE_CAP_DB_INSERT_BINDS / fields;
    for (; code == 0 && alike < most; alike++) {
        code =
            bide__sort_fields(model, bide__row_at(writing, first + alike), &given, &read, trouble);
        if (given != *ret_given || read != *ret_read)
            break;
    }
    for (*ret_rows = 1; *ret_rows * 4 <= alike;)
        *ret_rows *= 4;
    return code;
}

/* Inserts some rows by one statement. Both databases return them in the order of the values. */
static int insert_rows(struct bide__writing *writing, struct bide__connection *connection,
                       size_t first, size_t rows)
{
    struct bide__trouble *trouble = &writing->work.trouble;
    struct bide__statement *statement;
    struct bide__run run = {.statement = NULL};
    bide_bind few[64], *binds = rows > 1 ? writing->binds : few;
    size_t count = 0;
    if (writing->text_rows != rows) {
        writing->text_rows = rows;
        bide_buf_reset(writing->text);
        bide__put_insert(writing, rows);
    }
    if (bide_buf_error(writing->text))
        return bide__text_trouble(writing->text, trouble);
    int code = bide__statement_of(connection, bide_buf_str(writing->text),
                                  bide_buf_length(writing->text), &statement, trouble);
    if (code < 0)
        return code;
    for (size_t i = 0; i < rows; i++)
        count = bind_fields(writing->what.model, writing->given, bide__row_at(writing, first + i),
                            binds, count);
    code = bide__start(&run, connection, statement, binds, count, trouble);
    if (code == 0)
        code = bide__read_back(writing, &run, writing->read, first, rows);
    if (code == 0 && writing->counted)
        set_numbers(writing, first, rows, run.last_number);
    writing->affected = run.affected;
    bide__finish(&run);
    return code;
}

int bide__name_rows(struct bide__writing *writing, size_t first, size_t last, int code)
{
    char *message = writing->work.trouble.message;
    size_t used = strlen(message), room = sizeof writing->work.trouble.message - used;
    if (writing->what.count == 1)
        return code;
    if (first == last)
        snprintf(message + used, room, " (row %zu of %zu)", first + 1, writing->what.count);
    else
        snprintf(message + used, room, " (one of the rows %zu to %zu)", first + 1, last + 1);
    return code;
}

/* The rows of a statement that failed, one after the other, to learn which it is. A database whose
   transaction is over by then says something else: the first answer stands. */
static int insert_singly(struct bide__writing *writing, struct bide__connection *connection,
                         size_t first, size_t rows)
{
    struct bide__trouble *trouble = &writing->work.trouble, before = *trouble;
    for (size_t i = first; i < first + rows; i++) {
        int code = insert_rows(writing, connection, i, 1);
        if (code == 0)
            continue;
        if (trouble->code == before.code)
            return bide__name_rows(writing, i, i, code);
        *trouble = before;
        return bide__name_rows(writing, first, first + rows - 1, -EBADMSG);
    }
    return 0;
}

bool bide__broke_rule(const struct bide__writing *writing)
{
    int code = writing->work.trouble.code;
    return code == BIDE_CONFLICT || code == BIDE_CONSTRAINT;
}

/* Inserts the next rows by one statement with all of their values. */
int bide__insert_alike(struct bide__writing *writing, struct bide__connection *connection,
                       size_t first, size_t *ret_rows)
{
    uint64_t given, read;
    int code = rows_alike(writing, first, &given, &read, ret_rows);
    if (code < 0)
        return code;
    if (first == 0 || given != writing->given || read != writing->read) {
        writing->given = given;
        writing->read = read;
        writing->text_rows = 0;
        code = look_at_numbers(writing, connection);
        if (code < 0)
            return code;
    }
    code = insert_rows(writing, connection, first, *ret_rows);
    if (code < 0 && bide__broke_rule(writing))
        code = *ret_rows > 1 ? insert_singly(writing, connection, first, *ret_rows)
                             : bide__name_rows(writing, first, first, code);
    return code;
}

static int run_insert(struct bide__work *work, struct bide__connection *connection)
{
    struct bide__writing *writing = writing_of(work);
    size_t rows;
    if (work->many && connection->driver->start_rows && writing->what.kind == BIDE__INSERT)
        return bide__insert_arrays(writing, connection);
    for (size_t i = 0; i < writing->what.count; i += rows) {
        int code = i > 0 ? bide__between(work) : 0;
        if (code == 0)
            code = bide__insert_alike(writing, connection, i, &rows);
        if (code < 0)
            return code;
    }
    return 0;
}

static int run_change(struct bide__work *work, struct bide__connection *connection)
{
    struct bide__writing *writing = writing_of(work);
    struct bide__trouble *trouble = &work->trouble;
    const bide_model *model = writing->what.model;
    struct bide__statement *statement;
    struct bide__run run = {.statement = NULL};
    bide_bind binds[128] = {writing->key};
    size_t count = 1;
    int code = bide__statement_of(connection, bide_buf_str(writing->text),
                                  bide_buf_length(writing->text), &statement, trouble);
    if (code < 0)
        return code;
    if (writing->what.rows) {
        uint64_t keys = columns_of(model, 0) & ~columns_of(model, BIDE_KEY);
        count = bind_fields(model, writing->what.fields, writing->what.rows, binds, 0);
        count = bind_fields(model, keys, writing->what.rows, binds, count);
    }
    code = bide__start(&run, connection, statement, binds, count, trouble);
    if (code == 0)
        code = bide__step(&run, trouble);
    bide__finish(&run);
    if (code < 0)
        return code;
    return run.affected > 0 ? 0 : bide__trouble(trouble, BIDE_NOT_FOUND, "no such %s", model->name);
}

/* ---- the calls ---- */

int bide__write_check(const bide_model *model, struct bide__trouble *trouble)
{
    const char *error = bide_model_check(model);
    if (error)
        return bide__trouble(trouble, BIDE_INVALID, "%s", error);
    if (!model->table[0])
        return bide__trouble(trouble, BIDE_QUERY, "the model %s has no table", model->name);
    for (size_t i = 0; i < model->field_count; i++)
        if (!bide__is_column(&model->fields[i]) && !(model->fields[i].flags & BIDE_COMPUTED))
            return bide__trouble(trouble, BIDE_QUERY,
                                 "the field %s of %s is of a type without a column",
                                 model->fields[i].name, model->name);
    return 0;
}

static void check_model(const bide_model *model, struct bide__trouble *trouble)
{
    trouble->code = 0;
    if (bide__write_check(model, trouble) < 0)
        bide__db_raise(-EBADMSG, trouble, NULL);
}

static void put_where_key(bide_buf *buf, const bide_model *model, int first)
{
    const char *separator = " where ";
    for (size_t i = 0; i < model->field_count; i++) {
        if (!(model->fields[i].flags & BIDE_KEY))
            continue;
        bide_buf_printf(buf, "%s\"%s\"=$%d", separator, model->fields[i].name, first++);
        separator = " and ";
    }
}

static void put_update(struct bide__writing *writing)
{
    const bide_model *model = writing->what.model;
    uint64_t allowed = columns_of(model, BIDE_KEY);
    uint64_t keys = columns_of(model, 0) & ~allowed;
    struct bide__trouble *trouble = &writing->work.trouble;
    int next = 1;
    if (!keys)
        bide__trouble(trouble, BIDE_QUERY, "the model %s has no key", model->name);
    else if (writing->what.fields & ~allowed)
        bide__trouble(trouble, BIDE_QUERY, "a key or computed field of %s cannot be updated",
                      model->name);
    if (trouble->code)
        bide__db_raise(-EBADMSG, trouble, NULL);
    bide_buf_printf(writing->text, "update \"%s\" set ", model->table);
    for (size_t i = 0; i < model->field_count; i++)
        if (writing->what.fields & bide__bit(i)) {
            bide_buf_printf(writing->text, "%s\"%s\"=$%d", next > 1 ? "," : "",
                            model->fields[i].name, next);
            next++;
        }
    put_where_key(writing->text, model, next);
}

static void perform(struct bide__on on, struct bide__writing *writing)
{
    if (bide_buf_error(writing->text)) {
        bide__text_trouble(writing->text, &writing->work.trouble);
        bide__db_raise(-EBADMSG, &writing->work.trouble, NULL);
    }
    bide__perform(on, &writing->work);
}

static void free_binds(bide_bind **binds)
{
    bide__free(*binds);
}

bide_async(void) bide__db_write(struct bide__on on, struct bide__write what)
{
    bide_buf text __attribute__((cleanup(bide_buf_done)));
    bide_bind *binds __attribute__((cleanup(free_binds))) = NULL;
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    if (what.count > 1 && !(binds = bide__alloc(BIDE_CAP_DB_INSERT_BINDS * sizeof *binds)))
        bide__raise(-ENOMEM, NULL);
    struct bide__writing writing = {.what = what, .text = &text, .binds = binds};
    check_model(what.model, &writing.work.trouble);
    writing.work.run = what.kind == BIDE__UPDATE ? run_change : run_insert;
    writing.work.many = what.count > 1;
    if (what.kind == BIDE__UPDATE)
        put_update(&writing);
    if (what.count > 0)
        perform(on, &writing);
    return bide_void;
}

bide_async(bool) bide__db_insert_new(struct bide__on on, struct bide__write what)
{
    bide_buf text __attribute__((cleanup(bide_buf_done)));
    struct bide__writing writing = {.what = what, .text = &text};
    size_t size = what.model->size;
    bide_arena *arena = bide_task_arena();
    void *before = arena ? bide_arena_copy(arena, what.rows, size) : NULL;
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    check_model(what.model, &writing.work.trouble);
    if (!before)
        bide__raise(-ENOMEM, NULL);
    writing.work.run = run_insert;
    perform(on, &writing);
    if (writing.affected == 0) /* a number or an instant that it was given is nobody's */
        memcpy(what.rows, before, size);
    return bide_ready(bool, writing.affected > 0);
}

bide_async(void) bide__db_delete(struct bide__on on, const bide_model *model, bide_bind key)
{
    bide_buf text __attribute__((cleanup(bide_buf_done)));
    struct bide__writing writing = {.what = {.model = model}, .text = &text, .key = key};
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    check_model(model, &writing.work.trouble);
    if (!bide__only_key(model, &writing.work.trouble))
        bide__db_raise(-EBADMSG, &writing.work.trouble, NULL);
    writing.work.run = run_change;
    bide_buf_printf(&text, "delete from \"%s\"", model->table);
    put_where_key(&text, model, 1);
    perform(on, &writing);
    return bide_void;
}

/* ---- tables ---- */

static void put_check(bide_buf *buf, const bide_field *field, const char *type)
{
    if (field->kind == BIDE_KIND_BOOL && strcmp(type, "integer") == 0)
        bide_buf_printf(buf, " check (\"%s\" in (0,1))", field->name);
    if (field->kind != BIDE_KIND_ENUM)
        return;
    bide_buf_printf(buf, " check (\"%s\" in (", field->name);
    for (size_t i = 0; i < field->type->enum_count; i++)
        bide_buf_printf(buf, "%s'%s'", i ? "," : "", field->type->enum_names[i]);
    bide_buf_append_str(buf, "))");
}

void bide__put_table(bide_buf *buf, const struct bide__driver *driver, const bide_model *model)
{
    uint64_t keys = columns_of(model, 0) & ~columns_of(model, BIDE_KEY);
    bool one_key = __builtin_popcountll(keys) == 1;
    const char *separator = "";
    bide_buf_printf(buf, "create table if not exists \"%s\" (", model->table);
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        if (!bide__is_column(field))
            continue;
        const char *type = driver->column_type(field->kind);
        bool counted = (field->flags & BIDE_KEY) && (field->flags & BIDE_GENERATED) &&
                       (field->kind == BIDE_KIND_I32 || field->kind == BIDE_KIND_I64);
        bide_buf_printf(buf, "%s\"%s\" %s%s", separator, field->name, type,
                        counted ? driver->counted : "");
        if (one_key && (field->flags & BIDE_KEY))
            bide_buf_append_str(buf, " primary key");
        if (!(field->flags & BIDE_OPTIONAL))
            bide_buf_append_str(buf, " not null");
        if (field->flags & BIDE_UNIQUE)
            bide_buf_append_str(buf, " unique");
        if (field->flags & BIDE_SQL_DFLT)
            bide_buf_printf(buf, " default (%s)", field->sql_dflt);
        put_check(buf, field, type);
        separator = ",";
    }
    if (keys && !one_key) {
        bide_buf_append_str(buf, ",primary key (");
        bide__put_fields(buf, model, keys);
        bide_buf_append_str(buf, ")");
    }
    bide_buf_append_str(buf, ")");
}

static int run_create(struct bide__work *work, struct bide__connection *connection)
{
    struct bide__writing *writing = writing_of(work);
    return bide__command(connection, bide_buf_str(writing->text), &work->trouble);
}

bide_async(void) bide__db_create(struct bide__on on, const bide_model *model)
{
    bide_buf text __attribute__((cleanup(bide_buf_done)));
    struct bide__writing writing = {.what = {.model = model}, .text = &text};
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    check_model(model, &writing.work.trouble);
    writing.work.run = run_create;
    bide__put_table(&text, on.db->driver, model);
    perform(on, &writing);
    return bide_void;
}
