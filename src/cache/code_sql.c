/*
 * code_sql.c: codes in a table. Called by code.c; calls src/db.
 *
 * Invariants
 *  1. A try is counted by one statement, before the digest is read, which commits by itself if the
 *     transaction has not begun. Else it is one of the transaction, and a rollback of that leads to
 *     another one, in the background.
 *  2. Who deletes the row has won: the database lets one do that.
 */
#include "cache/code.h"

#include "base/mem.h"
#include "core/graph.h"
#include "core/loop.h"
#include "db/db.h"

#include <bide/log.h>

#include <errno.h>
#include <string.h>

bide_async(bool) bide__code_sql_issue(bide_code_place place, const struct bide__code *code)
{
    bide_db *db = place.db;
    bide_tx *tx = place.tx;
    bide_hash digest = {code->digest};
    int64_t now_us = bide_now_us(), expires_us = now_us + code->ttl.ns / 1000;
    int64_t before_us = now_us - code->resend.ns / 1000;
#define ISSUE                                                                                      \
    "insert into bide_codes (id, digest, attempts_left, issued_at_us, expires_at_us) "             \
    "values ($1, $2, $3, $4, $5) on conflict (id) do update set digest = excluded.digest, "        \
    "attempts_left = excluded.attempts_left, issued_at_us = excluded.issued_at_us, "               \
    "expires_at_us = excluded.expires_at_us where bide_codes.issued_at_us <= $6",                  \
        code->id, digest, code->attempts, now_us, expires_us, before_us
#define PURGE "delete from bide_codes where expires_at_us < $1", now_us
    int64_t stored = tx ? bide_await(bide_exec(tx, ISSUE)) : bide_await(bide_exec(db, ISSUE));
    int64_t purged = 0;
    if (code->digest[0] == '0') /* now and then */
        purged = tx ? bide_await(bide_exec(tx, PURGE)) : bide_await(bide_exec(db, PURGE));
    if (purged > 0)
        bide_log(BIDE_LOG_DEBUG, "codes: %lld of old ones deleted", (long long)purged);
    return bide_ready(bool, stored > 0);
}

#define COUNT                                                                                      \
    "update bide_codes set attempts_left = attempts_left - 1 "                                     \
    "where id = $1 and attempts_left > 0 and expires_at_us > $2"

/* A try of a transaction, until that ends. */
struct attempt {
    bide_db *db;
    char id[BIDE__CODE_DIGEST];
};
typedef struct attempt *attempt_ptr;

/* The database stays open until here. */
static void counted_again(void *attempt_)
{
    struct attempt *attempt = attempt_;
    bide__user_left(attempt->db);
    bide__free(attempt);
}

static bide_async(void) count_again(attempt_ptr attempt);
SPAWNABLE(void, count_again, attempt_ptr)
static bide_async(void) count_again(attempt_ptr attempt)
{
    bide_defer(counted_again, attempt);
    int64_t counted = bide_await(bide_exec(attempt->db, COUNT, attempt->id, bide_now_us()));
    if (counted == 0)
        bide_log(BIDE_LOG_DEBUG, "codes: a try had nothing left to be counted on");
    return bide_void;
}

static bide_async(void) start_counting(attempt_ptr attempt);
SPAWNABLE(void, start_counting, attempt_ptr)
static bide_async(void) start_counting(attempt_ptr attempt)
{
    attempt->db->users++;
    bide_on_error(counted_again, attempt);
    bide_spawn_void(bide_background(), count_again, attempt);
    return bide_void;
}

BIDE__UNCHECKED static void rolled_back(void *attempt)
{
    bide_error *error;
    bide_attempt(&error, start_counting, attempt);
    if (error)
        bide_log(BIDE_LOG_ERROR,
                 "codes: a try of a transaction that was rolled back is not "
                 "counted: %s",
                 error->message);
}

/* In a transaction that has begun. */
static bide_async(int64_t) count_in(bide_tx *tx, const char *id)
{
    struct attempt *attempt = bide__alloc(sizeof *attempt);
    if (!attempt)
        bide__raise(-ENOMEM, NULL);
    attempt->db = tx->db;
    memcpy(attempt->id, id, sizeof attempt->id);
    {
        bide_on_error(bide__free, attempt);
        bide_tx_on_rollback(tx, rolled_back, attempt);
    }
    bide_tx_on_unknown(tx, rolled_back, attempt); /* rather counted twice than not at all */
    bide_tx_on_commit(tx, bide__free, attempt);
    return bide_exec(tx, COUNT, id, bide_now_us());
}

static bool has_begun(const bide_tx *tx)
{
    while (tx->outer)
        tx = tx->outer;
    return tx->state != BIDE__TX_NONE;
}

bide_async(bool) bide__code_sql_consume(bide_code_place place, const struct bide__code *code)
{
    bide_db *db = place.db;
    bide_tx *tx = place.tx && has_begun(place.tx) ? place.tx : NULL;
    bide_hash digest = {code->digest};
    int64_t counted = tx ? bide_await(count_in(tx, code->id))
                         : bide_await(bide_exec(db, COUNT, code->id, bide_now_us()));
    if (counted == 0)
        return bide_ready(bool, false);
    bide_code_row *row = tx ? bide_await(bide_maybe(tx, bide_code_row, "id = $1", code->id))
                            : bide_await(bide_maybe(db, bide_code_row, "id = $1", code->id));
    if (!row || !row->digest.text || !bide__code_equal(row->digest.text, code->digest))
        return bide_ready(bool, false);
#define TAKE "delete from bide_codes where id = $1 and digest = $2", code->id, digest
    int64_t taken =
        place.tx ? bide_await(bide_exec(place.tx, TAKE)) : bide_await(bide_exec(db, TAKE));
    return bide_ready(bool, taken > 0);
}
