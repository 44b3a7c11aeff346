/*
 * Deletes what has expired: sessions, codes, refresh tokens, failed logins. Called by app.c, which
 * starts it on one loop of the process and ends it.
 *
 * Nothing that has expired is good even if it is still there: this only keeps the tables small.
 * Each of these columns has an index: what is swept is few of many.
 */
#include "accounts/login.h"

#include <bide/log.h>

enum { SWEEP_MINUTES = 10 };

async(void) accounts_sweep(bide_db *db)
{
    int64_t now_us = bide_now_us();
    await(bide_do(db, "delete from sessions where expires_at < $1", now_us));
    await(bide_do(db, "delete from bide_codes where expires_at_us < $1", now_us));
    await(bide_do(db, "delete from bide_refresh_tokens where expires_at_us < $1", now_us));
    await(bide_do(db, "delete from bide_login_failures where stale_at_us < $1", now_us));
    return bide_void;
}

/* A database that is away now will be there at another time. */
async(void) accounts_sweep_always(bide_db *db)
{
    for (;;) {
        bide_error *error;
        with_arena
            attempt(&error, accounts_sweep, db);
        if (error && bide_cancel_requested())
            fail(error);
        if (error)
            bide_log(BIDE_LOG_WARN, "accounts: what has expired stays: %s", error->message);
        await(bide_sleep(bide_s(60.0 * SWEEP_MINUTES)));
    }
}
