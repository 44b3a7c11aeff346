/*
 * write_rows_test.c: many rows by few statements: every kind, every way that they go.
 */
#define DB_ON_SERVER
#include "db_case.h"

MODEL(state_line, "state_lines", (i64, id, key, generated), (str, name, unique),
      (str, state, generated, sql_dflt("'new'")), (i32, amount, optional));
MODEL(odd, "odds", (i64, id, key, generated), (i32, small), (f64, exact), (str, short_name),
      (json, document, optional), (time, at), (str, mood), (decimal, price), (i64, wide));
MODEL(blob, "blobs", (i64, id, key, generated), (bytes, data));

enum { ROWS = 130 };

static const char *const texts[] = {"plain",
                                    "",
                                    "NULL",
                                    "null",
                                    "a,b",
                                    "{\"x\"}",
                                    "it's",
                                    "\"\\\"",
                                    "\\",
                                    "line\nline",
                                    "h\xc3\xa9 \xf0\x9f\x92\x8d",
                                    " edge "};
enum { TEXTS = sizeof texts / sizeof *texts };

static bide_decimal price_of(int i)
{
    return (bide_decimal){.units = i % 3 ? i * 1001 - 50000 : INT64_MIN + i, .scale = i % 19};
}

static void make_thing(thing *t, int i)
{
    static unsigned char data[ROWS][4];
    memcpy(data[i], (unsigned char[]){(unsigned char)i, 0, 0xff, '\\'}, 4);
    *t = (thing){.flag = i & 1,
                 .small = i % 2 ? INT32_MIN + i : i,
                 .large = INT64_MAX - i,
                 .real = i * 0.1,
                 .text = texts[i % TEXTS],
                 .data = {data[i], (size_t)(i % 5)},
                 .day = {i * 100 - 5000},
                 .price = price_of(i),
                 .rank = i % 3,
                 .password = {i % 4 ? texts[i % TEXTS] : NULL}};
    if (i % 2)
        t->extra = (bide_json){"{\"a\": \"b\\\\c\"}", 13};
    if (i % 3)
        bide_set_field(t, age, i);
}

static void check_thing(const thing *got, const thing *t)
{
    check(got->flag == t->flag && got->small == t->small && got->large == t->large);
    check(got->real == t->real && got->made_at == t->made_at && got->day.days == t->day.days);
    check_str(got->text, t->text);
    check_int(got->data.size, t->data.size);
    check_mem(got->data.data, t->data.data, t->data.size);
    check(bide_decimal_compare(got->price, t->price) == 0);
    check_int(got->price.scale, t->price.scale);
    check_int(got->rank, t->rank);
    check_str(got->extra.text, t->extra.text);
    check_str(got->password.text, t->password.text);
    check(bide_has(got, age) == bide_has(t, age) && got->age == t->age);
}

DB_TEST(every_kind_goes_in_a_column, .reports = true)
{
    static thing things[ROWS];
    with(bide_database, db, c->url) {
        await(bide_create_table(db, thing));
        for (int i = 0; i < ROWS; i++)
            make_thing(&things[i], i);
        await(bide_insert_many(db, thing, things, ROWS));
        for (int i = 0; i < ROWS; i++) {
            check(things[i].made_at > 0);
            check_thing(await(bide_one(db, thing, "id = $1", things[i].id)), &things[i]);
        }
    }
}

/* Neither what is in a row nor how many statements there are says which key it gets. */
DB_TEST(keys_come_to_their_rows)
{
    static item items[5000];
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        for (int i = 0; i < 5000; i++)
            items[i] = (item){.name = bide_arena_printf(bide_task_arena(), "n%d", i * 7919 % 5000),
                              .amount = i * 31 % 17};
        await(bide_insert_many(db, item, items, 5000));
        item_list got = await(bide_all(db, item, "order by id"));
        require(got.count == 5000);
        for (int i = 0; i < 5000; i++) {
            check_int(got.items[i].id, items[i].id);
            check_str(got.items[i].name, items[i].name);
        }
        check_int(items[4999].id, 5000);
    }
}

DB_TEST(rows_that_give_different_fields)
{
    state_line lines[40] = {{.id = 0}};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, state_line));
        for (int i = 0; i < 40; i++) {
            lines[i].name = bide_arena_printf(bide_task_arena(), "l%d", i);
            if (i % 7 > 3)
                bide_set_field(&lines[i], state, "old");
            if (i % 2)
                bide_set_field(&lines[i], amount, i);
            if (i == 20)
                lines[i].id = 1000;
        }
        with_tx(tx, db) {
            bide_add_all(tx, state_line, lines, 10);
            await(bide_flush(tx));
            await(bide_insert_many(tx, state_line, lines + 10, 30));
        }
        for (int i = 0; i < 40; i++) {
            state_line *got = await(bide_one(db, state_line, "name = $1", lines[i].name));
            check_str(got->state, i % 7 > 3 ? "old" : "new");
            check(bide_has(got, amount) == (i % 2 == 1));
            check_int(got->amount, i % 2 ? i : 0);
            if (i >= 10) {
                check_int(got->id, lines[i].id);
                check_str(lines[i].state, got->state);
            }
        }
    }
}

SPAWNABLE(void, insert_in_tx, bide_db *, item *, int)
async(void) insert_in_tx(bide_db *db, item *items, int count)
{
    with_tx(tx, db) {
        item before = {.name = "before"};
        await(bide_insert(tx, item, &before));
        await(bide_insert_many(tx, item, items, count));
    }
    return bide_void;
}

static async(void) check_named(bide_db *db, int bad, int count, bool in_tx)
{
    static item items[ROWS];
    bide_error *err = NULL;
    char expected[80];
    snprintf(expected, sizeof expected, "this name is taken (row %d of %d)", bad + 1, count);
    for (int i = 0; i < count; i++)
        items[i] = (item){.name = bide_arena_printf(bide_task_arena(), "n%d", i)};
    items[bad].name = "n0";
    if (in_tx)
        attempt(&err, insert_in_tx, db, items, count);
    else
        attempt(&err, bide_insert_many, db, item, items, (size_t)count);
    check(err && err->code == BIDE_CONFLICT);
    check_str(err ? err->message : "", expected);
    check_str(err ? err->field : "", "name");
    check_int(await(bide_scalar(db, i64, "select count(*) from items")), 0);
    return bide_void;
}

/* In a transaction and by themselves, wherever it stands among them. */
DB_TEST(the_row_that_breaks_a_rule_is_named)
{
    static const struct {
        int bad, count;
    } cases[] = {{1, 2}, {1, 20}, {13, 20}, {19, 20}, {23, ROWS}, {24, ROWS}, {129, ROWS}};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            await(check_named(db, cases[i].bad, cases[i].count, false));
            await(check_named(db, cases[i].bad, cases[i].count, true));
        }
        item items[3] = {{.name = "a"}, {.name = NULL}, {.name = "c"}};
        bide_error *err = NULL;
        attempt(&err, bide_insert_many, db, item, items, 3);
        check(err && err->code == BIDE_CONSTRAINT);
        check_str(err ? err->message : "", "name is missing (row 2 of 3)");
        check_str(err ? err->field : "", "name");
    }
}

DB_TEST(rows_of_many_bytes)
{
    enum { BYTES = 700000 };
    unsigned char *data = bide_arena_alloc_zero(bide_task_arena(), BYTES, 1);
    blob blobs[5];
    require(data);
    data[BYTES - 1] = 7;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, blob));
        for (size_t i = 0; i < 5; i++)
            blobs[i] = (blob){.data = {data, BYTES - i}};
        await(bide_insert_many(db, blob, blobs, 5));
        for (size_t i = 0; i < 5; i++)
            check_int((size_t)await(bide_scalar(db, i64,
                                                "select length(data) from blobs where "
                                                "id = $1",
                                                blobs[i].id)),
                      BYTES - i);
    }
}

static async(void) make_odds(bide_db *db, int way)
{
    await(bide_do(db, "drop table if exists odds"));
    await(bide_do(db, "create table odds (id bigint generated by default as identity (increment by "
                      "-3), small smallint, exact numeric(9,2), short_name varchar(5), document "
                      "jsonb, at timestamp, mood text, price real, wide numeric)"));
    if (way == 1)
        await(bide_do(db, "alter table odds alter column mood type mood using mood::mood"));
    if (way == 2)
        await(bide_do(db, "alter table odds alter column mood type text[] using mood::text[]"));
    return bide_void;
}

static async(void) check_odds(bide_db *db)
{
    odd odds[30];
    for (int i = 0; i < 30; i++)
        odds[i] = (odd){.small = i - 9,
                        .exact = i * 0.25,
                        .short_name = "a,\"b",
                        .document = {i % 2 ? "{\"a\": 1}" : NULL, i % 2 ? 8 : 0},
                        .at = INT64_C(1700000000123456) + i,
                        .mood = "{good}",
                        .price = {i * 5, 1},
                        .wide = INT64_MAX - i};
    await(bide_insert_many(db, odd, odds, 30));
    for (int i = 0; i < 30; i++) {
        odd *got = await(bide_one(db, odd,
                                  "select id, small, exact, short_name, document, at, mood::text, "
                                  "price::numeric, wide from odds where id = $1",
                                  odds[i].id));
        check_int(got->small, i - 9);
        check(got->exact == i * 0.25);
        check_str(got->short_name, "a,\"b");
        check_str(got->document.text, odds[i].document.text);
        check(got->at == odds[i].at);
        check_str(got->mood, "{good}");
        check(bide_decimal_compare(got->price, odds[i].price) == 0);
        check(got->wide == odds[i].wide);
    }
    for (int i = 0; i < 30; i++)
        odds[i].id = 0, bide_unset_field(&odds[i], id);
    bide_error *err = NULL;
    odds[29].short_name = "longer";
    attempt(&err, bide_insert_many, db, odd, odds, 30);
    check(err && err->code == BIDE_CONSTRAINT);
    odds[29].small = 40000;
    err = NULL;
    attempt(&err, bide_insert_many, db, odd, odds, 30);
    check(err && err->code == BIDE_QUERY);
    check_int(await(bide_scalar(db, i64, "select count(*) from odds")), 30);
    return bide_void;
}

/* The table's own types decide; one that has no array here takes the other way. */
TEST(columns_of_other_types_than_fields, .real_clock = true)
{
    DB_SERVER(c, "");
    for (int way = 0; way < 3; way++) {
        with(bide_database, db, c.url) {
            if (way == 0)
                await(bide_do(db, "create type mood as enum ('{good}', 'bad')"));
            await(make_odds(db, way));
            await(check_odds(db));
        }
    }
}

/* Nobody knows which rows a trigger has left out: none gets the key of another. */
TEST(rows_that_a_trigger_skips, .real_clock = true)
{
    DB_SERVER(c, "");
    item items[20];
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(bide_do(db, "create function skip() returns trigger language plpgsql as "
                          "'begin if new.amount = 7 then return null; end if; return new; end'"));
        await(bide_do(db, "create trigger skip before insert on items for each row execute "
                          "function skip()"));
        for (int i = 0; i < 20; i++)
            items[i] = (item){.name = bide_arena_printf(bide_task_arena(), "n%d", i), .amount = i};
        await(bide_insert_many(db, item, items, 20));
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 19);
        for (int i = 0; i < 20; i++)
            check_int(items[i].id, 0);
    }
}

/* Names of their own for each: a statement that was sent before a cancel takes place after it. */
SPAWNABLE(void, insert_for_ever, bide_db *, int, int)
async(void) insert_for_ever(bide_db *db, int times, int n)
{
    static item items[8][ROWS];
    for (int round = 0;; round++) {
        for (int i = 0; i < ROWS; i++)
            items[n][i] = (item){
                .name = bide_arena_printf(bide_task_arena(), "%d-%d-%d-%d", times, n, round, i),
                .amount = n};
        if (round % 2) {
            await(bide_insert_many(db, item, items[n], ROWS));
        } else {
            with_tx(tx, db) {
                bide_add_all(tx, item, items[n], ROWS);
            }
        }
    }
    return bide_void;
}

/* Wherever the cancel comes: all of a call or none, and no reply for the wrong task. */
TEST(cancelled_in_the_middle, .real_clock = true, .timeout_ms = 30000)
{
    DB_SERVER(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        for (int times = 0; times < 30; times++) {
            with_group(g) {
                for (int i = 0; i < 8; i++)
                    spawn_void(g, insert_for_ever, db, times, i);
                for (int i = 0; i < times; i++)
                    await(bide_yield());
                if (times > 20)
                    await(bide_sleep(bide_ms(times - 20)));
                bide_group_cancel(g, "enough");
            }
            int64_t rows = await(bide_scalar(db, i64, "select count(*) from items"));
            check_int(rows % ROWS, 0);
            item one = {.name = bide_arena_printf(bide_task_arena(), "one-%d", times)};
            await(bide_insert(db, item, &one));
            await(bide_delete(db, item, one.id));
            await(bide_do(db, "delete from items"));
        }
    }
}
