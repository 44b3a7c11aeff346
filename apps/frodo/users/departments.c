/*
 * Departments, which are a tree. Called by api.c, pages.c, role_pages.c and store.c.
 */
#include "users/users.h"

async(void) departments_check(bide_tx *tx, const account *who, const int64_t *ids, size_t count)
{
    int64_t known =
        await(bide_scalar(tx, i64,
                          "select count(*) from departments where id = any($4) and "
                          "($1 = 'everyone' or ($2 > 0 and id in " DEPARTMENTS_BELOW "))",
                          SCOPE_OF(who), bide_list_of(i64, ids, count)));
    if (known != (int64_t)count)
        fail(http_error(422, "There is no such department, or it is not below yours"));
    return bide_void;
}

/* ---- the tree ---- */

/* The first of those that stand below this one; all of these are beside each other. */
static size_t first_below(const department_list *all, int64_t parent_id)
{
    size_t from = 0, to = all->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (all->items[middle].parent_id < parent_id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* A department whose line comes after that of `above`, which may be NULL. */
static department_place place_of(const department *row, const department_place *above)
{
    const char *path = row->name;
    if (above)
        path = bide_arena_printf(bide_task_arena(), "%s › %s", above->path, row->name);
    return (department_place){.id = row->id,
                              .name = row->name,
                              .parent_id = row->parent_id,
                              .path = path,
                              .depth = above ? above->depth + 1 : 0};
}

async(department_place_list) departments_tree(bide_db *db)
{
    department_list all =
        await(bide_all(db, department, "order by coalesce(parent_id, 0), name, id"));
    department_place *places = bide_arena_alloc_zero(bide_task_arena(), all.count, sizeof *places);
    /* By depth: the department whose line is the last, and where to go on below it. */
    const department_place **open =
        bide_arena_alloc_zero(bide_task_arena(), all.count + 2, sizeof *open);
    size_t *next = bide_arena_alloc_zero(bide_task_arena(), all.count + 2, sizeof *next);
    size_t count = 0;
    if ((!places && all.count) || !open || !next)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for departments"));
    for (size_t depth = 1; depth > 0;) {
        const department_place *above = open[depth - 1];
        size_t at = next[depth];
        if (at == all.count || all.items[at].parent_id != (above ? above->id : 0)) {
            depth--;
            continue;
        }
        next[depth]++;
        places[count] = place_of(&all.items[at], above);
        open[depth++] = &places[count++];
        next[depth] = first_below(&all, open[depth - 1]->id);
    }
    return ready(department_place_list, ((department_place_list){places, count}));
}

/* ---- changes ---- */

void departments_change_check(const account *who)
{
    if (who->scope != data_scope_everyone)
        fail(http_error(403, "Departments are for who sees everyone"));
}

async(department_ptr) department_save(bide_request *req, const account *who, int64_t id,
                                      const department_form *form)
{
    departments_change_check(who);
    department *row = bide_arena_alloc_zero(bide_arena_of(req), 1, sizeof *row);
    if (!row)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a department"));
    *row = (department){.id = id, .name = form->name, .parent_id = form->parent_id};
    with_tx(tx, frodo_of(req)->db) {
        bide_tx_isolation(tx, BIDE_SERIALIZABLE); /* two moves may make a circle together */
        if (row->parent_id)
            await(departments_check(tx, who, &row->parent_id, 1));
        int64_t circle = await(
            bide_scalar(tx, i64,
                        "with recursive below(id) as (select id from departments where id = $1 "
                        "union select d.id from departments d join below b on d.parent_id = b.id) "
                        "select count(*) from below where id = $2",
                        id, row->parent_id));
        if (circle > 0)
            fail(http_error(409, "A department cannot stand below itself"));
        if (id)
            await(bide_update(tx, department, row, name, parent_id));
        else
            await(bide_insert(tx, department, row));
    }
    return ready(department_ptr, row);
}

async(void) department_delete(bide_request *req, const account *who, int64_t id)
{
    bide_error *error = NULL;
    departments_change_check(who);
    attempt(&error, bide_delete, frodo_of(req)->db, department, id);
    if (error && error->code == BIDE_CONSTRAINT)
        fail(http_error(409, "Somebody is in this department, or one stands below it"));
    if (error)
        fail(error);
    return bide_void;
}
