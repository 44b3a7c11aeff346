/* The server on bide's http layer, without the web layer: two paths, each answered by its handler.
 * It prints `PORT n` and serves until it is killed. All limits and deadlines are at their defaults,
 * but for the number of requests of one connection: the load keeps its connections. */
#include <bide/bide.h>
#include <bide/http.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIFETIME_S = 120 };

static const char text[] = "Hello, World!";

static bool asks_for(const bide_exchange *exchange, const char *path, size_t length)
{
    bide_text asked = bide_request_path(exchange);
    return asked.length == length && memcmp(asked.at, path, length) == 0;
}

/* `/body` reads the whole body first. */
static async(void) answer(bide_exchange *exchange, void *unused)
{
    (void)unused;
    if (asks_for(exchange, "/plaintext", 10)) {
        await(bide_reply(exchange, 200, "text/plain", text, sizeof text - 1));
    } else if (asks_for(exchange, "/body", 5)) {
        (void)await(bide_body_all(exchange));
        await(bide_reply(exchange, 200, "text/plain", text, sizeof text - 1));
    } else {
        fail(bide_error_new(404, "no such path"));
    }
    return bide_void;
}

static async(void) run(void)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        struct bide_http_options options = {.requests = UINT32_MAX};
        printf("PORT %d\n", bide_listener_port(listener));
        fflush(stdout);
        await(bide_http_serve(listener, answer, NULL, &options));
    }
    return bide_void;
}

int main(void)
{
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    return bide_run(run);
}
