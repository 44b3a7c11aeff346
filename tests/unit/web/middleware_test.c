/* The small middleware: security headers, request ids, cross-origin options. */
#include "web_case.h"

GET(data, "/data", text)
{
    (void)req;
    return "data";
}

GET(page, "/page", html)
{
    (void)req;
    return "<p>";
}

GET(login, "/login", text)
{
    bide_set_header(req, "Set-Cookie", "a=b; Path=/");
    bide_set_header(req, "X-Frame-Options", "SAMEORIGIN");
    return "in";
}

static bide_app *make_app(bide_middleware *fn, const void *arg)
{
    bide_app *app = bide_app_new(.title = "small");
    bide_app_add(app, "", &data_route, &page_route, &login_route);
    bide_app_use(app, fn, arg);
    return app;
}

TEST(security_headers_are_those_of_owasp)
{
    with_client(c, make_app(bide_security_headers, NULL)) {
        reply r = await(client_get(c, "/data"));
        check_str(reply_header(r, "X-Content-Type-Options"), "nosniff");
        check_str(reply_header(r, "X-Frame-Options"), "DENY");
        check_str(reply_header(r, "Referrer-Policy"), "strict-origin-when-cross-origin");
        check_str(reply_header(r, "Content-Security-Policy"),
                  "default-src 'none'; frame-ancestors 'none'");
        check_str(reply_header(r, "Cross-Origin-Opener-Policy"), "same-origin");
        check_str(reply_header(r, "Cross-Origin-Resource-Policy"), "same-site");
        check_str(reply_header(r, "Strict-Transport-Security"), NULL);
        check_str(reply_header(r, "Cache-Control"), NULL);
        r = await(client_get(c, "/page"));
        check_contains(reply_header(r, "Content-Security-Policy"), "default-src 'self'");
        r = await(client_get(c, "/nowhere"));
        check_int(r.status, 404);
        check_str(reply_header(r, "X-Frame-Options"), "DENY");
        r = await(client_get(c, "/docs"));
        check_contains(reply_header(r, "Content-Security-Policy"), "script-src 'self'");
    }
}

TEST(security_headers_leave_what_is_there_and_keep_secrets_out_of_caches)
{
    with_client(c, make_app(bide_security_headers, NULL)) {
        reply r = await(client_get(c, "/login"));
        check_str(reply_header(r, "X-Frame-Options"), "SAMEORIGIN");
        check_str(reply_header(r, "Cache-Control"), "no-store");
        r = await(client_get(c, "/data")); /* with the cookie */
        check_str(reply_header(r, "Cache-Control"), "no-store");
        r = await(client_get(c, "/docs"));
        check_str(reply_header(r, "Cache-Control"), "no-cache");
    }
    with_client(c, make_app(bide_security_headers, NULL)) {
        client_header(c, "authorization", "Bearer x");
        reply r = await(client_get(c, "/data"));
        check_str(reply_header(r, "Cache-Control"), "no-store");
        bide_client_from(c, "192.0.2.1", "https");
        r = await(client_get(c, "/data"));
        check_str(reply_header(r, "Strict-Transport-Security"),
                  "max-age=63072000; includeSubDomains");
    }
}

TEST(security_headers_by_option)
{
    static const bide_security_options options = {.content_policy = "default-src 'self'",
                                                  .frame_options = "",
                                                  .transport_security = "max-age=60"};
    with_client(c, make_app(bide_security_headers, &options)) {
        bide_client_from(c, "192.0.2.1", "https");
        reply r = await(client_get(c, "/data"));
        check_str(reply_header(r, "Content-Security-Policy"), "default-src 'self'");
        check_str(reply_header(r, "X-Frame-Options"), NULL);
        check_str(reply_header(r, "Strict-Transport-Security"), "max-age=60");
        check_str(reply_header(r, "Cross-Origin-Opener-Policy"), "same-origin");
    }
}

TEST(request_ids_are_kept_if_they_are_harmless)
{
    with_client(c, make_app(bide_request_ids, NULL)) {
        client_header(c, "x-request-id", "abc-1.2_3");
        check_str(reply_header(await(client_get(c, "/data")), "X-Request-Id"), "abc-1.2_3");
        client_header(c, "x-request-id", "a b");
        check_int(strlen(reply_header(await(client_get(c, "/data")), "X-Request-Id")), 16);
        client_header(c, "x-request-id", NULL);
        check_int(strlen(reply_header(await(client_get(c, "/data")), "X-Request-Id")), 16);
    }
}

TEST_PLAIN(cross_origin_options_are_checked)
{
    static const bide_cors all = {.origins = "*", .credentials = true},
                           none = {.credentials = true};
    bide_app *app = make_app(bide_cross_origin, &all);
    check_contains(bide_app_check(app), "credentials and all origins");
    bide_app_free(app);
    app = make_app(bide_cross_origin, &none);
    check_contains(bide_app_check(app), "names no origins");
    bide_app_free(app);
}
