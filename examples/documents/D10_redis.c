/*
 * D10: an own redis_connection() manager.
 *
 * The document: an async context manager that makes a connection pool, yields a client of it, and
 * closes both; a route reads a value through it.
 *
 * What goes wrong: a pool for one command: each request connects, logs in, and hangs up again. The
 * pool's default limit is 2 to the 31st, and beyond a limit that one sets it raises in place of
 * waiting. A command that is cancelled in the middle leaves a reply behind, which the next user of
 * the connection takes for its own.
 *
 * In bide: the client belongs to the application; all requests share one connection, whose commands
 * are sent together. A provider gives it to the routes. What blocks gets a connection of its own
 * for the length of a block, which is idle afterwards, and is lent again only if it is clean. The
 * address of the server is in REDIS_URL.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

MODEL(setting, "", (str, key), (str, value, optional));

PROVIDER(bide_redis *, redis_connection)
{
    provide(bide_app_state(req));
}

GET(read_setting, "/settings/{key}", setting, path(str, key),
    depends(bide_redis *, redis, redis_connection))
{
    return (setting){.key = key, .value = await(bide_redis_get(redis, key)).text};
}

/* What blocks: a lease, from the provider to the end of the request. */
PROVIDER(bide_redis *, own_connection, depends(bide_redis *, redis, redis_connection))
{
    with(bide_redis_leased, own, redis) {
        provide(own);
    }
}

GET(next_job, "/next-job", setting, depends(bide_redis *, own, own_connection))
{
    bide_redis_reply got = await(bide_redis(own, "BLPOP", "jobs", 1));
    return (setting){.key = "jobs", .value = got.count == 2 ? got.items[1].text : NULL};
}

/* A number of INFO. */
static async(int) server_says(bide_redis *redis, const char *section, const char *name)
{
    const char *text = await(bide_redis(redis, "INFO", section)).text;
    const char *line = text ? strstr(text, name) : NULL;
    return ready(int, line ? atoi(line + strlen(name)) : -1);
}

SPAWNABLE(void, read_one, int, size_t, bide_client_ptr)
async(void) read_one(int key, size_t index, bide_client_ptr client)
{
    const char *target = bide_arena_printf(bide_task_arena(), "/settings/%d", key);
    reply r = await(client_get(client, target));
    if (index == 0)
        printf("GET %s: %d %s\n", target, r.status, r.body);
    return bide_void;
}

static async(void) ask(bide_client_ptr client, bide_redis *redis)
{
    int keys[50];
    for (int i = 0; i < 50; i++)
        keys[i] = i;
    await(bide_redis_set(redis, "0", "dark", bide_s(60)));
    await(bide_each(keys, 50, 0, read_one, client));
    await(bide_redis(redis, "RPUSH", "jobs", "send the mail", "clean up"));
    for (int i = 0; i < 2; i++)
        printf("GET /next-job: %s\n", await(client_get(client, "/next-job")).body);
    return bide_void;
}

static async(void) app(void)
{
    const char *url = getenv("REDIS_URL");
    with(bide_redis, redis, url ? url : "redis://127.0.0.1:6379", NULL) {
        int before = await(server_says(redis, "stats", "total_connections_received:"));
        bide_app *site = bide_app_new(.title = "Settings", .state = redis);
        bide_app_add_all(site, "");
        with_client(client, site) {
            await(ask(client, redis));
        }
        int after = await(server_says(redis, "stats", "total_connections_received:"));
        printf("52 requests, connections made beside the application's: %d\n", after - before);
        printf("commands that wait afterwards: %d\n",
               await(server_says(redis, "clients", "blocked_clients:")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
