/*
 * migrate_test.c: folders of migrations, on databases.
 */
#define DB_ON_SERVER
#include "db_case.h"

#include <sys/stat.h>
#include <sys/wait.h>

/* A folder of migrations and a database, both gone with the block. */
struct migration_case {
    struct db_case db;
    char folder[96];
    char files[16][128];
    int count;
};

static void case_done(struct migration_case *c)
{
    for (int i = 0; i < c->count; i++)
        unlink(c->files[i]);
    rmdir(c->folder);
    db_case_done(&c->db);
}

static struct migration_case case_of(struct db_case db)
{
    struct migration_case c = {.db = db, .folder = "/tmp/bide-migrations-XXXXXX"};
    require(mkdtemp(c.folder));
    return c;
}

#define MIGRATION_CASE(c, db)                                                                      \
    struct migration_case c __attribute__((__cleanup__(case_done))) = case_of(db)

/* MIGRATION_TEST(name, options of TEST...) { ... c->folder ... }: on each database. */
#define MIGRATION_TEST(...) MIGRATION_TEST2(__VA_ARGS__, .hidden = false)
#define MIGRATION_TEST2(test_name, ...)                                                            \
    static void test_name##_body(struct migration_case *c) BIDE__TASK;                             \
    TEST(test_name##_on_sqlite, __VA_ARGS__)                                                       \
    {                                                                                              \
        MIGRATION_CASE(c, db_case_new(""));                                                        \
        test_name##_body(&c);                                                                      \
    }                                                                                              \
    TEST(test_name##_on_postgresql, .real_clock = true, __VA_ARGS__)                               \
    {                                                                                              \
        MIGRATION_CASE(c, db_case_on_server(""));                                                  \
        test_name##_body(&c);                                                                      \
    }                                                                                              \
    static void test_name##_body(struct migration_case *c)

static void put(struct migration_case *c, const char *name, const char *text)
{
    char *path = c->files[c->count++];
    snprintf(path, sizeof c->files[0], "%s/%s", c->folder, name);
    FILE *file = fopen(path, "w");
    require(file);
    fputs(text, file);
    fclose(file);
}

#define FIRST "-- migrate:up\ncreate table a (x integer);\n-- migrate:down\ndrop table a;\n"
#define SECOND                                                                                     \
    "-- what a b is\n-- migrate:up\ncreate table b (y text default ';');\n"                        \
    "insert into b values ('it''s; one');\n\n-- migrate:down\ndrop table b;\n"

#define FAILS_WITH(code_, part, call, ...)                                                         \
    do {                                                                                           \
        bide_error *err_ = NULL;                                                                   \
        (void)attempt(&err_, call, __VA_ARGS__);                                                   \
        require(err_);                                                                             \
        check_int(err_->code, code_);                                                              \
        if (!strstr(err_->message, part))                                                          \
            check_str(err_->message, part);                                                        \
    } while (0)

static async(int64_t) tables(const struct migration_case *c, bide_db *db)
{
    return ready(int64_t, c->db.server
                              ? await(bide_scalar(db, i64,
                                                  "select count(*) from pg_tables where schemaname "
                                                  "= 'public' and tablename <> 'bide_migrations'"))
                              : await(bide_scalar(db, i64,
                                                  "select count(*) from sqlite_master where type = "
                                                  "'table' and name <> 'bide_migrations'")));
}

MIGRATION_TEST(files_are_applied_once_and_taken_back)
{
    put(c, "0001_a.sql", FIRST);
    put(c, "0002_b.sql", SECOND);
    with(bide_database, db, c->db.url) {
        check_int(await(bide_migrate(db, c->folder)), 2);
        check_int(await(bide_migrate(db, c->folder)), 0);
        check_str(await(bide_scalar(db, str, "select y from b")), "it's; one");
        check_int(await(bide_scalar(db, i64, "select count(*) from bide_migrations")), 2);
        put(c, "0003_c.sql", "-- migrate:up\ncreate table c (z integer);\n");
        check_int(await(bide_migrate_to(db, c->folder, 2)), 0);
        check_int(await(bide_migrate(db, c->folder)), 1);
        FAILS_WITH(BIDE_SCHEMA, "0003_c.sql has no part `-- migrate:down`", bide_migrate_to, db,
                   c->folder, 1);
        check_int(await(tables(c, db)), 3);
        check_int(await(bide_exec(db, "delete from bide_migrations where number = 3")), 1);
        check(await(bide_exec(db, "drop table c")) >= 0);
        unlink(c->files[2]);
        check_int(await(bide_migrate_to(db, c->folder, 1)), 1);
        check_int(await(tables(c, db)), 1);
        check_int(await(bide_migrate_to(db, c->folder, 0)), 1);
        check_int(await(tables(c, db)), 0);
        check_int(await(bide_migrate(db, c->folder)), 2);
    }
}

MIGRATION_TEST(a_file_that_fails_leaves_nothing)
{
    put(c, "0001_a.sql", FIRST);
    put(c, "0002_b.sql",
        "-- migrate:up\ncreate table b (y integer);\ninsert into b values (1);\n\ninsert into\n "
        "nowhere "
        "values (1);\n");
    with(bide_database, db, c->db.url) {
        FAILS_WITH(BIDE_QUERY, c->db.server ? "0002_b.sql:6: " : "0002_b.sql:5: ", bide_migrate, db,
                   c->folder);
        check_int(await(tables(c, db)), 1);
        check_int(await(bide_scalar(db, i64, "select max(number) from bide_migrations")), 1);
        put(c, "0002_b.sql", "-- migrate:up\nselect 1;\nselect\n  1 + );\n");
        FAILS_WITH(BIDE_QUERY, "0002_b.sql:4: ", bide_migrate, db, c->folder);
        put(c, "0002_b.sql", "-- migrate:up\ncreate table b (y integer);\ncommit;\n");
        FAILS_WITH(BIDE_QUERY, "0002_b.sql:3: the file runs in a transaction", bide_migrate, db,
                   c->folder);
        check_int(await(tables(c, db)), 1);
        put(c, "0002_b.sql",
            "-- migrate:up\ncreate table b (y integer unique);\ninsert into b values (1);\n"
            "insert or rollback into b values (1);\n");
        if (c->db.server)
            return;
        FAILS_WITH(BIDE_CONFLICT, "0002_b.sql:4: ", bide_migrate, db, c->folder);
        check_int(await(tables(c, db)), 1);
    }
}

MIGRATION_TEST(what_does_not_agree_is_named)
{
    put(c, "0001_a.sql", FIRST);
    put(c, "0002_b.sql", SECOND);
    with(bide_database, db, c->db.url) {
        check_int(await(bide_migrate(db, c->folder)), 2);
        put(c, "0001_a.sql", FIRST "-- more\n");
        FAILS_WITH(BIDE_SCHEMA, "0001_a.sql has changed since it was applied", bide_migrate, db,
                   c->folder);
        put(c, "0001_a.sql",
            "-- migrate:up\r\ncreate table a (x integer);\r\n"
            "-- migrate:down\r\ndrop table a;\r\n");
        check_int(await(bide_migrate(db, c->folder)), 0);
        rename(c->files[1], c->files[0]);
        unlink(c->files[0]);
        FAILS_WITH(BIDE_SCHEMA, "0001_a.sql was applied and is not in the folder", bide_migrate, db,
                   c->folder);
        put(c, "0001_a.sql", FIRST);
        put(c, "0002_c.sql", SECOND);
        FAILS_WITH(BIDE_SCHEMA, "0002_c.sql was applied as 0002_b.sql", bide_migrate, db,
                   c->folder);
        unlink(c->files[c->count - 1]);
        put(c, "0002_b.sql", SECOND);
        check_int(await(bide_exec(db, "delete from bide_migrations where number = 1")), 1);
        FAILS_WITH(BIDE_SCHEMA, "0001_a.sql comes too late: 0002_b.sql was applied already",
                   bide_migrate, db, c->folder);
    }
}

TEST(a_wrong_folder_is_told_before_anything_runs)
{
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"0003_c.sql", FIRST, "there is no migration 0002 before 0003_c.sql"},
        {"0001_b.sql", FIRST, "0001_a.sql and 0001_b.sql have the same number"},
        {"0002_b.up.sql", FIRST, "'0002_b.up.sql' is no name of a migration"},
        {"b.sql", FIRST, "'b.sql' is no name of a migration"},
        {"0002_.sql", FIRST, "'0002_.sql' is no name of a migration"},
        {"0002_b.sql", "create table b (x);\n",
         "0002_b.sql:1: SQL before the line `-- migrate:up`"},
        {"0002_b.sql", "-- nothing\n", "0002_b.sql has no line `-- migrate:up`"},
        {"0002_b.sql", "-- migrate:up\n\n--migrate: down\n", "0002_b.sql:3: `-- migrate: down`"},
        {"0002_b.sql", "-- migrate:down\n-- migrate:up\n", "0002_b.sql:2: "},
        {"0002_b.sql", "-- migrate:up\n-- migrate:up\n", "0002_b.sql:2: "},
        {"0002_b.sql", "-- migrate:up transaction:no\n", "0002_b.sql:1: "},
        {"0002_b.sql", "-- migrate:up transactionless\n", "0002_b.sql:1: "},
        {"0002_b.sql", "-- migrate:upwards\n", "0002_b.sql:1: "},
        {"0002_b.sql", "-- migrate:up\nselect 1;\n/* a", "0002_b.sql:3: a comment is opened"},
        {"0002_b.sql", "-- migrate:up\n-- migrate:down\nselect 'a", "0002_b.sql:3: a quote is"},
    };
    with(bide_database, db, "sqlite://:memory:") {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            MIGRATION_CASE(c, db_case_new(""));
            put(&c, "0001_a.sql", FIRST);
            put(&c, cases[i].name, cases[i].text);
            FAILS_WITH(BIDE_INVALID, cases[i].message, bide_migrate, db, c.folder);
        }
        FAILS_WITH(BIDE_SYSTEM, "'/nowhere/at/all': No such file", bide_migrate, db,
                   "/nowhere/at/all");
        check_int(await(bide_scalar(db, i64, "select count(*) from sqlite_master")), 0);
    }
}

TEST(times_are_numbers_too)
{
    MIGRATION_CASE(c, db_case_new(""));
    put(&c, "20261121093000_a.sql", FIRST);
    put(&c, "20270101000000_b.sql", SECOND);
    put(&c, "README.md", "not read");
    with(bide_database, db, c.db.url) {
        check_int(await(bide_migrate(db, c.folder)), 2);
        check_int(await(bide_migrate_to(db, c.folder, INT64_C(20261121093000))), 1);
    }
}

TEST(a_file_without_a_transaction)
{
    MIGRATION_CASE(c, db_case_new(""));
    put(&c, "0001_a.sql", FIRST);
    put(&c, "0002_b.sql",
        "-- migrate:up transaction:false\nvacuum;\npragma foreign_keys = off;\nbegin;\n"
        "create table b (y integer);\ncommit;\npragma foreign_keys = on;\n"
        "-- migrate:down transaction:false\ndrop table b;\nvacuum;\n");
    with(bide_database, db, c.db.url) {
        check_int(await(bide_migrate(db, c.folder)), 2);
        check_int(await(bide_migrate_to(db, c.folder, 1)), 1);
        check_int(await(tables(&c, db)), 1);
    }
}

TEST(a_cancel_in_a_migration_is_told_as_one, .real_clock = true)
{
    MIGRATION_CASE(c, db_case_on_server(""));
    put(&c, "0001_slow.sql", "-- migrate:up\nselect pg_sleep(60);\n");
    with(bide_database, db, c.db.url) {
        bool late = false;
        (void)move_on_after(&late, bide_ms(100), bide_migrate, db, c.folder);
        check(late);
    }
}

TEST(a_server_makes_an_index_beside_writers, .real_clock = true)
{
    MIGRATION_CASE(c, db_case_on_server(""));
    put(&c, "0001_a.sql",
        "-- migrate:up\ncreate table a (x integer);\n"
        "create function twice(n integer) returns integer as $body$\n"
        "begin return 2 * n; end;\n$body$ language plpgsql;\n");
    put(&c, "0002_b.sql",
        "-- migrate:up transaction:false\ncreate index concurrently a_by_x on a (x);\nvacuum a;\n"
        "-- migrate:down transaction:false\ndrop index concurrently a_by_x;\n");
    with(bide_database, db, c.db.url) {
        check_int(await(bide_migrate(db, c.folder)), 2);
        check_int(await(bide_scalar(db, i64, "select twice(21)")), 42);
        check_int(await(bide_migrate_to(db, c.folder, 1)), 1);
        check_int(await(bide_migrate(db, c.folder)), 1);
        put(&c, "0003_c.sql", "-- migrate:up\ncreate index concurrently c on a (x);\n");
        FAILS_WITH(BIDE_QUERY, "0003_c.sql:2: ", bide_migrate, db, c.folder);
    }
}

MIGRATION_TEST(what_did_not_end_is_named_until_it_is_taken_back)
{
    char url[300];
    snprintf(url, sizeof url, "%s%s", c->db.url, c->db.server ? "" : "?busy_timeout_ms=50");
    put(c, "0001_a.sql",
        "-- migrate:up transaction:false\ncreate table a (x integer);\ninsert into nowhere values "
        "(1);\n"
        "-- migrate:down\ndrop table if exists a;\n");
    with(bide_database, db, url) {
        FAILS_WITH(BIDE_QUERY, "0001_a.sql:3: ", bide_migrate, db, c->folder);
        FAILS_WITH(BIDE_SCHEMA, "0001_a.sql was begun without a transaction and has not ended",
                   bide_migrate, db, c->folder);
        check_int(await(tables(c, db)), 1);
        check_int(await(bide_migrate_to(db, c->folder, 0)), 1);
        check_int(await(tables(c, db)), 0);
        FAILS_WITH(BIDE_QUERY, "0001_a.sql:3: ", bide_migrate, db, c->folder);
    }
}

/* ---- several at once ---- */

static int64_t applied; /* atomic */

static async(void) start_up(struct migration_case *c);
SPAWNABLE(void, start_up, struct migration_case *)
static async(void) start_up(struct migration_case *c)
{
    with(bide_database, db, c->db.url) {
        int64_t count = await(bide_migrate(db, c->folder));
        applied += count;
    }
    return bide_void;
}

MIGRATION_TEST(engines_of_one_process_apply_each_once)
{
    put(c, "0001_a.sql", FIRST);
    put(c, "0002_b.sql", SECOND);
    put(c, "0003_c.sql", "-- migrate:up transaction:false\ncreate table c (x integer);\n");
    applied = 0;
    with_group(g) {
        for (int i = 0; i < 8; i++)
            spawn_void(g, start_up, c);
    }
    check_int(applied, 3);
}

static struct migration_case *starting;
static async(void) start_alone(void)
{
    await(start_up(starting));
    return bide_void;
}

static int processes_at_once(struct migration_case *c)
{
    enum { PROCESSES = 6 };
    pid_t children[PROCESSES];
    int failed = 0;
    starting = c;
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(bide_run(start_alone) == 0 ? (int)applied : 100);
    }
    applied = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        if (children[i] < 0 || waitpid(children[i], &status, 0) < 0 || !WIFEXITED(status) ||
            WEXITSTATUS(status) == 100)
            failed++;
        else
            applied += WEXITSTATUS(status);
    }
    return failed;
}

TEST_PLAIN(processes_that_start_at_once_apply_each_once)
{
    MIGRATION_CASE(c, db_case_new(""));
    char name[32], text[128];
    for (int i = 1; i <= 9; i++) {
        snprintf(name, sizeof name, "%04d_t%d.sql", i, i);
        snprintf(text, sizeof text, "-- migrate:up\ncreate table t%d (x integer);\n", i);
        put(&c, name, text);
    }
    applied = 0;
    check_int(processes_at_once(&c), 0);
    check_int(applied, 9);
}

/* ---- what comes in between ---- */

/* Once more for each await that is cancelled, each allocation that fails: what was applied is
   whole, and the next start does the rest. */
static async(void) start_in_between(void)
{
    MIGRATION_CASE(c, db_case_new(""));
    bide_error *error = NULL;
    put(&c, "0001_a.sql", FIRST);
    put(&c, "0002_b.sql", SECOND);
    attempt(&error, start_up, &c);
    shielded(bide_s(20)) {
        with(bide_database, db, c.db.url) {
            int64_t left = await(bide_migrate(db, c.folder));
            check(left >= 0 && left <= 2 && (left == 0 || error));
            check_int(await(tables(&c, db)), 2);
            check_int(await(bide_scalar(db, i64, "select count(*) from b")), 1);
        }
    }
    return bide_void;
}

TEST(a_cancel_at_any_await_leaves_whole_files, .cancel_everywhere = true)
{
    await(start_in_between());
}

TEST(each_allocation_of_a_start_may_fail, .fail_allocations = true)
{
    await(start_in_between());
}
