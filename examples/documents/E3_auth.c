/*
 * E3: POST /auth with form fields, authenticate_user, create_access_token(sub, expires_delta).
 *
 * The document: a route takes `username` and `password` from a form, checks them, and gives a token
 * with a subject and an end; who is not right gets 400 `Incorrect User Auth.`.
 *
 * What goes wrong: the object of the user is made before it is asked whether there is one, so an
 * unknown name is a 500 and tells strangers who has an account. The end of the token is a local
 * time without a zone, which the library takes for UTC: it is off by hours. The hash is checked in
 * the loop, and nobody else is served meanwhile.
 *
 * In bide: an unknown user and a wrong password cost one hash each and are the same answer. An
 * instant knows no zone, and the token's life is a duration. The hash is computed on a thread of
 * the cpu lane: the loop goes on.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

MODEL(user, "users", (i64, id, key, generated), (str, name, unique), (hash, password));
MODEL(claims, "", (str, sub));
MODEL(token_out, "", (str, access_token), (str, token_type), (i64, expires_in));

static const bide_jwt_rules rules = {
    .secret = "not for production: 32 bytes at least", .issuer = "e3", .ttl = {900000000000}};

static async(user_ptr) authenticate_user(bide_db *db, const char *name, bide_plain_pw password)
{
    user *u = await(bide_maybe(db, user, "name = $1", name));
    bool right = await(bide_password_verify(password, u ? u->password : (bide_hash){NULL}));
    return ready(user_ptr, right ? u : NULL);
}

POST(auth, "/auth", token_out, form(str, username), form(plain_pw, password))
{
    const user *u = await(authenticate_user(bide_app_db(req), username, password));
    if (!u)
        fail(http_error(400, "Incorrect User Auth."));
    const claims who = {.sub = u->name};
    return (token_out){.access_token = bide_jwt_issue(NULL, &rules, claims, &who),
                       .token_type = "bearer",
                       .expires_in = rules.ttl.ns / 1000000000};
}

static async(void) count(int *steps);
SPAWNABLE(void, count, int *)
static async(void) count(int *steps)
{
    for (;; ++*steps)
        await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static async(void) log_in(bide_client_ptr c, const char *what, const char *form)
{
    int steps = 0;
    with_group(g) {
        spawn_void(g, count, &steps);
        reply r = await(client_post(c, "/auth", urlencoded(form)));
        bide_group_cancel(g, "seen enough");
        printf("%s: %d %s; the loop %s\n", what, r.status,
               r.status == 200 ? json_str(r, "token_type") : json_str(r, "detail"),
               steps > 0 ? "went on" : "stood still");
        if (r.status == 200) {
            enum bide_jwt_why why;
            const claims *read =
                bide_jwt_verify(NULL, &rules, claims, json_str(r, "access_token"), &why);
            printf("the token is of %s, for %lld s\n", read ? read->sub : "nobody",
                   (long long)json_int(r, "expires_in"));
        }
    }
    return bide_void;
}

static async(void) app(void)
{
    setenv("TZ", "Asia/Shanghai", 1); /* nothing here asks for it */
    tzset();
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        user sam = {.name = "sam"};
        sam.password = await(bide_password_hash((bide_plain_pw){"rope and mushrooms"}));
        await(bide_insert(db, user, &sam));
        bide_app *site = bide_app_new(.title = "Site", .db = db);
        bide_app_add_all(site, "");
        with_client(c, site) {
            await(log_in(c, "right", "username=sam&password=rope+and+mushrooms"));
            await(log_in(c, "wrong", "username=sam&password=one+ring"));
            await(log_in(c, "nobody", "username=sauron&password=one+ring"));
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
