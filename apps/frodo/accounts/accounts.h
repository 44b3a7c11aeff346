/*
 * Accounts: who asks, and what they may.
 *
 * `me` is for those who must be logged in (401 otherwise), `somebody` for pages that show more to
 * those who are. PERMISSION makes a provider of a right: 403 without it.
 */
#ifndef FRODO_ACCOUNTS_H
#define FRODO_ACCOUNTS_H

#include "frodo.h"

ENUM(account_status, active, disabled);
ENUM(data_scope, everyone, department, own);

/* E-mail addresses are kept in lower case. */
MODEL(user, "users", (i64, id, key, generated), (str, email, email, unique),
      (str, username, len(3, 32), match("^[a-z][a-z0-9_]*$"), unique), (hash, password),
      (account_status, status), (str, about, len(0, 500)), (i64, role_id),
      (i64, department_id, optional), (i32, failed_logins), (time, failed_since, optional),
      (i32, token_epoch), (time, created_at, generated));

MODEL(role, "roles", (i64, id, key, generated), (str, name, len(1, 40), unique),
      (data_scope, scope));
MODEL(role_permission, "role_permissions", (i64, id, key, generated), (i64, role_id),
      (str, permission, len(1, 60)));
MODEL(department, "departments", (i64, id, key, generated), (str, name, len(1, 80), unique),
      (i64, parent_id, optional));

/* Who asks: read once per request, cached for a short time. */
MODEL(account, "", (i64, id), (str, username), (str, email), (str, role), (data_scope, scope),
      (i64, department_id, optional), (i32, token_epoch), (list(str), permissions));

/* The account of a request's bearer token or session cookie; NULL for nobody. A token that is
   wrong or has ended is nobody. Raises 403 for a change that another site makes a browser send
   with its cookie (CSRF). May suspend. */
async(account_ptr) account_of_request(bide_request *req, const char *token);

/* Whether the account has a permission ("posts:write"). */
bool account_may(const account *who, const char *permission);

PROVIDER(const account *, somebody, oauth2(token, "/api/auth/login", optional))
{
    const account *who = await(account_of_request(req, token));
    provide(who);
}

PROVIDER(const account *, me, depends(const account *, who, somebody))
{
    if (!who) {
        bide_set_header(req, "WWW-Authenticate", "Bearer");
        fail(http_error(401, "Not authenticated"));
    }
    provide(who);
}

#define PERMISSION(name, permission)                                                               \
    PROVIDER(const account *, name, depends(const account *, who, me))                             \
    {                                                                                              \
        if (!account_may(who, permission))                                                         \
            fail(http_error(403, "Not allowed: %s", permission));                                  \
        provide(who);                                                                              \
    }

#endif
