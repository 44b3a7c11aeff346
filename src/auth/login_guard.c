/*
 * login_guard.c: locks after failures (include/bide/login_guard.h). Called by users; calls src/db.
 *
 * A subject is one row with the instants of its last failures as digits, newest first:
 *
 *     failed_at   1795248000000005 1795248000000004 1795248000000003 ...    (without the blanks)
 *                 the newest       the one before
 *
 * With a limit of 5 a failure locks when the fourth of them is recent. Digits of one length compare
 * as texts do as numbers, on every database: so counting and locking are one statement.
 */
#include "auth/auth.h"

#include "base/caps.h"

#include <bide/login_guard.h>

#include <stdio.h>
#include <string.h>

enum { DIGITS = 16, INSTANT_BYTES = DIGITS + 1 };

struct guard {
    char id[BIDE__DIGEST_BYTES];
    int failures;
    int64_t within_us, lock_us;
};

static struct guard guard_of(const bide_login_rules *rules, const char *subject)
{
    static const int64_t most_us = (int64_t)BIDE_CAP_LOGIN_MOST_S * 1000000;
    struct guard guard = {
        .failures = rules->failures ? rules->failures : BIDE_CAP_LOGIN_FAILURES,
        .within_us = bide__auth_us(rules->within, BIDE_CAP_LOGIN_WITHIN_S),
        .lock_us = bide__auth_us(rules->lock, BIDE_CAP_LOGIN_LOCK_S),
    };
    if (!rules->purpose || !rules->purpose[0])
        bide__auth_invalid("login guard", "the rules say no purpose");
    if (guard.failures < 2 || guard.failures > BIDE_CAP_LOGIN_FAILURES_MOST ||
        guard.within_us <= 0 || guard.within_us > most_us || guard.lock_us <= 0 ||
        guard.lock_us > most_us)
        bide__auth_invalid("login guard", "2 to 100 failures, times of up to 30 days");
    bide__auth_digest((const char *[]){rules->purpose, subject ? subject : ""}, 2, guard.id);
    return guard;
}

bide_async(int64_t) bide_login_locked(bide_db *db, const bide_login_rules *rules,
                                      const char *subject)
{
    const struct guard guard = guard_of(rules, subject);
    bide_login_row *row = bide_await(bide_maybe(db, bide_login_row, "id = $1", guard.id));
    int64_t left_us = row ? row->locked_until_us - bide_now_us() : 0;
    return bide_ready(int64_t, left_us > 0 ? (left_us + 999999) / 1000000 : 0);
}

static bide_async(void) count(bide_db *db, const struct guard *guard)
{
    int64_t now_us = bide_now_us();
    char now[INSTANT_BYTES + 8], before[INSTANT_BYTES + 8];
    snprintf(now, sizeof now, "%0*lld", DIGITS, (long long)now_us);
    snprintf(before, sizeof before, "%0*lld", DIGITS, (long long)(now_us - guard->within_us));
    int kept = DIGITS * (guard->failures - 1), last = kept - DIGITS + 1;
    int64_t counted = bide_await(bide_exec(
        db,
        "insert into bide_login_failures as was (id, failed_at, locked_until_us, stale_at_us) "
        "values ($1, $2, 0, $3) on conflict (id) do update set "
        "failed_at = case when was.locked_until_us > $4 then was.failed_at "
        "else $2 || substr(was.failed_at, 1, cast($5 as integer)) end, "
        "locked_until_us = case when was.locked_until_us > $4 then was.locked_until_us "
        "when substr(was.failed_at, cast($6 as integer), 16) > $7 then $8 else 0 end, "
        "stale_at_us = case when was.locked_until_us > $4 then was.stale_at_us else $3 end",
        guard->id, now, now_us + guard->within_us + guard->lock_us, now_us, kept, last, before,
        now_us + guard->lock_us));
    if (counted > 0 && now[DIGITS - 1] == '0') /* now and then */
        bide_await(bide_do(db, "delete from bide_login_failures where stale_at_us < $1", now_us));
    return bide_void;
}

/* Forgets the failures before a right proof; false: the subject is locked. */
static bide_async(bool) pass(bide_db *db, const struct guard *guard)
{
    bide_login_row *row = bide_await(bide_maybe(db, bide_login_row, "id = $1", guard->id));
    if (!row)
        return bide_ready(bool, true);
    int64_t now_us = bide_now_us();
    int64_t forgotten = bide_await(
        bide_exec(db, "delete from bide_login_failures where id = $1 and locked_until_us <= $2",
                  guard->id, now_us));
    if (forgotten > 0)
        return bide_ready(bool, true);
    row = bide_await(bide_maybe(db, bide_login_row, "id = $1", guard->id));
    return bide_ready(bool, !row || row->locked_until_us <= now_us);
}

bide_async(bool) bide_login_settle(bide_db *db, const bide_login_rules *rules, const char *subject,
                                   bool right)
{
    const struct guard guard = guard_of(rules, subject);
    if (right)
        return pass(db, &guard);
    bide_await(count(db, &guard));
    return bide_ready(bool, false);
}

bide_async(void) bide__login_forget(struct bide__on on, const bide_login_rules *rules,
                                    const char *subject)
{
    const struct guard guard = guard_of(rules, subject);
    return bide__db_do(on, BIDE__SQL(BIDE__NOTE_OF_EXEC,
                                     "delete from bide_login_failures where id = $1", guard.id));
}
