/* Health, files, and the page of the documents. */
#include "testing.h"

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
