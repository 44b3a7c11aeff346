/*
 * For the tests of all features: FRODO_TEST makes a test on SQLite and one on PostgreSQL, each with
 * an empty database, whose body has `c->settings` for frodo_app_with.
 *
 *     FRODO_TEST(sam_reads_his_profile)
 *     {
 *         with_frodo(client, site, c) {
 *             await(frodo_make_user(site->db, "sam", "member"));   // role: admin, editor, member
 *             await(frodo_login(client, "sam"));                   // by token, until frodo_logout
 *             check_int(await(client_get(client, "/api/users/me")).status, 200);
 *         }
 *     }
 */
#ifndef FRODO_TESTING_H
#define FRODO_TESTING_H

#define DB_ON_SERVER 1
#include "../../tests/unit/db/db_case.h"

#include "accounts/accounts.h"

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
                            .session_days = 30,
                            .comments_per_minute = 10};
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

/* The password of all who are made here. */
#define FRODO_PASSWORD "correct horse battery"

/* Tests of accounts make many hashes: cheap ones. */
__attribute__((constructor)) static void frodo_cheap_passwords(void)
{
    static const bide_password_options cheap = {.memory_bytes = 8192, .passes = 1};
    if (bide_password_setup(&cheap) < 0)
        abort();
}

#define with_frodo(client, site, c)                                                                \
    bide_app *site##_app = frodo_app_with((c)->settings);                                          \
    frodo *site __attribute__((unused)) = bide_app_state(site##_app);                              \
    with_client(client, site##_app)

/* An account with the address NAME@shire.example; gives its id. */
static inline async(int64_t) frodo_make_user(bide_db *db, const char *name, const char *of_role)
{
    bide_plain_pw password = {FRODO_PASSWORD};
    user u = {.email = bide_arena_printf(bide_task_arena(), "%s@shire.example", name),
              .username = name,
              .password = await(bide_password_hash(password)),
              .about = "",
              .role_id =
                  await(bide_scalar(db, i64, "select id from roles where name = $1", of_role))};
    await(bide_insert(db, user, &u));
    return ready(int64_t, u.id);
}

/* Later requests of the client are this account's. */
static inline async(void) frodo_login(bide_client *client, const char *name)
{
    const char *form =
        bide_arena_printf(bide_task_arena(), "username=%s&password=%s", name, FRODO_PASSWORD);
    reply r = await(client_post(client, "/api/auth/login", urlencoded(form)));
    require(r.status == 200);
    client_header(client, "Authorization",
                  bide_arena_printf(bide_task_arena(), "Bearer %s", json_str(r, "access_token")));
    return bide_void;
}

static inline void frodo_logout(bide_client *client)
{
    client_header(client, "Authorization", NULL);
}

/* Later requests of the client are those of a browser: it wants pages, and sends forms of our own
   pages, and their cookies. */
static inline void frodo_browse(bide_client *client)
{
    client_header(client, "Sec-Fetch-Site", "same-origin");
    client_header(client, "Accept", "text/html,application/xml;q=0.9,*/*;q=0.8");
}

/* The same for a browser that logs in. */
static inline async(void) frodo_login_page(bide_client *client, const char *name)
{
    const char *form =
        bide_arena_printf(bide_task_arena(), "username=%s&password=%s", name, FRODO_PASSWORD);
    frodo_browse(client);
    require(await(client_post(client, "/login", urlencoded(form))).status == 303);
    return bide_void;
}

/* The code in the newest mail to an address, which may still be on its way; NULL: there is none. */
static inline async(str) frodo_mailed_code(const char *to)
{
    const bide_outbox_mail *mail = NULL;
    for (int i = 0; i < 100 && !mail; i++) {
        await(bide_sleep(bide_ms(1)));
        mail = bide_outbox_last(to);
    }
    const char *code = mail ? strstr(mail->text, " is ") : NULL;
    bool has_one = code && strspn(code + 4, "0123456789") == 6;
    return ready(str, has_one ? bide_arena_strndup(bide_task_arena(), code + 4, 6) : NULL);
}

#endif
