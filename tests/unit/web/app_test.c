/* Applications: start checks, prefixes, hooks, methods, error rules, middleware, the document. */
#include "web/web.h"
#include "web_case.h"

GET(list_users, "/users", list(user_out))
{
    user_out *rows = bide_arena_alloc_zero(bide_arena_of(req), 2, sizeof *rows);
    require(rows);
    rows[0] = (user_out){.id = 1, .name = "Frodo", .age = 50};
    rows[1] = (user_out){.id = 2, .name = "Sam"};
    return (user_out_list){rows, 2};
}

POST(add_user, "/users", user_out, status(201), body(user_in, form))
{
    return (user_out){.id = 3, .name = form->name, .age = form->age};
}

GET(find_user, "/users/{id}", maybe(user_out), path(i64, id))
{
    static const user_out frodo = {.id = 1, .name = "Frodo"};
    bide_set_header(req, "X-Found", "perhaps");
    return id == 1 ? &frodo : NULL;
}

GET(hello, "/hello", text)
{
    bide_set_header(req, "Set-Cookie", "seen=yes; Path=/");
    return "hello\n";
}

GET(bye, "/bye", text, cookie(str, seen, optional))
{
    bide_set_header(req, "Set-Cookie", "seen=; Max-Age=0");
    return seen ? seen : "-";
}

GET(jar, "/jar/{rest:path}", text, hidden, cookie(str, place, optional), query(str, to, optional))
{
    if (to)
        bide_set_cookie(req, "place", "here", .path = to);
    return place ? place : "-";
}

GET(boom, "/boom", text, query(i32, code))
{
    bide_set_header(req, "X-Before", "yes");
    fail(bide_error_new(code, "text with a secret"));
}

GET(whence, "/whence", text)
{
    bide_text client = bide_client_of(req), scheme = bide_scheme_of(req), host = bide_host_of(req);
    const char *told =
        bide_arena_printf(bide_arena_of(req), "%.*s %.*s %.*s", (int)client.length, client.at,
                          (int)scheme.length, scheme.at, (int)host.length, host.at);
    require(told);
    return told;
}

/* An async computed field: the writer resolves it. */
typedef struct post post;
static async(str) post_html(const post *p);
MODEL(post, "", (str, title), (computed(str), html, post_html));
static async(str) post_html(const post *p)
{
    await(bide_sleep(bide_ms(5)));
    bide_request *req = bide_request_here(); /* of the task above */
    require(req && bide_path_of(req).length > 7);
    with_arena
        require(bide_request_here() == req);
    return ready(str, p->title[0] == '!' ? NULL : "<p>");
}
GET(get_post, "/posts/{title}", post, path(str, title))
{
    return (post){.title = title};
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "the \"app\"", .version = "1.2");
    bide_app_add(app, "/api", &list_users_route, &add_user_route, &find_user_route);
    bide_app_add(app, "", &hello_route, &bye_route, &jar_route, &boom_route, &get_post_route,
                 &whence_route);
    return app;
}

TEST(a_text_becomes_a_part_of_a_url)
{
    bide_arena *arena = bide_task_arena();
    check_str(bide_url_escape(arena, "a b/c?d=\xc3\xa9&~-._+"), "a%20b%2Fc%3Fd%3D%C3%A9%26~-._%2B");
    check_str(bide_url_escape(arena, ""), "");
    check_str(bide_url_escape(arena, NULL), NULL);
}

TEST(outside_of_requests_there_is_none)
{
    check_ptr(bide_request_here(), NULL);
}

TEST(shapes_of_responses)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/api/users"));
        check_str(
            r.body,
            "[{\"id\":1,\"name\":\"Frodo\",\"age\":50},{\"id\":2,\"name\":\"Sam\",\"age\":null}]");
        check_str(reply_header(r, "Content-Type"), "application/json");
        r = await(client_post(c, "/api/users", json("{\"name\":\"Pippin\"}")));
        check_int(r.status, 201);
        user_out out = reply_as(user_out, r);
        check_str(out.name, "Pippin");
        check_int(out.id, 3);
        r = await(client_get(c, "/api/users/1"));
        check_str(json_str(r, "name"), "Frodo");
        check_str(reply_header(r, "X-Found"), "perhaps");
        r = await(client_get(c, "/api/users/2"));
        check_int(r.status, 404);
        check_str(r.body, "{\"detail\":\"Not Found\"}");
        r = await(client_get(c, "/posts/abc"));
        check_str(r.body, "{\"title\":\"abc\",\"html\":\"<p>\"}");
    }
}

TEST(methods_of_a_path)
{
    with_client(c, make_app()) {
        reply r = await(client_delete(c, "/api/users"));
        check_int(r.status, 405);
        check_str(reply_header(r, "Allow"), "GET, HEAD, POST, OPTIONS");
        check_str(r.body, "{\"detail\":\"Method Not Allowed\"}");
        r = await(client_send(c, "OPTIONS", "/api/users", no_body));
        check_int(r.status, 204);
        check_str(reply_header(r, "Allow"), "GET, HEAD, POST, OPTIONS");
        r = await(client_send(c, "HEAD", "/hello", no_body));
        check_int(r.status, 200);
        check_str(r.body, "");
        check_str(reply_header(r, "Content-Type"), "text/plain; charset=utf-8");
        r = await(client_send(c, "BREW", "/hello", no_body));
        check_int(r.status, 501);
        r = await(client_get(c, "/users"));
        check_int(r.status, 404);
        r = await(client_get(c, "/hello/"));
        check_int(r.status, 404);
        r = await(client_get(c, "/hel%6co"));
        check_str(r.body, "hello\n");
    }
}

TEST(cookies_are_kept)
{
    with_client(c, make_app()) {
        check_str(await(client_get(c, "/bye")).body, "-");
        check_str(await(client_get(c, "/hello")).body, "hello\n");
        check_str(await(client_get(c, "/bye")).body, "yes");
        check_str(await(client_get(c, "/bye")).body, "-");
    }
}

TEST(cookies_are_for_their_paths)
{
    with_client(c, make_app()) {
        check_str(await(client_get(c, "/jar/set?to=/jar/a")).body, "-");
        check_str(await(client_get(c, "/jar/a/b")).body, "here");
        check_str(await(client_get(c, "/jar/ab")).body, "-");
        check_str(await(client_get(c, "/jar/set?to=/")).body, "-");
        check_str(await(client_get(c, "/jar/ab")).body, "here");
    }
}

TEST(whence_a_request_comes)
{
    with_client(c, make_app()) {
        check_str(await(client_get(c, "/whence")).body, "testclient http testserver");
        client_from(c, "192.0.2.7", "https");
        client_header(c, "Host", "example.org:8000");
        check_str(await(client_get(c, "/whence")).body, "192.0.2.7 https example.org:8000");
    }
}

static int say_teapot(bide_request *req, const bide_error *error, bide_buf *body)
{
    (void)req;
    bide_buf_printf(body, "{\"code\":%d}", error->code);
    return 418;
}

/* The parameters are gone, with the frames that they were in. */
static int say_given(bide_request *req, const bide_error *error, bide_buf *body)
{
    bide_buf_printf(body, "{\"code\":%d,\"given\":%d}", error->code, bide_given(req, code));
    return 418;
}

static int say_conflict(bide_request *req, const bide_error *error, bide_buf *body)
{
    (void)req;
    (void)error;
    (void)body;
    return 409;
}

TEST(errors_become_replies)
{
    bide_app *app = make_app();
    bide_app_on_error(app, 1000, say_teapot);
    bide_app_on_error(app, 1001, say_conflict);
    bide_app_on_error(app, 1003, say_given);
    test_capture_stderr();
    with_client(c, app) {
        reply r = await(client_get(c, "/boom?code=1000"));
        check_int(r.status, 418);
        check_str(r.body, "{\"code\":1000}");
        r = await(client_get(c, "/boom?code=1001"));
        check_int(r.status, 409);
        check_str(json_str(r, "detail"), "text with a secret");
        r = await(client_get(c, "/boom?code=1003"));
        check_str(r.body, "{\"code\":1003,\"given\":0}");
        r = await(client_get(c, "/boom?code=503"));
        check_int(r.status, 503);
        check_str(json_str(r, "detail"), "text with a secret");
        check_str(reply_header(r, "X-Before"), NULL);
        check_str(reply_header(r, "Retry-After"), NULL);
        r = await(client_get(c, "/boom?code=1002"));
        check_int(r.status, 500);
        check(!strstr(r.body, "secret"));
    }
    bide_log_flush(1000);
    check_contains(test_captured(), "GET /boom, failed: ");
}

/* What has done nothing may be tried again, by programs too; what may be done is looked at. */
TEST(what_is_away_is_503)
{
    static const int again[] = {BIDE_TX_RETRY, BIDE_UNREACHABLE, BIDE_TIMEOUT};
    bide_app *app = make_app();
    test_capture_stderr();
    with_client(c, app) {
        for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
            reply r = await(
                client_get(c, bide_arena_printf(bide_task_arena(), "/boom?code=%d", again[i])));
            check_int(r.status, 503);
            check_str(reply_header(r, "Retry-After"), "1");
            check_contains(json_str(r, "detail"), "try again");
        }
        reply r = await(client_get(
            c, bide_arena_printf(bide_task_arena(), "/boom?code=%d", BIDE_OUTCOME_UNKNOWN)));
        check_int(r.status, 503);
        check_str(reply_header(r, "Retry-After"), NULL);
        check_contains(json_str(r, "detail"), "look before you try again");
    }
    bide_log_flush(1000);
    check_contains(test_captured(), "GET /boom, failed: ");
}

/* ---- what may be sent again ---- */

MODEL(thing, "things", (i64, id, key, generated), (str, name));

enum { READ, ROLLED_BACK, COMMITTED, COMMITTED_ALONE };

static async(void) work(bide_db *db, int32_t what, int32_t code)
{
    thing row = {.name = "x"};
    if (what == READ)
        (void)await(bide_all(db, thing, "select * from things"));
    if (what == COMMITTED_ALONE)
        await(bide_insert(db, thing, &row));
    if (what == COMMITTED) {
        with_tx(tx, db)
            await(bide_insert(tx, thing, &row));
    }
    if (what == ROLLED_BACK) {
        with_tx(tx, db) {
            await(bide_insert(tx, thing, &row));
            fail(bide_error_new(code, "text with a secret"));
        }
    }
    fail(bide_error_new(code, "text with a secret"));
}
SPAWNABLE(void, work, bide_db *, int32_t, int32_t)

/* In a child task, which works for the request too. */
POST(do_work, "/work", nothing, query(i32, what), query(i32, code))
{
    with_group(g)
        spawn_void(g, work, bide_app_db(req), what, code);
}

POST(be_slow, "/slow", nothing, query(bool, undone))
{
    bide_error *error = bide_error_new(BIDE_TIMEOUT, "text with a secret");
    error->undone = undone;
    fail(error);
}

static async(void) open_db(bide_app *app)
{
    bide_db *db = await(bide_db_open("sqlite://:memory:"));
    bide_app_set_db(app, db);
    await(bide_create_table(db, thing));
    return bide_void;
}

static async(void) close_db(bide_app *app)
{
    return bide_db_close(bide_app_db(app), NULL);
}

TEST(only_what_has_done_nothing_may_be_sent_again)
{
    static const struct {
        int what, code;
        const char *retry_after;
    } cases[] = {
        {READ, BIDE_UNREACHABLE, "1"},
        {READ, BIDE_TIMEOUT, NULL},
        {READ, BIDE_TX_RETRY, "1"},
        {ROLLED_BACK, BIDE_UNREACHABLE, "1"},
        {COMMITTED, BIDE_UNREACHABLE, NULL},
        {COMMITTED, BIDE_TX_RETRY, NULL},
        {COMMITTED_ALONE, BIDE_UNREACHABLE, NULL},
    };
    bide_error *error;
    bide_db *db = attempt(&error, bide_db_open, "sqlite://:memory:");
    if (error)
        test_skip("built without SQLite");
    await(bide_db_close(db, NULL));
    bide_app *app = bide_app_new(.title = "work", .start = open_db, .stop = close_db);
    bide_app_add(app, "", &do_work_route, &be_slow_route, &boom_route);
    with_client(c, app) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            reply r =
                await(client_post(c,
                                  bide_arena_printf(bide_task_arena(), "/work?what=%d&code=%d",
                                                    cases[i].what, cases[i].code),
                                  no_body));
            check_int(r.status, 503);
            check_str(reply_header(r, "Retry-After"), cases[i].retry_after);
        }
        reply r = await(client_post(c, "/slow?undone=true", no_body));
        check_str(reply_header(r, "Retry-After"), "1");
        r = await(client_post(c, "/slow?undone=false", no_body));
        check_str(reply_header(r, "Retry-After"), NULL);
        check_contains(json_str(r, "detail"), "may have been done");
    }
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* In full once in five seconds; the test's time is virtual. */
TEST(an_outage_is_not_reported_in_full_each_time)
{
    test_capture_stderr();
    with_client(c, make_app()) {
        const char *path = bide_arena_printf(bide_task_arena(), "/boom?code=%d", BIDE_UNREACHABLE);
        for (int i = 0; i < 5; i++)
            check_int(await(client_get(c, path)).status, 503);
        await(bide_sleep(bide_s(6)));
        check_int(await(client_get(c, path)).status, 503);
    }
    bide_log_flush(1000);
    const char *said = test_captured();
    check_int(count_of(said, "GET /boom, failed: "), 6);
    check_int(count_of(said, "in task #"), 2);
    check_int(count_of(said, "4 reports like the next one were left out"), 1);
}

/* ---- mounts, slashes, bodies as they are ---- */

static async(void) legacy(bide_request *req, bide_text rest, const void *arg);
static async(void) legacy(bide_request *req, bide_text rest, const void *arg)
{
    bide_text method = bide_method_of(req), sent = await(bide_body_of(req));
    if (rest.length == 6 && memcmp(rest.at, "silent", 6) == 0)
        return bide_void;
    if (rest.length == 4 && memcmp(rest.at, "fail", 4) == 0)
        fail(http_error(418, "a teapot"));
    char *text = bide_arena_printf(bide_arena_of(req), "%s %.*s '%.*s' %.*s", (const char *)arg,
                                   (int)method.length, method.at, (int)rest.length, rest.at,
                                   (int)sent.length, sent.at);
    bide_answer(req, 200, "text/plain", text, strlen(text));
    return bide_void;
}

POST(signed_user, "/signed", text, body(user_in, form))
{
    bide_text sent = await(bide_body_of(req)), again = await(bide_body_of(req));
    check_ptr(sent.at, again.at);
    check_int(sent.at[sent.length], 0);
    return bide_arena_printf(bide_arena_of(req), "%s %s", form->name, sent.at);
}

static bide_app *mount_app(void)
{
    bide_app *app = bide_app_new(.title = "mounts", .redirect_slashes = true);
    char prefix[] = "/old";
    bide_app_mount(app, prefix, legacy, "old");
    prefix[1] = 'x';
    bide_app_add(app, "/old", &hello_route, &signed_user_route);
    bide_app_add(app, "/deep", &hello_route);
    return app;
}

TEST(a_mount_gets_what_no_route_takes)
{
    with_client(c, mount_app()) {
        check_str(await(client_get(c, "/old/hello")).body, "hello\n");
        check_str(await(client_get(c, "/old")).body, "old GET '' ");
        check_str(await(client_get(c, "/old/")).body, "old GET '' ");
        check_str(await(client_send(c, "PUT", "/old/a/b%20c?q", json("{}"))).body,
                  "old PUT 'a/b%20c' {}");
        check_str(await(client_send(c, "OPTIONS", "/old/x", no_body)).body, "old OPTIONS 'x' ");
        check_int(await(client_get(c, "/older")).status, 404);
        check_int(await(client_get(c, "/old/fail")).status, 418);
        test_capture_stderr();
        check_int(await(client_get(c, "/old/silent")).status, 500);
        check_contains(test_captured(), "the mount of '/old' at ");
        check(!strstr(await(client_get(c, "/openapi.json")).body, "rest"));
    }
}

TEST(two_mounts_of_one_prefix_are_a_problem)
{
    bide_app *app = mount_app();
    bide_app_mount(app, "/old", legacy, "new");
    check_contains(bide_app_check(app), "any method '/old' at ");
    bide_app_free(app);
}

TEST(slashes_at_the_end_may_be_redirected)
{
    with_client(c, mount_app()) {
        reply r = await(client_get(c, "/deep/hello/?a=1"));
        check_int(r.status, 308);
        check_str(reply_header(r, "Location"), "../hello?a=1");
        check_int(await(client_get(c, "/deep/nothing/")).status, 404);
        check_int(await(client_get(c, "//deep/hello/")).status, 404);
    }
}

TEST(a_body_as_it_was_sent)
{
    with_client(c, mount_app()) {
        reply r = await(client_post(c, "/old/signed", json("{ \"name\":\"Sam\"}")));
        check_str(r.body, "Sam { \"name\":\"Sam\"}");
    }
}

/* ---- many at once ---- */

static async(void) hold_reply(bide_request *req, bide_next *next, const void *arg);
static async(void) hold_reply(bide_request *req, bide_next *next, const void *arg)
{
    (void)req;
    (void)arg;
    await(bide_proceed(next));
    await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static async(void) ask_for_a_user(bide_client_ptr c);
SPAWNABLE(void, ask_for_a_user, bide_client_ptr)
static async(void) ask_for_a_user(bide_client_ptr c)
{
    check_int(await(client_get(c, "/some_user")).status, 200);
    return bide_void;
}

static struct bide__web_server *server_of_users;

GET(some_user, "/some_user", user_out)
{
    server_of_users = req->server;
    return (user_out){.id = 1, .name = "Sam"};
}

TEST(what_a_burst_took_is_given_back)
{
    enum { CALLS = 3 * BIDE_CAP_WEB_KEPT_BUFFERS };
    bide_app *app = bide_app_new(.title = "burst");
    bide_app_use(app, hold_reply, NULL);
    bide_app_add(app, "", &some_user_route);
    with_client(c, app) {
        with_group(g) {
            for (int i = 0; i < CALLS; i++)
                spawn_void(g, ask_for_a_user, c);
        }
        int kept = 0;
        for (struct bide__web_buffer *at = server_of_users->buffers; at; at = at->next)
            kept++;
        check_int(kept, BIDE_CAP_WEB_KEPT_BUFFERS);
        await(ask_for_a_user(c));
        check_int(server_of_users->buffer_count, kept);
    }
}

/* ---- the start ---- */

static char trace[128];

static async(void) on_start(bide_app *app)
{
    check_ptr(app, app);
    await(bide_sleep(bide_ms(1)));
    strcat(trace, "start ");
    return bide_void;
}

static async(void) on_stop(bide_app *app)
{
    check_ptr(app, app);
    await(bide_sleep(bide_ms(1)));
    strcat(trace, "stop ");
    return bide_void;
}

static async(void) on_bad_start(bide_app *app)
{
    check_ptr(app, app);
    fail(bide_error_new(77, "no database"));
}

TEST(start_and_stop_run)
{
    bide_app *app = bide_app_new(.start = on_start, .stop = on_stop, .state = trace);
    bide_app_add(app, "", &hello_route);
    with_client(c, app) {
        check_str(trace, "start ");
        check_int(await(client_get(c, "/hello")).status, 200);
    }
    check_str(trace, "start stop ");
}

static async(int) open_app(bide_app_ptr app);
SPAWNABLE(int, open_app, bide_app_ptr)
static async(int) open_app(bide_app_ptr app)
{
    int status = 0;
    with_client(c, app)
        status = await(client_get(c, "/hello")).status;
    return ready(int, status);
}

TEST(an_application_that_does_not_start)
{
    bide_error *error;
    attempt(&error, open_app, bide_app_new(.start = on_bad_start, .stop = on_stop));
    require(error);
    check_int(error->code, 77);
    check_str(trace, "");
    bide_app *app = bide_app_new(.title = "twice");
    bide_app_add(app, "", &hello_route, &hello_route);
    attempt(&error, open_app, app);
    require(error);
    check_int(error->code, BIDE_INVALID);
    check_contains(error->message, "GET '/hello' at ");
}

GET(hides, "/users/{name}", text, path(str, name))
{
    return name;
}
GET(leaks, "/leaks", list(user))
{
    return (user_list){NULL, 0};
}
MODEL(team, "", (str, name), (list(user), members));
GET(leaks_inside, "/leaks", team)
{
    return (team){.name = "x"};
}
GET(wrong_path, "/things/{id}", text, path(i64, idd))
{
    return idd ? "" : "-";
}
GET(no_pattern, "things", text)
{
    return "";
}
GET(bad_default, "/x", text, query(i32, n, range(1, 2), dflt(7)))
{
    return n ? "" : "-";
}
GET(list_of_numbers, "/numbers", list(i64))
{
    return (struct bide_list_i64){NULL, 0};
}

static void refuses(const char *part, const char *other_part, bide_route *route)
{
    bide_app *app = bide_app_new(.title = "refused");
    bide_app_add(app, "", &find_user_route, route);
    const char *problem = bide_app_check(app);
    check_contains(problem, part);
    check_contains(problem, other_part);
    check_contains(problem, "app_test.c:");
    bide_app_free(app);
}

TEST_PLAIN(what_cannot_work_is_said_at_start)
{
    refuses("'/users/{id}'", "'/users/{name}'", &hides_route);
    refuses("GET '/leaks'", "has the secret field `password` of `user`", &leaks_route);
    refuses("the response `team`", "has the secret field `password` of `user`",
            &leaks_inside_route);
    refuses("GET '/things/{id}'", "`wrong_path` takes '{idd}'", &wrong_path_route);
    refuses("'things'", "has to begin with '/'", &no_pattern_route);
    refuses("GET '/x'", "its default is not valid", &bad_default_route);
    refuses("GET '/numbers'", "a list of `i64`", &list_of_numbers_route);
}

TEST_PLAIN(nothing_is_added_after_the_check)
{
    bide_app *app = make_app();
    check_str(bide_app_check(app), NULL);
    bide_app_add(app, "", &leaks_route);
    check_contains(bide_app_check(app), "after its check");
    bide_app_free(app);
    bide_app_free(NULL);
}

/* ---- middleware ---- */

static async(void) tag(bide_request *req, bide_next *next, const void *arg)
{
    strcat(trace, arg);
    await(bide_proceed(next));
    char status[16];
    snprintf(status, sizeof status, "%d", bide_reply_status(req));
    bide_set_header(req, arg, status);
    strcat(trace, arg);
    return bide_void;
}

static async(void) refuse_bye(bide_request *req, bide_next *next, const void *arg)
{
    bide_text path = bide_path_of(req);
    (void)arg;
    if (path.length == 4 && memcmp(path.at, "/bye", 4) == 0)
        bide_answer(req, 403, "text/plain", "not yet", 7);
    else if (path.length == 5)
        fail(http_error(400, "five"));
    else if (path.length != 7)
        await(bide_proceed(next));
    return bide_void;
}

TEST(middleware_is_a_chain_of_calls)
{
    bide_app *app = make_app();
    bide_app_use(app, tag, "A");
    bide_app_use(app, tag, "B");
    bide_app_use(app, refuse_bye, NULL);
    test_capture_stderr();
    with_client(c, app) {
        reply r = await(client_get(c, "/hello"));
        check_int(r.status, 200);
        check_str(trace, "ABBA");
        check_str(reply_header(r, "A"), "200");
        r = await(client_get(c, "/nobody-is-here"));
        check_int(r.status, 404);
        check_str(reply_header(r, "A"), "404");
        r = await(client_get(c, "/bye"));
        check_int(r.status, 403);
        check_str(r.body, "not yet");
        r = await(client_get(c, "/boom?code=1"));
        check_int(r.status, 400);
        check_str(json_str(r, "detail"), "five");
        r = await(client_get(c, "/nobody"));
        check_int(r.status, 500);
    }
    bide_log_flush(1000);
    check_contains(test_captured(), "neither proceeded nor answered");
}

TEST(the_librarys_middleware)
{
    static const bide_cors cors = {.origins = "https://a.example, https://b.example",
                                   .credentials = true};
    bide_app *app = make_app();
    bide_app_use(app, bide_request_ids, NULL);
    bide_app_use(app, bide_security_headers, NULL);
    bide_app_use(app, bide_cross_origin, &cors);
    with_client(c, app) {
        reply r = await(client_get(c, "/hello"));
        check_str(reply_header(r, "X-Content-Type-Options"), "nosniff");
        check_int((int)strlen(reply_header(r, "X-Request-Id")), 16);
        check_str(reply_header(r, "Access-Control-Allow-Origin"), NULL);
        check_str(reply_header(r, "Vary"), "Origin");
        client_header(c, "X-Request-Id", "from-outside.1");
        client_header(c, "Origin", "https://b.example");
        r = await(client_get(c, "/nobody"));
        check_int(r.status, 404);
        check_str(reply_header(r, "X-Request-Id"), "from-outside.1");
        check_str(reply_header(r, "Access-Control-Allow-Origin"), "https://b.example");
        check_str(reply_header(r, "Access-Control-Allow-Credentials"), "true");
        client_header(c, "Access-Control-Request-Method", "POST");
        r = await(client_send(c, "OPTIONS", "/api/users", no_body));
        check_int(r.status, 204);
        check_contains(reply_header(r, "Access-Control-Allow-Methods"), "POST");
        client_header(c, "Origin", "https://evil.example");
        client_header(c, "X-Request-Id", "bad id");
        r = await(client_send(c, "OPTIONS", "/api/users", no_body));
        check_str(reply_header(r, "Access-Control-Allow-Origin"), NULL);
        check_int((int)strlen(reply_header(r, "X-Request-Id")), 16);
    }
}

/* ---- the document ---- */

TEST(the_document_of_the_api)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/openapi.json"));
        check_int(r.status, 200);
        check_str(json_str(r, "info.title"), "the \"app\"");
        check_int((int)json_count(r, "paths"), 7);
        check_str(json_str(r, "paths./api/users.post.operationId"), "add_user");
        check_str(
            json_str(r, "paths./api/users.post.requestBody.content.application/json.schema.$ref"),
            "#/components/schemas/user_in");
        check_str(
            json_str(r, "paths./api/users.post.responses.201.content.application/json.schema.$ref"),
            "#/components/schemas/user_out");
        check_str(
            json_str(r, "paths./api/users.get.responses.200.content.application/json.schema.type"),
            "array");
        check_str(json_str(r, "paths./api/users/{id}.get.parameters.0.name"), "id");
        check(json_bool(r, "paths./api/users/{id}.get.parameters.0.required"));
        check_str(json_str(r, "paths./bye.get.parameters.0.in"), "cookie");
        check(!json_bool(r, "paths./bye.get.parameters.0.required"));
        check(json_has(r, "paths./boom.get.responses.422"));
        check(!json_has(r, "paths./hello.get.responses.422"));
        check_str(json_str(r, "components.schemas.user_in.properties.name.type"), "string");
        check(!json_has(r, "components.schemas.user_out.properties.password"));
    }
}
