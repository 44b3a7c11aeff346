/*
 * check_test.c: a program's queries beside a real database, at its start. All queries of this file
 * are checked in each test.
 */
#include "db_case.h"

#include <bide/migrate.h>

static async(void) never(bide_db *db)
{
    (void)await(bide_all(db, item, "name = $1 and amount > $2", "a", 1));
    (void)await(bide_all(db, item_name, ""));
    return bide_void;
}

/* The error of a check of a database with this table; NULL: none. */
static bide_error *check_beside(const char *url, const char *table) BIDE__TASK;
static bide_error *check_beside(const char *url, const char *table)
{
    bide_error *error = NULL;
    with(bide_database, db, url) {
        if (strstr(table, "never"))
            await(never(db));
        if (strcmp(table, "whole") == 0)
            await(bide_do(db, "create table items (id integer primary key, name text not null, "
                              "amount int not null, note text)"));
        else if (strcmp(table, "lacks") == 0)
            await(bide_do(db, "create table items (id integer primary key, name text not null)"));
        else if (strcmp(table, "loose") == 0)
            await(bide_do(db, "create table items (id integer primary key, name text, "
                              "amount int not null, note text)"));
        else if (strcmp(table, "other") == 0)
            await(bide_do(db, "create table items (id integer primary key, name text not null, "
                              "amount text not null, note text)"));
        attempt(&error, bide_check_queries, db);
        check(await(bide_scalar(db, i64, "select count(*) from sqlite_master")) <= 1);
    }
    return error;
}

static void expect_error(const char *table, const char *field, const char *message) BIDE__TASK;
static void expect_error(const char *table, const char *field, const char *message)
{
    DB_CASE(c, "");
    for (int memory = 0; memory < 2; memory++) {
        test_capture_stderr();
        bide_error *error = check_beside(memory ? "sqlite://:memory:" : c.url, table);
        const char *log = test_captured();
        require(error);
        check_int(error->code, BIDE_SCHEMA);
        check_str(error->field, field);
        if (!strstr(error->message, message) || !strstr(error->message, "check_test.c:"))
            check_str(error->message, message);
        check(strstr(log, message));
    }
}

TEST(a_schema_that_fits_starts)
{
    DB_CASE(c, "");
    check(!check_beside(c.url, "whole"));
    check(!check_beside("sqlite://:memory:", "whole"));
}

TEST(a_missing_table_is_named)
{
    expect_error("none", "", "there is no table 'items', which the model item is of");
}

TEST(a_missing_column_is_named)
{
    expect_error("lacks", "amount", "the table 'items' has no column 'amount'");
}

TEST(a_column_that_may_be_null_is_named)
{
    expect_error("loose", "name", "the column 'name' may be NULL");
}

TEST(a_column_of_another_type_is_named)
{
    expect_error("other", "amount", "the column 'amount' is TEXT, and the field of item is i32");
}

TEST(each_allocation_may_fail, .fail_allocations = true)
{
    DB_CASE(c, "");
    check_beside(c.url, "whole");
}

TEST(a_cancel_at_any_await_leaves_nothing_open, .cancel_everywhere = true)
{
    DB_CASE(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(bide_check_queries(db));
        await(bide_do(db, "delete from items"));
    }
}
