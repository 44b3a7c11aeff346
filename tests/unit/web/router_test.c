/* The router: precedence, methods, refusals, mounts, limits. */
#include "base/mem.h"
#include "web/router.h"

#include <bide/test.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bide__router router;

static void start(void)
{
    bide__router_init(&router, "");
}

/* Adds a route whose handler is its pattern; the line counts up. */
static int add(enum bide__http_method method, const char *pattern)
{
    const char *problem = "untouched";
    int line = (int)router.route_count + 1;
    int result = bide__router_add(&router, method, pattern, pattern, "app.c", line, &problem);
    if (result == 0)
        check_str(problem, "untouched");
    else
        printf("%s\n", problem);
    return result;
}

static void add_all(const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        require(add(BIDE__HTTP_GET, patterns[i]) == 0);
}

/*
 * What a request finds, as a text: "405 GET, HEAD, OPTIONS", "404", "redirect", or the route's
 * pattern and the parameters: "/users/{id} id=7". The path is copied to a block of its size, so
 * that a read behind its end is seen.
 */
static const char *ask(enum bide__http_method method, const char *path)
{
    static char answer[8192];
    static const char *const results[] = {
        [BIDE__ROUTE_NOT_FOUND] = "404",
        [BIDE__ROUTE_NOT_ALLOWED] = "405 ",
        [BIDE__ROUTE_ALLOWED] = "allows ",
        [BIDE__ROUTE_REDIRECT] = "redirect",
    };
    size_t length = strlen(path);
    char *copy = malloc(length + (length == 0));
    require(copy);
    memcpy(copy, path, length);
    struct bide__route_match match;
    memset(&match, 0xEE, sizeof match);
    enum bide__route_result result = bide__router_find(&router, method, copy, length, &match);
    size_t used = 0;
    if (result == BIDE__ROUTE_FOUND) {
        check_int(match.parameter_count, match.route->parameter_count);
        used = (size_t)snprintf(answer, sizeof answer, "%s", match.route->pattern);
        for (unsigned i = 0; i < match.parameter_count; i++)
            used += (size_t)snprintf(answer + used, sizeof answer - used, " %s=%.*s",
                                     match.route->parameter_names[i],
                                     (int)match.parameters[i].length, match.parameters[i].bytes);
    } else {
        char allow[BIDE__ROUTE_ALLOW_BYTES] = "";
        if (result == BIDE__ROUTE_NOT_ALLOWED || result == BIDE__ROUTE_ALLOWED) {
            size_t allow_length = bide__route_allow(match.allowed_methods, allow);
            check_int(allow_length, strlen(allow));
        }
        snprintf(answer, sizeof answer, "%s%s", results[result], allow);
    }
    free(copy);
    return answer;
}

static const char *get(const char *path)
{
    return ask(BIDE__HTTP_GET, path);
}

TEST_PLAIN(literals_parameters_and_catch_alls)
{
    start();
    check_str(get("/"), "404");
    static const char *const patterns[] = {"/", "/users", "/users/{id}", "/users/{id}/posts/{post}",
                                           "/files/{name:path}"};
    add_all(patterns, 5);
    check_str(get("/"), "/");
    check_str(get("/users"), "/users");
    check_str(get("/users/7"), "/users/{id} id=7");
    check_str(get("/users/a%2Fb"), "/users/{id} id=a%2Fb");
    check_str(get("/users/7/posts/x.y"), "/users/{id}/posts/{post} id=7 post=x.y");
    check_str(get("/files/a/b/c.txt"), "/files/{name:path} name=a/b/c.txt");
    check_str(get("/files/"), "/files/{name:path} name=");
    check_str(get("/files"), "404");
    check_str(get("/users/7/posts"), "404");
    check_str(get("/user"), "404");
    check_str(get("/userss"), "404");
    check_str(get("/Users"), "404");
    bide__router_done(&router);
}

TEST_PLAIN(what_is_not_a_path_finds_nothing)
{
    start();
    require(add(BIDE__HTTP_GET, "/") == 0 && add(BIDE__HTTP_GET, "/a") == 0);
    check_str(get(""), "404");
    check_str(get("*"), "404");
    check_str(get("a"), "404");
    check_str(get("host:80"), "404");
    bide__router_done(&router);
}

TEST_PLAIN(literals_beat_parameters_which_beat_catch_alls)
{
    start();
    static const char *const patterns[] = {"/{all:path}",     "/{a}/{b}",     "/users/{id}",
                                           "/users/me",       "/{a}/me",      "/users/{id}/posts",
                                           "/users/me/likes", "/{a}/x/{b}/y", "/users/x/z"};
    add_all(patterns, 9);
    check_str(get("/users/me"), "/users/me");
    check_str(get("/users/7"), "/users/{id} id=7");
    check_str(get("/groups/me"), "/{a}/me a=groups");
    check_str(get("/groups/7"), "/{a}/{b} a=groups b=7");
    check_str(get("/users/me/likes"), "/users/me/likes");
    check_str(get("/users/me/posts"), "/users/{id}/posts id=me");
    check_str(get("/users/x/9/y"), "/{a}/x/{b}/y a=users b=9");
    check_str(get("/users/x/9/n"), "/{all:path} all=users/x/9/n");
    check_str(get("/users/me/likes/"), "/{all:path} all=users/me/likes/");
    check_str(get("/"), "/{all:path} all=");
    bide__router_done(&router);
}

TEST_PLAIN(the_order_of_adding_does_not_matter)
{
    start();
    static const char *const patterns[] = {"/a/{x}/c", "/a/b", "/{x}/b/c", "/a/{x:path}"};
    static const char *const paths[] = {"/a/b", "/a/b/c", "/z/b/c", "/a/", "/a/b/d", "/a/q/c"};
    static const char *const answers[] = {"/a/b",           "/a/{x}/c x=b",      "/{x}/b/c x=z",
                                          "/a/{x:path} x=", "/a/{x:path} x=b/d", "/a/{x}/c x=q"};
    for (int order = 0; order < 24; order++) {
        int left[4] = {0, 1, 2, 3};
        start();
        for (int count = 4, code = order; count > 0; code /= count, count--) {
            int pick = code % count;
            require(add(BIDE__HTTP_GET, patterns[left[pick]]) == 0);
            left[pick] = left[count - 1];
        }
        for (int i = 0; i < 6; i++)
            check_str(get(paths[i]), answers[i]);
        bide__router_done(&router);
    }
}

TEST_PLAIN(the_method_decides_with_the_path)
{
    start();
    require(add(BIDE__HTTP_GET, "/users/me") == 0);
    require(add(BIDE__HTTP_DELETE, "/users/{id}") == 0);
    require(add(BIDE__HTTP_POST, "/{all:path}") == 0);
    check_str(ask(BIDE__HTTP_DELETE, "/users/me"), "/users/{id} id=me");
    check_str(ask(BIDE__HTTP_POST, "/users/me"), "/{all:path} all=users/me");
    check_str(ask(BIDE__HTTP_PUT, "/users/me"), "405 GET, HEAD, POST, DELETE, OPTIONS");
    check_str(ask(BIDE__HTTP_PUT, "/users/7"), "405 POST, DELETE, OPTIONS");
    check_str(ask(BIDE__HTTP_OTHER_METHOD, "/users/7"), "405 POST, DELETE, OPTIONS");
    check_str(ask(BIDE__HTTP_PUT, "/x"), "405 POST, OPTIONS");
    check_str(ask(BIDE__HTTP_OPTIONS, "/users/7"), "allows POST, DELETE, OPTIONS");
    bide__router_done(&router);
}

/* The table in src/web/README.md. */
TEST_PLAIN(the_page_of_the_folder_is_true)
{
    start();
    require(add(BIDE__HTTP_GET, "/users/me") == 0 && add(BIDE__HTTP_GET, "/{all:path}") == 0);
    require(add(BIDE__HTTP_GET, "/users/{id}/posts") == 0);
    require(add(BIDE__HTTP_DELETE, "/users/{id}") == 0);
    check_str(get("/users/me"), "/users/me");
    check_str(get("/users/me/posts"), "/users/{id}/posts id=me");
    check_str(ask(BIDE__HTTP_DELETE, "/users/me"), "/users/{id} id=me");
    check_str(get("/users/7"), "/{all:path} all=users/7");
    check_str(ask(BIDE__HTTP_PUT, "/users/7"), "405 GET, HEAD, DELETE, OPTIONS");
    bide__router_done(&router);
}

TEST_PLAIN(head_and_options_are_answered_from_the_table)
{
    start();
    require(add(BIDE__HTTP_GET, "/a") == 0 && add(BIDE__HTTP_HEAD, "/{x}") == 0);
    require(add(BIDE__HTTP_GET, "/{x}") == 0 && add(BIDE__HTTP_OPTIONS, "/b") == 0);
    check_str(ask(BIDE__HTTP_HEAD, "/a"), "/a");
    struct bide__route_match match;
    check_int(bide__router_find(&router, BIDE__HTTP_HEAD, "/z", 2, &match), BIDE__ROUTE_FOUND);
    check_int(match.route->methods, 1 << BIDE__HTTP_HEAD);
    check_int(bide__router_find(&router, BIDE__HTTP_GET, "/z", 2, &match), BIDE__ROUTE_FOUND);
    check_int(match.route->methods, 1 << BIDE__HTTP_GET);
    check_str(ask(BIDE__HTTP_OPTIONS, "/b"), "/b");
    check_str(ask(BIDE__HTTP_OPTIONS, "/a"), "allows GET, HEAD, OPTIONS");
    check_str(ask(BIDE__HTTP_OPTIONS, "/a/b"), "404");
    check_str(ask(BIDE__HTTP_POST, "/b"), "405 GET, HEAD, OPTIONS");
    bide__router_done(&router);
}

TEST_PLAIN(an_allow_field_has_room_for_every_method)
{
    char allow[BIDE__ROUTE_ALLOW_BYTES];
    check_int(bide__route_allow(BIDE__ROUTE_ANY_METHOD, allow), 60);
    check_str(allow, "GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH");
    check_int(bide__route_allow(0, allow), 0);
    check_str(allow, "");
}

TEST_PLAIN(one_route_for_several_methods)
{
    start();
    const char *problem = NULL;
    unsigned methods = 1u << BIDE__HTTP_PUT | 1u << BIDE__HTTP_PATCH;
    check_int(bide__router_add_methods(&router, methods, "/a", NULL, "a.c", 1, &problem), 0);
    check_str(ask(BIDE__HTTP_PATCH, "/a"), "/a");
    check_str(ask(BIDE__HTTP_GET, "/a"), "405 PUT, OPTIONS, PATCH");
    check_int(router.route_count, 1);
    check_int(add(BIDE__HTTP_PATCH, "/a"), -EEXIST);
    check_int(add(BIDE__HTTP_GET, "/a"), 0);
    bide__router_done(&router);
}

TEST_PLAIN(a_slash_at_the_end_counts)
{
    start();
    static const char *const patterns[] = {"/a", "/b/", "/c/{x:path}", "/d/{x}", "/e/{x}/"};
    add_all(patterns, 5);
    static const char *const wrong[] = {"/a/", "/b", "/c", "/d/5/", "/e/5"};
    for (int i = 0; i < 5; i++)
        check_str(get(wrong[i]), "404");
    check_str(get("/b/"), "/b/");
    bide__router_redirect_slash(&router, true);
    for (int i = 0; i < 5; i++)
        check_str(get(wrong[i]), "redirect");
    check_str(get("/a"), "/a");
    check_str(get("/d/"), "404");
    check_str(get("/a//"), "404");
    check_str(get("/"), "404");
    check_str(ask(BIDE__HTTP_POST, "/a"), "405 GET, HEAD, OPTIONS");
    check_str(ask(BIDE__HTTP_POST, "/a/"), "404");
    check_str(ask(BIDE__HTTP_HEAD, "/a/"), "redirect");
    bide__router_done(&router);
}

TEST_PLAIN(no_redirect_to_another_host)
{
    start();
    static const char *const patterns[] = {"/", "/{x}", "/{x}/{y}"};
    add_all(patterns, 3);
    bide__router_redirect_slash(&router, true);
    check_str(get("//"), "404");
    check_str(get("//host/"), "404");
    check_str(get("//host"), "404");
    check_str(get("/host/"), "redirect");
    bide__router_done(&router);
}

TEST_PLAIN(empty_segments_go_to_catch_alls)
{
    start();
    static const char *const patterns[] = {"/a/{x}", "/a/{x}/b", "/a/", "/f/{x:path}"};
    add_all(patterns, 4);
    check_str(get("/a//b"), "404");
    check_str(get("//a"), "404");
    check_str(get("/f//b"), "/f/{x:path} x=/b");
    check_str(get("/f/../b"), "/f/{x:path} x=../b");
    bide__router_done(&router);
}

/* Every length around the words that are compared, each with one byte changed at each place. */
TEST_PLAIN(segments_differ_in_each_byte)
{
    start();
    char pattern[64] = "/";
    char path[64];
    for (size_t length = 1; length <= 40; length++) {
        memset(pattern + 1, 'x', length);
        pattern[length + 1] = '\0';
        require(add(BIDE__HTTP_GET, pattern) == 0);
        memcpy(pattern + length + 1, "/b", 3);
        require(add(BIDE__HTTP_GET, pattern) == 0);
    }
    for (size_t length = 1; length <= 40; length++) {
        for (size_t changed = 0; changed <= length; changed++) {
            for (size_t tail = 0; tail <= 2; tail += 2) {
                memset(path, 'x', sizeof path);
                path[0] = '/';
                memcpy(path + 1 + length, "/b", 3);
                path[1 + length + tail] = '\0';
                check_str(get(path), path);
                if (changed == length)
                    continue;
                path[1 + changed] = 'y';
                check_str(get(path), "404");
            }
        }
    }
    bide__router_done(&router);
}

TEST_PLAIN(many_children)
{
    start();
    char pattern[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(pattern, sizeof pattern, "/%d/x", i * 7919);
        require(add(BIDE__HTTP_GET, pattern) == 0);
    }
    for (int i = 0; i < 3000; i++) {
        snprintf(pattern, sizeof pattern, "/%d/x", i * 7919);
        check_str(get(pattern), pattern);
        snprintf(pattern, sizeof pattern, "/%d/x", i * 7919 + 1);
        check_str(get(pattern), "404");
    }
    bide__router_done(&router);
}

TEST_PLAIN(patterns_are_written_decoded)
{
    start();
    static const char *const patterns[] = {"/caf\xC3\xA9/{x}", "/a b", "/[1]|\"\\^`<>",
                                           "/-._~!$&'()*+,;=:@"};
    add_all(patterns, 4);
    check_str(get("/caf%C3%A9/1"), "/caf\xC3\xA9/{x} x=1");
    check_str(get("/a%20b"), "/a b");
    check_str(get("/a b"), "404");
    check_str(get("/%5B1%5D%7C%22%5C%5E%60%3C%3E"), patterns[2]);
    check_str(get("/-._~!$&'()*+,;=:@"), patterns[3]);
    bide__router_done(&router);
}

TEST_PLAIN(malformed_patterns_are_refused)
{
    static const struct {
        const char *pattern;
        const char *why;
    } cases[] = {
        {"", "it has to begin with '/'"},
        {"users", "it has to begin with '/'"},
        {"{x}", "it has to begin with '/'"},
        {"//", "it has an empty segment"},
        {"/a//b", "it has an empty segment"},
        {"/a%20b", "it is to be written decoded, without '%'"},
        {"/a?b=c", "it is a path only, without '?' and '#'"},
        {"/a#b", "it is a path only, without '?' and '#'"},
        {"/a\nb", "it has a control character"},
        {"/a\x7F", "it has a control character"},
        {"/.", "the segments '.' and '..' never arrive: paths are normalised"},
        {"/a/../b", "the segments '.' and '..' never arrive: paths are normalised"},
        {"/{id", "a '{' is not closed in its segment"},
        {"/{id/x}", "a '{' is not closed in its segment"},
        {"/{", "a '{' is not closed in its segment"},
        {"/id}", "a parameter is a whole segment, '{name}' between two slashes"},
        {"/a{id}", "a parameter is a whole segment, '{name}' between two slashes"},
        {"/{id}a", "a parameter is a whole segment, '{name}' between two slashes"},
        {"/{a}{b}", "a parameter is a whole segment, '{name}' between two slashes"},
        {"/{}", "a parameter's name is a C identifier"},
        {"/{:path}", "a parameter's name is a C identifier"},
        {"/{1a}", "a parameter's name is a C identifier"},
        {"/{a-b}", "a parameter's name is a C identifier"},
        {"/{{a}", "a parameter's name is a C identifier"},
        {"/{id:int}", "after a parameter's name only ':path' may follow"},
        {"/{id:}", "after a parameter's name only ':path' may follow"},
        {"/{id:paths}", "after a parameter's name only ':path' may follow"},
        {"/{a:path}/b", "a catch-all is the last segment"},
        {"/{a:path}/", "a catch-all is the last segment"},
        {"/{a:path}/{b:path}", "it has two catch-alls"},
        {"/{a}/b/{a}", "it has two parameters of one name"},
        {"/{a}/b/{a:path}", "it has two parameters of one name"},
    };
    start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *problem = NULL;
        char expected[256];
        snprintf(expected, sizeof expected, "PUT '%s' at b.c:%zu: malformed pattern: %s",
                 cases[i].pattern, i, cases[i].why);
        check_int(bide__router_add(&router, BIDE__HTTP_PUT, cases[i].pattern, NULL, "b.c", (int)i,
                                   &problem),
                  -EINVAL);
        check_str(problem, expected);
    }
    check_int(router.route_count, 0);
    bide__router_done(&router);
}

TEST_PLAIN(the_same_route_twice_is_refused)
{
    start();
    const char *problem = NULL;
    require(add(BIDE__HTTP_GET, "/page/{ident}") == 0);
    check_int(bide__router_add(&router, BIDE__HTTP_GET, "/page/{id}", NULL, "b.c", 20, &problem),
              -EEXIST);
    check_str(problem,
              "GET '/page/{id}' at b.c:20 is the same route as GET '/page/{ident}' at app.c:1");
    check_int(add(BIDE__HTTP_POST, "/page/{id}"), 0);
    check_int(add(BIDE__HTTP_GET, "/page/{id}/"), 0);
    check_int(router.route_count, 3);
    check_str(get("/page/x"), "/page/{ident} ident=x");
    check_str(ask(BIDE__HTTP_POST, "/page/x"), "/page/{id} id=x");
    bide__router_done(&router);
}

TEST_PLAIN(a_hidden_catch_all_is_refused_whoever_comes_last)
{
    static const char *const patterns[] = {
        "/x/", "/x/{a}", "/x/{a}/", "/x/{a}/{b}", "/x/{a}/{b}/{c:path}", "/x/{all:path}"};
    for (int last = 0; last < 6; last++) {
        start();
        for (int i = 0; i < 6; i++)
            if (i != last)
                require(add(BIDE__HTTP_GET, patterns[i]) == 0);
        check_int(add(BIDE__HTTP_POST, patterns[last]), 0);
        const char *problem = NULL;
        check_int(
            bide__router_add(&router, BIDE__HTTP_GET, patterns[last], NULL, "b.c", 9, &problem),
            -EEXIST);
        char expected[256];
        snprintf(expected, sizeof expected,
                 "GET '/x/{all:path}' at %s can never match: more specific routes take all its "
                 "paths, one of them GET '%s' at %s",
                 last == 5 ? "b.c:9" : "app.c:5", last == 5 ? "/x/{a}" : patterns[last],
                 last == 5 ? "app.c:2" : "b.c:9");
        check_str(problem, expected);
        check_int(router.route_count, 6);
        check_str(ask(BIDE__HTTP_PUT, "/x"), "404");
        bide__router_done(&router);
    }
}

TEST_PLAIN(a_catch_all_is_hidden_when_all_its_methods_are)
{
    static const char *const patterns[] = {"/", "/{a}", "/{a}/{b:path}"};
    const char *problem = NULL;
    start();
    add_all(patterns, 3);
    check_int(bide__router_mount(&router, "", "all", "b.c", 9, &problem), 0);
    check_str(get("/x/y"), "/{a}/{b:path} a=x b=y");
    check_str(ask(BIDE__HTTP_PUT, "/x/y"), "/{rest:path} rest=x/y");
    bide__router_done(&router);
    start();
    add_all(patterns, 3);
    unsigned methods = 1u << BIDE__HTTP_GET | 1u << BIDE__HTTP_HEAD;
    check_int(bide__router_add_methods(&router, methods, "/{all:path}", NULL, "b.c", 9, &problem),
              -EEXIST);
    check_str(problem,
              "GET, HEAD '/{all:path}' at b.c:9 can never match: more specific routes take "
              "all its paths, one of them GET '/{a}' at app.c:2");
    bide__router_done(&router);
}

TEST_PLAIN(a_route_that_is_refused_leaves_no_trace)
{
    start();
    require(add(BIDE__HTTP_GET, "/{a}") == 0 && add(BIDE__HTTP_GET, "/{a}/{b:path}") == 0);
    require(add(BIDE__HTTP_GET, "/{all:path}") == 0);
    check_str(get("/"), "/{all:path} all=");
    check_int(add(BIDE__HTTP_GET, "/"), -EEXIST);
    check_str(get("/"), "/{all:path} all=");
    check_int(add(BIDE__HTTP_POST, "/"), 0);
    check_str(ask(BIDE__HTTP_POST, "/"), "/");
    bide__router_done(&router);
}

TEST_PLAIN(prefixes_stand_before_every_pattern)
{
    const char *problem = NULL;
    bide__router_init(&router, "/users");
    check_int(add(BIDE__HTTP_GET, ""), 0);
    check_int(add(BIDE__HTTP_GET, "/"), 0);
    check_int(add(BIDE__HTTP_GET, "/{id}"), 0);
    check_int(add(BIDE__HTTP_GET, "x"), 0);
    check_int(bide__router_mount(&router, "/old", "old", "app.c", 8, &problem), 0);
    check_str(get("/users"), "/users");
    check_str(get("/users/"), "/users/");
    check_str(get("/users/7"), "/users/{id} id=7");
    check_str(get("/usersx"), "/usersx");
    check_str(get("/users/old/7"), "/users/old/{rest:path} rest=7");
    check_str(get("/7"), "404");
    bide__router_done(&router);
}

TEST_PLAIN(a_foreign_application_gets_what_is_left)
{
    const char *problem = NULL;
    start();
    require(add(BIDE__HTTP_GET, "/static/app.js") == 0);
    check_int(bide__router_mount(&router, "/static", "files", "app.c", 8, &problem), 0);
    check_int(router.route_count, 3);
    check_str(get("/static"), "/static");
    check_str(get("/static/"), "/static/{rest:path} rest=");
    check_str(get("/static/app.js"), "/static/app.js");
    check_str(ask(BIDE__HTTP_POST, "/static/app.js"), "/static/{rest:path} rest=app.js");
    check_str(ask(BIDE__HTTP_OTHER_METHOD, "/static/a/b"), "/static/{rest:path} rest=a/b");
    check_str(get("/statics"), "404");
    check_int(bide__router_mount(&router, "/static", "more", "app.c", 9, &problem), -EEXIST);
    check_str(
        problem,
        "any method '/static' at app.c:9 is the same route as any method '/static' at app.c:8");
    check_int(bide__router_mount(&router, "", "all", "app.c", 10, &problem), 0);
    check_str(get("/statics"), "/{rest:path} rest=statics");
    check_str(get("/"), "/{rest:path} rest=");
    bide__router_done(&router);
}

TEST_PLAIN(routes_are_listed_by_file_and_line)
{
    static const struct {
        const char *file;
        int line;
        const char *pattern;
    } added[] = {{"b.c", 2, "/5"}, {"a.c", 9, "/3"}, {"b.c", 1, "/4"},
                 {"a.c", 1, "/2"}, {"a.c", 1, "/1"}, {"b.c", 10, "/6/{x}/{y:path}"}};
    start();
    size_t count = 1;
    bide__router_routes(&router, &count);
    check_int(count, 0);
    const char *problem = NULL;
    for (int i = 0; i < 6; i++)
        require(bide__router_add(&router, BIDE__HTTP_GET, added[i].pattern, NULL, added[i].file,
                                 added[i].line, &problem) == 0);
    const struct bide__route *const *routes = bide__router_routes(&router, &count);
    require(count == 6);
    for (int i = 0; i < 6; i++)
        check_int(routes[i]->pattern[1], '1' + i);
    check_int(routes[5]->parameter_count, 2);
    check(routes[5]->has_rest && !routes[4]->has_rest);
    check_str(routes[5]->parameter_names[1], "y");
    bide__router_done(&router);
}

TEST_PLAIN(at_the_limits)
{
    start();
    char pattern[BIDE__ROUTE_PATTERN_BYTES + 2] = "";
    for (int i = 0; i < BIDE__ROUTE_PARAMETERS; i++)
        snprintf(pattern + strlen(pattern), 16, "/{p%d}", i);
    check_int(add(BIDE__HTTP_GET, pattern), 0);
    check_contains(get("/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f"),
                   " p9=9 p10=a p11=b p12=c p13=d p14=e p15=f");
    check_str(get("/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g"), "404");
    strcat(pattern, "/x");
    check_int(add(BIDE__HTTP_GET, pattern), 0);
    check_contains(get("/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/x"), " p15=f");
    strcat(pattern, "/{p16}");
    check_int(add(BIDE__HTTP_GET, pattern), -EINVAL);

    pattern[0] = '\0';
    for (int i = 0; i < BIDE__ROUTE_SEGMENTS; i++)
        strcat(pattern, "/s");
    check_int(add(BIDE__HTTP_GET, pattern), 0);
    check_str(get(pattern), pattern);
    bide__router_redirect_slash(&router, true);
    strcat(pattern, "/");
    check_str(get(pattern), "redirect");
    check_int(add(BIDE__HTTP_GET, pattern), -EINVAL);

    memset(pattern, 'x', sizeof pattern);
    pattern[0] = '/';
    pattern[BIDE__ROUTE_PATTERN_BYTES] = '\0';
    check_int(add(BIDE__HTTP_GET, pattern), 0);
    check_str(get(pattern), pattern);
    pattern[BIDE__ROUTE_PATTERN_BYTES] = 'x';
    pattern[BIDE__ROUTE_PATTERN_BYTES + 1] = '\0';
    check_int(add(BIDE__HTTP_GET, pattern), -EINVAL);
    bide__router_done(&router);
}

TEST_PLAIN(a_path_of_a_megabyte)
{
    enum { LENGTH = 1 << 20 };
    start();
    static const char *const patterns[] = {"/{a}", "/{a}/{b}/x", "/a/a/a/a", "/f/{x:path}"};
    add_all(patterns, 4);
    char *path = malloc(LENGTH);
    require(path);
    struct bide__route_match match;
    for (size_t i = 0; i < LENGTH; i++)
        path[i] = i % 2 ? 'a' : '/';
    check_int(bide__router_find(&router, BIDE__HTTP_GET, path, LENGTH, &match),
              BIDE__ROUTE_NOT_FOUND);
    memset(path + 1, 'a', LENGTH - 1);
    check_int(bide__router_find(&router, BIDE__HTTP_GET, path, LENGTH, &match), BIDE__ROUTE_FOUND);
    check_int(match.parameters[0].length, LENGTH - 1);
    memset(path, '/', LENGTH);
    path[1] = 'f';
    check_int(bide__router_find(&router, BIDE__HTTP_GET, path, LENGTH, &match), BIDE__ROUTE_FOUND);
    check_int(match.parameters[0].length, LENGTH - 3);
    free(path);
    bide__router_done(&router);
}

TEST_PLAIN(a_router_that_is_full_says_so)
{
    start();
    char pattern[1001];
    int result = 0;
    size_t count = 0;
    for (; result == 0 && count < 100000; count++) {
        snprintf(pattern, sizeof pattern, "/%0999zu", count);
        const char *problem = NULL;
        result = bide__router_add(&router, BIDE__HTTP_GET, pattern, NULL, "a.c", 1, &problem);
        if (result)
            check_str(problem, "out of memory for routes");
    }
    check_int(result, -ENOMEM);
    check_int(router.route_count, count - 1);
    snprintf(pattern, sizeof pattern, "/%0999zu", count - 2);
    check_str(get(pattern), pattern);
    check_str(get("/other"), "404");
    bide__router_done(&router);
}

/* Whatever fails, finding goes on and nothing stays behind. */
TEST_PLAIN(each_allocation_may_fail, .fail_allocations = true)
{
    static const char *const patterns[] = {"/a/b", "/a/c d", "/{x}/{y}", "/{x}/{y:path}",
                                           "/{all:path}"};
    int64_t before = bide__mem_live();
    start();
    size_t routes = 0;
    for (int i = 0; i < 5; i++) {
        const char *problem = NULL;
        int result =
            bide__router_add(&router, BIDE__HTTP_GET, patterns[i], NULL, "a.c", i, &problem);
        check(result == 0 || (result == -ENOMEM && problem));
        int again =
            bide__router_add(&router, BIDE__HTTP_GET, patterns[i], NULL, "a.c", i, &problem);
        check(again == -ENOMEM || again == (result ? 0 : -EEXIST));
        routes += !(result && again);
    }
    const char *problem = NULL;
    int result = bide__router_mount(&router, "/p", "p", "a.c", 9, &problem);
    check(result == 0 || (result == -ENOMEM && problem));
    check(router.route_count >= routes);
    if (result == 0 && routes == 5)
        check_str(get("/p/1/2/3"), "/p/{rest:path} rest=1/2/3");
    else
        get("/p/1/2/3");
    bide__router_done(&router);
    check_int(bide__mem_live(), before);
}
