/*
 * Many rows of a model into a server: a parameter of the statement is a column of them.
 *
 *   insert into "t" ("a","b") select "a","b" from unnest($1::int8[],$2::text[])
 *       with ordinality as x("a","b","#") order by "#" returning "id"
 *
 * Called by write.c; calls connection.c and the driver.
 *
 * Invariants
 *  1. A statement has rows that give the same fields. The types of its arrays are those that the
 *     statement for one row has; where one has no array here, such rows go value by value.
 *  2. Rows are numbered by the database in the order of the structs, since it sorts before it makes
 *     defaults (PostgreSQL 9.6, release notes). That RETURNING gives them in the order in which
 *     they were made is what every PostgreSQL does, and no manual promises.
 *  3. While a statement is under way the next one is sent. What fails first is what is told.
 *  4. In a transaction a statement stands behind a savepoint, so that the row that breaks a rule
 *     can be looked for; the transaction has failed afterwards all the same. A single statement for
 *     all rows needs no transaction.
 */
#include "db/write.h"

#include <errno.h>
#include <string.h>

struct sending {
    struct bide__writing *writing;
    struct bide__connection *connection;
    bool arrays;              /* the text takes columns of many rows ... */
    unsigned char column[64]; /* ... of these fields */
    uint64_t long_columns;    /* those that have texts or bytes */
    size_t first;             /* of the rows that are sent */
};

/* A statement of some rows whose reply is read later. */
struct sent {
    struct bide__run run;
    struct bide__run release; /* of its savepoint, if it has one */
    size_t first, rows;
    uint64_t read;
};

static void put_arrays(struct bide__writing *writing, const bide_buf *arrays)
{
    const bide_model *model = writing->what.model;
    bide_buf *buf = writing->text;
    bide_buf_reset(buf);
    bide_buf_printf(buf, "insert into \"%s\" (", model->table);
    bide__put_fields(buf, model, writing->given);
    bide_buf_append_str(buf, ") select ");
    bide__put_fields(buf, model, writing->given);
    bide_buf_printf(buf, " from unnest(%s) with ordinality as x(", bide_buf_str(arrays));
    bide__put_fields(buf, model, writing->given);
    bide_buf_append_str(buf, ",\"#\") order by \"#\"");
    bide__put_returning(writing);
}

static bool has_bytes(enum bide_kind kind)
{
    return kind == BIDE_KIND_STR || kind == BIDE_KIND_SECRET || kind == BIDE_KIND_HASH ||
           kind == BIDE_KIND_JSON || kind == BIDE_KIND_BYTES;
}

/* Whether rows of these fields go as arrays; then the text is their statement. */
static int look_at_arrays(struct sending *sending)
{
    struct bide__writing *writing = sending->writing;
    bide_buf arrays __attribute__((cleanup(bide_buf_done)));
    struct bide__statement *one;
    int fields = 0;
    sending->long_columns = 0;
    bide_buf_init(&arrays, BIDE_CAP_DB_STATEMENT_BYTES);
    for (size_t i = 0; i < writing->what.model->field_count; i++) {
        if (!(writing->given & bide__bit(i)))
            continue;
        if (has_bytes(writing->what.model->fields[i].kind))
            sending->long_columns |= bide__bit((size_t)fields);
        sending->column[fields++] = (unsigned char)i;
    }
    bide_buf_reset(writing->text);
    bide__put_insert(writing, 1);
    writing->text_rows = 1;
    int code = bide__statement_of(sending->connection, bide_buf_str(writing->text),
                                  bide_buf_length(writing->text), &one, &writing->work.trouble);
    if (code < 0)
        return code;
    sending->arrays = fields > 0;
    for (int i = 0; i < fields; i++) {
        bide_buf_append(&arrays, ",", i > 0);
        if (!sending->connection->driver->put_array(&arrays, one, i))
            sending->arrays = false;
    }
    if (!sending->arrays)
        return 0;
    put_arrays(writing, &arrays);
    const bide_buf *broken = bide_buf_error(&arrays) ? &arrays : writing->text;
    return bide_buf_error(broken) ? bide__text_trouble(broken, &writing->work.trouble) : 0;
}

static bide_bind bind_at(const void *arg, size_t row, int parameter)
{
    const struct sending *sending = arg;
    const bide_model *model = sending->writing->what.model;
    return bide__bind_field(model, &model->fields[sending->column[parameter]],
                            bide__row_at(sending->writing, sending->first + row));
}

/* How many rows, `most` at most, the next statement takes. */
static int rows_alike(struct sending *sending, size_t most, size_t *ret_rows)
{
    struct bide__writing *writing = sending->writing;
    size_t rows = 0, bytes = 0;
    for (; rows < most && rows < BIDE_CAP_DB_ARRAY_ROWS; rows++) {
        uint64_t given, read;
        void *row = bide__row_at(writing, sending->first + rows);
        int code =
            bide__sort_fields(writing->what.model, row, &given, &read, &writing->work.trouble);
        if (code < 0)
            return code;
        if (given != writing->given || read != writing->read)
            break;
        for (uint64_t left = sending->long_columns; left; left &= left - 1)
            bytes += bind_at(sending, rows, __builtin_ctzll(left)).size;
        if (rows > 0 && bytes > BIDE_CAP_DB_ARRAY_BYTES)
            break;
    }
    *ret_rows = rows;
    return 0;
}

static int send_command(struct sending *sending, const char *text, struct bide__run *run)
{
    struct bide__trouble *trouble = &sending->writing->work.trouble;
    struct bide__statement *statement;
    int code = bide__statement_of(sending->connection, text, strlen(text), &statement, trouble);
    return code < 0 ? code : bide__start(run, sending->connection, statement, NULL, 0, trouble);
}

static int send_rows(struct sending *sending, size_t rows, struct sent *one)
{
    struct bide__writing *writing = sending->writing;
    struct bide__bound_rows bound = {rows, bind_at, sending};
    struct bide__statement *statement;
    int code =
        bide__statement_of(sending->connection, bide_buf_str(writing->text),
                           bide_buf_length(writing->text), &statement, &writing->work.trouble);
    one->first = sending->first;
    one->rows = rows;
    one->read = writing->read;
    return code < 0 ? code
                    : bide__start_rows(&one->run, sending->connection, statement, &bound,
                                       &writing->work.trouble);
}

/* Behind a savepoint, whose own reply says nothing that the statement's does not. */
static int send_guarded(struct sending *sending, size_t rows, struct sent *one)
{
    struct bide__run savepoint = {.statement = NULL};
    int code = send_command(sending, "savepoint bide_rows", &savepoint);
    bide__finish(&savepoint);
    if (code == 0)
        code = send_rows(sending, rows, one);
    if (code == 0)
        code = send_command(sending, "release bide_rows", &one->release);
    return code;
}

/* The next rows. What does not go as arrays is done when it returns. */
static int send_next(struct sending *sending, struct sent *one)
{
    struct bide__writing *writing = sending->writing;
    size_t left = writing->what.count - sending->first, rows = 0;
    uint64_t given, read;
    int code = bide__sort_fields(writing->what.model, bide__row_at(writing, sending->first), &given,
                                 &read, &writing->work.trouble);
    *one = (struct sent){.rows = 0};
    if (code == 0 && (sending->first == 0 || given != writing->given || read != writing->read)) {
        writing->given = given;
        writing->read = read;
        code = look_at_arrays(sending);
    }
    if (code == 0 && !sending->arrays)
        return bide__insert_alike(writing, sending->connection, sending->first, &one->rows);
    if (code == 0)
        code = rows_alike(sending, left, &rows);
    if (code < 0)
        return code;
    if (writing->work.own_tx && rows == writing->what.count) {
        sending->connection->driver->unbegin(sending->connection);
        return send_rows(sending, rows, one);
    }
    return rows > 1 ? send_guarded(sending, rows, one) : send_rows(sending, rows, one);
}

static int command(struct sending *sending, const char *text)
{
    return bide__command(sending->connection, text, &sending->writing->work.trouble);
}

/* Some of the rows, to see whether they break the rule; what the database makes is not wanted. */
static int try_rows(struct sending *sending, size_t first, size_t rows)
{
    struct sent one = {.rows = 0};
    sending->first = first;
    int code = send_rows(sending, rows, &one);
    if (code == 0)
        code = bide__read_back(sending->writing, &one.run, 0, first, rows);
    bide__finish(&one.run);
    return code;
}

/* Which row of a statement it was, by halves. Its own statement fails last: the transaction has
   failed then. */
static int find_row(struct sending *sending, struct sent *one)
{
    struct bide__writing *writing = sending->writing;
    struct bide__trouble before = writing->work.trouble;
    size_t first = one->first, left = one->rows;
    bool failed = one->release.statement;
    int code = 0;
    bide__finish(&one->release);
    if (!failed) /* it was a transaction by itself */
        code = sending->connection->driver->begin(sending->connection, true, BIDE_ISOLATION_DEFAULT,
                                                  &writing->work.trouble);
    while (code == 0 && left > 0) {
        size_t half = (left + 1) / 2;
        code = command(sending, failed ? "rollback to bide_rows" : "savepoint bide_rows");
        if (code < 0)
            break;
        code = try_rows(sending, first, half);
        failed = code < 0;
        if (failed && !bide__broke_rule(writing))
            return code;
        if (failed && half == 1)
            return bide__name_rows(writing, first, first, code);
        if (!failed)
            first += half;
        left = failed ? half : left - half;
        code = 0;
    }
    if (code == 0) /* another transaction has ended meanwhile: none breaks it any more */
        bide__roll_back(sending->connection);
    writing->work.trouble = before;
    return bide__name_rows(writing, one->first, one->first + one->rows - 1, -EBADMSG);
}

static int take_reply(struct sending *sending, struct sent *one)
{
    struct bide__writing *writing = sending->writing;
    int code = 0;
    if (one->run.statement)
        code = bide__read_back(writing, &one->run, one->read, one->first, one->rows);
    bide__finish(&one->run);
    if (code < 0 && bide__broke_rule(writing))
        code = one->rows > 1 ? find_row(sending, one)
                             : bide__name_rows(writing, one->first, one->first, code);
    if (code == 0 && one->release.statement)
        code = bide__step(&one->release, &writing->work.trouble);
    bide__finish(&one->release);
    return code;
}

/* Ends the statement before one that could not be sent: what it says is why. */
static int end_earlier(struct sending *sending, struct sent *earlier, int code)
{
    struct bide__trouble *trouble = &sending->writing->work.trouble, later = *trouble;
    int result = code == -ECANCELED ? 0 : take_reply(sending, earlier);
    bide__finish(&earlier->run);
    bide__finish(&earlier->release);
    if (result < 0)
        return result;
    *trouble = later;
    return code;
}

int bide__insert_arrays(struct bide__writing *writing, struct bide__connection *connection)
{
    struct sending sending = {.writing = writing, .connection = connection};
    struct sent sent[2] = {{.rows = 0}, {.rows = 0}};
    struct sent *next = &sent[0], *last = &sent[1];
    size_t row = 0;
    int code = 0;
    while (row < writing->what.count && code == 0) {
        struct sent *free = last;
        sending.first = row;
        code = send_next(&sending, next);
        code = code < 0 ? end_earlier(&sending, last, code) : take_reply(&sending, last);
        row += next->rows;
        last = next;
        next = free;
    }
    if (code == 0)
        code = take_reply(&sending, last);
    bide__finish(&last->run);
    bide__finish(&last->release);
    return code;
}
