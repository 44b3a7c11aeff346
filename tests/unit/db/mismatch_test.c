/*
 * A schema that is not the one of the models, changed under statements that are prepared already: a
 * typed error that names the column, on both databases; and nothing stays wrong when it fits again.
 */
#define DB_ON_SERVER
#include "db_case.h"

static async(void) read_all(bide_db *db);
SPAWNABLE(void, read_all, bide_db *)
static async(void) read_all(bide_db *db)
{
    item_list all = await(bide_all(db, item, "order by id"));
    check(all.count > 0);
    return bide_void;
}

static async(void) write_one(bide_db *db);
SPAWNABLE(void, write_one, bide_db *)
static async(void) write_one(bide_db *db)
{
    item row = {.name = "b", .amount = 3, .note = "n"};
    await(bide_insert(db, item, &row));
    return bide_void;
}

/* As two statements of a transaction, of which the second meets what is wrong. */
static async(void) read_in_tx(bide_db *db);
SPAWNABLE(void, read_in_tx, bide_db *)
static async(void) read_in_tx(bide_db *db)
{
    with_tx(tx, db) {
        await(bide_do(tx, "insert into others values (1)"));
        (void)await(bide_all(tx, item, "order by id"));
    }
    return bide_void;
}

static void check_error(const bide_error *err, const char *part)
{
    if (!part) {
        if (!check(!err))
            bide_error_print(err);
        return;
    }
    require(err);
    check_int(err->code, BIDE_QUERY);
    check_contains(err->message, part);
}

static async(void) fits(bide_db *db)
{
    await(bide_create_table(db, item));
    await(write_one(db));
    await(read_all(db));
    await(bide_do(db, "drop table items"));
    return bide_void;
}

/* With another table; a part of each error, NULL: there is none. */
static async(void) misfits(bide_db *db, const char *read, const char *write)
{
    bide_error *err;
    for (int again = 0; again < 2; again++) {
        attempt(&err, read_all, db);
        check_error(err, read);
    }
    attempt(&err, read_in_tx, db);
    check_error(err, read);
    check_int(await(bide_exec(db, "delete from others")), read ? 0 : 1);
    if (write) {
        attempt(&err, write_one, db);
        check_error(err, write);
    }
    await(bide_do(db, "drop table items"));
    attempt(&err, read_all, db);
    check_error(err, "items");
    return bide_void;
}

#define MISFIT(columns, row, read, write)                                                          \
    do {                                                                                           \
        await(fits(db));                                                                           \
        await(bide_do(db, "create table items (" columns ")"));                                    \
        await(bide_do(db, "insert into items values (" row ")"));                                  \
        await(misfits(db, read, write));                                                           \
    } while (0)

DB_TEST(what_does_not_fit_is_named, .timeout_ms = 60000)
{
    with(bide_database, db, c->url) {
        await(bide_do(db, "create table others (a integer)"));
        MISFIT("id bigint primary key, name text not null, amount integer not null", "1, 'a', 2",
               "note", "note");
        MISFIT("id bigint primary key, title text, amount integer, note text", "1, 'a', 2, 'n'",
               "name", "name");
        MISFIT("id bigint primary key, name text, amount text, note text", "1, 'a', 'many', 'n'",
               "the value of the column 'amount' is no i32", NULL);
        MISFIT("id bigint primary key, name text, amount bigint, note text",
               "1, 'a', 5000000000, 'n'", "the value of the column 'amount' is no i32", NULL);
        MISFIT("id bigint primary key, name text, amount double precision, note text",
               "1, 'a', 2.5, 'n'", "the value of the column 'amount' is no i32", NULL);
        MISFIT("id bigint primary key, name text, amount integer, note text", "1, null, 2, 'n'",
               "the column 'name' is NULL, and the field of item is not optional", NULL);
        MISFIT("id bigint primary key, more text, name text, amount integer, note text",
               "1, 'm', 'a', 2, 'n'", NULL, NULL);
        await(fits(db));
    }
}
