/*
 * refresh.c: sessions in a table (include/bide/refresh.h). Called by users; calls src/db.
 *
 *     token   FFFFFFFFFFFFFFFFFFFFFFFFSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS
 *             24 of the family          40 of this token
 *     row     id: digest of the family's, digest: of the whole token
 *
 * Invariants
 *  1. A family is one row, so a rotation is one conditional update: who changes the row has won,
 *     and who ends the family ends it whatever its token is by then.
 *  2. Nobody who has no token of a family knows its part of the token: neither does the table.
 */
#include "auth/auth.h"

#include "base/caps.h"

#include <bide/log.h>
#include <bide/refresh.h>
#include <bide/token.h>

#include <string.h>

enum { FAMILY_BYTES = 18, SECRET_BYTES = 30, FAMILY_LENGTH = 24, TOKEN_LENGTH = 64 };

/* A token, and what is stored of it. */
struct refresh {
    char token[TOKEN_LENGTH + 1];
    char id[BIDE__DIGEST_BYTES], digest[BIDE__DIGEST_BYTES];
};

static void digest(struct refresh *refresh)
{
    char family[FAMILY_LENGTH + 1];
    memcpy(family, refresh->token, FAMILY_LENGTH);
    family[FAMILY_LENGTH] = 0;
    bide__auth_digest(&(const char *){family}, 1, refresh->id);
    bide__auth_digest(&(const char *){refresh->token}, 1, refresh->digest);
}

/* A new token, of the family of another one or of a new one. */
static struct refresh made(const struct refresh *of)
{
    struct refresh refresh;
    unsigned char random[FAMILY_BYTES + SECRET_BYTES];
    bide__auth_random(random, sizeof random);
    bide__base64url_encode(random, sizeof random, refresh.token);
    if (of)
        memcpy(refresh.token, of->token, FAMILY_LENGTH);
    digest(&refresh);
    return refresh;
}

/* What somebody shows; false: it has not the form of a token. */
static bool shown(const char *token, struct refresh *ret_refresh)
{
    unsigned char bytes[FAMILY_BYTES + SECRET_BYTES];
    if (!token || strnlen(token, TOKEN_LENGTH + 1) != TOKEN_LENGTH ||
        bide__base64url_decode(token, TOKEN_LENGTH, bytes) != sizeof bytes)
        return false;
    memcpy(ret_refresh->token, token, TOKEN_LENGTH + 1);
    digest(ret_refresh);
    return true;
}

static char *kept(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(bide__auth_alloc(NULL, size), text, size);
}

static void times(const bide_refresh_rules *rules, int64_t *ret_idle_us, int64_t *ret_ttl_us)
{
    *ret_idle_us = bide__auth_us(rules->idle, BIDE_CAP_REFRESH_IDLE_S);
    *ret_ttl_us = bide__auth_us(rules->ttl, BIDE_CAP_REFRESH_TTL_S);
    if (*ret_idle_us <= 0 || *ret_idle_us > *ret_ttl_us ||
        *ret_ttl_us > (int64_t)BIDE_CAP_REFRESH_MOST_S * 1000000)
        bide__auth_invalid("refresh tokens", "the rules want 0 < idle <= ttl <= 10 years");
}

bide_async(str) bide__refresh_issue(struct bide__on on, const bide_refresh_rules *rules,
                                    const char *subject)
{
    int64_t idle_us, ttl_us, now_us = bide_now_us();
    times(rules, &idle_us, &ttl_us);
    if (!subject || !subject[0])
        bide__auth_invalid("refresh tokens", "there is no subject");
    const struct refresh new = made(NULL);
    bide_await(bide__db_do(
        on, BIDE__SQL(BIDE__NOTE_OF_EXEC,
                      "insert into bide_refresh_tokens (id, digest, subject, issued_at_us, "
                      "expires_at_us, ends_at_us) values ($1, $2, $3, $4, $5, $6)",
                      new.id, (bide_hash){new.digest}, subject, now_us, now_us + idle_us,
                      now_us + ttl_us)));
    if (new.digest[0] == '0') /* now and then */
        bide_await(bide__db_do(
            on, BIDE__SQL(BIDE__NOTE_OF_EXEC,
                          "delete from bide_refresh_tokens where expires_at_us < $1", now_us)));
    return bide_ready(str, kept(new.token));
}

/* The token is not the good one: if its family is there, it ends. */
static bide_async(void) end_family(bide_db *db, const struct refresh *refresh)
{
    bide_refresh_row *row = bide_await(bide_maybe(db, bide_refresh_row, "id = $1", refresh->id));
    if (!row)
        return bide_void;
    int64_t ended =
        bide_await(bide_exec(db, "delete from bide_refresh_tokens where id = $1", row->id));
    if (ended > 0 && !bide_token_equal(row->digest.text, refresh->digest))
        bide_log(BIDE_LOG_WARN,
                 "refresh tokens: one of subject '%s' was used a second time; its session ends",
                 row->subject);
    return bide_void;
}

bide_async(bide_refreshed_ptr) bide_refresh_rotate(bide_db *db, const bide_refresh_rules *rules,
                                                   const char *token)
{
    int64_t idle_us, ttl_us, now_us = bide_now_us();
    struct refresh old;
    times(rules, &idle_us, &ttl_us);
    if (!shown(token, &old))
        return bide_ready(bide_refreshed_ptr, NULL);
    const struct refresh new = made(&old);
    const bide_hash was = {old.digest}, is = {new.digest};
    int64_t won = bide_await(bide_exec(
        db,
        "update bide_refresh_tokens set digest = $1, expires_at_us = case when ends_at_us < $2 "
        "then ends_at_us else $2 end where id = $3 and digest = $4 and expires_at_us > $5",
        is, now_us + idle_us, old.id, was, now_us));
    if (won == 0) {
        bide_await(end_family(db, &old));
        return bide_ready(bide_refreshed_ptr, NULL);
    }
    bide_refresh_row *row =
        bide_await(bide_maybe(db, bide_refresh_row, "id = $1 and digest = $2", new.id, is));
    if (!row)
        return bide_ready(bide_refreshed_ptr, NULL);
    bide_refreshed *refreshed = bide__auth_alloc(NULL, sizeof *refreshed);
    *refreshed = (bide_refreshed){kept(new.token), row->subject};
    return bide_ready(bide_refreshed_ptr, refreshed);
}

bide_async(void) bide__refresh_revoke(struct bide__on on, const char *token)
{
    struct refresh refresh;
    if (!shown(token, &refresh))
        return bide_void;
    return bide__db_do(on, BIDE__SQL(BIDE__NOTE_OF_EXEC,
                                     "delete from bide_refresh_tokens where id = $1", refresh.id));
}

bide_async(int64_t) bide__refresh_revoke_all(struct bide__on on, const char *subject)
{
    return bide__db_exec(on,
                         BIDE__SQL(BIDE__NOTE_OF_EXEC,
                                   "delete from bide_refresh_tokens where subject = $1", subject));
}
