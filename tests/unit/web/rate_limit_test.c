/* bide_rate_limit: buckets that fill, clients apart, a bounded table. */
#include "socket_case.h"

static int served;

GET(count, "/count", text)
{
    (void)req;
    served++;
    return "yes";
}

GET(broken, "/broken", text)
{
    (void)req;
    fail(http_error(404, "no"));
}

static bide_app *make_app(const bide_rate_limit_options *options)
{
    bide_app *app = bide_app_new(.title = "limited");
    bide_app_add(app, "", &count_route, &broken_route);
    bide_app_use(app, bide_rate_limit, options);
    return app;
}

/* How many of these requests in a row are served. */
static int served_of(bide_client *c, int requests) BIDE__TASK;
static int served_of(bide_client *c, int requests)
{
    served = 0;
    for (int i = 0; i < requests; i++) {
        reply r = await(client_get(c, "/count"));
        check(r.status == 200 || r.status == 429);
    }
    return served;
}

TEST(a_burst_then_one_at_a_time)
{
    static const bide_rate_limit_options options = {.requests = 6, .per = {60000000000}};
    with_client(c, make_app(&options)) {
        reply r = await(client_get(c, "/count"));
        check_int(r.status, 200);
        check_str(reply_header(r, "RateLimit-Policy"), "\"default\";q=6;w=60");
        check_str(reply_header(r, "RateLimit"), "\"default\";r=5;t=10");
        check_str(reply_header(r, "Retry-After"), NULL);
        check_int(served_of(c, 10), 5);
        r = await(client_get(c, "/count"));
        check_int(r.status, 429);
        check_str(r.body, "{\"detail\":\"Too Many Requests\"}");
        check_str(reply_header(r, "Retry-After"), "10");
        check_str(reply_header(r, "RateLimit"), "\"default\";r=0;t=60");
        await(bide_sleep(bide_ms(9000)));
        check_int(served_of(c, 1), 0); /* and asking has not made it wait longer */
        await(bide_sleep(bide_ms(1500)));
        check_int(served_of(c, 3), 1);
        await(bide_sleep(bide_s(600)));
        check_int(served_of(c, 20), 6);
    }
}

TEST(the_burst_is_a_limit_of_its_own)
{
    static const bide_rate_limit_options options = {
        .requests = 600, .per = {60000000000}, .burst = 2, .name = "api"};
    with_client(c, make_app(&options)) {
        check_int(served_of(c, 5), 2);
        await(bide_sleep(bide_ms(100)));
        check_int(served_of(c, 5), 1);
        reply r = await(client_get(c, "/count"));
        check_str(reply_header(r, "RateLimit-Policy"), "\"api\";q=2;w=1");
        check_str(reply_header(r, "Retry-After"), "1");
    }
}

TEST(errors_count_and_say_what_is_left)
{
    static const bide_rate_limit_options options = {.requests = 2};
    with_client(c, make_app(&options)) {
        reply r = await(client_get(c, "/broken"));
        check_int(r.status, 404);
        check_str(reply_header(r, "RateLimit"), "\"default\";r=1;t=30");
        r = await(client_get(c, "/nowhere"));
        check_int(r.status, 404);
        check_int(await(client_get(c, "/count")).status, 429);
    }
}

TEST(clients_are_apart_and_of_ipv6_networks_are)
{
    static const bide_rate_limit_options options = {.requests = 1};
    static const struct {
        const char *address;
        int served;
    } cases[] = {
        {"192.0.2.1", 1},
        {"192.0.2.1", 0},
        {"192.0.2.2", 1},
        {"::ffff:192.0.2.2", 0},
        {"2001:db8:1:2::1", 1},
        {"2001:db8:1:2:ffff::7", 0},
        {"2001:db8:1:3::1", 1},
        {"fe80::1%eth0", 1},
        {"fe80::1%eth1", 0},
        {"unix", 1},
        {"unix", 0},
        {"_hidden", 1},
        {"", 1},
        {"", 0},
    };
    with_client(c, make_app(&options)) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            bide_client_from(c, cases[i].address, "http");
            if (!check_int(served_of(c, 1), cases[i].served))
                fprintf(stderr, "%s\n", cases[i].address);
        }
    }
}

static bide_text by_user(bide_request *req)
{
    return bide_header_of(req, "x-user");
}

TEST(a_key_of_the_application)
{
    static const bide_rate_limit_options options = {.requests = 1, .key = by_user};
    with_client(c, make_app(&options)) {
        reply r = await(client_get(c, "/count"));
        check_str(reply_header(r, "RateLimit"), NULL);
        check_int(served_of(c, 5), 5); /* without a user there is no limit */
        client_header(c, "x-user", "sam");
        check_int(served_of(c, 2), 1);
        client_header(c, "x-user", "frodo");
        check_int(served_of(c, 2), 1);
    }
}

/* A flood of clients makes the table forget, but those first that have used least. */
TEST(a_flood_forgets_the_harmless_first)
{
    static const bide_rate_limit_options options = {
        .requests = 100, .per = {60000000000}, .clients = 8};
    with_client(c, make_app(&options)) {
        bide_client_from(c, "192.0.2.1", "http");
        check_int(served_of(c, 150), 100);
        for (int i = 0; i < 200; i++) {
            char address[32];
            snprintf(address, sizeof address, "198.51.100.%d", i);
            bide_client_from(c, address, "http");
            check_int(served_of(c, 1), 1);
        }
        bide_client_from(c, "192.0.2.1", "http");
        check_int(served_of(c, 5), 0);
    }
}

TEST_PLAIN(what_cannot_work_is_said_at_start)
{
    static const bide_rate_limit_options none = {.per = {1}},
                                         backward = {.requests = 1, .per = {-1}},
                                         name = {.requests = 1, .name = "a\"b"},
                                         many = {.requests = 1, .clients = 1u << 30},
                                         long_burst = {.requests = 1,
                                                       .per = {(int64_t)86400 * 365 * 1000000000},
                                                       .burst = 4000000000};
    static const struct {
        const bide_rate_limit_options *options;
        const char *problem;
    } cases[] = {{NULL, "no number of requests"},
                 {&none, "no number of requests"},
                 {&backward, "`per`"},
                 {&name, "its name"},
                 {&many, "a million"},
                 {&long_burst, "its burst"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bide_app *app = make_app(cases[i].options);
        check_contains(bide_app_check(app), cases[i].problem);
        bide_app_free(app);
    }
}

TEST(over_a_socket, .real_clock = true)
{
    static char answer[4096];
    static const bide_rate_limit_options options = {.requests = 1};
    bide_app *app = make_app(&options);
    with_server(app, port, {
        for (int i = 0; i < 2; i++) {
            talk(port, "GET /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", answer,
                 sizeof answer);
            check_contains(answer, i ? "HTTP/1.1 429 Too Many Requests\r\n" : "HTTP/1.1 200 OK");
        }
        check_contains(answer, "\r\nRetry-After: 60\r\n");
    })
}

/* ---- in handlers ---- */

static bide_limit *of_names, *of_clients;

POST(comment_on, "/comments", text, query(str, name, optional))
{
    bide_limit_take(req, of_clients, NULL);
    if (name)
        bide_limit_take(req, of_names, name);
    served++;
    return "thanks";
}

static bide_app *make_comments(const bide_rate_limit_options *names,
                               const bide_rate_limit_options *clients)
{
    bide_app *app = bide_app_new(.title = "comments");
    bide_app_add(app, "", &comment_on_route);
    of_names = bide_app_limit(app, names);
    of_clients = bide_app_limit(app, clients);
    return app;
}

static int status_of(bide_client *c, const char *path) BIDE__TASK;
static int status_of(bide_client *c, const char *path)
{
    return await(client_post(c, path, no_body)).status;
}

TEST(a_handler_says_whose_requests_are_counted)
{
    static const bide_rate_limit_options names = {.requests = 2}, clients = {.requests = 5};
    with_client(c, make_comments(&names, &clients)) {
        served = 0;
        check_int(status_of(c, "/comments?name=sam"), 200);
        check_int(status_of(c, "/comments?name=sam"), 200);
        reply r = await(client_post(c, "/comments?name=sam", no_body));
        check_int(r.status, 429);
        check_str(r.body, "{\"detail\":\"Too many requests: try again in 30 seconds\"}");
        check_str(reply_header(r, "Retry-After"), "30");
        check_int(status_of(c, "/comments?name=pippin"), 200);
        check_int(status_of(c, "/comments"), 200);
        check_int(status_of(c, "/comments"), 429); /* five of this client, one of them in vain */
        bide_client_from(c, "192.0.2.7", "http");
        check_int(status_of(c, "/comments?name=sam"), 429);
        await(bide_sleep(bide_s(30)));
        check_int(status_of(c, "/comments?name=sam"), 200);
        check_int(served, 5);
    }
}

/* As each worker has an application of its own. */
TEST(applications_with_the_same_options_share_a_limit)
{
    static const bide_rate_limit_options names = {.requests = 2}, clients = {.requests = 100};
    bide_limit *first;
    bide_app *one = make_comments(&names, &clients);
    first = of_names;
    with_client(c, one) {
        with_client(other, make_comments(&names, &clients)) {
            check(of_names == first && of_clients != first);
            check_int(status_of(c, "/comments?name=sam"), 200);
            check_int(status_of(other, "/comments?name=sam"), 200);
            check_int(status_of(c, "/comments?name=sam"), 429);
        }
        check_int(status_of(c, "/comments?name=sam"), 429); /* the other has ended */
    }
    with_client(c, make_comments(&names, &clients)) /* and now all of them: a new limit */
        check_int(status_of(c, "/comments?name=sam"), 200);
}

TEST(wrong_limits_of_handlers_are_found)
{
    static const bide_rate_limit_options names = {.requests = 0}, clients = {.requests = 1};
    bide_app *app = make_comments(&names, &clients);
    check(of_names == NULL);
    check_contains(bide_app_check(app), "it says no number of requests");
    bide_app_free(app);
}
