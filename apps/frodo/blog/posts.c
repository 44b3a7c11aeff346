/*
 * Reading posts, and who may change which. Called by api.c, pages.c, admin.c, changes.c.
 */
#include "blog/blog.h"
#include "blog/reading.h"

#include <string.h>

const char *day_of(bide_time time)
{
    char text[BIDE_VALUE_TEXT];
    if (time == 0 || bide_time_format(time, text) < 10)
        return NULL;
    const char *day = bide_arena_strndup(bide_task_arena(), text, 10);
    if (!day)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a date"));
    return day;
}

const char *post_row_day(const post_row *row)
{
    return day_of(row->published_at);
}

const char *post_item_day(const post_item *row)
{
    return day_of(row->published_at);
}

bool post_may_change(const account *who, const post_row *row)
{
    return who && account_may(who, "posts:write") && row->in_scope;
}

/* Who is not logged in has nothing. */
static const account nobody = {.scope = data_scope_own};

/* A draft of somebody else does not exist. */
static async(post_row_ptr) seen(frodo *site, const account *who, post_row *row)
{
    if (!row || (row->status == post_status_draft && !post_may_change(who, row)))
        fail(http_error(404, "No such post"));
    post_tag_list tags = await(bide_all(site->db, post_tag, "post_id = $1 order by name", row->id));
    row->tags = tag_names(&tags);
    return ready(post_row_ptr, row);
}

async(post_row_ptr) post_by_id(frodo *site, const account *who, int64_t id)
{
    const account *asks = who ? who : &nobody;
    post_row *row =
        await(bide_maybe(site->db, post_row, POST_ROWS "where p.id = $4", SCOPE_OF(asks), id));
    return seen(site, who, row);
}

async(post_row_ptr) post_by_slug(frodo *site, const account *who, const char *slug)
{
    const account *asks = who ? who : &nobody;
    post_row *row =
        await(bide_maybe(site->db, post_row, POST_ROWS "where p.slug = $4", SCOPE_OF(asks), slug));
    return seen(site, who, row);
}

async(post_row_ptr) post_to_change(frodo *site, const account *who, int64_t id)
{
    post_row *row = await(post_by_id(site, who, id));
    if (!post_may_change(who, row))
        fail(http_error(403, "This post is not yours to change"));
    return ready(post_row_ptr, row);
}
