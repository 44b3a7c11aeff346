/*
 * User administration for programs: JSON under /api. Calls store.c, roles.c and departments.c.
 */
#include "users/users.h"

/* ---- accounts ---- */

GET(list_users, "/api/users", managed_users, tags("users"),
    depends(const account *, who, may_read_users), query(i32, page, range(1, 1000000), dflt(1)),
    query(i32, size, range(1, 100), dflt(10)), query(str, q, len(0, 100), optional),
    query(account_status, status, optional), query(user_order, order, dflt(user_order_newest)))
{
    user_filter filter = {.q = q, .order = order, .page = page, .size = size};
    if (bide_given(req, status))
        filter.status = account_status_name(status);
    return await(users_list(frodo_of(req), who, &filter));
}

POST(create_user, "/api/users", managed_user, status(201), tags("users"), body(new_user, form),
     depends(const account *, who, may_write_users))
{
    return *await(user_create(req, who, form));
}

POST(create_users, "/api/users/batch", managed_users, status(201), tags("users"),
     summary("All of them or none; a ticket of one's own choice is asked about below"),
     body(user_batch, batch), query(str, ticket, match("^[A-Za-z0-9-]{1,64}$"), optional),
     deadline_ms(120000), depends(const account *, who, may_write_users))
{
    return await(users_create(req, who, batch, ticket));
}

GET(get_progress, "/api/users/batch/{ticket}", maybe(batch_progress), tags("users"),
    summary("How far the batch with this ticket is"),
    path(str, ticket, match("^[A-Za-z0-9-]{1,64}$")),
    depends(const account *, who, may_write_users))
{
    return await(users_progress(frodo_of(req), who, ticket));
}

GET(get_user, "/api/users/{id}", managed_user, tags("users"), path(i64, id, range(1, INT64_MAX)),
    depends(const account *, who, may_read_users), depends(bide_tx *, tx, reads))
{
    return *await(user_get(tx, who, id));
}

PATCH(change_user, "/api/users/{id}", managed_user, tags("users"),
      path(i64, id, range(1, INT64_MAX)), body(user_changes, changes),
      depends(const account *, who, may_write_users))
{
    return *await(user_change(req, who, id, changes));
}

DELETE(delete_user, "/api/users/{id}", nothing, tags("users"), path(i64, id, range(1, INT64_MAX)),
       depends(const account *, who, may_write_users))
{
    await(user_delete(req, who, id));
}

/* ---- roles ---- */

GET(list_roles, "/api/roles", list(role_out), tags("users"),
    depends(const account *, who, may_read_users), depends(bide_tx *, tx, reads))
{
    (void)who;
    return await(roles_all(tx));
}

POST(create_role, "/api/roles", role_out, status(201), tags("users"), body(role_form, form),
     depends(const account *, who, may_write_roles))
{
    return *await(role_save(req, who, 0, form));
}

PUT(change_role, "/api/roles/{id}", role_out, tags("users"), path(i64, id, range(1, INT64_MAX)),
    body(role_form, form), depends(const account *, who, may_write_roles))
{
    return *await(role_save(req, who, id, form));
}

DELETE(delete_role, "/api/roles/{id}", nothing, tags("users"), path(i64, id, range(1, INT64_MAX)),
       depends(const account *, who, may_write_roles))
{
    await(role_delete(req, who, id));
}

/* ---- departments ---- */

GET(list_departments, "/api/departments", list(department), tags("users"),
    depends(const account *, who, may_read_users), depends(bide_db *, db, database))
{
    (void)who;
    return await(bide_all(db, department, "order by name, id"));
}

POST(create_department, "/api/departments", department, status(201), tags("users"),
     body(department_form, form), depends(const account *, who, may_write_roles))
{
    return *await(department_save(req, who, 0, form));
}

PUT(change_department, "/api/departments/{id}", department, tags("users"),
    path(i64, id, range(1, INT64_MAX)), body(department_form, form),
    depends(const account *, who, may_write_roles))
{
    return *await(department_save(req, who, id, form));
}

DELETE(delete_department, "/api/departments/{id}", nothing, tags("users"),
       path(i64, id, range(1, INT64_MAX)), depends(const account *, who, may_write_roles))
{
    await(department_delete(req, who, id));
}
