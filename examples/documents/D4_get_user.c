/*
 * D4: GET /users/{id} with a session from Depends(get_db).
 *
 * The document: a FastAPI route that takes the id from the path and a session from get_db, runs a
 * select, takes scalar_one_or_none and raises HTTPException(404) when there is no row.
 *
 * What goes wrong: without the check the row that is missing is a 500, or `null` with 200; the
 * response has whatever the row has, the password too; the part of get_db after `yield` runs behind
 * the reply, so a failing commit comes too late.
 *
 * In bide: PROVIDER is get_db: what stands behind provide() runs before the reply is sent, on every
 * way out. The query gives a VIEW, so the password is not even read; bide_maybe fails if
 * there are two rows, and `maybe` makes a 404 of none.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, name), (hash, password));
VIEW(user_out, user, id, name);

PROVIDER(bide_tx *, get_db)
{
    with_read_tx(tx, bide_app_db(req)) {
        printf("  session opened\n");
        provide(tx);
        printf("  session closed\n");
    }
}

GET(read_user, "/users/{id}", maybe(user_out), path(i64, id), depends(bide_tx *, tx, get_db))
{
    return await(bide_maybe(tx, user_out, "id = $1", id));
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
        user rows[] = {{.name = "Ann", .password = {"argon2..."}},
                       {.name = "Bob", .password = {"argon2..."}}};
        await(bide_create_table(db, user));
        await(bide_insert_many(db, user, rows, 2));
        bide_app *users = bide_app_new(.title = "Users", .db = db);
        bide_app_add_all(users, "");
        with_client(client, users) {
            await(show(client, "/users/1"));
            await(show(client, "/users/999"));
            await(show(client, "/users/x"));
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
