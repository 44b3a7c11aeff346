/* Failures as pages: who gets one, what is in it, who is sent to log in, what when it fails. */
#include "web_case.h"

#include <bide/log.h>

MODEL(error_page, "", (i32, status), (str, title), (str, detail), (str, id, optional),
      (list(str), fields));
MODEL(site, "", (str, visitor, optional));

static const char browser[] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
static bool site_fails, page_fails;
static int sites;

PROVIDER(site, site_of)
{
    sites++;
    bide_set_header(req, "X-Site", "1");
    if (site_fails)
        fail(http_error(503, "the site has no database"));
    provide((site){.visitor = "Sam"});
}

PROVIDER(error_page, page_of_error)
{
    const bide_failure *failure = bide_failure_of(req);
    static const char *locs[8];
    size_t count = 0;
    if (page_fails)
        fail(bide_error_new(BIDE_INVALID, "no page today"));
    await(bide_yield());
    if (failure->problems)
        for (const bide_problem *at = failure->problems->first; at && count < 8; at = at->next)
            locs[count++] = at->loc;
    provide((error_page){.status = failure->status,
                         .title = failure->title,
                         .detail = failure->detail,
                         .id = failure->id,
                         .fields = {locs, count}});
}

PROVIDER(int, account)
{
    if (!bide_header_of(req, "x-account").at)
        fail(http_error(401, "Not authenticated"));
    provide(1);
}

GET(get_items, "/items", text, query(i32, page, range(1, 10)))
{
    (void)page;
    return "items";
}

GET(get_item, "/items/{id}", maybe(user_out), path(i64, id))
{
    static const user_out one = {.id = 1, .name = "one"};
    bide_set_header(req, "X-Dropped", "1");
    if (id == 3)
        fail(http_error(403, "<b>Not</b> yours"));
    if (id == 4)
        fail(bide_error_new(BIDE_INVALID, "inside"));
    if (id == 5) {
        bide_keep_header(req, "Retry-After", "7");
        bide_see_other(req, "/elsewhere");
        fail(http_error(429, "later"));
    }
    return id == 1 ? &one : NULL;
}

GET(get_own, "/own", text, depends(int, who, account))
{
    (void)who;
    return "own";
}

POST(post_own, "/own", text, depends(int, who, account))
{
    (void)who;
    return "own";
}

GET(get_login, "/login", text, depends(int, who, account))
{
    (void)who;
    return "log in";
}

GET(get_guarded, "/guarded", text, basic(who))
{
    return who->user;
}

GET(get_api_own, "/api/own", text, depends(int, who, account))
{
    (void)who;
    return "own";
}

static const char page[] = "<p>{{visitor}}</p><h1>{{status}} {{title}}</h1>{{detail}}"
                           "{{#id}} id{{/id}}{{#fields}}<i>{{.}}</i>{{/fields}}";

static bide_app *plain_app(void)
{
    bide_app *app = bide_app_new(.title = "pages");
    bide_templates *templates = bide_app_templates(app);
    if (templates)
        bide_templates_add(templates, "error.html", page);
    bide_app_site(app, site, site_of);
    bide_app_add_all(app, "");
    site_fails = page_fails = false;
    sites = 0;
    return app;
}

static bide_app *make_app(void)
{
    bide_app *app = plain_app();
    bide_app_error_page(app, "error", error_page, page_of_error, .login = "/login", .api = "/api");
    return app;
}

TEST(browsers_get_a_page)
{
    with_client(c, make_app()) {
        client_header(c, "Accept", browser);
        reply r = await(client_get(c, "/nowhere"));
        check_int(r.status, 404);
        check_str(r.body, "<p>Sam</p><h1>404 Not Found</h1>Not Found");
        check_str(reply_header(r, "Content-Type"), "text/html; charset=utf-8");
        check_str(reply_header(r, "Vary"), "Accept");
        r = await(client_get(c, "/items/3"));
        check_int(r.status, 403);
        check_contains(r.body, "<h1>403 Forbidden</h1>&lt;b&gt;Not&lt;/b&gt; yours");
        check(!reply_header(r, "X-Dropped"));
        r = await(client_get(c, "/items/2"));
        check_int(r.status, 404);
        check_contains(r.body, "<h1>404 Not Found</h1>");
        r = await(client_get(c, "/items?page=0"));
        check_int(r.status, 422);
        check_contains(r.body, "<i>[&quot;query&quot;,&quot;page&quot;]</i>");
        r = await(client_send(c, "DELETE", "/items", no_body));
        check_int(r.status, 405);
        check_str(reply_header(r, "Allow"), "GET, HEAD, OPTIONS");
        check_contains(r.body, "<h1>405 Method Not Allowed</h1>");
        r = await(client_get(c, "/items/5"));
        check_int(r.status, 429);
        check_str(reply_header(r, "Retry-After"), "7");
        check(!reply_header(r, "Location"));
        check_str(r.body, "<p></p><h1>429 Too Many Requests</h1>later"); /* the site has no work */
        r = await(client_get(c, "/items/1"));
        check_int(r.status, 200);
        check_int(json_int(r, "id"), 1);
        check(!reply_header(r, "Vary"));
    }
}

TEST(what_is_told_to_nobody)
{
    with_client(c, make_app()) {
        client_header(c, "Accept", browser);
        test_capture_stderr();
        reply r = await(client_get(c, "/items/4"));
        bide_log_flush(1000);
        check_contains(test_captured(), "inside");
        check_int(r.status, 500);
        check_str(r.body, "<p>Sam</p><h1>500 Internal Server Error</h1>Internal Server Error id");
    }
}

TEST(others_get_json)
{
    static const char *const others[] = {NULL,
                                         "*/*",
                                         "application/json, text/plain, */*",
                                         "text/html;q=0.5, application/json",
                                         "text/html;q=0",
                                         "text/html, application/problem+json",
                                         "image/png"};
    with_client(c, make_app()) {
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            client_header(c, "Accept", others[i]);
            reply r = await(client_get(c, "/nowhere"));
            check_int(r.status, 404);
            check_str(r.body, "{\"detail\":\"Not Found\"}");
            check_str(reply_header(r, "Vary"), "Accept");
        }
        client_header(c, "Accept", browser);
        reply r = await(client_get(c, "/api/nowhere?x"));
        check_str(r.body, "{\"detail\":\"Not Found\"}");
        check(!reply_header(r, "Vary"));
        r = await(client_get(c, "/api"));
        check_str(r.body, "{\"detail\":\"Not Found\"}");
        r = await(client_get(c, "/api/own"));
        check_int(r.status, 401);
        r = await(client_get(c, "/apis"));
        check_contains(r.body, "<h1>404 Not Found</h1>");
        check_int(sites, 1);
    }
}

TEST(browsers_are_sent_to_log_in)
{
    with_client(c, make_app()) {
        client_header(c, "Accept", browser);
        reply r = await(client_get(c, "/own?a=b&c=%20d"));
        check_int(r.status, 303);
        check_str(reply_header(r, "Location"), "/login?next=%2Fown%3Fa%3Db%26c%3D%2520d");
        check_str(reply_header(r, "Vary"), "Accept");
        check_str(r.body, "");
        r = await(client_post(c, "/own", urlencoded("a=b")));
        check_int(r.status, 303);
        check_str(reply_header(r, "Location"), "/login");
        r = await(client_get(c, "/login?next=/own"));
        check_int(r.status, 401); /* no circle */
        check_contains(r.body, "<h1>401 Unauthorized</h1>Not authenticated");
        r = await(client_get(c, "/guarded"));
        check_int(r.status, 401);
        check_contains(reply_header(r, "WWW-Authenticate"), "Basic");
        check_contains(r.body, "<h1>401 Unauthorized</h1>");
        char target[3000] = "/own?";
        memset(target + 5, 'x', 2000);
        r = await(client_get(c, target));
        check_str(reply_header(r, "Location"), "/login");
        client_header(c, "Accept", "application/json");
        r = await(client_get(c, "/own"));
        check_int(r.status, 401);
    }
}

static async(void) refusing(bide_request *req, bide_next *next, const void *arg)
{
    (void)arg;
    if (bide_query_of(req).length == 0)
        await(bide_proceed(next));
    else
        fail(http_error(451, "no questions"));
    if (bide_failure_of(req))
        bide_set_header(req, "X-Failed", bide_failure_of(req)->title);
    return bide_void;
}

static async(void) seeing(bide_request *req, bide_next *next, const void *arg)
{
    (void)arg;
    await(bide_proceed(next));
    bide_set_header(req, "X-Seen", "1");
    return bide_void;
}

TEST(middleware_sees_the_page)
{
    static const bide_rate_limit_options one = {.requests = 1};
    bide_app *app = make_app();
    bide_app_use(app, bide_security_headers, NULL);
    bide_app_use(app, bide_rate_limit, &one);
    bide_app_use(app, refusing, NULL);
    bide_app_use(app, seeing, NULL);
    with_client(c, app) {
        client_header(c, "Accept", browser);
        reply r = await(client_get(c, "/nowhere"));
        check_int(r.status, 404);
        check_str(reply_header(r, "X-Failed"), "Not Found");
        check_str(reply_header(r, "X-Seen"), "1");
        check_contains(reply_header(r, "Content-Security-Policy"), "default-src 'self'");
        check_int(sites, 1);
        r = await(client_get(c, "/nowhere"));
        check_int(r.status, 429);
        check_contains(r.body, "<p></p><h1>429 Too Many Requests</h1>");
        check_int(sites, 1);
        check_contains(reply_header(r, "Content-Security-Policy"), "default-src 'self'");
    }
    app = make_app();
    bide_app_use(app, refusing, NULL);
    with_client(c, app) {
        client_header(c, "Accept", browser);
        reply r = await(client_get(c, "/items?page=1"));
        check_int(r.status, 451);
        check_contains(r.body, "no questions");
        check_contains(reply_header(r, "Content-Type"), "text/html");
    }
}

static int teapot(bide_request *req, const bide_error *error, bide_buf *body)
{
    (void)req;
    (void)error;
    bide_buf_append_str(body, "{\"own\":true}");
    return 418;
}

TEST(a_body_of_a_rule_stays)
{
    bide_app *app = make_app();
    bide_app_on_error(app, 403, teapot);
    with_client(c, app) {
        client_header(c, "Accept", browser);
        reply r = await(client_get(c, "/items/3"));
        check_int(r.status, 418);
        check_str(r.body, "{\"own\":true}");
    }
}

TEST(a_page_that_fails)
{
    with_client(c, make_app()) {
        client_header(c, "Accept", browser);
        test_capture_stderr();
        site_fails = true;
        reply r = await(client_get(c, "/items/3"));
        check_int(r.status, 403);
        check_str(r.body, "<p></p><h1>403 Forbidden</h1>&lt;b&gt;Not&lt;/b&gt; yours");
        check(!reply_header(r, "X-Site"));
        page_fails = true;
        r = await(client_get(c, "/items/3"));
        bide_log_flush(1000);
        check_contains(test_captured(), "no page today");
        check_int(r.status, 403);
        check_str(reply_header(r, "Content-Type"), "text/html; charset=utf-8");
        check_contains(r.body, "<h1>Forbidden</h1>\n<p>&lt;b&gt;Not&lt;/b&gt; yours</p>");
        site_fails = false;
        r = await(client_get(c, "/items/1"));
        check_int(r.status, 200);
    }
}

/* ---- what the check finds ---- */

PROVIDER(error_page, page_of_body, body(user_in, form))
{
    (void)form;
    provide((error_page){.status = 500});
}

PROVIDER(error_page, page_of_path, path(i64, id))
{
    (void)id;
    provide((error_page){.status = 500});
}

TEST_PLAIN(what_cannot_be_a_page_of_errors)
{
    bide_app *app = plain_app();
    bide_app_error_page(app, "errors", error_page, page_of_error);
    check_contains(bide_app_check(app), "did you mean `error.html`?");
    bide_app_free(app);
    app = plain_app();
    bide_app_error_page(app, "error", error_page, page_of_body);
    check_contains(bide_app_check(app), "the page of errors");
    bide_app_free(app);
    app = plain_app();
    bide_app_error_page(app, "error", error_page, page_of_path);
    check_contains(bide_app_check(app), "takes '{id}' from the path, which has none");
    bide_app_free(app);
    app = plain_app();
    bide_app_error_page(app, "error", error_page, page_of_error, .login = "//host/login");
    check_contains(bide_app_check(app), "login '//host/login' is no path");
    bide_app_free(app);
    app = plain_app();
    bide_app_error_page(app, "error", error_page, page_of_error, .api = "/api/");
    check_contains(bide_app_check(app), "api '/api/' is no path, or ends with '/'");
    bide_app_free(app);
    app = make_app();
    bide_app_error_page(app, "error", error_page, page_of_error);
    check_contains(bide_app_check(app), "called twice");
    bide_app_free(app);
}

TEST_PLAIN(local_paths)
{
    static const char *const good[] = {"/", "/a?b=c#d", "/a//b", "/%2F/x"};
    static const char *const bad[] = {"",     "a",     "//host", "/\\host",  "/\t/host",
                                      "/a b", "http:", "/\x7f",  "/\xc3\xbc"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check_str(bide_local_path(good[i]), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!bide_local_path(bad[i]));
    check(!bide_local_path(NULL));
}

/* ---- nothing is lost when something is missing ---- */

static async(void) use_and_count(void);
SPAWNABLE(void, use_and_count)
static async(void) use_and_count(void)
{
    bide_app *app = make_app();
    bide_app_use(app, bide_security_headers, NULL);
    with_client(c, app) {
        client_header(c, "Accept", browser);
        reply r = await(client_get(c, "/items/3"));
        check(r.status == 403 || r.status == 413 || r.status == 500);
        r = await(client_get(c, "/own"));
        check(r.status == 303 || r.status == 401 || r.status == 413 || r.status == 500);
    }
    return bide_void;
}

TEST(every_allocation_fails_once, .fail_allocations = true)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, use_and_count);
    bide_log_flush(1000);
    (void)test_captured();
    if (error)
        check(error->code == BIDE_NO_MEMORY || error->code == BIDE_INVALID);
}

TEST(every_await_is_cancelled_once, .cancel_everywhere = true)
{
    bide_error *error;
    attempt(&error, use_and_count);
    if (error)
        fail(error);
}
