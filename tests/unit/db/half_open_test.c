/*
 * A connection to PostgreSQL that is open at one end only: who has a deadline is done in time, the
 * connection is not given to anybody, and all goes on by itself when the path is whole.
 */
#include "half_open_case.h"

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
