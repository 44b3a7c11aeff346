/*
 * Roles with their permissions. Called by api.c, role_pages.c and store.c.
 */
#include "users/users.h"

#include <stdlib.h>
#include <string.h>

const permission_kind permission_kinds[PERMISSIONS] = {
    {"users:read", "see accounts, roles and departments"},
    {"users:write", "make, change and delete accounts"},
    {"roles:write", "change roles; departments too, for who sees everyone"},
    {"posts:write", "write posts, and change those of everybody in sight"},
    {"posts:publish", "let posts appear"},
    {"comments:moderate", "hide and delete comments"},
};

/* ---- who may give what ---- */

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

size_t ids_once(int64_t *ids, size_t count)
{
    size_t kept = 0;
    qsort(ids, count, sizeof *ids, by_number);
    for (size_t i = 0; i < count; i++)
        if (ids[i] != 0 && (kept == 0 || ids[kept - 1] != ids[i]))
            ids[kept++] = ids[i];
    return kept;
}

/* How much a scope shows: more shows more. */
static int width_of(data_scope scope)
{
    return scope == data_scope_everyone ? 2 : scope == data_scope_department ? 1 : 0;
}

async(void) roles_give_check(bide_tx *tx, const account *who, const int64_t *ids, size_t count)
{
    int64_t known = await(bide_scalar(tx, i64, "select count(*) from roles where id = any($1)",
                                      bide_list_of(i64, ids, count)));
    if (known != (int64_t)count)
        fail(http_error(422, "There is no such role"));
    int64_t beyond = await(
        bide_scalar(tx, i64,
                    "select count(*) from roles r where r.id = any($1) and ("
                    "case r.scope when 'everyone' then 2 when 'department' then 1 else 0 end > $2 "
                    "or exists (select 1 from role_permissions p where p.role_id = r.id "
                    "and p.permission <> all($3)))",
                    bide_list_of(i64, ids, count), width_of(who->scope),
                    bide_list_of(str, who->permissions.items, who->permissions.count)));
    if (beyond > 0)
        fail(http_error(403, "The role gives more than you have"));
    return bide_void;
}

/* ---- roles ---- */

async(role_out_list) roles_all(bide_tx *tx)
{
    role_list roles = await(bide_all(tx, role, "order by id"));
    role_permission_lists of = await(bide_load_many(tx, role_permission, role_id, roles.items,
                                                    roles.count, id, (asc, permission, id), ""));
    role_out *out = bide_arena_alloc_zero(bide_task_arena(), roles.count, sizeof *out);
    for (size_t i = 0; out && i < roles.count; i++) {
        const char **names =
            bide_arena_alloc_zero(bide_task_arena(), of[i].count + 1, sizeof *names);
        if (!names)
            fail(bide_error_new(BIDE_NO_MEMORY, "no memory for roles"));
        for (size_t k = 0; k < of[i].count; k++)
            names[k] = of[i].items[k].permission;
        out[i] = (role_out){.id = roles.items[i].id,
                            .name = roles.items[i].name,
                            .scope = roles.items[i].scope,
                            .permissions = {names, of[i].count}};
    }
    if (!out && roles.count)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for roles"));
    return ready(role_out_list, ((role_out_list){out, roles.count}));
}

async(role_ptr) role_get(bide_tx *tx, int64_t id)
{
    role *found = await(bide_maybe(tx, role, "id = $1", id));
    if (!found)
        fail(http_error(404, "There is no such role"));
    return ready(role_ptr, found);
}

/* What is no permission, or given twice, becomes a problem. */
static void judge(bide_request *req, const role_form *form)
{
    for (size_t i = 0; i < form->permissions.count; i++) {
        bool known = false, twice = false;
        for (size_t k = 0; k < PERMISSIONS; k++)
            known |= strcmp(form->permissions.items[i], permission_kinds[k].name) == 0;
        for (size_t k = 0; k < i; k++)
            twice |= strcmp(form->permissions.items[i], form->permissions.items[k]) == 0;
        if (!known || twice)
            bide_add_problem(req, bide_arena_printf(bide_arena_of(req), "permissions.%zu", i),
                             known ? "twice" : "enum",
                             known ? "Named twice" : "There is no such permission");
    }
    bide_refuse_problems(req);
}

MODEL(member, "", (i64, id));

/* All who have the role are read anew. */
static async(void) role_changed(bide_tx *tx, frodo *site, int64_t role_id)
{
    member_list of =
        await(bide_all(tx, member, "select u.id from " ALL_USERS " where u.role_id = $1", role_id));
    for (size_t i = 0; i < of.count; i++)
        account_changed(tx, site, of.items[i].id);
    return bide_void;
}

/* `id`: 0 for a new one. An earlier try may have put one into the row. */
static async(void) save_once(bide_tx *tx, frodo *site, const account *who, int64_t id, role *row,
                             const role_form *form);
SPAWNABLE(void, save_once, bide_tx *, frodo *, const account *, int64_t, role *, const role_form *)
static async(void) save_once(bide_tx *tx, frodo *site, const account *who, int64_t id, role *row,
                             const role_form *form)
{
    row->id = id;
    bide_tx_isolation(tx, BIDE_SERIALIZABLE); /* two may take the last right from each other */
    if (id) {                                 /* nobody changes a role that gives more ... */
        (void)await(role_get(tx, row->id));
        await(roles_give_check(tx, who, &row->id, 1));
        await(bide_update(tx, role, row, name, scope));
    } else {
        await(bide_insert(tx, role, row));
    }
    await(bide_do(tx, "delete from role_permissions where role_id = $1", row->id));
    for (size_t i = 0; i < form->permissions.count; i++) {
        role_permission one = {.role_id = row->id, .permission = form->permissions.items[i]};
        (void)bide_add(tx, role_permission, &one);
    }
    await(bide_flush(tx));
    await(roles_give_check(tx, who, &row->id, 1)); /* ... nor makes one */
    await(administrators_check(tx));
    await(role_changed(tx, site, row->id));
    return bide_void;
}

async(role_out_ptr) role_save(bide_request *req, const account *who, int64_t id,
                              const role_form *form)
{
    bide_error *error = NULL;
    frodo *site = frodo_of(req);
    role_out *out = bide_arena_alloc_zero(bide_arena_of(req), 1, sizeof *out);
    role row = {.name = form->name, .scope = form->scope};
    judge(req, form);
    if (!out)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a role"));
    if (id == ROLE_ADMIN)
        fail(http_error(409, "The role of administrators stays as it is"));
    retry_tx(&error, site->db, save_once, site, who, id, &row, form);
    if (error)
        fail(error);
    *out = (role_out){.id = row.id,
                      .name = row.name,
                      .scope = row.scope,
                      .permissions = {form->permissions.items, form->permissions.count}};
    return ready(role_out_ptr, out);
}

static async(void) delete_once(bide_tx *tx, const account *who, int64_t id);
SPAWNABLE(void, delete_once, bide_tx *, const account *, int64_t)
static async(void) delete_once(bide_tx *tx, const account *who, int64_t id)
{
    (void)await(role_get(tx, id));
    await(roles_give_check(tx, who, &id, 1));
    return bide_delete(tx, role, id);
}

async(void) role_delete(bide_request *req, const account *who, int64_t id)
{
    bide_error *error = NULL;
    if (id <= ROLE_MEMBER)
        fail(http_error(409, "This role is needed"));
    retry_tx(&error, frodo_of(req)->db, delete_once, who, id);
    if (error && error->code == BIDE_CONSTRAINT)
        fail(http_error(409, "Somebody has this role"));
    if (error)
        fail(error);
    return bide_void;
}
