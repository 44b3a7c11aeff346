/* Health, files, and the page of the documents. */
#include "testing.h"

#include <bide/log.h>

FRODO_TEST(the_application_starts_and_is_ready)
{
    with_frodo(client, site, c) {
        check_int(await(client_get(client, "/healthz")).status, 200);
        check_int(await(client_get(client, "/readyz")).status, 200);
        check_int(await(client_get(client, "/metrics")).status, 200);
        reply style = await(client_get(client, "/static/frodo.css"));
        check_int(style.status, 200);
        check_contains(reply_header(style, "Content-Type"), "text/css");
        check(reply_header(style, "ETag") != NULL);
    }
}

FRODO_TEST(pages_have_one_frame)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "pippin", "member"));
        reply r = await(client_get(client, "/"));
        check_int(r.status, 200);
        check_contains(r.body, "href=\"/login\"");
        check_contains(reply_header(r, "Content-Security-Policy"), "default-src 'self'");
        await(frodo_login(client, "pippin"));
        r = await(client_get(client, "/"));
        check_contains(r.body, "href=\"/profile\">pippin</a>");
        check_contains(r.body, "href=\"/admin/posts\"");
        check(strstr(r.body, "href=\"/admin/users\"") == NULL);
    }
}

/* Behind a proxy that takes /blog off, no link leads out of it. */
FRODO_TEST(all_links_begin_with_the_path_of_the_public_url)
{
    static const char *const pages[] = {"/",
                                        "/search?q=x",
                                        "/profile",
                                        "/admin/posts",
                                        "/admin/posts/new",
                                        "/admin/comments",
                                        "/admin/users",
                                        "/admin/users/new",
                                        "/admin/users/batch",
                                        "/admin/roles",
                                        "/admin/roles/1",
                                        "/admin/departments",
                                        "/admin/departments/new",
                                        "/nowhere"};
    c->set.public_url = "https://shire.example/blog";
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "frodo", "admin"));
        frodo_browse(client);
        client_from(client, "192.0.2.1", "https");
        reply r = await(client_get(client, "/profile"));
        check_str(reply_header(r, "Location"), "/blog/login?next=%2Fblog%2Fprofile");
        await(frodo_login_page(client, "frodo"));
        for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
            const char *at = await(client_get(client, pages[i])).body;
            check(strstr(at, "=\"/blog/") != NULL);
            for (; (at = strstr(at, "=\"/")); at += 3)
                check(strncmp(at + 2, "/blog/", 6) == 0);
        }
    }
}

FRODO_TEST(failures_are_pages_for_browsers)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "pippin", "member"));
        frodo_browse(client);
        reply r = await(client_get(client, "/nowhere"));
        check_int(r.status, 404);
        check_contains(r.body, "<h1>There is nothing here</h1>");
        check_contains(r.body, "href=\"/login\"");
        r = await(client_get(client, "/?page=0"));
        check_int(r.status, 422);
        check_contains(r.body, "<li>page: ");
        r = await(client_get(client, "/admin/users?page=2"));
        check_int(r.status, 303);
        check_str(reply_header(r, "Location"), "/login?next=%2Fadmin%2Fusers%3Fpage%3D2");
        await(frodo_login_page(client, "pippin"));
        r = await(client_get(client, "/admin/users"));
        check_int(r.status, 403);
        check_contains(r.body, "<h1>This is not allowed</h1>\n<p>Not allowed: users:read</p>");
        check_contains(r.body, "href=\"/profile\">pippin</a>");
        r = await(client_get(client, "/api/users/9999"));
        check_contains(reply_header(r, "Content-Type"), "application/json");
    }
}

FRODO_TEST(a_page_says_so_without_a_database)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "pippin", "member"));
        await(frodo_login_page(client, "pippin"));
        await(bide_do(site->db, "drop table post_tags"));
        await(bide_do(site->db, "drop table sessions"));
        test_capture_stderr();
        reply r = await(client_get(client, "/tags/none"));
        bide_log_flush(1000);
        (void)test_captured();
        check_int(r.status, 500);
        check_contains(r.body, "<h1>Something went wrong</h1>");
        check_contains(r.body, "href=\"/login\"");
    }
}

TEST(the_documents_are_for_developers)
{
    frodo_settings set = frodo_test_settings("sqlite://:memory:");
    with_client(client, frodo_app_with(&set)) {
        reply r = await(client_get(client, "/dev/documents"));
        check_int(r.status, 200);
        check_contains(r.body, "<h2>");
    }
    set.mode = run_mode_production;
    set.public_url = "https://frodo.example";
    set.smtp_url = "smtp://127.0.0.1";
    set.secret_key.text = "k3Jq0vYpZr8sXw2LmTf5Hd9BnCg7AeUi";
    with_client(client, frodo_app_with(&set)) {
        check_int(await(client_get(client, "/dev/documents")).status, 404);
        check_int(await(client_get(client, "/dev/outbox")).status, 404);
    }
}
