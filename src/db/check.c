/*
 * Every query of the program beside a schema. See check.h. Called by command.c and by users
 * (bide_check_queries); calls notes.c, query.c, write.c, migrate.c, the driver.
 *
 * Invariants
 *  1. All happens in one transaction that is rolled back.
 *  2. A statement that fails has a savepoint before it: a server refuses what follows an error.
 */
#include "db/check.h"

#include "db/migrate.h"
#include "db/split.h"

#include <bide/log.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct checking {
    struct bide__check *check;
    struct bide__connection *connection;
    const struct bide__note *note;
    size_t prefix; /* bytes of the statement before the note's own text */
    struct bide__trouble trouble;
};

/* Keeps what `trouble` says. */
static int find(struct checking *checking)
{
    struct bide__check *check = checking->check;
    const struct bide__trouble *trouble = &checking->trouble;
    struct bide__finding *finding = bide_arena_alloc_zero(check->arena, 1, sizeof *finding);
    char *message = bide_arena_strdup(check->arena, trouble->message);
    if (!finding || !message)
        return bide__trouble(&checking->trouble, BIDE_NO_MEMORY, "out of memory for a check");
    finding->note = checking->note;
    finding->message = message;
    finding->code = trouble->code;
    memcpy(finding->field, trouble->field, sizeof finding->field);
    if ((size_t)trouble->position > checking->prefix)
        finding->position = trouble->position - (int)checking->prefix;
    *check->end = finding;
    check->end = &finding->next;
    return 0;
}

/* Whether it is about the query, and not about the database. */
static bool is_finding(int code, const struct bide__trouble *trouble)
{
    return code == -EBADMSG && (trouble->code == BIDE_QUERY || trouble->code == BIDE_SCHEMA ||
                                trouble->code == BIDE_INVALID || trouble->code == BIDE_CONSTRAINT ||
                                trouble->code == BIDE_CONFLICT || trouble->code == BIDE_LIMIT);
}

/* Runs something behind a savepoint; what is wrong with it is kept, what else is given. */
static int guarded(struct checking *checking,
                   int (*run)(struct checking *checking, const void *arg), const void *arg)
{
    struct bide__connection *connection = checking->connection;
    struct bide__trouble undo;
    int code = bide__command(connection, "savepoint bide_check", &checking->trouble);
    if (code < 0)
        return code;
    checking->trouble = (struct bide__trouble){0};
    checking->prefix = 0;
    code = run(checking, arg);
    if (code < 0 && bide__command(connection, "rollback to bide_check", &undo) < 0)
        return code;
    if (is_finding(code, &checking->trouble))
        code = find(checking);
    int released = bide__command(connection, "release bide_check", &undo);
    return code < 0 ? code : released;
}

/* ---- the scratch schema ---- */

static const bide_model *table_model(const bide_model *model)
{
    while (!model->table[0] && model->base)
        model = model->base;
    return model;
}

static int run_text(struct checking *checking, const void *text)
{
    return bide__command_once(checking->connection, text, strlen(text), &checking->trouble);
}

static int run_migration(struct checking *checking, const void *arg)
{
    const struct bide__migration *migration = arg;
    struct bide__sql sql = {migration->up.text, migration->up.text + migration->up.length, 1};
    struct bide__sql_statement one;
    if (migration->up.transaction)
        return bide__migration_run(checking->connection, migration, &migration->up,
                                   &checking->trouble);
    /* VACUUM, indexes made beside writers: what cannot run here, no query asks for. */
    while (bide__sql_next(&sql, &one) > 0) {
        if (!bide__sql_begins(&one, "create") && !bide__sql_begins(&one, "alter") &&
            !bide__sql_begins(&one, "drop"))
            continue;
        struct bide__migration_part part = {one.text, one.length, one.line, true};
        int code = bide__command(checking->connection, "savepoint bide_bare", &checking->trouble);
        if (code == 0 &&
            bide__migration_run(checking->connection, migration, &part, &checking->trouble) < 0)
            code = bide__command(checking->connection, "rollback to bide_bare", &checking->trouble);
        if (code < 0)
            return code;
    }
    checking->trouble = (struct bide__trouble){0};
    return 0;
}

static int make_table(struct checking *checking, const void *model)
{
    bide_buf text;
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    bide__put_table(&text, checking->connection->driver, model);
    int code = bide_buf_error(&text) ? bide__text_trouble(&text, &checking->trouble)
                                     : run_text(checking, bide_buf_str(&text));
    bide_buf_done(&text);
    return code;
}

/* `create ...` and `alter ...` that the program runs itself. */
static bool defines(const struct bide__note *note)
{
    struct bide__sql_statement text = {note->text, strlen(note->text), 1};
    text.text += strspn(text.text, " \t\r\n");
    text.length = strlen(text.text);
    return note->kind == BIDE__NOTE_EXEC && note->bind_count == 1 &&
           (bide__sql_begins(&text, "create") || bide__sql_begins(&text, "alter"));
}

/* What it runs may depend on order; what is there already does no harm. */
static int run_definition(struct checking *checking, const void *text)
{
    int code = run_text(checking, text);
    if (code < 0 && !strstr(checking->trouble.message, "already exists"))
        return code;
    return code < 0
               ? bide__command(checking->connection, "rollback to bide_check", &checking->trouble)
               : 0;
}

/* The tables of all notes that `wanted` holds for, the models with the most fields first. */
static int make_tables(struct checking *checking, bool created_only)
{
    const struct bide__notes *notes = &checking->check->notes;
    for (size_t fields = 64; fields > 0; fields--) {
        for (size_t i = 0; i < notes->count; i++) {
            const struct bide__note *note = notes->all[i];
            if (!note->model || (created_only && note->kind != BIDE__NOTE_CREATE))
                continue;
            const bide_model *model = table_model(note->model());
            if (!model->table[0] || model->field_count != fields)
                continue;
            checking->note = note;
            int code = guarded(checking, make_table, model);
            if (code < 0)
                return code;
        }
    }
    return 0;
}

/* On a server: a schema of its own, which goes with the transaction. */
static int make_place(struct checking *checking)
{
    int code = 0;
    if (!checking->connection->driver->pool)
        return 0;
    code = bide__command(checking->connection, "create schema bide_check", &checking->trouble);
    return code < 0 ? code
                    : bide__command(checking->connection, "set local search_path to bide_check",
                                    &checking->trouble);
}

static int make_schema(struct checking *checking)
{
    struct bide__check *check = checking->check;
    const struct bide__migrations *migrations = check->migrations;
    int code = make_place(checking);
    for (size_t i = 0; migrations && i < migrations->count && code == 0; i++) {
        checking->note = NULL;
        code = guarded(checking, run_migration, &migrations->all[i]);
    }
    for (size_t i = 0; i < check->notes.count && code == 0; i++) {
        checking->note = check->notes.all[i];
        if (defines(checking->note))
            code = guarded(checking, run_definition, checking->note->text);
    }
    return code < 0 ? code : make_tables(checking, migrations && migrations->count > 0);
}

/* ---- one query ---- */

/* A column beside the field or value that it becomes: the field is NULL for a scalar. */
static int check_column(struct checking *checking, struct bide__statement *statement, int column,
                        const bide_model *model, const bide_field *field, const bide_type *type)
{
    const struct bide__driver *driver = checking->connection->driver;
    struct bide__trouble *trouble = &checking->trouble;
    struct bide__column is;
    const char *name = driver->column_name(statement, column);
    if (!driver->describe)
        return 0;
    driver->describe(checking->connection, statement, column, field ? field->kind : type->kind,
                     &is);
    if (is.differs && field)
        bide__trouble(trouble, BIDE_SCHEMA, "the column '%s' is %s, and the field of %s is %s",
                      name, is.type, model->name, type->name);
    else if (is.differs)
        bide__trouble(trouble, BIDE_SCHEMA, "the column '%s' is %s, and the value %s", name,
                      is.type, type->name);
    else if (is.nullable && field && !(field->flags & BIDE_OPTIONAL))
        bide__trouble(trouble, BIDE_SCHEMA,
                      "the column '%s' may be NULL, and the field of %s is not optional", name,
                      model->name);
    else if (is.nullable && !field)
        bide__trouble(trouble, BIDE_SCHEMA, "the column '%s' may be NULL, and a scalar is not",
                      name);
    else
        return 0;
    snprintf(trouble->field, sizeof trouble->field, "%s", name);
    return find(checking);
}

static int check_row(struct checking *checking, struct bide__statement *statement,
                     const bide_model *model)
{
    struct bide__run run = {.connection = checking->connection, .statement = statement};
    struct bide__columns columns;
    int code = bide__columns_of(&run, model, &columns, &checking->trouble);
    for (size_t i = 0; code == 0 && i < columns.count; i++) {
        const bide_field *field = &model->fields[columns.field[i]];
        code = check_column(checking, statement, (int)i, model, field, field->type);
    }
    return code;
}

static int check_scalar(struct checking *checking, struct bide__statement *statement,
                        const bide_type *type)
{
    if (statement->columns != 1)
        return bide__trouble(&checking->trouble, BIDE_QUERY,
                             "the query gives %d columns instead of one", statement->columns);
    return check_column(checking, statement, 0, NULL, NULL, type);
}

/* What is bound beside what the statement takes. */
static int check_binds(struct checking *checking, const struct bide__statement *statement)
{
    static const char *const names[] = {
        [BIDE__BIND_NULL] = "NULL",         [BIDE__BIND_BOOL] = "a bool",
        [BIDE__BIND_INT] = "an integer",    [BIDE__BIND_REAL] = "a real",
        [BIDE__BIND_TEXT] = "a text",       [BIDE__BIND_BYTES] = "bytes",
        [BIDE__BIND_UUID] = "a uuid",       [BIDE__BIND_DATE] = "a date",
        [BIDE__BIND_DECIMAL] = "a decimal", [BIDE__BIND_TOO_LARGE] = "too large",
        [BIDE__BIND_LIST] = "a list",
    };
    const struct bide__note *note = checking->note;
    const struct bide__driver *driver = checking->connection->driver;
    for (unsigned i = 1; i < note->bind_count; i++) {
        enum bide__bind_kind kind = (enum bide__bind_kind)note->binds[i];
        const char *wanted = driver->wanted ? driver->wanted(statement, (int)i, kind) : NULL;
        if (wanted)
            return bide__trouble(&checking->trouble, BIDE_QUERY,
                                 "$%u is %s, and the query wants %s", i, names[kind], wanted);
    }
    return 0;
}

static int check_prepared(struct checking *checking, struct bide__statement *statement)
{
    const struct bide__note *note = checking->note;
    if (note->bind_count && (size_t)statement->parameters != note->bind_count - 1)
        return bide__trouble(&checking->trouble, BIDE_QUERY,
                             "the query has %d parameters, and %u are bound", statement->parameters,
                             note->bind_count - 1);
    int code = 0;
    if (note->kind == BIDE__NOTE_SCALAR)
        code = check_scalar(checking, statement, note->type());
    else if (note->model && note->kind != BIDE__NOTE_EXEC)
        code = check_row(checking, statement, note->model());
    return code < 0 ? code : check_binds(checking, statement);
}

static int prepare(struct checking *checking, const char *text)
{
    struct bide__connection *connection = checking->connection;
    struct bide__statement *statement;
    int code =
        connection->driver->prepare(connection, text, strlen(text), &statement, &checking->trouble);
    if (code < 0)
        return code;
    code = check_prepared(checking, statement);
    connection->driver->discard(statement);
    return code;
}

static int check_text(struct checking *checking, const bide_buf *text)
{
    struct bide__statement *statement;
    struct bide__connection *connection = checking->connection;
    if (bide_buf_error(text))
        return bide__text_trouble(text, &checking->trouble);
    int code = connection->driver->prepare(connection, bide_buf_str(text), bide_buf_length(text),
                                           &statement, &checking->trouble);
    if (code == 0)
        connection->driver->discard(statement);
    checking->trouble.position = 0;
    return code;
}

/* An insert that looks at these fields needs a unique rule of the table for them. */
static int check_clash(struct checking *checking)
{
    const struct bide__note *note = checking->note;
    const bide_model *model = note->model();
    bide_buf names, text;
    bide_buf_init(&names, BIDE_CAP_DB_STATEMENT_BYTES);
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    for (size_t i = 0; i < model->field_count; i++)
        if (note->fields >> i & 1)
            bide_buf_printf(&names, "%s\"%s\"", bide_buf_length(&names) ? "," : "",
                            model->fields[i].name);
    bide_buf_printf(&text,
                    "insert into \"%s\" (%s) select %s from \"%s\" where true on conflict (%s) do "
                    "nothing",
                    model->table, bide_buf_str(&names), bide_buf_str(&names), model->table,
                    bide_buf_str(&names));
    int code = bide_buf_error(&names) ? bide__text_trouble(&names, &checking->trouble)
                                      : check_text(checking, &text);
    bide_buf_done(&names);
    bide_buf_done(&text);
    return code;
}

/* Whether this can be prepared; what a server then refuses to go on with is undone. */
static bool can_prepare(struct checking *checking, const char *what, const char *table)
{
    struct bide__trouble trouble = checking->trouble, undo;
    bide_buf text;
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    bide_buf_printf(&text, "select %s from \"%s\"", what, table);
    int code = check_text(checking, &text);
    bide_buf_done(&text);
    checking->trouble = trouble;
    return code == 0 || bide__command(checking->connection, "rollback to bide_check", &undo) < 0;
}

/* A query of a model failed: if its table is not as the model says, this is the better message. */
static int blame_table(struct checking *checking, const bide_model *model)
{
    const char *table = bide__table_of(model);
    struct bide__trouble undo;
    char what[256];
    if (!is_finding(-EBADMSG, &checking->trouble) || !*table ||
        bide__command(checking->connection, "rollback to bide_check", &undo) < 0)
        return -EBADMSG;
    if (!can_prepare(checking, "1", table))
        return bide__trouble(&checking->trouble, BIDE_SCHEMA,
                             "there is no table '%s', which the model %s is of", table,
                             model->name);
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        snprintf(what, sizeof what, "\"%s\"", field->name);
        if (!bide__is_column(field) || can_prepare(checking, what, table))
            continue;
        bide__trouble(&checking->trouble, BIDE_SCHEMA,
                      "the table '%s' has no column '%s', which the model %s has", table,
                      field->name, model->name);
        snprintf(checking->trouble.field, sizeof checking->trouble.field, "%s", field->name);
        return -EBADMSG;
    }
    return -EBADMSG;
}

static int need_column(struct checking *checking, struct bide__run *run, const bide_model *model)
{
    struct bide__db_cell cell;
    checking->connection->driver->cell(run, 0, &cell);
    if (cell.kind != BIDE__CELL_TEXT)
        return 0;
    for (size_t i = 0; i < model->field_count; i++)
        if (bide__is_column(&model->fields[i]) && strcmp(model->fields[i].name, cell.data) == 0)
            return 0;
    bide__trouble(&checking->trouble, BIDE_SCHEMA,
                  "the table '%s' needs a column '%s', which the model %s has not", model->table,
                  cell.data, model->name);
    snprintf(checking->trouble.field, sizeof checking->trouble.field, "%s", cell.data);
    return find(checking);
}

/* An insert of a model that lacks a column without which no row can be. */
static int check_needed(struct checking *checking)
{
    const bide_model *model = checking->note->model();
    struct bide__connection *connection = checking->connection;
    const char *text = connection->driver->needed_columns;
    const bide_bind table = bide__bind_text(model->table);
    struct bide__run run = {.statement = NULL};
    struct bide__statement *statement;
    int code = bide__statement_of(connection, text, strlen(text), &statement, &checking->trouble);
    if (code == 0)
        code = bide__start(&run, connection, statement, &table, 1, &checking->trouble);
    while (code >= 0 && (code = connection->driver->step(&run, &checking->trouble)) > 0)
        code = need_column(checking, &run, model);
    bide__finish(&run);
    return code;
}

/* What a write asks of its model and table beyond the columns of the model. */
static int check_write(struct checking *checking)
{
    const struct bide__note *note = checking->note;
    const bide_model *model = note->model();
    bool updates = note->kind == BIDE__NOTE_WRITE && note->how == BIDE__UPDATE;
    bool by_key = note->kind == BIDE__NOTE_DELETE || (updates && note->fields == 0 /* a patch */);
    int keys = 0;
    for (size_t i = 0; i < model->field_count; i++) {
        bool key = model->fields[i].flags & BIDE_KEY;
        keys += key;
        if (updates && key && (note->fields >> i & 1))
            return bide__trouble(&checking->trouble, BIDE_QUERY,
                                 "a key or computed field of %s cannot be updated", model->name);
    }
    if (by_key && !bide__only_key(model, &checking->trouble))
        return -EBADMSG;
    if (updates && keys == 0)
        return bide__trouble(&checking->trouble, BIDE_QUERY, "the model %s has no key",
                             model->name);
    if (updates || note->kind == BIDE__NOTE_DELETE)
        return 0;
    bool looks = note->how == BIDE__UPSERT || note->how == BIDE__INSERT_NEW;
    int code = looks ? check_clash(checking) : 0;
    return code < 0 || !checking->connection->driver->needed_columns ? code
                                                                     : check_needed(checking);
}

/* What the note's call would prepare. */
static int check_note(struct checking *checking, const void *arg)
{
    const struct bide__note *note = arg;
    struct bide__want want = {.how = BIDE__ALL};
    bide_buf text;
    if (note->model)
        want = (struct bide__want){note->model(), (enum bide__how)note->how, 1, 1};
    if (note->kind != BIDE__NOTE_ROWS)
        want.how = BIDE__ALL;
    bool writes = note->kind == BIDE__NOTE_WRITE || note->kind == BIDE__NOTE_DELETE;
    int code = writes ? bide__write_check(want.model, &checking->trouble)
                      : bide__query_check(&want, note->text, &checking->trouble);
    if (code < 0)
        return code;
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    if (note->model)
        bide__put_query(&text, want.model, note->text);
    else
        bide_buf_append_str(&text, note->text);
    if (bide_buf_error(&text)) {
        code = bide__text_trouble(&text, &checking->trouble);
    } else {
        checking->prefix = bide_buf_length(&text) - strlen(note->text);
        code = prepare(checking, bide_buf_str(&text));
    }
    if (code == -EBADMSG && note->model && checking->prefix > 0)
        code = blame_table(checking, note->model());
    bide_buf_done(&text);
    return code == 0 && writes ? check_write(checking) : code;
}

static int check_all(struct checking *checking)
{
    struct bide__check *check = checking->check;
    int code = check->scratch ? make_schema(checking) : 0;
    for (size_t i = 0; i < check->notes.count && code == 0; i++) {
        const struct bide__note *note = check->notes.all[i];
        if (note->kind == BIDE__NOTE_CREATE || defines(note))
            continue;
        checking->note = note;
        code = guarded(checking, check_note, note);
        check->checked++;
    }
    return code;
}

static void check_in(bide_tx *tx, struct bide__check *check)
{
    struct checking checking = {.check = check, .connection = bide__tx_connection(tx)};
    checking.connection->driver->set_budget(checking.connection, 0);
    check->first = NULL;
    check->end = &check->first;
    check->checked = 0;
    int code = check_all(&checking);
    checking.connection->refused = false; /* all of it was taken back */
    bide__tx_after(tx);
    if (code < 0)
        bide__db_raise(code, &checking.trouble, NULL);
}

bide_async(void) bide__check_run(bide_db *db, struct bide__check *check)
{
    if (check->scratch) {
        bide_with_tx(tx, db)
        {
            check_in(tx, check);
            bide_await(bide_tx_rollback(tx));
        }
    } else {
        bide_with_read_tx(tx, db)
        {
            check_in(tx, check);
        }
    }
    return bide_void;
}

/* ---- for users ---- */

static void free_arena(bide_arena *arena)
{
    bide_arena_done(arena);
}

bide_async(void) bide_check_queries(bide_db *db)
{
    bide_arena arena __attribute__((cleanup(free_arena)));
    struct bide__check check = {.arena = &arena};
    bide_arena_init(&arena, NULL, BIDE_CAP_DB_MIGRATIONS_BYTES);
    bide__db_check(db);
    if (bide__notes_read(&arena, &check.notes) < 0)
        bide__raise(-ENOMEM, NULL);
    bide_await(bide__check_run(db, &check));
    for (const struct bide__finding *one = check.first; one; one = one->next)
        bide_log(BIDE_LOG_ERROR, "%s:%u: %s", one->note->file, one->note->line, one->message);
    if (check.first) {
        const struct bide__finding *one = check.first;
        struct bide__trouble trouble;
        bide__trouble(&trouble, BIDE_SCHEMA, "%s:%u: %s", one->note->file, one->note->line,
                      one->message);
        memcpy(trouble.field, one->field, sizeof trouble.field);
        bide__db_raise(-EBADMSG, &trouble, NULL);
    }
    return bide_void;
}
