/*
 * Logging in: a password for tokens or a session, tokens for the next ones. Called by api.c and
 * pages.c; calls the library's passwords, locks and refresh tokens.
 *
 * A name that nobody has is treated as one that somebody has: the same work, answer and lock, so
 * that nobody learns from it who has an account. What is locked is what was typed: were it the
 * account, failures with an address would tell which name is of the same account.
 */
#include "accounts/login.h"

#include <bide/log.h>
#include <stdio.h>
#include <string.h>

static const bide_login_rules logins = {.purpose = "login"}; /* 5 failures in 10 minutes */
static const bide_refresh_rules refreshing = {.idle = {0}};

const char *folded(const char *text)
{
    char *copy = bide_arena_strdup(bide_task_arena(), text);
    if (!copy)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a name"));
    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

void refuse_for_now(bide_request *req, int64_t seconds)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)seconds);
    bide_keep_header(req, "Retry-After", text);
    fail(http_error(429, "Too many tries: try again in %s seconds", text));
}

async(void) user_hold(bide_tx *tx, const user *u)
{
    int64_t held = await(bide_exec(tx,
                                   "update users set token_epoch = token_epoch "
                                   "where id = $1 and token_epoch = $2 and status = 'active'",
                                   u->id, u->token_epoch));
    if (held == 0)
        fail(http_error(400, "The account was changed meanwhile: log in again"));
    return bide_void;
}

/* ---- hashes of older kinds ---- */

/* By value: what belongs to the request is gone after the reply. */
struct upgrade {
    frodo *site;
    int64_t user_id;
    char old_hash[256], password[1025];
};

/* Only if the password is still the one that was checked. */
SPAWNABLE(void, upgrade_hash, struct upgrade)
async(void) upgrade_hash(struct upgrade job)
{
    bide_hash old_hash = {job.old_hash};
    bide_hash hash = await(bide_password_hash((bide_plain_pw){job.password}));
    bide_wipe(job.password, sizeof job.password);
    int64_t changed = await(bide_exec(job.site->db,
                                      "update users set password = $1 where id = $2 "
                                      "and password = $3",
                                      hash, job.user_id, old_hash));
    if (changed == 0)
        bide_log(BIDE_LOG_INFO, "accounts: a password was changed before its hash was made anew");
    return bide_void;
}

static void upgrade_later(bide_request *req, const user *u, bide_plain_pw password)
{
    struct upgrade job = {.site = frodo_of(req), .user_id = u->id};
    if (strlen(u->password.text) >= sizeof job.old_hash ||
        strlen(password.text) >= sizeof job.password)
        return;
    strcpy(job.old_hash, u->password.text);
    strcpy(job.password, password.text);
    bide_after_reply(req, upgrade_hash, job);
    bide_wipe(job.password, sizeof job.password);
}

/* ---- passwords ---- */

async(user_ptr) login_check(bide_request *req, const char *name, bide_plain_pw password)
{
    frodo *site = frodo_of(req);
    const char *typed = folded(name);
    user *found = await(bide_maybe(site->db, user, "username = $1 or email = $1", typed));
    int64_t locked_s = await(bide_login_locked(site->db, &logins, typed));
    if (locked_s > 0)
        refuse_for_now(req, locked_s);
    bide_hash hash = found ? found->password : (bide_hash){NULL};
    bool right = await(bide_password_verify(password, hash));
    right = right && found && found->status == account_status_active;
    if (!await(bide_login_settle(site->db, &logins, typed, right)))
        return ready(user_ptr, NULL);
    if (bide_password_stale(found->password))
        upgrade_later(req, found, password);
    return ready(user_ptr, found);
}

async(void) login_unlock(bide_tx *tx, const user *u)
{
    await(bide_login_forget(tx, &logins, u->username));
    return bide_login_forget(tx, &logins, u->email);
}

/* ---- tokens ---- */

static access_grant grant_of(bide_request *req, int64_t user_id, int32_t epoch,
                             const char *refresh_token)
{
    const frodo *site = frodo_of(req);
    bide_set_header(req, "Cache-Control", "no-store");
    return (access_grant){.access_token = access_token_of(site, user_id, epoch),
                          .token_type = "bearer",
                          .expires_in = (int64_t)site->settings->access_token_minutes * 60,
                          .refresh_token = refresh_token};
}

async(access_grant) login_grant(bide_request *req, const user *u)
{
    const char *subject = refresh_subject_of(u->id, u->token_epoch), *refresh_token = NULL;
    with_tx(tx, frodo_of(req)->db) {
        await(user_hold(tx, u));
        refresh_token = await(bide_refresh_issue(tx, &refreshing, subject));
    }
    return ready(access_grant, grant_of(req, u->id, u->token_epoch, refresh_token));
}

async(access_grant) login_refresh(bide_request *req, const char *refresh_token)
{
    bide_db *db = frodo_of(req)->db;
    const user *u = NULL;
    int64_t user_id;
    int32_t epoch;
    bide_refreshed *next = await(bide_refresh_rotate(db, &refreshing, refresh_token));
    if (next && refresh_subject_read(next->subject, &user_id, &epoch))
        u = await(bide_maybe(db, user, "id = $1 and token_epoch = $2 and status = 'active'",
                             user_id, epoch));
    if (!u)
        fail(http_error(401, "The refresh token is not good any more: log in again"));
    return ready(access_grant, grant_of(req, u->id, u->token_epoch, next->token));
}
