/*
 * stream_test.c: rows one after the other: how the block is left, one state of the data, what it
 * holds meanwhile.
 */
#define DB_ON_SERVER
#include "db_case.h"

enum { ROWS = 500 };

static async(void) fill(bide_db *db)
{
    static item items[ROWS];
    static char names[ROWS][20];
    await(bide_create_table(db, item));
    for (int i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof names[i], "item-%d", i);
        items[i] = (item){.id = i + 1, .name = names[i], .amount = i};
    }
    await(bide_insert_many(db, item, items, ROWS));
    return bide_void;
}

DB_TEST(every_row_comes_once_and_in_order)
{
    int64_t sum = 0, last = 0;
    with(bide_database, db, c->url) {
        await(fill(db));
        bide_stream(row, db, item, "amount >= $1 order by id", 100)
        {
            check(row->id > last);
            last = row->id;
            sum += row->amount;
        }
        check_int(last, ROWS);
        check_int(sum, (100 + ROWS - 1) * (ROWS - 100) / 2);
        bide_stream(row, db, item, "amount < $1", 0)
        {
            check(!row);
        }
        int64_t exactly = 0;
        bide_stream(row, db, item, "id <= $1 order by id", 128)
        {
            exactly = row->id;
        }
        check_int(exactly, 128);
    }
}

SPAWNABLE(int64_t, leave, bide_db *, int)
async(int64_t) leave(bide_db *db, int how)
{
    int64_t seen = 0;
    bide_stream(row, db, item, "id > 0 order by id")
    {
        if (row->id % 2)
            continue;
        seen = row->id;
        if (seen < 10)
            continue;
        if (how == 0)
            break;
        if (how == 1)
            return ready(int64_t, seen);
        if (how == 2)
            fail(bide_error_new(1000, "on purpose"));
        bide_cancel_task(bide_current_task(), "enough");
        await(bide_yield());
    }
    return ready(int64_t, seen);
}

SPAWNABLE(void, leave_cancelled, bide_db *)
async(void) leave_cancelled(bide_db *db)
{
    await(leave(db, 3));
    return bide_void;
}

static async(void) leave_all(const char *url)
{
    bide_error *err = NULL;
    with(bide_database, db, url) {
        await(fill(db));
        for (int round = 0; round < 3; round++) { /* with one connection to read with */
            check_int(await(leave(db, 0)), 10);
            check_int(await(leave(db, 1)), 10);
            attempt(&err, leave, db, 2);
            check(err && err->code == 1000);
            with_group(g) {
                spawn_void(g, leave_cancelled, db);
            }
        }
        await(bide_do(db, "delete from items"));
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 0);
    }
    return bide_void;
}

TEST(it_ends_however_it_is_left_on_sqlite)
{
    DB_CASE(c, "?readers=1");
    await(leave_all(c.url));
}

TEST(it_ends_however_it_is_left_on_postgresql, .real_clock = true)
{
    DB_SERVER(c, "&pool_size=1&max_overflow=0");
    await(leave_all(c.url));
}

DB_TEST(it_sees_one_state_and_others_write_meanwhile)
{
    int seen = 0;
    with(bide_database, db, c->url) {
        await(fill(db));
        bide_stream(row, db, item, "id > 0 order by id")
        {
            if (row->id == 1)
                await(bide_do(db, "delete from items where id > $1", 100));
            seen++;
        }
        check_int(seen, ROWS);
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 100);
    }
}

DB_TEST(in_a_transaction_other_queries_run_inside)
{
    int seen = 0;
    with(bide_database, db, c->url) {
        await(fill(db));
        with_tx(tx, db) {
            item added = {.id = ROWS + 1, .name = "added", .amount = 7};
            bide_add(tx, item, &added);
            bide_stream(row, tx, item, "id > 0 order by id")
            {
                bide_stream(again, tx, item, "id = $1", row->id)
                {
                    check(again->id == row->id);
                    seen++;
                }
                if (row->id % 100 == 0)
                    await(bide_update(tx, item, row, amount));
            }
        }
        check_int(seen, ROWS + 1);
    }
}

SPAWNABLE(void, stream_wrongly, bide_db *, int)
async(void) stream_wrongly(bide_db *db, int how)
{
    if (how == 0)
        bide_stream(row, db, item, "nonsense = $1", 1) check(!row);
    if (how == 1)
        bide_stream(row, db, item, "select id from items") check(!row);
    if (how == 2)
        bide_stream(row, db, item, "id = $1 and amount = $2", 1) check(!row);
    return bide_void;
}

/* The names of cursors come again: behind one that has ended, and beside one that has not. */
DB_TEST(streams_of_one_transaction)
{
    int seen = 0;
    with(bide_database, db, c->url) {
        await(fill(db));
        with_tx(tx, db) {
            for (int round = 0; round < 3; round++) {
                bide_stream(row, tx, item, "id <= $1 order by id", 2)
                {
                    bide_stream(again, tx, item, "id <= $1 order by id", row->id)
                    {
                        seen++;
                    }
                    with_tx(inner, tx) {
                        bide_stream(third, inner, item, "id = $1", row->id)
                        {
                            check(third->id == row->id);
                        }
                    }
                }
            }
            check_int(tx->streams, 0);
        }
    }
    check_int(seen, 9);
}

TEST(a_wrong_query_fails_at_its_first_row)
{
    DB_CASE(c, "?readers=1");
    bide_error *err = NULL;
    with(bide_database, db, c.url) {
        await(fill(db));
        for (int how = 0; how < 3; how++) {
            attempt(&err, stream_wrongly, db, how);
            check(err && err->code == BIDE_QUERY);
        }
        check_int(await(leave(db, 0)), 10);
    }
}

TEST(a_cancel_at_any_await_ends_it, .cancel_everywhere = true)
{
    DB_CASE(c, "?readers=1");
    int seen = 0;
    with(bide_database, db, c.url) {
        await(fill(db));
        bide_stream(row, db, item, "id <= $1 order by id", 3)
        {
            seen++;
            await(bide_yield());
        }
        with_tx(tx, db) {
            item added = {.name = "added"};
            bide_add(tx, item, &added);
            bide_stream(row, tx, item, "id >= $1", ROWS)
            {
                seen++;
                await(bide_update(tx, item, row, amount));
            }
        }
        check_int(seen, 3 + 2);
    }
}
