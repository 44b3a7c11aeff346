/*
 * B1: get_by_email, which may find nobody.
 *
 * The document: a repository's get_by_email, typed `User or None`, that ends in `.one()`.
 *
 * What goes wrong: one() raises NoResultFound when there is no row: an unknown address is a 500,
 * and the caller's `if user is None` is never reached. `.first()` would hide a second row.
 *
 * In bide: `one`, `maybe`, `first` and `all` are different calls. bide_maybe gives the row or NULL,
 * and fails on two; a route of maybe(user_out) answers NULL with 404. A query may give the VIEW at
 * once, so that the password is not even read.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, email), (hash, password));
VIEW(user_out, user, id, email);

SPAWNABLE(user_ptr, get_by_email, bide_db *, const char *)
async(user_ptr) get_by_email(bide_db *db, const char *email)
{
    return ready(user_ptr, await(bide_maybe(db, user, "email = $1", email)));
}

GET(find_user, "/users", maybe(user_out), query(str, email))
{
    bide_db *db = bide_app_db(req);
    return await(bide_maybe(db, user_out, "email = $1", email));
}

static async(void) show(bide_client_ptr client, const char *target)
{
    reply r = await(client_get(client, target));
    printf("GET %s: %d %s\n", target, r.status, r.body);
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        user rows[] = {{.email = "ann@a.example", .password = {"argon2..."}},
                       {.email = "two@a.example", .password = {"argon2..."}},
                       {.email = "two@a.example", .password = {"argon2..."}}};
        await(bide_insert_many(db, user, rows, 3));

        user *nobody = await(get_by_email(db, "sam@a.example"));
        printf("sam@a.example: %s\n", nobody ? nobody->email : "none");
        bide_error *error;
        attempt(&error, get_by_email, db, "two@a.example");
        printf("two@a.example: %s\n", error->message);

        bide_app *site = bide_app_new(.title = "Users", .db = db);
        bide_app_add_all(site, "");
        with_client(client, site) {
            await(show(client, "/users?email=ann@a.example"));
            await(show(client, "/users?email=sam@a.example"));
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
