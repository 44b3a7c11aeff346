/*
 * engine_test.c: engines: slow reads, several loops, every string, closing, in web handlers.
 */
#include <bide/log.h>
#include <bide/web_test.h>

#define DB_ON_SERVER
#include "db_case.h"

#define SLOW_QUERY                                                                                 \
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1) "                \
    "select count(*) from n"

SPAWNABLE(void, tick, int *)
async(void) tick(int *ticks)
{
    for (;;) {
        await(bide_sleep(bide_ms(1)));
        ++*ticks;
    }
    return bide_void;
}

TEST(a_slow_read_leaves_the_loop, .real_clock = true)
{
    DB_CASE(c, "");
    int ticks = 0;
    with(bide_database, db, c.url) {
        with_group(g) {
            task(void) other = spawn(g, tick, &ticks);
            check_int(await(bide_scalar(db, i64, SLOW_QUERY, 2000000)), 2000000);
            with_read_tx(tx, db) {
                check_int(await(bide_scalar(tx, i64, SLOW_QUERY, 2000000)), 2000000);
            }
            check(ticks > 3);
            bide_cancel(other, "enough");
            bide_task_ref ref = bide_ref(other);
            await(bide_wait(BIDE_ALL, &ref, 1));
        }
    }
}

SPAWNABLE(int64_t, slow, bide_db *)
async(int64_t) slow(bide_db *db)
{
    return ready(int64_t, await(bide_scalar(db, i64, SLOW_QUERY, INT64_C(1) << 50)));
}

TEST(a_deadline_ends_a_read_that_would_never_end, .real_clock = true)
{
    DB_CASE(c, "?readers=1");
    with(bide_database, db, c.url) {
        for (int i = 0; i < 2; i++) {
            bool late = false;
            move_on_after(&late, bide_ms(60), slow, db);
            check(late);
        }
        check_int(await(bide_scalar(db, i64, "select 5")), 5);
    }
}

/* ---- loops ---- */

static struct db_case shared_case;

static async(void) write_on_a_loop(void)
{
    with(bide_database, db, shared_case.url) {
        for (int i = 0; i < 40; i++) {
            item row = {.name =
                            bide_arena_printf(bide_task_arena(), "%d-%d", bide_loop_index(), i)};
            if (i % 2) {
                await(bide_insert(db, item, &row));
                continue;
            }
            with_tx(tx, db) {
                await(bide_insert(tx, item, &row));
                await(bide_yield());
            }
        }
    }
    return bide_void;
}

static async(void) prepare_and_count(void)
{
    with(bide_database, db, shared_case.url) {
        await(bide_create_table(db, item));
        int64_t rows = await(bide_scalar(db, i64, "select count(*) from items"));
        check(rows == 0 || rows == 160);
        shared_case.folder[63] = rows == 160;
    }
    return bide_void;
}

TEST_PLAIN(loops_take_turns)
{
    shared_case = db_case_new("");
    check_int(bide_run(prepare_and_count), 0);
    check_int(bide_run(write_on_a_loop, .loops = 4), 0);
    check_int(bide_run(prepare_and_count), 0);
    check_int(shared_case.folder[63], 1);
    db_case_done(&shared_case);
}

/* What the loops below have reached. */
enum { NOTHING, WRITES, OTHER_WAITS, WRITTEN };
static int step;

static async(void) reach(int wanted)
{
    while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) < wanted)
        await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static void reached(int now)
{
    __atomic_store_n(&step, now, __ATOMIC_RELEASE);
}

SPAWNABLE(void, write_row, bide_db *, const char *)
async(void) write_row(bide_db *db, const char *name)
{
    with_tx(tx, db) {
        await(bide_insert(tx, item, &(item){.name = name}));
    }
    return bide_void;
}

/* The first loop gives the turn to a task of the second, whose loop has not heard of it yet. */
static async(void) pass_the_turn(void)
{
    with(bide_database, db, shared_case.url) {
        if (bide_loop_index() == 0) {
            await(bide_create_table(db, item));
            with_tx(tx, db) {
                await(bide_insert(tx, item, &(item){.name = "one"}));
                reached(WRITES);
                await(reach(OTHER_WAITS));
            }
            reached(WRITTEN);
        } else {
            await(reach(WRITES));
            with_group(g) {
                spawn_void(g, write_row, db, "two");
                await(bide_sleep(bide_ms(5)));
                reached(OTHER_WAITS);
                while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) != WRITTEN)
                    sched_yield(); /* keeps the loop */
                await(write_row(db, "three"));
            }
            check_int(await(bide_scalar(db, i64, "select count(*) from items")), 3);
        }
    }
    return bide_void;
}

TEST_PLAIN(a_turn_that_is_on_its_way_is_no_deadlock)
{
    shared_case = db_case_new("");
    check_int(bide_run(pass_the_turn, .loops = 2), 0);
    db_case_done(&shared_case);
}

/* ---- processes ---- */

static bide_db *inherited;
static bide_tx *inherited_tx;

static void ask_it(void) BIDE__UNCHECKED;
static void ask_it(void)
{
    (void)await(bide_scalar(inherited, i64, "select 1"));
}

static void begin_on_it(void) BIDE__UNCHECKED;
static void begin_on_it(void)
{
    with_tx(tx, inherited)
        await(bide_do(tx, "delete from items"));
}

static void go_on_in_it(void) BIDE__UNCHECKED;
static void go_on_in_it(void)
{
    await(bide_do(inherited_tx, "delete from items"));
}

static void close_it(void) BIDE__UNCHECKED;
static void close_it(void)
{
    await(bide_db_close(inherited, NULL));
}

DB_TEST(the_child_of_a_fork_cannot_use_it)
{
    static const char said[] = "which was forked off after it was opened";
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        inherited = db;
        with_tx(tx, db) {
            item row = {.name = "a"};
            await(bide_insert(tx, item, &row));
            inherited_tx = tx;
            check_dies(go_on_in_it, said);
        }
        check_dies(ask_it, said);
        check_dies(begin_on_it, said);
        check_dies(close_it, said);
        /* The parent goes on. */
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 1);
    }
}

/* ---- closing ---- */

SPAWNABLE(void, use_for_a_while, bide_db *)
async(void) use_for_a_while(bide_db *db)
{
    with_tx(tx, db) {
        item row = {.name = "late"};
        await(bide_insert(tx, item, &row));
        bide_task_ready();
        await(bide_sleep(bide_ms(5)));
    }
    return bide_void;
}

DB_TEST(closing_waits_for_the_last_user)
{
    with_group(g) {
        with(bide_database, db, c->url) {
            await(bide_create_table(db, item));
            await(start_ready(g, use_for_a_while, db));
        }
    }
    with(bide_database, db, c->url) {
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 1);
    }
}

/* ---- in web handlers ---- */

PROVIDER(bide_tx *, writes)
{
    bide_db *db = bide_app_db(req);
    with_tx(tx, db) {
        provide(tx);
    }
}

MODEL(item_in, "", (str, name), (i32, amount));

POST(add_item, "/items", item_name, status(201), body(item_in, form),
     depends(bide_tx *, tx, writes))
{
    item row = {.name = form->name, .amount = form->amount};
    await(bide_insert(tx, item, &row));
    if (form->amount > 9)
        fail(http_error(400, "too many"));
    return item_name_of(&row);
}

POST(add_part, "/parts", nothing, depends(bide_tx *, tx, writes))
{
    await(bide_do(tx, "insert into parts (item) values (77)"));
}

POST(add_late_part, "/late-parts", nothing, status(201), depends(bide_tx *, tx, writes))
{
    await(bide_do(tx, "insert into late_parts (item) values (77)")); /* the commit says no */
}

GET(list_items, "/items", page(item_name))
{
    bide_db *db = bide_app_db(req);
    return await(bide_page(db, item_name, 1, 10, "order by id"));
}

/* Opened and closed by the application itself. */
static async(void) open_engine(bide_app *app)
{
    bide_app_set_db(app, await(bide_db_open("sqlite://:memory:")));
    await(bide_create_table(bide_app_db(app), item));
    return bide_void;
}

static async(void) close_engine(bide_app *app)
{
    await(bide_db_close(bide_app_db(app), NULL));
    return bide_void;
}

TEST(an_application_opens_its_own)
{
    bide_app *app = bide_app_new(.start = open_engine, .stop = close_engine);
    bide_app_add(app, "", &add_item_route, &list_items_route);
    with_client(client, app) {
        reply r = await(client_post(client, "/items", json("{\"name\":\"ring\",\"amount\":1}")));
        check_int(r.status, 201);
        check_int(json_int(await(client_get(client, "/items")), "total"), 1);
    }
}

static void ask_without(void)
{
    bide_app *app = bide_app_new(.state = "no database");
    check(!bide_app_db(app));
}

TEST(an_application_without_one_says_so)
{
    check_dies(ask_without, "the application has no database: bide_app_new(.db = db)");
}

MODEL(secretive, "secretives", (str, name, key), (i32, n));

POST(add_secretive, "/secretives", nothing, body(secretive, form))
{
    secretive row = *form;
    await(bide_insert(bide_app_db(req), secretive, &row));
}

POST(retry_later, "/retry", nothing)
{
    fail(bide_error_new(BIDE_TX_RETRY, "could not serialize 10.0.0.1"));
}

POST(no_server, "/no-server", nothing)
{
    fail(bide_error_new(BIDE_UNREACHABLE, "postgresql: connection to server at 10.0.0.1"));
}

static const char *detail_of(bide_client_ptr client, const char *path, const char *body,
                             int status) BIDE__TASK;
static const char *detail_of(bide_client_ptr client, const char *path, const char *body, int status)
{
    reply r = await(client_post(client, path, json(body)));
    check_int(r.status, status);
    return status == 204 ? NULL : json_str(r, "detail");
}

/* The log has the names of rules; who asks has not. */
DB_TEST(a_peer_is_told_nothing_of_the_database)
{
    with(bide_database, db, c->url) {
        await(bide_do(db, "create table secretives (name varchar(9) primary key, n integer not "
                          "null, constraint wages_below_100 check (n < 100))"));
        await(bide_do(db, "create unique index secret_names on secretives (lower(name))"));
        bide_app *app = bide_app_new(.db = db);
        bide_app_add(app, "", &add_secretive_route, &retry_later_route, &no_server_route);
        test_capture_stderr();
        with_client(client, app) {
            detail_of(client, "/secretives", "{\"name\":\"Ann\",\"n\":1}", 204);
            check_str(detail_of(client, "/secretives", "{\"name\":\"ann\",\"n\":1}", 409),
                      "this value is taken");
            check_str(detail_of(client, "/secretives", "{\"name\":\"Bob\",\"n\":100}", 422),
                      "a rule of the table says no");
            if (c->server)
                check_str(
                    detail_of(client, "/secretives", "{\"name\":\"Bob Bobson\",\"n\":1}", 422),
                    "a value is too long");
            check_str(detail_of(client, "/retry", "{}", 503),
                      "another change was in the way: try again");
            check_str(detail_of(client, "/no-server", "{}", 503),
                      "something that is needed for this does not answer: try again later");
        }
        bide_log_flush(1000);
        check_contains(test_captured(), "10.0.0.1");
    }
}

DB_TEST(handlers_use_transactions, .cancel_everywhere = true)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        await(bide_do(db, "create table parts (item integer references items(id))"));
        await(bide_do(db, "create table late_parts (item integer references items(id) "
                          "deferrable initially deferred)"));
        bide_app *app = bide_app_new(.db = db);
        bide_app_add(app, "", &add_item_route, &add_part_route, &add_late_part_route,
                     &list_items_route);
        with_client(client, app) {
            reply r =
                await(client_post(client, "/items", json("{\"name\":\"ring\",\"amount\":1}")));
            check_int(r.status, 201);
            r = await(client_post(client, "/items", json("{\"name\":\"ring\",\"amount\":1}")));
            check_int(r.status, 409);
            check_str(json_str(r, "detail"), "this name is taken");
            r = await(client_post(client, "/parts", json("{}")));
            check_int(r.status, 422);
            r = await(client_post(client, "/late-parts", json("{}")));
            check_int(r.status, 422);
            r = await(client_post(client, "/items", json("{\"name\":\"sword\",\"amount\":10}")));
            check_int(r.status, 400);
            r = await(client_get(client, "/items"));
            check_int(json_int(r, "total"), 1);
            check_str(json_str(r, "items.0.name"), "ring");
        }
    }
}
