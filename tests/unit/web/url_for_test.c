/* From routes to URLs: what they are made of, what is refused, what stands before them. */
#include "web_case.h"

#include <bide/middleware.h>

ENUM(order, newest, oldest);

/* Declared before the route, as in a header. */
LINK(to_item, get_item, path(str, name), query(order, sort), query(i32, page));

PROVIDER(int, paged, query(i32, page, dflt(1)))
{
    provide(page);
}

GET(get_item, "/items/{name}", text, path(str, name), query(order, sort, dflt(order_newest)),
    query(list(str), tags), query(str, q, alias("search"), optional), depends(int, page, paged))
{
    return bide_arena_printf(bide_arena_of(req), "%s %d %zu %s %d", name, (int)sort, tags.count,
                             q ? q : "-", page);
}

GET(get_file, "/a b/{id}/{rest:path}", text, path(i64, id), path(str, rest),
    query(_Bool, raw, dflt(false)), query(date, day, optional))
{
    (void)id, (void)raw, (void)day;
    return rest;
}

GET(get_index, "/", text)
{
    return url_for(req, get_item, "x");
}

GET(get_links, "/links", text, query(str, name))
{
    bide_list(str) tags = {(const char *[]){"a&b", "c d"}, 2};
    return bide_arena_printf(
        bide_arena_of(req), "%s %s %s %s %s %s", url_for(req, get_item, name),
        url_for(req, get_item, "50%", .tags = tags, .q = "ä?", .sort = order_oldest),
        url_for(req, get_item, "n", .q = NULL), url_for(req, to_item, "l", .page = 0),
        url_for(req, get_file, -7, "x/y z", .raw = false, .day = ((bide_date){19782})),
        url_for(bide_app_of(req), get_index));
}

GET(get_rest, "/rest", text, query(str, rest))
{
    return url_for(req, get_file, 1, rest);
}

GET(get_any, "/{path:path}", text, path(str, path))
{
    return bide_arena_printf(bide_arena_of(req), "%s %s", path, url_for(req, get_any, path));
}

GET(get_absolute, "/absolute", text)
{
    return bide_absolute_url(req, url_for(req, get_item, "x"));
}

static const char trusted[] = "example.org";

/* Takes the options of an application with all of these routes. */
static bide_app *make_app(const struct bide_app_options *options)
{
    bide_app *app = bide__app_new(options);
    bide_app_add(app, "", &get_item_route, &get_file_route, &get_index_route, &get_links_route,
                 &get_rest_route, &get_absolute_route);
    return app;
}
#define make_app(...) make_app(&(struct bide_app_options){__VA_ARGS__})

TEST(urls_are_made_of_values)
{
    with_client(c, make_app(.title = "links")) {
        check_str(await(client_get(c, "/")).body, "/items/x");
        check_str(await(client_get(c, "/links?name=a/b%3fc%20%C3%A4")).body,
                  "/items/a%2Fb%3Fc%20%C3%A4 "
                  "/items/50%25?tags=a%26b&tags=c%20d&search=%C3%A4%3F&sort=oldest "
                  "/items/n /items/l?page=0 "
                  "/a%20b/-7/x/y%20z?raw=false&day=2024-02-29 /");
    }
}

/* What is made leads back to the same values. */
TEST(a_url_finds_its_route)
{
    with_client(c, make_app(.title = "links")) {
        check_str(await(client_get(c, "/items/50%25?tags=a%26b&tags=c%20d&search=%C3%A4%3F"
                                      "&sort=oldest&page=3"))
                      .body,
                  "50% 1 2 \xC3\xA4? 3");
        check_str(await(client_get(c, "/a%20b/-7/x/y%20z?raw=false")).body, "x/y z");
    }
}

TEST(values_that_no_path_has_are_refused)
{
    with_client(c, make_app(.title = "links")) {
        check_int(await(client_get(c, "/links?name=")).status, 500);
        check_int(await(client_get(c, "/links?name=.")).status, 500);
        check_int(await(client_get(c, "/links?name=..")).status, 500);
        check_int(await(client_get(c, "/links?name=...")).status, 200);
        check_int(await(client_get(c, "/rest?rest=a/../b")).status, 500);
        check_int(await(client_get(c, "/rest?rest=..")).status, 500);
        check_int(await(client_get(c, "/rest?rest=a/.")).status, 500);
        check_str(await(client_get(c, "/rest?rest=")).body, "/a%20b/1/");
        check_str(await(client_get(c, "/rest?rest=/a/")).body, "/a%20b/1//a/");
    }
}

/* A second slash would begin a host. What is made leads back to the same value. */
TEST(no_value_names_another_host)
{
    bide_app *app = bide_app_new(.title = "any");
    bide_app_add(app, "", &get_any_route);
    with_client(c, app) {
        check_str(await(client_get(c, "//evil.example/x")).body,
                  "/evil.example/x /%2Fevil.example/x");
        check_str(await(client_get(c, "/%2Fevil.example/x")).body,
                  "/evil.example/x /%2Fevil.example/x");
        check_str(await(client_get(c, "///evil.example")).body, "//evil.example /%2F/evil.example");
        check_str(await(client_get(c, "/%5Cevil.example")).body, "\\evil.example /%5Cevil.example");
        check_str(await(client_get(c, "/a//b/")).body, "a//b/ /a//b/");
    }
    app = bide_app_new(.root_path = "/blog");
    bide_app_add(app, "", &get_any_route);
    with_client(c, app) {
        check_str(await(client_get(c, "//x")).body, "/x /blog//x");
    }
}

TEST(a_root_path_stands_before)
{
    with_client(c, make_app(.root_path = "/blog/")) {
        check_str(await(client_get(c, "/")).body, "/blog/items/x");
    }
    with_client(c, make_app(.public_url = "https://example.org/blog")) {
        check_str(await(client_get(c, "/")).body, "/blog/items/x");
        check_str(await(client_get(c, "/absolute")).body, "https://example.org/blog/items/x");
    }
    with_client(c, make_app(.public_url = "http://[::1]:8000/", .root_path = "/a%20b")) {
        check_str(await(client_get(c, "/absolute")).body, "http://[::1]:8000/a%20b/items/x");
    }
}

/* Whoever sends a request says for which host it is. */
TEST(the_host_of_a_request_counts_where_it_is_checked)
{
    with_client(c, make_app(.title = "links")) {
        check_int(await(client_get(c, "/absolute")).status, 500);
    }
    bide_app *app = make_app(.root_path = "/blog");
    bide_app_use(app, bide_trusted_hosts, trusted);
    with_client(c, app) {
        client_header(c, "host", "example.org:8443");
        client_from(c, "192.0.2.1", "https");
        check_str(await(client_get(c, "/absolute")).body, "https://example.org:8443/blog/items/x");
    }
}

/* ---- what is wrong is found at the start ---- */

static void check_problem(bide_app *app, const char *problem)
{
    const char *said = bide_app_check(app);
    check_contains(said ? said : "nothing", problem);
    bide_app_free(app);
}

TEST(options_are_checked)
{
    check_problem(make_app(.public_url = "example.org"), "public_url 'example.org': a URL begins");
    check_problem(make_app(.public_url = "https://example.org/?a"), "a query");
    check_problem(make_app(.root_path = "blog"), "root_path 'blog' is no path");
    check_problem(make_app(.root_path = "//evil"), "root_path '//evil' is no path");
}

GET(get_one, "/one/{id}", text, path(i64, id), query(i32, page, optional))
{
    (void)id, (void)page;
    return "";
}
LINK(one_by_name, get_one, path(str, id));

GET(get_two, "/two/{id}", text, path(i64, id), query(i32, page, optional))
{
    (void)id, (void)page;
    return "";
}
LINK(two_by_pag, get_two, path(i64, id), query(i32, pag));

GET(get_three, "/three/{id}/{at}", text, path(i64, id), path(i64, at))
{
    (void)id, (void)at;
    return "";
}
LINK(three_half, get_three, path(i64, id));

TEST(links_fit_their_routes)
{
    bide_app *app = bide_app_new(.title = "links");
    bide_app_add(app, "", &get_one_route);
    check_problem(app, "its `id` is a `str`, that of the route a `i64`");
    app = bide_app_new(.title = "links");
    bide_app_add(app, "", &get_two_route);
    check_problem(app, "the route `get_two` takes no `pag` from the query: did you mean `page`?");
    app = bide_app_new(.title = "links");
    bide_app_add(app, "", &get_three_route);
    check_problem(app, "the path of the route `get_three` has 2 values");
}

/* ---- the same route twice ---- */

TEST(of_two_prefixes_the_first_counts)
{
    bide_app *app = bide_app_new(.title = "links");
    bide_app_add(app, "/v1", &get_item_route, &get_index_route);
    bide_app_add(app, "/v2", &get_item_route, &get_index_route);
    with_client(c, app) {
        check_str(await(client_get(c, "/v2/")).body, "/v1/items/x");
    }
}

TEST(a_route_that_is_not_there_has_no_url)
{
    bide_app *app = bide_app_new(.title = "links");
    bide_app_add(app, "", &get_index_route);
    with_client(c, app) {
        check_int(await(client_get(c, "/")).status, 500);
    }
}
