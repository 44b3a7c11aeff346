/*
 * D17: two tests with an in-process client.
 *
 * The document: pytest with an async client over the application itself: GET /users/1 must give 200
 * and that user_id, POST /users must make a user and give it back.
 *
 * What goes wrong: the client does not run the application's start-up, so a pool that opens there
 * is missing; the second test sees what the first one left behind; a plugin that is missing makes
 * the tests pass without running.
 *
 * In bide: with_client starts and stops the application around the block, and no socket is opened.
 * Each test is a process of its own with its own state. A TEST runs in a task, on virtual time, and
 * also fails for what it leaves behind: a task, an error, a descriptor, memory.
 */
#include <bide/bide.h>
#include <bide/test.h>
#include <bide/web_test.h>

enum { MOST_USERS = 10 };

MODEL(user, "users", (i64, user_id, key, generated), (str, name, len(1, 50)), (str, email, email));
MODEL(user_in, "", (str, name, len(1, 50)), (str, email, email));

typedef struct store {
    bide_arena texts;
    user users[MOST_USERS];
    size_t count;
} store;

static store all_users;

/* The start-up, as a pool would be opened; and the end, as it would be closed. */
static async(void) start(bide_app *app)
{
    (void)app;
    await(bide_sleep(bide_s(1)));
    bide_arena_init(&all_users.texts, NULL, 1 << 16);
    all_users.users[0] = (user){.user_id = 1, .name = "Ann", .email = "ann@example.com"};
    all_users.count = 1;
    return bide_void;
}

static async(void) stop(bide_app *app)
{
    (void)app;
    bide_arena_done(&all_users.texts);
    return bide_void;
}

GET(get_user, "/users/{user_id}", maybe(user), path(i64, user_id))
{
    for (size_t i = 0; i < all_users.count; i++)
        if (all_users.users[i].user_id == user_id)
            return &all_users.users[i];
    return NULL;
}

POST(create_user, "/users", user, body(user_in, form))
{
    if (all_users.count == MOST_USERS)
        fail(http_error(409, "no more users"));
    user *made = &all_users.users[all_users.count++];
    *made = (user){.user_id = (int64_t)all_users.count,
                   .name = bide_arena_strdup(&all_users.texts, form->name),
                   .email = bide_arena_strdup(&all_users.texts, form->email)};
    return *made;
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "Users", .start = start, .stop = stop);
    bide_app_add_all(app, "");
    return app;
}

TEST(get_user_gives_the_user)
{
    with_client(client, make_app()) {
        reply r = await(client_get(client, "/users/1"));
        check_int(r.status, 200);
        check_int(json_int(r, "user_id"), 1);
    }
}

TEST(create_user_gives_it_back)
{
    with_client(client, make_app()) {
        reply r = await(client_post(client, "/users",
                                    json("{\"name\":\"Bob\",\"email\":\"bob@example.com\"}")));
        check_int(r.status, 200);
        check_str(json_str(r, "name"), "Bob");
        check_int(json_int(r, "user_id"), 2); /* not 3: no test sees what another one did */
    }
}
