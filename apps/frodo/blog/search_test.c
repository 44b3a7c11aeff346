#include "blog/blog_case.h"

static async(int64_t) hits(bide_client *client, const char *query)
{
    reply r = await(client_get(client, path_of("/api/search?q=%s", query)));
    if (!check_int(r.status, 200))
        return ready(int64_t, -1);
    check_int(json_count(r, "items"), json_int(r, "total"));
    return ready(int64_t, json_int(r, "total"));
}

FRODO_TEST(words_of_any_language_are_found)
{
    static const struct {
        const char *query;
        int64_t hits;
    } cases[] = {
        {"%E5%BC%82%E6%AD%A5", 1},                   /* 异步: two characters */
        {"%E7%BC%96%E7%A8%8B", 2},                   /* 编程 */
        {"%E5%BC%82%E6%AD%A5%E7%BC%96%E7%A8%8B", 1}, /* 异步编程 */
        {"%E6%AD%A5%E5%BC%82", 0},                   /* 步异: the wrong order */
        {"%E5%BC%82", 1},                            /* 异: one character */
        {"%EB%B9%84%EB%8F%99", 1},                   /* 비동 */
        {"%EB%8F%99%EA%B8%B0", 1},                   /* 동기 */
        {"%EB%B9%84%EB%8F%99%EA%B8%B0%20C", 1},      /* 비동기 C */
        {"async", 1},
        {"ASYNC+await", 1},
        {"async+missing", 0},
        {"%22async%22", 1},
        {"%27async%27%3B--", 1},
        {"%25", 0},
        {"_", 0},
        {"a_y%25c", 0},
        {"", 0},
        {"%28%29%5B%5D%7B%7D%5C%2F%26%7C%21%3A*", 0},
        {"tagged", 1},
        {"secret", 0}, /* of a draft */
        {"code", 1},
        {"example", 0}, /* of a link */
    };
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "Async and await", "See [it](https://a.example) `code`", "\"tagged\"",
                      "published"));
        await(post_of(client, "异步编程入门", "今天学习", "", "published"));
        await(post_of(client, "编程", "语言", "", "published"));
        await(post_of(client, "비동기 프로그래밍", "C 언어", "", "published"));
        await(post_of(client, "Async secret", "异步", "", "draft"));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            if (!check_int(await(hits(client, cases[i].query)), cases[i].hits))
                fprintf(stderr, "    q=%s\n", cases[i].query);
        check_int(await(client_get(client, "/api/search?q=%ff")).status, 422);
        check_int(await(client_get(client, "/api/search")).status, 422);
        check_int(await(client_get(client, "/api/search?q=x&size=0")).status, 422);
    }
}

FRODO_TEST(titles_and_tags_count_more_than_texts)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "Third", "ring ring", "", "published"));
        await(post_of(client, "The ring", "text", "", "published"));
        await(post_of(client, "Second", "text", "\"ring\"", "published"));
        reply r = await(client_get(client, "/api/search?q=ring"));
        check_str(json_str(r, "items.0.title"), "The ring");
        check_str(json_str(r, "items.1.title"), "Second");
        check_str(json_str(r, "items.2.title"), "Third");
        r = await(client_get(client, "/api/search?q=ring&page=2&size=2"));
        check_int(json_int(r, "total"), 3);
        check_str(json_str(r, "items.0.title"), "Third");
    }
}

FRODO_TEST(the_index_follows_the_post)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        int64_t id = await(post_of(client, "Old title", "old words", "\"oldtag\"", "published"));
        const char *at = path_of("/api/posts/%lld", (long long)id);
        check_int(await(hits(client, "old")), 1);
        await(client_patch(
            client, at,
            json("{\"title\":\"New\",\"content\":\"fresh words\",\"tags\":[\"newtag\"]}")));
        check_int(await(hits(client, "old")), 0);
        check_int(await(hits(client, "oldtag")), 0);
        check_int(await(hits(client, "fresh+newtag+new")), 1);
        await(client_patch(client, at, json("{\"status\":\"draft\"}")));
        check_int(await(hits(client, "fresh")), 0);
    }
}
