/*
 * For the tests of all features: FRODO_TEST makes a test on SQLite and one on PostgreSQL, each with
 * an empty database, whose body has `c->settings` for frodo_app_with.
 */
#ifndef FRODO_TESTING_H
#define FRODO_TESTING_H

#define DB_ON_SERVER 1
#include "../../tests/unit/db/db_case.h"

#include "frodo.h"

#include <bide/web_test.h>

struct frodo_case {
    struct db_case db;
    frodo_settings set;
    const frodo_settings *settings;
};

static inline frodo_settings frodo_test_settings(const char *database_url)
{
    return (frodo_settings){.database_url = database_url,
                            .smtp_url = "outbox:",
                            .mail_from = "Frodo <frodo@shire.example>",
                            .public_url = "http://testserver",
                            .secret_key = {"a secret of the tests, long enough for all"},
                            .access_token_minutes = 15,
                            .session_days = 30};
}

static inline void frodo_case_open(struct frodo_case *c, bool server)
{
    c->db = server ? db_case_on_server("") : db_case_new("?synchronous=off");
    c->set = frodo_test_settings(c->db.url);
    c->settings = &c->set;
}

static inline void frodo_case_done(struct frodo_case *c)
{
    db_case_done(&c->db);
}

#define FRODO_TEST(name)                                                                           \
    static void name##_body(struct frodo_case *c) BIDE__TASK;                                      \
    FRODO__TEST(name, on_sqlite, false)                                                            \
    FRODO__TEST(name, on_postgresql, true)                                                         \
    static void name##_body(struct frodo_case *c)
#define FRODO__TEST(name, where, server)                                                           \
    TEST(name##_##where, .real_clock = server)                                                     \
    {                                                                                              \
        __attribute__((cleanup(frodo_case_done))) struct frodo_case c = {.settings = NULL};        \
        frodo_case_open(&c, server);                                                               \
        name##_body(&c);                                                                           \
    }

#endif
