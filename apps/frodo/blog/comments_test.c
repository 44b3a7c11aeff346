#include "blog/blog_case.h"

#include "../../tests/unit/redis/redis_case.h"

#include <inttypes.h>
#include <stdlib.h>

FRODO_TEST(who_is_logged_in_comments)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        int64_t id = await(post_of(client, "One", "text", "", "published"));
        const char *at = path_of("/api/posts/%" PRId64 "/comments", id);
        as(client, NULL);
        check_int(await(client_post(client, at, json("{\"content\":\"x\"}"))).status, 401);
        as(client, "smeagol");
        reply r = await(client_post(client, at, json("{\"content\":\"<i>我的</i> '; --\"}")));
        check_int(r.status, 201);
        check_str(json_str(r, "author"), "smeagol");
        int64_t made = json_int(r, "id");
        r = await(client_get(client, at));
        check_int(json_int(r, "total"), 1);
        check_str(json_str(r, "items.0.content"), "<i>我的</i> '; --");
        as(client, "pippin"); /* neither his nor may he moderate */
        const char *one = path_of("/api/comments/%" PRId64, made);
        check_int(await(client_patch(client, one, json("{\"hidden\":true}"))).status, 403);
        check_int(await(client_delete(client, one)).status, 403);
        as(client, "frodo");
        r = await(client_patch(client, one, json("{\"hidden\":true}")));
        check_int(r.status, 200);
        check(json_bool(r, "hidden"));
        check_int(json_int(await(client_get(client, at)), "total"), 1);
        as(client, "smeagol");
        check_int(json_int(await(client_get(client, at)), "total"), 0);
        check_int(await(client_delete(client, one)).status, 204);
        check_int(await(client_delete(client, one)).status, 404);
    }
}

FRODO_TEST(bad_comments_and_reactions_are_refused)
{
    static char huge[4100];
    memset(huge, 'x', sizeof huge - 1);
    BLOG(client, db)
    {
        as(client, "sam");
        int64_t draft = await(post_of(client, "Draft", "text", "", "draft"));
        as(client, "frodo");
        int64_t id = await(post_of(client, "One", "text", "", "published"));
        const char *at = path_of("/api/posts/%" PRId64 "/comments", id);
        static const char *const bodies[] = {"{}",
                                             "{\"content\":\"\"}",
                                             "{\"content\":\" \\n\"}",
                                             "{\"content\":1}",
                                             "{\"content\":null}",
                                             "[",
                                             "",
                                             "{\"content\":\"\xc3\x28\"}"};
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
            if (!check_int(await(client_post(client, at, json(bodies[i]))).status, 422))
                fprintf(stderr, "    %s\n", bodies[i]);
        check_int(await(client_post(client, at, json_of("{\"content\":\"%s\"}", huge))).status,
                  422);
        check_int(await(client_post(client, at, urlencoded("content=x"))).status, 415);
        check_int(await(client_patch(client, "/api/comments/9", json("{\"hidden\":true}"))).status,
                  404);
        check_int(await(client_patch(client, "/api/comments/9", json("{\"hidden\":2}"))).status,
                  422);
        const char *like = path_of("/api/posts/%" PRId64 "/reactions", id);
        check_int(await(client_put(client, path_of("%s/hate", like), no_body)).status, 422);
        check_int(await(client_post(client, path_of("%s/like", like), no_body)).status, 405);
        check_int(await(client_put(client, "/api/posts/99/reactions/like", no_body)).status, 404);
        as(client, NULL);
        check_int(await(client_put(client, path_of("%s/like", like), no_body)).status, 401);
        check_int(await(client_delete(client, path_of("%s/like", like))).status, 401);
        as(client, "pippin"); /* there is no such post for him */
        at = path_of("/api/posts/%" PRId64, draft);
        check_int(await(client_get(client, path_of("%s/comments", at))).status, 404);
        check_int(await(client_get(client, path_of("%s/reactions", at))).status, 404);
        check_int(await(client_put(client, path_of("%s/reactions/like", at), no_body)).status, 404);
        check_int(
            await(client_post(client, path_of("%s/comments", at), json("{\"content\":\"x\"}")))
                .status,
            404);
        check_int(await(bide_scalar(db, i64,
                                    "select (select count(*) from comments) + (select count(*) "
                                    "from reactions)")),
                  0);
    }
}

/* By the API and by the form together. */
FRODO_TEST(too_many_comments_are_refused_for_now)
{
    c->set.comments_per_minute = 3;
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "One", "text", "", "published"));
        static const char at[] = "/api/posts/1/comments", page[] = "/posts/one/comments";
        as(client, "sam");
        check_int(await(client_post(client, at, json("{\"content\":\"\"}"))).status, 422);
        check_int(await(client_post(client, at, json("{\"content\":\"1\"}"))).status, 201);
        check_int(await(client_post(client, page, urlencoded("content=2"))).status, 303);
        check_int(await(client_post(client, at, json("{\"content\":\"3\"}"))).status, 201);
        reply r = await(client_post(client, at, json("{\"content\":\"4\"}")));
        check_int(r.status, 429);
        check(reply_header(r, "Retry-After") != NULL);
        r = await(client_post(client, page, urlencoded("content=%3Cfour%3E")));
        check_int(r.status, 429);
        check(reply_header(r, "Retry-After") != NULL);
        check_contains(r.body, "Too many requests");
        check_contains(r.body, "&lt;four&gt;</textarea>"); /* what was typed is not lost */
        check_int(await(bide_scalar(db, i64, "select count(*) from comments")), 3);
        for (int i = 0; i < 6; i++) {
            as(client, i < 3 ? "pippin" : "gimli");
            check_int(await(client_post(client, at, json("{\"content\":\"x\"}"))).status, 201);
        }
        as(client, "gandalf"); /* nine of this address */
        check_int(await(client_post(client, at, json("{\"content\":\"y\"}"))).status, 429);
        bide_client_from(client, "192.0.2.1", "http");
        check_int(await(client_post(client, at, json("{\"content\":\"y\"}"))).status, 201);
    }
}

/* What another process has counted is in Redis; without it each counts by itself. */
TEST(comments_of_all_processes_count_together, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    __attribute__((cleanup(frodo_case_done))) struct frodo_case own = {.settings = NULL};
    struct frodo_case *c = &own;
    frodo_case_open(c, false);
    c->set.redis_url = server.url;
    c->set.comments_per_minute = 3;
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "One", "text", "", "published"));
        static const char at[] = "/api/posts/1/comments";
        with(bide_redis, r, server.url, NULL) { /* Sam is the third tester */
            check_int(await(bide_redis_incr(r, "frodo:comments:3", 2)), 2);
            check(await(bide_redis_expire(r, "frodo:comments:3", bide_s(50))));
        }
        as(client, "sam");
        check_int(await(client_post(client, at, json("{\"content\":\"1\"}"))).status, 201);
        reply r = await(client_post(client, at, json("{\"content\":\"2\"}")));
        check_int(r.status, 429);
        const char *seconds = reply_header(r, "Retry-After");
        require(seconds);
        check(atoi(seconds) > 0 && atoi(seconds) <= 50);
        as(client, "pippin");
        check_int(await(client_post(client, at, json("{\"content\":\"3\"}"))).status, 201);
        redis_kill(&server);
        int64_t since_ns = bide_clock_ns();
        check_int(await(client_post(client, at, json("{\"content\":\"4\"}"))).status, 201);
        check_int(await(client_post(client, at, json("{\"content\":\"5\"}"))).status, 201);
        check(bide_clock_ns() - since_ns < bide_s(4).ns);
    }
}

/* ---- reactions: counted by the database ---- */

struct press {
    bide_client *client;
    frodo *site;
    const account *who;
    bool wanted;
};
typedef const struct press *press_ptr;
async(void) press(press_ptr it);
SPAWNABLE(void, press, press_ptr)
async(void) press(press_ptr it)
{
    await(reaction_set(it->site, it->who, 1, reaction_kind_love, it->wanted));
    return bide_void;
}

/* The bug of ReactStats (a count that is read, raised by one, and written back). */
FRODO_TEST(parallel_reactions_are_all_counted_once)
{
    struct press presses[6 * TESTERS];
    size_t count = 0;
    bide_app *app = blog_app(c);
    frodo *site = bide_app_state(app);
    with_client(client, app) {
        with(bide_database, db, c->db.url) {
            await(add_testers(db));
            as(client, "frodo");
            check_int(await(post_of(client, "One", "text", "", "published")), 1);
            for (size_t i = 0; i < TESTERS; i++)
                for (int n = 0; n < 6; n++)
                    presses[count++] = (struct press){client, site, tester(testers[i].name), true};
            with_group(g)
                for (size_t i = 0; i < count; i++)
                    spawn_void(g, press, &presses[i]);
            reply r = await(client_get(client, "/api/posts/1/reactions"));
            check_int(json_int(r, "1.count"), TESTERS);
            check_str(json_str(r, "1.kind"), "love");
            check(json_bool(r, "1.mine"));
            check_int(json_int(r, "0.count"), 0);
            for (size_t i = 0; i < count; i++)
                presses[i].wanted = i >= count / 2;
            with_group(g)
                for (size_t i = 0; i < count / 2; i++)
                    spawn_void(g, press, &presses[i]);
            r = await(client_get(client, "/api/posts/1/reactions"));
            check_int(json_int(r, "1.count"), TESTERS / 2);
            r = await(client_put(client, "/api/posts/1/reactions/wow", no_body));
            check_int(json_int(r, "3.count"), 1);
            r = await(client_delete(client, "/api/posts/1/reactions/wow"));
            check_int(json_int(r, "3.count"), 0);
        }
    }
}
