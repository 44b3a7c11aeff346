/*
 * Migrations on a database: which one is next, one transaction for each, who waits for whom. Called
 * by users (bide/migrate.h), command.c and check.c; calls migration_files.c, tx.c, connection.c.
 *
 * A step is one transaction: it takes the lock, reads what was applied, looks what is next, runs it
 * and writes its row. So processes that come at the same time need no more than that lock: the
 * second one finds another step to do, or none.
 */
#include "db/migrate.h"

#include "base/mem.h"
#include "db/split.h"

#include <bide/log.h>
#include <bide/offload.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the folder ---- */

struct load {
    const char *folder;
    bide_arena *arena;
    struct bide__migrations *set;
    struct bide__trouble trouble;
    int code;
};

static void load_now(void *arg)
{
    struct load *load = arg;
    load->code = bide__migrations_read(load->folder, load->arena, load->set, &load->trouble);
}

bide_async(void) bide__migrations_load(const char *folder, bide_arena *arena,
                                       struct bide__migrations *ret_migrations)
{
    struct load load = {.folder = folder, .arena = arena, .set = ret_migrations};
    bide__offload(BIDE_BLOCKING, bide__current->at, "migrations", load_now, &load);
    if (load.code < 0)
        bide__db_raise(load.code, &load.trouble, NULL);
    return bide_void;
}

/* ---- what was applied ---- */

static const char make_table[] =
    "create table if not exists bide_migrations (number bigint primary key, file text not null, "
    "checksum text not null, applied_at bigint not null)";

static int read_applied(struct bide__run *run, bide_arena *arena, struct bide__history *history,
                        size_t *room, struct bide__trouble *trouble)
{
    const struct bide__driver *driver = run->connection->driver;
    struct bide__db_cell cells[4];
    if (history->count == *room) {
        size_t more = *room ? 2 * *room : 64;
        struct bide__applied *all = bide_arena_alloc_zero(arena, more, sizeof *all);
        if (!all)
            return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for migrations");
        if (history->count)
            memcpy(all, history->all, history->count * sizeof *all);
        history->all = all;
        *room = more;
    }
    struct bide__applied *one = &history->all[history->count++];
    const char **const texts[] = {&one->file, &one->checksum};
    for (int i = 0; i < 4; i++) {
        driver->cell(run, i, &cells[i]);
        if (cells[i].kind != (i == 1 || i == 2 ? BIDE__CELL_TEXT : BIDE__CELL_INT))
            return bide__trouble(trouble, BIDE_SCHEMA, "the table bide_migrations is another one");
        if (i != 1 && i != 2)
            continue;
        *texts[i - 1] = bide_arena_strndup(arena, cells[i].data, cells[i].size);
        if (!*texts[i - 1])
            return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for migrations");
    }
    one->number = cells[0].integer;
    one->at_us = cells[3].integer;
    return 0;
}

static int read_history(struct bide__connection *connection, bide_arena *arena,
                        struct bide__history *history, struct bide__trouble *trouble)
{
    static const char text[] =
        "select number, file, checksum, applied_at from bide_migrations order by number";
    struct bide__run run = {.statement = NULL};
    struct bide__statement *statement;
    size_t room = 0;
    *history = (struct bide__history){NULL, 0};
    int code = bide__command(connection, make_table, trouble);
    if (code == 0)
        code = bide__statement_of(connection, text, sizeof text - 1, &statement, trouble);
    if (code == 0)
        code = bide__start(&run, connection, statement, NULL, 0, trouble);
    while (code >= 0 && (code = bide__step(&run, trouble)) > 0)
        code = read_applied(&run, arena, history, &room, trouble);
    bide__finish(&run);
    return code;
}

static int take_lock(struct bide__connection *connection, struct bide__trouble *trouble)
{
    const char *lock = connection->driver->schema_lock;
    return lock ? bide__command(connection, lock, trouble) : 0;
}

bide_async(void) bide__history_load(bide_db *db, bide_arena *arena,
                                    struct bide__history *ret_history)
{
    struct bide__trouble trouble = {0};
    bide_with_tx(tx, db)
    {
        struct bide__connection *connection = bide__tx_connection(tx);
        int code = take_lock(connection, &trouble);
        if (code == 0)
            code = read_history(connection, arena, ret_history, &trouble);
        if (code < 0)
            bide__db_raise(code, &trouble, NULL);
        bide_await(bide_tx_rollback(tx));
    }
    return bide_void;
}

/* ---- what is next ---- */

static const struct bide__migration *file_of(const struct bide__migrations *set, int64_t number)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->all[i].number == number)
            return &set->all[i];
    return NULL;
}

static const struct bide__applied *row_of(const struct bide__history *history, int64_t number)
{
    for (size_t i = 0; i < history->count; i++)
        if (history->all[i].number == number)
            return &history->all[i];
    return NULL;
}

static int check_applied(const struct bide__migrations *set, const struct bide__applied *row,
                         struct bide__trouble *trouble)
{
    const struct bide__migration *file = file_of(set, row->number);
    if (!file)
        return bide__trouble(trouble, BIDE_SCHEMA,
                             "%.*s was applied and is not in the folder '%.60s'",
                             BIDE_CAP_DB_MIGRATION_NAME, row->file, set->folder);
    if (strcmp(file->file, row->file) != 0)
        return bide__trouble(trouble, BIDE_SCHEMA, "%s was applied as %.*s", file->file,
                             BIDE_CAP_DB_MIGRATION_NAME, row->file);
    if (strcmp(file->checksum, row->checksum) != 0)
        return bide__trouble(
            trouble, BIDE_SCHEMA,
            "%s has changed since it was applied: what is new goes into a new file", file->file);
    return 0;
}

int bide__history_check(const struct bide__migrations *set, const struct bide__history *history,
                        struct bide__trouble *trouble)
{
    const struct bide__applied *last = history->count ? &history->all[history->count - 1] : NULL;
    for (size_t i = 0; i < history->count; i++) {
        int code = check_applied(set, &history->all[i], trouble);
        if (code < 0)
            return code;
    }
    for (size_t i = 0; last && i < set->count && set->all[i].number < last->number; i++)
        if (!row_of(history, set->all[i].number))
            return bide__trouble(trouble, BIDE_SCHEMA,
                                 "%s comes too late: %.*s was applied already; give it a number "
                                 "above",
                                 set->all[i].file, BIDE_CAP_DB_MIGRATION_NAME, last->file);
    return 0;
}

const struct bide__migration *bide__migration_next(const struct bide__migrations *set,
                                                   const struct bide__history *history, int64_t to,
                                                   bool *ret_down)
{
    const struct bide__applied *last = history->count ? &history->all[history->count - 1] : NULL;
    *ret_down = last && last->number > to;
    if (*ret_down)
        return file_of(set, last->number);
    for (size_t i = 0; i < set->count && set->all[i].number <= to; i++)
        if (!row_of(history, set->all[i].number))
            return &set->all[i];
    return NULL;
}

/* ---- running one ---- */

/* "0002_x.sql:7: " in front of what is wrong. */
static int name_place(const struct bide__migration *migration, int line,
                      struct bide__trouble *trouble)
{
    char message[sizeof trouble->message];
    memcpy(message, trouble->message, sizeof message);
    int length =
        snprintf(trouble->message, sizeof trouble->message, "%s:%d: ", migration->file, line);
    size_t room = sizeof trouble->message - (size_t)length;
    size_t more = strnlen(message, room - 1);
    memcpy(trouble->message + length, message, more);
    trouble->message[(size_t)length + more] = 0;
    return -EBADMSG;
}

static bool is_control(const struct bide__sql_statement *statement)
{
    static const char *const words[] = {"begin", "commit",    "end",     "rollback",
                                        "start", "savepoint", "release", "abort"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (bide__sql_begins(statement, words[i]))
            return true;
    return false;
}

static int lines_before(const char *text, int position)
{
    int lines = 0;
    for (int i = 0; i < position - 1 && text[i]; i++)
        lines += text[i] == '\n';
    return lines;
}

/* A statement of a file; the text of a part is not cut, so it is copied. */
static int run_statement(struct bide__connection *connection,
                         const struct bide__sql_statement *statement, struct bide__trouble *trouble)
{
    char *text = bide__alloc(statement->length + 1);
    if (!text)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement");
    memcpy(text, statement->text, statement->length);
    text[statement->length] = 0;
    int code = bide__command_once(connection, text, statement->length, trouble);
    bide__free(text);
    return code;
}

int bide__migration_run(struct bide__connection *connection,
                        const struct bide__migration *migration,
                        const struct bide__migration_part *part, struct bide__trouble *trouble)
{
    struct bide__sql sql = {part->text, part->text + part->length, part->line};
    struct bide__sql_statement one;
    bool held = connection->driver->state(connection) == BIDE__STATE_OPEN;
    while (bide__sql_next(&sql, &one) > 0) {
        trouble->position = 0;
        int code = 0;
        if (held && is_control(&one))
            code = bide__trouble(trouble, BIDE_QUERY,
                                 "the file runs in a transaction of its own: write "
                                 "transaction:false to have none");
        else
            code = run_statement(connection, &one, trouble);
        if (code == 0 && held && connection->driver->state(connection) != BIDE__STATE_OPEN)
            code = bide__trouble(trouble, BIDE_QUERY, "the statement has ended the transaction");
        if (code == -ECANCELED)
            return code;
        if (code < 0)
            return name_place(migration, one.line + lines_before(one.text, trouble->position),
                              trouble);
    }
    return 0;
}

static int write_row(struct bide__connection *connection, const char *text, const bide_bind *binds,
                     size_t count, struct bide__trouble *trouble)
{
    struct bide__run run = {.statement = NULL};
    struct bide__statement *statement;
    int code = bide__statement_of(connection, text, strlen(text), &statement, trouble);
    if (code == 0)
        code = bide__start(&run, connection, statement, binds, count, trouble);
    if (code == 0)
        code = bide__step(&run, trouble);
    bide__finish(&run);
    return code;
}

/* at_us 0: begun. */
static int note_applied(struct bide__connection *connection,
                        const struct bide__migration *migration, int64_t at_us,
                        struct bide__trouble *trouble)
{
    const bide_bind binds[] = {bide__bind_int(migration->number), bide__bind_text(migration->file),
                               bide__bind_text(migration->checksum), bide__bind_int(at_us)};
    return write_row(connection,
                     "insert into bide_migrations (number, file, checksum, applied_at) values "
                     "($1,$2,$3,$4) on conflict (number) do update set "
                     "applied_at = excluded.applied_at",
                     binds, 4, trouble);
}

static int note_gone(struct bide__connection *connection, const struct bide__migration *migration,
                     struct bide__trouble *trouble)
{
    const bide_bind binds[] = {bide__bind_int(migration->number)};
    return write_row(connection, "delete from bide_migrations where number = $1", binds, 1,
                     trouble);
}

/* A part that has no transaction: its row says first that it is unfinished; then it runs between
   two transactions, on the connection that only this task has. */
static int run_bare(bide_db *db, struct bide__connection *connection,
                    const struct bide__migration *migration,
                    const struct bide__migration_part *part, struct bide__trouble *trouble)
{
    int code = note_applied(connection, migration, 0, trouble);
    if (code == 0)
        code = bide__commit(db, connection, trouble);
    if (code == 0)
        code = bide__migration_run(connection, migration, part, trouble);
    if (code == 0)
        code = bide__begin(db, connection, true, BIDE_ISOLATION_DEFAULT, trouble);
    return code;
}

static int run_part(bide_db *db, struct bide__connection *connection,
                    const struct bide__migrated *todo, struct bide__trouble *trouble)
{
    const struct bide__migration *migration = todo->migration;
    const struct bide__migration_part *part = todo->down ? &migration->down : &migration->up;
    if (!part->text)
        return bide__trouble(trouble, BIDE_SCHEMA, "%s has no part `-- migrate:down`",
                             migration->file);
    int code = part->transaction ? bide__migration_run(connection, migration, part, trouble)
                                 : run_bare(db, connection, migration, part, trouble);
    if (code < 0)
        return code;
    return todo->down ? note_gone(connection, migration, trouble)
                      : note_applied(connection, migration, bide_now_us(), trouble);
}

/* What was begun without a transaction and did not end: it may run just now elsewhere. */
static const struct bide__applied *unfinished(const struct bide__history *history)
{
    for (size_t i = 0; i < history->count; i++)
        if (history->all[i].at_us == 0)
            return &history->all[i];
    return NULL;
}

enum { NOTHING_LEFT, DONE, WAIT };

static int step(bide_db *db, struct bide__connection *connection,
                const struct bide__migrations *set, int64_t to, struct bide__migrated *todo,
                struct bide__trouble *trouble)
{
    struct bide__history history;
    bide_arena arena;
    bide_arena_init(&arena, NULL, BIDE_CAP_DB_MIGRATIONS_BYTES);
    int code = take_lock(connection, trouble);
    if (code == 0)
        code = read_history(connection, &arena, &history, trouble);
    if (code == 0)
        code = bide__history_check(set, &history, trouble);
    if (code == 0) {
        const struct bide__applied *open = unfinished(&history);
        todo->migration = bide__migration_next(set, &history, to, &todo->down);
        if (open && !(todo->down && todo->migration->number == open->number)) {
            bide__trouble(trouble, BIDE_SCHEMA,
                          "%.*s was begun without a transaction and has not ended: take it back "
                          "(migrate down), or delete its row of bide_migrations",
                          BIDE_CAP_DB_MIGRATION_NAME, open->file);
            code = WAIT;
        }
    }
    if (code == 0 && todo->migration) {
        code = run_part(db, connection, todo, trouble);
        if (code < 0 && code != -ECANCELED)
            code = -EBADMSG;
        else if (code == 0)
            code = DONE;
    }
    bide_arena_done(&arena);
    return code;
}

bide_async(bool) bide__migrate_one(bide_db *db, const struct bide__migrations *set, int64_t to,
                                   struct bide__migrated *ret_done)
{
    int64_t since_ns = bide_clock_ns();
    int tries = 0, code;
    struct bide__trouble trouble = {0}, gave_up = {0};
    do {
        bide_with_tx(tx, db)
        {
            struct bide__connection *connection = bide__tx_connection(tx);
            connection->driver->set_budget(connection, 0);
            code = step(db, connection, set, to, ret_done, &trouble);
            bide__tx_after(tx);
            if (code < 0)
                bide__db_raise(code, &trouble, NULL);
        }
        if (code == WAIT) {
            int waited = bide__busy_wait(db, since_ns, &tries, &gave_up);
            if (waited == -ETIMEDOUT)
                waited = -EBADMSG;
            if (waited < 0)
                bide__db_raise(waited, &trouble, NULL);
        }
    } while (code == WAIT);
    return bide_ready(bool, code == DONE);
}

static void free_arena(bide_arena *arena)
{
    bide_arena_done(arena);
}

bide_async(int64_t) bide_migrate_to(bide_db *db, const char *folder, int64_t number)
{
    bide_arena arena __attribute__((cleanup(free_arena)));
    struct bide__migrations set;
    struct bide__migrated done;
    int64_t count = 0, since_ns = bide_clock_ns();
    bide_arena_init(&arena, NULL, BIDE_CAP_DB_MIGRATIONS_BYTES);
    bide__db_check(db);
    bide_await(bide__migrations_load(folder, &arena, &set));
    while (bide_await(bide__migrate_one(db, &set, number, &done))) {
        int64_t now_ns = bide_clock_ns();
        bide_log(BIDE_LOG_INFO, "migration %s %s (%lld ms)", done.migration->file,
                 done.down ? "taken back" : "applied", (long long)((now_ns - since_ns) / 1000000));
        since_ns = now_ns;
        count++;
    }
    return bide_ready(int64_t, count);
}

bide_async(int64_t) bide_migrate(bide_db *db, const char *folder)
{
    return bide_migrate_to(db, folder, INT64_MAX);
}
