/*
 * D2: fetch_user, main, run.
 *
 * The document: the smallest complete program: an async function that fetches a user, a main that
 * awaits it and prints, and run.
 *
 * What goes wrong: with the await forgotten the program prints a coroutine object.
 *
 * In bide: the same three parts. A user is a structure; AWAITABLE makes it a type that can
 * be awaited. Printing the un-awaited call does not compile.
 */
#include <bide/bide.h>

#include <stdio.h>

typedef struct user {
    int id;
    char name[16];
} user;
AWAITABLE(user);

static async(user) fetch_user(int id)
{
    user found = {.id = id};
    await(bide_sleep(bide_s(1)));
    snprintf(found.name, sizeof found.name, "user %d", id);
    return ready(user, found);
}

static async(void) app(void)
{
    user one = await(fetch_user(1));
    printf("%s\n", one.name);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
