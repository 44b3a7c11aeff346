/* One's own account: profile, passwords, recovery, and what ends with a new password. */
#include "accounts/login.h"
#include "testing.h"

FRODO_TEST(a_profile_is_read_and_changed)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "editor")) > 0);
        check(await(frodo_make_user(site->db, "eve", "member")) > 0);
        await(frodo_login(client, "sam"));
        reply r = await(client_get(client, "/api/users/me"));
        check_int(r.status, 200);
        check_str(json_str(r, "username"), "sam");
        check_str(json_str(r, "role"), "editor");
        check(json_count(r, "permissions") > 1);
        check(!strstr(r.body, "argon2"));
        r = await(client_patch(client, "/api/users/me", json("{\"about\":\"<b>a gardener</b>\"}")));
        check_int(r.status, 200);
        check_str(json_str(r, "about"), "<b>a gardener</b>");
        check_str(json_str(r, "username"), "sam");
        r = await(client_patch(client, "/api/users/me", json("{\"username\":\"samwise\"}")));
        check_str(json_str(r, "username"), "samwise");
        check_str(json_str(r, "about"), "<b>a gardener</b>");
        check_int(await(client_patch(client, "/api/users/me", json("{}"))).status, 200);
        r = await(client_patch(client, "/api/users/me", json("{\"username\":\"eve\"}")));
        check_int(r.status, 409);
        check_contains(r.body, "username");
    }
}

/* Other fields of the row are not the client's to set. */
FRODO_TEST(a_profile_takes_no_other_fields)
{
    static const char *const bodies[] = {
        "{\"username\":null}",
        "{\"about\":null}",
        "{\"about\":1}",
        "{\"username\":\"\"}",
        "{\"username\":\"a b\"}",
        "[]",
        "",
        "{\"about\":\"\xff\"}",
    };
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(frodo_login(client, "sam"));
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
            check_int(await(client_patch(client, "/api/users/me", json(bodies[i]))).status, 422);
        char *huge = bide_arena_alloc(bide_task_arena(), 700);
        memset(huge, 'a', 600);
        snprintf(huge + 600, 100, "\"}");
        memcpy(huge, "{\"about\":\"", 10);
        check_int(await(client_patch(client, "/api/users/me", json(huge))).status, 422);
        reply r = await(client_patch(client, "/api/users/me",
                                     json("{\"role_id\":1,\"id\":99,\"status\":\"disabled\","
                                          "\"token_epoch\":7}")));
        check_int(r.status, 200);
        check_str(json_str(r, "email"), "sam@shire.example");
        check_str(json_str(r, "role"), "member");
        check_int(await(client_get(client, "/api/users/me")).status, 200);
        await(frodo_login(client, "sam"));
    }
}

static bide_client_body new_password(const char *old, const char *password, const char *confirm)
{
    return json(bide_arena_printf(bide_task_arena(),
                                  "{\"old_password\":\"%s\",\"password\":\"%s\","
                                  "\"password_confirm\":\"%s\"}",
                                  old, password, confirm));
}

static const char path[] = "/api/users/me/password";
static const char better[] = "a better password";

FRODO_TEST(a_new_password_ends_all_other_logins)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        reply other = await(client_post(client, "/api/auth/login",
                                        urlencoded("username=sam&password=" FRODO_PASSWORD)));
        await(frodo_login(client, "sam"));
        check_int(await(client_post(client, path, new_password("wrong", better, better))).status,
                  400);
        reply r = await(client_post(client, path, new_password(FRODO_PASSWORD, better, "other")));
        check_int(r.status, 422);
        r = await(client_post(client, path,
                              new_password(FRODO_PASSWORD, FRODO_PASSWORD, FRODO_PASSWORD)));
        check_int(r.status, 422);
        r = await(client_post(client, path, new_password(FRODO_PASSWORD, "short", "short")));
        check_int(r.status, 422);
        r = await(client_post(client, path, new_password(FRODO_PASSWORD, better, better)));
        check_int(r.status, 200);
        check_int(await(client_get(client, "/api/users/me")).status, 401);
        client_header(
            client, "Authorization",
            bide_arena_printf(bide_task_arena(), "Bearer %s", json_str(r, "access_token")));
        check_int(await(client_get(client, "/api/users/me")).status, 200);
        frodo_logout(client);
        const char *refresh = bide_arena_printf(bide_task_arena(), "{\"refresh_token\":\"%s\"}",
                                                json_str(other, "refresh_token"));
        check_int(await(client_post(client, "/api/auth/refresh", json(refresh))).status, 401);
        check_int(await(client_post(client, "/api/auth/login",
                                    urlencoded("username=sam&password=" FRODO_PASSWORD)))
                      .status,
                  400);
        check_int(await(client_post(client, "/api/auth/login",
                                    urlencoded("username=sam&password=a+better+password")))
                      .status,
                  200);
        check_int(await(client_post(client, path, new_password("x", better, better))).status, 401);
    }
}

static bide_client_body recovery(const char *code, const char *password)
{
    return json(bide_arena_printf(bide_task_arena(),
                                  "{\"email\":\"Sam@shire.example\",\"password\":\"%s\","
                                  "\"password_confirm\":\"%s\",\"code\":\"%s\"}",
                                  password, password, code));
}

FRODO_TEST(a_forgotten_password_is_replaced_by_a_code)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(frodo_login(client, "sam"));
        for (int i = 0; i < 5; i++)
            check_int(await(client_post(client, "/api/auth/login",
                                        urlencoded("username=sam&password=wrong")))
                          .status,
                      400);
        reply none = await(client_post(client, "/api/auth/recover", recovery("000000", better)));
        check_int(none.status, 400);
        reply r = await(client_post(client, "/api/auth/email-codes",
                                    json("{\"email\":\"sam@shire.example\","
                                         "\"purpose\":\"recover\"}")));
        check_int(r.status, 202);
        const char *code = await(frodo_mailed_code("sam@shire.example"));
        require(code);
        check_int(await(client_post(client, "/api/auth/recover", recovery(code, "short"))).status,
                  422);
        check_int(await(client_post(client, "/api/auth/recover", recovery(code, better))).status,
                  204);
        r = await(client_post(client, "/api/auth/recover", recovery(code, better)));
        check_int(r.status, 400);
        check_str(r.body, none.body);
        check_int(await(client_get(client, "/api/users/me")).status, 401);
        frodo_logout(client);
        check_int(await(client_post(client, "/api/auth/login",
                                    urlencoded("username=sam&password=a+better+password")))
                      .status,
                  200);
    }
}

/* A code is made for an address that nobody has; it is as wrong as any other there. */
FRODO_TEST(a_code_for_nobody_recovers_nothing)
{
    with_frodo(client, site, c) {
        reply r = await(client_post(client, "/api/auth/email-codes",
                                    json("{\"email\":\"sam@shire.example\","
                                         "\"purpose\":\"recover\"}")));
        check_int(r.status, 202);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from bide_codes")), 1);
        check_int(
            await(client_post(client, "/api/auth/recover", recovery("123456", better))).status,
            400);
    }
}

/* Tables of sessions are large, and what has expired is a small part: no sweep reads them all. What
   is not there cannot be dropped. */
FRODO_TEST(a_sweep_has_indexes)
{
    with_frodo(client, site, c) {
        await(bide_do(site->db, "drop index sessions_by_end"));
        await(bide_do(site->db, "drop index bide_codes_by_end"));
        await(bide_do(site->db, "drop index bide_refresh_tokens_by_end"));
        await(bide_do(site->db, "drop index bide_login_failures_by_end"));
    }
}

FRODO_TEST(what_has_expired_is_swept)
{
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "sam", "member"));
        await(frodo_login(client, "sam"));
        session old = {.id = "old", .user_id = id, .expires_at = bide_now_us() - 1};
        session good = {.id = "good", .user_id = id, .expires_at = bide_now_us() + 60000000};
        await(bide_insert(site->db, session, &old));
        await(bide_insert(site->db, session, &good));
        await(accounts_sweep(site->db));
        check_int(await(bide_scalar(site->db, i64, "select count(*) from sessions")), 1);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from bide_refresh_tokens")), 1);
        await(bide_do(site->db, "update bide_refresh_tokens set expires_at_us = 1"));
        await(accounts_sweep(site->db));
        check_int(await(bide_scalar(site->db, i64, "select count(*) from bide_refresh_tokens")), 0);
    }
}
