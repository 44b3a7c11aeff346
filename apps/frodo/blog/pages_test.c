#include "blog/blog_case.h"

#include <inttypes.h>

static async(bide_client_reply) page_of(bide_client *client, const char *path, int status)
{
    reply r = await(client_get(client, path));
    if (!check_int(r.status, status))
        fprintf(stderr, "    GET %s: %s\n", path, r.body);
    return ready(bide_client_reply, r);
}

FRODO_TEST(readers_find_what_is_published)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "First <b>", "# Hi\\n\\n*text* <script>x</script>", "\"c & d\"",
                      "published"));
        await(post_of(client, "你好", "世界", "\"异步\"", "published"));
        await(post_of(client, "Hidden draft", "none", "\"secret\"", "draft"));
        as(client, NULL);
        reply r = await(page_of(client, "/", 200));
        check_contains(reply_header(r, "Content-Type"), "text/html");
        check_str(reply_header(r, "Cache-Control"), "no-cache");
        check_contains(r.body, "First &lt;b&gt;");
        check_contains(r.body, "href=\"/posts/%E4%BD%A0%E5%A5%BD\"");
        check_contains(r.body, "href=\"/tags/c%20%26%20d\"");
        check(!strstr(r.body, "Hidden") && !strstr(r.body, "secret"));
        r = await(page_of(client, "/posts/first-b", 200));
        check_contains(r.body, "<em>text</em> &lt;script&gt;");
        check(!strstr(r.body, "Edit</a>") && !strstr(r.body, "<textarea"));
        r = await(page_of(client, "/posts/%E4%BD%A0%E5%A5%BD", 200));
        check_contains(r.body, "<h1>你好</h1>");
        r = await(page_of(client, "/tags/c%20%26%20d", 200));
        check_contains(r.body, "First &lt;b&gt;");
        check(!strstr(r.body, "你好"));
        r = await(page_of(client, "/search?q=%E4%B8%96%E7%95%8C", 200));
        check_contains(r.body, "你好");
        check_contains(await(page_of(client, "/search?q=%22%3E%3Cscript%3E", 200)).body,
                       "value=\"&quot;&gt;&lt;script&gt;\"");
        await(page_of(client, "/search", 200));
        await(page_of(client, "/posts/hidden-draft", 404));
        await(page_of(client, "/posts/none", 404));
        await(page_of(client, "/tags/secret", 404));
        await(page_of(client, "/?page=2", 404));
        await(page_of(client, "/?page=0", 422));
        as(client, "frodo");
        check_contains(await(page_of(client, "/posts/hidden-draft", 200)).body, "Edit</a>");
    }
}

FRODO_TEST(a_page_that_is_known_is_not_sent_again)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "One", "text", "", "published"));
        as(client, NULL);
        reply r = await(page_of(client, "/posts/one", 200));
        check_contains(reply_header(r, "Vary"), "Cookie");
        client_header(client, "If-None-Match", reply_header(r, "ETag"));
        await(page_of(client, "/posts/one", 304));
        as(client, "frodo");
        await(client_post(client, "/api/posts/1/comments", json("{\"content\":\"new\"}")));
        as(client, NULL);
        await(page_of(client, "/posts/one", 200));
        client_header(client, "If-None-Match", "\"1\"");
        await(page_of(client, "/api/posts/1", 304));
    }
}

FRODO_TEST(readers_comment_and_react_by_forms)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "One", "text", "", "published"));
        as(client, NULL);
        await(page_of(client, "/posts/one", 200));
        check_int(await(client_post(client, "/posts/one/comments", urlencoded("content=x"))).status,
                  401);
        as(client, "smeagol");
        reply r = await(
            client_post(client, "/posts/one/comments", urlencoded("content=%3Cb%3Emy+precious")));
        check_int(r.status, 303);
        check_str(reply_header(r, "Location"), "/posts/one#comment-1");
        r = await(client_post(client, "/posts/one/comments", urlencoded("content=+")));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"content-error\"");
        r = await(client_post(client, "/posts/one/reactions", urlencoded("kind=like&wanted=true")));
        check_int(r.status, 303);
        check_contains(await(page_of(client, "/posts/one", 200)).body, "aria-pressed=\"true\"");
        as(client, NULL);
        r = await(page_of(client, "/posts/one", 200)); /* not the page from before */
        check_contains(r.body, "&lt;b&gt;my precious");
        check_contains(r.body, "like <span class=\"count\">1</span>");
        as(client, "smeagol");
        await(client_post(client, "/posts/one/reactions", urlencoded("kind=like&wanted=false")));
        as(client, NULL);
        check_contains(await(page_of(client, "/posts/one", 200)).body,
                       "like <span class=\"count\">0</span>");
    }
}

/* The filter that is on, and no other, is said to be. */
static async(void) shows_filter(bide_client *client, const char *path, const char *name)
{
    static const char on[] = " aria-current=\"page\">";
    reply r = await(page_of(client, path, 200));
    const char *at = strstr(r.body, on);
    require(at != NULL);
    check(strncmp(at + strlen(on), name, strlen(name)) == 0);
    check(!strstr(at + 1, on));
    return bide_void;
}

FRODO_TEST(writers_have_an_editor)
{
    BLOG(client, db)
    {
        as(client, NULL);
        await(page_of(client, "/admin/posts", 401));
        as(client, "smeagol");
        await(page_of(client, "/admin/posts", 403));
        await(page_of(client, "/admin/posts/new", 403));
        as(client, "frodo");
        await(page_of(client, "/admin/posts/new", 200));
        reply r = await(client_post(client, "/admin/posts",
                                    urlencoded("title=&content=%3Cb%3E&tags=a%2Fb&action=save")));
        check_int(r.status, 422);
        check_contains(r.body, "id=\"title-error\"");
        check_contains(r.body, "id=\"tags-error\"");
        check_contains(r.body, "&lt;b&gt;</textarea>");
        r = await(client_post(client, "/admin/posts",
                              urlencoded("title=A+post&content=text&tags=c%2C+d%2C&action=save")));
        check_int(r.status, 303);
        check_str(reply_header(r, "Location"), "/admin/posts/1?saved=true");
        r = await(page_of(client, "/admin/posts/1?saved=true", 200));
        check_contains(r.body, "value=\"c, d\"");
        check_contains(r.body, "The post was saved.");
        const char *form = "title=A+post&content=more&tags=c&version=1&action=publish";
        r = await(client_post(client, "/admin/posts/1", urlencoded(form)));
        check_int(r.status, 303);
        r = await(client_post(client, "/admin/posts/1", urlencoded(form)));
        check_int(r.status, 409); /* of an older version: nothing that was typed is lost */
        check_contains(r.body, "more</textarea>");
        check_contains(r.body, "role=\"alert\"");
        check_contains(await(page_of(client, "/admin/posts?status=published", 200)).body, "A post");
        check(!strstr(await(page_of(client, "/admin/posts?status=draft", 200)).body, "A post"));
        await(shows_filter(client, "/admin/posts", "All"));
        await(shows_filter(client, "/admin/posts?status=draft", "Drafts"));
        await(shows_filter(client, "/admin/posts?status=published", "Published"));
        as(client, "sam"); /* it is not his; and he may not publish his own */
        await(page_of(client, "/admin/posts/1", 403));
        r = await(
            client_post(client, "/admin/posts", urlencoded("title=B&content=&action=publish")));
        check_int(r.status, 403);
        as(client, "frodo");
        check_int(
            await(client_post(client, "/admin/posts/1/delete", urlencoded("version=1"))).status,
            412);
        check_int(
            await(client_post(client, "/admin/posts/1/delete", urlencoded("version=2"))).status,
            303);
        as(client, NULL);
        await(page_of(client, "/posts/a-post", 404));
    }
}

FRODO_TEST(a_preview_keeps_nothing)
{
    BLOG(client, db)
    {
        as(client, NULL);
        check_int(await(client_post(client, "/api/preview", json("{\"content\":\"x\"}"))).status,
                  401);
        as(client, "sam");
        reply r = await(client_post(client, "/api/preview", json("{\"content\":\"*x* <b>\"}")));
        check_str(json_str(r, "html"), "<p><em>x</em> &lt;b&gt;</p>\n");
        check_int(await(client_post(client, "/api/preview", json("{}"))).status, 422);
        check_int(await(bide_scalar(db, i64, "select count(*) from posts")), 0);
    }
}

FRODO_TEST(moderators_hide_comments)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "One", "text", "", "published"));
        as(client, "smeagol");
        await(client_post(client, "/posts/one/comments", urlencoded("content=my+precious")));
        await(page_of(client, "/admin/comments", 403));
        check_int(await(client_post(client, "/admin/comments/1", urlencoded("hidden=true"))).status,
                  403);
        as(client, NULL);
        check_contains(await(page_of(client, "/posts/one", 200)).body, "my precious");
        as(client, "frodo");
        check_contains(await(page_of(client, "/admin/comments", 200)).body, "my precious");
        check_int(await(client_post(client, "/admin/comments/1", urlencoded("hidden=true"))).status,
                  303);
        check_contains(await(page_of(client, "/posts/one", 200)).body, "hidden-comment");
        as(client, NULL);
        check(!strstr(await(page_of(client, "/posts/one", 200)).body, "my precious"));
        as(client, "frodo");
        check_int(await(client_post(client, "/admin/comments/1/delete", no_body)).status, 303);
        check_int(await(client_post(client, "/admin/comments/1/delete", no_body)).status, 404);
    }
}
