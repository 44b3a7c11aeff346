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
