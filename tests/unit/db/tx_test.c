/*
 * tx_test.c: transactions: how a block is left, savepoints, turns to write, other processes, full
 * disks, cancels at every await.
 */
#define DB_ON_SERVER
#include "db_case.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static async(int64_t) count(bide_db *db)
{
    return ready(int64_t, await(bide_scalar(db, i64, "select count(*) from items")));
}

static void note(void *arg)
{
    ++*(int *)arg;
}

SPAWNABLE(int, leave, bide_db *, int, int *)
async(int) leave(bide_db *db, int how, int *hooks)
{
    with_tx(tx, db) {
        item i = {.name = bide_arena_printf(bide_task_arena(), "left-%d", how)};
        await(bide_insert(tx, item, &i));
        bide_tx_on_commit(tx, note, &hooks[0]);
        bide_tx_on_rollback(tx, note, &hooks[1]);
        if (how == 1)
            return ready(int, 7);
        if (how == 2)
            fail(bide_error_new(1000, "on purpose"));
        if (how == 3)
            await(bide_tx_rollback(tx));
        if (how == 4)
            bide_cancel_task(bide_current_task(), "enough");
        if (how == 4)
            await(bide_yield());
    }
    return ready(int, 8);
}

SPAWNABLE(void, leave_cancelled, bide_db *, int *)
async(void) leave_cancelled(bide_db *db, int *hooks)
{
    await(leave(db, 4, hooks));
    return bide_void;
}

DB_TEST(it_commits_or_rolls_back_by_how_it_is_left)
{
    bide_error *err = NULL;
    int hooks[2] = {0};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        check_int(await(leave(db, 0, hooks)), 8);
        check_int(await(count(db)), 1);
        check_int(await(leave(db, 1, hooks)), 7);
        check_int(await(count(db)), 2);
        check_int(hooks[0], 2);
        attempt(&err, leave, db, 2, hooks);
        check(err && err->code == 1000);
        check_int(await(leave(db, 3, hooks)), 8);
        with_group(g) {
            spawn_void(g, leave_cancelled, db, hooks);
        }
        check_int(await(count(db)), 2);
        check_int(hooks[0], 2);
        check_int(hooks[1], 3);
        with_tx(tx, db) {
            (void)tx; /* without a statement nothing begins */
        }
        with_read_tx(tx, db) {
            check_int(await(bide_scalar(tx, i64, "select count(*) from items")), 2);
            attempt(&err, bide_exec, tx, "delete from items");
            check(err && err->code == BIDE_MISUSE);
        }
    }
}

SPAWNABLE(void, insert_nested, bide_tx *, item *, size_t)
async(void) insert_nested(bide_tx *tx, item *rows, size_t count)
{
    with_tx(inner, tx) {
        await(bide_insert_many(inner, item, rows, count));
    }
    return bide_void;
}

DB_TEST(a_nested_one_is_a_savepoint)
{
    bide_error *err = NULL;
    int hooks[2] = {0};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_tx(tx, db) {
            item a = {.name = "a"}, b = {.name = "b"}, again = {.name = "a"};
            with_tx(inner, tx) {
                await(bide_insert(inner, item, &a));
                bide_tx_on_commit(inner, note, &hooks[0]);
            }
            check_int(hooks[0], 0);
            with_tx(inner, tx) {
                await(bide_insert(inner, item, &b));
                bide_tx_on_rollback(inner, note, &hooks[1]);
                await(bide_tx_rollback(inner));
            }
            check_int(hooks[1], 1);
            attempt(&err, insert_nested, tx, &again, 1);
            check(err && err->code == BIDE_CONFLICT);
            item many[] = {{.name = "x"}, {.name = "a"}};
            attempt(&err, insert_nested, tx, many, 2);
            check(err && err->code == BIDE_CONFLICT);
        }
        check_int(hooks[0], 1);
        check_int(await(count(db)), 1);
    }
}

static async(void) go_on_after(bide_db *db, int way)
{
    bide_error *err = NULL;
    with_tx(tx, db) {
        item a = {.name = "a"}, again = {.name = "a"};
        item many[] = {{.name = "x"}, {.name = "a"}};
        await(bide_insert(tx, item, &a));
        if (way == 0)
            attempt(&err, bide_insert, tx, item, &again);
        else if (way == 1)
            (void)attempt(&err, bide_exec, tx, "select * from nowhere");
        else
            attempt(&err, bide_insert_many, tx, item, many, 2);
        check(err != NULL);
        if (way == 0)
            await(bide_do(tx, "delete from items"));
    }
    return bide_void;
}
SPAWNABLE(void, go_on_after, bide_db *, int)

/* What the program catches, the transaction does not forget, on neither database. */
DB_TEST(after_a_refused_statement_it_can_only_be_left)
{
    bide_error *err = NULL;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        for (int way = 0; way < 3; way++) {
            bide_error *end = NULL;
            attempt(&end, go_on_after, db, way);
            require(end);
            check_int(end->code, BIDE_QUERY);
            check_contains(end->message, "can only be rolled back, because of an earlier error");
            check_contains(end->message, "tx_test.c:");
            check_int(await(count(db)), 0);
        }
        with_tx(tx, db) {
            item a = {.name = "a"}, again = a, other = {.name = "b"};
            item gone = {.id = 99};
            await(bide_insert(tx, item, &a));
            attempt(&err, insert_nested, tx, &again, 1);
            check(err && err->code == BIDE_CONFLICT);
            /* Nothing was refused by the database here. */
            attempt(&err, bide_update, tx, item, &gone, amount);
            check(err && err->code == BIDE_NOT_FOUND);
            check_int((int)attempt(&err, bide_exec, tx, "delete from items where id = $1"), 0);
            check(err && err->code == BIDE_QUERY);
            await(bide_insert(tx, item, &other));
        }
        check_int(await(count(db)), 2);
    }
}

static bool many_write; /* at a time: a server lets them */

SPAWNABLE(void, add_slowly, bide_db *, int, int *)
async(void) add_slowly(bide_db *db, int n, int *inside)
{
    with_tx(tx, db) {
        item i = {.name = bide_arena_printf(bide_task_arena(), "slow-%d", n)};
        await(bide_insert(tx, item, &i));
        ++*inside;
        check(many_write || *inside == 1);
        await(bide_sleep(bide_ms(3)));
        --*inside;
    }
    return bide_void;
}

SPAWNABLE(void, add, bide_db *, int)
async(void) add(bide_db *db, int n)
{
    item i = {.name = bide_arena_printf(bide_task_arena(), "n-%d", n)};
    await(bide_insert(db, item, &i));
    check_int(await(bide_scalar(db, i64, "select count(*) from items where name = $1", i.name)), 1);
    return bide_void;
}

DB_TEST(writes_take_turns)
{
    int inside = 0;
    many_write = c->server;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_group(g) {
            for (int i = 0; i < 8; i++) {
                spawn_void(g, add_slowly, db, i, &inside);
                spawn_void(g, add, db, 2 * i);
                spawn_void(g, add, db, 2 * i + 1);
            }
        }
        check_int(await(count(db)), 24);
    }
}

SPAWNABLE(void, add_badly, bide_db *, int *)
async(void) add_badly(bide_db *db, int *failures)
{
    bide_error *err = NULL;
    item i = {.name = "n-1"};
    attempt(&err, bide_insert, db, item, &i);
    *failures += err && err->code == BIDE_CONFLICT;
    return bide_void;
}

DB_TEST(one_of_a_batch_fails_alone)
{
    int failures = 0;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        await(add(db, 1));
        with_group(g) {
            for (int i = 2; i < 50; i++) {
                spawn_void(g, add, db, i);
                spawn_void(g, add_badly, db, &failures);
            }
        }
        check_int(failures, 48);
        check_int(await(count(db)), 49);
    }
}

TEST(a_turn_that_waits_for_itself_is_told)
{
    with(bide_database, db, "sqlite://:memory:") {
        bide_error *err = NULL;
        await(bide_create_table(db, item));
        test_capture_stderr();
        with_tx(tx, db) {
            item i = {.name = "a"};
            await(bide_insert(tx, item, &i));
            attempt(&err, bide_exec, db, "delete from items");
        }
        test_captured();
        check(err && err->code == BIDE_DEADLOCK);
        check_int(await(count(db)), 1);
    }
}

/* The compilers refuse a bide_tx * as a parameter. */
struct holder {
    bide_tx *tx;
};

SPAWNABLE(int64_t, use_it, struct holder *)
async(int64_t) use_it(struct holder *holder)
{
    return ready(int64_t, await(bide_exec(holder->tx, "delete from items")));
}

static async(int) foreign_main(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, item));
        with_tx(tx, db) {
            await(bide_do(tx, "delete from items"));
            struct holder holder = {tx};
            with_group(g) {
                spawn_void(g, use_it, &holder);
            }
        }
    }
    return ready(int, 0);
}

static void use_a_foreign_one(void)
{
    exit(bide_run(foreign_main));
}

TEST_PLAIN(foreign_use_names_both_tasks)
{
    check_dies(use_a_foreign_one, "'use_it' uses the transaction of task #");
}

DB_TEST(a_reader_sees_one_state)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_read_tx(tx, db) {
            check_int(await(bide_scalar(tx, i64, "select count(*) from items")), 0);
            await(add(db, 1));
            check_int(await(bide_scalar(tx, i64, "select count(*) from items")), 0);
        }
        check_int(await(count(db)), 1);
    }
}

/* ---- cancels and failed allocations, at every point ---- */

static async(void) everything(bide_db *db)
{
    item a = {.name = "a"}, b = {.name = "b"};
    await(bide_insert(db, item, &a));
    with_tx(tx, db) {
        await(bide_insert(tx, item, &b));
        with_tx(inner, tx) {
            await(bide_do(inner, "update items set amount = 5"));
        }
        check_int(await(bide_all(tx, item, "")).count, 2);
    }
    with_read_tx(tx, db) {
        check_int(await(bide_all(tx, item, "order by id")).count, 2);
    }
    await(bide_page(db, item, 1, 10, "order by id"));
    await(bide_delete(db, item, a.id));
    return bide_void;
}

DB_TEST(a_cancel_at_every_await_leaves_nothing_open, .cancel_everywhere = true)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        await(everything(db));
        check_int(await(count(db)), 1);
    }
}

DB_TEST(each_allocation_may_fail, .fail_allocations = true)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        await(everything(db));
    }
}

/* ---- other processes, full disks ---- */

SPAWNABLE(void, write_some, bide_db *, const char *)
async(void) write_some(bide_db *db, const char *who)
{
    for (int i = 0; i < 30; i++) {
        with_tx(tx, db) {
            item row = {.name = bide_arena_printf(bide_task_arena(), "%s-%d", who, i)};
            await(bide_insert(tx, item, &row));
            await(bide_sleep(bide_ms(1)));
        }
    }
    return bide_void;
}

TEST(two_processes_write, .real_clock = true)
{
    DB_CASE(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
    }
    fflush(NULL);
    char command[400];
    snprintf(command, sizeof command,
             "exec python3 -c \"import sqlite3\nd = sqlite3.connect('%s', timeout=20, "
             "isolation_level=None)\nfor i in range(30):\n d.execute('begin immediate')\n "
             "d.execute('insert into items (name, amount) values (?, 1)', ('p-%%d' %% i,))\n "
             "d.execute('commit')\"",
             c.file);
    FILE *other = popen(command, "r");
    require(other);
    with(bide_database, db, c.url) {
        with_group(g) {
            spawn_void(g, write_some, db, "a");
            spawn_void(g, write_some, db, "b");
        }
        check_int(pclose(other), 0);
        check_int(await(count(db)), 90);
    }
}

TEST(a_process_that_holds_it_is_a_timeout)
{
    DB_CASE(c, "?busy_timeout_ms=200");
    bide_error *err = NULL;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        char command[300];
        snprintf(command, sizeof command,
                 "python3 -c \"import sqlite3, sys\nd = sqlite3.connect('%s', "
                 "isolation_level=None)\nd.execute('begin immediate')\nprint('held', flush=True)\n"
                 "sys.stdin.read()\" <&9",
                 c.file);
        int ends[2];
        require(pipe(ends) == 0);
        require(dup2(ends[0], 9) == 9);
        close(ends[0]);
        fcntl(ends[1], F_SETFD, FD_CLOEXEC);
        FILE *other = popen(command, "r");
        char line[16];
        require(other && fgets(line, sizeof line, other));
        attempt(&err, bide_exec, db, "delete from items");
        check(err && err->code == BIDE_TX_RETRY);
        if (err)
            check_contains(err->message, "200 ms");
        check_int(await(count(db)), 0);
        close(ends[1]);
        close(9);
        check_int(pclose(other), 0);
        check_int(await(bide_exec(db, "delete from items")), 0);
    }
}

TEST(a_full_disk_is_an_error_and_nothing_is_lost)
{
    DB_CASE(c, "");
    bide_error *err = NULL;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(add(db, 1));
        struct rlimit before, tight;
        getrlimit(RLIMIT_FSIZE, &before);
        tight = (struct rlimit){100 * 1024, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &tight);
        static char large[200 * 1024];
        memset(large, 'x', sizeof large - 1);
        item big = {.name = "big", .note = large};
        attempt(&err, bide_insert, db, item, &big);
        check(err && err->code == BIDE_SYSTEM);
        setrlimit(RLIMIT_FSIZE, &before);
        check_int(await(count(db)), 1);
        await(add(db, 2));
        check_int(await(count(db)), 2);
    }
}
