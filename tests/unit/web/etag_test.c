/* bide_etags: which replies have a tag, and who is answered 304. */
#include "web_case.h"

GET(say, "/say", text, query(str, word, dflt("hello")), query(str, field, optional),
    query(str, value, optional))
{
    if (field)
        bide_set_header(req, field, value);
    return word;
}

POST(say_so, "/say", text)
{
    return "hello";
}

GET(no_such, "/no_such", text)
{
    fail(bide_http_error(404, "no"));
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "tags");
    bide_app_use(app, bide_etags, NULL);
    bide_app_add(app, "", &say_route, &say_so_route, &no_such_route);
    return app;
}

TEST(the_same_bytes_are_sent_once)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/say"));
        const char *tag = reply_header(r, "ETag");
        require(tag && tag[0] == '"');
        check_str(reply_header(await(client_get(c, "/say?word=hello")), "ETag"), tag);
        check(strcmp(reply_header(await(client_get(c, "/say?word=hallo")), "ETag"), tag) != 0);
        client_header(c, "If-None-Match", bide_arena_printf(bide_task_arena(), "\"x\", W/%s", tag));
        r = await(client_get(c, "/say"));
        check_int(r.status, 304);
        check_int(r.length, 0);
        check_str(reply_header(r, "ETag"), tag);
        check_int(await(client_send(c, "HEAD", "/say", no_body)).status, 304);
        check_int(await(client_get(c, "/say?word=hallo")).status, 200);
        check_int(await(client_post(c, "/say", no_body)).status, 200);
        client_header(c, "If-None-Match", "*");
        check_int(await(client_get(c, "/say")).status, 304);
        check_int(await(client_get(c, "/no_such")).status, 404);
    }
}

TEST(a_tag_of_the_handlers_own_counts)
{
    with_client(c, make_app()) {
        client_header(c, "If-None-Match", "\"7\"");
        reply r = await(client_get(c, "/say?field=ETag&value=%227%22"));
        check_int(r.status, 304);
        check_str(reply_header(r, "ETag"), "\"7\"");
        check_int(await(client_get(c, "/say?field=ETag&value=%228%22")).status, 200);
    }
}

TEST(what_nobody_may_keep_has_none)
{
    with_client(c, make_app()) {
        check(!reply_header(await(client_post(c, "/say", no_body)), "ETag"));
        check(!reply_header(await(client_get(c, "/no_such")), "ETag"));
        check(!reply_header(await(client_get(c, "/say?field=Set-Cookie&value=a")), "ETag"));
        check(!reply_header(
            await(client_get(c, "/say?field=Cache-Control&value=private%2C%20no-store")), "ETag"));
    }
}
