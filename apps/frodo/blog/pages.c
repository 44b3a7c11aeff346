/*
 * The blog for readers: the index, a post with its comments and reactions, tags, the search. What
 * nobody in particular asks for comes from the cache as one model per page.
 */
#include "blog/blog.h"
#include "site/pager.h"
#include "site/site.h"

#include <inttypes.h>
#include <string.h>

/* Browsers may keep what everybody sees, and ask each time whether it is still so. */
static void for_everybody(bide_request *req, const account *who)
{
    bide_set_header(req, "Vary", "Cookie");
    if (!who)
        bide_set_header(req, "Cache-Control", "no-cache");
}

/* ---- lists ---- */

LINK(to_tag, show_tag, path(str, name));

/* The index, and the posts of a tag. */
MODEL(index_page, "", (str, tag, optional), (list(post_item), posts), (list(tag_count), tags),
      (list(page_link), pager));

static async(post_item_page) load_posts(frodo *site, const char *tag, int32_t page);
SPAWNABLE(post_item_page, load_posts, frodo *, const char *, int32_t)
static async(post_item_page) load_posts(frodo *site, const char *tag, int32_t page)
{
    post_filter filter = {.tag = tag, .author = "", .page = page, .size = POSTS_PER_PAGE};
    return posts_published(site, &filter);
}

SPAWNABLE(tag_count_list, tags_counted, frodo *)

/* Posts and tags have nothing to do with each other: both queries run at the same time. */
static async(index_page_ptr) load_index(frodo *site, const char *tag, int32_t page);
SPAWNABLE(index_page_ptr, load_index, frodo *, const char *, int32_t)
static async(index_page_ptr) load_index(frodo *site, const char *tag, int32_t page)
{
    post_item_page posts;
    tag_count_list tags;
    await(gather(bide_into(&posts, load_posts, site, tag, page),
                 bide_into(&tags, tags_counted, site)));
    const char *url = *tag ? url_for(site->app, to_tag, tag) : url_for(site->app, to_index);
    index_page *index = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *index);
    if (!index)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a page"));
    *index = (index_page){.tag = *tag ? tag : NULL,
                          .posts = {posts.items, posts.count},
                          .tags = {tags.items, tags.count},
                          .pager = pager_of(url, "page", page, POSTS_PER_PAGE, posts.total)};
    return ready(index_page_ptr, index);
}

static async(index_page_ptr) index_of(frodo *site, const char *tag, int32_t page)
{
    const char *key = await(
        posts_key(site, bide_arena_printf(bide_task_arena(), "index:%" PRId32 ":%s", page, tag)));
    index_page *index =
        await(bide_cached(site->cache, index_page, key, bide_s(60), load_index, site, tag, page));
    if (index->posts.count == 0 && (page > 1 || *tag))
        fail(http_error(404, "There are no such posts"));
    return ready(index_page_ptr, index);
}

GET(show_index, "/", html("blog/index", index_page), hidden,
    query(i32, page, range(1, 1000000), dflt(1)), depends(const account *, who, somebody))
{
    for_everybody(req, who);
    return *await(index_of(frodo_of(req), "", page));
}

GET(show_tag, "/tags/{name}", html("blog/index", index_page), hidden,
    path(str, name, len(1, TAG_CHARACTERS)), query(i32, page, range(1, 1000000), dflt(1)),
    depends(const account *, who, somebody))
{
    for_everybody(req, who);
    return *await(index_of(frodo_of(req), name, page));
}

MODEL(search_page, "", (str, q), (list(post_item), posts), (i64, total), (list(page_link), pager));

GET(show_search, "/search", html("blog/search", search_page), hidden,
    query(str, q, len(0, 200), dflt("")), query(i32, page, range(1, 1000000), dflt(1)),
    depends(const account *, who, somebody))
{
    for_everybody(req, who);
    post_item_page found = await(posts_found(frodo_of(req), q, page, POSTS_PER_PAGE));
    const char *url = url_for(req, show_search, .q = q);
    return (search_page){.q = q,
                         .posts = {found.items, found.count},
                         .total = found.total,
                         .pager = pager_of(url, "page", page, POSTS_PER_PAGE, found.total)};
}

/* ---- a post ---- */

/* `names` is the generation of names that it was made with. */
MODEL(shown_post, "", (str, names, optional), (str, url), (obj(post_row), post),
      (list(comment_out), comments), (i64, comment_count), (list(page_link), pager),
      (list(reaction_count), reactions), (bool, may_change), (str, comment_typed, optional),
      (str, comment_error, optional));

SPAWNABLE(comment_out_page, comments_of, frodo *, const account *, int64_t, int32_t, int32_t)
SPAWNABLE(reaction_count_list, reactions_of, frodo *, const account *, int64_t)

static async(shown_post_ptr) load_post(frodo *site, const account *who, const char *slug,
                                       int32_t page, const char *names);
SPAWNABLE(shown_post_ptr, load_post, frodo *, const account *, const char *, int32_t, const char *)
static async(shown_post_ptr) load_post(frodo *site, const account *who, const char *slug,
                                       int32_t page, const char *names)
{
    const post_row *row = await(post_by_slug(site, who, slug));
    comment_out_page comments;
    reaction_count_list reactions;
    await(gather(bide_into(&comments, comments_of, site, who, row->id, page, COMMENTS_PER_PAGE),
                 bide_into(&reactions, reactions_of, site, who, row->id)));
    shown_post *shown = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *shown);
    const char *url = url_for(site->app, to_post, slug);
    if (!shown)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a page"));
    *shown =
        (shown_post){.names = names,
                     .url = url,
                     .post = *row,
                     .comments = {comments.items, comments.count},
                     .comment_count = comments.total,
                     .pager = pager_of(url, "comments", page, COMMENTS_PER_PAGE, comments.total),
                     .reactions = reactions,
                     .may_change = post_may_change(who, row)};
    return ready(shown_post_ptr, shown);
}

static async(void) forget_page(bide_cache *cache, const char *key);
SPAWNABLE(void, forget_page, bide_cache *, const char *)
static async(void) forget_page(bide_cache *cache, const char *key)
{
    await(bide_cache_invalidate(cache, key));
    return bide_void;
}

/* From the cache, unless somebody has had another name since. */
static async(shown_post_ptr) kept_post(frodo *site, const char *slug)
{
    const char *names = await(names_generation(site)), *key = post_page_key(slug);
    bide_error *error;
    shown_post *kept = await(bide_cached(site->cache, shown_post, key, bide_s(60), load_post, site,
                                         NULL, slug, 1, names));
    if (strcmp(kept->names, names) == 0)
        return ready(shown_post_ptr, kept);
    attempt(&error, forget_page, site->cache, key); /* without a cache there is nothing to forget */
    return load_post(site, NULL, slug, 1, names);
}

GET(show_post, "/posts/{slug}", html("blog/post", shown_post), hidden, path(str, slug, len(1, 200)),
    query(i32, comments, range(1, 1000000), dflt(1)), depends(const account *, who, somebody))
{
    frodo *site = frodo_of(req);
    for_everybody(req, who);
    if (who || comments > 1)
        return *await(load_post(site, who, slug, comments, NULL));
    return *await(kept_post(site, slug));
}

/* Back to a place of the post's page. */
static void see_post(bide_request *req, const char *slug, const char *place)
{
    bide_see_other(
        req, bide_arena_printf(bide_arena_of(req), "%s#%s", url_for(req, show_post, slug), place));
}

POST(send_comment, "/posts/{slug}/comments", html("blog/post", shown_post), hidden,
     path(str, slug, len(1, 200)), form_body(comment_form, form), takes_problems,
     depends(const account *, who, me))
{
    bide_error *error = NULL;
    const comment_out *added = NULL;
    shown_post page = *await(load_post(frodo_of(req), who, slug, 1, NULL));
    page.comment_error = bide_problem_of(req, "content");
    if (!page.comment_error)
        added = attempt(&error, comment_add, req, who, page.post.id, form);
    if (error && error->code != 429)
        fail(error);
    if (error)
        page.comment_error = error->message;
    if (page.comment_error) {
        bide_set_status(req, error ? 429 : 422);
        page.comment_typed = bide_form_value(req, "content");
        return page;
    }
    see_post(req, slug, bide_arena_printf(bide_arena_of(req), "comment-%" PRId64, added->id));
    return page;
}

MODEL(reaction_form, "", (reaction_kind, kind), (bool, wanted));

POST(send_reaction, "/posts/{slug}/reactions", nothing, hidden, path(str, slug, len(1, 200)),
     form_body(reaction_form, form), depends(const account *, who, me))
{
    frodo *site = frodo_of(req);
    const post_row *row = await(post_by_slug(site, who, slug));
    await(reaction_set(site, who, row->id, form->kind, form->wanted));
    see_post(req, slug, "reactions");
}
