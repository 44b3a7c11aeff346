/* Accounts for browsers: forms, sessions, and requests that other sites make a browser send. */
#include "accounts/login.h"
#include "testing.h"

static async(bide_client_reply) post(bide_client *client, const char *path, const char *form)
{
    return client_post(client, path, urlencoded(form));
}

static const char *place(bide_client_reply r)
{
    const char *location = reply_header(r, "location");
    return location ? location : "";
}

FRODO_TEST(a_browser_registers_with_the_mailed_code)
{
    with_frodo(client, site, c) {
        frodo_browse(client);
        reply r = await(client_get(client, "/register"));
        check_int(r.status, 200);
        check_contains(reply_header(r, "content-type"), "text/html");
        check_contains(r.body, "action=\"/register/code\"");
        r = await(post(client, "/register/code", "email=Rosie%40shire.example"));
        check_int(r.status, 303);
        check_str(place(r), "/register?email=Rosie%40shire.example");
        r = await(client_get(client, place(r)));
        check_contains(r.body, "Rosie@shire.example");
        const char *code = await(frodo_mailed_code("rosie@shire.example"));
        require(code);
        const char *form =
            bide_arena_printf(bide_task_arena(),
                              "email=rosie@shire.example&username=rosie&password=a+long+one&"
                              "password_confirm=a+long+one&code=%s",
                              code);
        r = await(post(client, "/register", form));
        check_int(r.status, 303);
        check_str(place(r), "/profile");
        check_contains(reply_header(r, "set-cookie"), "HttpOnly");
        check_contains(reply_header(r, "set-cookie"), "SameSite=Lax");
        r = await(client_get(client, "/profile"));
        check_int(r.status, 200);
        check_contains(r.body, "rosie@shire.example");
        r = await(post(client, "/register", form)); /* sent twice */
        check_int(r.status, 422);
        check_contains(r.body, "Wrong or expired code");
    }
}

FRODO_TEST(a_form_is_shown_again_with_what_is_wrong)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        frodo_browse(client);
        reply r = await(post(client, "/register",
                             "email=a@b.example&username=%3Cb%3E&password=secret+words&"
                             "password_confirm=other+words&code=12"));
        check_int(r.status, 422);
        check_contains(r.body, "value=\"&lt;b&gt;\"");
        check_contains(r.body, "id=\"username-error\"");
        check_contains(r.body, "id=\"code-error\"");
        check_contains(r.body, "The passwords are not the same");
        check(!strstr(r.body, "secret words"));
        r = await(post(client, "/register/code", "email=none"));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"email-error\"");
        check_int(await(post(client, "/register/code", "email=sam@shire.example")).status, 303);
        r = await(post(client, "/register/code", "email=sam@shire.example"));
        check_int(r.status, 429);
        check_contains(r.body, "try again in");
        check(reply_header(r, "retry-after"));
        r = await(post(client, "/login", "username=sam&password=wrong&next=/x"));
        check_int(r.status, 422);
        check_contains(r.body, "No account has this name and password");
        check_contains(r.body, "value=\"sam\"");
        check(!reply_header(r, "set-cookie"));
        r = await(post(client, "/login", "username=&password="));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"username-error\"");
        check_int(await(post(client, "/recover", "email=%ff&code=x")).status, 422);
    }
}

/* A link cannot send who logs in to another site. */
FRODO_TEST(after_login_a_browser_stays_on_the_site)
{
    static const struct {
        const char *next, *location;
    } cases[] = {
        {"/profile", "/profile"},
        {"/search?q=a%2520b", "/search?q=a%20b"},
        {"", "/"},
        {"//evil.example", "/"},
        {"/%5Cevil.example", "/"},
        {"https://evil.example", "/"},
        {"/%0d%0aSet-Cookie:x", "/"},
        {"javascript:alert(1)", "/"},
    };
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        frodo_browse(client);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            reply r =
                await(post(client, "/login",
                           bide_arena_printf(bide_task_arena(),
                                             "username=sam&password=" FRODO_PASSWORD "&next=%s",
                                             cases[i].next)));
            check_int(r.status, 303);
            check_str(place(r), cases[i].location);
        }
        reply r = await(client_get(client, "/login?next=/profile%22%3E%3Cscript%3E"));
        check(!strstr(r.body, "<script>"));
    }
}

FRODO_TEST(a_session_begins_and_ends)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        frodo_browse(client);
        reply r = await(client_get(client, "/profile"));
        check_int(r.status, 303);
        check_str(place(r), "/login?next=%2Fprofile");
        await(frodo_login_page(client, "sam"));
        check_int(await(client_get(client, "/profile")).status, 200);
        check_int(await(client_get(client, "/api/users/me")).status, 200);
        await(frodo_login_page(client, "sam")); /* takes the place of the first */
        check_int(await(bide_scalar(site->db, i64, "select count(*) from sessions")), 1);
        r = await(post(client, "/logout", ""));
        check_int(r.status, 303);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from sessions")), 0);
        check_int(await(client_get(client, "/profile")).status, 303);
        client_header(client, "Cookie", "session=stolen");
        check_int(await(client_get(client, "/api/users/me")).status, 401);
    }
}

FRODO_TEST(a_session_is_kept_as_a_digest_and_expires)
{
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "sam", "member"));
        const char *token = "a token that a test has chosen";
        session row = {.id = bide_token_digest(bide_task_arena(), token).text,
                       .user_id = id,
                       .expires_at = bide_now_us() - 1};
        await(bide_insert(site->db, session, &row));
        client_header(client, "Cookie", bide_arena_printf(bide_task_arena(), "session=%s", token));
        check_int(await(client_get(client, "/api/users/me")).status, 401);
        client_header(client, "Cookie", bide_arena_printf(bide_task_arena(), "session=%s", row.id));
        check_int(await(client_get(client, "/api/users/me")).status, 401);
        await(frodo_login_page(client, "sam"));
        check_int(await(bide_scalar(site->db, i64,
                                    "select count(*) from sessions where length(id) = 64")),
                  2);
    }
}

/* Cross-site request forgery: Sec-Fetch-Site, or Origin where a browser does not send it. */
FRODO_TEST(another_site_cannot_use_the_cookie)
{
    static const struct {
        const char *fetch_site, *origin;
        bool is_ours;
    } cases[] = {
        {"same-origin", NULL, true},
        {"same-origin", "https://evil.example", true}, /* the browser knows better */
        {"cross-site", NULL, false},
        {"same-site", NULL, false},
        {"none", NULL, false},
        {"cross-site", "http://testserver", false},
        {NULL, "http://testserver", true},
        {NULL, "HTTP://TESTSERVER", true},
        {NULL, "https://testserver", false},
        {NULL, "http://testserver.evil.example", false},
        {NULL, "null", false},
        {NULL, NULL, false},
    };
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(frodo_login_page(client, "sam"));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            client_header(client, "Sec-Fetch-Site", cases[i].fetch_site);
            client_header(client, "Origin", cases[i].origin);
            check_int(await(client_get(client, "/api/users/me")).status, 200);
            reply r = await(client_patch(client, "/api/users/me", json("{}")));
            check_int(r.status, cases[i].is_ours ? 200 : 403);
            r = await(post(client, "/profile", "username=sam&about=x"));
            check_int(r.status, cases[i].is_ours ? 303 : 403);
            r = await(post(client, "/login", "username=sam&password=x"));
            check_int(r.status, cases[i].is_ours ? 422 : 403);
            await(bide_do(site->db, "delete from bide_login_failures"));
        }
    }
}

FRODO_TEST(a_browser_changes_profile_and_password)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        check(await(frodo_make_user(site->db, "eve", "member")) > 0);
        await(frodo_login(client, "sam"));
        await(frodo_login_page(client, "sam"));
        reply r = await(post(client, "/profile", "username=eve&about=%3Ci%3E"));
        check_int(r.status, 422);
        check_contains(r.body, "This is taken already");
        check_contains(r.body, "&lt;i&gt;</textarea>");
        r = await(post(client, "/profile", "username=samwise&about=a+gardener"));
        check_int(r.status, 303);
        r = await(client_get(client, place(r)));
        check_contains(r.body, "Your profile was saved");
        check_contains(r.body, "value=\"samwise\"");
        r = await(post(client, "/profile/password",
                       "old_password=wrong&password=another+one&password_confirm=another+one"));
        check_int(r.status, 422);
        check_contains(r.body, "The old password is wrong");
        r = await(post(client, "/profile/password",
                       "old_password=" FRODO_PASSWORD
                       "&password=another+one&password_confirm=another+one"));
        check_int(r.status, 303);
        check_int(await(client_get(client, "/api/users/me")).status, 401); /* by its old token */
        frodo_logout(client);
        check_int(await(client_get(client, place(r))).status, 200); /* by its new session */
        check_int(await(bide_scalar(site->db, i64, "select count(*) from sessions")), 1);
        r = await(post(client, "/profile/logins/end", ""));
        check_int(r.status, 303);
        check_int(await(client_get(client, "/profile")).status, 303);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from sessions")), 0);
    }
}

FRODO_TEST(a_browser_recovers_a_password)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        frodo_browse(client);
        check_int(await(client_get(client, "/recover")).status, 200);
        reply r = await(post(client, "/recover/code", "email=sam@shire.example"));
        check_int(r.status, 303);
        const char *code = await(frodo_mailed_code("sam@shire.example"));
        require(code);
        const char *form = bide_arena_printf(bide_task_arena(),
                                             "email=sam@shire.example&password=another+one&"
                                             "password_confirm=another+one&code=%s",
                                             code);
        r = await(post(client, "/recover", form));
        check_int(r.status, 303);
        r = await(client_get(client, place(r)));
        check_contains(r.body, "Your password was changed");
        r = await(post(client, "/login", "username=sam&password=another+one"));
        check_int(r.status, 303);
    }
}
