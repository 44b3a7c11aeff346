/*
 * Lists of posts: the newest, those of a tag or an author, those one may change, those found; and
 * the tags with their counts. Called by api.c, pages.c and admin.c.
 */
#include "blog/blog.h"
#include "blog/reading.h"
#include "blog/words.h"

bide_list(str) tag_names(const post_tag_list *tags)
{
    bide_list(str) names = {.count = 0};
    names.items = bide_arena_alloc_zero(bide_task_arena(), tags->count, sizeof *names.items);
    if (!names.items)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for tags"));
    while (names.count < tags->count) {
        names.items[names.count] = tags->items[names.count].name;
        names.count++;
    }
    return names;
}

/* Fills in the tags of all these posts: one query. */
static async(void) with_tags(frodo *site, post_item_page *posts)
{
    post_tag_lists tags = await(bide_load_many(site->db, post_tag, post_id, posts->items,
                                               posts->count, id, (asc, name), ""));
    for (size_t i = 0; i < posts->count; i++)
        posts->items[i].tags = tag_names(&tags[i]);
    return bide_void;
}

async(post_item_page) posts_published(frodo *site, const post_filter *filter)
{
    post_item_page posts = await(
        bide_page(site->db, post_item, filter->page, filter->size,
                  POST_COLUMNS POST_FROM
                  "where p.status = 'published' and ($1 = '' or u.username = $1) and ($2 = '' or "
                  "exists (select 1 from post_tags t where t.post_id = p.id and t.name = $2)) "
                  "order by p.published_at desc, p.id desc",
                  filter->author, filter->tag));
    await(with_tags(site, &posts));
    return ready(post_item_page, posts);
}

async(post_item_page) posts_to_change(frodo *site, const account *who, const char *status,
                                      const post_filter *filter)
{
    post_item_page posts = await(bide_page(
        site->db, post_item, filter->page, filter->size,
        POST_COLUMNS POST_FROM
        "where " IN_SCOPE("u") " and ($4 = '' or p.status = $4) "
                               "and ($5 = '' or u.username = $5) and ($6 = '' or exists (select 1 "
                               "from post_tags t where t.post_id = p.id and t.name = $6)) "
                               "order by p.updated_at desc, p.id desc",
        SCOPE_OF(who), status, filter->author, filter->tag));
    await(with_tags(site, &posts));
    return ready(post_item_page, posts);
}

async(post_item_page) posts_found(frodo *site, const char *text, int32_t page, int32_t size)
{
    word_terms wanted = {.arena = bide_task_arena()};
    word_terms_wanted(&wanted, text);
    word_terms_merge(&wanted);
    if (wanted.count == 0)
        return ready(post_item_page, (post_item_page){.page = page, .size = size});
    const char *terms[TERMS_PER_SEARCH];
    for (size_t i = 0; i < wanted.count; i++)
        terms[i] = wanted.items[i].text;
    post_item_page posts = await(bide_page(
        site->db, post_item, page, size,
        POST_COLUMNS POST_FROM "join (select post_id, sum(weight) as weight from post_terms where "
                               "term = any($1) group by post_id having count(*) = $2) hit on "
                               "hit.post_id = p.id where p.status = 'published' "
                               "order by hit.weight desc, p.published_at desc, p.id desc",
        bide_list_of(str, terms, wanted.count), (int64_t)wanted.count));
    await(with_tags(site, &posts));
    return ready(post_item_page, posts);
}

async(tag_count_list) tags_counted(frodo *site)
{
    return bide_all(site->db, tag_count,
                    "select t.name, count(*) as count from post_tags t join posts p on "
                    "p.id = t.post_id where p.status = 'published' group by t.name "
                    "order by count(*) desc, t.name");
}
