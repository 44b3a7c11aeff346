/*
 * list_test.c: lists as binds: `= any($1)` and `<> all($1)`, the same text on both databases.
 */
#define DB_ON_SERVER
#include "db_case.h"

MODEL(choice, "", (list(i64), ids), (list(str), names), (list(uuid), things), (list(bool), flags),
      (list(level), ranks));

/* Items 1 to 5, named a to e. */
static async(void) fill(bide_db *db)
{
    item items[5] = {{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}, {.name = "e"}};
    await(bide_create_table(db, item));
    await(bide_insert_many(db, item, items, 5));
    return bide_void;
}

DB_TEST(one_of_a_list_and_none_of_it)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        int64_t ids[] = {2, 4, 9, 4};
        choice chosen = {.ids = {ids, 4}};
        check_int(await(bide_exec(db, "update items set amount = amount + 1 where id = any($1)",
                                  chosen.ids)),
                  2);
        item_list got = await(bide_all(db, item, "id = any($1) order by id", chosen.ids));
        require(got.count == 2);
        check_str(got.items[1].name, "d");
        check_int(got.items[1].amount, 1);
        got = await(bide_all(db, item, "id <> ALL ( $1 ) and amount = $2 order by id",
                             bide_list_of(i64, ids, 4), 0));
        require(got.count == 3);
        check_int(got.items[2].id, 5);
        check_int(await(bide_scalar(db, i64,
                                    "select count(*) from items where not (id = any($2)) "
                                    "and name = any($1) -- = any($3)",
                                    chosen.names, chosen.ids)),
                  0);
        item_page page = await(bide_page(db, item, 1, 1, "id = any($1) order by id", chosen.ids));
        check_int(page.total, 2);
        got = await(bide_page_after(db, item, NULL, 9, (desc, id), "id != all($1)", chosen.ids));
        check_int(got.count, 3);
    }
}

DB_TEST(an_empty_list_holds_nothing)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        choice none = {.ids = {NULL, 0}};
        check_int(await(bide_exec(db, "delete from items where id = any($1)", none.ids)), 0);
        check_int(await(bide_scalar(db, i64, "select count(*) from items where name <> all($1)",
                                    none.names)),
                  5);
        const char *one[] = {"a"};
        check_int(await(bide_exec(db, "delete from items where id = any($1) or name = any($2)",
                                  none.ids, bide_list_of(str, one, 1))),
                  1);
    }
}

DB_TEST(texts_of_a_list_are_what_they_are)
{
    static const char *const names[] = {
        "",   "null", "NULL", "a,b",       "{a}",      "a\"b",      "\\",       "\\\"",
        "'",  "a b",  " a",   "{\"a\":1}", "\t\n",     "h\xc3\xa9", "\x01\x7f", "$1",
        "{}", "}",    "[1]",  "a\\nb",     "\\\\\\\\", "--",        "/*",       "%_",
    };
    enum { NAMES = sizeof names / sizeof *names };
    with(bide_database, db, c->url) {
        item items[NAMES] = {0};
        await(bide_create_table(db, item));
        for (size_t i = 0; i < NAMES; i++)
            items[i].name = names[i];
        await(bide_insert_many(db, item, items, NAMES));
        item_list got = await(
            bide_all(db, item, "name = any($1) order by id", bide_list_of(str, names, NAMES)));
        require(got.count == NAMES);
        for (size_t i = 0; i < NAMES; i++) {
            check_str(got.items[i].name, names[i]);
            item *one =
                await(bide_one(db, item, "name = any($1)", bide_list_of(str, &names[i], 1)));
            check_int(one->id, items[i].id);
        }
        const char *some[] = {NULL, "", "never"};
        check_int(await(bide_scalar(db, i64, "select count(*) from items where name = any($1)",
                                    bide_list_of(str, some, 3))),
                  1);
    }
}

DB_TEST(items_of_every_kind)
{
    with(bide_database, db, c->url) {
        thing t[2] = {{.real = 0.1,
                       .text = "a",
                       .large = INT64_MAX,
                       .small = -1,
                       .flag = true,
                       .rank = level_high,
                       .day = {20000},
                       .price = {1250, 2},
                       .data = {(const unsigned char *)"\0\xff", 2}},
                      {.real = 5e-324, .text = "b", .rank = level_low, .price = {13, 0}}};
        await(bide_create_table(db, thing));
        await(bide_insert_many(db, thing, t, 2));
        bide_uuid ids[2] = {t[1].id, t[0].id};
        choice both = {.things = {ids, 2}};
        check_int(await(bide_all(db, thing, "id = any($1)", both.things)).count, 2);
        level ranks[] = {level_middle, level_high};
        bool flags[] = {true};
        bide_bytes data[] = {{NULL, 0}, t[0].data};
        bide_decimal prices[] = {{1250, 2}};
        bide_date days[] = {{20000}};
        double reals[] = {0.1, 1e300};
        int32_t small[] = {-1};
        bide_time times[] = {t[0].made_at};
        thing_list got = await(bide_all(
            db, thing,
            "rank = any($1) and flag = any($2) and data = any($3) and price = any($4) and "
            "day = any($5) and real = any($6) and small = any($7) and made_at = any($8) and "
            "large <> all($9)",
            bide_list_of(level, ranks, 2), bide_list_of(bool, flags, 1),
            bide_list_of(bytes, data, 2), bide_list_of(decimal, prices, 1),
            bide_list_of(date, days, 1), bide_list_of(f64, reals, 2), bide_list_of(i32, small, 1),
            bide_list_of(time, times, 1), bide_list_of(i64, &t[1].large, 1)));
        require(got.count == 1);
        check_str(got.items[0].text, "a");
    }
}

/* As many as nobody would write as placeholders. */
DB_TEST(a_long_list)
{
    enum { COUNT = 100000 };
    with(bide_database, db, c->url) {
        await(fill(db));
        int64_t *ids = calloc(COUNT, sizeof *ids);
        require(ids);
        for (size_t i = 0; i < COUNT; i++)
            ids[i] = (int64_t)i + 3;
        check_int(await(bide_scalar(db, i64, "select count(*) from items where id = any($1)",
                                    bide_list_of(i64, ids, COUNT))),
                  3);
        free(ids);
    }
}

/* More than a server takes is no lack of memory. */
TEST(a_list_that_is_too_large, .real_clock = true)
{
    enum { COUNT = 600, SIZE = 1 << 20 };
    DB_SERVER(c, "");
    char *text = malloc(SIZE);
    require(text);
    memset(text, 'a', SIZE - 1);
    text[SIZE - 1] = 0;
    const char *texts[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        texts[i] = text;
    bide_error *err = NULL;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        (void)attempt(&err, bide_all, db, item, "name = any($1)",
                      bide_list_of(str, texts, (size_t)COUNT));
        require(err);
        check_int(err->code, BIDE_LIMIT);
        check_contains(err->message, "larger than 1073741824 bytes (BIDE_CAP_DB_VALUE_BYTES)");
        check_int(
            await(bide_all(db, item, "name = any($1)", bide_list_of(str, texts, (size_t)1))).count,
            0);
    }
    free(text);
}

/* The error of a call, by a part of its message. */
#define CHECK_REFUSED(part, ...)                                                                   \
    do {                                                                                           \
        bide_error *err_ = NULL;                                                                   \
        (void)attempt(&err_, __VA_ARGS__);                                                         \
        if (check(err_ != NULL)) {                                                                 \
            check_int(err_->code, BIDE_QUERY);                                                     \
            check_contains(err_->message, part);                                                   \
        }                                                                                          \
    } while (0)

DB_TEST(a_list_and_one_value_are_not_the_same)
{
    int64_t ids[] = {1, 2};
    double none[] = {0.0 / 0.0};
    level bad[] = {(level)77};
    with(bide_database, db, c->url) {
        await(fill(db));
        CHECK_REFUSED("$1 is a list, and the query wants one value", bide_all, db, item, "id = $1",
                      bide_list_of(i64, ids, 2));
        CHECK_REFUSED("$1 is one value, and the query wants a list", bide_all, db, item,
                      "id = any($1)", 7);
        CHECK_REFUSED("an item of $1 is no number", bide_all, db, item, "amount = any($1)",
                      bide_list_of(f64, none, 1));
        CHECK_REFUSED("an item of $1 is no value of its ENUM", bide_all, db, item, "name = any($1)",
                      bide_list_of(level, bad, 1));
        check_int(await(bide_all(db, item, "id = any($1)", bide_list_of(i64, ids, 2))).count, 2);
    }
}

TEST(what_sqlite_has_no_list_for)
{
    int64_t ids[] = {1, 2};
    with(bide_database, db, "sqlite://:memory:") {
        await(fill(db));
        CHECK_REFUSED("a list stands in `= any($1)`", bide_all, db, item, "id < any($1)",
                      bide_list_of(i64, ids, 2));
        CHECK_REFUSED("a list stands in `= any($1)`", bide_all, db, item, "id = all($1)",
                      bide_list_of(i64, ids, 2));
        CHECK_REFUSED("$1 cannot be a list here and one value there", bide_all, db, item,
                      "id = any($1) or $1 is null", bide_list_of(i64, ids, 2));
        /* Words in quotes, names and other functions are none of this. */
        check_int(await(bide_all(db, item, "name <> 'x = any($1)' and name = $1", "a")).count, 1);
        CHECK_REFUSED("no such function: any", bide_all, db, item, "any($1, $2)", 1, 2);
        check_int(await(bide_scalar(db, i64,
                                    "select count(*) as \"= any($2)\" from items where "
                                    "id/* = any($3) */=/**/some/**/(/**/$1)",
                                    bide_list_of(i64, ids, 2))),
                  2);
    }
}

DB_TEST(each_allocation_may_fail, .fail_allocations = true)
{
    const char *names[] = {"a", "\"b"};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        check_int(await(bide_all(db, item, "name = any($1)", bide_list_of(str, names, 2))).count,
                  0);
    }
}

TEST(a_list_in_the_log)
{
    const char *names[] = {"a", NULL};
    DB_CASE(c, "?echo=1");
    test_capture_stderr();
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        check_int(await(bide_all(db, item, "name = any($1)", bide_list_of(str, names, 2))).count,
                  0);
    }
    check_contains(test_captured(), "where name = any($1) [['a', null]] 0 rows");
}
