/* User administration over its API, on both databases. */
#include "testing.h"

#include "users/users.h"

#include <string.h>

static const char *printf_(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
static const char *printf_(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = bide_arena_vprintf(bide_task_arena(), format, args);
    va_end(args);
    return text;
}

static async(void) get_is(bide_client_ptr client, const char *path, int status)
{
    check_int(await(client_get(client, path)).status, status);
    return bide_void;
}

FRODO_TEST(accounts_are_listed_in_pages)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        for (int i = 0; i < 25; i++)
            await(frodo_make_user(site->db, printf_("hobbit%02d", i), "member"));
        await(frodo_login(client, "gandalf"));
        reply r = await(client_get(client, "/api/users?page=2&size=10&order=username&q=hobbit"));
        check_int(r.status, 200);
        check_int(json_int(r, "total"), 25);
        check_int(json_int(r, "page"), 2);
        check_int(json_int(r, "size"), 10);
        check_str(json_str(r, "rows.0.username"), "hobbit10");
        check_str(json_str(r, "rows.9.username"), "hobbit19");
        check(strstr(r.body, "password") == NULL && strstr(r.body, "argon2") == NULL);
        check_int(json_int(await(client_get(client, "/api/users?q=%25")), "total"), 0);
        check_int(json_int(await(client_get(client, "/api/users?q=HOBBIT07")), "total"), 1);
        check_int(json_int(await(client_get(client, "/api/users?status=disabled")), "total"), 0);
        static const char *const wrong[] = {"page=0",     "size=0",        "size=101",   "page=x",
                                            "order=role", "order=id;drop", "status=gone"};
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
            await(get_is(client, printf_("/api/users?%s", wrong[i]), 422));
        client_header(client, "Authorization", NULL);
        await(get_is(client, "/api/users", 401));
        await(frodo_login(client, "hobbit03"));
        await(get_is(client, "/api/users", 403));
    }
}

FRODO_TEST(an_account_is_made_changed_and_deleted)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_login(client, "gandalf"));
        reply made = await(client_post(
            client, "/api/users",
            json("{\"email\":\"Sam@Shire.example\",\"username\":\"sam\",\"password\":"
                 "\"a garden of roses\",\"id\":77,\"token_epoch\":5,\"created_at\":null}")));
        check_int(made.status, 201);
        check_str(json_str(made, "email"), "sam@shire.example");
        check_str(json_str(made, "role"), "member");
        check(json_int(made, "id") != 77);
        const char *path = printf_("/api/users/%lld", (long long)json_int(made, "id"));
        check_int(await(client_post(client, "/api/users",
                                    json("{\"email\":\"s\u00e1m@shire.example\",\"username\":"
                                         "\"sam2\",\"password\":\"a garden of roses\"}")))
                      .status,
                  422); /* no mail would reach it */
        check_int(await(client_patch(client, path, json("{\"email\":\"s\u00e1m@shire.example\"}")))
                      .status,
                  422);
        reply again = await(client_post(client, "/api/users",
                                        json("{\"email\":\"x@shire.example\",\"username\":\"sam\","
                                             "\"password\":\"a garden of roses\"}")));
        check_int(again.status, 409);
        check_contains(again.body, "username");
        reply r = await(client_patch(client, path, json("{\"role_id\":2,\"department_id\":1}")));
        check_int(r.status, 200);
        check_str(json_str(r, "role"), "editor");
        check_str(json_str(r, "department"), "The Shire");
        check_str(json_str(r, "email"), "sam@shire.example");
        r = await(client_patch(client, path, json("{\"department_id\":null}")));
        check_int(r.status, 200);
        check(strstr(r.body, "\"department\":null") != NULL);
        check_int(await(client_patch(client, path, json("{\"role_id\":99}"))).status, 422);
        check_int(await(client_patch(client, path, json("{\"status\":\"gone\"}"))).status, 422);
        check_int(await(client_delete(client, path)).status, 204);
        await(get_is(client, path, 404));
        check_int(await(client_delete(client, path)).status, 404);
    }
}

FRODO_TEST(nobody_shuts_everybody_out)
{
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "gandalf", "admin"));
        const char *me = printf_("/api/users/%lld", (long long)id);
        await(frodo_login(client, "gandalf"));
        check_int(await(client_delete(client, me)).status, 409);
        check_int(await(client_patch(client, me, json("{\"status\":\"disabled\"}"))).status, 409);
        check_int(await(client_patch(client, me, json("{\"role_id\":3}"))).status, 409);
        check_int(await(client_patch(client, me, json("{\"role_id\":1}"))).status, 200);
    }
}

/* The field `Authorization` of an account. */
static async(str) token_of(bide_client_ptr client, const char *name)
{
    reply r =
        await(client_post(client, "/api/auth/login",
                          urlencoded(printf_("username=%s&password=%s", name, FRODO_PASSWORD))));
    require(r.status == 200);
    return ready(str, printf_("Bearer %s", json_str(r, "access_token")));
}

FRODO_TEST(a_change_of_an_account_holds_at_once)
{
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "pippin", "editor"));
        await(frodo_make_user(site->db, "gandalf", "admin"));
        const char *path = printf_("/api/users/%lld", (long long)id);
        const char *pippin = await(token_of(client, "pippin"));
        const char *gandalf = await(token_of(client, "gandalf"));
        client_header(client, "Authorization", pippin);
        await(get_is(client, "/api/users", 200));
        client_header(client, "Authorization", gandalf);
        check_int(await(client_patch(client, path, json("{\"role_id\":3}"))).status, 200);
        client_header(client, "Authorization", pippin);
        await(get_is(client, "/api/users", 403));
        client_header(client, "Authorization", gandalf);
        check_int(await(client_patch(client, path, json("{\"status\":\"disabled\"}"))).status, 200);
        client_header(client, "Authorization", pippin);
        await(get_is(client, "/api/users/me", 401));
    }
}

static const char *batch_of(int count, const char *odd_name)
{
    bide_buf out;
    bide_buf_init(&out, 1 << 20);
    bide_buf_append_str(&out, "{\"users\":[");
    for (int i = 0; i < count; i++)
        bide_buf_printf(&out,
                        "%s{\"email\":\"d%d@erebor.example\",\"username\":\"%s%d\",\"password\":"
                        "\"the door is open\"}",
                        i ? "," : "", i, i == 3 ? odd_name : "dwarf", i);
    bide_buf_append_str(&out, "]}");
    const char *text = bide_arena_strdup(bide_task_arena(), bide_buf_str(&out));
    bide_buf_done(&out);
    return text;
}

FRODO_TEST(a_batch_is_made_as_a_whole_or_not_at_all)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_make_user(site->db, "thorin3", "member"));
        await(frodo_login(client, "gandalf"));
        reply r = await(client_post(client, "/api/users/batch", json(batch_of(20, "No Name"))));
        check_int(r.status, 422);
        check_contains(r.body, "[\"body\",\"users\",3,\"username\"]");
        r = await(client_post(client, "/api/users/batch", json(batch_of(20, "thorin"))));
        check_int(r.status, 422);
        check_contains(r.body, "\"type\":\"taken\",\"loc\":[\"body\",\"users\",3,\"username\"]");
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 2);
        r = await(
            client_post(client, "/api/users/batch?ticket=none", json(batch_of(20, "thorin"))));
        r = await(client_get(client, "/api/users/batch/none")); /* it had begun, and made nobody */
        check_int(json_int(r, "done"), 0);
        check_int(json_int(r, "total"), 20);
        r = await(client_post(client, "/api/users/batch?ticket=one", json(batch_of(20, "dwarf"))));
        check_int(r.status, 201);
        check_int(json_int(r, "total"), 20);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 22);
        r = await(client_get(client, "/api/users/batch/one"));
        check_int(json_int(r, "done"), 20);
        check_int(json_int(r, "total"), 20);
        await(get_is(client, "/api/users/batch/two", 404));
        check_int(await(client_post(client, "/api/users/batch", json("{\"users\":[]}"))).status,
                  422);
    }
}

static async(void) create_one(int index, size_t place, bide_client_ptr client);
SPAWNABLE(void, create_one, int, size_t, bide_client_ptr)
static int created, taken;
static async(void) create_one(int index, size_t place, bide_client_ptr client)
{
    (void)place;
    reply r = await(client_post(client, "/api/users",
                                json(printf_("{\"email\":\"b%d@shire.example\",\"username\":"
                                             "\"bilbo\",\"password\":\"there and back\"}",
                                             index))));
    check(r.status == 201 || r.status == 409);
    created += r.status == 201;
    taken += r.status == 409;
    return bide_void;
}

FRODO_TEST(of_many_with_one_name_one_is_made)
{
    enum { MANY = 200 };
    int numbers[MANY];
    created = taken = 0;
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_login(client, "gandalf"));
        for (int i = 0; i < MANY; i++)
            numbers[i] = i;
        await(bide_each(numbers, MANY, 32, create_one, client));
        check_int(created, 1);
        check_int(taken, MANY - 1);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 2);
    }
}

FRODO_TEST(roles_give_what_they_say)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_make_user(site->db, "pippin", "member"));
        const char *gandalf = await(token_of(client, "gandalf"));
        const char *pippin = await(token_of(client, "pippin"));
        client_header(client, "Authorization", gandalf);
        reply r = await(client_post(client, "/api/roles",
                                    json("{\"name\":\"reader\",\"scope\":\"everyone\","
                                         "\"permissions\":[\"users:read\"]}")));
        check_int(r.status, 201);
        int64_t role_id = json_int(r, "id");
        check_int(await(bide_exec(site->db, "update users set role_id = $1 where username = $2",
                                  role_id, "pippin")),
                  1);
        client_header(client, "Authorization", pippin);
        await(bide_sleep(bide_s(ACCOUNT_CACHE_S + 1)));
        await(get_is(client, "/api/users", 200));
        check_int(await(client_post(client, "/api/roles",
                                    json("{\"name\":\"x\",\"scope\":\"own\",\"permissions\":[]}")))
                      .status,
                  403);
        client_header(client, "Authorization", gandalf);
        const char *path = printf_("/api/roles/%lld", (long long)role_id);
        r = await(client_put(client, path,
                             json("{\"name\":\"reader\",\"scope\":\"own\","
                                  "\"permissions\":[\"posts:write\"]}")));
        check_int(r.status, 200);
        client_header(client, "Authorization", pippin); /* at once */
        await(get_is(client, "/api/users", 403));
        client_header(client, "Authorization", gandalf);
        check_int(await(client_delete(client, path)).status, 409);
        check_int(await(client_put(client, "/api/roles/1",
                                   json("{\"name\":\"admin\",\"scope\":\"own\","
                                        "\"permissions\":[]}")))
                      .status,
                  409);
        r = await(client_post(client, "/api/roles",
                              json("{\"name\":\"odd\",\"scope\":\"own\",\"permissions\":"
                                   "[\"users:read\",\"users:eat\",\"users:read\"]}")));
        check_int(r.status, 422);
        check_contains(r.body, "[\"body\",\"permissions\",1]");
        check_contains(r.body, "[\"body\",\"permissions\",2]");
        r = await(client_get(client, "/api/roles"));
        check_int((int)json_count(r, ""), 4);
    }
}

FRODO_TEST(departments_are_a_tree)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_login(client, "gandalf"));
        reply r = await(client_post(client, "/api/departments",
                                    json("{\"name\":\"Buckland\",\"parent_id\":1}")));
        check_int(r.status, 201);
        const char *path = printf_("/api/departments/%lld", (long long)json_int(r, "id"));
        const char *below =
            printf_("{\"name\":\"The Shire\",\"parent_id\":%lld}", (long long)json_int(r, "id"));
        check_int(await(client_put(client, "/api/departments/1", json(below))).status, 409);
        check_int(
            await(client_post(client, "/api/departments", json("{\"name\":\"Buckland\"}"))).status,
            409);
        check_int(await(client_post(client, "/api/departments",
                                    json("{\"name\":\"Bree\",\"parent_id\":99}")))
                      .status,
                  422);
        check_int(await(client_delete(client, "/api/departments/1")).status, 409);
        check_int(await(client_delete(client, path)).status, 204);
    }
}

/* Of rights that are less than an administrator's, though roles may be written with them. */
static async(void) make_steward(bide_db *db)
{
    await(bide_do(db, "insert into roles (name, scope) values ('steward', 'department')"));
    await(bide_do(db, "insert into role_permissions (role_id, permission) select id, 'roles:write' "
                      "from roles where name = 'steward'"));
    await(frodo_make_user(db, "denethor", "steward"));
    return bide_void;
}

FRODO_TEST(a_tree_of_departments_widens_no_scope)
{
    with_frodo(client, site, c) {
        await(make_steward(site->db));
        await(frodo_login(client, "denethor"));
        const char *moved = "{\"name\":\"The Shire\",\"parent_id\":null}";
        check_int(await(client_put(client, "/api/departments/1", json(moved))).status, 403);
        check_int(await(client_post(client, "/api/departments", json(moved))).status, 403);
        check_int(await(client_delete(client, "/api/departments/1")).status, 403);
    }
}

FRODO_TEST(a_role_that_gives_more_is_not_changed)
{
    with_frodo(client, site, c) {
        await(make_steward(site->db));
        await(frodo_login(client, "denethor"));
        const char *less = "{\"name\":\"editor\",\"scope\":\"own\",\"permissions\":[]}";
        check_int(await(client_put(client, "/api/roles/2", json(less))).status, 403);
    }
}

FRODO_TEST(the_last_right_to_administer_stays)
{
    with_frodo(client, site, c) {
        await(bide_do(site->db, "insert into roles (name, scope) values ('king', 'everyone')"));
        await(bide_do(site->db,
                      "insert into role_permissions (role_id, permission) select r.id, "
                      "p.permission from roles r join role_permissions p on p.role_id = 1 "
                      "where r.name = 'king'"));
        await(frodo_make_user(site->db, "aragorn", "king"));
        await(frodo_login(client, "aragorn"));
        const char *less =
            "{\"name\":\"king\",\"scope\":\"everyone\",\"permissions\":[\"roles:write\"]}";
        check_int(await(client_put(client, "/api/roles/4", json(less))).status, 409);
    }
}
