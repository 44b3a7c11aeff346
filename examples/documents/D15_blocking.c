/*
 * D15: requests.get in a handler, aiohttp instead, and fetch_user() without await.
 *
 * The document: two common mistakes: a blocking HTTP call inside an async handler (use an async
 * client instead), and a coroutine that is called and never awaited.
 *
 * What goes wrong: while the blocking call waits, no other request of the process moves, and
 * nothing says so. The call without await does nothing, and a warning comes later, or never.
 *
 * In bide: the watchdog reports the handler that blocks its loop, with its stack, while it happens
 * (stderr). A library that can only block is called by offload, on a thread. fetch_user() without
 * await does not compile. The HTTP client stands for aiohttp: its tasks wait, the loop does not.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

MODEL(answer, "", (i32, status), (str, source));

/* What requests.get does: it waits in the kernel, and the whole thread with it. */
__attribute__((noinline)) static int requests_get(const char *url);
OFFLOADABLE(int, requests_get, const char *)
static int requests_get(const char *url)
{
    struct timespec left = {.tv_nsec = 200000000};
    while (nanosleep(&left, &left) < 0) /* the watchdog's signal does not end it */
        continue;
    return *url ? 200 : 400;
}

GET(blocking, "/blocking", answer)
{
    return (answer){.status = requests_get("https://api.example.com"), .source = "the loop"};
}

GET(on_a_thread, "/on_a_thread", answer)
{
    int status = await(offload(BIDE_BLOCKING, requests_get, "https://api.example.com"));
    return (answer){.status = status, .source = "a thread"};
}

GET(data, "/data", answer)
{
    await(bide_sleep(bide_ms(20)));
    return (answer){.status = 200, .source = "another server"};
}

SPAWNABLE(void, count, int *)
async(void) count(int *steps)
{
    for (;; ++*steps)
        await(bide_sleep(bide_ms(10)));
    return bide_void;
}

SPAWNABLE(void, serve, bide_app_ptr, bide_listener_ptr)
async(void) serve(bide_app_ptr site, bide_listener_ptr listener)
{
    await(bide_app_serve(site, listener, NULL));
    return bide_void;
}

static bide_app *make_app(void)
{
    bide_app *site = bide_app_new(.title = "Site");
    bide_app_add_all(site, "");
    return site;
}

static async(void) show(bide_client_ptr client, const char *path, const int *steps)
{
    int before = *steps;
    reply r = await(client_get(client, path));
    printf("%s: %s; meanwhile the other task %s\n", path, json_str(r, "source"),
           *steps - before > 1 ? "went on" : "stood still");
    return bide_void;
}

static async(void) app(void)
{
    int steps = 0;
    char url[64];
    bide_app *site = make_app();
    with_group(g) {
        spawn_void(g, count, &steps);
        with_client(client, make_app()) {
            await(show(client, "/blocking", &steps));
            await(show(client, "/on_a_thread", &steps));
        }
        with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
            task(void) server = spawn(g, serve, site, listener);
            snprintf(url, sizeof url, "http://127.0.0.1:%u/data", bide_listener_port(listener));
            with(bide_http_client, web, NULL)
                printf("an async GET: %s\n", await(bide_http_get(web, url)).body);
            bide_cancel(server, "seen enough");
        }
        bide_group_cancel(g, "seen enough");
    }
    bide_app_free(site);
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
