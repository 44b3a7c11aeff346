/* The access log and the page for Prometheus: what they say, and what they do not. */
#include "socket_case.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

GET(get_thing, "/things/{id}", text, path(i64, id))
{
    if (id == 404)
        fail(http_error(404, "no thing"));
    if (id == 500)
        fail(bide_error_new(1234, "a secret"));
    await(bide_sleep(bide_ms((int)id)));
    return "thing";
}

POST(add_thing, "/things/{id}", nothing, path(i64, id))
{
    (void)req;
    (void)id;
}

GET(odd, "/odd\"\\path", text)
{
    (void)req;
    return "odd";
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "watched");
    bide_app_add(app, "", &get_thing_route, &add_thing_route, &odd_route);
    return app;
}

/* ---- the access log ---- */

static const char *logged(void)
{
    bide_log_flush(1000);
    return test_captured();
}

TEST(a_line_per_request_without_its_query)
{
    bide_app *app = make_app();
    bide_app_access_log(app, false);
    bide_app_use(app, bide_request_ids, NULL);
    test_capture_stderr();
    with_client(c, app) {
        client_header(c, "user-agent", "curl/8 \"quoted\"\n");
        client_header(c, "x-request-id", "id-7");
        bide_client_from(c, "192.0.2.1", "http");
        check_int(await(client_get(c, "/things/12?token=secret")).status, 200);
    }
    const char *line = logged();
    check_contains(line, " INFO ");
    check_contains(line, "request method=GET path=/things/12 status=200 bytes=5 duration_us=12000 "
                         "client=192.0.2.1 request_id=id-7 "
                         "user_agent=\"curl/8 \\\"quoted\\\"\\n\"\n");
    check(!strstr(line, "token") && !strstr(line, "secret"));
}

TEST(the_query_by_option_and_texts_are_cut)
{
    bide_app *app = make_app();
    char path[2000] = "/";
    memset(path + 1, 'a', sizeof path - 2);
    bide_app_access_log(app, true);
    test_capture_stderr();
    with_client(c, app) {
        (void)await(client_get(c, "/things/1?a=b"));
        (void)await(client_get(c, path));
        check_int(await(client_send(c, "HEAD", "/things/1", no_body)).status, 200);
        check_int(await(client_post(c, "/things/1", no_body)).status, 204);
    }
    const char *line = logged();
    path[511] = 0;
    check_contains(line, "path=/things/1 query=\"a=b\" status=200");
    check_contains(line, path);
    check_contains(line, "a status=404 bytes=");
    check_contains(line, "method=HEAD path=/things/1 status=200 bytes=0");
    check_contains(line, "method=POST path=/things/1 status=204 bytes=0");
    check_contains(line, "user_agent=-\n");
}

TEST(an_error_has_the_same_id_in_its_record)
{
    bide_app *app = make_app();
    bide_app_access_log(app, false);
    test_capture_stderr();
    with_client(c, app) {
        check_int(await(client_get(c, "/things/500")).status, 500);
    }
    const char *lines = logged();
    const char *id = strstr(lines, "request_id=");
    require(id);
    char text[40];
    snprintf(text, sizeof text, "request %.16s, GET", id + strlen("request_id="));
    check_contains(lines, text);
    check_contains(lines, "status=500");
}

/* ---- the page ---- */

#define check_value(page, name, expected) check_near(value_of(page, name), expected, 0.0)

/* The value of a line that begins so; -1 without it. */
static double value_of(const char *page, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = page; (at = strstr(at, name)); at += length)
        if ((at == page || at[-1] == '\n') && at[length] == ' ')
            return strtod(at + length, NULL);
    return -1;
}

static bool is_name(const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!((at[i] >= 'a' && at[i] <= 'z') || (at[i] >= 'A' && at[i] <= 'Z') || at[i] == '_' ||
              (i > 0 && at[i] >= '0' && at[i] <= '9')))
            return false;
    return length > 0;
}

/* The end of `{name="value",...}`; NULL when it is not one. */
static const char *skip_labels(const char *at)
{
    if (*at != '{')
        return at;
    do {
        size_t name = strcspn(++at, "=");
        if (!is_name(at, name) || at[name + 1] != '"')
            return NULL;
        for (at += name + 2; *at != '"'; at++) {
            if (*at == '\\')
                at++;
            if (*at == '\n' || !*at)
                return NULL;
        }
        at++;
    } while (*at == ',');
    return *at == '}' ? at + 1 : NULL;
}

/* One line as the format has it: a comment, or a sample of the family that was announced last. */
static bool is_line(const char *line, char family[128])
{
    char text[128];
    if (sscanf(line, "# HELP %127s", text) == 1)
        return true;
    if (sscanf(line, "# TYPE %127s", text) == 1) {
        bool is_new = strcmp(family, text) != 0;
        memcpy(family, text, sizeof text);
        return is_new;
    }
    size_t name = strcspn(line, "{ ");
    char *end;
    if (!is_name(line, name) || strncmp(line, family, strlen(family)) != 0)
        return false;
    const char *at = skip_labels(line + name);
    if (!at || *at != ' ')
        return false;
    strtod(at + 1, &end);
    return end != at + 1 && *end == '\n';
}

/* The exposition format, line by line; and by Prometheus' own tool, where it is. */
static void check_format(const char *page)
{
    char family[128] = "";
    for (const char *line = page; *line; line = strchr(line, '\n') + 1) {
        require(strchr(line, '\n'));
        if (!check(is_line(line, family)))
            fprintf(stderr, "%.*s\n", (int)strcspn(line, "\n"), line);
    }
    FILE *tool = popen("command -v promtool >/dev/null || exec cat >/dev/null; "
                       "exec promtool check metrics",
                       "w");
    require(tool);
    fputs(page, tool);
    check_int(WEXITSTATUS(pclose(tool)), 0);
}

#define REQUESTS(labels) "bide_http_requests_total{" labels "}"
#define DURATION(what, labels) "bide_http_request_duration_seconds_" what "{" labels "}"
#define THING "route=\"/things/{id}\",method=\"GET\""

TEST(the_page_counts_by_route)
{
    bide_app *app = make_app();
    bide_app_metrics(app, "/metrics");
    test_capture_stderr();
    with_client(c, app) {
        for (int i = 0; i < 3; i++)
            (void)await(client_get(c, "/things/3"));
        (void)await(client_get(c, "/things/100"));
        (void)await(client_get(c, "/things/404"));
        (void)await(client_get(c, "/things/500"));
        (void)await(client_get(c, "/things/x"));
        (void)await(client_send(c, "HEAD", "/things/1", no_body));
        (void)await(client_post(c, "/things/1", no_body));
        (void)await(client_get(c, "/odd%22%5Cpath"));
        (void)await(client_get(c, "/nowhere"));
        (void)await(client_delete(c, "/things/1"));
        reply r = await(client_get(c, "/metrics"));
        check_str(reply_header(r, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
        check_format(r.body);
        check_value(r.body, REQUESTS(THING ",status=\"2xx\""), 4);
        check_value(r.body, REQUESTS(THING ",status=\"4xx\""), 2);
        check_value(r.body, REQUESTS(THING ",status=\"5xx\""), 1);
        check_value(r.body, REQUESTS("route=\"/things/{id}\",method=\"HEAD\",status=\"2xx\""), 1);
        check_value(r.body, REQUESTS("route=\"/things/{id}\",method=\"POST\",status=\"2xx\""), 1);
        check_value(r.body, REQUESTS("route=\"\",method=\"\",status=\"4xx\""), 2);
        check_value(r.body, REQUESTS("route=\"/odd\\\"\\\\path\",method=\"GET\",status=\"2xx\""),
                    1);
        check(!strstr(r.body, "nowhere") && !strstr(r.body, "/things/3"));
        check_value(r.body, DURATION("count", THING), 8);
        check_value(r.body, DURATION("bucket", THING ",le=\"0.001048576\""), 4);
        check_value(r.body, DURATION("bucket", THING ",le=\"0.004194304\""), 7);
        check_value(r.body, DURATION("bucket", THING ",le=\"0.067108864\""), 7);
        check_value(r.body, DURATION("bucket", THING ",le=\"0.268435456\""), 8);
        check_value(r.body, DURATION("bucket", THING ",le=\"+Inf\""), 8);
        check_near(value_of(r.body, DURATION("sum", THING)), 0.110, 0.0005);
        check_value(r.body, "bide_http_requests_in_flight", 1); /* this one */
        check(value_of(r.body, "process_resident_memory_bytes") > 100000);
        check(value_of(r.body, "bide_log_refused_lines_total") >= 0);
        r = await(client_get(c, "/metrics"));
        check_value(r.body, REQUESTS("route=\"/metrics\",method=\"GET\",status=\"2xx\""), 1);
    }
    (void)test_captured();
}

/* What a server has counted stays when it has ended. */
TEST(over_sockets_and_after_a_server_has_ended, .real_clock = true)
{
    static char answer[65536];
    bide_app *app = make_app();
    bide_app_metrics(app, "/metrics");
    with(bide_tcp_listener, first, "127.0.0.1", 0, NULL) {
        with_group(g) {
            spawn_void(g, serve_app, first, app);
            talk(bide_listener_port(first),
                 "GET /things/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", answer,
                 sizeof answer);
            check_contains(answer, "HTTP/1.1 200 OK");
            bide_group_cancel(g, "the first one ends");
        }
    }
    with_server(app, port, {
        talk(port, "GET /things/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", answer,
             sizeof answer);
        talk(port, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", answer,
             sizeof answer);
        const char *page = strstr(answer, "\r\n\r\n");
        require(page);
        check_format(page + 4);
        check_value(page, REQUESTS(THING ",status=\"2xx\""), 2);
        check_value(page, "bide_http_connections", 1);
        check(value_of(page, "bide_http_connections_total") >= 3);
    })
}

static async(void) give_up(bide_client_ptr c);
SPAWNABLE(void, give_up, bide_client_ptr)
static async(void) give_up(bide_client_ptr c)
{
    with_deadline(bide_ms(5))
        (void)await(client_get(c, "/things/300"));
    return bide_void;
}

TEST(a_request_that_is_cancelled_is_counted_too)
{
    bide_app *app = make_app();
    bide_app_metrics(app, "/metrics");
    with_client(c, app) {
        bide_error *error;
        attempt(&error, give_up, c);
        check(error && error->code == BIDE_TIMEOUT);
        reply r = await(client_get(c, "/metrics"));
        check_value(r.body, REQUESTS(THING ",status=\"none\""), 1);
        check_value(r.body, "bide_http_requests_in_flight", 1);
    }
}

TEST_PLAIN(a_page_that_is_a_route_already_is_said_at_start)
{
    bide_app *app = make_app();
    bide_app_metrics(app, "/things/{name}");
    check_contains(bide_app_check(app), "'/things/{id}'");
    bide_app_free(app);
    app = make_app();
    check(!bide_app_check(app));
    bide_app_metrics(app, "/metrics");
    check_contains(bide_app_check(app), "after its check");
    bide_app_free(app);
}
