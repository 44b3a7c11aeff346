/*
 * Queries: bide_exec, bide_do, bide_one ... bide_page, bide_scalar. Called by users through
 * db_macros.h; calls perform.c, row.c, connection.c.
 */
#include "db/db.h"

#include <errno.h>
#include <string.h>

struct query {
    struct bide__work work;
    const struct bide__form *form;
    const bide_bind *binds; /* from 1 on; 0 is the text */
    size_t bind_count;
    int (*row)(struct query *query, struct bide__run *run);
    struct bide__want want;
    const bide_type *type; /* of a scalar */
    const void *scalar;
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

static int look(struct bide__work *work, struct bide__connection *connection)
{
    struct query *query = query_of(work);
    int code =
        bide__statement_of_text(connection, &query->form->whole, &query->seen, &work->trouble);
    if (code == 0) {
        query->seen_by = connection;
        work->reads = query->seen->reads;
    }
    return code;
}

/* Runs one statement with these binds. */
static int run_statement(struct query *query, struct bide__connection *connection,
                         const struct bide__text *text, const bide_bind *binds, size_t count)
{
    struct bide__statement *statement;
    struct bide__trouble *trouble = &query->work.trouble;
    struct bide__run run = {.statement = NULL};
    int code = 0;
    if (connection == query->seen_by && text == &query->form->whole)
        statement = query->seen;
    else
        code = bide__statement_of_text(connection, text, &statement, trouble);
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
    return run_statement(query, connection, &query->form->whole, query->binds + 1,
                         query->bind_count - 1);
}

static const struct bide__form *form_of(struct bide__on on, const char *text,
                                        const bide_model *model, enum bide__shape shape,
                                        size_t binds)
{
    bide__db_check(on.db);
    return bide__form_of(on.db, text, model, shape, binds);
}

static void prepare(struct query *query, const struct bide__form *form, const bide_bind *binds,
                    size_t count)
{
    memset(query, 0, sizeof *query);
    query->work.run = run;
    query->work.look = look;
    query->form = form;
    query->binds = binds;
    query->bind_count = count;
}

bide_async(int64_t) bide__db_exec(struct bide__on on, const char *text, const bide_bind *binds,
                                  size_t count)
{
    struct query query;
    prepare(&query, form_of(on, text, NULL, BIDE__SHAPE_ANY, count), binds, count);
    bide__perform(on, &query.work);
    return bide_ready(int64_t, query.affected);
}

bide_async(void) bide__db_do(struct bide__on on, const char *text, const bide_bind *binds,
                             size_t count)
{
    struct query query;
    prepare(&query, form_of(on, text, NULL, BIDE__SHAPE_ANY, count), binds, count);
    bide__perform(on, &query.work);
    return bide_void;
}

/* ---- scalars ---- */

static int scalar_row(struct query *query, struct bide__run *run)
{
    const struct bide__driver *driver = run->connection->driver;
    struct bide__db_cell cell;
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
    prepare(&query, form_of(on, text, NULL, BIDE__SHAPE_ANY, count), binds, count);
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
    struct bide__trouble *trouble = &query->work.trouble;
    if (query->rows.count == 1 && (how == BIDE__ONE || how == BIDE__MAYBE))
        return bide__trouble(trouble, BIDE_QUERY, "the query gives more than one %s", model->name);
    int code = one_more(query);
    if (code == 0 && query->rows.count == 0) /* its columns may have changed when it began */
        code = bide__columns_of(run, model, &query->columns, trouble);
    if (code < 0)
        return code;
    void *row = (char *)query->rows.items + query->rows.count * model->size;
    code = bide__row_read(run, model, &query->columns, query->work.arena, row, trouble);
    if (code < 0)
        return code;
    query->rows.count++;
    return how == BIDE__FIRST; /* 1: enough */
}

static int count_row(struct query *query, struct bide__run *run)
{
    struct bide__db_cell cell;
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
    int code = run_statement(query, connection, &query->form->counting, binds, own);
    query->row = model_row;
    query->want = want;
    if (code == 0)
        code = run_statement(query, connection, &query->form->whole, binds, own + 2);
    return code;
}

static void raise_if(int code, const struct bide__trouble *trouble)
{
    if (code < 0)
        bide__db_raise(code, trouble, NULL);
}

static int check_page(const struct bide__want *want, struct bide__trouble *trouble)
{
    if (want->how != BIDE__PAGE || (want->page >= 1 && want->page <= INT32_MAX && want->size >= 1 &&
                                    want->size <= BIDE_CAP_DB_PAGE_ROWS))
        return 0;
    return bide__trouble(trouble, BIDE_INVALID, "there is no page %lld of %lld rows",
                         (long long)want->page, (long long)want->size);
}

void bide__want_check(struct bide__want want, const char *text)
{
    struct bide__trouble trouble;
    raise_if(bide__query_check(&want, text, &trouble), &trouble);
    raise_if(check_page(&want, &trouble), &trouble);
}

bide_async(bide__rows) bide__form_rows(struct bide__on on, struct bide__want want,
                                       const struct bide__form *form, const bide_bind *binds,
                                       size_t count)
{
    struct query query;
    prepare(&query, form, binds, count);
    raise_if(check_page(&want, &query.work.trouble), &query.work.trouble);
    query.want = want;
    query.row = model_row;
    if (want.how == BIDE__PAGE) {
        query.work.run = run_page;
        query.work.many = query.work.reads = true;
    }
    bide__perform(on, &query.work);
    if (want.how == BIDE__ONE && query.rows.count == 0)
        raise_none();
    return bide_ready(bide__rows, query.rows);
}

bide_async(bide__rows) bide__db_rows(struct bide__on on, struct bide__want want, const char *text,
                                     const bide_bind *binds, size_t count)
{
    const struct bide__form *form = form_of(on, text, want.model, bide__shape_of(want.how), count);
    return bide__form_rows(on, want, form, binds, count);
}
