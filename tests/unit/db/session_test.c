/*
 * session_test.c: the queueing session: when queued rows are inserted, what is read back, what an
 * error says, what a rollback forgets.
 */
#define DB_ON_SERVER
#include "base/caps.h"
#include "db_case.h"

MODEL(line, "lines", (i64, id, key, generated), (i64, item_id), (i32, amount));

enum { MANY = 203 };

static async(int64_t) count(bide_db *db)
{
    return ready(int64_t, await(bide_scalar(db, i64, "select count(*) from items")));
}

DB_TEST(what_is_added_may_be_const)
{
    static const item rows[] = {{.name = "a"}, {.name = "b"}};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_tx(tx, db) {
            item *added = bide_add_all(tx, item, rows, 2);
            bide_add(tx, item, &(const item){.name = "c"});
            await(bide_flush(tx));
            check_int(added[1].id, 2);
        }
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 3);
    }
}

DB_TEST(rows_wait_for_a_query_a_flush_or_the_commit, .cancel_everywhere = true)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        item a = {.name = "a"}, b = {.name = "b"}, *third = NULL;
        with_tx(tx, db) {
            item *first = bide_add(tx, item, &a);
            check_int(first->id, 0);
            check_int(await(bide_scalar(tx, i64, "select count(*) from items")), 1);
            check(first->id > 0);
            item *second = bide_add(tx, item, &b);
            await(bide_flush(tx));
            check(second->id > first->id);
            await(bide_flush(tx)); /* nothing is left to do */
            item last = {.name = "c"};
            third = bide_add(tx, item, &last);
            check(third->id == 0);
        }
        check(third->id > 0);
        check_int(await(count(db)), 3);
    }
}

/* ---- a large flush ---- */

enum { LARGE = 20 * BIDE_CAP_DB_INSERT_ROWS };

static item *large_rows(const char *of)
{
    item *rows = bide_arena_alloc_zero(bide_task_arena(), LARGE, sizeof *rows);
    require(rows != NULL);
    for (size_t i = 0; i < LARGE; i++)
        rows[i].name = bide_arena_printf(bide_task_arena(), "%s %zu", of, i);
    return rows;
}

struct ticks {
    int count;
    bool over;
};
static async(void) tick(struct ticks *ticks);
SPAWNABLE(void, tick, struct ticks *)
static async(void) tick(struct ticks *ticks)
{
    for (; !ticks->over; ticks->count++)
        await(bide_yield());
    return bide_void;
}

/* Other tasks run between the statements of a flush, and of rows that commit by themselves. */
DB_TEST(a_large_flush_lets_others_run)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        struct ticks ticks = {.count = 0};
        with_group(g) {
            spawn_void(g, tick, &ticks);
            with_tx(tx, db) {
                bide_add_all(tx, item, large_rows("a"), LARGE);
                int before = ticks.count;
                await(bide_flush(tx));
                check(ticks.count - before >= 10);
            }
            int before = ticks.count;
            await(bide_insert_many(db, item, large_rows("b"), LARGE));
            check(ticks.count - before >= 10);
            ticks.over = true;
        }
        check_int(await(count(db)), 2 * LARGE);
    }
}

static async(void) cancel_later(bide_task_ref of)
{
    for (int i = 0; i < 5; i++)
        await(bide_yield());
    bide_cancel_task(of, "halfway");
    return bide_void;
}
SPAWNABLE(void, cancel_later, bide_task_ref)

static async(void) insert_large(bide_db *db)
{
    with_tx(tx, db) {
        bide_add_all(tx, item, large_rows("b"), LARGE);
        await(bide_flush(tx));
    }
    return bide_void;
}
SPAWNABLE(void, insert_large, bide_db *)

TEST(a_flush_that_is_cancelled_halfway_leaves_nothing)
{
    struct db_case c = db_case_new("?synchronous=off");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        with_group(g) {
            task(void) doing = spawn(g, insert_large, db);
            spawn_void(g, cancel_later, bide_ref(doing));
        }
        check_int(await(count(db)), 0);
        await(bide_insert_many(db, item, large_rows("b"), LARGE)); /* nobody holds the writer */
        check_int(await(count(db)), LARGE);
    }
    db_case_done(&c);
}

DB_TEST(a_loop_adds_from_one_place)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_tx(tx, db) {
            for (int i = 0; i < 5; i++) {
                char name[20];
                snprintf(name, sizeof name, "item-%d", i);
                item row = {.name = name, .amount = i};
                bide_add(tx, item, &row);
                memset(name, 'x', sizeof name - 1);
            }
        }
        item_list all = await(bide_all(db, item, "true order by amount"));
        require(all.count == 5);
        for (int i = 0; i < 5; i++) {
            char name[20];
            snprintf(name, sizeof name, "item-%d", i);
            check_str(all.items[i].name, name);
        }
    }
}

DB_TEST(many_rows_of_two_models_get_their_keys, .reports = true)
{
    static item items[MANY], *added[MANY];
    static line lines[MANY], *rest;
    static char names[MANY][20];
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        await(bide_create_table(db, line));
        with_tx(tx, db) {
            for (int i = 0; i < MANY; i++) {
                snprintf(names[i], sizeof names[i], "item-%d", i);
                items[i] = (item){.name = names[i], .amount = i};
                lines[i] = (line){.item_id = i, .amount = 2 * i};
                if (i % 7 == 0) /* another set of fields: another statement */
                    items[i].note = "seventh";
                added[i] = bide_add(tx, item, &items[i]);
                if (i < MANY / 2)
                    bide_add(tx, line, &lines[i]);
            }
            rest = bide_add_all(tx, line, lines + MANY / 2, MANY - MANY / 2);
        }
        check_int(await(count(db)), MANY);
        for (int i = 0; i < MANY; i++) {
            item *got = await(bide_one(db, item, "name = $1", names[i]));
            check(got->id == added[i]->id);
            check_int(got->amount, i);
        }
        for (int i = MANY / 2; i < MANY; i++) {
            line *other = await(bide_one(db, line, "id = $1", rest[i - MANY / 2].id));
            check_int(other->item_id, i);
        }
    }
}

SPAWNABLE(void, add_twice, bide_db *, int *)
async(void) add_twice(bide_db *db, int *reached)
{
    with_tx(tx, db) {
        item rows[6] = {{.name = "a"}, {.name = "b"}, {.name = "c"},
                        {.name = "d"}, {.name = "b"}, {.name = "e"}};
        bide_add_all(tx, item, rows, 6);
        ++*reached;
    }
    ++*reached;
    return bide_void;
}

DB_TEST(a_flush_that_fails_names_row_and_field_and_rolls_back)
{
    bide_error *err = NULL;
    int reached = 0;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        attempt(&err, add_twice, db, &reached);
        check(err && err->code == BIDE_CONFLICT);
        if (err) {
            check_str(err->field, "name");
            check_contains(err->message, "row 5 of 6");
        }
        check_int(reached, 1);
        check_int(await(count(db)), 0);
    }
}

SPAWNABLE(void, fail_with_rows, bide_db *)
async(void) fail_with_rows(bide_db *db)
{
    with_tx(tx, db) {
        item lost = {.name = "lost"};
        bide_add(tx, item, &lost);
        fail(bide_error_new(1000, "on purpose"));
    }
    return bide_void;
}

SPAWNABLE(void, queue_too_many, bide_db *)
async(void) queue_too_many(bide_db *db)
{
    with_tx(tx, db) {
        for (int i = 0; i <= BIDE_CAP_DB_QUEUED; i++)
            bide_add(tx, item, (&(item){.name = "a"}));
    }
    return bide_void;
}

/* A row costs the same however many wait: with a look at all of them this would take minutes. */
DB_TEST(rows_are_queued_up_to_a_limit, .timeout_ms = 20000)
{
    with(bide_database, db, c->url) {
        bide_error *err = NULL;
        await(bide_create_table(db, item));
        attempt(&err, queue_too_many, db);
        require(err);
        check_int(err->code, BIDE_LIMIT);
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 0);
    }
}

DB_TEST(a_rollback_forgets_what_is_queued)
{
    bide_error *err = NULL;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        attempt(&err, fail_with_rows, db);
        check(err && err->code == 1000);
        with_tx(tx, db) {
            item lost = {.name = "lost"};
            bide_add(tx, item, &lost);
            await(bide_tx_rollback(tx));
        }
        check_int(await(count(db)), 0);
    }
}

SPAWNABLE(void, nest, bide_tx *)
async(void) nest(bide_tx *outer)
{
    with_tx(inner, outer) {
        item lost = {.name = "inner"};
        bide_add(inner, item, &lost);
        await(bide_flush(inner));
        fail(bide_error_new(1000, "on purpose"));
    }
    return bide_void;
}

DB_TEST(a_nested_one_that_rolls_back_leaves_the_outer_rows)
{
    bide_error *err = NULL;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        item outer = {.name = "outer"}, *added = NULL;
        with_tx(tx, db) {
            added = bide_add(tx, item, &outer);
            attempt(&err, nest, tx);
            check(err && err->code == 1000);
            with_tx(inner, tx) {
                item kept = {.name = "kept"};
                bide_add(inner, item, &kept);
            }
        }
        check(added->id > 0);
        check_int(await(count(db)), 2);
    }
}

DB_TEST(a_row_is_read_anew)
{
    bide_error *err = NULL;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        item ring = {.name = "ring", .amount = 1}, *mine = NULL;
        with_tx(tx, db) {
            mine = bide_add(tx, item, &ring);
            await(bide_do(tx, "update items set amount = 7, note = $1", "changed"));
            check_int(mine->amount, 1);
            await(bide_refresh(tx, item, mine));
        }
        check_int(mine->amount, 7);
        check_str(mine->note, "changed");
        await(bide_delete(db, item, mine->id));
        attempt(&err, bide_refresh, db, item, mine);
        check(err && err->code == BIDE_NOT_FOUND);
        check_int(mine->amount, 7);
    }
}

static async(int) add_to_a_reader(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        with_read_tx(tx, db) {
            item i = {.name = "a"};
            bide_add(tx, item, &i);
        }
    }
    return ready(int, 0);
}

static void run_add_to_a_reader(void)
{
    exit(bide_run(add_to_a_reader));
}

TEST_PLAIN(a_transaction_that_reads_takes_no_rows)
{
    check_dies(run_add_to_a_reader, "bide_add in the with_read_tx of");
}
