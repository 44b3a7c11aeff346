/*
 * Accounts: who asks, and what they may.
 *
 * `me` is for those who must be logged in (401 otherwise), `somebody` for pages that show more to
 * those who are. PERMISSION makes a provider of a right: 403 without it.
 *
 * A request says who asks by a bearer token (programs) or by the cookie `session` (browsers). Both
 * carry the account's token_epoch and are good as long as it is: what raises it (a new password,
 * logging out everywhere) ends them all. Accounts and sessions are cached for ACCOUNT_CACHE_S: who
 * changes one calls account_changed, and the change holds at once: without Redis in this process,
 * for others within these seconds; with Redis on this loop, for all others a moment later
 * (cache.h).
 */
#ifndef FRODO_ACCOUNTS_H
#define FRODO_ACCOUNTS_H

#include "frodo.h"

enum { ACCOUNT_CACHE_S = 5 };

/* Made by migrations/0001. */
enum { ROLE_ADMIN = 1, ROLE_EDITOR, ROLE_MEMBER };

ENUM(account_status, active, disabled);
ENUM(data_scope, everyone, department, own);

/* What an address is, wherever one is typed in: of ASCII, which every mail server takes. And a
 * name.
 */
#define MAIL_ADDRESS email, len(3, 254), match("^[!-~]+$")
#define USER_NAME len(3, 32), match("^[a-z][a-z0-9_]*$")

/* E-mail addresses are kept in lower case. */
MODEL(user, "users", (i64, id, key, generated), (str, email, MAIL_ADDRESS, unique),
      (str, username, USER_NAME, unique), (hash, password),
      (account_status, status), (str, about, len(0, 500)), (i64, role_id),
      (i64, department_id, optional), (i32, token_epoch), (time, created_at, generated));

MODEL(role, "roles", (i64, id, key, generated), (str, name, len(1, 40), unique),
      (data_scope, scope));
MODEL(role_permission, "role_permissions", (i64, id, key, generated), (i64, role_id),
      (str, permission, len(1, 60)));
MODEL(department, "departments", (i64, id, key, generated), (str, name, len(1, 80), unique),
      (i64, parent_id, optional));

#define ACCOUNT_FIELDS                                                                             \
    (i64, id), (str, username), (str, email), (str, role), (data_scope, scope),                    \
        (i64, department_id, optional), (i32, token_epoch)

/* Who asks. */
MODEL(account, "", ACCOUNT_FIELDS, (list(str), permissions));

/* The account of a request's bearer token, or of its session cookie without one; NULL for nobody. A
   token that is wrong or has ended, and a disabled account, is nobody. Raises 403 for a change that
   another site makes a browser send with its cookie (CSRF). May suspend. */
async(account_ptr) account_of_request(bide_request *req, const char *token, const char *cookie);

/* Whether the account has a permission ("posts:write"). */
bool account_may(const account *who, const char *permission);

/*
 * The data scope: whose data an account reaches.
 *
 *     everyone     all accounts
 *     department   those of the own department and the ones below it, and oneself
 *     own          oneself
 *
 * IN_SCOPE("u") is the condition of a query whether the row `u` of users is one of them;
 * SCOPE_OF(who) are its binds, $1 to $3. DEPARTMENTS_BELOW is the department $3 and all below it.
 */
#define IN_SCOPE(u)                                                                                \
    "($1 = 'everyone' or " u ".id = $2 or ($1 = 'department' and " u                               \
    ".department_id in " DEPARTMENTS_BELOW "))"
#define DEPARTMENTS_BELOW                                                                          \
    "(with recursive below(id) as (select cast($3 as bigint) union "                               \
    "select d.id from departments d join below on d.parent_id = below.id) select id from below)"
#define SCOPE_OF(who) data_scope_name((who)->scope), (who)->id, (who)->department_id

/* A name or an address as it is compared and kept: small letters, in the task's memory. */
const char *folded(const char *text);

/* To be called by who changes what an account is made of: its user, role or permissions. When the
   transaction is committed it is read anew. */
void account_changed(bide_tx *tx, frodo *site, int64_t user_id);

/* Ends all sessions and tokens of an account, when the transaction is committed. */
async(void) account_end_logins(bide_tx *tx, frodo *site, int64_t user_id);

/* Compiles the templates of all mails; raises what is wrong with them. At the start. */
void mails_prepare(const frodo *site);

/* Deletes what has expired, once, and every few minutes until it is cancelled. */
SPAWNABLE(void, accounts_sweep, bide_db *)
SPAWNABLE(void, accounts_sweep_always, bide_db *)

/* Whether this site's own pages made the browser send this request (Sec-Fetch-Site, or Origin). */
bool is_same_origin(bide_request *req);

PROVIDER(const account *, somebody, oauth2(token, "/api/auth/login", optional),
         api_key(cookie, cookie, "session", optional))
{
    const account *who = await(account_of_request(req, token, cookie));
    provide(who);
}

PROVIDER(const account *, me, depends(const account *, who, somebody))
{
    if (!who)
        fail(http_error(401, "Not authenticated"));
    provide(who);
}

#define PERMISSION(name, permission)                                                               \
    PROVIDER(const account *, name, depends(const account *, who, me))                             \
    {                                                                                              \
        if (!account_may(who, permission))                                                         \
            fail(http_error(403, "Not allowed: %s", permission));                                  \
        provide(who);                                                                              \
    }

/* For forms of pages: refuses what another site made the browser send. */
PROVIDER(bool, own_form)
{
    if (!is_same_origin(req))
        fail(http_error(403, "This form was sent from another site"));
    provide(true);
}

#endif
