/*
 * What the tests of src/db share: models, and a database: SQLite in a folder of its own, PostgreSQL
 * of the test program with nothing in it. DB_TEST makes a test of each.
 */
#ifndef BIDE_TEST_DB_CASE_H
#define BIDE_TEST_DB_CASE_H

#include "postgres_server.h"

ENUM(level, low, middle, high);
MODEL(item, "items", (i64, id, key, generated), (str, name, unique), (i32, amount),
      (str, note, optional));
MODEL(thing, "things", (uuid, id, key, generated), (time, made_at, generated), (bool, flag),
      (i32, small), (i64, large), (f64, real), (str, text), (bytes, data), (date, day),
      (decimal, price), (level, rank), (json, extra, optional), (i32, age, optional),
      (hash, password, optional));
VIEW(item_name, item, id, name);

struct db_case {
    char folder[64], file[96], url[256];
    bool server;
};

static inline void db_case_done(struct db_case *c)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; !c->server && i < sizeof endings / sizeof *endings; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", c->file, endings[i]);
        unlink(name);
    }
    if (!c->server)
        rmdir(c->folder);
}

static inline struct db_case db_case_new(const char *options)
{
    struct db_case c = {.server = false};
    snprintf(c.folder, sizeof c.folder, "/tmp/bide-db-XXXXXX");
    if (!mkdtemp(c.folder))
        test_skip("no folder for a database can be made");
    snprintf(c.file, sizeof c.file, "%s/test.db", c.folder);
    snprintf(c.url, sizeof c.url, "sqlite://%s%s", c.file, options);
    return c;
}

/* The server of the test program, for the tests that it forks; ended when it ends. */
static struct postgres_server db_server;
static pid_t db_server_owner;

static inline void db_server_end(void)
{
    if (getpid() == db_server_owner)
        postgres_end(&db_server);
}

/* Of programs that define DB_ON_SERVER before they include this. */
#ifdef DB_ON_SERVER
__attribute__((__constructor__)) static void db_server_begin(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--list") == 0)
            return;
    if (!postgres_find(&db_server))
        return;
    db_server_owner = getpid();
    atexit(db_server_end);
    postgres_make(&db_server, "scram-sha-256");
}
#endif

/* `options` begin with "&". */
static inline struct db_case db_case_on_server(const char *options)
{
    struct db_case c = {.server = true};
    char command[700];
    if (db_server.pid <= 0)
        test_skip("no PostgreSQL: ./dev deps test");
    snprintf(command, sizeof command,
             "%s/psql -q -h %s -p %s -U tester -d test -c 'set client_min_messages=error; "
             "drop schema public cascade; create schema public'",
             db_server.bin, db_server.folder, db_server.port);
    require(postgres_shell(command) == 0);
    snprintf(c.url, sizeof c.url, "%s%s", db_server.url, options);
    return c;
}

/* DB_CASE(c, "?options"): SQLite in a folder that goes with the block. DB_SERVER(c, "&options"):
   PostgreSQL. */
#define DB_CASE(c, options)                                                                        \
    struct db_case c __attribute__((__unused__, __cleanup__(db_case_done))) = db_case_new(options)
#define DB_SERVER(c, options)                                                                      \
    struct db_case c __attribute__((__unused__, __cleanup__(db_case_done))) =                      \
        db_case_on_server(options)

/* DB_TEST(name, options of TEST...) { ... c->url ... } */
#define DB_TEST(...) DB_TEST2(__VA_ARGS__, .hidden = false)
#define DB_TEST2(test_name, ...)                                                                   \
    static void test_name##_body(const struct db_case *c) BIDE__TASK;                              \
    TEST(test_name##_on_sqlite, __VA_ARGS__)                                                       \
    {                                                                                              \
        DB_CASE(c, "");                                                                            \
        test_name##_body(&c);                                                                      \
    }                                                                                              \
    TEST(test_name##_on_postgresql, .real_clock = true, __VA_ARGS__)                               \
    {                                                                                              \
        DB_SERVER(c, "");                                                                          \
        test_name##_body(&c);                                                                      \
    }                                                                                              \
    static void test_name##_body(const struct db_case *c)

#endif
