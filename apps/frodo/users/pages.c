/*
 * Accounts for administrators with a browser: forms that POST, and answer 303 when all was right,
 * or are shown again with what is wrong beside each field. Calls the same functions as api.c.
 */
#include "site/pager.h"
#include "site/site.h"
#include "users/forms.h"

enum { USERS_PER_PAGE = 20 };

LINK(to_user, show_user, path(i64, id), query(bool, saved));

/* ---- the list ---- */

MODEL(users_view, "", (admin_list, at), (str, q, optional), (account_status, status),
      (bool, all_statuses), (user_order, order), (list(managed_user), users), (i64, total),
      (bool, may_write), (list(page_link), pager));

GET(show_users, "/admin/users", html("users/list", users_view), hidden,
    query(str, q, len(0, 100), optional), query(account_status, status, optional),
    query(user_order, order, dflt(user_order_newest)), query(i32, page, range(1, 1000000), dflt(1)),
    depends(const account *, who, may_read_users))
{
    bool one_status = bide_given(req, status);
    user_filter filter = {.q = q, .order = order, .page = page, .size = USERS_PER_PAGE};
    if (one_status)
        filter.status = account_status_name(status);
    managed_users found = await(users_list(frodo_of(req), who, &filter));
    const char *url = one_status
                          ? url_for(req, show_users, .q = q, .status = status, .order = order)
                          : url_for(req, show_users, .q = q, .order = order);
    return (users_view){.q = q,
                        .status = status,
                        .all_statuses = !one_status,
                        .order = order,
                        .users = {found.rows.items, found.rows.count},
                        .total = found.total,
                        .may_write = account_may(who, "users:write"),
                        .pager = pager_of(url, "page", page, USERS_PER_PAGE, found.total)};
}

/* ---- one account ---- */

MODEL(user_editor, "", (i64, id), (str, username, optional), (str, email, optional),
      (account_status, status), (bool, may_write), (bool, is_me), (bool, saved),
      (list(choice), roles), (list(choice), departments), (str, username_error, optional),
      (str, email_error, optional), (str, password_error, optional), (str, error, optional));

static async(choice_list) roles_to_choose(bide_db *db, int64_t selected)
{
    return bide_all(db, choice, "select id, name, id = $1 as selected from roles order by id",
                    selected);
}

static async(choice_list) departments_to_choose(bide_db *db, int64_t selected)
{
    department_place_list all = await(departments_tree(db));
    choice *choices = bide_arena_alloc_zero(bide_task_arena(), all.count + 1, sizeof *choices);
    if (!choices)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for departments"));
    for (size_t i = 0; i < all.count; i++)
        choices[i] = (choice){.id = all.items[i].id,
                              .name = all.items[i].path,
                              .selected = all.items[i].id == selected};
    return ready(choice_list, ((choice_list){choices, all.count}));
}

static async(user_editor) page_of(bide_request *req, user_editor page, int64_t role_id,
                                  int64_t department_id)
{
    bide_db *db = frodo_of(req)->db;
    choice_list roles = await(roles_to_choose(db, role_id));
    choice_list departments = await(departments_to_choose(db, department_id));
    page.roles.items = roles.items;
    page.roles.count = roles.count;
    page.departments.items = departments.items;
    page.departments.count = departments.count;
    page.username_error = bide_problem_of(req, "username");
    page.email_error = bide_problem_of(req, "email");
    page.password_error = bide_problem_of(req, "password");
    return ready(user_editor, page);
}

GET(show_new_user, "/admin/users/new", html("users/edit", user_editor), hidden,
    depends(const account *, who, may_write_users))
{
    return await(page_of(req, (user_editor){.may_write = true}, ROLE_MEMBER, who->department_id));
}

POST(send_new_user, "/admin/users", html("users/edit", user_editor), hidden,
     depends(bool, ours, own_form), depends(const account *, who, may_write_users),
     form_body(new_user, form), takes_problems)
{
    bide_error *error = NULL;
    managed_user *made = NULL;
    if (!bide_problems_of(req)->first)
        made = attempt(&error, user_create, req, who, form);
    if (made) {
        bide_see_other(req, url_for(req, to_user, made->id, .saved = true));
        return (user_editor){.id = made->id};
    }
    const char *text = form_refused(req, error);
    return await(page_of(req,
                         (user_editor){.may_write = true,
                                       .username = bide_form_value(req, "username"),
                                       .email = bide_form_value(req, "email"),
                                       .error = text},
                         form_id(req, "role_id"), form_id(req, "department_id")));
}

static async(user_editor) page_of_user(bide_request *req, const account *who, int64_t id,
                                       const char *error, bool saved)
{
    managed_user *u = NULL;
    with_read_tx(tx, frodo_of(req)->db) {
        u = await(user_get(tx, who, id));
    }
    user_editor page = {.id = u->id,
                        .username = u->username,
                        .email = u->email,
                        .status = u->status,
                        .may_write = account_may(who, "users:write"),
                        .is_me = u->id == who->id,
                        .saved = saved,
                        .error = error};
    return page_of(req, page, u->role_id, u->department_id);
}

GET(show_user, "/admin/users/{id}", html("users/edit", user_editor), hidden,
    path(i64, id, range(1, INT64_MAX)), query(bool, saved, dflt(false)),
    depends(const account *, who, may_read_users))
{
    return await(page_of_user(req, who, id, NULL, saved));
}

POST(send_user, "/admin/users/{id}", html("users/edit", user_editor), hidden,
     path(i64, id, range(1, INT64_MAX)), depends(bool, ours, own_form),
     depends(const account *, who, may_write_users), form_body(user_changes, changes),
     takes_problems)
{
    bide_error *error = NULL;
    managed_user *now = NULL;
    if (!bide_problems_of(req)->first)
        now = attempt(&error, user_change, req, who, id, changes);
    if (now) {
        bide_see_other(req, url_for(req, show_user, id, .saved = true));
        return (user_editor){.id = id};
    }
    return await(page_of_user(req, who, id, form_refused(req, error), false));
}

POST(send_user_away, "/admin/users/{id}/delete", html("users/edit", user_editor), hidden,
     path(i64, id, range(1, INT64_MAX)), depends(bool, ours, own_form),
     depends(const account *, who, may_write_users))
{
    bide_error *error = NULL;
    attempt(&error, user_delete, req, who, id);
    if (!error) {
        bide_see_other(req, url_for(req, show_users));
        return (user_editor){.id = id};
    }
    return await(page_of_user(req, who, id, form_refused(req, error), false));
}

/* ---- many at once ---- */

/* static/batch.js sends the lines to the API, and shows how far it is. */
MODEL(batch_view, "", (i32, most));

GET(show_batch, "/admin/users/batch", html("users/batch", batch_view), hidden,
    depends(const account *, who, may_write_users))
{
    (void)who;
    return (batch_view){.most = BATCH_MOST};
}
