/*
 * check_server_test.c: the queries of this file beside a schema of PostgreSQL. SQLite:
 * check_test.c.
 */
#define DB_ON_SERVER
#include "db/check.h"

#include "db_case.h"

static async(int64_t) never(bide_db *db);
static async(int64_t) never(bide_db *db)
{
    int64_t rows = (int64_t)await(bide_all(db, item, "name = $1 and amount > $2", "a", 1)).count;
    rows += (int64_t)await(bide_all(db, item_name, "")).count;
    return ready(int64_t, rows + await(bide_scalar(db, i64, "select count(*) from items")));
}

TEST(a_scratch_schema_leaves_nothing, .real_clock = true)
{
    DB_SERVER(c, "");
    bide_arena arena;
    bide_arena_init(&arena, NULL, 1 << 20);
    with(bide_database, db, c.url) {
        for (int again = 0; again < 2; again++) {
            struct bide__check check = {.arena = &arena, .scratch = true};
            require(bide__notes_read(&arena, &check.notes) == 0);
            await(bide__check_run(db, &check));
            check_int(check.checked, check.notes.count - 3); /* but for what makes tables */
            if (check.first)
                check_str(check.first->message, "none");
            check_int(
                await(bide_scalar(db, i64, "select count(*) from pg_namespace where nspname = $1",
                                  "bide_check")),
                0);
        }
    }
    bide_arena_done(&arena);
}

TEST(a_schema_that_does_not_match_is_named, .real_clock = true)
{
    DB_SERVER(c, "");
    bide_error *error = NULL;
    with(bide_database, db, c.url) {
        attempt(&error, bide_check_queries, db);
        require(error);
        check_int(error->code, BIDE_SCHEMA);
        check_contains(error->message, "there is no table 'items', which the model item is of");
        await(bide_do(db, "create table items (id bigint primary key, name text not null)"));
        error = NULL;
        attempt(&error, bide_check_queries, db);
        require(error);
        check_contains(error->message, "the table 'items' has no column 'amount'");
        check_str(error->field, "amount");
        await(bide_do(db, "alter table items add column amount text not null default '', "
                          "add column note text"));
        error = NULL;
        attempt(&error, bide_check_queries, db);
        require(error);
        check_contains(error->message, "amount");
        await(bide_do(db, "alter table items drop column amount, add column amount int"));
        await(bide_check_queries(db));
        check_int(await(never(db)), 0);
    }
}

/* What stands in a note, with this kind of $1. */
static const char *finding_of(bide_db *db, const char *text, enum bide__bind_kind kind) BIDE__TASK;
static const char *finding_of(bide_db *db, const char *text, enum bide__bind_kind kind)
{
    static const unsigned char none[] = {BIDE__BIND_TEXT};
    const unsigned char binds[] = {BIDE__BIND_TEXT, (unsigned char)kind};
    const struct bide__note table = {.file = "a.c",
                                     .text = "create table all_kinds (n bigint, s text, r double "
                                             "precision, b boolean, d date, t timestamptz, u uuid, "
                                             "x bytea, m numeric, j jsonb)",
                                     .binds = none,
                                     .bind_count = 1,
                                     .kind = BIDE__NOTE_EXEC};
    const struct bide__note note = {
        .file = "b.c", .text = text, .binds = binds, .bind_count = 2, .kind = BIDE__NOTE_EXEC};
    const struct bide__note *all[] = {&table, &note};
    struct bide__check check = {
        .arena = bide_task_arena(), .scratch = true, .notes = {.all = all, .count = 2}};
    await(bide__check_run(db, &check));
    return check.first ? check.first->message : "";
}

TEST(what_is_bound_is_compared_with_what_the_server_wants, .real_clock = true)
{
    static const struct {
        const char *column;
        enum bide__bind_kind right, wrong;
        const char *message;
    } cases[] = {
        {"n", BIDE__BIND_INT, BIDE__BIND_TEXT, "$1 is a text, and the query wants bigint"},
        {"n", BIDE__BIND_NULL, BIDE__BIND_REAL, "$1 is a real, and the query wants bigint"},
        {"s", BIDE__BIND_TEXT, BIDE__BIND_INT, "$1 is an integer, and the query wants text"},
        {"r", BIDE__BIND_REAL, BIDE__BIND_BOOL,
         "$1 is a bool, and the query wants double precision"},
        {"b", BIDE__BIND_BOOL, BIDE__BIND_TEXT, "$1 is a text, and the query wants boolean"},
        {"d", BIDE__BIND_DATE, BIDE__BIND_INT, "$1 is an integer, and the query wants date"},
        {"t", BIDE__BIND_INT, BIDE__BIND_BOOL, "$1 is a bool, and the query wants timestamptz"},
        {"t", BIDE__BIND_DATE, BIDE__BIND_UUID, "$1 is a uuid, and the query wants timestamptz"},
        {"u", BIDE__BIND_UUID, BIDE__BIND_BYTES, "$1 is bytes, and the query wants uuid"},
        {"x", BIDE__BIND_BYTES, BIDE__BIND_UUID, "$1 is a uuid, and the query wants bytea"},
        {"m", BIDE__BIND_DECIMAL, BIDE__BIND_BOOL, "$1 is a bool, and the query wants numeric"},
        {"j", BIDE__BIND_TEXT, BIDE__BIND_BYTES, "$1 is bytes, and the query wants jsonb"},
        {"n", BIDE__BIND_INT, BIDE__BIND_LIST, "$1 is a list, and the query wants bigint"},
    };
    DB_SERVER(c, "");
    with(bide_database, db, c.url) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char text[80];
            snprintf(text, sizeof text, "delete from all_kinds where %s = $1", cases[i].column);
            check_str(finding_of(db, text, cases[i].right), "");
            check_str(finding_of(db, text, cases[i].wrong), cases[i].message);
        }
        check_str(finding_of(db, "delete from all_kinds where s = any($1)", BIDE__BIND_LIST), "");
        check_str(finding_of(db, "delete from all_kinds where s = any($1)", BIDE__BIND_INT),
                  "$1 is an integer, and the query wants a list");
    }
}
