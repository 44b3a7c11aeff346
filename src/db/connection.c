/*
 * Connections and the statements that they keep prepared, the last used first. Called by engine.c,
 * perform.c, query.c, write.c, turn.c; calls the driver.
 */
#include "db/db.h"

#include "base/clock.h"
#include "base/mem.h"
#include "db/command.h"

#include <string.h>

/* A program with queries has the commands, linked from an archive too. */
__attribute__((used)) static struct bide__subcommand *const commands = &bide__command_migrate;

/* FNV-1a: texts are the program's own, so nobody chooses them to collide. */
uint64_t bide__text_hash(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void forget(const struct bide__driver *driver, struct bide__kept *kept,
                   struct bide__statement *statement)
{
    bide__list_remove(&statement->node);
    kept->count--;
    bide__free(statement->text);
    driver->discard(statement);
}

static struct bide__statement *statement_in(struct bide__list_node *node)
{
    return bide__container_of(node, struct bide__statement, node);
}

void bide__kept_init(struct bide__kept *kept, size_t limit)
{
    bide__list_init(&kept->statements);
    kept->count = 0;
    kept->limit = limit;
}

void bide__kept_clear(const struct bide__driver *driver, struct bide__kept *kept)
{
    struct bide__list_node *node;
    while ((node = bide__list_first(&kept->statements)))
        forget(driver, kept, statement_in(node));
}

/* Room for one more: the one used longest ago goes, if nobody runs it. */
static void make_room(const struct bide__driver *driver, struct bide__kept *kept)
{
    struct bide__list_node *node = bide__list_last(&kept->statements);
    while (node && kept->count >= kept->limit) {
        struct bide__list_node *previous = node->previous;
        if (statement_in(node)->runs == 0)
            forget(driver, kept, statement_in(node));
        node = previous == &kept->statements.head ? NULL : previous;
    }
}

static struct bide__statement *find(const struct bide__connection *connection, uint64_t hash,
                                    const char *text, size_t length)
{
    struct bide__kept *kept = connection->kept;
    bide__list_foreach(node, &kept->statements)
    {
        struct bide__statement *found = statement_in(node);
        if (found->hash == hash && found->length == length && !found->stale &&
            (found->runs == 0 || connection->driver->many_runs) &&
            memcmp(found->text, text, length) == 0) {
            bide__list_remove(node);
            bide__list_push_front(&kept->statements, node);
            return found;
        }
    }
    return NULL;
}

int bide__statement_of(struct bide__connection *connection, const char *text, size_t length,
                       struct bide__statement **ret_statement, struct bide__trouble *trouble)
{
    struct bide__text hashed = {text, length, bide__text_hash(text, length)};
    return bide__statement_of_text(connection, &hashed, ret_statement, trouble);
}

int bide__statement_of_text(struct bide__connection *connection, const struct bide__text *wanted,
                            struct bide__statement **ret_statement, struct bide__trouble *trouble)
{
    const char *text = wanted->data;
    size_t length = wanted->length;
    uint64_t hash = wanted->hash;
    const struct bide__driver *driver = connection->driver;
    struct bide__statement *statement = find(connection, hash, text, length);
    *ret_statement = statement;
    if (statement)
        return 0;
    int code = driver->prepare(connection, text, length, &statement, trouble);
    if (code < 0)
        return code;
    /* Preparing may suspend: another task may have had the same statement. */
    *ret_statement = find(connection, hash, text, length);
    if (*ret_statement) {
        driver->discard(statement);
        return 0;
    }
    statement->text = bide__alloc(length + 1);
    if (!statement->text) {
        driver->discard(statement);
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement");
    }
    memcpy(statement->text, text, length);
    statement->text[length] = 0;
    statement->length = length;
    statement->hash = hash;
    make_room(driver, connection->kept);
    bide__list_push_front(&connection->kept->statements, &statement->node);
    connection->kept->count++;
    *ret_statement = statement;
    return 0;
}

static void begin_run(struct bide__run *run, struct bide__connection *connection,
                      struct bide__statement *statement, const bide_bind *binds, size_t count)
{
    *run = (struct bide__run){.connection = connection, .statement = statement};
    statement->runs++;
    if (bide__unlikely(connection->echo))
        run->echo = (struct bide__echoed){binds, count, bide__clock_monotonic_ns(), 0, false};
}

int bide__start_rows(struct bide__run *run, struct bide__connection *connection,
                     struct bide__statement *statement, const struct bide__bound_rows *rows,
                     struct bide__trouble *trouble)
{
    begin_run(run, connection, statement, NULL, rows->count);
    int code = connection->driver->start_rows(run, rows, trouble);
    run->echo.failed = code < 0;
    return code;
}

int bide__start(struct bide__run *run, struct bide__connection *connection,
                struct bide__statement *statement, const bide_bind *binds, size_t count,
                struct bide__trouble *trouble)
{
    if ((size_t)statement->parameters != count)
        return bide__trouble(trouble, BIDE_QUERY, "the query has %d parameters, and %zu are bound",
                             statement->parameters, count);
    begin_run(run, connection, statement, binds, count);
    int code = connection->driver->start(run, binds, trouble);
    run->echo.failed = code < 0;
    return code;
}

int bide__step(struct bide__run *run, struct bide__trouble *trouble)
{
    int got = run->connection->driver->step(run, trouble);
    run->echo.rows += got > 0;
    run->echo.failed = got < 0;
    return got;
}

void bide__finish(struct bide__run *run)
{
    if (!run->statement)
        return;
    if (bide__unlikely(run->connection->echo))
        bide__echo(run);
    run->connection->driver->finish(run);
    run->statement->runs--;
    run->statement = NULL;
}

int bide__command(struct bide__connection *connection, const char *text,
                  struct bide__trouble *trouble)
{
    struct bide__statement *statement;
    struct bide__run run = {.statement = NULL};
    int code = bide__statement_of(connection, text, strlen(text), &statement, trouble);
    if (code == 0)
        code = bide__start(&run, connection, statement, NULL, 0, trouble);
    if (code == 0)
        code = bide__step(&run, trouble);
    bide__finish(&run);
    return code < 0 ? code : 0;
}

int bide__command_once(struct bide__connection *connection, const char *text, size_t length,
                       struct bide__trouble *trouble)
{
    struct bide__statement *statement;
    struct bide__run run = {.statement = NULL};
    int code = connection->driver->prepare(connection, text, length, &statement, trouble);
    if (code < 0)
        return code;
    statement->text = (char *)(uintptr_t)text;
    statement->length = length;
    code = bide__start(&run, connection, statement, NULL, 0, trouble);
    while (code >= 0 && (code = bide__step(&run, trouble)) > 0)
        continue;
    bide__finish(&run);
    connection->driver->discard(statement);
    return code;
}

int bide__connect(struct bide_db *db, enum bide__connection_role role,
                  struct bide__connection **ret_connection, struct bide__trouble *trouble)
{
    struct bide__connection *connection;
    int code = db->driver->connect(&db->options, role, &connection, trouble);
    if (code < 0)
        return code;
    connection->driver = db->driver;
    connection->echo = db->options.echo;
    connection->kept = &connection->own;
    bide__kept_init(&connection->own, BIDE_CAP_DB_STATEMENTS);
    *ret_connection = connection;
    return 0;
}

void bide__disconnect(struct bide__connection *connection)
{
    if (!connection)
        return;
    bide__kept_clear(connection->driver, &connection->own);
    connection->driver->disconnect(connection);
}
