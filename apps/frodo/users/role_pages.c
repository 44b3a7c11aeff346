/*
 * Roles and departments for administrators with a browser. Calls the same functions as api.c; what
 * these refuse is shown in the form.
 */
#include "site/site.h"
#include "users/forms.h"

#include <string.h>

LINK(to_role, show_role, path(i64, id), query(bool, saved));
LINK(to_department, show_department, path(i64, id), query(bool, saved));

/* ---- roles ---- */

MODEL(roles_view, "", (admin_list, at), (list(role_out), roles), (bool, may_write));

GET(show_roles, "/admin/roles", html("users/roles", roles_view), hidden,
    depends(const account *, who, may_read_users), depends(bide_tx *, tx, reads))
{
    role_out_list roles = await(roles_all(tx));
    return (roles_view){.at = admin_list_roles,
                        .roles = {roles.items, roles.count},
                        .may_write = account_may(who, "roles:write")};
}

MODEL(permission_choice, "", (str, name), (str, allows), (bool, selected));
MODEL(role_editor, "", (i64, id), (str, name, optional), (data_scope, scope),
      (list(permission_choice), permissions), (bool, may_change), (bool, may_delete), (bool, saved),
      (str, name_error, optional), (str, scope_error, optional), (str, permissions_error, optional),
      (str, error, optional));

/* A form sends nothing for boxes that are not ticked. */
MODEL(role_typed, "", (str, name, ROLE_NAME), (data_scope, scope),
      (list(str), permissions, len(0, PERMISSIONS_MOST), optional));

static role_form form_of(const role_typed *typed)
{
    return (role_form){.name = typed->name,
                       .scope = typed->scope,
                       .permissions = {typed->permissions.items, typed->permissions.count}};
}

static bool is_one_of(const char *name, bide_list(str) all)
{
    for (size_t i = 0; i < all.count; i++)
        if (strcmp(all.items[i], name) == 0)
            return true;
    return false;
}

/* `id` 0 is a new one. */
static role_editor role_shown(bide_request *req, const account *who, int64_t id,
                              const role_form *form)
{
    permission_choice *choices =
        bide_arena_alloc_zero(bide_arena_of(req), PERMISSIONS, sizeof *choices);
    bool may_change = account_may(who, "roles:write") && id != ROLE_ADMIN;
    if (!choices)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for permissions"));
    for (size_t i = 0; i < PERMISSIONS; i++) {
        const permission_kind *kind = &permission_kinds[i];
        choices[i] = (permission_choice){.name = kind->name,
                                         .allows = kind->allows,
                                         .selected = is_one_of(kind->name, form->permissions)};
    }
    return (role_editor){.id = id,
                         .name = form->name,
                         .scope = form->scope,
                         .permissions = {choices, PERMISSIONS},
                         .may_change = may_change,
                         .may_delete = may_change && id > ROLE_MEMBER,
                         .name_error = bide_problem_of(req, "name"),
                         .scope_error = bide_problem_of(req, "scope"),
                         .permissions_error = bide_problem_of(req, "permissions")};
}

static async(role_editor) page_of_role(bide_request *req, const account *who, int64_t id)
{
    role_form form = {.name = NULL};
    with_read_tx(tx, frodo_of(req)->db) {
        form.name = await(role_get(tx, id))->name;
        role_out_list all = await(roles_all(tx));
        for (size_t i = 0; i < all.count; i++)
            if (all.items[i].id == id)
                form = (role_form){.name = all.items[i].name,
                                   .scope = all.items[i].scope,
                                   .permissions = {all.items[i].permissions.items,
                                                   all.items[i].permissions.count}};
    }
    return ready(role_editor, role_shown(req, who, id, &form));
}

static async(role_editor) save_role(bide_request *req, const account *who, int64_t id,
                                    const role_typed *typed)
{
    bide_error *error = NULL;
    const role_out *saved = NULL;
    role_form form = form_of(typed);
    if (!bide_problems_of(req)->first)
        saved = attempt(&error, role_save, req, who, id, &form);
    if (saved) {
        bide_see_other(req, url_for(req, to_role, saved->id, .saved = true));
        return ready(role_editor, (role_editor){.id = saved->id});
    }
    const char *text = form_refused(req, error);
    form.name = bide_form_value(req, "name");
    role_editor page = role_shown(req, who, id, &form);
    page.error = text;
    return ready(role_editor, page);
}

GET(show_new_role, "/admin/roles/new", html("users/role", role_editor), hidden,
    depends(const account *, who, may_write_roles))
{
    return role_shown(req, who, 0, &(role_form){.name = NULL, .scope = data_scope_own});
}

POST(send_new_role, "/admin/roles", html("users/role", role_editor), hidden,
     depends(bool, ours, own_form), depends(const account *, who, may_write_roles),
     form_body(role_typed, typed), takes_problems)
{
    return await(save_role(req, who, 0, typed));
}

GET(show_role, "/admin/roles/{id}", html("users/role", role_editor), hidden,
    path(i64, id, range(1, INT64_MAX)), query(bool, saved, dflt(false)),
    depends(const account *, who, may_read_users))
{
    role_editor page = await(page_of_role(req, who, id));
    page.saved = saved;
    return page;
}

POST(send_role, "/admin/roles/{id}", html("users/role", role_editor), hidden,
     path(i64, id, range(1, INT64_MAX)), depends(bool, ours, own_form),
     depends(const account *, who, may_write_roles), form_body(role_typed, typed), takes_problems)
{
    return await(save_role(req, who, id, typed));
}

POST(send_role_away, "/admin/roles/{id}/delete", html("users/role", role_editor), hidden,
     path(i64, id, range(1, INT64_MAX)), depends(bool, ours, own_form),
     depends(const account *, who, may_write_roles))
{
    bide_error *error = NULL;
    attempt(&error, role_delete, req, who, id);
    if (!error) {
        bide_see_other(req, url_for(req, show_roles));
        return (role_editor){.id = id};
    }
    const char *text = form_refused(req, error);
    role_editor page = await(page_of_role(req, who, id));
    page.error = text;
    return page;
}

/* ---- departments ---- */

/* A line of the tree: what the template opens and closes around it. */
MODEL(department_line, "", (i64, id), (str, name), (bool, has_below), (list(bool), ends));
MODEL(departments_view, "", (admin_list, at), (list(department_line), departments),
      (bool, may_write));

static bool may_write_departments(const account *who)
{
    return account_may(who, "roles:write") && who->scope == data_scope_everyone;
}

GET(show_departments, "/admin/departments", html("users/departments", departments_view), hidden,
    depends(const account *, who, may_read_users), depends(bide_db *, db, database))
{
    department_place_list all = await(departments_tree(db));
    department_line *lines = bide_arena_alloc_zero(bide_arena_of(req), all.count, sizeof *lines);
    bool *ends = bide_arena_alloc_zero(bide_arena_of(req), all.count + 1, sizeof *ends);
    if ((!lines && all.count) || !ends)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for departments"));
    for (size_t i = 0; i < all.count; i++) {
        const department_place *place = &all.items[i];
        int32_t next = i + 1 < all.count ? all.items[i + 1].depth : 0;
        lines[i] = (department_line){
            .id = place->id, .name = place->name, .has_below = next > place->depth};
        if (next < place->depth) { /* how many there are is all that is said */
            lines[i].ends.items = ends;
            lines[i].ends.count = (size_t)(place->depth - next);
        }
    }
    return (departments_view){.at = admin_list_departments,
                              .departments = {lines, all.count},
                              .may_write = may_write_departments(who)};
}

MODEL(department_editor, "", (i64, id), (str, name, optional), (list(choice), parents),
      (bool, may_write), (bool, saved), (str, name_error, optional), (str, parent_error, optional),
      (str, error, optional));

/* Where a department may stand: not below itself. */
static choice_list parents_of(const department_place_list *all, int64_t id, int64_t parent_id)
{
    choice_list choices = {bide_arena_alloc_zero(bide_task_arena(), all->count + 1, sizeof(choice)),
                           0};
    int32_t below = -1; /* the depth of the department itself, while those below it pass */
    if (!choices.items)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for departments"));
    for (size_t i = 0; i < all->count; i++) {
        const department_place *place = &all->items[i];
        if (below >= 0 && place->depth <= below)
            below = -1;
        if (place->id == id)
            below = place->depth;
        if (below < 0)
            choices.items[choices.count++] =
                (choice){.id = place->id, .name = place->path, .selected = place->id == parent_id};
    }
    return choices;
}

static async(department_editor) page_of_department(bide_request *req, const account *who,
                                                   int64_t id, const char *name, int64_t parent_id)
{
    department_place_list all = await(departments_tree(frodo_of(req)->db));
    choice_list parents = parents_of(&all, id, parent_id);
    return ready(department_editor,
                 ((department_editor){.id = id,
                                      .name = name,
                                      .parents = {parents.items, parents.count},
                                      .may_write = may_write_departments(who),
                                      .name_error = bide_problem_of(req, "name"),
                                      .parent_error = bide_problem_of(req, "parent_id")}));
}

static async(department_editor) page_of_kept(bide_request *req, const account *who, int64_t id)
{
    const department *row = await(bide_maybe(frodo_of(req)->db, department, "id = $1", id));
    if (!row)
        fail(http_error(404, "There is no such department"));
    return page_of_department(req, who, id, row->name, row->parent_id);
}

static async(department_editor) save_department(bide_request *req, const account *who, int64_t id,
                                                const department_form *form)
{
    bide_error *error = NULL;
    const department *saved = NULL;
    if (!bide_problems_of(req)->first)
        saved = attempt(&error, department_save, req, who, id, form);
    if (saved) {
        bide_see_other(req, url_for(req, to_department, saved->id, .saved = true));
        return ready(department_editor, (department_editor){.id = saved->id});
    }
    const char *text = form_refused(req, error);
    department_editor page = await(
        page_of_department(req, who, id, bide_form_value(req, "name"), form_id(req, "parent_id")));
    page.error = text;
    return ready(department_editor, page);
}

GET(show_new_department, "/admin/departments/new", html("users/department", department_editor),
    hidden, query(i64, below, range(1, INT64_MAX), optional),
    depends(const account *, who, may_write_roles))
{
    departments_change_check(who);
    return await(page_of_department(req, who, 0, NULL, below));
}

POST(send_new_department, "/admin/departments", html("users/department", department_editor), hidden,
     depends(bool, ours, own_form), depends(const account *, who, may_write_roles),
     form_body(department_form, form), takes_problems)
{
    return await(save_department(req, who, 0, form));
}

GET(show_department, "/admin/departments/{id}", html("users/department", department_editor), hidden,
    path(i64, id, range(1, INT64_MAX)), query(bool, saved, dflt(false)),
    depends(const account *, who, may_read_users))
{
    department_editor page = await(page_of_kept(req, who, id));
    page.saved = saved;
    return page;
}

POST(send_department, "/admin/departments/{id}", html("users/department", department_editor),
     hidden, path(i64, id, range(1, INT64_MAX)), depends(bool, ours, own_form),
     depends(const account *, who, may_write_roles), form_body(department_form, form),
     takes_problems)
{
    return await(save_department(req, who, id, form));
}

POST(send_department_away, "/admin/departments/{id}/delete",
     html("users/department", department_editor), hidden, path(i64, id, range(1, INT64_MAX)),
     depends(bool, ours, own_form), depends(const account *, who, may_write_roles))
{
    bide_error *error = NULL;
    attempt(&error, department_delete, req, who, id);
    if (!error) {
        bide_see_other(req, url_for(req, show_departments));
        return (department_editor){.id = id};
    }
    const char *text = form_refused(req, error);
    department_editor page = await(page_of_kept(req, who, id));
    page.error = text;
    return page;
}
