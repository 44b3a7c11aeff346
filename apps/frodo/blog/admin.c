/*
 * The blog for its writers: the list of posts, the editor with its preview, comments to moderate.
 */
#include "blog/blog.h"
#include "blog/markdown.h"
#include "site/pager.h"

#include <string.h>

/* ---- posts ---- */

MODEL(posts_admin, "", (post_status, status), (bool, all_statuses), (list(post_item), posts),
      (i64, total), (list(page_link), pager));

GET(show_posts_admin, "/admin/posts", html("blog/admin_posts", posts_admin), hidden,
    query(post_status, status, optional), query(i32, page, range(1, 1000000), dflt(1)),
    depends(const account *, who, may_write_posts))
{
    const char *wanted = bide_given(req, status) ? post_status_name(status) : "";
    post_filter filter = {.tag = "", .author = "", .page = page, .size = POSTS_PER_PAGE};
    post_item_page posts = await(posts_to_change(frodo_of(req), who, wanted, &filter));
    const char *url =
        *wanted ? url_for(req, show_posts_admin, .status = status) : url_for(req, show_posts_admin);
    return (posts_admin){.status = status,
                         .all_statuses = !*wanted,
                         .posts = {posts.items, posts.count},
                         .total = posts.total,
                         .pager = pager_of(url, "page", page, POSTS_PER_PAGE, posts.total)};
}

/* ---- the editor ---- */

LINK(to_editor, show_editor, path(i64, id), query(bool, saved));

ENUM(editor_action, save, publish, withdraw);
MODEL(editor_form, "", (str, title, len(1, 200), match("\\S")), (str, content, len(0, 200000)),
      (str, tags, len(0, 600), dflt("")), (i64, version, dflt(0)),
      (editor_action, action, dflt(editor_action_save)));

/* What is shown; `id` 0 is a new post. */
MODEL(editor_page, "", (i64, id), (i64, version), (str, slug, optional), (post_status, status),
      (str, title), (str, content), (str, tags), (html_safe, preview), (bool, may_publish),
      (bool, saved), (str, title_error, optional), (str, content_error, optional),
      (str, tags_error, optional), (str, error, optional));

/* "a, b" as a list; what is empty between commas is left out. */
static bide_list(str) split_tags(const char *typed)
{
    bide_arena *arena = bide_task_arena();
    bide_list(str) tags = {.count = 0};
    char *text = bide_arena_strdup(arena, typed);
    tags.items = bide_arena_alloc_zero(arena, strlen(typed) + 1, sizeof *tags.items);
    if (!text || !tags.items)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for tags"));
    for (char *at = text, *comma; at; at = comma ? comma + 1 : NULL) {
        comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        if (at[strspn(at, " \t")])
            tags.items[tags.count++] = at;
    }
    return tags;
}

static const char *joined_tags(bide_list(str) tags)
{
    const char *text = "";
    for (size_t i = 0; i < tags.count; i++)
        text = bide_arena_printf(bide_task_arena(), "%s%s%s", text, i ? ", " : "", tags.items[i]);
    return text;
}

static async(editor_page) editor_of(const account *who, const post_row *row)
{
    bide_html_safe preview = await(markdown_html(bide_task_arena(), row->content));
    return ready(editor_page, ((editor_page){.id = row->id,
                                             .version = row->version,
                                             .slug = row->slug,
                                             .status = row->status,
                                             .title = row->title,
                                             .content = row->content,
                                             .tags = joined_tags(row->tags),
                                             .preview = preview,
                                             .may_publish = account_may(who, "posts:publish")}));
}

/* The form as it was typed, with what is wrong with it. */
static editor_page editor_again(bide_request *req, editor_page page, const bide_error *error)
{
    const char *title = bide_form_value(req, "title"), *tags = bide_form_value(req, "tags"),
               *content = bide_form_value(req, "content");
    page.title = title ? title : "";
    page.content = content ? content : "";
    page.tags = tags ? tags : "";
    page.title_error = bide_problem_of(req, "title");
    page.content_error = bide_problem_of(req, "content");
    page.tags_error = bide_problem_of(req, "tags");
    page.error = error ? error->message : NULL;
    bide_set_status(req, !error ? 422 : error->code == BIDE_CONFLICT ? 409 : error->code);
    return page;
}

/* Whether there is nothing to complain about; tags are judged here. */
static bool is_right(bide_request *req, const editor_form *form, bide_list(str) * ret_tags)
{
    if (form->tags)
        *ret_tags = split_tags(form->tags);
    const char *problem = tags_problem(*ret_tags);
    if (problem)
        bide_add_problem(req, "tags", "value_error", "%s", problem);
    return !bide_problems_of(req)->first;
}

/* What the writer can mend is shown in the form; anything else is raised. */
static bool is_mendable(const bide_error *error)
{
    return error->code == 409 || error->code == 422 || error->code == BIDE_CONFLICT;
}

static void see_editor(bide_request *req, int64_t id)
{
    bide_see_other(req, url_for(req, to_editor, id, .saved = true));
}

GET(show_new_post, "/admin/posts/new", html("blog/editor", editor_page), hidden,
    depends(const account *, who, may_write_posts))
{
    return await(editor_of(who, &(post_row){.slug = NULL, .title = "", .content = ""}));
}

SPAWNABLE(post_row_ptr, post_create, frodo *, const account *, const post_form *)
SPAWNABLE(post_row_ptr, post_change, frodo *, const account *, int64_t, const post_changes *,
          int64_t)

POST(send_new_post, "/admin/posts", html("blog/editor", editor_page), hidden,
     form_body(editor_form, form), takes_problems, depends(const account *, who, may_write_posts))
{
    editor_page page = await(editor_of(who, &(post_row){.title = "", .content = ""}));
    post_form new_post = {.title = form->title, .content = form->content};
    new_post.status =
        form->action == editor_action_publish ? post_status_published : post_status_draft;
    if (!is_right(req, form, &new_post.tags))
        return editor_again(req, page, NULL);
    bide_error *error;
    const post_row *row = attempt(&error, post_create, frodo_of(req), who, &new_post);
    if (error && !is_mendable(error))
        fail(error);
    if (error)
        return editor_again(req, page, error);
    see_editor(req, row->id);
    return page;
}

GET(show_editor, "/admin/posts/{id}", html("blog/editor", editor_page), hidden, path(i64, id),
    query(bool, saved, dflt(false)), depends(const account *, who, may_write_posts))
{
    editor_page page = await(editor_of(who, await(post_to_change(frodo_of(req), who, id))));
    page.saved = saved;
    return page;
}

POST(send_editor, "/admin/posts/{id}", html("blog/editor", editor_page), hidden, path(i64, id),
     form_body(editor_form, form), takes_problems, depends(const account *, who, may_write_posts))
{
    editor_page page = await(editor_of(who, await(post_to_change(frodo_of(req), who, id))));
    post_changes changes = {.bide_set = 0};
    bide_list(str) tags = {.count = 0};
    if (!is_right(req, form, &tags)) {
        page.version = form->version; /* nobody was told of a newer one */
        return editor_again(req, page, NULL);
    }
    bide_set_field(&changes, title, form->title);
    bide_set_field(&changes, content, form->content);
    bide_set_field(&changes, tags, tags);
    bide_set_field(&changes, version, form->version);
    if (form->action != editor_action_save)
        bide_set_field(&changes, status,
                       form->action == editor_action_publish ? post_status_published
                                                             : post_status_draft);
    bide_error *error;
    (void)attempt(&error, post_change, frodo_of(req), who, id, &changes, 0);
    if (error && !is_mendable(error))
        fail(error);
    if (error)
        return editor_again(req, page, error);
    see_editor(req, id);
    return page;
}

MODEL(delete_form, "", (i64, version));

POST(send_delete_post, "/admin/posts/{id}/delete", nothing, hidden, path(i64, id),
     form_body(delete_form, form), depends(const account *, who, may_write_posts))
{
    await(post_delete(frodo_of(req), who, id, form->version));
    bide_see_other(req, url_for(req, show_posts_admin));
}

MODEL(preview_form, "", (str, content, len(0, 200000)));
MODEL(preview, "", (html_safe, html));

POST(preview_post, "/api/preview", preview, tags("posts"),
     summary("What Markdown looks like; nothing is kept"), body(preview_form, form),
     depends(const account *, who, may_write_posts))
{
    (void)who;
    return (preview){.html = await(markdown_html(bide_arena_of(req), form->content))};
}

/* ---- comments ---- */

MODEL(comments_admin, "", (list(comment_out), comments), (list(page_link), pager));

GET(show_comments_admin, "/admin/comments", html("blog/admin_comments", comments_admin), hidden,
    query(i32, page, range(1, 1000000), dflt(1)), depends(const account *, who, may_moderate))
{
    (void)who;
    comment_out_page all = await(comments_all(frodo_of(req), page, COMMENTS_PER_PAGE));
    return (comments_admin){.comments = {all.items, all.count},
                            .pager = pager_of(url_for(req, show_comments_admin), "page", page,
                                              COMMENTS_PER_PAGE, all.total)};
}

POST(send_comment_state, "/admin/comments/{id}", nothing, hidden, path(i64, id),
     form_body(comment_state, form), depends(const account *, who, may_moderate))
{
    (void)who;
    (void)await(comment_hide(frodo_of(req), id, form->hidden));
    bide_see_other(req, url_for(req, show_comments_admin));
}

POST(send_delete_comment, "/admin/comments/{id}/delete", nothing, hidden, path(i64, id),
     depends(const account *, who, may_moderate))
{
    await(comment_delete(frodo_of(req), who, id));
    bide_see_other(req, url_for(req, show_comments_admin));
}
