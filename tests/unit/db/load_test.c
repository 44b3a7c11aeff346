/*
 * load_test.c: the rows of many parents by one query; what a loop of queries or commits gives away.
 */
#define DB_ON_SERVER
#include "db_case.h"

#include <bide/metrics.h>
#include <bide/web_test.h>

MODEL(post, "posts", (i64, id, key, generated), (str, title));
MODEL(comment, "comments", (i64, id, key, generated), (i64, post_id), (str, author), (i32, stars));

enum { POSTS = 600 };

static post posts[POSTS];
static comment comments[2 * POSTS];

static async(void) fill(bide_db *db)
{
    static const char *const authors[] = {"frodo", "sam", "pippin"};
    await(bide_create_table(db, post));
    await(bide_create_table(db, comment));
    for (int i = 0; i < POSTS; i++)
        posts[i] = (post){.id = i + 1, .title = "a"};
    for (int i = 0; i < 2 * POSTS; i++)
        comments[i] = (comment){.post_id = 1 + i / 4 * 2, .author = authors[i % 3], .stars = i};
    await(bide_insert_many(db, post, posts, POSTS));
    await(bide_insert_many(db, comment, comments, 2 * POSTS));
    return bide_void;
}

DB_TEST(each_parent_gets_its_rows_in_order)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        comment_lists of = await(bide_load_many(db, comment, post_id, posts, POSTS, id,
                                                (desc, stars), "stars < $1", 2 * POSTS));
        for (int i = 0; i < POSTS; i++) {
            check_int(of[i].count, i % 2 ? 0 : 4);
            for (size_t k = 0; k < of[i].count; k++) {
                check_int(of[i].items[k].post_id, posts[i].id);
                check(k == 0 || of[i].items[k].stars < of[i].items[k - 1].stars);
            }
        }
    }
}

/* Whatever the number of keys: what the database keeps prepared is one statement. */
TEST(keys_are_one_bind)
{
    static const size_t counts[] = {1, 5, 70};
    DB_CASE(c, "?echo=1");
    with(bide_database, db, c.url) {
        await(fill(db));
        test_capture_stderr();
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            (void)await(bide_load_many(db, comment, post_id, posts, counts[i], id, (asc, id), ""));
        const char *log = test_captured();
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            log = strstr(log, "where \"post_id\" = any($1) order by \"id\"");
            require(log);
            log++;
        }
    }
}

struct visit {
    int number;
    const char *who;
};

DB_TEST(parents_may_share_a_key_and_be_of_any_struct, .cancel_everywhere = true)
{
    const struct visit visits[] = {{1, "sam"}, {2, "nobody"}, {3, "sam"}, {4, "frodo"}};
    with(bide_database, db, c->url) {
        await(fill(db));
        comment_lists of =
            await(bide_load_many(db, comment, author, visits, 4, who, (asc, id), "stars < $1", 10));
        check_int(of[0].count, 3);
        check_int(of[1].count, 0);
        check_int(of[2].count, 3);
        check_int(of[3].count, 4);
        check_str(of[2].items[2].author, "sam");
        check(!await(bide_load_many(db, comment, author, visits, 0, who, (asc, id), "")));
    }
}

static async(int) one_by_one(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, post));
        for (int i = 0; i < 60; i++) {
            post p = {.title = "a"};
            await(bide_insert(db, post, &p));
        }
        for (int i = 0; i < 60; i++) {
            with_tx(tx, db) {
                post p = {.title = "in a block of its own"};
                bide_add(tx, post, &p);
            }
        }
        for (int round = 0; round < 2; round++)
            for (int i = 0; i < 60; i++)
                await(bide_maybe(db, post, "id = $1", i));
    }
    return ready(int, 0);
}

static async(int) together(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(fill(db));
        with_tx(tx, db) {
            for (int i = 0; i < 100; i++) {
                post p = {.title = "b"};
                await(bide_insert(tx, post, &p));
            }
        }
        for (int i = 0; i < 100; i++) { /* what belongs together is no loop of rows */
            with_tx(tx, db) {
                post two[] = {{.title = "c"}, {.title = "d"}};
                bide_add(tx, post, &two[0]);
                await(bide_flush(tx));
                bide_add(tx, post, &two[1]);
            }
        }
        for (int i = 0; i < 100; i++) { /* now and then is no loop */
            await(bide_maybe(db, post, "id = $1", i));
            await(bide_sleep(bide_ms(100)));
        }
    }
    return ready(int, 0);
}

GET(one_post, "/posts/{id}", post, path(i64, id))
{
    bide_db *db = bide_app_db(req);
    return *await(bide_one(db, post, "id = $1", id));
}

GET(slow_posts, "/posts", list(post))
{
    bide_db *db = bide_app_db(req);
    post_list out = await(bide_all(db, post, "id < $1 order by id", 100));
    for (size_t i = 0; i < out.count; i++)
        out.items[i] = *await(bide_one(db, post, "id = $1", out.items[i].id));
    return out;
}

static async(int) requests(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(fill(db));
        bide_app *app = bide_app_new(.db = db);
        bide_app_add(app, "", &one_post_route, &slow_posts_route);
        with_client(client, app) {
            for (int i = 0; i < 100; i++)
                check_int(await(client_get(client, "/posts/7")).status, 200);
            fputs("now a loop\n", stderr);
            check_int(await(client_get(client, "/posts")).status, 200);
        }
    }
    return ready(int, 0);
}

static size_t times(const char *text, const char *what)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        found++;
    return found;
}

TEST_PLAIN(a_loop_of_queries_and_one_of_commits_are_reported_once)
{
    test_capture_stderr();
    int status = bide_run(one_by_one, .virtual_clock = true);
    const char *said = test_captured();
    check_int(status, 0);
    check_int(times(said, "50 times the same query from "), 1);
    check_int(times(said, "50 commits from "), 2);
    check_contains(said, "load_test.c:");
    bide_buf metrics;
    bide_buf_init(&metrics, 1 << 20);
    check_int(bide_metrics_write(&metrics), 0);
    check_contains(bide_buf_str(&metrics), "bide_findings_total{kind=\"query_per_row\"} 1\n");
    check_contains(bide_buf_str(&metrics), "bide_findings_total{kind=\"commit_per_row\"} 2\n");
    bide_buf_done(&metrics);
    test_capture_stderr();
    status = bide_run(together, .virtual_clock = true);
    said = test_captured();
    check_int(status, 0);
    check_str(said, "");
}

TEST_PLAIN(requests_are_told_apart)
{
    test_capture_stderr();
    int status = bide_run(requests, .virtual_clock = true);
    const char *said = test_captured();
    check_int(status, 0);
    const char *loop = strstr(said, "now a loop");
    require(loop);
    check_int(times(said, "50 times the same query"), 1);
    check_int(times(loop, "50 times the same query"), 1);
}

static async(int) wait_inside(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(fill(db));
        for (int i = 0; i < 3; i++)
            with_tx(tx, db) {
                await(bide_do(tx, "delete from posts where id = $1", i));
                await(bide_sleep(bide_ms(1500))); /* a mail is sent, say */
                await(bide_do(tx, "delete from posts where id = $1", 10 + i));
            }
        with_tx(tx, db) {
            await(bide_do(tx, "delete from posts where id = $1", 20));
            await(bide_sleep(bide_ms(900)));
        }
        with_read_tx(tx, db) {
            await(bide_scalar(tx, i64, "select count(*) from posts"));
            await(bide_sleep(bide_ms(5000)));
        }
    }
    return ready(int, 0);
}

TEST_PLAIN(a_transaction_that_waits_for_something_else_is_reported)
{
    test_capture_stderr();
    int status = bide_run(wait_inside, .virtual_clock = true);
    const char *said = test_captured();
    check_int(status, 0);
    check_int(times(said, "bide: "), 1);
    check_contains(said, "kept others waiting for 1500 ms while task #1");
}
