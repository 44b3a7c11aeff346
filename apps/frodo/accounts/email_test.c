/* Another address of an account: the code that was mailed there, the password, and the notice. */
#include "accounts/login.h"
#include "testing.h"

static const char me_path[] = "/api/users/me";

static bide_client_body moved(const char *email, const char *code, const char *password)
{
    return json(bide_arena_printf(bide_task_arena(),
                                  "{\"email\":\"%s\",\"code\":\"%s\",\"password\":\"%s\"}", email,
                                  code, password));
}

/* The code that the account who is logged in gets mailed at this address. */
static async(str) code_at(bide_client *client, const char *email)
{
    const char *body = bide_arena_printf(bide_task_arena(),
                                         "{\"email\":\"%s\",\"purpose\":\"email_change\"}", email);
    check_int(await(client_post(client, "/api/auth/email-codes", json(body))).status, 202);
    const char *code = await(frodo_mailed_code(email));
    require(code != NULL);
    return ready(str, code);
}

static const char *other_than(const char *code)
{
    return code[0] == '0' ? "100000" : "000000";
}

FRODO_TEST(an_address_is_changed_with_its_code_and_the_password)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(frodo_login(client, "sam"));
        const char *code = await(code_at(client, "gamgee@shire.example"));
        reply r =
            await(client_patch(client, me_path, json("{\"email\":\"gamgee@shire.example\"}")));
        check_int(r.status, 422);
        check_contains(r.body, "[\"body\",\"code\"]");
        check_contains(r.body, "[\"body\",\"password\"]");
        r = await(
            client_patch(client, me_path, moved("gamgee@shire.example", code, "not his own")));
        check_int(r.status, 422);
        check_contains(r.body, "[\"body\",\"password\"]");
        r = await(client_patch(client, me_path,
                               moved("gamgee@shire.example", other_than(code), FRODO_PASSWORD)));
        check_int(r.status, 400);
        r = await(client_patch(client, me_path, moved("sam@shire.example", code, FRODO_PASSWORD)));
        check_int(r.status, 422);
        check_contains(r.body, "your address already");
        r = await(
            client_patch(client, me_path, moved("Gamgee@Shire.example", code, FRODO_PASSWORD)));
        check_int(r.status, 200);
        check_str(json_str(r, "email"), "gamgee@shire.example");
        check_str(json_str(await(client_get(client, me_path)), "email"), "gamgee@shire.example");
        await(bide_sleep(bide_ms(20)));
        const bide_outbox_mail *notice = bide_outbox_last("sam@shire.example");
        require(notice != NULL);
        check_contains(notice->text, "is now gamgee@shire.example");
        check_contains(notice->text, "http://testserver/profile");
        check_int(
            await(client_post(client, "/api/auth/login",
                              urlencoded("username=gamgee@shire.example&password=" FRODO_PASSWORD)))
                .status,
            200);
        check_int(
            await(client_post(client, "/api/auth/login",
                              urlencoded("username=sam@shire.example&password=" FRODO_PASSWORD)))
                .status,
            400);
        r = await(client_patch(client, me_path, moved("sam@shire.example", code, FRODO_PASSWORD)));
        check_int(r.status, 400); /* good once, and for its address */
    }
}

FRODO_TEST(an_address_that_is_taken_is_not_given)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(frodo_login(client, "sam"));
        const char *code = await(code_at(client, "rosie@shire.example"));
        check(await(frodo_make_user(site->db, "rosie", "member")) > 0); /* before he types it in */
        reply r = await(client_patch(
            client, me_path,
            json(bide_arena_printf(bide_task_arena(),
                                   "{\"email\":\"rosie@shire.example\",\"code\":\"%s\","
                                   "\"password\":\"%s\",\"about\":\"new\"}",
                                   code, FRODO_PASSWORD))));
        check_int(r.status, 409);
        check_contains(r.body, "email");
        r = await(client_get(client, me_path));
        check_str(json_str(r, "email"), "sam@shire.example");
        check_str(json_str(r, "about"), ""); /* nothing half-done */
        await(bide_sleep(bide_ms(20)));
        check(bide_outbox_last("sam@shire.example") == NULL);
        await(bide_do(site->db, "update users set email = 'r@x.example' where username = 'rosie'"));
        r = await(
            client_patch(client, me_path, moved("rosie@shire.example", code, FRODO_PASSWORD)));
        check_int(r.status, 200); /* the code is good once more */
        r = await(client_post(client, "/api/auth/email-codes",
                              json("{\"email\":\"r@x.example\",\"purpose\":\"email_change\"}")));
        check_int(r.status, 202); /* as for one that is free; its owner is told */
        check(await(frodo_mailed_code("r@x.example")) == NULL);
        check_contains(bide_outbox_last("r@x.example")->text, "has an account already");
    }
}

/* A name that was made otherwise than by our forms, and is neither a header nor markup. */
FRODO_TEST(a_hostile_name_is_only_a_name_in_a_mail)
{
    with_frodo(client, site, c) {
        const user was = {.email = "sam@shire.example",
                          .username = "<img src=x onerror='alert(1)'>&\r\n"
                                      "Bcc: eve@mordor.example\r\n\r\n{{code}}"};
        with_tx(tx, site->db)
            mail_address_changed(tx, site, &was, "gamgee@shire.example");
        await(bide_sleep(bide_ms(20)));
        const bide_outbox_mail *mail = bide_outbox_last("sam@shire.example");
        require(mail != NULL);
        check_str(mail->to, "sam@shire.example");
        check_str(mail->bcc, "");
        check_int(bide_outbox_list("eve@mordor.example").count, 0);
        const char *body = strstr(mail->source, "\r\n\r\n"), *bcc = strstr(mail->source, "Bcc:");
        require(body != NULL);
        check(!bcc || bcc > body);
        check_contains(mail->text, "<img src=x onerror='alert(1)'>&"); /* text is text */
        check_contains(mail->text, "{{code}}");
        check_contains(mail->html, "&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;");
        check(!strstr(mail->html, "<img"));
        check_contains(mail->html, "<a href=\"http://testserver/profile\">");
        check_contains(mail->source, "multipart/alternative");
    }
}

/* A code is good for the account that asked for it, and for what it was asked for. */
FRODO_TEST(a_code_of_another_kind_changes_no_address)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        check(await(frodo_make_user(site->db, "eve", "member")) > 0);
        reply r = await(
            client_post(client, "/api/auth/email-codes",
                        json("{\"email\":\"x@shire.example\",\"purpose\":\"email_change\"}")));
        check_int(r.status, 401);
        await(frodo_login(client, "eve"));
        const char *of_eve = await(code_at(client, "x@shire.example"));
        check_int(await(client_post(client, "/api/auth/email-codes",
                                    json("{\"email\":\"y@shire.example\",\"purpose\":"
                                         "\"register\"}")))
                      .status,
                  202);
        const char *to_register = await(frodo_mailed_code("y@shire.example"));
        require(to_register != NULL);
        await(frodo_login(client, "sam"));
        check_int(
            await(client_patch(client, me_path, moved("x@shire.example", of_eve, FRODO_PASSWORD)))
                .status,
            400);
        check_int(await(client_patch(client, me_path,
                                     moved("y@shire.example", to_register, FRODO_PASSWORD)))
                      .status,
                  400);
        check_int(await(client_patch(client, me_path, json("{\"email\":null}"))).status, 422);
        check_int(await(client_patch(client, me_path, moved("none", "1", "x"))).status, 422);
        check_int(
            await(client_patch(client, me_path, json("{\"code\":\"123456\",\"password\":\"x\"}")))
                .status,
            200); /* they change nothing by themselves */
    }
}

static async(bide_client_reply) post(bide_client *client, const char *path, const char *form)
{
    return client_post(client, path, urlencoded(form));
}

FRODO_TEST(a_browser_changes_the_address)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(frodo_login_page(client, "sam"));
        reply r = await(post(client, "/profile/email/code", "email=none"));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"email-error\"");
        check_contains(r.body, "value=\"none\"");
        r = await(post(client, "/profile/email/code", "email=gamgee%40shire.example"));
        check_int(r.status, 303);
        check_str(reply_header(r, "location"), "/profile?email=gamgee%40shire.example#email");
        r = await(client_get(client, "/profile?email=gamgee%40shire.example"));
        check_contains(r.body, "action=\"/profile/email\"");
        const char *code = await(frodo_mailed_code("gamgee@shire.example"));
        require(code != NULL);
        const char *form = bide_arena_printf(
            bide_task_arena(), "email=gamgee%%40shire.example&code=%s&password=", code);
        r = await(
            post(client, "/profile/email", bide_arena_printf(bide_task_arena(), "%swrong", form)));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"email-password-error\"");
        r = await(post(client, "/profile/email",
                       "email=gamgee%40shire.example&code=12345x&password=" FRODO_PASSWORD));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"code-error\"");
        r = await(post(client, "/profile/email",
                       bide_arena_printf(bide_task_arena(), "%s" FRODO_PASSWORD, form)));
        check_int(r.status, 303);
        r = await(client_get(client, reply_header(r, "location"))); /* the session goes on */
        check_int(r.status, 200);
        check_contains(r.body, "Your e-mail address was changed");
        check_contains(r.body, "<dd>gamgee@shire.example</dd>");
        client_header(client, "Sec-Fetch-Site", "cross-site");
        check_int(await(post(client, "/profile/email/code", "email=x%40x.example")).status, 403);
        check_int(await(post(client, "/profile/email", form)).status, 403);
    }
}
