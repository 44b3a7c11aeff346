/* Folders of files: what is served, what never is, and what a reply says about it. */
#include "socket_case.h"

#include "base/caps.h"
#include "web/folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder to serve: ROOT/site, with a secret beside it ---- */

static char root[] = "/tmp/bide_files_XXXXXX";

static const char *at(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *content)
{
    FILE *file = fopen(at(name), "w");
    require(file);
    fputs(content, file);
    fclose(file);
}

static void link_to(const char *target, const char *name)
{
    require(symlink(target, at(name)) == 0);
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", root);
}

static const char *make_site(void)
{
    static char site[64];
    require(mkdtemp(root));
    atexit(remove_folder);
    require(mkdir(at("site"), 0700) == 0 && mkdir(at("site/docs"), 0700) == 0 &&
            mkdir(at("site/docs/a b"), 0700) == 0 && mkdir(at("site/.git"), 0700) == 0);
    put("secret.txt", "SECRET");
    put("site/a.txt", "alpha");
    put("site/empty.css", "");
    put("site/app.js", "run();");
    put("site/.env", "SECRET");
    put("site/.git/config", "SECRET");
    put("site/docs/index.html", "<p>docs");
    put("site/docs/a b/index.html", "<p>a b");
    put("site/index.html", "<p>home");
    put("site/%41.txt", "percent");
    link_to("a.txt", "site/inside.txt");
    link_to("../secret.txt", "site/outside.txt");
    link_to("..", "site/up");
    link_to("/etc", "site/etc");
    link_to("/proc/self/root/etc/passwd", "site/magic");
    require(mkfifo(at("site/fifo"), 0600) == 0);
    snprintf(site, sizeof site, "%s/site", root);
    return site;
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "files");
    bide_app_files(app, "/static", make_site(), .index = "index.html", .max_age_s = 60);
    return app;
}

TEST(a_file_and_what_is_said_about_it)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/static/a.txt"));
        check_int(r.status, 200);
        check_str(r.body, "alpha");
        check_str(reply_header(r, "Content-Type"), "text/plain; charset=utf-8");
        check_str(reply_header(r, "Cache-Control"), "public, max-age=60");
        check_str(reply_header(r, "X-Content-Type-Options"), "nosniff");
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
        check_contains(reply_header(r, "Last-Modified"), " GMT");
        check_int(reply_header(r, "ETag")[0], '"');
        check_str(reply_header(r, "Content-Encoding"), NULL);
        for (int i = 0; i < 2; i++) { /* read, then kept */
            r = await(client_get(c, "/static/empty.css"));
            check_int(r.status, 200);
            check_int(r.length, 0);
        }
        r = await(client_get(c, "/static/docs/index.html"));
        check_str(reply_header(r, "Cache-Control"), "no-cache");
        r = await(client_get(c, "/static/%2541.txt"));
        check_str(r.body, "percent");
        r = await(client_get(c, "/static/inside.txt"));
        check_str(r.body, "alpha");
        r = await(client_get(c, "/static/docs/a%20b/"));
        check_str(r.body, "<p>a b");
        r = await(client_send(c, "HEAD", "/static/a.txt", no_body));
        check_int(r.status, 200);
        check_str(r.body, "");
        r = await(client_post(c, "/static/a.txt", json("{}")));
        check_int(r.status, 405);
        check_str(reply_header(r, "Allow"), "GET, HEAD, OPTIONS");
    }
}

/* Nothing of these may say SECRET, nor be anything but an error. */
static const char *const escapes[] = {
    "/static/../secret.txt",
    "/static/%2e%2e/secret.txt",
    "/static/%2E%2E%2Fsecret.txt",
    "/static/..%2fsecret.txt",
    "/static/..%5csecret.txt",
    "/static/docs/../../secret.txt",
    "/static/docs/%2e%2e/%2e%2e/secret.txt",
    "/static/%252e%252e/secret.txt",
    "/static//secret.txt",
    "/static//etc/passwd",
    "/static/%2fetc/passwd",
    "/static/./../secret.txt",
    "/static/a.txt%00",
    "/static/a.txt%00.css",
    "/static/a.txt/",
    "/static/outside.txt",
    "/static/up/secret.txt",
    "/static/up/site/a.txt",
    "/static/etc/passwd",
    "/static/etc/",
    "/static/magic",
    "/static/fifo",
    "/static/.env",
    "/static/%2eenv",
    "/static/.git/config",
    "/static/docs//",
    "/static/nothing",
    "/static/a.txt.gz",
    "/static/%C3",
    "/static/%zz",
    "/staticsecret.txt",
};

static void check_escapes(bide_client *c) BIDE__TASK;
static void check_escapes(bide_client *c)
{
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        reply r = await(client_get(c, escapes[i]));
        if (!check(r.status == 404 || r.status == 400))
            fprintf(stderr, "%s gives %d\n", escapes[i], r.status);
        check(!strstr(r.body, "SECRET") && !strstr(r.body, "root:"));
    }
}

TEST(nothing_leads_out)
{
    with_client(c, make_app()) {
        check_escapes(c);
        char path[BIDE_CAP_FILE_PATH_BYTES + 20] = "/static/";
        memset(path + 8, 'a', sizeof path - 9);
        reply r = await(client_get(c, path));
        check_int(r.status, 404);
        path[8 + 300] = 0; /* a name longer than any */
        r = await(client_get(c, path));
        check_int(r.status, 404);
    }
}

/* Where the kernel has no openat2 the same holds, and links inside are not followed either. */
TEST(nothing_leads_out_step_by_step)
{
    bide__folder_walks = true;
    with_client(c, make_app()) {
        check_escapes(c);
        check_str(await(client_get(c, "/static/a.txt")).body, "alpha");
        check_str(await(client_get(c, "/static/docs/a%20b/index.html")).body, "<p>a b");
        check_int(await(client_get(c, "/static/inside.txt")).status, 404);
    }
}

TEST(conditions)
{
    with_client(c, make_app()) {
        for (int kept = 0; kept < 2; kept++) {
            client_header(c, "if-none-match", "*");
            reply r = await(client_get(c, "/static/a.txt"));
            check_int(r.status, 304);
            check_int(r.length, 0);
            check_str(reply_header(r, "Content-Type"), NULL);
            check_str(reply_header(r, "Cache-Control"), "public, max-age=60");
            client_header(c, "if-none-match", "\"other\"");
            client_header(c, "if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT");
            r = await(client_get(c, "/static/a.txt"));
            check_int(r.status, 200);
            client_header(c, "if-none-match", reply_header(r, "ETag"));
            r = await(client_get(c, "/static/a.txt"));
            check_int(r.status, 304);
            client_header(c, "if-none-match", NULL);
            r = await(client_get(c, "/static/a.txt"));
            check_int(r.status, 304);
            client_header(c, "if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT");
            r = await(client_get(c, "/static/a.txt"));
            check_int(r.status, 200);
            client_header(c, "if-modified-since", NULL);
        }
    }
}

TEST(folders_have_an_index_and_a_slash)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/static/"));
        check_str(r.body, "<p>home");
        check_str(reply_header(r, "Content-Type"), "text/html; charset=utf-8");
        r = await(client_get(c, "/static/docs/"));
        check_str(r.body, "<p>docs");
        r = await(client_get(c, "/static?a=b"));
        check_int(r.status, 307);
        check_str(reply_header(r, "Location"), "./static/?a=b");
        r = await(client_get(c, "/static/docs"));
        check_int(r.status, 307);
        check_str(reply_header(r, "Location"), "./docs/");
        r = await(client_get(c, "//elsewhere.example/../../static/docs"));
        check_str(reply_header(r, "Location"), "./docs/");
    }
    bide_app *app = bide_app_new(.title = "files");
    bide_app_files(app, "/x", at("site"));
    with_client(c, app) {
        check_int(await(client_get(c, "/x/docs")).status, 404);
        check_int(await(client_get(c, "/x/docs/")).status, 404);
        check_int(await(client_get(c, "/x/")).status, 404);
        check_int(await(client_get(c, "/x")).status, 404);
        reply r = await(client_get(c, "/x/a.txt"));
        check_str(reply_header(r, "Cache-Control"), "no-cache");
    }
}

TEST(an_application_of_one_page)
{
    make_site();
    bide_app *app = bide_app_new(.title = "page");
    bide_app_files(app, "", at("site"), .index = "index.html", .fallback = "index.html",
                   .max_age_s = 9, .immutable = true);
    with_client(c, app) {
        client_header(c, "accept", "application/xhtml+xml, text/html;q=0.9, */*;q=0.1");
        reply r = await(client_get(c, "/users/7"));
        check_int(r.status, 200);
        check_str(r.body, "<p>home");
        check_str(reply_header(r, "Cache-Control"), "no-cache");
        r = await(client_get(c, "/app.js"));
        check_str(r.body, "run();");
        check_str(reply_header(r, "Cache-Control"), "public, max-age=9, immutable");
        check_int(await(client_get(c, "/missing.js")).status, 404);
        check_str(await(client_get(c, "/")).body, "<p>home");
        check_int(await(client_get(c, "/openapi.json")).status, 200);
        client_header(c, "accept", "*/*");
        check_int(await(client_get(c, "/users/7")).status, 404);
    }
}

TEST(a_compressed_neighbour_is_sent_unless_it_is_older)
{
    bide_app *app = make_app();
    struct timespec old[2] = {{1000, 0}, {1000, 0}};
    put("site/app.js.gz", "(gzip of run)");
    put("site/a.txt.gz", "(old)");
    require(utimensat(AT_FDCWD, at("site/a.txt.gz"), old, 0) == 0);
    with_client(c, app) {
        client_header(c, "accept-encoding", "gzip");
        reply r = await(client_get(c, "/static/app.js"));
        const char *tag = reply_header(r, "ETag");
        check_str(r.body, "(gzip of run)");
        check_str(reply_header(r, "Content-Encoding"), "gzip");
        check_str(reply_header(r, "Content-Type"), "text/javascript; charset=utf-8");
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
        r = await(client_get(c, "/static/a.txt"));
        check_str(r.body, "alpha");
        check_str(reply_header(r, "Content-Encoding"), NULL);
        client_header(c, "accept-encoding", "br");
        r = await(client_get(c, "/static/app.js"));
        check_str(r.body, "run();");
        check(strcmp(reply_header(r, "ETag"), tag) != 0);
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
    }
}

TEST(a_change_is_seen_after_a_second)
{
    with_client(c, make_app()) {
        check_str(await(client_get(c, "/static/a.txt")).body, "alpha");
        put("site/new", "beta!");
        char *path = strdup(at("site/a.txt"));
        require(rename(at("site/new"), path) == 0);
        free(path);
        await(bide_sleep(bide_ms(BIDE_CAP_FILE_FRESH_MS)));
        check_str(await(client_get(c, "/static/a.txt")).body, "beta!");
        await(bide_sleep(bide_ms(BIDE_CAP_FILE_FRESH_MS))); /* looked at, and not read again */
        check_str(await(client_get(c, "/static/a.txt")).body, "beta!");
        require(unlink(at("site/a.txt")) == 0);
        check_str(await(client_get(c, "/static/a.txt")).body, "beta!");
        await(bide_sleep(bide_ms(BIDE_CAP_FILE_FRESH_MS)));
        check_int(await(client_get(c, "/static/a.txt")).status, 404);
    }
}

TEST(a_file_of_any_size)
{
    bide_app *app = make_app();
    put("site/large.bin", "");
    put("site/whole.bin", "");
    require(truncate(at("site/large.bin"), BIDE_CAP_FILE_BYTES + 1) == 0);
    require(truncate(at("site/whole.bin"), BIDE_CAP_FILE_BYTES) == 0);
    with_client(c, app) {
        reply r = await(client_get(c, "/static/whole.bin"));
        check_int(r.status, 200);
        check_int(r.length, BIDE_CAP_FILE_BYTES);
        r = await(client_get(c, "/static/large.bin"));
        check_int(r.status, 200);
        check_int(r.length, BIDE_CAP_FILE_BYTES + 1);
    }
}

GET(one, "/static/a.txt", text)
{
    (void)req;
    return "a route";
}
GET(rest, "/static/{rest:path}", text, path(str, rest))
{
    return rest;
}

static void refuses(bide_app *app, const char *part, const char *other)
{
    check_contains(bide_app_check(app), part);
    check_contains(bide_app_check(app), other);
    bide_app_free(app);
}

TEST(routes_come_first_and_what_cannot_work_is_said_at_start)
{
    bide_app *app = make_app();
    bide_app_add(app, "", &one_route);
    with_client(c, app) {
        check_str(await(client_get(c, "/static/a.txt")).body, "a route");
        check_str(await(client_get(c, "/static/app.js")).body, "run();");
    }
    app = bide_app_new(.title = "twice");
    bide_app_files(app, "/static", at("site"));
    bide_app_add(app, "", &rest_route);
    refuses(app, "files_test.c:", "'/static/{path:path}'");
    app = bide_app_new(.title = "missing");
    bide_app_files(app, "/static", at("nowhere"));
    refuses(app, "/nowhere' for '/static' at ", "No such file");
    app = bide_app_new(.title = "a file");
    bide_app_files(app, "/static", at("secret.txt"));
    refuses(app, "cannot be opened", "Not a directory");
    app = bide_app_new(.title = "no fallback");
    bide_app_files(app, "/static", at("site"), .fallback = "404.html");
    refuses(app, "404.html", "No such file");
    app = bide_app_new(.title = "no slash");
    bide_app_files(app, "static", at("site"));
    refuses(app, "'static/{path:path}'", "'/'");
}

TEST(over_a_socket, .real_clock = true)
{
    static char answer[4096];
    bide_app *app = make_app();
    with_server(app, port, {
        talk(port, "HEAD /static/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", answer,
             sizeof answer);
        check_contains(answer, "HTTP/1.1 200 OK\r\n");
        check_contains(answer, "\r\nContent-Length: 5\r\n");
        check_str(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
        talk(port, "GET /static/../secret.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
             answer, sizeof answer);
        check_contains(answer, "HTTP/1.1 404 Not Found\r\n");
        talk(port,
             "GET /static/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
             "If-None-Match: *\r\n\r\n",
             answer, sizeof answer);
        check_contains(answer, "HTTP/1.1 304 Not Modified\r\n");
        check(!strstr(answer, "Content-Length"));
    })
}

static async(void) use_it(void);
SPAWNABLE(void, use_it)
static async(void) use_it(void)
{
    bide_app *app = bide_app_new(.title = "files");
    bide_app_files(app, "/static", at("site"), .index = "index.html");
    with_client(c, app) {
        for (int i = 0; i < 2; i++) {
            reply r = await(client_get(c, "/static/app.js"));
            check(r.status == 500 || r.status == 413 || strcmp(r.body, "run();") == 0);
            await(bide_sleep(bide_ms(BIDE_CAP_FILE_FRESH_MS)));
        }
        (void)await(client_get(c, "/static/docs"));
    }
    return bide_void;
}

TEST(every_allocation_fails_once, .fail_allocations = true)
{
    bide_error *error;
    make_site();
    test_capture_stderr();
    attempt(&error, use_it);
    bide_log_flush(1000);
    (void)test_captured();
    if (error)
        check(error->code == BIDE_NO_MEMORY || error->code == BIDE_INVALID ||
              error->code == BIDE_LIMIT);
}

TEST(every_await_is_cancelled_once, .cancel_everywhere = true)
{
    bide_error *error;
    make_site();
    attempt(&error, use_it);
    if (error)
        fail(error);
}
