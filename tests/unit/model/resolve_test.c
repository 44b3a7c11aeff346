/*
 * resolve_test.c: computed fields, plain and async: their three forms, the order of values, the
 * bound on tasks, errors, views that keep the row.
 */
#include <bide/bide.h>

#include "base/caps.h"

#include <stdio.h>

#include "models.h"

typedef struct post post;
static const char *model_url(const bide_row *row);
static int64_t title_length(const post *row);
static async(str) post_html(const post *row, bide_arena *arena);
static bool is_long(const post *row, bide_arena *arena);
static async(int64_t) likes(const post *row);

MODEL(post, "posts", (i64, id, key, generated), (computed(str), url, model_url), (str, title),
      (computed(i64), title_length, title_length, alias("titleLength")),
      (computed(str), html, post_html), (computed(bool), is_long, is_long),
      (computed(i64), likes, likes), (computed(i64), _private, likes));
MODEL(feed, "", (str, name), (list(post), posts), (obj(post), pinned, optional));
VIEW(post_out, post, title, url, likes);

static int running, most_running;

static const char *model_url(const bide_row *row)
{
    return bide_arena_printf(row->arena, "/%s/%lld/", row->model->name,
                             (long long)((const post *)row->data)->id);
}

static int64_t title_length(const post *row)
{
    return (int64_t)strlen(row->title);
}

static bool is_long(const post *row, bide_arena *arena)
{
    return arena && strlen(row->title) > 3;
}

static async(str) post_html(const post *row, bide_arena *arena)
{
    running++;
    most_running = running > most_running ? running : most_running;
    /* The first rows wait longest: the values must still come in the order of the rows. */
    await(bide_sleep(bide_ms((double)(100 - row->id))));
    running--;
    return ready(str, bide_arena_printf(arena, "<p>%s</p>", row->title));
}

static async(int64_t) likes(const post *row)
{
    await(bide_yield());
    if (row->id == 66)
        fail(bide_error_new(1066, "no likes for %s", row->title));
    return ready(int64_t, row->id * 10);
}

TEST(one_row_is_rendered)
{
    struct reading r;
    reading_init(&r);
    post p = {.id = 4, .title = "long"};
    await(bide_json_render(post_model(), &p, &r.arena, &r.text));
    check_str(bide_buf_str(&r.text),
              "{\"id\":4,\"url\":\"/post/4/\",\"title\":\"long\",\"titleLength\":4,"
              "\"html\":\"<p>long</p>\",\"is_long\":true,\"likes\":40}");
    bide_buf_reset(&r.text);
    check_int(bide_json_write(post_model(), &p, &r.arena, &r.text), -EAGAIN);
    reading_done(&r);
}

TEST(rows_inside_are_resolved_together)
{
    struct reading r;
    reading_init(&r);
    post posts[50];
    memset(posts, 0, sizeof posts);
    for (int i = 0; i < 50; i++)
        posts[i] = (post){.id = i, .title = "t"};
    feed f = {.name = "f", .posts = {posts, 50}, .pinned = {.id = 7, .title = "pin"}};
    int64_t before = bide_clock_ns();
    running = most_running = 0;
    await(bide_json_render(feed_model(), &f, &r.arena, &r.text));
    int64_t ms = (bide_clock_ns() - before) / 1000000;
    check(most_running > 1 && most_running <= BIDE_CAP_RESOLVE_TASKS);
    check(ms < 1000); /* one after the other they take 3,868 ms */
    char expected[512];
    for (int i = 0; i < 50; i++) {
        snprintf(expected, sizeof expected,
                 "{\"id\":%d,\"url\":\"/post/%d/\",\"title\":\"t\",\"titleLength\":1,"
                 "\"html\":\"<p>t</p>\",\"is_long\":false,\"likes\":%d}",
                 i, i, i * 10);
        check_contains(bide_buf_str(&r.text), expected);
    }
    check_contains(bide_buf_str(&r.text), "\"pinned\":{\"id\":7,\"url\":\"/post/7/\"");
    check_contains(bide_buf_str(&r.text), "\"likes\":70}}");
    reading_done(&r);
}

TEST(views_compute_from_the_row_they_keep)
{
    struct reading r;
    reading_init(&r);
    post_out out[2];
    for (int i = 0; i < 2; i++) {
        post p = {.id = i + 1, .title = i ? "two" : "one"};
        out[i] = post_out_of(&p);
        memset(&p, 0x55, sizeof p);
    }
    await(bide_json_render_list(post_out_model(), out, 2, &r.arena, &r.text));
    check_str(bide_buf_str(&r.text), "[{\"title\":\"one\",\"url\":\"/post/1/\",\"likes\":10},"
                                     "{\"title\":\"two\",\"url\":\"/post/2/\",\"likes\":20}]");
    reading_done(&r);
}

static struct reading shared;

static async(void) render_broken(int64_t id)
{
    post p = {.id = id, .title = "b"};
    await(bide_json_render(post_model(), &p, &shared.arena, &shared.text));
    return bide_void;
}
SPAWNABLE(void, render_broken, int64_t)

TEST(the_first_failure_is_raised)
{
    reading_init(&shared);
    bide_error *error;
    attempt(&error, render_broken, 66);
    require(error);
    check_int(error->code, 1066);
    check_str(error->message, "no likes for b");
    bide_buf_init(&shared.text, 10);
    attempt(&error, render_broken, 1);
    require(error);
    check_int(error->code, BIDE_LIMIT);
    reading_done(&shared);
}

static async(void) render_three(int64_t first)
{
    post posts[3] = {{.id = first, .title = "a"}, {.id = 2, .title = "b"}, {.id = 3, .title = "c"}};
    await(bide_json_render_list(post_model(), posts, 3, &shared.arena, &shared.text));
    return bide_void;
}
SPAWNABLE(void, render_three, int64_t)

/* Whole, or an error: also when only the task of one field is cancelled. */
TEST(cancelled_anywhere, .cancel_everywhere = true)
{
    bide_error *error;
    reading_init(&shared);
    attempt(&error, render_three, 1);
    if (error)
        check_int(error->code, BIDE_CANCELLED);
    else
        check_contains(bide_buf_str(&shared.text), "\"html\":\"<p>c</p>\",\"is_long\":false,"
                                                   "\"likes\":30}]");
    reading_done(&shared);
}

TEST(nothing_async_never_suspends)
{
    struct reading r;
    reading_init(&r);
    address a = {.city = "c"};
    with_no_await {
        check(!address_model()->resolves);
    }
    await(bide_json_render(address_model(), &a, &r.arena, &r.text));
    check_str(bide_buf_str(&r.text), "{\"city\":\"c\",\"street\":null}");
    reading_done(&r);
}
