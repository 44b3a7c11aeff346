#include "blog/blog_case.h"

#include <inttypes.h>

FRODO_TEST(a_post_is_written_published_and_read)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        reply r = await(client_post(
            client, "/api/posts",
            json("{\"title\":\"Hello, 世界!\",\"content\":\"# Hi\\n\\nA *first* post.\","
                 "\"tags\":[\" C \",\"异步\",\"c\"]}")));
        check_int(r.status, 201);
        check_str(json_str(r, "slug"), "hello-世界");
        check_str(json_str(r, "status"), "draft");
        check_str(json_str(r, "author"), "frodo");
        check_str(json_str(r, "excerpt"), "A first post.");
        check_str(json_str(r, "html_content"), "<h2>Hi</h2>\n<p>A <em>first</em> post.</p>\n");
        check_int(json_count(r, "tags"), 2);
        check_str(json_str(r, "tags.0"), "c");
        check_int(json_int(r, "version"), 1);
        check_str(reply_header(r, "ETag"), "\"1\"");
        const char *at = path_of("%s", reply_header(r, "Location"));

        as(client, NULL);
        check_int(await(client_get(client, at)).status, 404);
        check_int(await(client_get(client, "/api/posts/by-slug/hello-%E4%B8%96%E7%95%8C")).status,
                  404);
        check_int(json_int(await(client_get(client, "/api/posts")), "total"), 0);
        check_int(json_count(await(client_get(client, "/api/tags")), ""), 0);

        as(client, "frodo");
        r = await(client_patch(client, at, json("{\"status\":\"published\"}")));
        check_int(r.status, 200);
        check_int(json_int(r, "version"), 2);
        check(json_has(r, "published_at"));

        as(client, NULL);
        r = await(client_get(client, "/api/posts/by-slug/hello-%E4%B8%96%E7%95%8C"));
        check_int(r.status, 200);
        check_str(json_str(r, "title"), "Hello, 世界!");
        r = await(client_get(client, "/api/posts?tag=c&author=frodo"));
        check_int(json_int(r, "total"), 1);
        check_str(json_str(r, "items.0.tags.1"), "异步");
        check(!json_has(r, "items.0.content"));
        check_int(json_int(await(client_get(client, "/api/posts?tag=d")), "total"), 0);
        check_int(json_int(await(client_get(client, "/api/tags")), "0.count"), 1);
    }
}

FRODO_TEST(a_patch_changes_only_what_it_names)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        int64_t id = await(post_of(client, "One", "text", "\"a\",\"b\"", "published"));
        const char *at = path_of("/api/posts/%" PRId64, id);
        reply r = await(client_patch(client, at, json("{\"title\":\"Two\"}")));
        check_str(json_str(r, "title"), "Two");
        check_str(json_str(r, "slug"), "one"); /* published: links stay */
        check_str(json_str(r, "content"), "text");
        check_int(json_count(r, "tags"), 2);
        r = await(client_patch(client, at, json("{\"tags\":[]}")));
        check_int(json_count(r, "tags"), 0);
        check_str(json_str(r, "title"), "Two");
        r = await(client_patch(client, at, json("{\"title\":null}")));
        check_int(r.status, 422);
        r = await(client_patch(client, at, json("{}")));
        check_int(r.status, 200);
        r = await(client_patch(client, at, json("{\"id\":99,\"author_id\":1,\"slug\":\"x\"}")));
        check_int(json_int(r, "id"), id);
        check_str(json_str(r, "author"), "frodo");
        check_str(json_str(r, "slug"), "one");
    }
}

/* As in the administration of accounts (users/scope_test.c). */
FRODO_TEST(an_editor_reaches_departments_below)
{
    BLOG(client, db)
    {
        as(client, "pippin");
        const char *at =
            path_of("/api/posts/%" PRId64, await(post_of(client, "Moria", "text", "", "draft")));
        as(client, "sam");
        const char *above =
            path_of("/api/posts/%" PRId64, await(post_of(client, "Shire", "text", "", "draft")));
        as(client, "frodo");
        check_int(await(client_get(client, at)).status, 404);
        await(bide_do(db, "update departments set parent_id = 1 where id = 2"));
        check_int(await(client_get(client, at)).status, 200);
        check_int(json_int(await(client_get(client, "/api/posts?status=draft")), "total"), 2);
        check_int(await(client_patch(client, at, json("{\"status\":\"published\"}"))).status, 200);
        as(client, "gimli");
        check_int(await(client_patch(client, at, json("{\"title\":\"Mine\"}"))).status, 200);
        check_int(await(client_get(client, above)).status, 404);
        check_int(json_int(await(client_get(client, "/api/posts?status=draft")), "total"), 0);
        as(client, "sam");
        check_int(await(client_patch(client, at, json("{}"))).status, 403);
    }
}

FRODO_TEST(a_lost_update_is_refused)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        int64_t id = await(post_of(client, "One", "text", "", "draft"));
        const char *at = path_of("/api/posts/%" PRId64, id);
        check_int(await(client_patch(client, at, json("{\"title\":\"2\",\"version\":1}"))).status,
                  200);
        reply r = await(client_patch(client, at, json("{\"title\":\"3\",\"version\":1}")));
        check_int(r.status, 409);
        client_header(client, "If-Match", "\"1\"");
        check_int(await(client_patch(client, at, json("{\"title\":\"3\"}"))).status, 412);
        check_int(await(client_delete(client, at)).status, 412);
        client_header(client, "If-Match", "W/\"2\"");
        check_int(await(client_patch(client, at, json("{\"title\":\"3\"}"))).status, 412);
        client_header(client, "If-Match", "\"2\"");
        r = await(client_patch(client, at, json("{\"title\":\"3\"}")));
        check_int(r.status, 200);
        check_str(json_str(r, "slug"), "3"); /* never published: the slug follows the title */
        client_header(client, "If-Match", "*");
        check_int(await(client_delete(client, at)).status, 204);
        check_int(await(client_delete(client, at)).status, 404);
    }
}

struct change {
    bide_client *client;
    const char *at, *version;
    int status;
};
typedef struct change *change_ptr;
async(void) change(change_ptr it);
SPAWNABLE(void, change, change_ptr)
async(void) change(change_ptr it)
{
    it->status = await(client_patch(it->client, it->at,
                                    json_of("{\"content\":\"x\",\"version\":%s}", it->version)))
                     .status;
    return bide_void;
}

FRODO_TEST(of_parallel_changes_of_one_version_one_wins)
{
    enum { MANY = 20 };
    struct change changes[MANY];
    BLOG(client, db)
    {
        as(client, "frodo");
        int64_t id = await(post_of(client, "One", "text", "", "draft"));
        const char *at = path_of("/api/posts/%" PRId64, id);
        with_group(g) {
            for (size_t i = 0; i < MANY; i++) {
                changes[i] = (struct change){client, at, "1", 0};
                spawn_void(g, change, &changes[i]);
            }
        }
        int won = 0, lost = 0;
        for (size_t i = 0; i < MANY; i++) {
            won += changes[i].status == 200;
            lost += changes[i].status == 409;
        }
        check_int(won, 1);
        check_int(lost, MANY - 1);
        check_int(json_int(await(client_get(client, at)), "version"), 2);
    }
}

async(void) write_one(bide_client_ptr client, int status);
SPAWNABLE(void, write_one, bide_client_ptr, int)
async(void) write_one(bide_client_ptr client, int status)
{
    reply r = await(client_post(client, "/api/posts", json("{\"title\":\"Go\",\"content\":\"\"}")));
    check_int(r.status, status);
    return bide_void;
}

FRODO_TEST(slugs_are_unique_also_in_parallel)
{
    BLOG(client, db)
    {
        as(client, "sam");
        check_int(await(post_of(client, "Go lang", "", "", "draft")), 1);
        with_group(g)
            for (int i = 0; i < 12; i++)
                spawn_void(g, write_one, client, 201);
        check_int(await(bide_scalar(db, i64, "select count(distinct slug) from posts")), 13);
        check_int(await(bide_scalar(db, i64, "select count(*) from posts where slug = 'go'")), 1);
    }
}

/* Who may see, change, publish whose post. */
FRODO_TEST(rights_and_the_data_scope)
{
    static const struct {
        const char *who, *author;
        int sees, changes, publishes;
    } cases[] = {
        {"gandalf", "sam", 200, 200, 200},    {"frodo", "sam", 200, 200, 200},
        {"sam", "sam", 200, 200, 403},        {"gimli", "sam", 404, 404, 404},
        {"pippin", "sam", 404, 404, 404},     {"smeagol", "sam", 404, 403, 403},
        {NULL, "sam", 404, 401, 401},         {"frodo", "gandalf", 404, 404, 404},
        {"gimli", "pippin", 200, 200, 200},   {"sam", "frodo", 404, 404, 404},
        {"gandalf", "pippin", 200, 200, 200}, {"frodo", "frodo", 200, 200, 200},
    };
    BLOG(client, db)
    {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            as(client, cases[i].author);
            int64_t id = await(post_of(client, "Draft", "text", "", "draft"));
            const char *at = path_of("/api/posts/%" PRId64, id);
            as(client, cases[i].who);
            check_int(await(client_get(client, at)).status, cases[i].sees);
            check_int(await(client_patch(client, at, json("{\"content\":\"y\"}"))).status,
                      cases[i].changes);
            check_int(await(client_patch(client, at, json("{\"status\":\"published\"}"))).status,
                      cases[i].publishes);
            int gone = cases[i].changes == 200 ? 204 : cases[i].changes;
            check_int(await(client_delete(client, at)).status, gone);
        }
        as(client, "frodo");
        int64_t id = await(post_of(client, "Out", "text", "", "published"));
        as(client, "pippin"); /* it is seen, and still not his */
        const char *at = path_of("/api/posts/%" PRId64, id);
        check_int(await(client_get(client, at)).status, 200);
        check_int(await(client_patch(client, at, json("{\"content\":\"y\"}"))).status, 403);
        check_int(await(client_delete(client, at)).status, 403);
        reply r =
            await(client_post(client, "/api/posts",
                              json("{\"title\":\"x\",\"content\":\"\",\"status\":\"published\"}")));
        check_int(r.status, 403);
        as(client, "smeagol");
        check_int(
            await(client_post(client, "/api/posts", json("{\"title\":\"x\",\"content\":\"\"}")))
                .status,
            403);
    }
}

FRODO_TEST(drafts_are_listed_within_the_scope)
{
    static const struct {
        const char *who;
        int status, total;
    } cases[] = {{"gandalf", 200, 4}, {"frodo", 200, 2},   {"sam", 200, 1},
                 {"gimli", 200, 1},   {"smeagol", 403, 0}, {NULL, 401, 0}};
    BLOG(client, db)
    {
        static const char *const authors[] = {"gandalf", "frodo", "sam", "pippin"};
        for (size_t i = 0; i < 4; i++) {
            as(client, authors[i]);
            await(post_of(client, "Draft", "text", "\"t\"", "draft"));
        }
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            as(client, cases[i].who);
            reply r = await(client_get(client, "/api/posts?status=draft&tag=t"));
            check_int(r.status, cases[i].status);
            if (r.status == 200)
                check_int(json_int(r, "total"), cases[i].total);
        }
    }
}

FRODO_TEST(a_deleted_post_leaves_nothing)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        int64_t id = await(post_of(client, "Gone", "soon gone", "\"a\"", "published"));
        const char *at = path_of("/api/posts/%" PRId64, id);
        await(client_post(client, path_of("%s/comments", at), json("{\"content\":\"hm\"}")));
        await(client_put(client, path_of("%s/reactions/like", at), no_body));
        check_int(json_int(await(client_get(client, "/api/search?q=gone")), "total"), 1);
        check_int(await(client_delete(client, at)).status, 204);
        check_int(await(client_get(client, at)).status, 404);
        check_int(json_int(await(client_get(client, "/api/search?q=gone")), "total"), 0);
        check_int(json_count(await(client_get(client, "/api/tags")), ""), 0);
        check_int(await(bide_scalar(db, i64,
                                    "select (select count(*) from posts) + (select count(*) from "
                                    "post_tags) + (select count(*) from post_terms) + (select "
                                    "count(*) from comments) + (select count(*) from reactions)")),
                  0);
    }
}

FRODO_TEST(pages_have_totals_and_an_order)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        for (int i = 0; i < 7; i++)
            await(post_of(client, path_of("Post %d", i), "text", "", "published"));
        reply r = await(client_get(client, "/api/posts?page=2&size=3"));
        check_int(json_int(r, "total"), 7);
        check_int(json_count(r, "items"), 3);
        check_str(json_str(r, "items.0.title"), "Post 3");
        check_int(json_count(await(client_get(client, "/api/posts?page=4&size=3")), "items"), 0);
    }
}

/* ---- bad input ---- */

FRODO_TEST(bad_bodies_are_refused_with_all_errors)
{
    static char huge[220000];
    memset(huge, 'x', sizeof huge);
    static const struct {
        const char *body;
        int status;
        size_t errors;
    } cases[] = {
        {"", 422, 1},
        {"[]", 422, 1},
        {"{\"title\":1,\"content\":2,\"tags\":3,\"status\":4}", 422, 4},
        {"{}", 422, 2},
        {"{\"title\":\"\",\"content\":\"\"}", 422, 1},
        {"{\"title\":\"   \",\"content\":\"\"}", 422, 1},
        {"{\"title\":\"x\",\"content\":\"\",\"status\":\"gone\"}", 422, 1},
        {"{\"title\":\"x\",\"content\":\"\",\"tags\":[\"\"]}", 422, 1},
        {"{\"title\":\"x\",\"content\":\"\",\"tags\":[\"a/b\"]}", 422, 1},
        {"{\"title\":\"x\",\"content\":\"\",\"tags\":[\"..\"]}", 422, 1},
        {"{\"title\":\"\",\"content\":\"\",\"tags\":[\"a,b\"]}", 422, 2},
        {"{\"title\":\"x\",\"content\":\"\",\"tags\":[\"a\\u0001\"]}", 422, 1},
        {"{\"title\":\"x\",\"content\":\"\",\"tags\":[1,2,3,4,5,6,7,8,9,10,11]}", 422, 0},
        {"{\"title\":\"\xff\",\"content\":\"\"}", 422, 1},
        {"{\"title\":\"\\u0000\",\"content\":\"\"}", 422, 1},
        {"{\"title\":\"x\",\"content\":\"\"", 422, 1},
    };
    BLOG(client, db)
    {
        as(client, "frodo");
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            reply r = await(client_post(client, "/api/posts", json(cases[i].body)));
            if (!check_int(r.status, cases[i].status))
                fprintf(stderr, "    %s\n", cases[i].body);
            else if (cases[i].errors && !check_int(json_count(r, "detail"), cases[i].errors))
                fprintf(stderr, "    %s -> %s\n", cases[i].body, r.body);
        }
        reply r = await(client_post(
            client, "/api/posts",
            json_of("{\"title\":\"%.*s\",\"content\":\"%.*s\"}", 201, huge, 200001, huge)));
        check_int(r.status, 422);
        check_int(json_count(r, "detail"), 2);
        r = await(client_post(client, "/api/posts", urlencoded("title=x&content=y")));
        check_int(r.status, 415);
        check_int(await(client_put(client, "/api/posts", json("{}"))).status, 405);
        check_int(await(client_get(client, "/api/posts/x")).status, 422);
        check_int(await(client_get(client, "/api/posts/0")).status, 404);
        check_int(await(client_get(client, "/api/posts/99999999999999999999")).status, 422);
        check_int(await(client_get(client, "/api/posts?page=0&size=101&status=x")).status, 422);
        check_int(await(client_get(client, "/api/posts/by-slug/..%2f..%2fetc%2fpasswd")).status,
                  404);
        check_int(await(client_get(client, "/api/posts/by-slug/%ff")).status, 400);
        check_int(await(bide_scalar(db, i64, "select count(*) from posts")), 0);
    }
}

FRODO_TEST(sql_and_html_are_only_text)
{
    static const char *const texts[] = {"'; drop table posts; --", "<script>alert(1)</script>",
                                        "${7*7} {{7*7}} %s%n", "\\\\ ' % _ ()"};
    BLOG(client, db)
    {
        as(client, "frodo");
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            int64_t id = await(post_of(client, texts[i], texts[i], "\"'; --\"", "published"));
            reply r = await(client_get(client, path_of("/api/posts/%" PRId64, id)));
            check_int(r.status, 200);
            check(!strstr(json_str(r, "html_content"), "<script"));
        }
        check_int(json_int(await(client_get(client, "/api/posts?tag='%3B%20--")), "total"), 4);
        check_int(json_int(await(client_get(client, "/api/posts?author='%20or%20'1'='1")), "total"),
                  0);
        check_int(json_int(await(client_get(client, "/api/posts")), "total"), 4);
    }
}
