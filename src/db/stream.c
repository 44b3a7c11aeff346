/*
 * bide_stream: the rows of a query one after the other, some at a time in memory. Called by users
 * through db_macros.h; calls tx.c, perform.c, connection.c.
 *
 *     on an engine: a transaction of its own that reads, so that all rows are of one state
 *     the driver gives rows while it finds them: one run, stepped on a lane, BIDE_CAP_DB_FETCH_ROWS
 *     at a time; a driver that gives them all at once (`cursors`): declare, fetch ..., close
 *
 * Invariants
 *  1. The rows of a batch are in an arena of their own, freed before the next one.
 *  2. However the block is left, the run is finished, or the cursor closed, and the transaction of
 *     its own ended.
 */
#include "db/db.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct bide__streaming {
    struct bide__work work;
    struct bide__stream *stream;
    struct bide__run run;
    struct bide__columns columns;
    bide_buf text;  /* the query, or the declaration of its cursor */
    char fetch[64]; /* "" without a cursor */
    bool counted;   /* in its transaction's `streams` */
    char *rows;     /* of the batch */
    size_t count, next;
    bool ended;
};

static int read_rows(struct bide__streaming *s, struct bide__run *run)
{
    const bide_model *model = s->stream->model;
    struct bide__trouble *trouble = &s->work.trouble;
    int got = 0, code = 0;
    s->rows = bide_arena_alloc_zero(s->work.arena, BIDE_CAP_DB_FETCH_ROWS, model->size);
    if (!s->rows)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for rows");
    while (code == 0 && s->count < BIDE_CAP_DB_FETCH_ROWS && (got = bide__step(run, trouble)) > 0)
        code = bide__row_read(run, model, &s->columns, s->work.arena,
                              s->rows + s->count++ * model->size, trouble);
    s->ended = code == 0 && got == 0 && s->count < BIDE_CAP_DB_FETCH_ROWS;
    return code < 0 ? code : got < 0 ? got : 0;
}

static int start(struct bide__streaming *s, struct bide__connection *connection,
                 struct bide__run *run, const char *text, size_t length, const bide_bind *binds,
                 size_t count)
{
    struct bide__statement *statement;
    int code = bide__statement_of(connection, text, length, &statement, &s->work.trouble);
    return code < 0 ? code
                    : bide__start(run, connection, statement, binds, count, &s->work.trouble);
}

/* The next batch of a run that goes on. */
static int step_on(struct bide__work *work, struct bide__connection *connection)
{
    struct bide__streaming *s = bide__container_of(work, struct bide__streaming, work);
    const struct bide__stream *stream = s->stream;
    int code = 0;
    s->count = 0;
    if (!s->run.statement) {
        code = start(s, connection, &s->run, bide_buf_str(&s->text), bide_buf_length(&s->text),
                     stream->binds + 1, stream->bind_count - 1);
        if (code == 0 && !s->run.statement->reads)
            code = bide__trouble(&work->trouble, BIDE_QUERY, "bide_stream: the query changes rows");
        if (code == 0)
            code = bide__columns_of(&s->run, stream->model, &s->columns, &work->trouble);
    }
    return code < 0 ? code : read_rows(s, &s->run);
}

/* The next batch of a cursor, which the first one declares. */
static int fetch(struct bide__work *work, struct bide__connection *connection)
{
    struct bide__streaming *s = bide__container_of(work, struct bide__streaming, work);
    const struct bide__stream *stream = s->stream;
    struct bide__run run = {.statement = NULL};
    int code = 0;
    s->count = 0;
    if (!s->fetch[0]) {
        /* Streams of a transaction end in the reverse order: few names, few texts to keep. */
        unsigned number = bide__tx_outermost(stream->on.tx)->streams++;
        s->counted = true;
        bide_buf whole;
        bide_buf_init(&whole, BIDE_CAP_DB_STATEMENT_BYTES);
        bide_buf_printf(&whole, "declare bide_stream_%u no scroll cursor for %s", number,
                        bide_buf_str(&s->text));
        code = bide_buf_error(&whole)
                   ? bide__text_trouble(&whole, &work->trouble)
                   : start(s, connection, &run, bide_buf_str(&whole), bide_buf_length(&whole),
                           stream->binds + 1, stream->bind_count - 1);
        if (code == 0)
            code = bide__step(&run, &work->trouble);
        bide__finish(&run);
        bide_buf_done(&whole);
        if (code < 0)
            return code;
        snprintf(s->fetch, sizeof s->fetch, "fetch %d from bide_stream_%u", BIDE_CAP_DB_FETCH_ROWS,
                 number);
        run = (struct bide__run){.statement = NULL};
    }
    code = start(s, connection, &run, s->fetch, strlen(s->fetch), NULL, 0);
    if (code == 0)
        code = bide__columns_of(&run, stream->model, &s->columns, &work->trouble);
    if (code == 0)
        code = read_rows(s, &run);
    bide__finish(&run);
    return code;
}

static void open_stream(struct bide__stream *stream)
{
    struct bide__trouble trouble = {0};
    struct bide__want want = {.model = stream->model, .how = BIDE__ALL};
    bide__want_check(want, stream->text);
    struct bide__streaming *s = bide__calloc(1, sizeof *s);
    if (!s)
        bide__trouble(&trouble, BIDE_NO_MEMORY, "out of memory for a stream");
    if (trouble.code)
        bide__db_raise(-1, &trouble, NULL);
    stream->streaming = s;
    s->stream = stream;
    bide_buf_init(&s->text, BIDE_CAP_DB_STATEMENT_BYTES);
    bide__put_query(&s->text, stream->model, stream->text);
    if (bide_buf_error(&s->text)) {
        bide__text_trouble(&s->text, &trouble);
        bide__db_raise(-EBADMSG, &trouble, NULL);
    }
    if (!stream->on.tx)
        stream->on.tx = bide__tx_enter(&stream->own, stream->on, false, stream->site);
}

static void free_batch(struct bide__streaming *s)
{
    bide_arena_free(s->work.arena);
    s->work.arena = NULL;
}

/* The next batch, on the connection of the transaction. Raises. */
static void next_batch(struct bide__streaming *s)
{
    struct bide_tx *tx = s->stream->on.tx;
    int code;
    free_batch(s);
    if (tx->queued)
        bide__queue_flush(tx);
    struct bide__connection *connection = bide__tx_connection(tx);
    s->work.arena = bide_task_arena();
    s->work.trouble = (struct bide__trouble){0};
    if (connection->driver->cursors) {
        s->work.run = fetch;
        s->work.arena = bide_arena_new(s->work.arena, BIDE_CAP_TASK_ARENA_BYTES);
        code = s->work.arena ? s->work.run(&s->work, connection)
                             : bide__trouble(&s->work.trouble, BIDE_NO_MEMORY, "out of memory");
    } else {
        s->work.run = step_on;
        code = bide__read_slowly(&s->work, connection);
    }
    bide__tx_after(tx);
    if (code < 0)
        bide__db_raise(code, &s->work.trouble, NULL);
}

bide_async(bide__cell_ptr) bide__stream_next(struct bide__stream *stream)
{
    if (!stream->streaming)
        open_stream(stream);
    struct bide__streaming *s = stream->streaming;
    if (s->next == s->count && !s->ended) {
        s->next = 0;
        next_batch(s);
    }
    if (s->next == s->count)
        return bide_ready(bide__cell_ptr, NULL);
    return bide_ready(bide__cell_ptr, s->rows + s->next++ * stream->model->size);
}

static void close_stream(void *arg)
{
    struct bide__stream *stream = arg;
    struct bide__streaming *s = stream->streaming;
    struct bide_tx *tx = stream->on.tx;
    struct bide__trouble trouble;
    /* A transaction of its own ends, and its cursor with it. */
    if (s->fetch[0] && !stream->own.db && tx->state == BIDE__TX_OPEN) {
        char text[64];
        snprintf(text, sizeof text, "close %s", strstr(s->fetch, "bide_stream_"));
        bide__command(tx->connection, text, &trouble);
    }
    if (s->counted)
        bide__tx_outermost(tx)->streams--;
    bide__finish(&s->run);
    free_batch(s);
    bide_buf_done(&s->text);
    bide__free(s);
    stream->streaming = NULL;
}

void bide__stream_leave(struct bide__stream *stream)
{
    if (!stream->streaming)
        return;
    bide__db_check_process(stream->on.db);
    bide__cleanup(stream->was, stream->site, close_stream, stream);
    bide__tx_leave(&stream->own);
}
