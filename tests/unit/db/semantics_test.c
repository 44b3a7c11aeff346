/*
 * semantics_test.c: what users of other systems rely on, over several files of src/db: reading
 * begins nothing, the same row twice at once, increments, two databases, a process that dies, many
 * cancelled tasks, tests that are rolled back, missing rows in handlers.
 */
#define DB_ON_SERVER
#include "db_case.h"

#include <bide/web_test.h>
#include <signal.h>
#include <sys/wait.h>

static async(int64_t) count(bide_db *db)
{
    return ready(int64_t, await(bide_scalar(db, i64, "select count(*) from items")));
}

DB_TEST(reading_before_begins_nothing)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        check_int(await(count(db)), 0);
        check(!await(bide_maybe(db, item, "name = $1", "ring")));
        with_tx(tx, db) {
            check(!await(bide_maybe(tx, item, "name = $1", "ring")));
            with_tx(inner, tx) {
                item row = {.name = "ring"};
                await(bide_insert(inner, item, &row));
            }
            check_int(await(count(db)), 0); /* of another transaction: not committed */
        }
        check_int(await(count(db)), 1);
    }
}

static async(int) nest_a_write(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        with_read_tx(tx, db) {
            with_tx(inner, tx) {
                (void)inner;
            }
        }
    }
    return ready(int, 0);
}

static void write_in_a_read(void)
{
    exit(bide_run(nest_a_write));
}

TEST_PLAIN(a_write_does_not_join_a_read)
{
    check_dies(write_in_a_read, "inside the with_read_tx of ");
}

/* ---- at the same time ---- */

struct crowd {
    bide_db *db;
    int made, taken;
};

/* What many programs do: look, wait for something, insert. */
SPAWNABLE(void, register_ann, struct crowd *)
async(void) register_ann(struct crowd *crowd)
{
    bide_error *err = NULL;
    item row = {.name = "ann"};
    item *found = await(bide_maybe(crowd->db, item, "name = $1", row.name));
    await(bide_sleep(bide_ms(5)));
    if (!found)
        attempt(&err, bide_insert, crowd->db, item, &row);
    crowd->made += !found && !err;
    crowd->taken += err && err->code == BIDE_CONFLICT && strcmp(err->field, "name") == 0;
    return bide_void;
}

SPAWNABLE(void, increment, struct crowd *)
async(void) increment(struct crowd *crowd)
{
    int64_t changed = await(bide_exec(crowd->db,
                                      "insert into items (name, amount) values ($1, 0)"
                                      " on conflict do nothing",
                                      "counter"));
    crowd->made += changed == 1;
    await(bide_yield());
    changed = await(
        bide_exec(crowd->db, "update items set amount = amount + 1 where name = $1", "counter"));
    check_int(changed, 1);
    return bide_void;
}

DB_TEST(the_same_row_twice_at_once_is_made_once)
{
    with(bide_database, db, c->url) {
        struct crowd crowd = {.db = db};
        await(bide_create_table(db, item));
        with_group(g) {
            for (int i = 0; i < 20; i++)
                spawn_void(g, register_ann, &crowd);
        }
        check_int(crowd.made, 1);
        check_int(crowd.taken, 19);
    }
}

DB_TEST(increments_are_not_lost)
{
    with(bide_database, db, c->url) {
        struct crowd crowd = {.db = db};
        await(bide_create_table(db, item));
        with_group(g) {
            for (int i = 0; i < 100; i++)
                spawn_void(g, increment, &crowd);
        }
        check_int(crowd.made, 1); /* get or create */
        check_int(await(bide_scalar(db, i64, "select amount from items")), 100);
    }
}

/* ---- what is asked ---- */

MODEL(line, "lines", (i64, id, key, generated), (i64, item_id), (str, text), (i32, pieces));
MODEL(summary, "", (str, name), (i64, lines), (i64, pieces, optional));

DB_TEST(joins_groups_and_common_tables_fill_models)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        await(bide_create_table(db, line));
        item items[] = {{.name = "ring"}, {.name = "sword"}, {.name = "cloak"}};
        await(bide_insert_many(db, item, items, 3));
        line lines[] = {{.item_id = items[0].id, .text = "a", .pieces = 2},
                        {.item_id = items[0].id, .text = "b", .pieces = 3},
                        {.item_id = items[1].id, .text = "c", .pieces = 4}};
        await(bide_insert_many(db, line, lines, 3));
        summary_list joined = await(
            bide_all(db, summary,
                     "select i.name, count(l.id) as lines, sum(l.pieces) as pieces from items i"
                     " left join lines l on l.item_id = i.id group by i.id having count(l.id) < $1"
                     " order by i.name desc limit 2 offset 1",
                     9));
        check_int(joined.count, 2);
        check_str(joined.items[0].name, "ring");
        check_int(joined.items[0].lines, 2);
        check_int(joined.items[0].pieces, 5);
        check_str(joined.items[1].name, "cloak");
        check(
            !bide_field_has_value(summary_model(), &summary_model()->fields[2], &joined.items[1]));
        summary best = *await(bide_one(
            db, summary,
            "with best as (select item_id, sum(pieces) as pieces from lines group by item_id)"
            " select name, (select count(*) from lines where item_id = i.id) as lines, pieces"
            " from items i join best b on b.item_id = i.id where pieces = $1"
            " and i.id in (select item_id from lines)",
            4));
        check_str(best.name, "sword");
        check_int(best.lines, 1);
        item_list some =
            c->server
                ? await(bide_all(db, item,
                                 "id in (select cast(value as bigint) from"
                                 " json_array_elements_text($1)) order by id",
                                 "[1, 3]"))
                : await(bide_all(db, item, "id in (select value from json_each($1)) order by id",
                                 "[1, 3]"));
        check_int(some.count, 2);
        check_str(some.items[1].name, "cloak");
        summary_page page = await(bide_page(
            db, summary, 1, 1,
            "select name, 0 as lines, null as pieces from items where id > $1 order by id",
            items[0].id));
        check_int(page.total, 2);
        check_int(page.count, 1);
    }
}

/* ---- several databases, processes that die, many cancelled tasks ---- */

TEST(two_databases_know_nothing_of_each_other)
{
    DB_CASE(c, "");
    DB_CASE(d, "");
    with(bide_database, one, c.url) {
        with(bide_database, two, d.url) {
            await(bide_create_table(one, item));
            await(bide_create_table(two, item));
            with_tx(tx, one) {
                item a = {.name = "a"}, b = {.name = "b"};
                await(bide_insert(tx, item, &a));
                with_tx(other, two) {
                    await(bide_insert(other, item, &b));
                }
                await(bide_tx_rollback(tx));
            }
            check_int(await(count(one)), 0);
            check_int(await(count(two)), 1);
        }
    }
}

static char dying_url[256];

static async(int) die_in_the_middle(void)
{
    with(bide_database, db, dying_url) {
        await(bide_create_table(db, item));
        item a = {.name = "committed"}, b = {.name = "not committed"};
        await(bide_insert(db, item, &a));
        with_tx(tx, db) {
            await(bide_insert(tx, item, &b));
            kill(getpid(), SIGKILL);
        }
    }
    return ready(int, 0);
}

static async(int) look_afterwards(void)
{
    with(bide_database, db, dying_url) {
        check_int(await(count(db)), 1);
        item again = {.name = "not committed"};
        await(bide_insert(db, item, &again));
    }
    return ready(int, 0);
}

TEST_PLAIN(a_process_that_dies_leaves_no_transaction)
{
    DB_CASE(c, "");
    int status = 0;
    snprintf(dying_url, sizeof dying_url, "%s", c.url);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(bide_run(die_in_the_middle, .virtual_clock = true));
    require(child > 0 && waitpid(child, &status, 0) == child);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    check_int(bide_run(look_afterwards, .virtual_clock = true), 0);
}

SPAWNABLE(void, query_for_ever, bide_db *, int)
async(void) query_for_ever(bide_db *db, int n)
{
    const char *name = bide_arena_printf(bide_task_arena(), "n-%d", n % 50);
    for (;;) {
        item row = {.name = name, .amount = n};
        if (n % 3 == 0) {
            await(bide_upsert(db, item, &row, name));
        } else if (n % 3 == 1) {
            with_tx(tx, db) {
                await(bide_upsert(tx, item, &row, name));
                await(bide_yield());
            }
        } else {
            item *found = await(bide_maybe(db, item, "name = $1", name));
            check(!found || strcmp(found->name, name) == 0); /* no reply of another task */
            await(bide_yield());
        }
    }
    return bide_void;
}

/* A janitor has 2 s to roll back what a cancelled task has left. */
static async(bool) none_is_open(bide_db *db)
{
    for (int i = 0; i < 300; i++) {
        if (await(bide_scalar(db, i64,
                              "select count(*) from pg_stat_activity where state like 'idle in "
                              "transaction%'")) == 0)
            return ready(bool, true);
        await(bide_sleep(bide_ms(10)));
    }
    return ready(bool, false);
}

DB_TEST(ten_thousand_cancelled_tasks_leave_it_whole, .reports = true, .timeout_ms = 60000)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        for (int round = 0; round < 20; round++) {
            with_group(g) {
                for (int i = 0; i < 500; i++)
                    spawn_void(g, query_for_ever, db, i);
                for (int turn = 0; turn < 3 * round; turn++)
                    await(bide_yield());
                bide_group_cancel(g, "enough");
            }
        }
        item last = {.name = "last"};
        await(bide_insert(db, item, &last)); /* nobody holds the turn */
        if (c->server)
            check(await(none_is_open(db)));
        else
            check_str(
                await(bide_scalar(db, str, "select integrity_check from pragma_integrity_check")),
                "ok");
    }
}

/* ---- in web handlers ---- */

PROVIDER(bide_tx *, own_tx)
{
    bide_db *db = bide_app_db(req);
    with_tx(tx, db) {
        provide(tx);
    }
}

static bide_tx *whole_test;

PROVIDER(bide_tx *, tx_of_the_test)
{
    with_tx(tx, whole_test) {
        provide(tx);
    }
}

POST(put_item, "/items/{name}", item_name, path(str, name), depends(bide_tx *, tx, own_tx))
{
    item row = {.name = name};
    await(bide_insert(tx, item, &row));
    return item_name_of(&row);
}

DELETE(drop_item, "/items/{id}", nothing, path(i64, id), depends(bide_tx *, tx, own_tx))
{
    await(bide_delete(tx, item, id));
}

GET(read_item, "/items/{id}", item_name, path(i64, id), depends(bide_tx *, tx, own_tx))
{
    return *await(bide_one(tx, item_name, "id = $1", id));
}

static bide_app *items_app(bide_db *db)
{
    bide_app *app = bide_app_new(.db = db);
    bide_app_add(app, "", &put_item_route, &drop_item_route, &read_item_route);
    return app;
}

DB_TEST(a_whole_test_may_be_rolled_back)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_tx(tx, db) {
            whole_test = tx;
            bide_app *app = items_app(db);
            bide_app_override(app, own_tx, tx_of_the_test);
            with_client(client, app) {
                check_int(await(client_post(client, "/items/ring", no_body)).status, 200);
                check_int(await(client_post(client, "/items/ring", no_body)).status, 409);
                check_int(await(client_get(client, "/items/1")).status, 200);
            }
            await(bide_tx_rollback(tx));
        }
        check_int(await(count(db)), 0);
    }
}

DB_TEST(a_missing_row_is_404)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_client(client, items_app(db)) {
            reply r = await(client_get(client, "/items/7"));
            check_int(r.status, 404);
            check_str(json_str(r, "detail"), "no such row");
            r = await(client_delete(client, "/items/7"));
            check_int(r.status, 404);
            check_str(json_str(r, "detail"), "no such item");
        }
    }
}
