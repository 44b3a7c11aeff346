/*
 * A connection to PostgreSQL that is open at one end only: who has a deadline is done in time, the
 * connection is not given to anybody, and all goes on by itself when the path is whole.
 */
#include "../half_open.h"
#include "db_case.h"

static async(void) begin(half_open *path, struct postgres_server *server, char url[200],
                         const char *options)
{
    half_open_begin(path);
    server->host = path->server_host;
    postgres_make(server, "trust");
    await(half_open_connect(path, server->port));
    snprintf(url, 200, "postgresql://tester@%s:%u/test?connect_timeout=1%s", path->host, path->port,
             options);
    return bide_void;
}

/* For `defer`. */
static void end(void *server)
{
    postgres_end(server);
}

static async(void) ask(bide_db *db, int n, int *wrong);
SPAWNABLE(void, ask, bide_db *, int, int *)
static async(void) ask(bide_db *db, int n, int *wrong)
{
    int64_t got = await(bide_scalar(db, i64, "select $1::bigint", n));
    *wrong += got != n;
    return bide_void;
}

static async(void) nap(bide_db *db, int n);
SPAWNABLE(void, nap, bide_db *, int)
static async(void) nap(bide_db *db, int n)
{
    await(bide_sleep(bide_ms(50 * n))); /* the one before it is slow by now */
    (void)await(bide_scalar(db, str, "select pg_sleep(0.2)::text"));
    return bide_void;
}

static async(int64_t) backend(bide_db *db)
{
    return ready(int64_t, await(bide_scalar(db, i64, "select pg_backend_pid()::bigint")));
}

static async(void) until_healed(bide_db *db, int *wrong)
{
    bide_error *err;
    with_deadline(bide_s(20)) {
        do
            attempt(&err, ask, db, 7, wrong);
        while (err);
    }
    return bide_void;
}

static async(void) ask_for_a_while(bide_db *db, int *wrong);
SPAWNABLE(void, ask_for_a_while, bide_db *, int *)
static async(void) ask_for_a_while(bide_db *db, int *wrong)
{
    with_deadline(bide_ms(150))
        await(ask(db, 1, wrong));
    return bide_void;
}

/* Its deadline, or what is known before that. */
static async(void) ends_in_time(bide_db *db, int *wrong)
{
    bide_error *err;
    int64_t began_ns = bide_clock_ns();
    attempt(&err, ask_for_a_while, db, wrong);
    check(err && (err->code == BIDE_TIMEOUT || err->code == BIDE_UNREACHABLE));
    check(bide_clock_ns() - began_ns < bide_ms(1000).ns);
    return bide_void;
}

/* More statements than there are connections, each left by its deadline. */
HALF_OPEN_TEST(statements_end_at_their_deadline, .timeout_ms = 90000)
{
    char url[200];
    struct postgres_server server = {.pid = 0};
    defer(end, &server);
    await(begin(path, &server, url, "&pool_size=3&max_overflow=0"));
    int wrong = 0;
    with(bide_database, db, url) {
        int64_t pid = await(backend(db));
        with_group(g) { /* all connections are there, and idle */
            for (int i = 0; i < 3; i++)
                spawn_void(g, nap, db, i);
        }
        half_open_set(path, true);
        for (int i = 0; i < 8; i++)
            await(ends_in_time(db, &wrong));
        half_open_set(path, false);
        int64_t began_ns = bide_clock_ns();
        await(until_healed(db, &wrong));
        check(bide_clock_ns() - began_ns < bide_s(8).ns);
        if (!path->wire) /* a wire sends again what was lost, and the replies do come */
            check(await(backend(db)) != pid);
        with_group(g) {
            for (int i = 0; i < 100; i++)
                spawn_void(g, ask, db, i, &wrong);
        }
    }
    check_int(wrong, 0);
}

static async(void) hang_in_tx(bide_db *db, half_open *path);
SPAWNABLE(void, hang_in_tx, bide_db *, half_open *)
static async(void) hang_in_tx(bide_db *db, half_open *path)
{
    with_tx(tx, db) {
        item i = {.name = "cut"};
        await(bide_insert(tx, item, &i));
        half_open_set(path, true);
        (void)await(bide_scalar(tx, i64, "select count(*) from items"));
    }
    return bide_void;
}

static async(void) commit_one(bide_db *db, const char *name, half_open *cut);
SPAWNABLE(void, commit_one, bide_db *, const char *, half_open *)
static async(void) commit_one(bide_db *db, const char *name, half_open *cut)
{
    with_tx(tx, db) {
        item i = {.name = name};
        await(bide_insert(tx, item, &i));
        if (cut)
            half_open_set(cut, true);
    }
    return bide_void;
}

HALF_OPEN_TEST(transactions_end, .timeout_ms = 120000)
{
    char url[200];
    struct postgres_server server = {.pid = 0};
    defer(end, &server);
    await(begin(path, &server, url, "&pool_size=2&max_overflow=0"));
    int wrong = 0;
    with(bide_database, db, url) {
        bide_error *err;
        bool late;
        await(bide_create_table(db, item));
        int64_t began_ns = bide_clock_ns();
        move_on_after(&late, bide_ms(300), hang_in_tx, db, path);
        check(late);
        check(bide_clock_ns() - began_ns < bide_s(2).ns);
        half_open_set(path, false);
        await(until_healed(db, &wrong));
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), 0);

        await(commit_one(db, "known", NULL));
        /* Nobody can say what became of a COMMIT: it ends after BIDE_CAP_DB_COMMIT_MS, 10 s. */
        began_ns = bide_clock_ns();
        attempt(&err, commit_one, db, "unknown", path);
        check(err && err->code == BIDE_OUTCOME_UNKNOWN);
        check(bide_clock_ns() - began_ns < bide_s(15).ns);
        half_open_set(path, false);
        await(until_healed(db, &wrong));
    }
    check_int(wrong, 0);
}

HALF_OPEN_TEST(idle_ones_are_asked_before_they_are_lent, .timeout_ms = 90000)
{
    char url[200];
    struct postgres_server server = {.pid = 0};
    defer(end, &server);
    await(begin(path, &server, url, "&pool_size=2&max_overflow=0"));
    int wrong = 0;
    with(bide_database, db, url) {
        int64_t pid = await(backend(db));
        half_open_set(path, true);
        await(bide_sleep(bide_ms(1100)));
        await(ends_in_time(db, &wrong));
        half_open_set(path, false);
        await(until_healed(db, &wrong));
        if (!path->wire)
            check(await(backend(db)) != pid);
    }
    check_int(wrong, 0);
}
