/* The data scope: each kind, on every call; and that no query of this feature forgets it. */
#include "db/check.h"

#include "testing.h"
#include "users/users.h"

#include <string.h>

/* departments: 1 The Shire, 2 Buckland below it, 3 Bree. */
static int64_t frodo_id, merry_id, barliman_id, lost_id;

static async(int64_t) make(bide_db *db, const char *name, const char *role_name, int64_t in)
{
    int64_t id = await(frodo_make_user(db, name, role_name));
    check_int(await(bide_exec(db, "update users set department_id = nullif($1, 0) where id = $2",
                              in, id)),
              1);
    return ready(int64_t, id);
}

/* An editor who may also change accounts. */
static async(void) make_everybody(bide_db *db)
{
    await(bide_do(db, "insert into departments (name, parent_id) values ('Buckland', 1)"));
    await(bide_do(db, "insert into departments (name) values ('Bree')"));
    await(bide_do(db, "insert into role_permissions (role_id, permission) values "
                      "(2, 'users:write'), (3, 'users:read'), (3, 'users:write')"));
    frodo_id = await(make(db, "frodo", "editor", 1));
    merry_id = await(make(db, "merry", "member", 2));
    barliman_id = await(make(db, "barliman", "member", 3));
    lost_id = await(make(db, "gollum", "member", 0));
    await(make(db, "gandalf", "admin", 0));
    return bide_void;
}

static const char *path_of(int64_t id)
{
    return bide_arena_printf(bide_task_arena(), "/api/users/%lld", (long long)id);
}

/* Every call about this account says the same: it is there, or it is not. */
static async(void) reaches(bide_client_ptr client, int64_t id, bool reached)
{
    int status = reached ? 200 : 404;
    check_int(await(client_get(client, path_of(id))).status, status);
    check_int(await(client_patch(client, path_of(id), json("{\"department_id\":2}"))).status,
              status);
    if (!reached)
        check_int(await(client_delete(client, path_of(id))).status, 404);
    return bide_void;
}

FRODO_TEST(a_department_sees_itself_and_what_is_below)
{
    with_frodo(client, site, c) {
        await(make_everybody(site->db));
        await(frodo_login(client, "frodo"));
        reply r = await(client_get(client, "/api/users?order=username"));
        check_int(json_int(r, "total"), 2);
        check_int((int)json_count(r, "rows"), 2);
        check_str(json_str(r, "rows.0.username"), "frodo");
        check_str(json_str(r, "rows.1.username"), "merry");
        check_int(json_int(await(client_get(client, "/api/users?q=barliman")), "total"), 0);
        await(reaches(client, merry_id, true));
        await(reaches(client, barliman_id, false));
        await(reaches(client, lost_id, false));
        check_int(
            await(client_patch(client, path_of(merry_id), json("{\"department_id\":3}"))).status,
            422);
        check_int(
            await(client_patch(client, path_of(merry_id), json("{\"department_id\":null}"))).status,
            422);
        check_int(await(client_patch(client, path_of(merry_id), json("{\"role_id\":1}"))).status,
                  403);
    }
}

FRODO_TEST(one_who_sees_oneself_only)
{
    with_frodo(client, site, c) {
        await(make_everybody(site->db));
        await(frodo_login(client, "merry"));
        reply r = await(client_get(client, "/api/users"));
        check_int(json_int(r, "total"), 1);
        check_str(json_str(r, "rows.0.username"), "merry");
        await(reaches(client, barliman_id, false));
        await(reaches(client, frodo_id, false));
    }
}

FRODO_TEST(an_administrator_sees_everyone)
{
    with_frodo(client, site, c) {
        await(make_everybody(site->db));
        await(frodo_login(client, "gandalf"));
        check_int(json_int(await(client_get(client, "/api/users")), "total"), 5);
        await(reaches(client, lost_id, true));
        await(reaches(client, barliman_id, true));
    }
}

FRODO_TEST(accounts_are_made_within_the_scope_only)
{
    static const struct {
        const char *more;
        int status;
    } cases[] = {
        {"\"department_id\":2,\"email\":\"a@a.example\"", 201},
        {"\"department_id\":3,\"email\":\"b@a.example\"", 422},
        {"\"email\":\"c@a.example\"", 422}, /* without a department nobody of theirs */
        {"\"department_id\":1,\"role_id\":1,\"email\":\"d@a.example\"", 403},
    };
    with_frodo(client, site, c) {
        await(make_everybody(site->db));
        await(frodo_login(client, "frodo"));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *row = bide_arena_printf(
                bide_task_arena(), "{\"username\":\"new%zu\",\"password\":\"a long journey\",%s}",
                i, cases[i].more);
            const char *batch = bide_arena_printf(bide_task_arena(), "{\"users\":[%s]}", row);
            int status = await(client_post(client, "/api/users", json(row))).status;
            check_int(status, cases[i].status);
            if (status != 201)
                check_int(await(client_post(client, "/api/users/batch", json(batch))).status,
                          cases[i].status);
        }
    }
}

static bool names_users(const char *sql)
{
    for (const char *at = strstr(sql, "users"); at; at = strstr(at + 1, "users")) {
        bool word = (at == sql || strchr(" (,", at[-1])) && strchr(" ,)", at[5]);
        if (word && strncmp(sql, "users:", 6) != 0)
            return true;
    }
    return false;
}

/* All queries of the program are noted (bide check reads them): those of this folder that name the
   table ask the scope, or say that they do not. */
TEST(no_query_forgets_the_scope)
{
    struct bide__notes notes;
    int seen = 0;
    check_int(bide__notes_read(bide_task_arena(), &notes), 0);
    for (size_t i = 0; i < notes.count; i++) {
        const struct bide__note *note = notes.all[i];
        if (!strstr(note->file, "frodo/users/") || strstr(note->file, "_test.c") ||
            !names_users(note->text))
            continue;
        seen++;
        bool asks = strstr(note->text, USERS_IN_SCOPE) || strstr(note->text, ALL_USERS);
        check_str(asks ? "" : note->text, "");
    }
    check(seen >= 5);
}
