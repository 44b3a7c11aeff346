/* The pages of user administration: who sees them, forms that are right and wrong. */
#include "testing.h"

#include "users/users.h"

#include <string.h>

static async(void) shows(bide_client_ptr client, const char *path, int status, const char *part)
{
    reply r = await(client_get(client, path));
    check_int(r.status, status);
    if (part)
        check_contains(r.body, part);
    return bide_void;
}

FRODO_TEST(pages_of_administration)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        int64_t id = await(frodo_make_user(site->db, "pippin", "member"));
        const char *path = bide_arena_printf(bide_task_arena(), "/admin/users/%lld", (long long)id);
        await(frodo_login(client, "gandalf"));
        await(shows(client, "/admin/users?q=pip&status=active&order=email", 200, "pippin"));
        await(shows(client, "/admin/users/new", 200, "name=\"username\""));
        await(shows(client, "/admin/users/batch", 200, "/static/batch.js"));
        await(shows(client, "/admin/roles", 200, "comments:moderate"));
        await(shows(client, path, 200, "pippin@shire.example"));
        await(shows(client, "/admin/users/999", 404, NULL));
        client_header(client, "Sec-Fetch-Site", "same-origin");
        reply r = await(client_post(client, path,
                                    urlencoded("email=pippin%40shire.example&status=active"
                                               "&role_id=2&department_id=")));
        check_int(r.status, 303);
        r = await(client_post(client, path, urlencoded("email=none&status=active&role_id=2")));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"email-error\"");
        r = await(client_post(client, "/admin/users",
                              urlencoded("username=pippin&email=p%40shire.example"
                                         "&password=second+breakfast&role_id=3&department_id=")));
        check_int(r.status, 422);
        check_contains(r.body, "This is taken already");
        check_int(await(client_post(client, "/admin/users/1/delete", urlencoded(""))).status, 409);
        check_int(await(client_post(client, bide_arena_printf(bide_task_arena(), "%s/delete", path),
                                    urlencoded("")))
                      .status,
                  303);
        client_header(client, "Sec-Fetch-Site", "cross-site");
        check_int(await(client_post(client, path, urlencoded("status=active"))).status, 403);
    }
}

FRODO_TEST(members_see_none_of_them)
{
    static const char *const paths[] = {"/admin/users", "/admin/users/new", "/admin/users/1",
                                        "/admin/users/batch", "/admin/roles"};
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "pippin", "member"));
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            await(shows(client, paths[i], 401, NULL));
        await(frodo_login(client, "pippin"));
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            await(shows(client, paths[i], 403, NULL));
    }
}

FRODO_TEST(who_may_only_read_is_offered_nothing_else)
{
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "frodo", "editor"));
        const char *path = bide_arena_printf(bide_task_arena(), "/admin/users/%lld", (long long)id);
        await(frodo_login(client, "frodo"));
        reply r = await(client_get(client, path));
        check_int(r.status, 200);
        check(strstr(r.body, ">Save<") == NULL && strstr(r.body, "/delete") == NULL);
    }
}
