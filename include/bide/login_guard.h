/*
 * login_guard.h: after some failures nobody gets in for a while.
 *
 *     static const bide_login_rules rules = {.purpose = "login"};       // 5 failures in 10 minutes
 *
 *     if (await(bide_login_locked(db, &rules, form->username)) == 0) {  // spares the work
 *         bool right = await(bide_password_verify(form->password, hash));
 *         if (await(bide_login_settle(db, &rules, form->username, right)))
 *             ... logged in
 *     }
 *     fail(http_error(400, "Incorrect User Auth."));
 *
 * A subject is what is guarded: a user name, whether or not there is such a user, an e-mail
 * address; or one with the client's address.
 *
 * Invariants
 *  1. rules.failures within rules.within lock the subject for rules.lock. The times of the last
 *     failures are kept, so it is any such span, not one that began somewhere.
 *  2. bide_login_settle decides, not what was asked before: a proof that is right is refused when
 *     the subject was locked meanwhile. So of a thousand guesses at the same time at most
 *     rules.failures are answered; and any number of right ones get in.
 *  3. Each failure is counted by one statement that commits by itself: none is lost beside others,
 *     of whichever process. While a subject is locked no failure is counted: the lock ends.
 *  4. What is right forgets the failures before it.
 *
 * What is stored of a subject is a digest. The table is bide_login_row's (bide_create_table or a
 * migration); old rows are deleted now and then, by stale_at_us, on which an index is worth having.
 * Needs libsodium at build; without it these functions raise BIDE_INVALID and say so.
 *
 * layer: auth
 */
#ifndef BIDE_LOGIN_GUARD_H
#define BIDE_LOGIN_GUARD_H

#include <bide/db.h>

/* Zero means the default. */
typedef struct bide_login_rules {
    const char *purpose;  /* what for: failures of one do not count for another */
    int failures;         /* 5; 2 to 100 */
    bide_duration within; /* 10 minutes; up to 30 days, as the next */
    bide_duration lock;   /* 10 minutes, from the last failure */
} bide_login_rules;

/* The failures of a subject: their instants in microseconds, as 16 digits each, newest first. */
MODEL(bide_login_row, "bide_login_failures", (str, id, key), (str, failed_at),
      (i64, locked_until_us), (i64, stale_at_us));

/* Seconds for which the subject is still locked, rounded up: for Retry-After. 0: it is not. */
bide_async(int64_t) bide_login_locked(bide_db *db, const bide_login_rules *rules,
                                      const char *subject);

/* Says what became of a try, and gives whether it is good: it was `right`, and the subject is not
   locked. */
bide_async(bool) bide_login_settle(bide_db *db, const bide_login_rules *rules, const char *subject,
                                   bool right);

/* bide_login_forget(on, &rules, subject): async(void): forgets failures and lock: of an
   administrator, or after a reset by mail, in its transaction. `on` is a bide_db * or a bide_tx *.
 */
#define bide_login_forget(on, rules, subject) bide__login_forget(bide__on(on), rules, subject)
bide_async(void) bide__login_forget(struct bide__on on, const bide_login_rules *rules,
                                    const char *subject);

/* All of them suspend, and raise what the database does, and BIDE_INVALID for the rules. */
SPAWNABLE(int64_t, bide_login_locked, bide_db *, const bide_login_rules *, const char *)
SPAWNABLE(bool, bide_login_settle, bide_db *, const bide_login_rules *, const char *, bool)
SPAWNABLE(void, bide__login_forget, struct bide__on, const bide_login_rules *, const char *)
#define bide_login_forget__attempt(e, at, on, rules, subject)                                      \
    bide__login_forget__attempt(e, at, bide__on(on), rules, subject)

#endif
