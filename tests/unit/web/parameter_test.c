/* Parameters: every source and type, and all problems at once. */
#include "web_case.h"

ENUM(order, up, down);
MODEL(echo, "", (str, text, optional));

/* What arrived, as a text in the request's memory. */
static echo said(bide_request *req, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
static echo said(bide_request *req, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    echo e = {.text = bide_arena_vprintf(bide_arena_of(req), format, args)};
    va_end(args);
    return e;
}

GET(all_of_path, "/p/{id}/{name}/{rest:path}", echo, path(i32, id), path(str, name, len(1, 5)),
    path(str, rest))
{
    return said(req, "%d|%s|%s", id, name, rest);
}

GET(all_of_query, "/q", echo, query(str, q, optional), query(i32, page, dflt(1), range(1, 9)),
    query(bool, deep, dflt(0)), query(order, sort, dflt(order_down)),
    query(list(i64), ids, len(0, 3), optional), query(f64, ratio, alias("the-ratio"), optional),
    query(i32, age, optional))
{
    char numbers[64] = "";
    for (size_t i = 0; i < ids.count; i++)
        snprintf(numbers + strlen(numbers), sizeof numbers - strlen(numbers), ",%lld",
                 (long long)ids.items[i]);
    return said(req, "%s|%d|%d|%s|%s|%g|%d%s", q ? q : "-", page, deep, order_name(sort), numbers,
                ratio, age, bide_given(req, age) ? "!" : "");
}

GET(the_rest, "/h", echo, header(str, user_agent, optional), header(i32, x_count, dflt(3)),
    cookie(str, sid, optional), header(str, odd, alias("X-Odd_One"), optional))
{
    return said(req, "%s|%d|%s|%s", user_agent ? user_agent : "-", x_count, sid ? sid : "-",
                odd ? odd : "-");
}

PUT(change, "/users/{id}", echo, path(i64, id, range(1, 9)), query(i32, version),
    body(user_in, form))
{
    return said(req, "%lld|%d|%s|%d", (long long)id, version, form->name, form->age);
}

PATCH(patch, "/users/{id}", nothing, path(i64, id))
{
    if (id == 3)
        fail(http_error(409, "taken"));
}

/* A block that does not fit into the frame. */
MODEL(wide, "", (json, a), (json, b), (json, c), (json, d), (json, e), (json, f), (json, g),
      (json, h));
POST(large, "/large", list(wide), query(list(str), q1, optional), query(list(str), q2, optional),
     query(list(str), q3, optional), query(list(str), q4, optional), query(list(str), q5, optional),
     query(list(str), q6, optional), query(list(str), q7, optional), query(list(str), q8, optional),
     query(list(str), q9, optional), query(list(str), q10, optional),
     query(list(str), q11, optional), query(list(str), q12, optional),
     query(list(str), q13, optional), query(list(str), q14, optional),
     query(list(str), q15, optional), query(list(str), q16, optional), body(wide, w))
{
    wide *copy = bide_arena_copy(bide_arena_of(req), w, sizeof *w);
    require(copy && q1.count + q2.count + q3.count + q4.count + q5.count + q6.count == 0);
    require(q7.count + q8.count + q9.count + q10.count + q11.count + q12.count == 0);
    require(q13.count + q14.count + q15.count == 0 && q16.count == 1);
    return (wide_list){copy, 1};
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "parameters");
    bide_app_add(app, "", &all_of_path_route, &all_of_query_route, &the_rest_route, &change_route,
                 &patch_route, &large_route);
    return app;
}

static void gives(bide_client *c, const char *target, const char *text) BIDE__TASK;
static void gives(bide_client *c, const char *target, const char *text)
{
    reply r = await(client_get(c, target));
    check_int(r.status, 200);
    if (r.status == 200)
        check_str(json_str(r, "text"), text);
    else
        check_str(r.body, text);
}

/* The type and the place of each problem. */
static void refuses(bide_client *c, const char *target, const char *expected) BIDE__TASK;
static void refuses(bide_client *c, const char *target, const char *expected)
{
    char text[512] = "", name[64];
    reply r = await(client_get(c, target));
    check_int(r.status, 422);
    for (size_t i = 0; r.status == 422 && i < json_count(r, "detail"); i++) {
        snprintf(name, sizeof name, "detail.%zu.type", i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "",
                 json_str(r, name));
        snprintf(name, sizeof name, "detail.%zu.loc.1", i);
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s", json_str(r, name));
    }
    check_str(text, expected);
}

TEST(path_parameters)
{
    with_client(c, make_app()) {
        gives(c, "/p/7/Sam/", "7|Sam|");
        gives(c, "/p/7/Sam/a/b", "7|Sam|a/b");
        gives(c, "/p/-7/S%20%2Fm/a%20b", "-7|S /m|a b");
        gives(c, "/p/7/S+m/%61%2e%C3%A9", "7|S+m|a.\xC3\xA9");
        gives(c, "/p/7/x/../Sam/./y", "7|Sam|y");
        refuses(c, "/p/x/Samwise/", "int_parsing id, string_too_long name");
        check_int(await(client_get(c, "/p/7/%ff/x")).status, 400);
        check_int(await(client_get(c, "/p/7/%00/x")).status, 400);
        check_int(await(client_get(c, "/p/7/%2/x")).status, 400);
    }
}

TEST(query_parameters)
{
    with_client(c, make_app()) {
        gives(c, "/q", "-|1|0|down||0|0");
        gives(c, "/q?q=a+b%2B&page=9&deep=on&sort=up&ids=1&ids=-2&the-ratio=0.5&age=0",
              "a b+|9|1|up|,1,-2|0.5|0!");
        gives(c, "/q?other=1&&q", "-|1|0|down||0|0");
        refuses(c, "/q?page=0&deep=2&sort=left&ids=1&ids=x",
                "greater_than_equal page, bool_parsing deep, enum sort, int_parsing ids");
        refuses(c, "/q?ids=1&ids=2&ids=3&ids=4", "too_long ids");
        refuses(c, "/q?q=%ff", "string_unicode q");
        refuses(c, "/q?page=1&page=2", "duplicate_key page");
    }
}

TEST(a_query_that_is_not_well_formed)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/q?q=%zz"));
        check_int(r.status, 422);
        check_str(json_str(r, "detail.0.type"), "url_encoding");
        /* more pairs than fit into a frame, and more than anybody may send */
        char long_query[8192] = "/q?";
        for (int i = 0; i < 40; i++)
            strcat(long_query, "a=1&");
        strcat(long_query, "q=last");
        gives(c, long_query, "last|1|0|down||0|0");
        for (int i = 0; i < 1000; i++)
            strcat(long_query, "&a=1");
        r = await(client_get(c, long_query));
        check_int(r.status, 422);
        check_str(json_str(r, "detail.0.type"), "too_many_pairs");
    }
}

TEST(headers_and_cookies)
{
    with_client(c, make_app()) {
        gives(c, "/h", "-|3|-|-");
        client_header(c, "USER-AGENT", "curl");
        client_header(c, "x-count", "12");
        client_header(c, "x-odd_one", "yes");
        client_header(c, "Cookie", "a=b; sid=\"s1\"; sid=s2");
        gives(c, "/h", "curl|12|s1|yes");
        client_header(c, "x-count", "many");
        refuses(c, "/h", "int_parsing x-count");
    }
}

TEST(all_problems_at_once)
{
    with_client(c, make_app()) {
        reply r = await(client_put(c, "/users/10", json("{\"age\":200,\"name\":\"\"}")));
        check_int(r.status, 422);
        check_int((int)json_count(r, "detail"), 4);
        check_contains(r.body, "{\"type\":\"less_than_equal\",\"loc\":[\"path\",\"id\"]");
        check_contains(r.body, "{\"type\":\"missing\",\"loc\":[\"query\",\"version\"]");
        check_contains(r.body, "{\"type\":\"less_than_equal\",\"loc\":[\"body\",\"age\"]");
        check_contains(r.body, "{\"type\":\"string_too_short\",\"loc\":[\"body\",\"name\"]");
    }
}

TEST(bodies)
{
    bide_client_body body = {"application/merge-patch+json; charset=utf-8", "{\"name\":\"Sam\"}",
                             14};
    with_client(c, make_app()) {
        reply r = await(client_put(c, "/users/1?version=2", json("{\"name\":\"Sam\",\"age\":33}")));
        check_str(json_str(r, "text"), "1|2|Sam|33");
        r = await(client_put(c, "/users/1?version=2", body));
        check_str(json_str(r, "text"), "1|2|Sam|0");
        body.content_type = "text/plain";
        r = await(client_put(c, "/users/1?version=2", body));
        check_int(r.status, 415);
        body.content_type = "application/jsonx";
        r = await(client_put(c, "/users/1?version=2", body));
        check_int(r.status, 415);
        body.content_type = NULL;
        r = await(client_put(c, "/users/1?version=2", body));
        check_int(r.status, 415);
        r = await(client_put(c, "/users/1?version=2", no_body));
        check_int(r.status, 422);
        check_str(
            r.body,
            "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field required\"}]}");
        r = await(client_put(c, "/users/1?version=2", json("{\"name\":")));
        check_int(r.status, 422);
        check_str(json_str(r, "detail.0.type"), "json_invalid");
        static char huge[(1 << 20) + 1];
        r = await(client_put(c, "/users/1?version=2",
                             ((bide_client_body){"application/json", huge, sizeof huge})));
        check_int(r.status, 413);
    }
}

TEST(a_reply_without_a_body)
{
    with_client(c, make_app()) {
        reply r = await(client_patch(c, "/users/1", no_body));
        check_int(r.status, 204);
        check_str(r.body, "");
        check_str(reply_header(r, "content-type"), NULL);
        r = await(client_patch(c, "/users/3", no_body));
        check_int(r.status, 409);
        check_str(json_str(r, "detail"), "taken");
    }
}

TEST(a_block_that_is_larger_than_the_frame)
{
    static const char text[] =
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":[6],\"g\":\"7\",\"h\":{}}";
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/large?q16=x", json(text)));
        check_int(r.status, 200);
        check_int((int)json_count(r, ""), 1);
        check_int(json_int(r, "0.f.0"), 6);
    }
}
