/*
 * Who asks: the account behind a request's token or cookie. Called by the providers of accounts.h
 * and by who changes accounts; calls tokens.c and session.c, and the cache.
 */
#include "accounts/login.h"

#include <bide/log.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An account without its permissions. */
MODEL(account_row, "", ACCOUNT_FIELDS, (i64, role_id));

static const char *key_of(int64_t user_id)
{
    return bide_cache_key("account:%lld", (long long)user_id);
}

static account *account_made_of(const account_row *row, role_permission_list of_role)
{
    bide_arena *arena = bide_task_arena();
    account *who = bide_arena_alloc_zero(arena, 1, sizeof *who);
    const char **permissions = bide_arena_alloc_zero(arena, of_role.count + 1, sizeof *permissions);
    if (!who || !permissions)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for an account"));
    for (size_t i = 0; i < of_role.count; i++)
        permissions[i] = of_role.items[i].permission;
    *who = (account){.id = row->id,
                     .username = row->username,
                     .email = row->email,
                     .role = row->role,
                     .scope = row->scope,
                     .department_id = row->department_id,
                     .token_epoch = row->token_epoch,
                     .permissions = {permissions, of_role.count}};
    return who;
}

SPAWNABLE(account_ptr, load_account, bide_db *, int64_t)
async(account_ptr) load_account(bide_db *db, int64_t user_id)
{
    account *who = NULL;
    with_read_tx(tx, db) {
        account_row *row = await(bide_maybe(
            tx, account_row,
            "select u.id, u.username, u.email, r.name as role, r.scope, u.department_id, "
            "u.token_epoch, u.role_id from users u join roles r on r.id = u.role_id "
            "where u.id = $1 and u.status = 'active'",
            user_id));
        if (row)
            who = account_made_of(
                row, await(bide_all(tx, role_permission, "role_id = $1 order by permission",
                                    row->role_id)));
    }
    return ready(account_ptr, who);
}

static async(account_ptr) account_in_epoch(frodo *site, int64_t user_id, int32_t epoch)
{
    account *who = await(bide_cached(site->cache, account, key_of(user_id), bide_s(ACCOUNT_CACHE_S),
                                     load_account, site->db, user_id));
    return ready(account_ptr, who && who->token_epoch == epoch ? who : NULL);
}

static bool is_text(bide_text text, const char *other)
{
    return text.at && strlen(other) == text.length && strncasecmp(text.at, other, text.length) == 0;
}

/* Old browsers send no Sec-Fetch-Site; all that send cookies with forms send Origin. */
bool is_same_origin(bide_request *req)
{
    bide_text from = bide_header_of(req, "sec-fetch-site");
    if (from.at)
        return is_text(from, "same-origin");
    bide_text scheme = bide_scheme_of(req), host = bide_host_of(req);
    const char *ours = bide_arena_printf(bide_arena_of(req), "%.*s://%.*s", (int)scheme.length,
                                         scheme.at, (int)host.length, host.at);
    return ours && is_text(bide_header_of(req, "origin"), ours);
}

static bool changes_nothing(bide_request *req)
{
    bide_text method = bide_method_of(req);
    return is_text(method, "GET") || is_text(method, "HEAD") || is_text(method, "OPTIONS");
}

static async(account_ptr) account_of_cookie(bide_request *req, const char *cookie)
{
    frodo *site = frodo_of(req);
    session *found = await(session_find(site, cookie));
    if (!found)
        return ready(account_ptr, NULL);
    account *who = await(account_in_epoch(site, found->user_id, found->token_epoch));
    if (who && !changes_nothing(req) && !is_same_origin(req))
        fail(http_error(403, "This request was sent from another site"));
    return ready(account_ptr, who);
}

/* The number of a token's subject; 0, which is nobody's, for any other text. */
static int64_t id_of(const char *subject)
{
    char *end;
    int64_t id = strtoll(subject, &end, 10);
    return *end == 0 && id > 0 ? id : 0;
}

async(account_ptr) account_of_request(bide_request *req, const char *token, const char *cookie)
{
    frodo *site = frodo_of(req);
    if (!token)
        return account_of_cookie(req, cookie);
    const access_claims *claims = access_token_read(site, token);
    if (!claims)
        return ready(account_ptr, NULL);
    return account_in_epoch(site, id_of(claims->sub), claims->epoch);
}

bool account_may(const account *who, const char *permission)
{
    for (size_t i = 0; i < who->permissions.count; i++)
        if (strcmp(who->permissions.items[i], permission) == 0)
            return true;
    return false;
}

void account_changed(bide_tx *tx, frodo *site, int64_t user_id)
{
    bide_cache_invalidate_after(tx, site->cache, key_of(user_id));
}

async(void) account_end_logins(bide_tx *tx, frodo *site, int64_t user_id)
{
    await(bide_do(tx, "update users set token_epoch = token_epoch + 1 where id = $1", user_id));
    int32_t epoch =
        await(bide_scalar(tx, i32, "select token_epoch - 1 from users where id = $1", user_id));
    await(bide_do(tx, "delete from sessions where user_id = $1", user_id));
    int64_t ended = await(bide_refresh_revoke_all(tx, refresh_subject_of(user_id, epoch)));
    bide_log(BIDE_LOG_INFO, "accounts: user %lld is logged out everywhere, %lld programs too",
             (long long)user_id, (long long)ended);
    account_changed(tx, site, user_id);
    return bide_void;
}
