/* Shapes of responses, cookies, handlers on the lane, what comes after a reply, problem details. */
#include "base/caps.h"
#include "socket_case.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

GET(some_page, "/page", page(user_out), query(i32, page, dflt(1), range(1, 1000)),
    query(i32, size, dflt(2), range(1, 100)))
{
    static user_out all[] = {
        {.id = 1, .name = "Frodo"}, {.id = 2, .name = "Sam"}, {.id = 3, .name = "Pippin"}};
    size_t from = (size_t)(page - 1) * (size_t)size;
    size_t count = from >= 3 ? 0 : 3 - from < (size_t)size ? 3 - from : (size_t)size;
    return (user_out_page){all + (count ? from : 0), count, 3, page, size};
}

GET(greet, "/greet", html, query(str, name))
{
    bide_arena *arena = bide_arena_of(req);
    return bide_arena_printf(arena, "<p title=\"%s\">", bide_html_escape(arena, name));
}

GET(picture, "/picture", raw, query(str, type, optional))
{
    static const char bytes[] = {'\x89', 'P', 0, 'G'};
    return (bide_raw){type, bytes, sizeof bytes};
}

PROVIDER(int, own_number)
{
    provide(1);
}

GET(no_text, "/no_text", text)
{
    return NULL;
}

GET(no_bytes, "/no_bytes", raw)
{
    return (bide_raw){NULL, NULL, 4};
}

GET(no_provided_bytes, "/no_provided_bytes", raw, depends(int, one, own_number))
{
    (void)one;
    return (bide_raw){"a/b", NULL, 0};
}

GET(elsewhere, "/elsewhere", redirect, query(str, to), query(i32, with, dflt(303)))
{
    return (bide_redirect){with, to};
}

/* What the stack holds when the next function begins. */
static __attribute__((noinline)) void leave_junk(void)
{
    volatile char junk[16384];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = '\n';
}

GET(cookie_on_junk, "/cookie_on_junk", nothing)
{
    leave_junk();
    bide_set_cookie(req, "sid", "v", .max_age_s = 0);
}

TEST(a_cookie_ends_where_it_ends)
{
    bide_app *app = bide_app_new(.title = "cookie");
    bide_app_add(app, "", &cookie_on_junk_route);
    with_client(c, app) {
        reply r = await(client_get(c, "/cookie_on_junk"));
        check_int(r.status, 204);
        check_str(reply_header(r, "set-cookie"), "sid=v; Path=/; Secure; HttpOnly; SameSite=Lax");
    }
}

GET(cookies, "/cookies", nothing, query(str, value, dflt("v")))
{
    bide_set_cookie(req, "sid", value, .max_age_s = 60);
    bide_set_cookie(req, "theme", "dark", .path = "/x", .for_scripts = true,
                    .over_plain_http = true, .same_site = BIDE_SAME_SITE_STRICT);
    bide_set_cookie(req, "old", "", .max_age_s = -1);
}

static bide_app *nothing_app(void)
{
    bide_app *app = bide_app_new(.title = "nothing");
    bide_app_add(app, "", &no_text_route, &no_bytes_route, &no_provided_bytes_route);
    return app;
}

TEST(no_text_and_no_bytes_are_empty)
{
    static const char *const targets[] = {"/no_text", "/no_bytes", "/no_provided_bytes"};
    with_client(c, nothing_app()) {
        for (int i = 0; i < 3; i++) {
            reply r = await(client_get(c, targets[i]));
            check_int(r.status, 200);
            check_int((int64_t)r.length, 0);
            check_str(r.body, "");
        }
    }
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "responses");
    bide_app_add(app, "", &some_page_route, &greet_route, &picture_route, &elsewhere_route,
                 &cookies_route);
    return app;
}

TEST(a_page)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/page"));
        check_int((int64_t)json_count(r, "items"), 2);
        check_contains(r.body, "],\"total\":3,\"page\":1,\"size\":2,\"pages\":2}");
        r = await(client_get(c, "/page?page=2"));
        check_int((int64_t)json_count(r, "items"), 1);
        check_str(json_str(r, "items.0.name"), "Pippin");
        r = await(client_get(c, "/page?page=9"));
        check_contains(r.body, "{\"items\":[],\"total\":3,\"page\":9,");
        r = await(client_get(c, "/page?page=0"));
        check_int(r.status, 422);
        r = await(client_get(c, "/openapi.json"));
        check_contains(r.body, "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/"
                               "schemas/user_out\"}},\"total\":{\"type\":\"integer\"}");
    }
}

TEST(html_and_its_escapes)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/greet?name=%3Cb%3E%22%26%27"));
        check_str(r.body, "<p title=\"&lt;b&gt;&quot;&amp;&#39;\">");
        check_str(reply_header(r, "Content-Type"), "text/html; charset=utf-8");
    }
}

TEST(raw_bytes)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/picture?type=image/png"));
        check_int((int64_t)r.length, 4);
        check(memcmp(r.body, "\x89P\0G", 4) == 0);
        check_str(reply_header(r, "Content-Type"), "image/png");
        r = await(client_get(c, "/picture"));
        check_str(reply_header(r, "Content-Type"), "application/octet-stream");
    }
}

TEST(redirects)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/elsewhere?to=/page"));
        check_int(r.status, 303);
        check_str(reply_header(r, "Location"), "/page");
        check_int((int64_t)r.length, 0);
        r = await(client_get(c, "/elsewhere?to=/page&with=308"));
        check_int(r.status, 308);
        /* A head is not split, and a status is one of a redirect. */
        r = await(client_get(c, "/elsewhere?to=/a%0d%0aSet-Cookie:%20x=y"));
        check_int(r.status, 500);
        check(reply_header(r, "Set-Cookie") == NULL);
        r = await(client_get(c, "/elsewhere?to=/a&with=200"));
        check_int(r.status, 500);
        r = await(client_get(c, "/elsewhere?to="));
        check_int(r.status, 500);
    }
}

TEST(cookies_are_careful)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/cookies"));
        check_int(r.status, 204);
        check_str(reply_header(r, "Set-Cookie"),
                  "sid=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax");
        r = await(client_get(c, "/cookies?value=a%3Bb"));
        check_int(r.status, 500);
    }
}

/* ---- header fields ---- */

GET(fields, "/fields", user_out, query(str, name), query(i32, bytes, dflt(1)))
{
    char *value = bide_arena_alloc_zero(bide_arena_of(req), 1, (size_t)bytes + 1);
    memset(value, 'x', (size_t)bytes);
    bide_set_header(req, "X-First", "y");
    bide_set_header(req, name, value);
    return (user_out){.id = 1, .name = "Sam"};
}

static async(void) add_late(bide_request *req, bide_next *next, const void *arg);
static async(void) add_late(bide_request *req, bide_next *next, const void *arg)
{
    (void)arg;
    await(bide_proceed(next));
    if (bide_query_of(req).length == 0)
        bide_set_header(req, "Content-Type", "text/late");
    return bide_void;
}

static bide_app *fields_app(void)
{
    bide_app *app = bide_app_new(.title = "fields");
    bide_app_use(app, add_late, NULL);
    bide_app_add(app, "", &fields_route);
    return app;
}

TEST(fields_of_a_response)
{
    static const char *const refused[] = {"Content-Length", "transfer-encoding", "Connection",
                                          "date", "a%20b"};
    with_client(c, fields_app()) {
        reply r = await(client_get(c, "/fields?name=X-Name&bytes=3"));
        check_int(r.status, 200);
        check_str(reply_header(r, "X-Name"), "xxx");
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            char target[80];
            snprintf(target, sizeof target, "/fields?name=%s", refused[i]);
            test_capture_stderr();
            r = await(client_get(c, target));
            check_int(r.status, 500);
            check(reply_header(r, "X-First") == NULL);
            check_contains(test_captured(), "not a header field of a response");
        }
    }
}

TEST(fields_of_a_response_have_a_limit)
{
    /* X-First: y, X-Name: xxx, each with its CRLF */
    const int most = BIDE_CAP_HTTP_REPLY_HEADERS_BYTES - 12 - 10;
    with_client(c, fields_app()) {
        char target[80];
        snprintf(target, sizeof target, "/fields?name=X-Name&bytes=%d", most);
        reply r = await(client_get(c, target));
        check_int(r.status, 200);
        snprintf(target, sizeof target, "/fields?name=X-Name&bytes=%d", most + 1);
        r = await(client_get(c, target));
        check_int(r.status, 500);
    }
}

GET(failing_fields, "/failing", text)
{
    char *value = bide_arena_alloc_zero(bide_arena_of(req), 1, 8001);
    memset(value, 'x', 8000);
    bide_keep_header(req, "Retry-After", "7");
    bide_set_header(req, "X-Large", value);
    fail(http_error(401, "no"));
}

static async(void) add_large(bide_request *req, bide_next *next, const void *arg)
{
    await(bide_proceed(next));
    bide_set_header(req, "X-Late", arg);
    return bide_void;
}

GET(full_fields, "/full", text, bearer(token))
{
    char *value = bide_arena_alloc_zero(bide_arena_of(req), 1, BIDE_CAP_HTTP_REPLY_HEADERS_BYTES);
    memset(value, 'x', BIDE_CAP_HTTP_REPLY_HEADERS_BYTES - 10);
    bide_keep_header(req, "X-Full", value);
    fail(http_error(401, "%s", token));
}

TEST(a_failure_without_room_for_its_fields)
{
    bide_app *app = bide_app_new(.title = "full");
    bide_app_add(app, "", &full_fields_route);
    with_client(c, app) {
        client_header(c, "Authorization", "Bearer t");
        reply r = await(client_get(c, "/full"));
        check_int(r.status, 401);
        check(reply_header(r, "WWW-Authenticate") == NULL);
        check_str(r.body, "{\"detail\":\"t\"}");
    }
}

/* What a failure drops takes no room from what is added later. */
TEST(fields_that_are_dropped_take_no_room)
{
    static char late[9001];
    memset(late, 'z', 9000);
    bide_app *app = fields_app();
    bide_app_add(app, "", &failing_fields_route);
    bide_app_use(app, add_large, late);
    with_client(c, app) {
        reply r = await(client_get(c, "/failing"));
        check_int(r.status, 401);
        check_str(reply_header(r, "Retry-After"), "7");
        check(reply_header(r, "X-Large") == NULL);
        check_str(reply_header(r, "X-Late"), late);
    }
}

/* There is one, whoever says it last; that of an error stays. */
TEST(the_type_of_a_response)
{
    with_client(c, fields_app()) {
        reply r = await(client_get(c, "/fields?name=content-type&bytes=4"));
        check_str(reply_header(r, "Content-Type"), "xxxx");
        check_str(reply_header(r, "X-First"), "y");
        check_str(json_str(r, "name"), "Sam");
        r = await(client_get(c, "/fields?name=Content-Type&bytes=20000"));
        check_int(r.status, 500);
        check_str(reply_header(r, "Content-Type"), "application/json");
        r = await(client_get(c, "/nowhere"));
        check_str(reply_header(r, "Content-Type"), "text/late");
    }
}

/* ---- on the lane ---- */

static pthread_t handled_on;

GET(slow, "/slow/{id}", user_out, blocking, path(i64, id), summary("Reads a disk"), tags("a, b"))
{
    handled_on = pthread_self();
    bide_set_header(req, "X-Lane", "yes");
    if (id == 4)
        fail(http_error(404, "no user %lld", (long long)id));
    if (id == 5)
        fail(bide_error_new(BIDE_SYSTEM, "secret"));
    return (user_out){.id = id,
                      .name = bide_arena_printf(bide_arena_of(req), "n%lld", (long long)id)};
}

POST(hidden_one, "/hidden", nothing, hidden)
{
}

static async(void) never(void);
SPAWNABLE(void, never)
static async(void) never(void)
{
    check(false);
    return bide_void;
}

POST(mail_from_a_lane, "/mail_from_a_lane", nothing, blocking)
{
    bide_after_reply(req, never);
}

static bide_app *lane_app(void)
{
    bide_app *app = bide_app_new(.title = "lane");
    bide_app_add(app, "", &slow_route, &hidden_one_route, &mail_from_a_lane_route);
    return app;
}

TEST(a_blocking_handler)
{
    with_client(c, lane_app()) {
        reply r = await(client_get(c, "/slow/3"));
        check_int(r.status, 200);
        check_str(json_str(r, "name"), "n3");
        check_str(reply_header(r, "X-Lane"), "yes");
        check(!pthread_equal(handled_on, pthread_self()));
        r = await(client_get(c, "/slow/4"));
        check_int(r.status, 404);
        check_str(json_str(r, "detail"), "no user 4");
        r = await(client_get(c, "/slow/5"));
        check_int(r.status, 500);
        check(strstr(r.body, "secret") == NULL);
        r = await(client_get(c, "/slow/x"));
        check_int(r.status, 422);
    }
}

TEST(nothing_comes_after_the_reply_of_a_blocking_handler)
{
    with_client(c, lane_app()) {
        test_capture_stderr();
        reply r = await(client_post(c, "/mail_from_a_lane", no_body));
        check_int(r.status, 500);
        check_contains(test_captured(), "bide_after_reply() in a `blocking` handler");
    }
}

TEST(what_a_route_says_of_itself)
{
    with_client(c, lane_app()) {
        reply r = await(client_get(c, "/openapi.json"));
        check_str(json_str(r, "paths./slow/{id}.get.summary"), "Reads a disk");
        check_str(json_str(r, "paths./slow/{id}.get.tags.1"), "b");
        check(strstr(r.body, "hidden") == NULL);
        r = await(client_post(c, "/hidden", no_body));
        check_int(r.status, 204);
    }
}

/* ---- after the reply ---- */

static int sent[8], sent_count;
static bool held_up;

static async(void) send_mail(int to);
SPAWNABLE(void, send_mail, int)
static async(void) send_mail(int to)
{
    do
        await(bide_sleep(bide_ms(5)));
    while (held_up);
    sent[sent_count++] = to;
    return bide_void;
}

PROVIDER(int, commits, query(bool, broken, dflt(false)))
{
    provide(1);
    if (broken)
        fail(bide_error_new(BIDE_SYSTEM, "the commit failed"));
}

POST(ask_for_mail, "/mail/{to}", nothing, path(i32, to), depends(int, one, commits))
{
    bide_after_reply(req, send_mail, to);
    bide_after_reply(req, send_mail, to + one);
    check_int(sent_count, 0);
    if (to == 40)
        fail(http_error(409, "not to 40"));
}

static bide_app *mail_app(void)
{
    bide_app *app = bide_app_new(.title = "mail");
    bide_app_add(app, "", &ask_for_mail_route);
    return app;
}

TEST(work_after_the_reply)
{
    sent_count = 0;
    with_client(c, mail_app()) {
        reply r = await(client_post(c, "/mail/7", no_body));
        check_int(r.status, 204);
        check_int(sent_count, 2);
        check_int(sent[0], 7);
        check_int(sent[1], 8);
    }
}

TEST(a_request_that_fails_leaves_no_work)
{
    sent_count = 0;
    with_client(c, mail_app()) {
        reply r = await(client_post(c, "/mail/40", no_body));
        check_int(r.status, 409);
        r = await(client_post(c, "/mail/1?broken=1", no_body));
        check_int(r.status, 500);
        await(bide_sleep(bide_s(5)));
        check_int(sent_count, 0);
    }
}

static async(void) serve_mail(bide_listener_ptr listener);
SPAWNABLE(void, serve_mail, bide_listener_ptr)
static async(void) serve_mail(bide_listener_ptr listener)
{
    bide_app *app = mail_app();
    defer((void (*)(void *))bide_app_free, app);
    await(bide_app_serve(app, listener, NULL));
    return bide_void;
}

TEST(over_a_socket_the_reply_does_not_wait, .real_clock = true)
{
    static const char post[] = "POST /mail/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    char bytes[256] = "";
    sent_count = 0;
    held_up = true;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            task(void) server = spawn(g, serve_mail, listener);
            with(bide_tcp, stream, "127.0.0.1", bide_listener_port(listener)) {
                await(bide_write(stream, post, sizeof post - 1));
                await(bide_read(stream, bytes, sizeof bytes - 1));
                check_contains(bytes, "HTTP/1.1 204");
                check_int(sent_count, 0);
                held_up = false;
                for (int i = 0; i < 1000 && sent_count < 2; i++)
                    await(bide_sleep(bide_ms(5)));
                check_int(sent_count, 2);
            }
            bide_cancel(server, "done");
        }
    }
}

/* ---- problem details ---- */

/* What computes afterwards keeps the loop, and yet the peer has its reply. */
static int peer, looks, replies_seen;

static async(void) look_for_reply(void);
SPAWNABLE(void, look_for_reply)
static async(void) look_for_reply(void)
{
    struct pollfd wanted = {.fd = peer, .events = POLLIN};
    int found = 0;
    for (int i = 0; i < 40 && found <= 0; i++) /* the watchdog interrupts */
        found = poll(&wanted, 1, 50);
    replies_seen += found > 0;
    looks++;
    return bide_void;
}

GET(busy_later, "/busy", text)
{
    bide_after_reply(req, look_for_reply);
    return "hello";
}

/* By a plain socket: nobody takes the reply out of it before it is looked for. */
static void ask_busy(uint16_t port) BIDE__TASK;
static void ask_busy(uint16_t port)
{
    static const char get[] = "GET /busy HTTP/1.1\r\nHost: a\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    char bytes[256];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(connect(peer, (struct sockaddr *)&address, sizeof address) == 0);
    for (int i = 0; i < 3; i++) {
        require(send(peer, get, sizeof get - 1, 0) == sizeof get - 1);
        while (looks <= i)
            await(bide_sleep(bide_ms(1)));
        require(recv(peer, bytes, sizeof bytes, 0) > 0);
    }
    close(peer);
}

TEST(a_loop_that_computes_after_the_reply_has_sent_it, .real_clock = true)
{
    bide_app *app = bide_app_new(.title = "busy");
    bide_app_add(app, "", &busy_later_route);
    with_server(app, port, { ask_busy(port); }) check_int(replies_seen, 3);
}

TEST(problem_details)
{
    bide_app *app = bide_app_new(.title = "details", .problem_details = true);
    bide_app_add(app, "", &slow_route);
    with_client(c, app) {
        reply r = await(client_get(c, "/nothing"));
        check_str(r.body, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                          "\"detail\":\"Not Found\"}");
        check_str(reply_header(r, "Content-Type"), "application/problem+json");
        r = await(client_get(c, "/slow/x"));
        check_int(json_int(r, "status"), 422);
        check_str(json_str(r, "errors.0.loc.1"), "id");
        r = await(client_get(c, "/slow/4"));
        check_str(json_str(r, "detail"), "no user 4");
        r = await(client_get(c, "/slow/5"));
        check_int(r.status, 500);
        check_int((int64_t)strlen(json_str(r, "id")), 16);
        r = await(client_get(c, "/openapi.json"));
        check_contains(r.body, "\"application/problem+json\"");
    }
}
