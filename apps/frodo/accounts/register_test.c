/* Registering: codes by mail, one account for each, all that is wrong at once. */
#include "testing.h"

static async(bide_client_reply) ask_code(bide_client *client, const char *email,
                                         const char *purpose)
{
    return client_post(
        client, "/api/auth/email-codes",
        json(bide_arena_printf(bide_task_arena(), "{\"email\":\"%s\",\"purpose\":\"%s\"}", email,
                               purpose)));
}

static bide_client_body form_of(const char *email, const char *name, const char *code)
{
    return json(bide_arena_printf(bide_task_arena(),
                                  "{\"email\":\"%s\",\"username\":\"%s\",\"password\":\"%s\","
                                  "\"password_confirm\":\"%s\",\"code\":\"%s\"}",
                                  email, name, FRODO_PASSWORD, FRODO_PASSWORD, code));
}

static async(bide_client_reply) join(bide_client *client, const char *email, const char *name,
                                     const char *code)
{
    return client_post(client, "/api/auth/register", form_of(email, name, code));
}

/* A code that was mailed to the address. */
static async(str) mailed(bide_client *client, const char *email)
{
    check_int(await(ask_code(client, email, "register")).status, 202);
    const char *code = await(frodo_mailed_code(email));
    require(code);
    return ready(str, code);
}

static const char *wrong_of(const char *code)
{
    char *wrong = bide_arena_strdup(bide_task_arena(), code);
    wrong[0] = (char)(wrong[0] == '9' ? '0' : wrong[0] + 1);
    return wrong;
}

FRODO_TEST(a_code_makes_an_account)
{
    with_frodo(client, site, c) {
        const char *code = await(mailed(client, "rosie@shire.example"));
        reply r = await(join(client, "Rosie@Shire.Example", "rosie", code));
        check_int(r.status, 201);
        check_str(json_str(r, "email"), "rosie@shire.example");
        check_str(json_str(r, "username"), "rosie");
        check(json_int(r, "id") > 0);
        check(!strstr(r.body, "password"));
        await(frodo_login(client, "rosie"));
        r = await(client_get(client, "/api/users/me"));
        check_int(r.status, 200);
        check_str(json_str(r, "role"), "member");
        check_int(await(bide_scalar(site->db, i64, "select count(*) from bide_codes")), 0);
    }
}

/* A check that nobody waits for would let all of them pass. */
FRODO_TEST(wrong_expired_and_used_codes_are_answered_alike)
{
    with_frodo(client, site, c) {
        reply none = await(join(client, "a@shire.example", "aaa", "123456"));
        check_int(none.status, 400);
        const char *code = await(mailed(client, "a@shire.example"));
        reply wrong = await(join(client, "a@shire.example", "aaa", wrong_of(code)));
        reply other = await(join(client, "b@shire.example", "aaa", code));
        await(bide_do(site->db, "update bide_codes set expires_at_us = $1", bide_now_us() - 1));
        reply old = await(join(client, "a@shire.example", "aaa", code));
        code = await(mailed(client, "used@shire.example"));
        check_int(await(join(client, "used@shire.example", "used", code)).status, 201);
        reply used = await(join(client, "used@shire.example", "again", code));
        reply all[] = {wrong, other, old, used};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            check_int(all[i].status, 400);
            check_str(all[i].body, none.body);
        }
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 1);
    }
}

FRODO_TEST(after_five_tries_no_code_is_right)
{
    with_frodo(client, site, c) {
        const char *code = await(mailed(client, "a@shire.example"));
        for (int i = 0; i < 5; i++)
            check_int(await(join(client, "a@shire.example", "aaa", wrong_of(code))).status, 400);
        check_int(await(join(client, "a@shire.example", "aaa", code)).status, 400);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 0);
    }
}

FRODO_TEST(a_code_to_recover_does_not_register)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        check_int(await(ask_code(client, "sam@shire.example", "recover")).status, 202);
        const char *code = await(frodo_mailed_code("sam@shire.example"));
        require(code);
        check_int(await(join(client, "sam@shire.example", "samwise", code)).status, 400);
    }
}

FRODO_TEST(nobody_learns_which_addresses_are_known)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        reply known = await(ask_code(client, "sam@shire.example", "register"));
        reply unknown = await(ask_code(client, "new@shire.example", "register"));
        check_int(known.status, 202);
        check_int(unknown.status, 202);
        check_str(known.body, unknown.body);
        check(!await(frodo_mailed_code("sam@shire.example")));
        check_contains(bide_outbox_last("sam@shire.example")->text, "has an account already");
        check(await(frodo_mailed_code("new@shire.example")));
        check_int(await(ask_code(client, "nobody@shire.example", "recover")).status, 202);
        check(!await(frodo_mailed_code("nobody@shire.example")));
        check_int(await(bide_scalar(site->db, i64, "select count(*) from bide_codes")), 3);
    }
}

FRODO_TEST(problems_come_all_at_once)
{
    with_frodo(client, site, c) {
        reply r = await(
            client_post(client, "/api/auth/register",
                        json("{\"email\":\"x\",\"username\":\"A\",\"password\":\"long enough\","
                             "\"password_confirm\":\"another\",\"code\":\"12\"}")));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 4);
        check_str(json_str(r, "detail.3.loc.1"), "password_confirm");
        check(!strstr(r.body, "long enough"));
        r = await(client_post(
            client, "/api/auth/register",
            json("{\"email\":\"a@b.example\",\"username\":\"username\",\"password\":\"USERNAME\","
                 "\"password_confirm\":\"USERNAME\",\"code\":\"123456\"}")));
        check_int(r.status, 422);
        check_str(json_str(r, "detail.0.loc.1"), "password");
        r = await(client_post(
            client, "/api/auth/register",
            json("{\"email\":\"a@b.example\",\"username\":\"username\",\"password\":\"aaaaaaaa\","
                 "\"password_confirm\":\"aaaaaaaa\",\"code\":\"123456\"}")));
        check_int(r.status, 422);
        r = await(client_post(client, "/api/auth/register", json("{}")));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 5);
    }
}

/* To look first and insert then is a race: the unique key decides. */
FRODO_TEST(what_is_taken_is_named_and_the_code_stays_good)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        const char *code = await(mailed(client, "new@shire.example"));
        reply r = await(join(client, "new@shire.example", "sam", code));
        check_int(r.status, 409);
        check_contains(r.body, "username");
        check(!strstr(r.body, "sam@"));
        check_int(await(join(client, "new@shire.example", "samwise", code)).status, 201);
        code = await(mailed(client, "late@shire.example"));
        await(bide_do(site->db, "update users set email = $1 where username = $2",
                      "late@shire.example", "sam"));
        r = await(join(client, "late@shire.example", "late", code));
        check_int(r.status, 409);
        check_contains(r.body, "email");
    }
}

SPAWNABLE(int, join_status, bide_client_ptr, const char *, const char *, const char *)
async(int) join_status(bide_client_ptr client, const char *email, const char *name,
                       const char *code)
{
    return ready(int, await(join(client, email, name, code)).status);
}

FRODO_TEST(of_parallel_registrations_with_one_code_one_wins)
{
    with_frodo(client, site, c) {
        const char *code = await(mailed(client, "a@shire.example"));
        int first = 0, second = 0, third = 0;
        await(gather(bide_into(&first, join_status, client, "a@shire.example", "one", code),
                     bide_into(&second, join_status, client, "a@shire.example", "two", code),
                     bide_into(&third, join_status, client, "a@shire.example", "three", code)));
        check_int((first == 201) + (second == 201) + (third == 201), 1);
        check_int((first == 400) + (second == 400) + (third == 400), 2);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 1);
    }
}

FRODO_TEST(mails_have_a_limit_for_an_address)
{
    with_frodo(client, site, c) {
        check_int(await(ask_code(client, "a@shire.example", "register")).status, 202);
        reply r = await(ask_code(client, "A@Shire.example", "register"));
        check_int(r.status, 429);
        require(reply_header(r, "retry-after"));
        check_str(reply_header(r, "retry-after"), "60");
        check_contains(reply_header(r, "content-type"), "application/json");
        for (int i = 1; i < 5; i++) {
            await(bide_do(site->db, "delete from bide_codes"));
            r = await(ask_code(client, "a@shire.example", "register"));
        }
        check_int(r.status, 429);
        check(atoi(reply_header(r, "retry-after")) > 3000);
        check_int(await(ask_code(client, "b@shire.example", "register")).status, 202);
    }
}

FRODO_TEST(mails_have_a_limit_for_a_client)
{
    with_frodo(client, site, c) {
        client_from(client, "2001:db8:1:2::7", "http");
        for (int i = 0; i < 10; i++) {
            const char *to = bide_arena_printf(bide_task_arena(), "u%d@shire.example", i);
            check_int(await(ask_code(client, to, "register")).status, 202);
        }
        client_from(client, "2001:db8:1:2:ffff::1", "http");
        reply r = await(ask_code(client, "more@shire.example", "register"));
        check_int(r.status, 429);
        check(atoi(reply_header(r, "retry-after")) > 0);
        client_from(client, "2001:db8:1:3::7", "http");
        check_int(await(ask_code(client, "more@shire.example", "register")).status, 202);
        client_from(client, "192.0.2.1", "http");
        check_int(await(ask_code(client, "other@shire.example", "register")).status, 202);
    }
}

FRODO_TEST(bad_inputs_are_refused)
{
    static const struct {
        const char *path, *body;
        int status;
    } cases[] = {
        {"/api/auth/email-codes", "", 422},
        {"/api/auth/email-codes", "{", 422},
        {"/api/auth/email-codes", "[]", 422},
        {"/api/auth/email-codes", "{\"email\":1,\"purpose\":[]}", 422},
        {"/api/auth/email-codes", "{\"email\":\"a@b.example\"}", 422},
        {"/api/auth/email-codes", "{\"email\":\"a@b.example\",\"purpose\":\"admin\"}", 422},
        {"/api/auth/email-codes",
         "{\"email\":\"a@b.example\\r\\nBcc: x@y.example\","
         "\"purpose\":\"register\"}",
         422},
        {"/api/auth/email-codes", "{\"email\":\"a@b.example\\u0000\",\"purpose\":\"register\"}",
         422},
        {"/api/auth/email-codes", "{\"email\":\"\xff@b.example\",\"purpose\":\"register\"}", 422},
        {"/api/auth/email-codes", "{\"email\":\"' or 1=1 --@b.example\",\"purpose\":\"register\"}",
         422},
        {"/api/auth/email-codes",
         "{\"email\":\"a@b.example\",\"email\":\"c@d.example\",\"purpose\":\"register\"}", 422},
        {"/api/auth/register", "{\"email\":null}", 422},
        {"/api/auth/register", "null", 422},
        {"/api/auth/register",
         "{\"email\":\"a@b.example\",\"username\":\"<script>\",\"password\":\"long enough\","
         "\"password_confirm\":\"long enough\",\"code\":\"123456\"}",
         422},
        {"/api/auth/register",
         "{\"email\":\"a@b.example\",\"username\":\"aaa\",\"password\":\"'; drop table users\","
         "\"password_confirm\":\"'; drop table users\",\"code\":\"123456\",\"role_id\":1}",
         400},
        {"/api/auth/register",
         "{\"email\":\"a@b.example\",\"username\":\"aaa\",\"password\":\"long enough\","
         "\"password_confirm\":\"long enough\",\"code\":\"\xd9\xa1\xd9\xa2\"}",
         422},
        {"/api/auth/recover", "{\"email\":\"a@b.example\",\"code\":123456}", 422},
    };
    with_frodo(client, site, c) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            reply r = await(client_post(client, cases[i].path, json(cases[i].body)));
            if (r.status != cases[i].status)
                fprintf(stderr, "case %zu: %s\n", i, cases[i].body);
            check_int(r.status, cases[i].status);
        }
        check_int(await(client_get(client, "/api/auth/register")).status, 405);
        check_int(await(client_post(client, "/api/auth/register", urlencoded("a=b"))).status, 415);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 0);
    }
}

/* Addresses that the model lets in are such that a mail can be sent to them. */
FRODO_TEST(odd_addresses_are_no_failures)
{
    static const char *const odd[] = {"\\\"quoted\\\"@shire.example",
                                      "\xc3\xbc@shire.example",
                                      "a@m\xc3\xbcller.example",
                                      "a+b.c=d@shire.example",
                                      "a@localhost",
                                      "a@[127.0.0.1]",
                                      "a..b@shire.example",
                                      "<a@shire.example>",
                                      "a@shire.example,b@shire.example"};
    with_frodo(client, site, c) {
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
            reply r = await(ask_code(client, odd[i], "register"));
            if (r.status != 202 && r.status != 422)
                fprintf(stderr, "%s: %s\n", odd[i], r.body);
            check(r.status == 202 || r.status == 422);
        }
    }
}

enum { MANY = 1000 };

struct crowd {
    bide_client *client;
    frodo *site;
    int created, taken, other;
};

/* A code for each of many addresses, and then a registration with it, all under one name. */
SPAWNABLE(void, join_as_one_of_many, int, size_t, struct crowd *)
async(void) join_as_one_of_many(int number, size_t index, struct crowd *crowd)
{
    const char *email = bide_arena_printf(bide_task_arena(), "u%d@shire.example", number);
    const bide_code_rules rules = {.purpose = "register", .secret = crowd->site->secret};
    const char *code = await(bide_code_issue(crowd->site->db, &rules, email));
    int status = await(join(crowd->client, email, "everybody", code)).status;
    (void)index;
    crowd->created += status == 201;
    crowd->taken += status == 409;
    crowd->other += status != 201 && status != 409;
    return bide_void;
}

FRODO_TEST(of_a_thousand_registrations_of_one_name_one_wins)
{
    with_frodo(client, site, c) {
        struct crowd crowd = {.client = client, .site = site};
        int numbers[MANY];
        for (int i = 0; i < MANY; i++)
            numbers[i] = i;
        await(bide_each(numbers, MANY, 0, join_as_one_of_many, &crowd));
        check_int(crowd.created, 1);
        check_int(crowd.taken, MANY - 1);
        check_int(crowd.other, 0);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from users")), 1);
    }
}
