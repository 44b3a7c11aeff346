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
 * way out. The response is a VIEW, so the password cannot be in it, and `maybe` makes a 404 of
 * a missing row. The store here is in memory; the session comes with the data layer.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, name), (hash, password));
VIEW(user_out, user, id, name);

typedef struct store {
    user users[2];
} store;

static async(user_ptr) find_user(store *db, int64_t id)
{
    await(bide_sleep(bide_ms(5)));
    for (size_t i = 0; i < 2; i++)
        if (db->users[i].id == id)
            return ready(user_ptr, &db->users[i]);
    return ready(user_ptr, NULL);
}

PROVIDER(store *, get_db)
{
    printf("  session opened\n");
    provide(bide_app_state(req));
    printf("  session closed\n");
}

GET(read_user, "/users/{id}", maybe(user_out), path(i64, id), depends(store *, db, get_db))
{
    const user *found = await(find_user(db, id));
    if (!found)
        return NULL;
    user_out out = user_out_of(found);
    return bide_arena_copy(bide_arena_of(req), &out, sizeof out);
}

static async(void) show(bide_client_ptr client, const char *target)
{
    reply r = await(client_get(client, target));
    printf("GET %s: %d %s\n", target, r.status, r.body);
    return bide_void;
}

static async(void) app(void)
{
    store db = {{{.id = 1, .name = "Ann", .password = {"argon2..."}},
                 {.id = 2, .name = "Bob", .password = {"argon2..."}}}};
    bide_app *users = bide_app_new(.title = "Users", .state = &db);
    bide_app_add_all(users, "");
    with_client(client, users) {
        await(show(client, "/users/1"));
        await(show(client, "/users/999"));
        await(show(client, "/users/x"));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
