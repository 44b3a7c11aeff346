/*
 * User administration: accounts, roles, departments; and the data scope, which says whom somebody
 * who may see accounts can see.
 *
 * Every function takes who asks, and reaches only accounts in that one's scope (accounts.h); one
 * outside of it is not found, as if it were not there.
 *
 * Nobody gives more than they have: a role with a permission or a scope beyond one's own.
 */
#ifndef FRODO_USERS_H
#define FRODO_USERS_H

#include "accounts/accounts.h"

enum { BATCH_MOST = 500, PERMISSIONS_MOST = 32 };

PERMISSION(may_read_users, "users:read")
PERMISSION(may_write_users, "users:write")
PERMISSION(may_write_roles, "roles:write")

/* ---- accounts (store.c) ---- */

MODEL(managed_user, "", (i64, id), (str, email), (str, username), (account_status, status),
      (str, about), (i64, role_id), (str, role), (i64, department_id, optional),
      (str, department, optional), (time, created_at));
MODEL(managed_users, "", (list(managed_user), rows), (i64, total), (i32, page), (i32, size));

ENUM(user_order, newest, oldest, username, email);

typedef struct user_filter {
    const char *q;      /* in the name or the address; NULL: all */
    const char *status; /* NULL: all */
    user_order order;
    int32_t page, size;
} user_filter;

MODEL(new_user, "", (str, email, MAIL_ADDRESS), (str, username, USER_NAME),
      (plain_pw, password, len(8, 128)), (i64, role_id, range(1, INT64_MAX), optional),
      (i64, department_id, range(1, INT64_MAX), optional));
MODEL(user_batch, "", (list(new_user), users, len(1, BATCH_MOST)));

/* What an administrator changes of an account. */
MODEL(user_fields, "users", (i64, id, key, generated), (str, email, MAIL_ADDRESS, unique),
      (account_status, status), (i64, role_id, range(1, INT64_MAX)),
      (i64, department_id, range(1, INT64_MAX), optional));
PARTIAL(user_changes, user_fields, email, status, role_id, department_id);

/* They raise 404 for who is not in scope, 403 for a role that gives more than `who` has, 409 for
   what is taken, for oneself and for the last one who may administer users. */
async(managed_users) users_list(frodo *site, const account *who, const user_filter *filter);
async(managed_user_ptr) user_get(bide_tx *tx, const account *who, int64_t id);
SPAWNABLE(managed_user_ptr, user_create, bide_request *, const account *, const new_user *)
SPAWNABLE(managed_user_ptr, user_change, bide_request *, const account *, int64_t,
          const user_changes *)
SPAWNABLE(void, user_delete, bide_request *, const account *, int64_t)

/* All or none. What is taken becomes a problem of its row, and 422 is raised with all of them.
   `ticket` names what users_progress tells of; NULL: nobody asks. */
async(managed_users) users_create(bide_request *req, const account *who, const user_batch *batch,
                                  const char *ticket);

/* How many of how many passwords are hashed. */
MODEL(batch_progress, "", (i32, done), (i32, total));
async(batch_progress_ptr) users_progress(frodo *site, const account *who, const char *ticket);

/* ---- roles (roles.c) ---- */

/* All that there are: a role has some of them. */
enum { PERMISSIONS = 6 };
typedef struct permission_kind {
    const char *name, *allows;
} permission_kind;
extern const permission_kind permission_kinds[PERMISSIONS];

MODEL(role_out, "", (i64, id), (str, name), (data_scope, scope), (list(str), permissions));
#define ROLE_NAME len(1, 40), match("^[a-z][a-z0-9_-]*$")
MODEL(role_form, "", (str, name, ROLE_NAME), (data_scope, scope),
      (list(str), permissions, len(0, PERMISSIONS_MOST)));

async(role_out_list) roles_all(bide_tx *tx);

/* Without its permissions; 404. */
async(role_ptr) role_get(bide_tx *tx, int64_t id);

/* Makes or changes it: `id` 0 makes one. 403 for one that gives more than `who` has, before or
   after; 409 for a taken name, and for the role of administrators, which stays as it is. */
SPAWNABLE(role_out_ptr, role_save, bide_request *, const account *, int64_t, const role_form *)

/* 409 for one that somebody has, or that the migrations made. */
SPAWNABLE(void, role_delete, bide_request *, const account *, int64_t)

/* Raises 409 if nobody is left who may administer accounts. */
async(void) administrators_check(bide_tx *tx);

/* Raises 422 for an id that is none, 403 unless `who` has all that these roles give. */
async(void) roles_give_check(bide_tx *tx, const account *who, const int64_t *ids, size_t count);

/* ---- departments (departments.c) ---- */

MODEL(department_form, "", (str, name, len(1, 80), match("\\S")),
      (i64, parent_id, range(1, INT64_MAX), optional));

/* In the order of the tree: one, then those below it, by name. `path` is "The Shire › Buckland". */
MODEL(department_place, "", (i64, id), (str, name), (i64, parent_id, optional), (str, path),
      (i32, depth));
async(department_place_list) departments_tree(bide_db *db);

/* For who sees everyone (403 otherwise): a tree that one may change says whom one sees. `id` 0
   makes one. 409 for a taken name, for a circle; for one that is not empty. */
SPAWNABLE(department_ptr, department_save, bide_request *, const account *, int64_t,
          const department_form *)
SPAWNABLE(void, department_delete, bide_request *, const account *, int64_t)
void departments_change_check(const account *who);

/* Raises 422 for a department that is none, or where `who` may not put somebody. */
async(void) departments_check(bide_tx *tx, const account *who, const int64_t *ids, size_t count);

/* Ids in order, each once, without zeros; gives how many. */
size_t ids_once(int64_t *ids, size_t count);

/* ---- the data scope ---- */

/* In place of the table `users`, as `u`, in every query of this feature (scope_test.c looks at all
   of them), with the binds of IN_SCOPE (accounts.h). A query that is about all accounts, since
   names are unique among all, says so: ALL_USERS. */
#define USERS_IN_SCOPE "(select * from users where " IN_SCOPE("users") ") u"
#define ALL_USERS "users /* of all scopes */ u"

#endif
