/* Logging in by password and by refresh token, and what a token is good for. */
#include "testing.h"

static async(bide_client_reply) log_in(bide_client *client, const char *name, const char *password)
{
    return client_post(client, "/api/auth/login",
                       urlencoded(bide_arena_printf(bide_task_arena(), "username=%s&password=%s",
                                                    name, password)));
}

static async(bide_client_reply) refresh(bide_client *client, const char *token)
{
    return client_post(
        client, "/api/auth/refresh",
        json(bide_arena_printf(bide_task_arena(), "{\"refresh_token\":\"%s\"}", token)));
}

/* The status of /api/users/me with a token. */
static async(int) status_with(bide_client *client, const char *token)
{
    client_header(client, "Authorization",
                  bide_arena_printf(bide_task_arena(), "Bearer %s", token));
    int status = await(client_get(client, "/api/users/me")).status;
    client_header(client, "Authorization", NULL);
    return ready(int, status);
}

FRODO_TEST(a_password_gives_tokens)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        reply r = await(log_in(client, "sam", FRODO_PASSWORD));
        check_int(r.status, 200);
        check_str(json_str(r, "token_type"), "bearer");
        check_int(json_int(r, "expires_in"), 900);
        check(strlen(json_str(r, "refresh_token")) >= 32);
        check_str(reply_header(r, "cache-control"), "no-store");
        check_int(await(status_with(client, json_str(r, "access_token"))), 200);
        check_int(await(log_in(client, "SAM@Shire.example", FRODO_PASSWORD)).status, 200);
        r = await(client_post(client, "/auth",
                              urlencoded("grant_type=password&scope=&client_id=&username=sam&"
                                         "password=correct+horse+battery")));
        check_int(r.status, 200);
        r = await(client_get(client, "/api/users/me"));
        check_int(r.status, 401);
        check_str(reply_header(r, "www-authenticate"), "Bearer");
    }
}

/* "No such user" and "wrong password" are one answer. */
FRODO_TEST(unknown_users_and_wrong_passwords_are_one_answer)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        check(await(frodo_make_user(site->db, "off", "member")) > 0);
        await(bide_do(site->db, "update users set status = $1 where username = $2", "disabled",
                      "off"));
        reply wrong = await(log_in(client, "sam", "wrong"));
        reply unknown = await(log_in(client, "nobody", FRODO_PASSWORD));
        reply disabled = await(log_in(client, "off", FRODO_PASSWORD));
        check_int(wrong.status, 400);
        check_str(json_str(wrong, "detail"), "Incorrect User Auth.");
        check_int(unknown.status, 400);
        check_str(unknown.body, wrong.body);
        check_int(disabled.status, 400);
        check_str(disabled.body, wrong.body);
    }
}

static int64_t hashes_until_now(bide_client *client) BIDE__TASK;
static int64_t hashes_until_now(bide_client *client)
{
    static const char name[] = "\nbide_password_hashes_total ";
    const char *found = strstr(await(client_get(client, "/metrics")).body, name);
    require(found != NULL);
    return atoll(found + strlen(name));
}

/* What a login costs tells nobody whether there is such an account: in work, not in time, which
   depends on who else computes. */
FRODO_TEST(each_login_that_fails_computes_one_hash)
{
    static const char *const names[] = {"sam", "nobody", "off", "sam@shire.example",
                                        "nobody@shire.example"};
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        check(await(frodo_make_user(site->db, "off", "member")) > 0);
        await(bide_do(site->db, "update users set status = 'disabled' where username = 'off'"));
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            int64_t before = hashes_until_now(client);
            check_int(await(log_in(client, names[i], "wrong password")).status, 400);
            check_int(hashes_until_now(client) - before, 1);
        }
    }
}

static async(void) fail_five_times(bide_client *client, const char *name)
{
    for (int i = 0; i < 5; i++)
        check_int(await(log_in(client, name, "wrong")).status, 400);
    return bide_void;
}

FRODO_TEST(five_failures_lock_a_name_whether_it_is_known_or_not)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(fail_five_times(client, "sam"));
        await(fail_five_times(client, "nobody"));
        reply known = await(log_in(client, "Sam", FRODO_PASSWORD));
        reply unknown = await(log_in(client, "nobody", FRODO_PASSWORD));
        check_int(known.status, 429);
        check_int(unknown.status, 429);
        require(reply_header(known, "retry-after"));
        check(atoi(reply_header(known, "retry-after")) > 500);
        check(atoi(reply_header(known, "retry-after")) <= 600);
        check_int(await(log_in(client, "sam@shire.example", "wrong")).status, 400);
        await(bide_do(site->db, "delete from bide_login_failures"));
        check_int(await(log_in(client, "sam", FRODO_PASSWORD)).status, 200);
        for (int i = 0; i < 4; i++)
            check_int(await(log_in(client, "sam", "wrong")).status, 400);
        check_int(await(log_in(client, "sam", FRODO_PASSWORD)).status, 200);
        check_int(await(log_in(client, "sam", "wrong")).status, 400);
    }
}

/* crypt(3) with "$2b$04$": what another program has left. */
static const char bcrypt_hash[] = "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS";

SPAWNABLE(int, log_in_status, bide_client_ptr, const char *)
async(int) log_in_status(bide_client_ptr client, const char *password)
{
    return ready(int, await(log_in(client, "sam", password)).status);
}

/* A counter that is read and then written loses some of them. */
FRODO_TEST(failures_at_the_same_time_are_all_counted)
{
    with_frodo(client, site, c) {
        int status[5] = {0};
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(gather(bide_into(&status[0], log_in_status, client, "one"),
                     bide_into(&status[1], log_in_status, client, "two"),
                     bide_into(&status[2], log_in_status, client, "three"),
                     bide_into(&status[3], log_in_status, client, "four"),
                     bide_into(&status[4], log_in_status, client, "five")));
        for (int i = 0; i < 5; i++)
            check_int(status[i], 400);
        check_int(await(log_in(client, "sam", FRODO_PASSWORD)).status, 429);
    }
}

/* A password is changed between the reading of a hash and the making of a new one. */
FRODO_TEST(a_hash_made_anew_overwrites_no_new_password)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(frodo_login(client, "sam"));
        await(bide_do(site->db, "update users set password = $1", (bide_hash){bcrypt_hash}));
        reply r = await(client_post(client, "/api/users/me/password",
                                    json("{\"old_password\":\"" FRODO_PASSWORD "\","
                                         "\"password\":\"a better one\","
                                         "\"password_confirm\":\"a better one\"}")));
        check_int(r.status, 200);
        frodo_logout(client);
        check_int(await(log_in(client, "sam", FRODO_PASSWORD)).status, 400);
        check_int(await(log_in(client, "sam", "a+better+one")).status, 200);
    }
}

FRODO_TEST(a_bcrypt_hash_is_accepted_and_made_anew)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        await(bide_do(site->db, "update users set password = $1", (bide_hash){bcrypt_hash}));
        check_int(await(log_in(client, "sam", "wrong")).status, 400);
        user *u = await(bide_one(site->db, user, "username = $1", "sam"));
        check_str(u->password.text, bcrypt_hash);
        reply r = await(log_in(client, "sam", FRODO_PASSWORD));
        check_int(r.status, 200);
        u = await(bide_one(site->db, user, "username = $1", "sam"));
        check_contains(u->password.text, "$argon2id$");
        check_int(await(status_with(client, json_str(r, "access_token"))), 200);
        check_int(await(log_in(client, "sam", FRODO_PASSWORD)).status, 200);
    }
}

FRODO_TEST(a_refresh_token_is_good_once)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        const char *first = json_str(await(log_in(client, "sam", FRODO_PASSWORD)), "refresh_token");
        reply r = await(refresh(client, first));
        check_int(r.status, 200);
        check_int(await(status_with(client, json_str(r, "access_token"))), 200);
        const char *second = json_str(r, "refresh_token");
        check(strcmp(first, second) != 0);
        check_int(await(refresh(client, first)).status, 401);
        check_int(await(refresh(client, second)).status, 401); /* the family has ended */
        check_int(await(refresh(client, "nonsense")).status, 401);
        check_int(await(refresh(client, "")).status, 422);
        r = await(log_in(client, "sam", FRODO_PASSWORD));
        await(bide_do(site->db, "update users set status = $1", "disabled"));
        check_int(await(refresh(client, json_str(r, "refresh_token"))).status, 401);
    }
}

FRODO_TEST(logging_out_ends_one_login_or_all)
{
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        reply one = await(log_in(client, "sam", FRODO_PASSWORD));
        reply two = await(log_in(client, "sam", FRODO_PASSWORD));
        const char *form = bide_arena_printf(bide_task_arena(), "{\"refresh_token\":\"%s\"}",
                                             json_str(one, "refresh_token"));
        check_int(await(client_post(client, "/api/auth/logout", json(form))).status, 204);
        check_int(await(refresh(client, json_str(one, "refresh_token"))).status, 401);
        two = await(refresh(client, json_str(two, "refresh_token")));
        check_int(two.status, 200);
        check_int(await(client_post(client, "/api/auth/logout", json("{}"))).status, 401);
        await(frodo_login(client, "sam"));
        check_int(await(client_post(client, "/api/auth/logout", json("{}"))).status, 204);
        check_int(await(client_get(client, "/api/users/me")).status, 401);
        frodo_logout(client);
        check_int(await(refresh(client, json_str(two, "refresh_token"))).status, 401);
        check_int(await(status_with(client, json_str(two, "access_token"))), 401);
    }
}

/* Claims of a token that is like ours, but for what a test says. */
MODEL(forged, "", (str, sub), (i32, epoch));

static const char *forge(const frodo *site, const bide_jwt_rules *like, const char *sub,
                         int32_t epoch)
{
    bide_jwt_rules rules = *like;
    rules.secret = rules.secret ? rules.secret : site->secret;
    forged claims = {.sub = sub, .epoch = epoch};
    return bide_jwt_issue(bide_task_arena(), &rules, forged, &claims);
}

static const char *unsigned_of(const char *token)
{
    const char *claims = strchr(token, '.');
    /* {"alg":"none","typ":"JWT"} */
    return bide_arena_printf(bide_task_arena(), "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0%.*s.",
                             (int)(strrchr(token, '.') - claims), claims);
}

FRODO_TEST(tokens_that_are_not_ours_are_nobody)
{
    static const char *const nonsense[] = {"",     "x",           "a.b.c",   "..",
                                           "null", "' or 1=1 --", "\xff\xfe"};
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "sam", "member"));
        const char *sub = bide_arena_printf(bide_task_arena(), "%lld", (long long)id);
        const bide_jwt_rules ours = {.issuer = "frodo"};
        const bide_jwt_rules issuer = {.issuer = "somebody else"};
        const bide_jwt_rules algorithm = {.issuer = "frodo",
                                          .algorithm = BIDE_HS512,
                                          .secret = "a secret of the tests, long enough for all, "
                                                    "and for the longest of the algorithms"};
        const bide_jwt_rules secret = {.issuer = "frodo",
                                       .secret = "another secret, as long as it has to be"};
        const char *good = forge(site, &ours, sub, 0);
        check_int(await(status_with(client, good)), 200);
        check_int(await(status_with(client, forge(site, &issuer, sub, 0))), 401);
        check_int(await(status_with(client, forge(site, &algorithm, sub, 0))), 401);
        check_int(await(status_with(client, forge(site, &secret, sub, 0))), 401);
        check_int(await(status_with(client, forge(site, &ours, sub, 1))), 401);
        check_int(await(status_with(client, forge(site, &ours, "9999", 0))), 401);
        check_int(await(status_with(client, forge(site, &ours, "sam", 0))), 401);
        check_int(await(status_with(client, forge(site, &ours, "1e0", 0))), 401);
        check_int(await(status_with(client, unsigned_of(good))), 401);
        char *changed = bide_arena_strdup(bide_task_arena(), good);
        changed[strlen(changed) / 2] ^= 1;
        check_int(await(status_with(client, changed)), 401);
        for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
            check_int(await(status_with(client, nonsense[i])), 401);
        client_header(client, "Authorization", "Basic c2FtOnNhbQ==");
        check_int(await(client_get(client, "/api/users/me")).status, 401);
    }
}

MODEL(token_claims, "", (str, sub), (i32, epoch), (i64, iat), (i64, exp), (str, username, optional),
      (str, password, optional));

/* A token carries neither a password nor a local time. */
FRODO_TEST(a_token_says_who_and_until_when)
{
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "sam", "member"));
        reply r = await(log_in(client, "sam", FRODO_PASSWORD));
        const bide_jwt_rules rules = {.issuer = "frodo", .secret = site->secret};
        enum bide_jwt_why why;
        const token_claims *said = bide_jwt_verify(bide_task_arena(), &rules, token_claims,
                                                   json_str(r, "access_token"), &why);
        require(said);
        check_int(strtoll(said->sub, NULL, 10), id);
        check_int(said->exp - said->iat, 900);
        int64_t now_s = bide_now_us() / 1000000;
        check(said->iat <= now_s && said->iat > now_s - 60);
        check(!said->username);
        check(!said->password);
    }
}

FRODO_TEST(a_disabled_account_is_nobody)
{
    with_frodo(client, site, c) {
        int64_t id = await(frodo_make_user(site->db, "sam", "member"));
        await(frodo_login(client, "sam"));
        check_int(await(client_get(client, "/api/users/me")).status, 200);
        with_tx(tx, site->db) {
            await(bide_do(tx, "update users set status = $1 where id = $2", "disabled", id));
            account_changed(tx, site, id);
        }
        check_int(await(client_get(client, "/api/users/me")).status, 401);
    }
}

FRODO_TEST(bad_inputs_of_logins_are_refused)
{
    static const struct {
        const char *path, *form;
        int status;
    } cases[] = {
        {"/api/auth/login", "", 422},
        {"/api/auth/login", "username=sam", 422},
        {"/api/auth/login", "username=&password=", 422},
        {"/api/auth/login", "username=%ff&password=x", 422},
        {"/api/auth/login", "username=sam%00&password=x", 422},
        {"/api/auth/login", "username=sam&username=eve&password=x", 422},
        {"/api/auth/login", "username=%27+or+1%3D1+--&password=%27+or+1%3D1+--", 400},
        {"/api/auth/login", "username=%3Cscript%3E&password=x", 400},
        {"/auth", "password=x", 422},
    };
    with_frodo(client, site, c) {
        check(await(frodo_make_user(site->db, "sam", "member")) > 0);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            reply r = await(client_post(client, cases[i].path, urlencoded(cases[i].form)));
            if (r.status != cases[i].status)
                fprintf(stderr, "case %zu: %s: %s\n", i, cases[i].form, r.body);
            check_int(r.status, cases[i].status);
        }
        char *huge = bide_arena_alloc(bide_task_arena(), 100001);
        memset(huge, 'a', 100000);
        huge[100000] = 0;
        check_int(await(log_in(client, huge, "x")).status, 422);
        check_int(await(log_in(client, "sam", huge)).status, 422);
        check_int(await(client_get(client, "/api/auth/login")).status, 405);
        check_int(await(client_post(client, "/api/auth/login", json("{}"))).status, 415);
        check_int(await(client_post(client, "/api/auth/refresh", urlencoded("a=b"))).status, 415);
        check_int(
            await(client_post(client, "/api/auth/refresh", json("{\"refresh_token\":1}"))).status,
            422);
        check_int(
            await(client_post(client, "/api/auth/logout", json("{\"refresh_token\":[]}"))).status,
            422);
    }
}
