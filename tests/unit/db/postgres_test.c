/*
 * postgres_test.c: what only a server can do to its clients: it dies, stops, restarts, is full,
 * does not know who asks; slow statements, cancelled ones, deadlines, schemas that change.
 */
#define DB_ON_SERVER
#include "../effects.h"
#include "db_case.h"

static async(int64_t) open_transactions(bide_db *db)
{
    return ready(int64_t,
                 await(bide_scalar(db, i64,
                                   "select count(*) from pg_stat_activity where pid <> "
                                   "pg_backend_pid() and datname = 'test' and xact_start is not "
                                   "null")));
}

/* Waits until the server has nothing open: janitors have up to 2 s. */
static async(bool) comes_to_rest(bide_db *db)
{
    for (int i = 0; i < 100; i++) {
        if (await(open_transactions(db)) == 0)
            return ready(bool, true);
        await(bide_sleep(bide_ms(50)));
    }
    return ready(bool, false);
}

/* The code of a failure to open. */
static async(int) open_fails(const char *url, const char *part)
{
    bide_error *err = NULL;
    bide_db *db = attempt(&err, bide_db_open, url);
    if (!check(err != NULL)) {
        await(bide_db_close(db, NULL));
        return ready(int, 0);
    }
    check_contains(err->message, part);
    check(!strstr(err->message, "secret"));
    return ready(int, err->code);
}

TEST(who_cannot_connect_is_told_why, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "");
    char url[300];
    snprintf(url, sizeof url, "postgresql://tester:wrong-secret@127.0.0.1:%s/test", db_server.port);
    check_int(await(open_fails(url, "password")), BIDE_INVALID);
    snprintf(url, sizeof url, "postgresql://tester:secret@127.0.0.1:%s/nowhere", db_server.port);
    check_int(await(open_fails(url, "nowhere")), BIDE_INVALID);
    check_int(await(open_fails("postgresql://127.0.0.1:1/x", "refused")), BIDE_UNREACHABLE);
    check_int(await(open_fails("postgresql:///x?host=/nowhere", "nowhere")), BIDE_UNREACHABLE);
    check_int(await(open_fails("postgresql://x/y?nothing=1", "nothing")), BIDE_INVALID);
    check_int(await(open_fails("postgresql://x:70000/y", "70000")), BIDE_UNREACHABLE);
    check_int(await(open_fails("postgresql://x/y?pool_size=0", "pool_size")), BIDE_INVALID);
    with(bide_database, db, db_server.tcp_url) {
        check_int(await(bide_scalar(db, i64, "select 6")), 6);
    }
}

SPAWNABLE(void, ask_for_own, bide_db *, int, int *)
async(void) ask_for_own(bide_db *db, int n, int *wrong)
{
    int64_t got = await(bide_scalar(db, i64, "select $1::bigint", n));
    *wrong += got != n;
    return bide_void;
}

SPAWNABLE(void, sleep_there, bide_db *, int)
async(void) sleep_there(bide_db *db, int n)
{
    (void)await(bide_scalar(db, str, "select pg_sleep(30)::text || $1::text", n));
    return bide_void;
}

SPAWNABLE(void, sleep_in_tx, bide_db *, int)
async(void) sleep_in_tx(bide_db *db, int n)
{
    with_tx(tx, db) {
        item i = {.name = bide_arena_printf(bide_task_arena(), "in-%d", n)};
        await(bide_insert(tx, item, &i));
        (void)await(bide_scalar(tx, str, "select pg_sleep(30)::text"));
    }
    return bide_void;
}

TEST(ten_thousand_cancelled_tasks, .real_clock = true, .timeout_ms = 120000)
{
    DB_SERVER(c, "&pool_size=4&max_overflow=0&max_waiting=20000");
    int wrong = 0;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        for (int round = 0; round < 10; round++) {
            with_group(g) {
                for (int i = 0; i < 1000; i++)
                    spawn_void(g, ask_for_own, db, i, &wrong);
                for (int i = 0; i < round; i++)
                    await(bide_yield());
                if (round > 5)
                    await(bide_sleep(bide_ms(round)));
                bide_group_cancel(g, "enough");
            }
            with_group(g) {
                for (int i = 0; i < 50; i++)
                    spawn_void(g, ask_for_own, db, -i, &wrong);
            }
        }
        check_int(wrong, 0);
        check(await(comes_to_rest(db)));
    }
}

SPAWNABLE(void, meet_in_tx, bide_db *, int *, int)
async(void) meet_in_tx(bide_db *db, int *inside, int expected)
{
    with_tx(tx, db) {
        check(await(bide_scalar(tx, i64, "select 1")) == 1);
        ++*inside;
        while (*inside < expected)
            await(bide_sleep(bide_ms(1)));
    }
    return bide_void;
}

/* Whatever the cores: transactions that wait for their commits need one each. */
TEST(sixteen_transactions_are_open_at_a_time_by_default, .real_clock = true)
{
    DB_SERVER(c, "&max_overflow=0&pool_timeout=10");
    int inside = 0;
    with(bide_database, db, c.url) {
        with_group(g) {
            for (int i = 0; i < 16; i++)
                spawn_void(g, meet_in_tx, db, &inside, 16);
        }
        check_int(await(bide_scalar(db, i64,
                                    "select count(*) from pg_stat_activity where "
                                    "usename = current_user and datname is not null")),
                  16);
    }
    check_int(inside, 16);
}

TEST(cancelled_transactions_leave_nothing_open, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "&pool_size=4&max_overflow=0");
    int wrong = 0;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        for (int round = 0; round < 3; round++) {
            with_group(g) {
                for (int i = 0; i < 10; i++)
                    spawn_void(g, sleep_in_tx, db, i);
                await(bide_sleep(bide_ms(100)));
                bide_group_cancel(g, "enough");
            }
            int64_t before_ns = bide_clock_ns();
            await(ask_for_own(db, 5, &wrong));
            check(bide_clock_ns() - before_ns < INT64_C(3000000000));
        }
        check(await(comes_to_rest(db)));
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 0);
    }
    check_int(wrong, 0);
}

TEST(a_slow_statement_does_not_hold_up_the_others, .real_clock = true, .reports = true,
     .timeout_ms = 60000)
{
    DB_SERVER(c, "&pool_size=4&max_overflow=0");
    int wrong = 0;
    with(bide_database, db, c.url) {
        await(ask_for_own(db, 1, &wrong));
        with_group(g) {
            spawn_void(g, sleep_there, db, 1);
            await(bide_sleep(bide_ms(100)));
            int64_t before_ns = bide_clock_ns();
            for (int i = 0; i < 100; i++)
                await(ask_for_own(db, i, &wrong));
            check(bide_clock_ns() - before_ns < INT64_C(2000000000));
            bide_group_cancel(g, "enough");
        }
    } /* closing ends what nobody waits for */
    check_int(wrong, 0);
}

TEST(the_server_ends_a_statement_at_its_deadline, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "");
    bide_error *err = NULL;
    char url[300];
    snprintf(url, sizeof url, "%s&statement_timeout_ms=300", c.url);
    with(bide_database, db, url) {
        attempt(&err, sleep_there, db, 1);
        check(err && err->code == BIDE_TIMEOUT);
        check_str(await(bide_scalar(db, str, "select current_setting('statement_timeout')")),
                  "300ms");
    }
    with(bide_database, db, c.url) {
        bool late = false;
        move_on_after(&late, bide_ms(50), sleep_there, db, 2);
        check(late);
        check(await(comes_to_rest(db))); /* it would sleep for 30 s */
        check_str(await(bide_scalar(db, str, "select current_setting('statement_timeout')")),
                  "30s");
    }
}

static async(void) kill_backends(bide_db *db)
{
    /* The killed one is another's: ours ends with its answer. */
    bide_error *err = NULL;
    (void)attempt(&err, bide_exec, db,
                  "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'test' "
                  "and pid <> pg_backend_pid()");
    return bide_void;
}

SPAWNABLE(void, die_within, bide_db *, bide_db *)
async(void) die_within(bide_db *db, bide_db *other)
{
    with_tx(tx, db) {
        item i = {.name = "a"};
        await(bide_insert(tx, item, &i));
        await(kill_backends(other));
        await(bide_do(tx, "delete from items"));
    }
    return bide_void;
}

TEST(a_killed_backend_is_replaced, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "&pool_size=4");
    bide_error *err = NULL;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        with(bide_database, other, c.url) {
            attempt(&err, die_within, db, other);
            check(err && err->code == BIDE_UNREACHABLE);
        }
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 0);
    }
}

static int ends[3]; /* committed, rolled back, unknown */

static void note_end(void *count)
{
    ++*(int *)count;
}

SPAWNABLE(void, commit_slowly, bide_db *)
async(void) commit_slowly(bide_db *db)
{
    with_tx(tx, db) {
        bide_tx_on_commit(tx, note_end, &ends[0]);
        bide_tx_on_rollback(tx, note_end, &ends[1]);
        with_tx(inner, tx)
            bide_tx_on_unknown(inner, note_end, &ends[2]);
        await(bide_do(tx, "insert into slow_end values (1)"));
    }
    return bide_void;
}

SPAWNABLE(void, commit_and_tell, bide_db *, int *)
async(void) commit_and_tell(bide_db *db, int *code)
{
    bide_error *err = NULL;
    attempt(&err, commit_slowly, db);
    *code = err ? err->code : 0;
    return bide_void;
}

TEST(a_commit_without_an_answer_is_unknown, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "&pool_size=4");
    int code = 0;
    with(bide_database, db, c.url) {
        await(bide_do(db, "create table slow_end (a integer)"));
        await(bide_do(db, "create function nap() returns trigger language plpgsql as "
                          "'begin perform pg_sleep(30); return null; end'"));
        await(bide_do(db, "create constraint trigger t after insert on slow_end deferrable "
                          "initially deferred for each row execute function nap()"));
        with_group(g) {
            spawn_void(g, commit_and_tell, db, &code);
            await(bide_sleep(bide_ms(200)));
            with(bide_database, other, c.url) {
                await(kill_backends(other));
            }
        }
    }
    check_int(code, BIDE_OUTCOME_UNKNOWN);
    check_int(ends[0] + ends[1], 0);
    check_int(ends[2], 1);
}

TEST(a_changed_table_is_met_with_a_new_plan, .real_clock = true)
{
    DB_SERVER(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        item i = {.name = "a"};
        await(bide_insert(db, item, &i));
        check_int(
            await(bide_all(db, item_name, "select * from (select id, name from items) x")).count,
            1);
        await(bide_do(db, "alter table items alter column name type varchar(20)"));
        check_int(
            await(bide_all(db, item_name, "select * from (select id, name from items) x")).count,
            1);
        await(bide_do(db, "deallocate all"));
        check_int(
            await(bide_all(db, item_name, "select * from (select id, name from items) x")).count,
            1);
    }
}

SPAWNABLE(void, hold_one, bide_db *)
async(void) hold_one(bide_db *db)
{
    with_tx(tx, db) {
        check_int(await(bide_scalar(tx, i64, "select 1::bigint")), 1);
        await(bide_sleep(bide_ms(1500)));
    }
    return bide_void;
}

SPAWNABLE(void, hold_and_tell, bide_db *, int *)
async(void) hold_and_tell(bide_db *db, int *limited)
{
    bide_error *err = NULL;
    attempt(&err, hold_one, db);
    *limited += err && err->code == BIDE_LIMIT;
    return bide_void;
}

/* What the start says of a pool of this size, on so many loops. */
static char pool_url[256];

SPAWNABLE(void, check_room, bide_db *)
async(void) check_room(bide_db *db)
{
    bide_check_room(db);
    return bide_void;
}

static async(void) open_pool(void)
{
    with(bide_database, db, pool_url) {
        check_int(await(bide_scalar(db, i64, "select 1")), 1);
        bide_error *err;
        attempt(&err, check_room, db);
        bool is_short = bide_loop_count() == 3 && bide_loop_index() == 0;
        check(is_short ? err && err->code == BIDE_LIMIT : !err);
        if (is_short)
            check_contains(err->message, "54 connections");
    }
    return bide_void;
}

TEST_PLAIN(a_pool_that_the_server_has_no_room_for_is_said_at_the_start, .timeout_ms = 60000)
{
    static const char part[] = "max_connections is 40, of which 3 are reserved";
    DB_SERVER(c, "&pool_size=12&max_overflow=6"); /* 18 on a loop, and there is room for 37 */
    snprintf(pool_url, sizeof pool_url, "%s", c.url);
    for (int loops = 2; loops <= 3; loops++) {
        test_capture_stderr();
        check_int(bide_run(open_pool, .loops = loops), 0);
        const char *said = test_captured();
        if (loops == 2) {
            check(!strstr(said, part));
        } else {
            check_contains(said, part);
            check_contains(said, "may open 54 connections (pool_size and max_overflow make 18, on "
                                 "each of 3 loops), and the server has room for 37");
            check(!strstr(strstr(said, part) + 1, part)); /* once */
        }
    }
}

TEST(no_more_connections_than_the_server_has, .real_clock = true, .reports = true,
     .timeout_ms = 60000)
{
    DB_SERVER(c, "&pool_size=100&max_overflow=0");
    int wrong = 0, limited = 0;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        with_group(g) {
            for (int i = 0; i < 60; i++)
                spawn_void(g, hold_and_tell, db, &limited);
        }
        check(limited > 0);
        await(ask_for_own(db, 1, &wrong));
    }
}

/* ---- the server itself ---- */

SPAWNABLE(void, keep_asking, bide_db *, int *)
async(void) keep_asking(bide_db *db, int *answers)
{
    bide_error *err = NULL;
    for (int i = 0; i < 400; i++) {
        int64_t got = attempt(&err, bide_scalar, db, i64, "select 7::bigint");
        *answers += !err && got == 7;
        if (err && !check(err->code == BIDE_UNREACHABLE || err->code == BIDE_TIMEOUT))
            bide_error_print(err);
        await(bide_sleep(bide_ms(5)));
    }
    return bide_void;
}

/* Its own server, since the others of the program use theirs. */
TEST(a_restart_under_load_heals_by_itself, .real_clock = true, .reports = true,
     .timeout_ms = 120000)
{
    struct postgres_server own = {.pid = 0};
    int answers = 0;
    postgres_make(&own, "trust");
    with(bide_database, db, own.url) {
        with_group(g) {
            for (int i = 0; i < 20; i++)
                spawn_void(g, keep_asking, db, &answers);
            await(bide_sleep(bide_ms(200)));
            postgres_stop(&own, SIGQUIT);
            await(bide_sleep(bide_ms(200)));
            int before = answers;
            postgres_start(&own);
            await(bide_sleep(bide_ms(1500)));
            check(answers > before);
        }
        check_int(await(bide_scalar(db, i64, "select 8::bigint")), 8);
    }
    postgres_end(&own);
}

TEST(a_frozen_server_is_waited_for_no_longer_than_asked, .real_clock = true, .timeout_ms = 120000)
{
    struct postgres_server own = {.pid = 0};
    postgres_make(&own, "trust");
    with(bide_database, db, own.url) {
        bool late = false;
        int64_t pid = await(bide_scalar(db, i64, "select pg_backend_pid()::bigint"));
        kill((pid_t)pid, SIGSTOP);
        kill(own.pid, SIGSTOP);
        move_on_after(&late, bide_ms(200), sleep_there, db, 1);
        check(late);
        kill((pid_t)pid, SIGCONT);
        kill(own.pid, SIGCONT);
        check_int(await(bide_scalar(db, i64, "select 8::bigint")), 8);
    }
    postgres_end(&own);
}

/* ---- TLS, poolers ---- */

TEST(the_server_is_known_by_its_certificate, .real_clock = true, .timeout_ms = 120000)
{
    struct postgres_server own = {.settings = "ssl=on"};
    char command[700], url[400];
    postgres_prepare(&own, "scram-sha-256");
    snprintf(command, sizeof command,
             "cd %s/data && openssl req -new -x509 -days 2 -nodes -batch -subj /CN=localhost "
             "-addext subjectAltName=DNS:localhost -out server.crt -keyout server.key 2>/dev/null "
             "&& chown --reference=PG_VERSION server.crt server.key && chmod 600 server.key && "
             "cp server.crt ../root.crt && chmod 644 ../root.crt",
             own.folder);
    if (postgres_shell(command) != 0) {
        postgres_end(&own);
        test_skip("no openssl to make a certificate with");
    }
    postgres_begin(&own);
    snprintf(url, sizeof url,
             "postgresql://tester:secret@localhost:%s/test?hostaddr=127.0.0.1&"
             "sslmode=verify-full&sslrootcert=%s/root.crt",
             own.port, own.folder);
    with(bide_database, db, url) {
        check(await(
            bide_scalar(db, bool, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")));
        static char large[300000];
        memset(large, 'x', sizeof large - 1);
        check_int(
            await(bide_scalar(db, i64, "select length($1::text)::bigint", (const char *)large)),
            (int)sizeof large - 1);
    }
    snprintf(url, sizeof url,
             "postgresql://tester:secret@other:%s/test?hostaddr=127.0.0.1&sslmode=verify-full&"
             "sslrootcert=%s/root.crt",
             own.port, own.folder);
    check_int(await(open_fails(url, "does not match")), BIDE_UNREACHABLE);
    postgres_end(&own);
}

SPAWNABLE(void, add_in_tx, bide_db *, int)
async(void) add_in_tx(bide_db *db, int n)
{
    with_tx(tx, db) {
        item i = {.name = bide_arena_printf(bide_task_arena(), "n-%d", n)};
        await(bide_insert(tx, item, &i));
        check_int(await(bide_scalar(tx, i64, "select count(*) from items where name = $1", i.name)),
                  1);
    }
    return bide_void;
}

TEST(a_pooler_in_transaction_mode, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "");
    char command[900], url[300], port[8], folder[] = "/tmp/bide-pooler-XXXXXX";
    char *args[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
    int wrong = 0;
    pid_t pid;
    if (system("command -v pgbouncer >/dev/null") != 0)
        test_skip("no pgbouncer: ./dev deps test");
    require(mkdtemp(folder));
    chmod(folder, 0777);
    postgres_free_port(port);
    snprintf(command, sizeof command,
             "cd %s && printf '%%s\n' '[databases]' 'test = host=%s port=%s user=tester' "
             "'[pgbouncer]' 'listen_addr=127.0.0.1' 'listen_port=%s' 'auth_type=any' "
             "'pool_mode=transaction' 'default_pool_size=3' 'unix_socket_dir=' >ini && exec %s%s%s "
             "pgbouncer -q ini >log 2>&1",
             folder, db_server.folder, db_server.port, port,
             db_server.user[0] ? "setpriv --reuid=" : "", db_server.user,
             db_server.user[0] ? " --clear-groups" : "");
    require(posix_spawnp(&pid, "sh", NULL, NULL, args, environ) == 0);
    await(bide_sleep(bide_ms(500)));
    snprintf(url, sizeof url,
             "postgresql://tester@127.0.0.1:%s/test?statement_cache=0&pool_size=6&"
             "max_overflow=0",
             port);
    with(bide_database, db, url) {
        await(bide_create_table(db, item));
        for (int round = 0; round < 3; round++) {
            with_group(g) {
                for (int i = 0; i < 100; i++)
                    spawn_void(g, ask_for_own, db, i, &wrong);
                for (int i = 0; i < 10; i++)
                    spawn_void(g, add_in_tx, db, 10 * round + i);
            }
        }
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 30);
    }
    check_int(wrong, 0);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    require(postgres_shell(command) == 0);
}

/* ---- what was sent before a cancel ---- */

enum way { ALONE, IN_TX, READS };

SPAWNABLE(void, use_slowly, bide_db *, enum way, double)
async(void) use_slowly(bide_db *db, enum way way, double seconds)
{
    if (way == READS)
        (void)await(bide_scalar(db, i64, "select 1::int8 from pg_sleep($1)", seconds));
    else if (way == ALONE)
        await(bide_do(db, "insert into slow select 1 from pg_sleep($1)", seconds));
    else
        with_tx(tx, db)
            await(bide_do(tx, "insert into slow select 1 from pg_sleep($1)", seconds));
    return bide_void;
}

SPAWNABLE(void, fail_soon)
async(void) fail_soon(void)
{
    await(bide_sleep(bide_ms(50)));
    fail(bide_error_new(BIDE_UNREACHABLE, "another one is away"));
}

SPAWNABLE(void, use_beside, bide_db *, enum way, int *)
async(void) use_beside(bide_db *db, enum way way, int *calls)
{
    ++*calls;
    await(gather(bide_into_void(use_slowly, db, way, 10.0), bide_into_void(fail_soon)));
    return bide_void;
}

/* By itself it is committed perhaps; in a transaction it is rolled back. */
TEST(a_write_that_was_sent_before_a_cancel_is_not_made_again, .real_clock = true,
     .timeout_ms = 30000)
{
    static const bide_retry_policy again = {
        .tries = 3, .first = {1000000}, .codes = {BIDE_UNREACHABLE}};
    static const int expected[] = {[ALONE] = 1, [IN_TX] = 3, [READS] = 3};
    DB_SERVER(c, "");
    with(bide_database, db, c.url) {
        await(bide_do(db, "create table slow (x int)"));
        for (enum way way = ALONE; way <= READS; way++) {
            bide_error *err;
            struct bide__memory memory;
            int calls = 0;
            await(use_slowly(db, way, 0)); /* it is connected, and knows the statement */
            effects_begin(&memory);
            retry(&err, &again, use_beside, db, way, &calls);
            check_int(effects_end(&memory), way == ALONE);
            check(err && err->code == BIDE_UNREACHABLE);
            check_int(calls, expected[way]);
        }
    }
}

#define READS_WITH "with x as (select 3::int8 as updates) select updates from x"
#define WRITES_WITH "with x as (insert into t values (4) returning n) select n from x"

TEST(a_query_that_begins_with_with, .real_clock = true)
{
    DB_SERVER(c, "");
    with(bide_database, db, c.url) {
        struct bide__memory memory;
        await(bide_do(db, "create table t (n int8)"));
        with_read_tx(tx, db)
            check_int(await(bide_scalar(tx, i64, READS_WITH)), 3);
        effects_begin(&memory);
        check_int(await(bide_scalar(db, i64, READS_WITH)), 3);
        check(!effects_end(&memory));
        effects_begin(&memory);
        check_int(await(bide_scalar(db, i64, WRITES_WITH)), 4);
        check(effects_end(&memory));
    }
}
