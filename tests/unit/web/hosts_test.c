/* bide_trusted_hosts and bide_https_only. */
#include "web_case.h"

GET(here, "/here", text)
{
    (void)req;
    return "here";
}

static bide_app *make_app(bide_middleware *fn, const void *arg)
{
    bide_app *app = bide_app_new(.title = "hosts");
    bide_app_add(app, "", &here_route);
    bide_app_use(app, fn, arg);
    return app;
}

TEST(only_our_hosts_are_served)
{
    static const struct {
        const char *host;
        int status;
    } cases[] = {
        {"example.com", 200},
        {"EXAMPLE.com:8443", 200},
        {"example.com.", 200},
        {"a.example.com", 400},
        {"example.org", 400},
        {"notexample.com", 400},
        {"example.com.evil", 400},
        {"", 400},
        {"a.apps.example", 200},
        {"A.b.Apps.example:1", 200},
        {"apps.example", 400},
        {".apps.example", 400},
        {"evilapps.example", 400},
        {"[::1]", 200},
        {"[::1]:80", 200},
        {"[::2]", 400},
        {"127.0.0.1", 200},
        {"127.0.0.1:8000", 200},
        {"evil.com:example.com", 400},
    };
    with_client(c, make_app(bide_trusted_hosts, "example.com, *.apps.example, [::1], 127.0.0.1")) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            client_header(c, "host", cases[i].host);
            reply r = await(client_get(c, "/here"));
            if (!check_int(r.status, cases[i].status))
                fprintf(stderr, "%s\n", cases[i].host);
        }
    }
    with_client(c, make_app(bide_trusted_hosts, "*")) {
        client_header(c, "host", "anything.example");
        check_int(await(client_get(c, "/here")).status, 200);
    }
}

TEST_PLAIN(hosts_that_can_never_match_are_said_at_start)
{
    static const char *const wrong[] = {"example.com:80", "http://example.com", "*example.com",
                                        "a.*.com",        "exa mple.com",       "*.*.com"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bide_app *app = make_app(bide_trusted_hosts, wrong[i]);
        check_contains(bide_app_check(app), wrong[i]);
        bide_app_free(app);
    }
    bide_app *app = make_app(bide_trusted_hosts, NULL);
    check_contains(bide_app_check(app), "no hosts");
    bide_app_free(app);
}

TEST(http_is_sent_to_https)
{
    with_client(c, make_app(bide_https_only, NULL)) {
        client_header(c, "host", "example.com:8000");
        reply r = await(client_post(c, "/a%20b?c=d", json("{}")));
        check_int(r.status, 308);
        check_str(reply_header(r, "Location"), "https://example.com/a%20b?c=d");
        client_header(c, "host", "[::1]:8000");
        r = await(client_get(c, "/"));
        check_str(reply_header(r, "Location"), "https://[::1]/");
        r = await(client_send(c, "OPTIONS", "*", no_body));
        check_str(reply_header(r, "Location"), "https://[::1]/*");
        client_header(c, "host", "");
        check_int(await(client_get(c, "/")).status, 400);
        bide_client_from(c, "192.0.2.1", "https");
        check_str(await(client_get(c, "/here")).body, "here");
    }
    with_client(c, make_app(bide_https_only, "example.com:8443")) {
        reply r = await(client_get(c, "/here"));
        check_str(reply_header(r, "Location"), "https://example.com:8443/here");
    }
}
