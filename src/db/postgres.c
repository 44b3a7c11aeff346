/*
 * PostgreSQL behind driver.h: statements in libpq's pipeline mode. Each execution, with what must
 * go before it (BEGIN, its time limit, its preparation), is one group that ends with a Sync, so an
 * error of one touches no other. One task per connection reads (`serve`); when the kernel takes no
 * more, one writes. Called by connection.c, server.c; calls postgres_value.c, postgres_error.c.
 *
 * Invariants
 *  1. The slots from `first` to `end` are the groups that were sent, in order; replies belong to
 *     `first` until a Sync.
 *  2. A slot's run is in the frame of its task, from start to finish. A cancel or `finish` takes it
 *     out: the reply is then read and freed, and nobody gets it.
 *  3. A connection on which a group was sent only in part is lost.
 *
 * Source: PostgreSQL: libpq "Pipeline Mode"; protocol-flow.
 */
#include "db/postgres.h"

#if BIDE_POSTGRES
#include "base/mem.h"
#include "core/graph.h"
#include "core/scope.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* serials of the statements that a connection may have prepared */
enum { PREPARED = 4 * BIDE_CAP_DB_STATEMENTS };

/* Whether a Sync sends what is there, each by itself: libpq cannot else before version 17. */
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
enum { SYNC_SENDS = false };
#define put_sync PQsendPipelineSync
#else
enum { SYNC_SENDS = true };
#define put_sync PQpipelineSync
#endif

/* ---- replies ---- */

static struct bide__pg_slot *slot_at(const struct bide__pg *pg, uint64_t number)
{
    return &pg->slots[number & (pg->capacity - 1)];
}

/* Where the serial of a statement stands, if the server has it from this connection. */
static uint32_t *place_of(const struct bide__pg *pg, uint32_t serial)
{
    return &pg->prepared[serial % PREPARED];
}

static void take_run_out(struct bide__run *run)
{
    struct bide__pg *pg = bide__pg_of(run->connection);
    struct bide__pg_slot *slot = slot_at(pg, run->slot);
    if (!run->answered && !run->lost && run->slot >= pg->first && slot->run == run)
        slot->run = NULL;
}

/* A cancel: at once, since the reply may come before the task runs. */
static void abandon(struct bide__wait *wait, int reason)
{
    struct bide__run *run = wait->payload;
    take_run_out(run);
    run->wait = NULL;
    bide__wake(wait, reason);
}

static void wake(struct bide__run *run)
{
    struct bide__wait *wait = run->wait;
    run->wait = NULL;
    if (wait)
        bide__wake(wait, 0);
}

/* The Sync of the slot `first` has come. */
static void complete(struct bide__pg *pg)
{
    const struct bide__pg_slot *slot = slot_at(pg, pg->first++);
    struct bide__run *run = slot->run;
    PGresult *result = pg->error ? pg->error : pg->result;
    PGresult *other = pg->error ? pg->result : NULL;
    if (slot->prepares && pg->successes < slot->prepared_by &&
        *place_of(pg, slot->prepares) == slot->prepares)
        *place_of(pg, slot->prepares) = 0;
    pg->error = pg->result = NULL;
    pg->successes = 0;
    PQclear(other);
    if (!run) {
        PQclear(result);
        return;
    }
    run->result = result;
    run->answered = true;
    wake(run);
}

static void keep(struct bide__pg *pg, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        if (pg->first < pg->end)
            complete(pg);
        break;
    case PGRES_PIPELINE_ABORTED:
        PQclear(result);
        break;
    case PGRES_BAD_RESPONSE:
    case PGRES_FATAL_ERROR:
        if (pg->error)
            PQclear(result);
        else
            pg->error = result;
        break;
    default: /* of several commands the last one counts */
        PQclear(pg->result);
        pg->result = result;
        pg->successes++;
    }
}

/* Hands out the replies that are there. */
static void hand_out(struct bide__pg *pg)
{
    int ends = 0; /* one after each command's results; two when there is nothing else */
    while (!pg->lost && pg->first < pg->end && ends < 3 && !PQisBusy(pg->handle)) {
        PGresult *result = PQgetResult(pg->handle);
        ends = result ? 0 : ends + 1;
        if (result)
            keep(pg, result);
    }
    if (!pg->lost && PQstatus(pg->handle) == CONNECTION_BAD)
        bide__pg_lose(pg, PQerrorMessage(pg->handle));
    if (pg->first == pg->end)
        bide__server_drained(pg->db, &pg->base);
}

void bide__pg_lose(struct bide__pg *pg, const char *why)
{
    const char *said = pg->error ? PQresultErrorField(pg->error, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (pg->lost)
        return;
    pg->lost = true;
    bide__pg_detach(pg);
    if (!pg->closed && pg->up)
        bide__server_lost(pg->db);
    why = said ? said : why;
    snprintf(pg->why, sizeof pg->why, "%.*s", (int)strcspn(why, "\n"), why);
    PQclear(pg->error);
    PQclear(pg->result);
    pg->error = pg->result = NULL;
    while (pg->first < pg->end) {
        struct bide__run *run = slot_at(pg, pg->first++)->run;
        if (!run)
            continue;
        run->lost = true;
        wake(run);
    }
}

/* ---- reading and writing ---- */

static bool more_to_read(const struct bide__pg *pg)
{
    struct pollfd poll_fd = {.fd = pg->fd.fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) > 0;
}

/* Waits for an edge of the descriptor. */
static int wait_readable(struct bide__pg *pg)
{
    struct bide_task *me = bide__task_current();
    struct bide__wait wait = {.payload = NULL};
    bool idle = pg->first == pg->end;
    int code = 0;
    if (me->head.attention & BIDE__ATTENTION_CANCEL)
        return -ECANCELED;
    /* Nothing is owed: what comes now, if anything, is the end. */
    me->loop->outside++;
    me->loop->endless += idle;
    pg->reader_idle = idle;
    bide__fd_want_read(&pg->fd);
    code = bide__wait(me, &pg->fd.readers, &wait, &pg->object);
    me->loop->endless -= pg->reader_idle;
    me->loop->outside--;
    return code;
}

/* A task of the connection's own; without raising. */
static int spawn_user(struct bide__pg *pg, const struct bide_site *at, const char *name,
                      void (*run)(void *))
{
    struct bide__loop *loop = bide__loop_here;
    struct bide_task *task = bide__task_new(loop, at, name, run, &pg, sizeof pg);
    if (!task)
        return -ENOMEM;
    pg->users++;
    bide__group_add(loop->background, task);
    return 0;
}

static void serve(void *arg)
{
    struct bide__pg *pg = *(struct bide__pg **)arg;
    int code = 0;
    while (!pg->closed && !pg->lost) {
        if (!more_to_read(pg))
            code = wait_readable(pg);
        if (code < 0 || pg->closed)
            break;
        if (!PQconsumeInput(pg->handle)) {
            hand_out(pg); /* what came before the end */
            if (!pg->lost)
                bide__pg_lose(pg, PQerrorMessage(pg->handle));
        }
        hand_out(pg);
    }
    if (!pg->closed && code < 0) /* the program stops */
        bide__pg_lose(pg, "this program is stopping");
    if (!pg->closed)
        bide__server_drained(pg->db, &pg->base);
    bide__pg_unuse(pg);
}

int bide__pg_serve(struct bide__pg *pg)
{
    static const struct bide_site site = {__FILE__, "postgresql", "reads replies", __LINE__};
    return spawn_user(pg, &site, "postgresql reader", serve);
}

static void write_rest(void *arg)
{
    struct bide__pg *pg = *(struct bide__pg **)arg;
    int code = 0;
    while (code >= 0 && !pg->closed && !pg->lost) {
        struct bide__op op = {.kind = BIDE__OP_WRITABLE, .fd = &pg->fd};
        int left = PQflush(pg->handle);
        if (left < 0)
            bide__pg_lose(pg, PQerrorMessage(pg->handle));
        if (left <= 0)
            break;
        code = pg->fd.io->ops->perform(pg->fd.io, &op);
    }
    pg->writing = false;
    bide__pg_unuse(pg);
}

/* Sends what libpq holds. Not yet while other tasks are ready, which may have more: a task does it
   when they have had their turn, or when the kernel takes more. */
static void flush(struct bide__pg *pg)
{
    static const struct bide_site site = {__FILE__, "postgresql", "writes the rest", __LINE__};
    bool later = !SYNC_SENDS && bide__loop_here->ready_first;
    if (pg->writing || (!later && PQflush(pg->handle) == 0))
        return;
    pg->writing = spawn_user(pg, &site, "postgresql writer", write_rest) == 0;
    if (!pg->writing && (!later || PQflush(pg->handle) != 0))
        bide__pg_lose(pg, "out of memory for a task that writes");
}

/* ---- sending ---- */

static bool more_slots(struct bide__pg *pg)
{
    size_t old = pg->capacity, grown = old ? old * 2 : 64;
    if (pg->end - pg->first < old)
        return true;
    struct bide__pg_slot *slots = bide__alloc(grown * sizeof *slots);
    if (!slots)
        return false;
    for (uint64_t n = pg->first; n < pg->end; n++)
        slots[n & (grown - 1)] = *slot_at(pg, n);
    bide__free(pg->slots);
    pg->slots = slots;
    pg->capacity = grown;
    return true;
}

static int ready_to_send(struct bide__pg *pg, struct bide__trouble *trouble)
{
    if (pg->lost)
        return bide__pg_lost(pg, false, trouble);
    if (!more_slots(pg))
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement");
    return 0;
}

/* Ends a group. `sent`: all of it was taken. */
static int send_group(struct bide__pg *pg, struct bide__run *run, bool sent,
                      struct bide__trouble *trouble)
{
    struct bide__pg_slot slot = pg->next;
    pg->next = (struct bide__pg_slot){.run = NULL};
    pg->commands = 0;
    if (!sent || !put_sync(pg->handle)) {
        bide__pg_lose(pg, PQerrorMessage(pg->handle));
        return bide__pg_lost(pg, false, trouble);
    }
    struct bide_task *me = bide__task_current();
    if (pg->reader_idle) { /* now it waits for something */
        me->loop->endless--;
        pg->reader_idle = false;
    }
    slot.run = run;
    slot.since_ns = me->loop->now_ns;
    run->slot = pg->end++;
    *slot_at(pg, run->slot) = slot;
    flush(pg);
    return 0;
}

/* A command of the group without parameters. */
static bool send_plain(struct bide__pg *pg, const char *text)
{
    pg->commands++;
    return PQsendQueryParams(pg->handle, text, 0, NULL, NULL, NULL, NULL, 0);
}

static bool send_prepare(struct bide__pg *pg, const struct bide__pg_statement *statement,
                         const char *text)
{
    char drop[32];
    bool named = statement->name[0];
    uint32_t *place = place_of(pg, statement->serial);
    if (named && *place) {
        snprintf(drop, sizeof drop, "deallocate b%u", *place);
        if (!send_plain(pg, drop))
            return false;
    }
    pg->commands++;
    if (named) {
        *place = statement->serial;
        pg->next.prepares = statement->serial;
        pg->next.prepared_by = pg->commands;
    }
    return PQsendPrepare(pg->handle, statement->name, text, 0, NULL);
}

/* BEGIN goes with the first statement. */
static bool send_begin(struct bide__pg *pg)
{
    if (!pg->begins)
        return true;
    static const char *const texts[2][4] = {{"begin", "begin isolation level read committed",
                                             "begin isolation level repeatable read",
                                             "begin isolation level serializable"},
                                            {"begin isolation level repeatable read read only",
                                             "begin isolation level read committed read only",
                                             "begin isolation level repeatable read read only",
                                             "begin isolation level serializable read only"}};
    const char *text = texts[pg->reads_only][pg->isolation];
    pg->begins = false;
    pg->begun = true;
    pg->timeout_ms = pg->db->options.statement_timeout_ms;
    return send_plain(pg, text);
}

/* What the server is told for the deadline of the running task: a power of two, so that it is told
   seldom. */
static int timeout_for_deadline(const struct bide__pg *pg)
{
    struct bide_task *me = bide__task_current();
    int usual = pg->db->options.statement_timeout_ms, wanted = 64;
    int64_t deadline_ns = bide__deadline_ns(me);
    if (deadline_ns == INT64_MAX)
        return usual;
    int64_t left_ms = (deadline_ns - me->loop->now_ns) / 1000000;
    if (left_ms >= (usual ? usual : INT32_MAX / 4))
        return usual;
    while (wanted <= left_ms)
        wanted *= 2;
    return usual && wanted > usual ? usual : wanted;
}

/* libpq knows it between two statements only. */
static bool in_tx(struct bide__pg *pg)
{
    PGTransactionStatusType status = PQtransactionStatus(pg->handle);
    if (pg->first == pg->end)
        pg->begun = status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
    return pg->begins || pg->begun;
}

static bool send_timeout(struct bide__pg *pg)
{
    static const char text[] = "select set_config('statement_timeout',$1,true)";
    bool local = in_tx(pg);
    int wanted = timeout_for_deadline(pg);
    if (wanted == (local ? pg->timeout_ms : pg->db->options.statement_timeout_ms))
        return true;
    char value[16];
    const char *values[] = {value};
    snprintf(value, sizeof value, "%d", wanted);
    if (local)
        pg->timeout_ms = wanted;
    pg->commands++;
    if (pg->db->options.statement_cache == 0)
        return PQsendQueryParams(pg->handle, text, 1, NULL, values, NULL, NULL, 0);
    if (!pg->knows_timeout) {
        pg->commands++;
        pg->knows_timeout = PQsendPrepare(pg->handle, "bt", text, 0, NULL);
    }
    return PQsendQueryPrepared(pg->handle, "bt", 1, values, NULL, NULL, 0);
}

static bool send_statement(struct bide__pg *pg, const struct bide__pg_statement *statement,
                           int count, const struct bide__pg_values *values)
{
    bool kept = statement->name[0] && *place_of(pg, statement->serial) == statement->serial;
    if (!kept && !send_prepare(pg, statement, statement->base.text))
        return false;
    pg->commands++;
    return PQsendQueryPrepared(pg->handle, statement->name, count, values->values, values->lengths,
                               values->formats, statement->binary);
}

/* Sends it with the values that are encoded. */
static int send_run(struct bide__run *run, struct bide__trouble *trouble)
{
    struct bide__pg *pg = bide__pg_of(run->connection);
    const struct bide__pg_statement *statement = bide__pg_statement_of(run->statement);
    run->final = statement->commits ? !pg->reads_only : !in_tx(pg) && !run->statement->reads;
    bool sent = send_begin(pg) && (statement->control || send_timeout(pg)) &&
                send_statement(pg, statement, run->statement->parameters, &pg->values);
    int code = send_group(pg, run, sent, trouble);
    run->answered = code < 0;
    return code;
}

static int start(struct bide__run *run, const bide_bind *binds, struct bide__trouble *trouble)
{
    struct bide__pg *pg = bide__pg_of(run->connection);
    const PGresult *described = bide__pg_statement_of(run->statement)->described;
    run->row = -1;
    run->answered = true; /* until it is sent nothing is owed */
    int code = ready_to_send(pg, trouble);
    if (code == 0)
        code = bide__pg_encode(&pg->values, described, binds, run->statement->parameters, trouble);
    return code < 0 ? code : send_run(run, trouble);
}

static int start_rows(struct bide__run *run, const struct bide__bound_rows *rows,
                      struct bide__trouble *trouble)
{
    struct bide__pg *pg = bide__pg_of(run->connection);
    const PGresult *described = bide__pg_statement_of(run->statement)->described;
    run->row = -1;
    run->answered = true;
    int code = ready_to_send(pg, trouble);
    if (code == 0)
        code = bide__pg_encode_rows(&pg->values, described, rows, trouble);
    return code < 0 ? code : send_run(run, trouble);
}

/* 0 when the reply is there. */
static int wait_reply(struct bide__run *run, struct bide__trouble *trouble)
{
    struct bide__pg *pg = bide__pg_of(run->connection);
    struct bide_task *me = bide__task_current();
    if (!run->answered && !run->lost) {
        struct bide__wait wait = {.abort = abandon, .payload = run};
        int code = bide__checkpoint(me);
        if (code == 0) {
            run->wait = &wait;
            code = bide__wait(me, NULL, &wait, &pg->object);
            run->wait = NULL;
        }
        trouble->may_stay = code < 0 && run->final;
        if (code < 0)
            return code;
    }
    if (run->lost)
        return bide__pg_lost(pg, run->final, trouble);
    if (!run->result)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a reply");
    return 0;
}

static int step(struct bide__run *run, struct bide__trouble *trouble)
{
    if (++run->row > 0)
        return run->row < run->rows;
    int code = wait_reply(run, trouble);
    if (code < 0)
        return code;
    const struct bide__pg_statement *statement = bide__pg_statement_of(run->statement);
    switch (PQresultStatus(run->result)) {
    case PGRES_TUPLES_OK:
        run->rows = PQntuples(run->result);
        break;
    case PGRES_COMMAND_OK:
        if (statement->commits && strcmp(PQcmdStatus(run->result), "ROLLBACK") == 0)
            return bide__trouble(trouble, BIDE_QUERY,
                                 "the database has rolled back, because of an earlier error");
        break;
    case PGRES_EMPTY_QUERY:
        return bide__trouble(trouble, BIDE_QUERY, "the query is empty");
    case PGRES_FATAL_ERROR:
        code = bide__pg_failed(run->result, trouble);
        run->statement->stale |= code == -ESTALE;
        return code;
    default:
        return bide__trouble(trouble, BIDE_QUERY, "this statement cannot be used here: %s",
                             PQresStatus(PQresultStatus(run->result)));
    }
    run->affected = run->statement->reads && run->rows
                        ? run->rows
                        : strtoll(PQcmdTuples(run->result), NULL, 10);
    return run->rows > 0;
}

static void cell(struct bide__run *run, int column, struct bide__db_cell *ret_cell)
{
    bide__pg_decode(run->result, run->row, column, ret_cell);
}

static void finish(struct bide__run *run)
{
    take_run_out(run);
    PQclear(run->result);
    run->result = NULL;
}

/* ---- statements ---- */

static bool begins_with(const char *text, const char *word)
{
    size_t length = strlen(word);
    while (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r' || *text == '(')
        text++;
    return strncasecmp(text, word, length) == 0;
}

static bool is_in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)) != NULL; at += length)
        if ((at == text || !is_in_word(at[-1])) && !is_in_word(at[length]))
            return true;
    return false;
}

/* Whether it changes nothing, as far as one sees. What stands behind WITH may change rows. */
static bool is_read(const char *text)
{
    if (begins_with(text, "with"))
        return !has_word(text, "insert") && !has_word(text, "update") &&
               !has_word(text, "delete") && !has_word(text, "merge");
    static const char *const words[] = {"select", "values", "table", "show", "explain"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins_with(text, words[i]))
            return true;
    return false;
}

static bool is_control(const char *text)
{
    static const char *const words[] = {"commit", "rollback", "savepoint", "release"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins_with(text, words[i]))
            return true;
    return false;
}

static void learn(struct bide__pg_statement *statement, PGresult *described, const char *text)
{
    statement->described = described;
    statement->base.parameters = PQnparams(described);
    statement->base.columns = PQnfields(described);
    statement->base.reads = is_read(text);
    statement->control = is_control(text);
    statement->commits = begins_with(text, "commit");
    statement->binary = true;
    for (int i = 0; i < statement->base.columns; i++)
        if (!bide__pg_is_binary(PQftype(described, i)))
            statement->binary = false;
}

static int ask_server(struct bide__pg *pg, struct bide__pg_statement *statement, const char *text,
                      struct bide__trouble *trouble)
{
    struct bide__run run = {.connection = &pg->base};
    int code = ready_to_send(pg, trouble);
    if (code < 0)
        return code;
    bool sent =
        send_prepare(pg, statement, text) && PQsendDescribePrepared(pg->handle, statement->name);
    code = send_group(pg, &run, sent, trouble);
    if (code == 0)
        code = wait_reply(&run, trouble);
    if (code == 0 && PQresultStatus(run.result) != PGRES_COMMAND_OK)
        code = bide__pg_failed(run.result, trouble);
    if (code < 0)
        finish(&run);
    else
        learn(statement, run.result, text);
    return code;
}

/* Its types are asked for once; then all connections of the engine know it. */
static int prepare(struct bide__connection *base, const char *text, size_t length,
                   struct bide__statement **ret_statement, struct bide__trouble *trouble)
{
    struct bide__pg_statement *statement = bide__calloc(1, sizeof *statement);
    (void)length;
    if (!statement)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement");
    struct bide__pg *pg = bide__pg_of(base);
    int code = 0;
    statement->serial = bide__server_serial(pg->db);
    if (pg->db->options.statement_cache > 0)
        snprintf(statement->name, sizeof statement->name, "b%u", statement->serial);
    if (is_control(text)) /* has neither; a failed transaction could not ask */
        learn(statement, NULL, text);
    else
        code = ask_server(pg, statement, text, trouble);
    if (code < 0) {
        bide__free(statement);
        return code;
    }
    *ret_statement = &statement->base;
    return 0;
}

static void discard(struct bide__statement *base)
{
    struct bide__pg_statement *statement = bide__pg_statement_of(base);
    PQclear(statement->described);
    bide__free(statement);
}

static const char *column_name(struct bide__statement *base, int column)
{
    return PQfname(bide__pg_statement_of(base)->described, column);
}

static void describe(struct bide__connection *base, struct bide__statement *statement, int column,
                     enum bide_kind kind, struct bide__column *ret_column)
{
    (void)base;
    bide__pg_describe(PQftype(bide__pg_statement_of(statement)->described, column), kind,
                      ret_column);
}

static const char *wanted(const struct bide__statement *base, int index, enum bide__bind_kind kind)
{
    const struct bide__pg_statement *statement =
        bide__container_of(base, const struct bide__pg_statement, base);
    return bide__pg_wanted(PQparamtype(statement->described, index - 1), kind);
}

/* ---- transactions ---- */

static int begin(struct bide__connection *base, bool writes, enum bide_isolation isolation,
                 struct bide__trouble *trouble)
{
    struct bide__pg *pg = bide__pg_of(base);
    if (pg->lost)
        return bide__pg_lost(pg, false, trouble);
    pg->begins = true;
    pg->reads_only = !writes;
    pg->isolation = isolation;
    return 0;
}

static void unbegin(struct bide__connection *base)
{
    bide__pg_of(base)->begins = false;
}

static enum bide__state state(struct bide__connection *base)
{
    const struct bide__pg *pg = bide__pg_of(base);
    if (pg->lost || pg->first != pg->end)
        return BIDE__STATE_GONE;
    if (pg->begins)
        return BIDE__STATE_OPEN;
    switch (PQtransactionStatus(pg->handle)) {
    case PQTRANS_IDLE:
        return BIDE__STATE_NONE;
    case PQTRANS_INTRANS:
        return BIDE__STATE_OPEN;
    case PQTRANS_INERROR:
        return BIDE__STATE_FAILED;
    default:
        return BIDE__STATE_GONE;
    }
}

static void set_budget(struct bide__connection *base, int64_t ns)
{
    (void)base, (void)ns;
}

/* ---- what else is asked ---- */

static size_t owed(struct bide__connection *base, int64_t *ret_since_ns)
{
    const struct bide__pg *pg = bide__pg_of(base);
    if (pg->first == pg->end)
        return 0;
    *ret_since_ns = slot_at(pg, pg->first)->since_ns;
    return (size_t)(pg->end - pg->first);
}

static int check_url(const char *url, struct bide__trouble *trouble)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &error);
    if (!options)
        bide__trouble(trouble, BIDE_INVALID, "the database's URL: %.*s",
                      error ? (int)strcspn(error, "\n") : 0, error ? error : "");
    PQfreemem(error);
    PQconninfoFree(options);
    return options ? 0 : -EBADMSG;
}

const struct bide__driver bide__driver_postgres = {
    .name = "postgresql",
    .pool = &bide__pg_pool_driver,
    .many_runs = true,
    .column_type = bide__pg_column_type,
    .counted = " generated by default as identity",
    .schema_lock = "select pg_advisory_xact_lock(7091329554831)", /* any number that is ours */
    .check_url = check_url,
    .owed = owed,
    .prepare = prepare,
    .discard = discard,
    .column_name = column_name,
    .start = start,
    .start_rows = start_rows,
    .put_array = bide__pg_put_array,
    .step = step,
    .cell = cell,
    .finish = finish,
    .begin = begin,
    .unbegin = unbegin,
    .state = state,
    .set_budget = set_budget,
    .needed_columns =
        "select attname from pg_attribute where attrelid = to_regclass(quote_ident($1)) and "
        "attnum > 0 and not attisdropped and attnotnull and not atthasdef and attidentity = ''",
    .limits = "select current_setting('max_connections')::int4, "
              "current_setting('superuser_reserved_connections')::int4 + "
              "coalesce(current_setting('reserved_connections', true)::int4, 0)",
    .describe = describe,
    .wanted = wanted,
    .cursors = true,
};

#else

static int check_url(const char *url, struct bide__trouble *trouble)
{
    (void)url;
    return bide__trouble(trouble, BIDE_INVALID,
                         "postgresql: bide was built without libpq (install libpq-dev, build "
                         "again)");
}

const struct bide__driver bide__driver_postgres = {.name = "postgresql", .check_url = check_url};

#endif
