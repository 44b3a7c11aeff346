/*
 * Queries: bide_exec, bide_do, bide_one ... bide_page, bide_scalar. Called by users through
 * db_macros.h; calls perform.c, row.c, connection.c.
 */
#include "db/db.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

struct query {
    struct bide__work work;
    const char *text;
    size_t length;
    const bide_bind *binds; /* from 1 on; 0 is the text */
    size_t bind_count;
    int (*row)(struct query *query, struct bide__run *run);
    struct bide__want want;
    const bide_type *type; /* of a scalar */
    const void *scalar;
    const char *count_text;       /* of a page */
    struct bide__statement *seen; /* by look, on the connection that often runs it at once */
    struct bide__connection *seen_by;
    struct bide__columns columns;
    bide__rows rows;
    size_t room;
    int64_t affected;
};

static struct query *query_of(struct bide__work *work)
{
    return bide__container_of(work, struct query, work);
}

/* Whether the text begins with the word, in any case. */
static bool begins_with(const char *text, const char *word)
{
    size_t length = strlen(word);
    while (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r' || *text == '(')
        text++;
    return (text[0] | 0x20) == word[0] && strncasecmp(text, word, length) == 0 &&
           !isalnum((unsigned char)text[length]) && text[length] != '_';
}

static int refuse_control(const char *text, struct bide__trouble *trouble)
{
    static const char *const words[] = {"begin",    "commit",    "end",
                                        "rollback", "savepoint", "release"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins_with(text, words[i]))
            return bide__trouble(trouble, BIDE_QUERY, "no '%s' in a query: use with_tx", words[i]);
    return 0;
}

static int look(struct bide__work *work, struct bide__connection *connection)
{
    struct query *query = query_of(work);
    int code =
        bide__statement_of(connection, query->text, query->length, &query->seen, &work->trouble);
    if (code == 0) {
        query->seen_by = connection;
        work->reads = query->seen->reads;
    }
    return code;
}

/* Runs one statement with these binds. */
static int run_statement(struct query *query, struct bide__connection *connection, const char *text,
                         size_t length, const bide_bind *binds, size_t count)
{
    struct bide__statement *statement;
    struct bide__trouble *trouble = &query->work.trouble;
    struct bide__run run = {.statement = NULL};
    int code = 0;
    if (connection == query->seen_by && text == query->text)
        statement = query->seen;
    else
        code = bide__statement_of(connection, text, length, &statement, trouble);
    query->seen_by = NULL; /* other statements may push it out */
    if (code < 0)
        return code;
    query->work.reads = statement->reads;
    code = bide__start(&run, connection, statement, binds, count, trouble);
    if (code == 0 && query->want.model)
        code = bide__columns_of(&run, query->want.model, &query->columns, trouble);
    int got = 0;
    while (code == 0 && (got = bide__step(&run, trouble)) > 0)
        code = query->row ? query->row(query, &run) : 0;
    bide__finish(&run);
    if (code == 0 && got == 0)
        query->affected = run.affected;
    return code < 0 ? code : got < 0 ? got : 0;
}

static int run(struct bide__work *work, struct bide__connection *connection)
{
    struct query *query = query_of(work);
    query->rows = (bide__rows){NULL, 0, 0, 0, 0};
    query->room = 0;
    query->scalar = NULL;
    return run_statement(query, connection, query->text, query->length, query->binds + 1,
                         query->bind_count - 1);
}

static void prepare(struct query *query, const char *text, const bide_bind *binds, size_t count)
{
    memset(query, 0, sizeof *query);
    query->work.run = run;
    query->work.look = look;
    query->text = text;
    query->length = strlen(text);
    query->binds = binds;
    query->bind_count = count;
    if (refuse_control(text, &query->work.trouble) < 0)
        bide__db_raise(-EBADMSG, &query->work.trouble, NULL);
}

bide_async(int64_t) bide__db_exec(struct bide__on on, const char *text, const bide_bind *binds,
                                  size_t count)
{
    struct query query;
    prepare(&query, text, binds, count);
    bide__perform(on, &query.work);
    return bide_ready(int64_t, query.affected);
}

bide_async(void) bide__db_do(struct bide__on on, const char *text, const bide_bind *binds,
                             size_t count)
{
    struct query query;
    prepare(&query, text, binds, count);
    bide__perform(on, &query.work);
    return bide_void;
}

/* ---- scalars ---- */

static int scalar_row(struct query *query, struct bide__run *run)
{
    const struct bide__driver *driver = run->connection->driver;
    struct bide__cell cell;
    if (query->scalar)
        return bide__trouble(&query->work.trouble, BIDE_QUERY, "the query gives more than one row");
    if (run->statement->columns != 1)
        return bide__trouble(&query->work.trouble, BIDE_QUERY,
                             "the query gives %d columns instead of one", run->statement->columns);
    driver->cell(run, 0, &cell);
    if (cell.kind == BIDE__CELL_NULL)
        return bide__trouble(&query->work.trouble, BIDE_QUERY, "the query gives NULL");
    void *value = bide_arena_alloc_zero(query->work.arena, 1, query->type->size);
    query->scalar = value;
    if (!value)
        return bide__trouble(&query->work.trouble, BIDE_NO_MEMORY, "out of memory for a row");
    return bide__cell_read(&cell, query->type->kind, query->type, query->work.arena,
                           driver->column_name(run->statement, 0), value, &query->work.trouble);
}

static __attribute__((noreturn)) void raise_none(void)
{
    bide__fail(bide__current->at, bide_error_new(BIDE_NOT_FOUND, "no such row"));
}

bide_async(bide__cell_ptr) bide__db_scalar(struct bide__on on, const bide_type *type,
                                           const char *text, const bide_bind *binds, size_t count)
{
    struct query query;
    prepare(&query, text, binds, count);
    query.row = scalar_row;
    query.type = type;
    bide__perform(on, &query.work);
    if (!query.scalar)
        raise_none();
    return bide_ready(bide__cell_ptr, query.scalar);
}

/* ---- rows ---- */

static int one_more(struct query *query)
{
    size_t size = query->want.model->size, count = query->rows.count;
    if (count < query->room)
        return 0;
    bool many = query->want.how == BIDE__ALL || query->want.how == BIDE__PAGE;
    size_t room = !many ? 1 : query->room ? 2 * query->room : 8;
    char *items =
        count < BIDE_CAP_DB_ROWS ? bide_arena_alloc_zero(query->work.arena, room, size) : NULL;
    if (!items)
        return bide__trouble(&query->work.trouble,
                             count < BIDE_CAP_DB_ROWS ? BIDE_NO_MEMORY : BIDE_LIMIT,
                             "no room for more than %zu rows", count);
    if (count)
        memcpy(items, query->rows.items, count * size);
    query->rows.items = items;
    query->room = room;
    return 0;
}

static int model_row(struct query *query, struct bide__run *run)
{
    const bide_model *model = query->want.model;
    enum bide__how how = query->want.how;
    if (query->rows.count == 1 && (how == BIDE__ONE || how == BIDE__MAYBE))
        return bide__trouble(&query->work.trouble, BIDE_QUERY, "the query gives more than one %s",
                             model->name);
    int code = one_more(query);
    if (code < 0)
        return code;
    void *row = (char *)query->rows.items + query->rows.count * model->size;
    code =
        bide__row_read(run, model, &query->columns, query->work.arena, row, &query->work.trouble);
    if (code < 0)
        return code;
    query->rows.count++;
    return how == BIDE__FIRST; /* 1: enough */
}

static int count_row(struct query *query, struct bide__run *run)
{
    struct bide__cell cell;
    run->connection->driver->cell(run, 0, &cell);
    query->rows.total = cell.integer;
    return 0;
}

/* The total first, then the rows, of one state of the data. */
static int run_page(struct bide__work *work, struct bide__connection *connection)
{
    struct query *query = query_of(work);
    struct bide__want want = query->want;
    size_t own = query->bind_count - 1;
    bide_bind *binds = bide_arena_alloc(work->arena, (own + 2) * sizeof *binds);
    if (!binds)
        return bide__trouble(&work->trouble, BIDE_NO_MEMORY, "out of memory for a page");
    if (own)
        memcpy(binds, query->binds + 1, own * sizeof *binds);
    binds[own] = bide__bind_int(want.size);
    binds[own + 1] = bide__bind_int((want.page - 1) * want.size);
    query->rows = (bide__rows){NULL, 0, 0, (int32_t)want.page, (int32_t)want.size};
    query->room = 0;
    query->row = count_row;
    query->want.model = NULL;
    int code =
        run_statement(query, connection, query->count_text, strlen(query->count_text), binds, own);
    query->row = model_row;
    query->want = want;
    if (code == 0)
        code = run_statement(query, connection, query->text, query->length, binds, own + 2);
    return code;
}

void bide__put_query(bide_buf *buf, const bide_model *model, const char *text)
{
    if (begins_with(text, "select") || begins_with(text, "with")) {
        bide_buf_append_str(buf, text);
        return;
    }
    bide_buf_append_str(buf, "select ");
    bide__put_columns(buf, model);
    bide_buf_append_str(buf, " from \"");
    bide_buf_append_str(buf, bide__table_of(model));
    bool no_where =
        !text[strspn(text, " \t\r\n")] || begins_with(text, "order") || begins_with(text, "limit");
    bide_buf_append_str(buf, no_where ? "\" " : "\" where ");
    bide_buf_append_str(buf, text);
}

static void buf_done(bide_buf *buf)
{
    bide_buf_done(buf);
}

int bide__query_check(const struct bide__want *want, const char *text,
                      struct bide__trouble *trouble)
{
    if (refuse_control(text, trouble) < 0)
        return -EBADMSG;
    if (!want->model)
        return 0;
    bool ordered = want->how != BIDE__FIRST && want->how != BIDE__PAGE;
    const char *error = bide_model_check(want->model);
    if (error)
        return bide__trouble(trouble, BIDE_INVALID, "%s", error);
    if (!bide__table_of(want->model)[0] && !begins_with(text, "select") &&
        !begins_with(text, "with"))
        return bide__trouble(trouble, BIDE_QUERY, "the model %s has no table", want->model->name);
    if (!ordered && !strcasestr(text, "order by"))
        return bide__trouble(trouble, BIDE_QUERY,
                             "which rows come first? The query says no `order by`");
    return 0;
}

void bide__want_check(struct bide__want want, const char *text)
{
    struct bide__trouble trouble = {0};
    int code = bide__query_check(&want, text, &trouble);
    if (code == 0 && want.how == BIDE__PAGE &&
        (want.page < 1 || want.page > INT32_MAX || want.size < 1 ||
         want.size > BIDE_CAP_DB_PAGE_ROWS))
        code = bide__trouble(&trouble, BIDE_INVALID, "there is no page %lld of %lld rows",
                             (long long)want.page, (long long)want.size);
    if (code < 0)
        bide__db_raise(code, &trouble, NULL);
}

bide_async(bide__rows) bide__db_rows(struct bide__on on, struct bide__want want, const char *text,
                                     const bide_bind *binds, size_t count)
{
    struct query query;
    bide_buf whole __attribute__((cleanup(buf_done)));
    bide_buf counting __attribute__((cleanup(buf_done)));
    bide_buf_init(&whole, BIDE_CAP_DB_STATEMENT_BYTES);
    bide_buf_init(&counting, BIDE_CAP_DB_STATEMENT_BYTES);
    bide__want_check(want, text);
    bide__put_query(&whole, want.model, text);
    if (want.how == BIDE__PAGE) {
        bide_buf_printf(&counting, "select count(*) from (%s) as counted", bide_buf_str(&whole));
        bide_buf_printf(&whole, " limit $%zu offset $%zu", count, count + 1);
    }
    if (bide_buf_error(&whole) || bide_buf_error(&counting))
        bide__raise(-ENOMEM, NULL);
    prepare(&query, bide_buf_str(&whole), binds, count);
    query.want = want;
    query.row = model_row;
    query.count_text = bide_buf_str(&counting);
    if (want.how == BIDE__PAGE) {
        query.work.run = run_page;
        query.work.many = true;
    }
    bide__perform(on, &query.work);
    if (want.how == BIDE__ONE && query.rows.count == 0)
        raise_none();
    return bide_ready(bide__rows, query.rows);
}
