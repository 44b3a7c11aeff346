/* One route, one model: over a real socket and in-process. */
#include "web_case.h"

GET(walk_user, "/users/{id}", user_out, path(i64, id, range(1, 100)))
{
    if (id == 42)
        fail(http_error(404, "no user %lld", (long long)id));
    return (user_out){.id = id, .name = "Frodo"};
}

POST(make_user, "/users", user_out, status(201), body(user_in, form))
{
    bide_set_header(req, "Location", "/users/8");
    return (user_out){.id = 8, .name = form->name};
}

GET(walk_whence, "/whence", text)
{
    bide_text client = bide_client_of(req), scheme = bide_scheme_of(req), host = bide_host_of(req);
    const char *told =
        bide_arena_printf(bide_arena_of(req), "%.*s %.*s %.*s.", (int)client.length, client.at,
                          (int)scheme.length, scheme.at, (int)host.length, host.at);
    require(told);
    return told;
}

static int started, stopped;

static async(void) start(bide_app *app)
{
    started += app != NULL;
    return bide_void;
}

static async(void) stop(bide_app *app)
{
    stopped += app != NULL;
    return bide_void;
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "walking", .start = start, .stop = stop);
    bide_app_add(app, "", &walk_user_route, &make_user_route, &walk_whence_route);
    return app;
}

TEST(in_process)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/users/7"));
        check_int(r.status, 200);
        check_str(r.body, "{\"id\":7,\"name\":\"Frodo\",\"age\":null}");
        check_int(json_int(r, "id"), 7);
        check_str(json_str(r, "name"), "Frodo");
        r = await(client_get(c, "/users/42"));
        check_int(r.status, 404);
        check_str(r.body, "{\"detail\":\"no user 42\"}");
        r = await(client_get(c, "/users/x"));
        check_int(r.status, 422);
        check_str(json_str(r, "detail.0.type"), "int_parsing");
        check_str(json_str(r, "detail.0.loc.0"), "path");
        check_str(json_str(r, "detail.0.loc.1"), "id");
        r = await(client_get(c, "/user"));
        check_int(r.status, 404);
        check_str(json_str(r, "detail"), "Not Found");
    }
}

static async(void) serve(bide_listener_ptr listener);
SPAWNABLE(void, serve, bide_listener_ptr)
static async(void) serve(bide_listener_ptr listener)
{
    bide_app *app = make_app();
    defer((void (*)(void *))bide_app_free, app);
    struct bide_http_options options = {.trusted_proxies = "127.0.0.1"};
    await(bide_app_serve(app, listener, &options));
    return bide_void;
}

/* Sends `request` and checks that the answer begins and ends so. */
static void ask(bide_stream_ptr stream, const char *request, const char *begin,
                const char *end) BIDE__TASK;
static void ask(bide_stream_ptr stream, const char *request, const char *begin, const char *end)
{
    char answer[2048];
    size_t length = 0;
    await(bide_write(stream, request, strlen(request)));
    do {
        size_t got = await(bide_read(stream, answer + length, sizeof answer - 1 - length));
        require(got > 0);
        length += got;
        answer[length] = 0;
    } while (!strstr(answer, end));
    check(strncmp(answer, begin, strlen(begin)) == 0);
    check_contains(answer, strchr(end, '.') ? "Content-Type: text/plain"
                                            : "Content-Type: application/json\r\n");
    /* Only what was made has a place; its reply is the one that is awaited up to a brace. */
    check((strstr(answer, "\r\nLocation: /users/8\r\n") != NULL) == (*end == '}'));
}

TEST(over_a_socket, .real_clock = true)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            task(void) server = spawn(g, serve, listener);
            with(bide_tcp, stream, "127.0.0.1", bide_listener_port(listener)) {
                ask(stream, "GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n",
                    "{\"id\":7,\"name\":\"Frodo\",\"age\":null}");
                ask(stream, "GET /users/42 HTTP/1.1\r\nHost: a\r\n\r\n",
                    "HTTP/1.1 404 Not Found\r\n", "{\"detail\":\"no user 42\"}");
                ask(stream, "GET /users/0 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 422 ",
                    "\"msg\":\"Input should be greater than or equal to 1\"}]}");
                check_int(started, 1);
                check_int(stopped, 0);
                ask(stream,
                    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    "Transfer-Encoding: "
                    "chunked\r\n\r\n8\r\n{\"name\":\r\n6\r\n\"Sam\"}\r\n0\r\n\r\n",
                    "HTTP/1.1 201 Created\r\n", "}");
                ask(stream, "GET /whence HTTP/1.1\r\nHost: b:80\r\n\r\n", "HTTP/1.1 200 ",
                    "127.0.0.1 http b:80.");
                ask(stream,
                    "GET /whence HTTP/1.1\r\nHost: b\r\nX-Forwarded-For: 192.0.2.1\r\n"
                    "X-Forwarded-Proto: https\r\n\r\n",
                    "HTTP/1.1 200 ", "192.0.2.1 https b.");
                ask(stream, "DELETE /users/1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 ",
                    "{\"detail\":\"Method Not Allowed\"}");
            }
            bide_cancel(server, "the test is over");
        }
    }
    check_int(stopped, 1);
}
