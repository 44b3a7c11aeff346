/*
 * Accounts as administrators see them. See users.h for the scope. Called by api.c and pages.c.
 */
#include "blog/blog.h"
#include "users/users.h"

#include <bide/password.h>
#include <string.h>

#define SELECT_USERS                                                                               \
    "select u.id, u.email, u.username, u.status, u.about, u.role_id, r.name as role, "             \
    "u.department_id, d.name as department, u.created_at from " USERS_IN_SCOPE                     \
    " join roles r on r.id = u.role_id left join departments d on d.id = u.department_id "

/* ---- looking ---- */

/* What `like` takes for itself is taken literally. */
static const char *pattern_of(const char *text)
{
    const char *wanted = text ? folded(text) : "";
    size_t length = strlen(wanted), end = 0;
    char *pattern = bide_arena_alloc(bide_task_arena(), 2 * length + 3);
    if (!pattern)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a pattern"));
    pattern[end++] = '%';
    for (size_t i = 0; i < length; i++) {
        if (strchr("%_!", wanted[i]))
            pattern[end++] = '!';
        pattern[end++] = wanted[i];
    }
    pattern[end++] = '%';
    pattern[end] = 0;
    return pattern;
}

async(managed_users) users_list(frodo *site, const account *who, const user_filter *filter)
{
    const char *status = filter->status ? filter->status : "";
    managed_user_page found = await(bide_page(
        site->db, managed_user, filter->page, filter->size,
        SELECT_USERS "where (u.username like $4 escape '!' or u.email like $4 escape '!') "
                     "and ($5 = '' or u.status = $5) "
                     "order by case when $6 = 'username' then u.username "
                     "when $6 = 'email' then u.email end, "
                     "case when $6 = 'oldest' then u.id else -u.id end",
        SCOPE_OF(who), pattern_of(filter->q), status, user_order_name(filter->order)));
    return ready(managed_users, ((managed_users){.rows = {found.items, found.count},
                                                 .total = found.total,
                                                 .page = filter->page,
                                                 .size = filter->size}));
}

async(managed_user_ptr) user_get(bide_tx *tx, const account *who, int64_t id)
{
    managed_user *found =
        await(bide_maybe(tx, managed_user, SELECT_USERS "where u.id = $4", SCOPE_OF(who), id));
    if (!found)
        fail(http_error(404, "There is no such account"));
    return ready(managed_user_ptr, found);
}

/* ---- making ---- */

static user row_of(const new_user *form)
{
    return (user){.email = folded(form->email),
                  .username = form->username,
                  .about = "",
                  .role_id = form->role_id ? form->role_id : ROLE_MEMBER,
                  .department_id = form->department_id};
}

/* Without a department somebody is out of reach of all but those who see everyone: for the others
   that is one that there is not. */
static int64_t department_within(const account *who, int64_t id)
{
    return who->scope == data_scope_everyone || id ? id : -1;
}

/* Who may be made with these roles and departments. */
static async(void) check_rows(bide_tx *tx, const account *who, const user *rows, size_t count)
{
    int64_t roles[BATCH_MOST], departments[BATCH_MOST];
    for (size_t i = 0; i < count; i++) {
        roles[i] = rows[i].role_id;
        departments[i] = department_within(who, rows[i].department_id);
    }
    await(roles_give_check(tx, who, roles, ids_once(roles, count)));
    await(departments_check(tx, who, departments, ids_once(departments, count)));
    return bide_void;
}

async(managed_user_ptr) user_create(bide_request *req, const account *who, const new_user *form)
{
    user row = row_of(form);
    managed_user *made = NULL;
    row.password = await(bide_password_hash(form->password)); /* before the transaction begins */
    with_tx(tx, frodo_of(req)->db) {
        await(check_rows(tx, who, &row, 1));
        await(bide_insert(tx, user, &row));
        made = await(user_get(tx, who, row.id));
    }
    return ready(managed_user_ptr, made);
}

/* ---- making many ---- */

static const char *progress_key(const account *who, const char *ticket)
{
    return bide_cache_key("batch:%lld:%s", (long long)who->id, ticket);
}

static async(void) tell(frodo *site, const char *key, size_t done, size_t total)
{
    bide_cache_ticket ticket;
    await(bide_cache_invalidate(site->cache, key));
    (void)await(bide_cache_get(site->cache, key, &ticket));
    const char *text = bide_arena_printf(bide_task_arena(), "%zu/%zu", done, total);
    (void)await(bide_cache_put(site->cache, key, ticket, text, bide_s(60)));
    return bide_void;
}

async(batch_progress_ptr) users_progress(frodo *site, const account *who, const char *ticket)
{
    int done = 0, total = 0;
    const char *text = await(bide_cache_get(site->cache, progress_key(who, ticket), NULL));
    batch_progress *progress = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *progress);
    if (!text || !progress || sscanf(text, "%d/%d", &done, &total) != 2)
        return ready(batch_progress_ptr, NULL);
    *progress = (batch_progress){.done = done, .total = total};
    return ready(batch_progress_ptr, progress);
}

struct hashing {
    frodo *site;
    const char *key; /* of the progress, or NULL */
    user *rows;
    size_t done, total;
};

static async(void) hash_one(new_user form, size_t index, struct hashing *all);
SPAWNABLE(void, hash_one, new_user, size_t, struct hashing *)
static async(void) hash_one(new_user form, size_t index, struct hashing *all)
{
    enum { AT_ONCE = 10 };
    all->rows[index].password = await(bide_password_hash(form.password));
    all->done++;
    if (all->key && (all->done % AT_ONCE == 0 || all->done == all->total))
        await(tell(all->site, all->key, all->done, all->total));
    return bide_void;
}

MODEL(taken_name, "", (str, username), (str, email));

/* A problem for each row whose name or address is taken, by an account or by a row before it. */
static async(void) find_taken(bide_request *req, const user *rows, size_t count)
{
    const char *names[BATCH_MOST], *addresses[BATCH_MOST];
    for (size_t i = 0; i < count; i++) {
        names[i] = rows[i].username;
        addresses[i] = rows[i].email;
    }
    taken_name_list taken =
        await(bide_all(frodo_of(req)->db, taken_name,
                       "select u.username, u.email from " ALL_USERS
                       " where u.username = any($1) or u.email = any($2)",
                       bide_list_of(str, names, count), bide_list_of(str, addresses, count)));
    for (size_t i = 0; i < count; i++) {
        bool name = false, address = false;
        for (size_t k = 0; k < taken.count + i; k++) {
            bool is_kept = k < taken.count;
            const char *other = is_kept ? taken.items[k].username : names[k - taken.count];
            const char *mail = is_kept ? taken.items[k].email : addresses[k - taken.count];
            name |= strcmp(other, names[i]) == 0;
            address |= strcmp(mail, addresses[i]) == 0;
        }
        if (name)
            bide_add_problem(req, bide_arena_printf(bide_arena_of(req), "users.%zu.username", i),
                             "taken", "This name is taken");
        if (address)
            bide_add_problem(req, bide_arena_printf(bide_arena_of(req), "users.%zu.email", i),
                             "taken", "This address is taken");
    }
    return bide_void;
}

async(managed_users) users_create(bide_request *req, const account *who, const user_batch *batch,
                                  const char *ticket)
{
    frodo *site = frodo_of(req);
    size_t count = batch->users.count;
    user *rows = bide_arena_alloc_zero(bide_arena_of(req), count, sizeof *rows);
    managed_user_list made = {NULL, 0};
    if (!rows)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for %zu accounts", count));
    for (size_t i = 0; i < count; i++)
        rows[i] = row_of(&batch->users.items[i]);
    struct hashing all = {site, ticket ? progress_key(who, ticket) : NULL, rows, 0, count};
    if (all.key)
        await(tell(site, all.key, 0, count));
    await(find_taken(req, rows, count));
    bide_refuse_problems(req);
    with_read_tx(tx, site->db) { /* what is refused costs no hashes */
        await(check_rows(tx, who, rows, count));
    }
    await(bide_each(batch->users.items, count, 8, hash_one, &all));
    with_tx(tx, site->db) {
        await(check_rows(tx, who, rows, count));
        await(bide_insert_many(tx, user, rows, count));
        int64_t ids[BATCH_MOST];
        for (size_t i = 0; i < count; i++)
            ids[i] = rows[i].id;
        made = await(bide_all(tx, managed_user, SELECT_USERS "where u.id = any($4) order by u.id",
                              SCOPE_OF(who), bide_list_of(i64, ids, count)));
    }
    return ready(managed_users, ((managed_users){.rows = {made.items, made.count},
                                                 .total = (int64_t)made.count,
                                                 .page = 1,
                                                 .size = (int32_t)count}));
}

/* ---- changing ---- */

async(void) administrators_check(bide_tx *tx)
{
    int64_t left = await(bide_scalar(tx, i64,
                                     "select count(*) from " ALL_USERS
                                     " join role_permissions p on p.role_id = u.role_id "
                                     "where u.status = 'active' and p.permission = 'users:write'"));
    if (left == 0)
        fail(http_error(409, "Nobody would be left who may administer accounts"));
    return bide_void;
}

/* The account, if `who` may change it: it is in scope, and has nothing that `who` has not. */
static async(managed_user_ptr) to_change(bide_tx *tx, const account *who, int64_t id)
{
    managed_user *found = await(user_get(tx, who, id));
    await(roles_give_check(tx, who, &found->role_id, 1));
    return ready(managed_user_ptr, found);
}

static async(managed_user_ptr) change_once(bide_tx *tx, frodo *site, const account *who, int64_t id,
                                           const user_changes *changes);
SPAWNABLE(managed_user_ptr, change_once, bide_tx *, frodo *, const account *, int64_t,
          const user_changes *)
static async(managed_user_ptr) change_once(bide_tx *tx, frodo *site, const account *who, int64_t id,
                                           const user_changes *changes)
{
    user_changes written = *changes;
    bide_tx_isolation(tx, BIDE_SERIALIZABLE); /* two may take the last right from each other */
    const managed_user *was = await(to_change(tx, who, id));
    bool is_role = bide_has(changes, role_id) && changes->role_id != was->role_id;
    bool is_status = bide_has(changes, status) && changes->status != was->status;
    if (id == who->id && (is_role || is_status))
        fail(http_error(409, "Nobody changes the own role or status"));
    if (is_role)
        await(roles_give_check(tx, who, &changes->role_id, 1));
    if (bide_has(changes, department_id) || bide_is_null(changes, department_id)) {
        int64_t to = department_within(who, changes->department_id);
        await(departments_check(tx, who, &to, ids_once(&to, 1)));
    }
    if (bide_has(changes, email))
        written.email = folded(changes->email);
    (void)await(bide_patch(tx, user_fields, id, user_changes, &written));
    account_changed(tx, site, id);
    if (is_status)
        await(account_end_logins(tx, site, id));
    await(administrators_check(tx));
    return user_get(tx, who, id);
}

async(managed_user_ptr) user_change(bide_request *req, const account *who, int64_t id,
                                    const user_changes *changes)
{
    bide_error *error = NULL;
    frodo *site = frodo_of(req);
    managed_user *now = retry_tx(&error, site->db, change_once, site, who, id, changes);
    if (error)
        fail(error);
    return ready(managed_user_ptr, now);
}

static async(void) delete_once(bide_tx *tx, frodo *site, const account *who, int64_t id);
SPAWNABLE(void, delete_once, bide_tx *, frodo *, const account *, int64_t)
static async(void) delete_once(bide_tx *tx, frodo *site, const account *who, int64_t id)
{
    bide_tx_isolation(tx, BIDE_SERIALIZABLE);
    (void)await(to_change(tx, who, id));
    await(account_end_logins(tx, site, id));
    await(bide_delete(tx, user_fields, id));
    names_uncache(tx, site); /* their reactions go too */
    await(administrators_check(tx));
    return bide_void;
}

async(void) user_delete(bide_request *req, const account *who, int64_t id)
{
    bide_error *error = NULL;
    frodo *site = frodo_of(req);
    if (id == who->id)
        fail(http_error(409, "Nobody deletes the own account here"));
    retry_tx(&error, site->db, delete_once, site, who, id);
    if (error && error->code == BIDE_CONSTRAINT)
        fail(http_error(409, "The account has posts or comments: disable it in place of deleting"));
    if (error)
        fail(error);
    return bide_void;
}
