/*
 * number_test.c: the keys that the database makes, where the last one says them all, and where it
 * does not: each row must have the key that its name has in the table.
 */
#include "db/db.h"
#include "db_case.h"

enum { ROWS = 90 };

/* Inserts rows; how many of them got the key that they have. */
static async(int) insert_named(bide_db *db, const char *prefix, size_t rows)
{
    static item many[ROWS];
    int right = 0;
    for (size_t i = 0; i < rows; i++) {
        char *name = bide_arena_alloc(bide_task_arena(), 32);
        snprintf(name, 32, "%s%zu", prefix, i);
        many[i] = (item){.name = name, .amount = 1};
    }
    await(bide_insert_many(db, item, many, rows));
    for (size_t i = 0; i < rows; i++)
        right += many[i].id ==
                 await(bide_scalar(db, i64, "select id from items where name = $1", many[i].name));
    return ready(int, right);
}

static int known(bide_db *db)
{
    struct bide__trouble trouble;
    return bide__numbers(db->writer, item_model(), &item_model()->fields[0], &trouble);
}

TEST(keys_are_the_rows_numbers, .reports = true)
{
    DB_CASE(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        check_int(known(db), 1);
        check_int(await(insert_named(db, "a", ROWS)), ROWS);
        await(bide_do(db, "delete from items where id > 40"));
        check_int(await(insert_named(db, "b", 1)), 1);
        item given = {.id = 1000, .name = "given"};
        await(bide_insert(db, item, &given));
        check_int(await(insert_named(db, "c", ROWS)), ROWS);
    }
}

TEST(a_trigger_that_inserts_too)
{
    DB_CASE(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        check_int(await(insert_named(db, "a", 5)), 5);
        await(bide_do(db, "create trigger twice after insert on Items when new.amount = 1 begin "
                          "insert into items (name, amount) values (new.name || '!', 2); end"));
        check_int(known(db), 0);
        check_int(await(insert_named(db, "b", 20)), 20);
        await(bide_do(db, "drop trigger twice"));
        check_int(known(db), 1);
        check_int(await(insert_named(db, "c", 20)), 20);
    }
}

TEST(numbers_near_their_end)
{
    DB_CASE(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        item last = {.id = INT64_MAX - 3, .name = "last"};
        await(bide_insert(db, item, &last));
        check_int(known(db), 0);
        check_int(await(insert_named(db, "a", 20)), 20);
    }
}

TEST(keys_that_are_no_numbers_of_rows)
{
    static const char *const tables[] = {
        "(id bigint primary key default (abs(random())), name text, amount int, note text)",
        "(id integer primary key desc default (abs(random())), name text, amount int, note text)",
        "(id int default (abs(random())), name text, amount int, note text, primary key(id, name))",
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        DB_CASE(c, "");
        char command[400];
        snprintf(command, sizeof command,
                 "python3 -c \"import sqlite3\nsqlite3.connect('%s').execute('create table items "
                 "%s')\"",
                 c.file, tables[i]);
        require(system(command) == 0);
        with(bide_database, db, c.url) {
            check_int(known(db), 0);
            check_int(await(insert_named(db, "a", 10)), 10);
        }
    }
}
