/*
 * What all features of frodo share: its settings, what one worker has, the providers of both.
 *
 * Every worker has a struct frodo of its own: nothing in it needs a lock. What is one for all
 * workers and processes is in the database or in Redis.
 */
#ifndef FRODO_H
#define FRODO_H

#include <bide/bide.h>

ENUM(run_mode, development, production);
ENUM(code_place, sql, redis);

/* Read from the environment and from frodo.env; deploy/frodo.env says what each is for. */
MODEL(frodo_settings, "",
      (run_mode, mode, alias("FRODO_MODE"), dflt(run_mode_development)),
      (bool, demo, alias("FRODO_DEMO"), dflt(false)),
      (str, database_url, alias("DATABASE_URL"), dflt("sqlite://frodo.db")),
      (str, redis_url, alias("REDIS_URL"), optional),
      (str, smtp_url, alias("SMTP_URL"), dflt("outbox:")),
      (str, mail_from, alias("MAIL_FROM"), dflt("Frodo <frodo@localhost.example>")),
      (str, public_url, alias("PUBLIC_URL"), url, dflt("http://127.0.0.1:8000")),
      (secret, secret_key, alias("SECRET_KEY"), len(32, 200), optional),
      (i32, access_token_minutes, alias("ACCESS_TOKEN_EXPIRE_MINUTES"), range(1, 1440), dflt(15)),
      (i32, session_days, alias("SESSION_DAYS"), range(1, 365), dflt(30)),
      (i32, comments_per_minute, alias("COMMENTS_PER_MINUTE"), range(1, 1000000), dflt(10)),
      (code_place, codes, alias("CODES"), dflt(code_place_sql)));

/* Reads them. FRODO_FOLDER (app.c) is none: where the files are is known before. */
bide_settings *frodo_settings_read(bide_arena *arena);

/* What is wrong with settings that are right one by one: NULL, or a line. */
const char *frodo_settings_problem(const frodo_settings *set);

/* The key of tokens and codes. */
const char *frodo_key(const frodo_settings *set);

/* What one worker has. */
typedef struct frodo {
    const frodo_settings *settings;
    bide_app *app;
    bide_arena *arena;  /* of the application */
    const char *secret; /* frodo_key */
    const char *folder; /* of migrations, templates and files */
    bide_templates *templates;
    bide_db *db;
    bide_cache *cache;
    bide_redis *redis; /* NULL without REDIS_URL */
    bide_mailer *mailer;
    bide_task_ref sweeper;                                /* of accounts; on the first loop */
    bide_limit *comments_of_account, *comments_of_client; /* of the process (blog/comments.c) */
} frodo;

/* One worker's application, from the settings of the environment; NULL when it said on stderr why
   not. Not in a task. */
bide_app *frodo_app(void);

/* The same from settings that were read; for tests. They live as long as the application. */
bide_app *frodo_app_with(const frodo_settings *settings);

/* The folder of the migrations for a database's URL. */
const char *frodo_migrations(bide_arena *arena, const char *url);

static inline frodo *frodo_of(bide_request *req)
{
    return bide_app_state(req);
}

/* Each statement by itself. */
PROVIDER(bide_db *, database)
{
    provide(frodo_of(req)->db);
}

/* One transaction for the whole request: committed before the reply is sent. */
PROVIDER(bide_tx *, writes)
{
    with_tx(tx, frodo_of(req)->db) {
        provide(tx);
    }
}

/* One state of the data for the whole request. */
PROVIDER(bide_tx *, reads)
{
    with_read_tx(tx, frodo_of(req)->db) {
        provide(tx);
    }
}

#endif
