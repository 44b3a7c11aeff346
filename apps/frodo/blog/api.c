/*
 * The blog for programs: /api/posts and what is below, /api/comments, /api/tags, /api/search.
 * A post's version is its ETag: If-Match with an older one is 412, a `version` in the body 409.
 */
#include "blog/blog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The version that If-Match asks for; 0 for any. What is no tag of ours matches nothing. */
static int64_t wanted_version(const char *if_match)
{
    if (!if_match || strcmp(if_match, "*") == 0)
        return 0;
    char *end = NULL;
    long long version = if_match[0] == '"' ? strtoll(if_match + 1, &end, 10) : 0;
    return version > 0 && strcmp(end, "\"") == 0 ? version : -1;
}

static post_out answered(bide_request *req, const post_row *row)
{
    bide_set_header(req, "ETag",
                    bide_arena_printf(bide_arena_of(req), "\"%" PRId64 "\"", row->version));
    return post_out_of(row);
}

static void check_tags(bide_request *req, bide_list(str) tags)
{
    const char *problem = tags_problem(tags);
    if (problem)
        bide_add_problem(req, "tags", "value_error", "%s", problem);
    bide_refuse_problems(req);
}

/* ---- posts ---- */

GET(list_posts, "/api/posts", page(post_item), tags("posts"),
    summary("Published posts, the newest first; with status=draft, the drafts one may change"),
    query(i32, page, range(1, 1000000), dflt(1)), query(i32, size, range(1, 100), dflt(20)),
    query(str, tag, len(0, 100), dflt("")), query(str, author, len(0, 32), dflt("")),
    query(post_status, status, optional), depends(const account *, who, somebody))
{
    bool is_published = !bide_given(req, status) || status == post_status_published;
    post_filter filter = {.tag = tag, .author = author, .page = page, .size = size};
    if (is_published)
        return await(posts_published(frodo_of(req), &filter));
    if (!who)
        fail(http_error(401, "Not authenticated"));
    if (!account_may(who, "posts:write"))
        fail(http_error(403, "Not allowed: posts:write"));
    return await(posts_to_change(frodo_of(req), who, "draft", &filter));
}

LINK(to_api_post, get_post, path(i64, id));

POST(add_post, "/api/posts", post_out, status(201), tags("posts"), body(post_form, form),
     takes_problems, depends(const account *, who, may_write_posts))
{
    check_tags(req, form->tags);
    const post_row *row = await(post_create(frodo_of(req), who, form));
    bide_set_header(req, "Location", url_for(req, to_api_post, row->id));
    return answered(req, row);
}

GET(get_post, "/api/posts/{id}", post_out, tags("posts"), path(i64, id),
    depends(const account *, who, somebody))
{
    return answered(req, await(post_by_id(frodo_of(req), who, id)));
}

GET(get_post_by_slug, "/api/posts/by-slug/{slug}", post_out, tags("posts"),
    path(str, slug, len(1, 200)), depends(const account *, who, somebody))
{
    return answered(req, await(post_by_slug(frodo_of(req), who, slug)));
}

PATCH(change_post, "/api/posts/{id}", post_out, tags("posts"), path(i64, id),
      body(post_changes, changes), takes_problems, header(str, if_match, optional),
      depends(const account *, who, may_write_posts))
{
    check_tags(req, changes->tags);
    return answered(req,
                    await(post_change(frodo_of(req), who, id, changes, wanted_version(if_match))));
}

DELETE(delete_post, "/api/posts/{id}", nothing, tags("posts"), path(i64, id),
       header(str, if_match, optional), depends(const account *, who, may_write_posts))
{
    await(post_delete(frodo_of(req), who, id, wanted_version(if_match)));
}

/* ---- comments ---- */

GET(list_comments, "/api/posts/{id}/comments", page(comment_out), tags("comments"), path(i64, id),
    query(i32, page, range(1, 1000000), dflt(1)), query(i32, size, range(1, 100), dflt(50)),
    depends(const account *, who, somebody))
{
    const post_row *row = await(post_by_id(frodo_of(req), who, id));
    return await(comments_of(frodo_of(req), who, row->id, page, size));
}

POST(add_comment, "/api/posts/{id}/comments", comment_out, status(201), tags("comments"),
     path(i64, id), body(comment_form, form), depends(const account *, who, me))
{
    return *await(comment_add(req, who, id, form));
}

PATCH(moderate_comment, "/api/comments/{id}", comment_out, tags("comments"), path(i64, id),
      body(comment_state, state), depends(const account *, who, may_moderate))
{
    (void)who;
    return *await(comment_hide(frodo_of(req), id, state->hidden));
}

DELETE(delete_comment, "/api/comments/{id}", nothing, tags("comments"), path(i64, id),
       depends(const account *, who, me))
{
    await(comment_delete(frodo_of(req), who, id));
}

/* ---- reactions ---- */

GET(list_reactions, "/api/posts/{id}/reactions", list(reaction_count), tags("reactions"),
    path(i64, id), depends(const account *, who, somebody))
{
    const post_row *row = await(post_by_id(frodo_of(req), who, id));
    return await(reactions_of(frodo_of(req), who, row->id));
}

PUT(react, "/api/posts/{id}/reactions/{kind}", list(reaction_count), tags("reactions"),
    path(i64, id), path(reaction_kind, kind), depends(const account *, who, me))
{
    await(reaction_set(frodo_of(req), who, id, kind, true));
    return await(reactions_of(frodo_of(req), who, id));
}

DELETE(unreact, "/api/posts/{id}/reactions/{kind}", list(reaction_count), tags("reactions"),
       path(i64, id), path(reaction_kind, kind), depends(const account *, who, me))
{
    await(reaction_set(frodo_of(req), who, id, kind, false));
    return await(reactions_of(frodo_of(req), who, id));
}

/* ---- tags and search ---- */

GET(list_tags, "/api/tags", list(tag_count), tags("posts"))
{
    return await(tags_counted(frodo_of(req)));
}

GET(search_posts, "/api/search", page(post_item), tags("posts"),
    summary("Published posts with all these words, the best first"), query(str, q, len(0, 200)),
    query(i32, page, range(1, 1000000), dflt(1)), query(i32, size, range(1, 100), dflt(20)))
{
    return await(posts_found(frodo_of(req), q, page, size));
}
