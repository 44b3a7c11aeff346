/*
 * Keys that SQLite numbers. An insert that gives its rows back (RETURNING) costs it several times
 * the insert; where the key is the table's row number, the last one of a statement says them all.
 * Called by write.c; calls connection.c and the driver.
 *
 * Invariants
 *  1. Known means: the column is the row number itself (the only key, of type INTEGER, without an
 *     index of its own), the table has no trigger that could insert more rows into it, and the
 *     numbers are not near their end, where SQLite chooses them at random.
 *  2. It is asked in the transaction that inserts, so no other process changes the table meanwhile.
 *     What was found holds until the version of the schema changes.
 */
#include "db/db.h"

#include <stdio.h>
#include <string.h>

/* The one number that a query gives. */
static int ask(struct bide__connection *connection, const char *text, const bide_bind *binds,
               size_t count, int64_t *ret_number, struct bide__trouble *trouble)
{
    struct bide__statement *statement;
    struct bide__run run = {.statement = NULL};
    struct bide__db_cell cell;
    int code = bide__statement_of(connection, text, strlen(text), &statement, trouble);
    if (code == 0)
        code = bide__start(&run, connection, statement, binds, count, trouble);
    if (code == 0)
        code = connection->driver->step(&run, trouble);
    if (code > 0) {
        connection->driver->cell(&run, 0, &cell);
        *ret_number = cell.integer;
    }
    bide__finish(&run);
    return code < 0 ? code : 0;
}

/* Whether a column is what rows are numbered by. */
static int is_number(struct bide__connection *connection, int64_t version, const char *table,
                     const char *column, struct bide__trouble *trouble)
{
    const bide_bind binds[] = {bide__bind_text(table), bide__bind_text(column)};
    struct bide__numbered *slot = connection->numbered;
    int64_t found = 0;
    for (size_t i = 0; i < BIDE_CAP_DB_NUMBERED && slot->table; i++, slot++)
        if (slot->version == version && strcmp(slot->table, table) == 0 &&
            strcmp(slot->column, column) == 0)
            return slot->known;
    int code = ask(connection, connection->driver->numbers, binds, 2, &found, trouble);
    if (code < 0)
        return code;
    slot = &connection->numbered[connection->numbered_next++ % BIDE_CAP_DB_NUMBERED];
    *slot = (struct bide__numbered){table, column, version, found == 1};
    return slot->known;
}

int bide__numbers(struct bide__connection *connection, const bide_model *model,
                  const bide_field *field, struct bide__trouble *trouble)
{
    char text[2 * BIDE__NAME_BYTES + 80];
    int64_t version = 0, high = 0;
    if (!connection->driver->numbers || field->kind != BIDE_KIND_I64 ||
        !(field->flags & BIDE_KEY) || strlen(model->table) >= BIDE__NAME_BYTES)
        return 0;
    int code = ask(connection, "pragma schema_version", NULL, 0, &version, trouble);
    if (code == 0)
        code = is_number(connection, version, model->table, field->name, trouble);
    if (code <= 0)
        return code;
    /* 2^32 below the end: more than one call inserts. */
    snprintf(text, sizeof text, "select exists (select 1 from \"%s\" where \"%s\" > %lld)",
             model->table, field->name, (long long)(INT64_MAX - UINT32_MAX));
    code = ask(connection, text, NULL, 0, &high, trouble);
    return code < 0 ? code : !high;
}
