/*
 * D1: a synchronous get_user against an async one.
 *
 * The document: the same handler twice. The synchronous one blocks its thread while the database
 * answers; the async one lets others run.
 *
 * What goes wrong: called one after the other, twenty requests of 50 ms take a second. Threads help
 * as far as there are threads; a blocking call inside an async handler is worse than either, for it
 * stops everybody.
 *
 * In bide: a handler that can only block says so with the word `blocking`, and runs on a thread of
 * the blocking lane, off the loop; an async handler needs no thread. Both are measured here, twenty
 * requests at the same time, against one after the other.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <poll.h>
#include <stdio.h>

enum { REQUESTS = 20, DATABASE_MS = 50 };

MODEL(user, "users", (i64, id), (str, name));

GET(get_user_sync, "/sync/users/{id}", user, blocking, path(i64, id))
{
    poll(NULL, 0, DATABASE_MS); /* a driver that only blocks */
    return (user){.id = id, .name = id == 1 ? "Ann" : "somebody"};
}

GET(get_user_async, "/async/users/{id}", user, path(i64, id))
{
    await(bide_sleep(bide_ms(DATABASE_MS)));
    return (user){.id = id, .name = id == 1 ? "Ann" : "somebody"};
}

SPAWNABLE(void, request, const char *, size_t, bide_client_ptr)
async(void) request(const char *target, size_t index, bide_client_ptr client)
{
    (void)index;
    reply r = await(client_get(client, target));
    if (r.status != 200)
        fail(bide_error_new(r.status, "%s", r.body));
    return bide_void;
}

/* Twenty requests, so many at a time; how long they took. */
static async(int64_t) measure(bide_client_ptr client, const char *target, size_t at_a_time)
{
    const char *targets[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        targets[i] = target;
    int64_t start_ns = bide_clock_ns();
    await(bide_each(targets, REQUESTS, at_a_time, request, client));
    int64_t ms = (bide_clock_ns() - start_ns) / 1000000;
    return ready(int64_t, ms);
}

static async(void) app(void)
{
    bide_app *users = bide_app_new(.title = "Users");
    bide_app_add_all(users, "");
    with_client(client, users) {
        int64_t serial = await(measure(client, "/sync/users/1", 1));
        int64_t lane = await(measure(client, "/sync/users/1", 0));
        int64_t async_ms = await(measure(client, "/async/users/1", 0));
        printf("one after the other: %s\n", serial >= 1000 ? "a second" : "too fast");
        printf("blocking lane, all at once: %s\n",
               lane < serial / 4 ? "less than a quarter" : "no gain");
        printf("async, all at once: %s\n",
               async_ms < serial / 4 ? "less than a quarter" : "no gain");
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
