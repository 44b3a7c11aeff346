/* The application that is measured: bide_http [LOOPS PORT]
 *
 * Everything goes through the web layer: router, parameters, providers, response. It prints
 * `PORT n` when all loops listen (several need a PORT that is not 0) and serves until it is
 * killed. All limits and deadlines are at their defaults, but for the number of requests of one
 * connection: the load keeps its connections. */
#include <bide/bide.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LIFETIME_S = 120 };

MODEL(person, "", (i64, id), (str, name), (str, email), (bool, active));
MODEL(account, "", (str, name, len(1, 40)), (i32, age, range(0, 150)), (str, email, email),
      (str, login, match("^[a-z][a-z0-9_]{2,31}$")));
MODEL(note, "", (str, text));

typedef const struct directory *directory_ptr;
struct directory {
    person someone;
};

static const struct directory everyone = {
    {.id = 7, .name = "Frodo Baggins", .email = "frodo@shire.example", .active = true}};

PROVIDER(directory_ptr, people)
{
    provide(&everyone);
}

GET(plaintext, "/plaintext", text)
{
    return "Hello, World!";
}

GET(json_person, "/json", person)
{
    return everyone.someone;
}

GET(sync_person, "/sync", person, blocking)
{
    return everyone.someone;
}

GET(get_person, "/people/{id}", person, path(i64, id, range(1, 1000000)),
    depends(directory_ptr, all, people))
{
    if (all->someone.id != id)
        fail(http_error(404, "nobody has the number %lld", (long long)id));
    return all->someone;
}

POST(add_account, "/accounts", account, body(account, form))
{
    return *form;
}

POST(add_note, "/notes", text, body(note, form))
{
    (void)form;
    return "Hello, World!";
}

/* Which loop serves a connection: a load may want to stay with one. */
GET(loop_index, "/loop", text)
{
    static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    return digits[bide_loop_index() & 7];
}

static struct {
    bide_app *app;
    int loops;
    uint16_t port;
    atomic_int listening;
} server = {.loops = 1};

static async(void) run(void)
{
    struct bide_listen_options listen = {.reuse_port = server.loops > 1};
    struct bide_http_options options = {.requests = UINT32_MAX};
    with(bide_tcp_listener, listener, "127.0.0.1", server.port, &listen) {
        if (atomic_fetch_add(&server.listening, 1) + 1 == server.loops) {
            printf("PORT %d\n", bide_listener_port(listener));
            fflush(stdout);
        }
        await(bide_app_serve(server.app, listener, &options));
    }
    return bide_void;
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        server.loops = atoi(argv[1]);
        server.port = (uint16_t)atoi(argv[2]);
    }
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    server.app = bide_app_new(.title = "bench");
    bide_app_add_all(server.app, "");
    const char *problem = bide_app_check(server.app);
    if (problem) {
        fprintf(stderr, "bide_http: %s\n", problem);
        return 1;
    }
    return bide_run(run, .loops = server.loops);
}
