/*
 * query_test.c: queries and writes by themselves: what comes back, and what is refused.
 */
#define DB_ON_SERVER
#include "db_case.h"

DB_TEST(a_row_goes_in_and_comes_back)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        item first = {.name = "ring", .amount = 1};
        await(bide_insert(db, item, &first));
        check_int(first.id, 1);
        item *found = await(bide_maybe(db, item, "name = $1 and amount = $2", "ring", 1));
        require(found);
        check_int(found->id, 1);
        check_str(found->name, "ring");
        check(!found->note);
        check(!await(bide_maybe(db, item, "name = $1", "sword")));
        check_int(
            await(bide_exec(db, "update items set note = $1 where id = $2", "gold", first.id)), 1);
        found = await(bide_one(db, item, "id = $1", first.id));
        check_str(found->note, "gold");
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 1);
        check_str(await(bide_scalar(db, str, "select name from items where id = $1", 1)), "ring");
    }
}

/* Texts are in the file as they were first asked to be; parameters have any order. */
TEST(a_file_in_utf_16, .real_clock = true)
{
    DB_CASE(c, "");
    char command[300];
    snprintf(command, sizeof command,
             "python3 -c \"import sqlite3\nd = sqlite3.connect('%s')\n"
             "d.execute('pragma encoding = \\\"UTF-16\\\"')\nd.execute('create table first (a)')\"",
             c.file);
    require(system(command) == 0);
    with(bide_database, db, c.url) {
        check_str(await(bide_scalar(db, str, "select * from pragma_encoding")), "UTF-16le");
        await(bide_create_table(db, item));
        item first = {.name = "h\xc3\xa9 \xf0\x9f\x92\x8d", .note = ""};
        await(bide_insert(db, item, &first));
        item *found = await(bide_one(db, item, "id >= $2 and name = $1", first.name, first.id));
        check_str(found->name, first.name);
        check_str(found->note, "");
    }
}

DB_TEST(every_kind_of_field_is_stored)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, thing));
        thing t = {.flag = true,
                   .small = -7,
                   .large = INT64_MIN,
                   .real = 0.1,
                   .text = "h\xc3\xa9",
                   .data = {(const unsigned char *)"\0\1\xff", 3},
                   .day = {20000},
                   .price = {1250, 2},
                   .rank = level_high,
                   .extra = {"{\"a\":1}", 7},
                   .password = {"secret"}};
        await(bide_insert(db, thing, &t));
        check(t.made_at > 0);
        thing *got = await(bide_one(db, thing, "id = $1", t.id));
        check_mem(got->id.bytes, t.id.bytes, 16);
        check(got->made_at == t.made_at);
        check(got->flag);
        check_int(got->small, -7);
        check(got->large == INT64_MIN);
        check(got->real == 0.1);
        check_str(got->text, "h\xc3\xa9");
        check_int(got->data.size, 3);
        check_mem(got->data.data, "\0\1\xff", 3);
        check_int(got->day.days, 20000);
        check_int(got->price.units, 1250);
        check_int(got->price.scale, 2);
        check_int(got->rank, level_high);
        check_str(got->extra.text, "{\"a\":1}");
        check_int(got->extra.length, 7);
        check(!bide_has(got, age));
        check_str(got->password.text, "secret");
        bide_set_field(&t, age, 0);
        await(bide_update(db, thing, &t, age));
        got = await(bide_one(db, thing, "rank = $1 and flag = $2 and price = $3 and day = $4",
                             level_name(level_high), true, t.price, t.day));
        check(bide_has(got, age));
        check(await(bide_maybe(db, thing,
                               "made_at <= $1 and data = $2 and "
                               "cast(extra as text) = $3 and real = $4",
                               bide_now_us(), t.data, t.extra, 0.1)) != NULL);
        check(!await(bide_maybe(db, thing, "text = $1", NULL)));
    }
}

/* Definitions change no rows, whatever came before. */
DB_TEST(a_count_is_of_its_own_statement)
{
    with(bide_database, db, c->url) {
        item items[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
        await(bide_create_table(db, item));
        await(bide_insert_many(db, item, items, 3));
        check_int(await(bide_exec(db, "create table other (name text)")), 0);
        check_int(await(bide_exec(db, "update items set amount = 1")), 3);
        check_int(await(bide_exec(db, "create index items_by_note on items (note)")), 0);
        with_tx(tx, db) {
            check_int(await(bide_exec(tx, "insert into other select name from items")), 3);
            check_int(await(bide_exec(tx, "alter table other add column note text")), 0);
            check_int(await(bide_exec(tx, "update items set amount = 2 where id = 77")), 0);
            check_int(await(bide_exec(tx, "delete from items")), 3);
            check_int(await(bide_exec(tx, "drop table other")), 0);
        }
    }
}

/* The error of a call, by its code and a part of its message. */
#define CHECK_FAILS(code_, part, ...)                                                              \
    do {                                                                                           \
        bide_error *err_ = NULL;                                                                   \
        (void)attempt(&err_, __VA_ARGS__);                                                         \
        if (check(err_ != NULL)) {                                                                 \
            check_int(err_->code, code_);                                                          \
            check_contains(err_->message, part);                                                   \
        }                                                                                          \
    } while (0)

/* The same for calls that give nothing. */
#define CHECK_VOID_FAILS(code_, part, field_, ...)                                                 \
    do {                                                                                           \
        bide_error *err_ = NULL;                                                                   \
        attempt(&err_, __VA_ARGS__);                                                               \
        if (check(err_ != NULL)) {                                                                 \
            check_int(err_->code, code_);                                                          \
            check_contains(err_->message, part);                                                   \
            check_str(err_->field, field_);                                                        \
        }                                                                                          \
    } while (0)

static async(void) fill(bide_db *db)
{
    await(bide_create_table(db, item));
    item rows[] = {
        {.name = "a", .amount = 1}, {.name = "b", .amount = 2}, {.name = "c", .amount = 2}};
    await(bide_insert_many(db, item, rows, 3));
    check_int(rows[2].id, 3);
    return bide_void;
}

DB_TEST(wrong_queries_are_errors_that_say_what_is_wrong)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        CHECK_FAILS(BIDE_QUERY, "nmae", bide_maybe, db, item, "nmae = $1", "a");
        CHECK_FAILS(BIDE_QUERY, "syntax error", bide_exec, db, "updaet items");
        CHECK_FAILS(BIDE_QUERY, "1 parameters, and 2 are bound", bide_maybe, db, item, "name = $1",
                    "a", 2);
        CHECK_FAILS(BIDE_QUERY, "more than one item", bide_maybe, db, item, "amount = $1", 2);
        CHECK_FAILS(BIDE_NOT_FOUND, "no such row", bide_one, db, item, "amount = $1", 9);
        CHECK_FAILS(BIDE_QUERY, "order by", bide_first, db, item, "amount = $1", 2);
        CHECK_FAILS(BIDE_QUERY, "column 'x', which item has not", bide_all, db, item,
                    "select 1 as x");
        CHECK_FAILS(BIDE_QUERY, "no column 'name'", bide_all, db, item,
                    "select id, amount from items");
        CHECK_FAILS(BIDE_QUERY, "more than one statement", bide_exec, db,
                    "delete from items; delete from items");
        CHECK_FAILS(BIDE_QUERY, "use with_tx", bide_exec, db, "COMMIT");
        CHECK_FAILS(BIDE_QUERY, "gives NULL", bide_scalar, db, i64, "select null");
        CHECK_FAILS(BIDE_QUERY, "is no i64", bide_scalar, db, i64, "select 'x'");
        CHECK_FAILS(BIDE_INVALID, "no page 0", bide_page, db, item, 0, 10, "order by id");
        CHECK_FAILS(BIDE_QUERY, "larger than any", bide_maybe, db, item, "amount = $1", UINT64_MAX);
        bide_error *err = NULL;
        (void)attempt(&err, bide_maybe, db, item, "nmae = $1", "a");
        require(err);
        check_contains(err->at->file, "query_test.c");
    }
}

DB_TEST(broken_rules_name_the_field)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        await(bide_do(db,
                      "create table parts (id integer primary key, item integer not null "
                      "references items(id), n integer, constraint n_is_small check (n < 10))"));
        item again = {.name = "a"};
        CHECK_VOID_FAILS(BIDE_CONFLICT, "this name is taken", "name", bide_insert, db, item,
                         &again);
        item unnamed = {.amount = 1};
        CHECK_VOID_FAILS(BIDE_CONSTRAINT, "name is missing", "name", bide_insert, db, item,
                         &unnamed);
        CHECK_FAILS(BIDE_CONSTRAINT, "refers to", bide_exec, db,
                    "insert into parts values (1, 77, 1)");
        CHECK_FAILS(BIDE_CONSTRAINT, "n_is_small", bide_exec, db,
                    "insert into parts values (1, 1, 10)");
        item gone = {.id = 99};
        CHECK_VOID_FAILS(BIDE_NOT_FOUND, "no such item", "", bide_update, db, item, &gone, amount);
        CHECK_VOID_FAILS(BIDE_NOT_FOUND, "no such item", "", bide_delete, db, item, 99);
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 3);
    }
}

DB_TEST(lists_pages_views_upserts)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        item_list all = await(bide_all(db, item, "amount = $1 order by name", 2));
        check_int(all.count, 2);
        check_str(all.items[1].name, "c");
        check_int(await(bide_all(db, item, "")).count, 3);
        check_int(await(bide_all(db, item_name, "order by id")).count, 3);
        item *first = await(bide_first(db, item, "order by name desc"));
        check_str(first->name, "c");
        item_page page = await(bide_page(db, item, 2, 2, "amount > $1 order by id", 0));
        check_int(page.count, 1);
        check_int(page.total, 3);
        check_str(page.items[0].name, "c");
        check_int(await(bide_page(db, item, 9, 2, "order by id")).total, 3);
        item up = {.name = "b", .amount = 20};
        await(bide_upsert(db, item, &up, name));
        check_int(up.id, 2);
        check_int(await(bide_one(db, item, "name = $1", "b"))->amount, 20);
        up.name = "changed";
        up.amount = 21;
        await(bide_update(db, item, &up, amount));
        item *b = await(bide_one(db, item, "id = $1", 2));
        check_int(b->amount, 21);
        check_str(b->name, "b");
        await(bide_delete(db, item, 2));
        check(!await(bide_maybe(db, item, "id = $1", 2)));
        item more[200];
        for (int i = 0; i < 200; i++)
            more[i] = (item){.name = bide_arena_printf(bide_task_arena(), "n%d", i)};
        more[199].name = "n0";
        bide_error *err = NULL;
        attempt(&err, bide_insert_many, db, item, more, 200);
        check(err && err->code == BIDE_CONFLICT);
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 2);
        await(bide_insert_many(db, item, more, 199));
        check_int(await(bide_all(db, item, "")).count, 201);
    }
}

TEST(urls_that_make_no_sense_are_refused)
{
    CHECK_FAILS(BIDE_INVALID, "begins with sqlite", bide_db_open, "mysql://localhost/x");
    CHECK_FAILS(BIDE_INVALID, "no path", bide_db_open, "sqlite://");
    CHECK_FAILS(BIDE_INVALID, "no option 'sync'", bide_db_open, "sqlite://x.db?sync=full");
    CHECK_FAILS(BIDE_INVALID, "no value", bide_db_open, "sqlite://x.db?readers=0");
    CHECK_FAILS(BIDE_SYSTEM, "unable to open", bide_db_open, "sqlite:///nowhere/at/all/x.db");
}

/* A definition is looked at by a connection that has not seen the one before it. */
DB_TEST(definitions_that_follow_each_other)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 0);
        await(bide_do(db, "alter table items drop column note"));
        await(bide_do(db, "alter table items add column note text"));
        await(bide_do(db, "alter table items rename column note to remark"));
        await(bide_do(db, "alter table items rename column remark to note"));
        check_int(await(bide_exec(db, "insert into items (id, name, amount, note) "
                                      "values (1, 'a', 1, 'b')")),
                  1);
        check_str(await(bide_one(db, item, "id = $1", 1))->note, "b");
    }
}

DB_TEST(rows_outlive_the_task_that_read_them)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        with_arena {
            item *found = await(bide_one(db, item, "id = 1"));
            check_str(found->name, "a");
        }
    }
}
