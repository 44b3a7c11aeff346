/* What is cached is never older than the last commit: described bugs 29 to 31. */
#include "blog/blog_case.h"

#include <inttypes.h>
#include <stdlib.h>

/* The number that the text of the post says, on the page that everybody gets from the cache. */
static async(int) number_on(bide_client *client, const char *path, const char *mark)
{
    reply r = await(client_get(client, path));
    const char *at = r.status == 200 ? strstr(r.body, mark) : NULL;
    return ready(int, at ? atoi(at + strlen(mark)) : -1);
}

struct readers {
    bide_client *client;
    int written; /* committed, and its answer was given */
    bool done;
};
typedef struct readers *readers_ptr;

/* Whatever was read before: a page that is asked for after the answer to a change shows it. */
async(void) read_always(readers_ptr all);
SPAWNABLE(void, read_always, readers_ptr)
async(void) read_always(readers_ptr all)
{
    while (!all->done) {
        int least = all->written;
        check(await(number_on(all->client, "/posts/counter", "is number ")) >= least);
        least = all->written;
        check(await(number_on(all->client, "/", "is number ")) >= least);
        await(bide_yield());
    }
    return bide_void;
}

FRODO_TEST(no_page_is_older_than_the_last_change)
{
    enum { CHANGES = 12, READERS = 4 };
    bide_app *app = blog_app(c);
    frodo *site = bide_app_state(app);
    with_client(client, app) {
        struct readers all = {.client = client};
        with(bide_database, db, c->db.url)
            await(add_testers(db));
        as(client, "frodo");
        await(post_of(client, "Counter", "This is number 0.", "", "published"));
        as(client, NULL); /* the readers are everybody */
        with_group(g) {
            for (int i = 0; i < READERS; i++)
                spawn_void(g, read_always, &all);
            for (int i = 1; i <= CHANGES; i++) {
                post_changes changes = {.bide_set = 0};
                bide_set_field(&changes, content, path_of("This is number %d.", i));
                await(bide_yield());
                (void)await(post_change(site, tester("frodo"), 1, &changes, 0));
                all.written = i;
            }
            all.done = true;
        }
        check_int(await(number_on(client, "/posts/counter", "is number ")), CHANGES);
    }
}

FRODO_TEST(pages_without_changes_come_from_the_cache)
{
    bide_app *app = blog_app(c);
    frodo *site = bide_app_state(app);
    with_client(client, app) {
        with(bide_database, db, c->db.url) {
            await(add_testers(db));
            as(client, "frodo");
            await(post_of(client, "One", "text", "\"a\"", "published"));
            as(client, NULL);
            static const char *const paths[] = {"/", "/posts/one", "/tags/a"};
            struct bide_cache_stats before, after;
            for (int round = 0; round < 3; round++) {
                bide_cache_stats(site->cache, &before);
                for (size_t i = 0; i < 3; i++)
                    check_int(await(client_get(client, paths[i])).status, 200);
                bide_cache_stats(site->cache, &after);
                check_int(after.loads > before.loads, round == 0);
            }
            /* Behind the cache's back: it is not asked again. */
            await(bide_do(db, "update posts set title = 'Other'"));
            check_contains(await(client_get(client, "/")).body, "One");
            check_contains(await(client_get(client, "/posts/one")).body, "One");
        }
    }
}

/* A change that is rolled back leaves the cache as it was, and no HTML of a version that never was.
 */
FRODO_TEST(a_change_that_fails_is_seen_nowhere)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "One", "first", "", "published"));
        if (c->db.server)
            await(bide_do(db, "alter table post_terms add check (term <> 'second')"));
        else
            await(bide_do(db, "create trigger no_second before insert on post_terms when "
                              "new.term = 'second' begin select raise(abort, 'no'); end"));
        reply r = await(client_patch(client, "/api/posts/1", json("{\"content\":\"second\"}")));
        check(r.status >= 400);
        r = await(client_patch(client, "/api/posts/1", json("{\"content\":\"third\"}")));
        check_int(json_int(r, "version"), 2);
        check_str(json_str(r, "html_content"), "<p>third</p>\n");
        as(client, NULL);
        check_contains(await(client_get(client, "/posts/one")).body, "third");
    }
}

FRODO_TEST(comments_reactions_and_deletes_reach_the_page)
{
    BLOG(client, db)
    {
        as(client, "frodo");
        await(post_of(client, "One", "text", "\"a\"", "published"));
        as(client, NULL);
        check_int(await(client_get(client, "/posts/one")).status, 200);
        check_contains(await(client_get(client, "/")).body, "One");
        as(client, "sam");
        await(client_post(client, "/api/posts/1/comments", json("{\"content\":\"well said\"}")));
        await(client_put(client, "/api/posts/1/reactions/wow", no_body));
        as(client, NULL);
        reply r = await(client_get(client, "/posts/one"));
        check_contains(r.body, "well said");
        check_contains(r.body, "wow <span class=\"count\">1</span>");
        as(client, "frodo");
        await(client_patch(client, "/api/posts/1", json("{\"status\":\"draft\"}")));
        as(client, NULL);
        check_int(await(client_get(client, "/posts/one")).status, 404);
        check(!strstr(await(client_get(client, "/")).body, "One"));
    }
}

/* Also what others wrote about a post, and what goes with an account. */
FRODO_TEST(another_name_reaches_all_pages)
{
    with_frodo(client, site, c) {
        await(frodo_make_user(site->db, "gandalf", "admin"));
        await(frodo_make_user(site->db, "pippin", "editor"));
        await(frodo_make_user(site->db, "sam", "member"));
        int64_t eve = await(frodo_make_user(site->db, "eve", "member"));
        await(frodo_login(client, "pippin"));
        await(post_of(client, "One", "text", "", "published"));
        await(frodo_login(client, "sam"));
        await(client_post(client, "/api/posts/1/comments", json("{\"content\":\"well said\"}")));
        await(frodo_login(client, "eve"));
        await(client_put(client, "/api/posts/1/reactions/wow", no_body));
        frodo_logout(client);
        check_contains(await(client_get(client, "/")).body, "pippin");
        reply r = await(client_get(client, "/posts/one"));
        check_contains(r.body, "pippin");
        check_contains(r.body, "sam ·");
        check_contains(r.body, "wow <span class=\"count\">1</span>");
        await(frodo_login(client, "pippin"));
        await(client_patch(client, "/api/users/me", json("{\"username\":\"peregrin\"}")));
        await(frodo_login(client, "sam"));
        await(client_patch(client, "/api/users/me", json("{\"username\":\"samwise\"}")));
        frodo_logout(client);
        check_contains(await(client_get(client, "/")).body, "peregrin");
        r = await(client_get(client, "/posts/one"));
        check_contains(r.body, "peregrin");
        check_contains(r.body, "samwise ·");
        await(frodo_login(client, "gandalf"));
        check_int(await(client_delete(client, path_of("/api/users/%" PRId64, eve))).status, 204);
        frodo_logout(client);
        r = await(client_get(client, "/posts/one"));
        check_contains(r.body, "wow <span class=\"count\">0</span>");
    }
}
