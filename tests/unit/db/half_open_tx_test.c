/*
 * Transactions over a connection that is open at one end only: they end at their deadline and leave
 * nothing, and a COMMIT without an answer is unknown.
 */
#include "half_open_case.h"

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
