/* The pages of roles and departments: what they show, make, change, refuse. */
#include "testing.h"

#include "users/users.h"

#include <string.h>

static async(bide_client_reply) post(bide_client *client, const char *path, const char *form)
{
    return client_post(client, path, urlencoded(form));
}

/* The reply is a form that says this. */
static async(void) refuses(bide_client *client, const char *path, const char *form, int status,
                           const char *part)
{
    reply r = await(post(client, path, form));
    check_int(r.status, status);
    check_contains(r.body, part);
    check_contains(r.body, "<form method=\"post\" action=\"/admin/");
    return bide_void;
}

static const char *place(bide_client_reply r)
{
    const char *location = reply_header(r, "location");
    return location ? location : "";
}

FRODO_TEST(a_role_is_made_changed_and_deleted_by_forms)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_login(client, "gandalf"));
        frodo_browse(client);
        check_contains(await(client_get(client, "/admin/users")).body, "href=\"/admin/roles\"");
        check_contains(await(client_get(client, "/admin/roles")).body, "href=\"/admin/roles/new\"");
        check_contains(await(client_get(client, "/admin/roles/new")).body,
                       "value=\"posts:publish\"");
        reply r = await(post(client, "/admin/roles",
                             "name=scribe&scope=department&permissions=posts%3Awrite"
                             "&permissions=users%3Aread"));
        check_int(r.status, 303);
        check_str(place(r), "/admin/roles/4?saved=true");
        r = await(client_get(client, place(r)));
        check_contains(r.body, "The role was saved");
        check_contains(r.body, "value=\"posts:write\" checked");
        check_contains(r.body, "value=\"users:read\" checked");
        check(!strstr(r.body, "value=\"roles:write\" checked"));
        check_contains(r.body, "value=\"department\" selected");
        r = await(post(client, "/admin/roles/4", "name=scribe&scope=own")); /* no box is ticked */
        check_int(r.status, 303);
        r = await(client_get(client, "/api/roles"));
        check_str(json_str(r, "3.scope"), "own");
        check_int((int)json_count(r, "3.permissions"), 0);
        check_str(place(await(post(client, "/admin/roles/4/delete", ""))), "/admin/roles");
        check_int(await(client_get(client, "/admin/roles/4")).status, 404);
        check_int(await(post(client, "/admin/roles/4", "name=x&scope=own")).status, 404);
        check_int(await(post(client, "/admin/roles/4/delete", "")).status, 404);
    }
}

FRODO_TEST(what_roles_refuse_is_shown_in_the_form)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(
            bide_do(site->db, "insert into roles (name, scope) values ('steward', 'department')"));
        await(bide_do(site->db, "insert into role_permissions (role_id, permission) values "
                                "(4, 'roles:write'), (4, 'users:read')"));
        await(frodo_make_user(site->db, "denethor", "steward"));
        await(frodo_login(client, "gandalf"));
        frodo_browse(client);
        await(refuses(client, "/admin/roles", "name=No+Name&scope=own&permissions=posts%3Awrite",
                      422, "id=\"name-error\""));
        await(refuses(client, "/admin/roles", "name=%3Cb%3E&scope=all", 422, "id=\"scope-error\""));
        await(refuses(client, "/admin/roles", "name=%22%3E%3Cscript%3E&scope=own", 422,
                      "value=\"&quot;&gt;&lt;script&gt;\""));
        await(refuses(client, "/admin/roles", "name=editor&scope=own&permissions=posts%3Awrite",
                      422, "This is taken already"));
        await(refuses(client, "/admin/roles", "name=x&scope=own&permissions=users%3Aeat", 422,
                      "There is no such permission"));
        await(refuses(client, "/admin/roles/1", "name=admin&scope=own", 409, "stays as it is"));
        await(refuses(client, "/admin/roles/2/delete", "", 409, "This role is needed"));
        await(refuses(client, "/admin/roles/4/delete", "", 409, "Somebody has this role"));
        check(!strstr(await(client_get(client, "/admin/roles/1")).body, ">Save<"));
        await(frodo_login(client, "denethor"));
        await(
            refuses(client, "/admin/roles/2", "name=editor&scope=own", 403, "more than you have"));
        await(refuses(client, "/admin/roles", "name=king&scope=everyone&permissions=posts%3Awrite",
                      403, "value=\"posts:write\" checked"));
        check_int(await(bide_scalar(site->db, i64, "select count(*) from roles")), 4);
        check_int(await(client_delete(client, "/api/roles/2")).status, 409);
        await(bide_do(site->db, "insert into roles (name, scope) values ('king', 'everyone')"));
        int64_t king = await(bide_scalar(site->db, i64, "select max(id) from roles"));
        const char *path = bide_arena_printf(bide_task_arena(), "/api/roles/%lld", (long long)king);
        check_int(await(client_delete(client, path)).status, 403);
        client_header(client, "Sec-Fetch-Site", "cross-site");
        check_int(await(post(client, "/admin/roles", "name=x&scope=own")).status, 403);
    }
}

FRODO_TEST(departments_are_shown_as_a_tree)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_login(client, "gandalf"));
        frodo_browse(client);
        static const char *const forms[] = {
            "name=Buckland&parent_id=1",                            /* 2 */
            "name=Crickhollow&parent_id=2", "name=Bree&parent_id=", /* 4 */
            "name=%3CTook%3E&parent_id=1",                          /* 5 */
        };
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
            check_int(await(post(client, "/admin/departments", forms[i])).status, 303);
        reply r = await(client_get(client, "/admin/departments"));
        check_contains(r.body, "href=\"/admin/departments/new\"");
        check_contains(r.body, "<ul class=\"tree\">\n"
                               "<li><a href=\"/admin/departments/4\">Bree</a>\n\n</li>\n"
                               "<li><a href=\"/admin/departments/1\">The Shire</a>\n<ul>\n\n"
                               "<li><a href=\"/admin/departments/5\">&lt;Took&gt;</a>\n\n</li>\n"
                               "<li><a href=\"/admin/departments/2\">Buckland</a>\n<ul>\n\n"
                               "<li><a href=\"/admin/departments/3\">Crickhollow</a>\n\n"
                               "</li></ul></li></ul></li>\n</ul>");
        r = await(client_get(client, "/admin/departments/2?saved=true"));
        check_contains(r.body, "The department was saved");
        check_contains(r.body, "<option value=\"1\" selected>The Shire</option>");
        check(!strstr(r.body, "Crickhollow")); /* it cannot stand below that one */
        r = await(client_get(client, "/admin/users/new"));
        check_contains(r.body, "<option value=\"3\">The Shire › Buckland › Crickhollow</option>");
        r = await(client_get(client, "/admin/departments/new?below=4"));
        check_contains(r.body, "<option value=\"4\" selected>Bree</option>");
        check_str(place(await(post(client, "/admin/departments/5/delete", ""))),
                  "/admin/departments");
        check_int(await(client_get(client, "/admin/departments/5")).status, 404);
    }
}

/* However deep: no page is made by calls inside of each other. */
FRODO_TEST(a_deep_tree_is_shown)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_login(client, "gandalf"));
        with_tx(tx, site->db) {
            for (int64_t id = 2; id < 300; id++)
                await(bide_do(tx,
                              "insert into departments (id, name, parent_id) "
                              "values ($1, $2, $3)",
                              id, bide_arena_printf(bide_task_arena(), "level %d", (int)id),
                              id - 1));
        }
        reply r = await(client_get(client, "/admin/departments"));
        check_int(r.status, 200);
        check_contains(r.body, "level 299");
    }
}

FRODO_TEST(what_departments_refuse_is_shown_in_the_form)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_make_user(site->db, "frodo", "editor"));
        await(
            bide_do(site->db, "insert into departments (name, parent_id) values ('Buckland', 1)"));
        await(bide_do(site->db, "insert into role_permissions (role_id, permission) "
                                "values (2, 'roles:write')"));
        await(frodo_login(client, "gandalf"));
        frodo_browse(client);
        await(refuses(client, "/admin/departments", "name=+&parent_id=", 422, "id=\"name-error\""));
        await(refuses(client, "/admin/departments", "name=Buckland&parent_id=", 422,
                      "This is taken already"));
        await(refuses(client, "/admin/departments", "name=Bree&parent_id=x", 422,
                      "id=\"parent-error\""));
        await(refuses(client, "/admin/departments", "name=Bree&parent_id=99", 422,
                      "no such department"));
        await(refuses(client, "/admin/departments/1", "name=The+Shire&parent_id=2", 409,
                      "cannot stand below itself"));
        await(refuses(client, "/admin/departments/1/delete", "", 409, "one stands below it"));
        check_int(await(post(client, "/admin/departments/9/delete", "")).status, 404);
        check_int(await(post(client, "/admin/departments/9", "name=x&parent_id=")).status, 404);
        await(frodo_login(client, "frodo"));
        reply r = await(client_get(client, "/admin/departments/1"));
        check_int(r.status, 200);
        check(!strstr(r.body, ">Save<") && !strstr(r.body, "/delete"));
        check_int(await(client_get(client, "/admin/departments/new")).status, 403);
        await(refuses(client, "/admin/departments/2", "name=Mine&parent_id=1", 403,
                      "for who sees everyone"));
    }
}

FRODO_TEST(members_administer_neither)
{
    static const char *const paths[] = {"/admin/roles/new", "/admin/roles/1", "/admin/departments",
                                        "/admin/departments/new", "/admin/departments/1"};
    static const char *const posts[] = {"/admin/roles",          "/admin/roles/3",
                                        "/admin/roles/3/delete", "/admin/departments",
                                        "/admin/departments/1",  "/admin/departments/1/delete"};
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "pippin", "member"));
        await(frodo_login(client, "pippin"));
        frodo_browse(client);
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            check_int(await(client_get(client, paths[i])).status, 403);
        for (size_t i = 0; i < sizeof posts / sizeof *posts; i++)
            check_int(await(post(client, posts[i], "name=x&scope=own&parent_id=")).status, 403);
    }
}
