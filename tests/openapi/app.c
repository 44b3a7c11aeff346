/*
 * An application with every kind of parameter, response and field: run_openapi.py builds and runs
 * it. Prints its OpenAPI document, then a line per request: operation, status, body.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

ENUM(shade, light, dark);

typedef struct post post;
static const char *post_url(const bide_row *row);
static async(int64_t) post_likes(const post *row);

MODEL(tag, "", (str, name, len(1, 20)), (list(tag), below, optional));
MODEL(post, "posts", (i64, id, key, generated), (time, created_at, generated),
      (str, title, len(1, 200)), (str, slug, match("^[a-z-]+$"), unique),
      (bool, is_public, dflt(true)), (i32, stars, range(0, 5), dflt(3)),
      (f64, ratio, range(0, 1), optional), (bytes, cover, len(0, 100), optional),
      (uuid, trace, optional), (date, day, optional), (decimal, price, range(0, 1000), optional),
      (shade, shade, dflt(shade_dark)), (json, extra, optional), (obj(tag), first, optional),
      (list(tag), tags, len(0, 10)), (list(str), words, optional), (str, mail, email, optional),
      (str, link, url, alias("web-link"), optional), (str, shown, readonly, optional),
      (str, told, writeonly, optional), (plain_pw, password, len(8, 99), optional),
      (computed(str), url, post_url), (computed(i64), likes, post_likes));
VIEW(post_out, post, id, created_at, title, is_public, stars, ratio, cover, trace, day, price,
     shade, extra, first, tags, words, mail, link, shown, url, likes);
PARTIAL(post_changes, post, title, stars, shade, tags, first, day);

static const char *post_url(const bide_row *row)
{
    return bide_arena_printf(row->arena, "/posts/%lld", (long long)((const post *)row->data)->id);
}

static async(int64_t) post_likes(const post *row)
{
    await(bide_sleep(bide_ms(5)));
    return ready(int64_t, row->id * 2);
}

PROVIDER(const char *, who, header(str, x_user, len(1, 20), optional), cookie(str, sid, optional))
{
    provide(x_user ? x_user : sid);
}

PROVIDER(const char *, writer, depends(const char *, user, who), header(str, x_user, optional))
{
    if (!user)
        fail(http_error(401, "who are you?"));
    provide(user);
}

static post some_post(int64_t id)
{
    static const tag inner = {.name = "c"};
    static tag tags[2] = {{.name = "a"}, {.name = "b"}};
    tags[1].below = (bide_list(tag)){(tag *)&inner, 1};
    return (post){.id = id,
                  .created_at = 1714979289000000,
                  .title = "first",
                  .slug = "first",
                  .price = {1250, 2},
                  .shade = shade_dark,
                  .tags = {tags, 2},
                  .extra = {"[1,{\"a\":null}]", 14}};
}

GET(list_posts, "/posts", list(post_out), query(i32, page, range(1, 100), dflt(1)),
    query(shade, shade, optional), query(list(str), word, len(0, 5), optional),
    query(bool, public_only, alias("public-only"), dflt(false)), query(time, since, optional),
    depends(const char *, user, who))
{
    post_out *rows = bide_arena_alloc_zero(bide_arena_of(req), 2, sizeof *rows);
    if (!rows)
        fail(http_error(503, "no memory"));
    for (int i = 0; i < 2; i++) {
        post p = some_post(page + i);
        rows[i] = post_out_of(&p);
    }
    return (post_out_list){rows, 2};
}

GET(get_post, "/posts/{id}", maybe(post_out), path(i64, id, range(1, 1000)))
{
    post p = some_post(id);
    post_out out = post_out_of(&p);
    return id == 1 ? bide_arena_copy(bide_arena_of(req), &out, sizeof out) : NULL;
}

POST(add_post, "/posts", post_out, status(201), body(post, form),
     depends(const char *, user, writer))
{
    post p = *form;
    p.id = 7;
    return post_out_of(&p);
}

PATCH(change_post, "/posts/{id}", nothing, path(i64, id), body(post_changes, form),
      depends(const char *, user, writer))
{
    if (!bide_has(form, title))
        fail(http_error(400, "nothing to change"));
}

PUT(set_tag, "/tags/{name}/{rest:path}", tag, path(str, name), path(str, rest), body(tag, form))
{
    return *form;
}

DELETE(remove_post, "/posts/{id}", nothing, path(uuid, id))
{
}

GET(hello, "/", text, tags("plain, small"), summary("Says \"hello\""))
{
    return "hello";
}

GET(page_of_posts, "/page", page(post_out), blocking, query(i32, page, range(1, 9), dflt(1)))
{
    post p = some_post(page);
    post_out *row = bide_arena_alloc_zero(bide_arena_of(req), 1, sizeof *row);
    if (!row)
        fail(http_error(503, "no memory"));
    *row = post_out_of(&p);
    return (post_out_page){row, 1, 1, page, 10};
}

GET(as_html, "/html", html, hidden)
{
    return "<p>";
}

GET(as_bytes, "/bytes", raw)
{
    return (bide_raw){"image/png", "PNG", 3};
}

GET(elsewhere, "/elsewhere", redirect)
{
    return (bide_redirect){303, "/"};
}

/* ---- forms and files ---- */

MODEL(login, "", (str, username, len(1, 20)), (plain_pw, password, len(8, 99)),
      (str, scope, optional));
MODEL(token, "", (str, access_token), (str, token_type));

POST(log_in, "/auth", token, form_body(login, f))
{
    return (token){.access_token = f->username, .token_type = "bearer"};
}

POST(upload, "/upload", nothing, form(str, title, len(1, 9)), form(list(i32), numbers, optional),
     file(picture), files(more, optional), file(cover, optional))
{
}

/* ---- proofs ---- */

GET(by_oauth2, "/by_oauth2", text, oauth2(token, "/auth"))
{
    return token;
}

GET(by_bearer, "/by_bearer", text, bearer(token, optional))
{
    return token ? token : "nobody";
}

PROVIDER(const char *, by_key, api_key(key, header, "key"))
{
    provide(key);
}

GET(by_all, "/by_all", text, basic(login), depends(const char *, key, by_key))
{
    return key;
}

GET(by_query_key, "/by_query_key", text, api_key(key, query, "key"))
{
    return key;
}

GET(by_cookie_key, "/by_cookie_key", text, api_key(key, cookie, "sid"))
{
    return key;
}

static async(void) show(bide_client_ptr client, const char *operation, bide_client_reply r)
{
    (void)client;
    printf("%s %d %s\n", operation, r.status, r.body);
    return bide_void;
}

static async(void) app(void)
{
    bide_app *blog = bide_app_new(.title = "Blog \"one\"", .version = "2.3.1");
    bide_app_add_all(blog, "");
    bide_app_add(blog, "/v2", &get_post_route, &hello_route);
    with_client(c, blog) {
        printf("%s\n", await(client_get(c, "/openapi.json")).body);
        await(show(c, "list_posts", await(client_get(c, "/posts?page=2"))));
        await(show(c, "list_posts", await(client_get(c, "/posts?page=0"))));
        await(show(c, "get_post", await(client_get(c, "/posts/1"))));
        await(show(c, "get_post", await(client_get(c, "/posts/2"))));
        client_header(c, "X-User", "sam");
        await(show(c, "add_post",
                   await(client_post(c, "/posts",
                                     json("{\"title\":\"t\",\"slug\":\"t\",\"tags\":[],"
                                          "\"first\":{\"name\":\"x\"},\"stars\":0}")))));
        await(show(c, "add_post", await(client_post(c, "/posts", json("{}")))));
        await(show(c, "set_tag",
                   await(client_put(c, "/tags/a/b/c",
                                    json("{\"name\":\"x\",\"below\":[{\"name\":\"y\"}]}")))));
        await(show(c, "page_of_posts", await(client_get(c, "/page"))));
        await(show(c, "log_in",
                   await(client_post(c, "/auth", urlencoded("username=sam&password=12345678")))));
        await(show(c, "log_in", await(client_post(c, "/auth", urlencoded("username=")))));
        await(
            show(c, "upload", await(client_post(c, "/upload", multipart(c, part("title", "x"))))));
        await(show(c, "by_oauth2", await(client_get(c, "/by_oauth2"))));
        await(show(c, "by_bearer", await(client_get(c, "/by_bearer"))));
        await(show(c, "by_query_key", await(client_get(c, "/by_query_key?key=k"))));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
