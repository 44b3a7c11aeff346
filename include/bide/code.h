/*
 * code.h: codes that somebody gets by mail or message and types in, once.
 *
 *     static const bide_code_rules by_mail = {.purpose = "register", .secret = settings.secret};
 *
 *     const char *code = await(bide_code_issue(db, &by_mail, email));      // "048213": send it
 *
 *     with_tx(tx, db) {
 *         if (!await(bide_code_consume(tx, &by_mail, email, typed)))
 *             fail(http_error(400, "wrong or expired e-mail code"));
 *         await(bide_insert(tx, user, &u));       // a taken e-mail: the code is good once more
 *     }
 *
 * `on` is where codes are: a bide_db * or bide_tx * (the table of bide_code_row, which
 * bide_create_table or a migration makes), or a bide_redis *, or bide_code_in(r, tx).
 *
 * Invariants
 *  1. A code is good once: of any number of tasks, loops and processes that consume it at the same
 *     time, one gets true. It is good for its purpose and subject only, until its time ends or the
 *     next one is issued.
 *  2. Every try is counted before the code is compared, also when the transaction around it is
 *     rolled back; after rules.attempts of them no code is right any more.
 *  3. Consumed in a transaction that is rolled back it is given back, less the try: on SQL because
 *     the row is, in Redis soon after the block, if the answer of Redis came.
 *  4. What is stored is a keyed hash (BLAKE2b); digests are compared in constant time. Without the
 *     secret nobody finds a code or a subject from what is stored.
 *
 * A transaction whose first statement is the consuming one counts the try by itself, at once. In
 * one that has begun before, it is counted with the transaction and, after a rollback, once more
 * in the background: tries that run at that moment may be too many. So consume first.
 *
 * Needs libsodium at build; without it these functions raise BIDE_INVALID and say so.
 * Source: OWASP ASVS 5.0 V6.5, V6.6; RFC 7693 (BLAKE2).
 *
 * layer: cache
 */
#ifndef BIDE_CODE_H
#define BIDE_CODE_H

#include <bide/db.h>
#include <bide/redis.h>

/* Zero means the default. */
typedef struct bide_code_rules {
    const char *purpose;  /* what it is for: a code to register resets no password */
    const char *secret;   /* of the application, at least 16 bytes; the same in all processes */
    int digits;           /* 6; at most 18 */
    int attempts;         /* 5 */
    bide_duration ttl;    /* 10 minutes */
    bide_duration resend; /* the next one of a subject is not issued before; 60 s. Less than ttl */
} bide_code_rules;

/* A code in a table. Instants are microseconds, as bide_now_us. Old rows are deleted by
   expires_at_us, on which an index is worth having. */
MODEL(bide_code_row, "bide_codes", (str, id, key), (hash, digest), (i32, attempts_left),
      (i64, issued_at_us), (i64, expires_at_us));

/* Where codes are. */
typedef struct bide_code_place {
    bide_db *db;
    bide_tx *tx;       /* NULL: by itself */
    bide_redis *redis; /* NULL: in the database */
} bide_code_place;

/* In Redis; consumed with this transaction of a database. */
static inline bide_code_place bide_code_in(bide_redis *redis, bide_tx *tx)
{
    return (bide_code_place){tx->db, tx, redis};
}

/*
 * bide_code_issue(on, &rules, subject): async(str): makes a code for a subject (an e-mail address:
 * in the form in which it is compared) and gives it as text, in the request's memory. Tells nobody
 * else. BIDE_LIMIT: the last one is too recent. BIDE_INVALID: the rules, or no libsodium.
 *
 * bide_code_consume(on, &rules, subject, code): async(bool): whether this is the code. Why it is
 * not is not told. Both suspend, and raise what the database or Redis does.
 */
#define bide_code_issue(on, rules, subject) bide__code_issue(bide__code_place(on), rules, subject)
#define bide_code_consume(on, rules, subject, code)                                                \
    bide__code_consume(bide__code_place(on), rules, subject, code)

SPAWNABLE(str, bide__code_issue, bide_code_place, const bide_code_rules *, const char *)
SPAWNABLE(bool, bide__code_consume, bide_code_place, const bide_code_rules *, const char *,
          const char *)
#define bide_code_issue__attempt(e, at, on, rules, subject)                                        \
    bide__code_issue__attempt(e, at, bide__code_place(on), rules, subject)
#define bide_code_consume__attempt(e, at, on, rules, subject, code)                                \
    bide__code_consume__attempt(e, at, bide__code_place(on), rules, subject, code)

static inline bide_code_place bide__code_of_db(bide_db *db)
{
    return (bide_code_place){db, NULL, NULL};
}
static inline bide_code_place bide__code_of_tx(bide_tx *tx)
{
    return (bide_code_place){tx->db, tx, NULL};
}
static inline bide_code_place bide__code_of_redis(bide_redis *redis)
{
    return (bide_code_place){NULL, NULL, redis};
}
static inline bide_code_place bide__code_of_place(bide_code_place place)
{
    return place;
}
/* clang-format off */
#define bide__code_place(on) \
    _Generic((on), bide_db *: bide__code_of_db, bide_tx *: bide__code_of_tx, \
             bide_redis *: bide__code_of_redis, bide_code_place: bide__code_of_place)(on)
/* clang-format on */

#endif
