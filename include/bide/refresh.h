/*
 * refresh.h: tokens that stay: a session in a table, which can be taken back.
 *
 *     static const bide_refresh_rules rules = {.idle = ..., .ttl = ...};
 *
 *     const char *token = await(bide_refresh_issue(db, &rules, user_id));      // at login
 *
 *     bide_refreshed *now = await(bide_refresh_rotate(db, &rules, token));     // later, each time
 *     if (!now)
 *         fail(http_error(401, "log in again"));
 *     ... now->subject, now->token: the old one is good no more
 *
 *     await(bide_refresh_revoke(db, token));                                   // log out
 *     await(bide_refresh_revoke_all(tx, user_id));                             // everywhere
 *
 * A login begins a family of tokens, one row of bide_refresh_row (bide_create_table or a
 * migration). Of a family one token is good at a time: each rotation gives the next.
 *
 * Invariants
 *  1. Exactly one of the rotations of one token wins, over all tasks, loops and processes: one
 *     statement of the database decides.
 *  2. A token of the family that is not the good one was used before, or stolen: nobody knows who
 *     of the two came now, so the family ends, and its newest token with it. That is logged. There
 *     is no time of grace: a client that sends one token twice, or lost the reply, logs in again.
 *  3. A family ends rules.idle after its last rotation, and rules.ttl after the login.
 *  4. What is stored are digests (token.h): who reads the table has no token, and cannot end a
 *     family either.
 *
 * bide_refresh_rotate takes an engine only: a transaction that is rolled back would undo 2.
 * Needs libsodium at build; without it these functions raise BIDE_INVALID and say so.
 * Source: RFC 9700 section 4.14 (OAuth 2.0 Security Best Current Practice).
 *
 * layer: auth
 */
#ifndef BIDE_REFRESH_H
#define BIDE_REFRESH_H

#include <bide/db.h>

/* Zero means the default. */
typedef struct bide_refresh_rules {
    bide_duration idle; /* 14 days */
    bide_duration ttl;  /* 90 days; not less than idle */
} bide_refresh_rules;

/* A family. Instants are microseconds, as bide_now_us. Indexes on subject, which
   bide_refresh_revoke_all asks for, and on expires_at_us, by which old rows are deleted, are worth
   having. */
MODEL(bide_refresh_row, "bide_refresh_tokens", (str, id, key), (hash, digest), (str, subject),
      (i64, issued_at_us), (i64, expires_at_us), (i64, ends_at_us));

/* What a rotation gives, in bide_task_arena's memory. */
typedef struct bide_refreshed {
    const char *token;   /* the next one */
    const char *subject; /* whose it is */
} bide_refreshed;
typedef bide_refreshed *bide_refreshed_ptr;
AWAITABLE(bide_refreshed_ptr);

/*
 * bide_refresh_issue(on, &rules, subject): async(str): begins a family, and gives its first token,
 * in bide_task_arena's memory. `on` is a bide_db * or a bide_tx *; `subject` a text that is not
 * empty: the user's id.
 */
#define bide_refresh_issue(on, rules, subject) bide__refresh_issue(bide__on(on), rules, subject)

/* The next token, or NULL: it is not, or no longer, good. Why is not told. */
bide_async(bide_refreshed_ptr) bide_refresh_rotate(bide_db *db, const bide_refresh_rules *rules,
                                                   const char *token);

/* bide_refresh_revoke(on, token): async(void): ends the family of a token, whichever of it this is.
   bide_refresh_revoke_all(on, subject): async(int64_t): all of a subject; how many there were. */
#define bide_refresh_revoke(on, token) bide__refresh_revoke(bide__on(on), token)
#define bide_refresh_revoke_all(on, subject)                                                       \
    BIDE__MUST_READ(bide__refresh_revoke_all(bide__on(on), subject))

/* All of them suspend, and raise what the database does, and BIDE_INVALID for the rules. */
SPAWNABLE(str, bide__refresh_issue, struct bide__on, const bide_refresh_rules *, const char *)
SPAWNABLE(bide_refreshed_ptr, bide_refresh_rotate, bide_db *, const bide_refresh_rules *,
          const char *)
SPAWNABLE(void, bide__refresh_revoke, struct bide__on, const char *)
SPAWNABLE(int64_t, bide__refresh_revoke_all, struct bide__on, const char *)
#define bide_refresh_issue__attempt(e, at, on, rules, subject)                                     \
    bide__refresh_issue__attempt(e, at, bide__on(on), rules, subject)
#define bide_refresh_revoke__attempt(e, at, on, token)                                             \
    bide__refresh_revoke__attempt(e, at, bide__on(on), token)
#define bide_refresh_revoke_all__attempt(e, at, on, subject)                                       \
    bide__refresh_revoke_all__attempt(e, at, bide__on(on), subject)

#endif
