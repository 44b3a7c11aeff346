/* Bounds that a route has of its own, on a server with narrow ones. */
#include "web_case.h"

typedef const struct bide_http_options *options_ptr;

POST(usual, "/usual", text)
{
    bide_text body = await(bide_body_of(req));
    return bide_arena_printf(bide_arena_of(req), "%zu", body.length);
}

POST(large, "/large", text, max_body(200000))
{
    bide_text body = await(bide_body_of(req));
    return bide_arena_printf(bide_arena_of(req), "%zu", body.length);
}

POST(small, "/small", text, max_body(10))
{
    bide_text body = await(bide_body_of(req));
    return bide_arena_printf(bide_arena_of(req), "%zu", body.length);
}

POST(careless, "/careless", text)
{
    return "not read";
}

GET(quick, "/quick", text, deadline_ms(20))
{
    await(bide_sleep(bide_s(60)));
    return "slept";
}

GET(patient, "/patient", text, deadline_ms(20000))
{
    await(bide_sleep(bide_ms(150)));
    return "slept";
}

GET(hurried, "/hurried", text)
{
    await(bide_sleep(bide_s(60)));
    return "slept";
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "bounds");
    bide_app_add(app, "", &usual_route, &large_route, &small_route, &careless_route, &quick_route,
                 &patient_route, &hurried_route);
    return app;
}

static async(void) serve_app(bide_listener_ptr listener, bide_app_ptr app, options_ptr options);
SPAWNABLE(void, serve_app, bide_listener_ptr, bide_app_ptr, options_ptr)
static async(void) serve_app(bide_listener_ptr listener, bide_app_ptr app, options_ptr options)
{
    await(bide_app_serve(app, listener, options));
    return bide_void;
}

/* The first bytes of the answer to a request with a body of so many bytes. */
static void ask(uint16_t port, const char *method, const char *path, size_t bytes, bool chunked,
                char *answer, size_t room) BIDE__TASK;
static void ask(uint16_t port, const char *method, const char *path, size_t bytes, bool chunked,
                char *answer, size_t room)
{
    static char piece[1000];
    char head[200], field[64] = "Transfer-Encoding: chunked";
    size_t length = 0, got;
    memset(piece, 'x', sizeof piece);
    if (!chunked)
        snprintf(field, sizeof field, "Content-Length: %zu", bytes);
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n",
             method, path, field);
    with(bide_tcp, stream, "127.0.0.1", port) {
        await(bide_write(stream, head, strlen(head)));
        while (bytes > 0) {
            size_t size = bytes < sizeof piece ? bytes : sizeof piece;
            char line[16];
            if (chunked)
                await(
                    bide_write(stream, line, (size_t)snprintf(line, sizeof line, "%zx\r\n", size)));
            await(bide_write(stream, piece, size));
            if (chunked)
                await(bide_write(stream, "\r\n", 2));
            bytes -= size;
        }
        if (chunked)
            await(bide_write(stream, "0\r\n\r\n", 5));
        while (length < room - 1 &&
               (got = await(bide_read(stream, answer + length, room - 1 - length))) > 0)
            length += got;
    }
    answer[length] = 0;
}

static void check_body(uint16_t port, const char *path, size_t bytes, const char *start,
                       const char *end) BIDE__TASK;
static void check_body(uint16_t port, const char *path, size_t bytes, const char *start,
                       const char *end)
{
    char answer[1000];
    for (int chunked = 0; chunked < 2; chunked++) {
        ask(port, "POST", path, bytes, chunked, answer, sizeof answer);
        check_contains(answer, start);
        size_t length = strlen(answer), tail = strlen(end);
        check(length >= tail && strcmp(answer + length - tail, end) == 0);
    }
}

#define with_bounds(port, ...)                                                                     \
    bide_app *app_ = make_app();                                                                   \
    with(bide_tcp_listener, listener_, "127.0.0.1", 0, NULL) {                                     \
        static const struct bide_http_options options_ = {                                         \
            .body_bytes = 1000, .handler_deadline = {40000000}, .idle = {1000000000}};             \
        uint16_t port = bide_listener_port(listener_);                                             \
        with_group(group_) {                                                                       \
            spawn_void(group_, serve_app, listener_, app_, &options_);                             \
            __VA_ARGS__ bide_group_cancel(group_, "the test is over");                             \
        }                                                                                          \
        bide_app_free(app_);                                                                       \
    }

TEST(bodies, .real_clock = true)
{
    test_capture_stderr();
    with_bounds(port, {
        check_body(port, "/usual", 1000, " 200 OK", "1000");
        check_body(port, "/usual", 1001, " 413 ", "}");
        check_body(port, "/large", 200000, " 200 OK", "200000");
        check_body(port, "/large", 200001, " 413 ", "");
        check_body(port, "/small", 10, " 200 OK", "10");
        check_body(port, "/small", 11, " 413 ", "}");
        check_body(port, "/usual", 0, " 200 OK", "0");
        check_body(port, "/careless", 20000, " 200 OK", "not read");
    });
}

TEST(deadlines, .real_clock = true)
{
    char answer[1000];
    test_capture_stderr();
    with_bounds(port, {
        ask(port, "GET", "/patient", 0, false, answer, sizeof answer);
        check_contains(answer, " 200 OK");
        ask(port, "GET", "/quick", 0, false, answer, sizeof answer);
        check_contains(answer, " 503 ");
        ask(port, "GET", "/hurried", 0, false, answer, sizeof answer);
        check_contains(answer, " 503 ");
    });
}

TEST(the_client_knows_the_bounds_of_bodies)
{
    static char text[200001];
    memset(text, 'x', sizeof text);
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/large", ((bide_client_body){"a/b", text, 200000})));
        check_str(r.body, "200000");
        r = await(client_post(c, "/large", ((bide_client_body){"a/b", text, 200001})));
        check_int(r.status, 413);
        r = await(client_post(c, "/small", ((bide_client_body){"a/b", text, 11})));
        check_int(r.status, 413);
        r = await(client_post(c, "/usual", ((bide_client_body){"a/b", text, 5000})));
        check_str(r.body, "5000");
    }
}
