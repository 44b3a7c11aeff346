/* Providers: order, once per request, teardown, overriding, misuse. */
#include "web_case.h"

/* What happened, in order. */
static char trace[512];

static void note(const char *what)
{
    size_t length = strlen(trace);
    snprintf(trace + length, sizeof trace - length, "%s%s", length ? " " : "", what);
}

typedef struct session {
    int number;
} session;

static int sessions;

static void close_session(void *arg)
{
    (void)arg;
    note(bide_error_current() ? "rollback" : "commit");
}

PROVIDER(session *, open_session)
{
    session s = {++sessions};
    note("begin");
    defer(close_session, &s);
    provide(&s);
    note("after");
}

PROVIDER(int64_t, reader, depends(session *, s, open_session), header(i64, x_reader, dflt(5)))
{
    note("reader");
    provide(x_reader * 10 + s->number);
    note("/reader");
}

MODEL(seen, "", (i64, reader), (i64, session));

GET(see, "/see", seen, depends(int64_t, who, reader), depends(session *, s, open_session),
    query(bool, bad, optional))
{
    note("handler");
    if (bad)
        fail(http_error(418, "no"));
    return (seen){.reader = who, .session = s->number};
}

PROVIDER(session *, cannot_commit)
{
    session s = {1};
    provide(&s);
    fail(bide_error_new(1234, "the disk is full of secrets"));
}
GET(uncommitted, "/uncommitted", seen, depends(session *, s, cannot_commit))
{
    bide_set_header(req, "X-From-Handler", "yes");
    return (seen){.reader = 1, .session = s->number};
}

PROVIDER(int, forgets)
{
    note("forgot");
}
GET(forgotten, "/forgotten", nothing, depends(int, n, forgets))
{
    note("handler");
}

PROVIDER(int, twice)
{
    provide(1);
    provide(2);
}
GET(doubled, "/doubled", nothing, depends(int, n, twice))
{
    note("handler");
}

PROVIDER(int, guard, header(str, authorization, optional))
{
    if (!authorization)
        fail(http_error(401, "who are you?"));
    provide(1);
}
GET(guarded, "/guarded", nothing, depends(int, g, guard), depends(session *, s, open_session))
{
    note("handler");
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "providers");
    bide_app_add(app, "", &see_route, &uncommitted_route, &forgotten_route, &doubled_route,
                 &guarded_route);
    trace[0] = 0;
    return app;
}

TEST(nested_and_once_per_request)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/see"));
        check_int(r.status, 200);
        check_str(r.body, "{\"reader\":51,\"session\":1}");
        check_str(trace, "begin reader handler /reader after commit");
        client_header(c, "X-Reader", "7");
        r = await(client_get(c, "/see"));
        check_str(r.body, "{\"reader\":72,\"session\":2}");
    }
}

TEST(a_failing_handler_is_seen_by_the_teardown)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/see?bad=true"));
        check_int(r.status, 418);
        check_str(r.body, "{\"detail\":\"no\"}");
        check_str(trace, "begin reader handler rollback");
    }
}

TEST(nothing_runs_with_bad_input)
{
    with_client(c, make_app()) {
        client_header(c, "X-Reader", "x");
        reply r = await(client_get(c, "/see?bad=maybe"));
        check_int(r.status, 422);
        check_int((int)json_count(r, "detail"), 2);
        check_str(json_str(r, "detail.0.loc.0"), "header");
        check_str(json_str(r, "detail.0.loc.1"), "x-reader");
        check_str(json_str(r, "detail.1.loc.0"), "query");
        check_str(trace, "");
    }
}

TEST(a_teardown_that_fails_is_the_reply)
{
    test_capture_stderr();
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/uncommitted"));
        check_int(r.status, 500);
        check_str(json_str(r, "detail"), "Internal Server Error");
        check_int((int)strlen(json_str(r, "id")), 16);
        check(!strstr(r.body, "secrets"));
        check_str(reply_header(r, "x-from-handler"), NULL);
        bide_log_flush(1000);
        const char *log = test_captured();
        check_contains(log, "the disk is full of secrets");
        check_contains(log, json_str(r, "id"));
    }
}

TEST(provide_is_called_exactly_once)
{
    char line[64];
    test_capture_stderr();
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/forgotten"));
        check_int(r.status, 500);
        check_str(trace, "forgot");
        r = await(client_get(c, "/doubled"));
        check_int(r.status, 500);
        check_str(trace, "forgot handler");
    }
    bide_log_flush(1000);
    const char *log = test_captured();
    check_contains(log, "provider `forgets` at ");
    check_contains(log, " ended without provide()");
    snprintf(line, sizeof line, "provider_test.c:%d", twice_provider.at.line + 3);
    check_contains(log, "provider `twice` calls provide() a second time at ");
    check_contains(log, line);
}

TEST(a_guard_comes_before_what_costs)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/guarded"));
        check_int(r.status, 401);
        check_str(trace, "");
        client_header(c, "Authorization", "me");
        r = await(client_get(c, "/guarded"));
        check_int(r.status, 204);
        check_str(r.body, "");
        check_str(trace, "begin handler after commit");
    }
}

PROVIDER(session *, test_session)
{
    session s = {99};
    note("test");
    provide(&s);
}

/* Stands in for what it asks for itself. */
PROVIDER(int64_t, doubled_reader, depends(int64_t, r, reader))
{
    provide(2 * r);
}

TEST(overrides)
{
    bide_app *app = make_app();
    bide_app_override(app, open_session, test_session);
    bide_app_override(app, reader, doubled_reader);
    with_client(c, app) {
        reply r = await(client_get(c, "/see"));
        check_str(r.body, "{\"reader\":298,\"session\":99}");
        check_str(trace, "test reader handler /reader");
    }
}

PROVIDER(int64_t, circle, depends(session *, s, open_session))
{
    provide(s->number);
}
PROVIDER(session *, round_about, depends(int64_t, n, circle))
{
    session s = {(int)n};
    provide(&s);
}
GET(circular, "/circular", nothing, depends(int64_t, n, reader))
{
}

PROVIDER(int64_t, rounder, depends(session *, s, round_about))
{
    provide(s->number);
}

TEST_PLAIN(a_circle_is_found_at_start)
{
    bide_app *app = bide_app_new(.title = "circle");
    bide_app_add(app, "", &circular_route);
    bide_app_override(app, reader, rounder);
    bide_app_override(app, open_session, round_about);
    check_contains(bide_app_check(app), "GET '/circular' at ");
    check_contains(bide_app_check(app), "depends on itself");
    bide_app_free(app);
}

/* ---- declared in a header ---- */

PROVIDER(int, from_header)
{
    provide(1);
}

/* What another file that includes the header has: a copy. */
PROVIDER(int, from_header_again)
{
    provide(1);
}

PROVIDER(int, stand_in)
{
    provide(2);
}

GET(of_header, "/of-header", text, depends(int, value, from_header))
{
    return value == 2 ? "stand-in" : "own";
}

TEST(copies_of_a_headers_provider_are_one)
{
    from_header_again_provider.name = from_header_provider.name;
    from_header_again_provider.at = from_header_provider.at;
    bide_app *app = bide_app_new(.title = "header");
    bide_app_add(app, "", &of_header_route);
    bide_app_override(app, from_header_again, stand_in);
    with_client(c, app) {
        check_str(await(client_get(c, "/of-header")).body, "stand-in");
    }
}
