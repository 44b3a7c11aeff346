/*
 * Accounts: passwords as hashes, a login that tells nobody who has an account and locks after five
 * failures, a signed token for each request, a session that can be taken back.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <stdlib.h>

MODEL(user, "users", (i64, id, key, generated), (str, name, len(3, 32), unique), (hash, password));
VIEW(user_out, user, id, name);
MODEL(user_in, "", (str, name, len(3, 32)), (plain_pw, password, len(8, 100)));

MODEL(access, "", (str, sub));
MODEL(tokens, "", (str, access_token), (str, token_type), (i64, expires_in), (str, refresh_token));
MODEL(refresh_in, "", (str, refresh_token));

/* A program has the secret from its settings. */
static const bide_jwt_rules signed_by_us = {
    .secret = "not for production: 32 bytes at least", .issuer = "accounts", .ttl = {900000000000}};
static const bide_refresh_rules sessions = {.idle = {0}, .ttl = {0}}; /* 14 and 90 days */
static const bide_login_rules login = {.purpose = "login"};           /* 5 failures in 10 minutes */

static async(tokens) tokens_of(const char *subject, const char *refresh)
{
    const access claims = {.sub = subject};
    const char *token = bide_jwt_issue(NULL, &signed_by_us, access, &claims);
    return ready(tokens, ((tokens){.access_token = token,
                                   .token_type = "bearer",
                                   .expires_in = signed_by_us.ttl.ns / 1000000000,
                                   .refresh_token = refresh}));
}

/* Who asks. */
PROVIDER(user *, me, oauth2(token, "/auth"))
{
    enum bide_jwt_why why;
    const access *who = bide_jwt_verify(NULL, &signed_by_us, access, token, &why);
    if (!who)
        fail(http_error(401, "%s", bide_jwt_reason(why)));
    user *u = await(bide_maybe(bide_app_db(req), user, "id = $1", strtoll(who->sub, NULL, 10)));
    if (!u)
        fail(http_error(401, "no such user"));
    provide(u);
}

POST(join, "/users", user_out, status(201), body(user_in, in))
{
    user u = {.name = in->name, .password = await(bide_password_hash(in->password))};
    await(bide_insert(bide_app_db(req), user, &u)); /* a taken name: 409 */
    return user_out_of(&u);
}

POST(log_in, "/auth", tokens, form(str, username), form(plain_pw, password))
{
    bide_db *db = bide_app_db(req);
    bool right = false;
    user *u = NULL;
    if (await(bide_login_locked(db, &login, username)) == 0) {
        u = await(bide_maybe(db, user, "name = $1", username));
        right = await(bide_password_verify(password, u ? u->password : (bide_hash){NULL}));
        right = await(bide_login_settle(db, &login, username, right)); /* this decides */
    }
    if (!right)
        fail(http_error(400, "Incorrect User Auth."));
    if (bide_password_stale(u->password)) {
        u->password = await(bide_password_hash(password));
        await(bide_update(db, user, u, password));
    }
    const char *subject = bide_arena_printf(bide_arena_of(req), "%lld", (long long)u->id);
    if (!subject)
        fail(http_error(503, "no memory"));
    const char *refresh = await(bide_refresh_issue(db, &sessions, subject));
    return await(tokens_of(subject, refresh));
}

POST(refresh, "/auth/refresh", tokens, body(refresh_in, in))
{
    bide_refreshed *now =
        await(bide_refresh_rotate(bide_app_db(req), &sessions, in->refresh_token));
    if (!now)
        fail(http_error(401, "log in again"));
    return await(tokens_of(now->subject, now->token));
}

GET(get_me, "/users/me", user_out, depends(user *, u, me))
{
    return user_out_of(u);
}

/* ---- what a client sees ---- */

static void show(const char *what, reply r)
{
    printf("%s: %d %s\n", what, r.status, r.status < 300 ? "" : r.body);
}

static async(void) use(bide_client_ptr c)
{
    static const char right[] = "username=frodo&password=speak+friend+and+enter";
    static const char wrong[] = "username=frodo&password=open+sesame";
    show("join",
         await(client_post(c, "/users",
                           json("{\"name\":\"frodo\",\"password\":\"speak friend and enter\"}"))));
    show("nobody", await(client_post(c, "/auth", urlencoded("username=sauron&password=one+ring"))));
    show("wrong", await(client_post(c, "/auth", urlencoded(wrong))));
    show("without a token", await(client_get(c, "/users/me")));

    reply r = await(client_post(c, "/auth", urlencoded(right)));
    show("right", r);
    const char *first = json_str(r, "refresh_token");
    client_header(c, "Authorization",
                  bide_arena_printf(bide_task_arena(), "Bearer %s", json_str(r, "access_token")));
    r = await(client_get(c, "/users/me"));
    printf("who: %d %s\n", r.status, r.body);

    const char *again = bide_arena_printf(bide_task_arena(), "{\"refresh_token\":\"%s\"}", first);
    show("the session goes on", await(client_post(c, "/auth/refresh", json(again))));
    show("the old token again", await(client_post(c, "/auth/refresh", json(again))));

    for (int i = 0; i < 5; i++)
        await(client_post(c, "/auth", urlencoded(wrong)));
    show("right, but locked", await(client_post(c, "/auth", urlencoded(right))));
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        await(bide_create_table(db, bide_refresh_row));
        await(bide_create_table(db, bide_login_row));
        bide_app *accounts = bide_app_new(.title = "Accounts", .db = db);
        bide_app_add_all(accounts, "");
        with_client(c, accounts)
            await(use(c));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
