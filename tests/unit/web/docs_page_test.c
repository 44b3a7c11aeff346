/* /docs: Swagger UI where it is, the plain page elsewhere; nothing asks another host. A browser's
   view is tests/run_docs_page.py. */
#include "web_case.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/bide_docs_XXXXXX";

static void put(const char *name, const char *content)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    require(file);
    fputs(content, file);
    fclose(file);
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", folder);
}

static void make_folder(void)
{
    require(mkdtemp(folder));
    atexit(remove_folder);
    put("swagger-ui-bundle.js", "bundle");
    put("swagger-ui.css", "style");
    put("init.js", "not ours");
}

static void check_page(bide_client_reply r, const char *type)
{
    check_int(r.status, 200);
    check_str(bide_client_reply_header(r, "Content-Type"), type);
    check_contains(bide_client_reply_header(r, "Content-Security-Policy"),
                   "default-src 'none'; script-src 'self';");
    check(!strstr(r.body, "http://") && !strstr(r.body, "https://") && !strstr(r.body, "\"//"));
    check(!strstr(r.body, "<script>"));
}

TEST(the_plain_page)
{
    require(setenv("BIDE_SWAGGER_UI", "", 1) == 0);
    with_client(c, bide_app_new(.title = "docs")) {
        reply r = await(client_get(c, "/docs"));
        check_page(r, "text/html; charset=utf-8");
        check_contains(r.body, "<script src=\"docs/init.js\">");
        check(!strstr(r.body, "swagger"));
        r = await(client_get(c, "/docs/init.js"));
        check_page(r, "text/javascript; charset=utf-8");
        check_contains(r.body, "fetch('openapi.json')");
        check_int(await(client_get(c, "/docs/swagger-ui.css")).status, 404);
    }
}

TEST(swagger_ui_from_a_folder)
{
    make_folder();
    require(setenv("BIDE_SWAGGER_UI", folder, 1) == 0);
    with_client(c, bide_app_new(.title = "docs")) {
        reply r = await(client_get(c, "/docs"));
        check_page(r, "text/html; charset=utf-8");
        check_contains(r.body, "docs/swagger-ui-bundle.js");
        r = await(client_get(c, "/docs/init.js"));
        check_page(r, "text/javascript; charset=utf-8");
        check_contains(r.body, "SwaggerUIBundle(");
        r = await(client_get(c, "/docs/swagger-ui.css"));
        check_str(r.body, "style");
        check_str(reply_header(r, "Content-Type"), "text/css; charset=utf-8");
        check_int(await(client_get(c, "/docs/missing.js")).status, 404);
        check_int(await(client_get(c, "/docs/../docs/%2e%2e/etc/passwd")).status, 404);
    }
}

TEST(a_folder_without_swagger_ui_is_none)
{
    require(mkdtemp(folder));
    atexit(remove_folder);
    require(setenv("BIDE_SWAGGER_UI", folder, 1) == 0);
    with_client(c, bide_app_new(.title = "docs")) {
        check(!strstr(await(client_get(c, "/docs")).body, "swagger"));
    }
}

TEST(no_docs_are_no_pages)
{
    with_client(c, bide_app_new(.title = "docs", .no_docs = true)) {
        check_int(await(client_get(c, "/docs")).status, 404);
        check_int(await(client_get(c, "/docs/init.js")).status, 404);
        check_int(await(client_get(c, "/openapi.json")).status, 404);
    }
}
