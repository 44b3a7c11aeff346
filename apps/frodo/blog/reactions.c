/*
 * Reactions: an account gives a post each kind once. Counted by SQL when they are asked for:
 * nothing is read, raised by one and written back. Called by api.c and pages.c.
 */
#include "blog/blog.h"

enum { KINDS = reaction_kind_sad + 1 };

async(reaction_count_list) reactions_of(frodo *site, const account *who, int64_t post_id)
{
    reaction_count_list given = await(bide_all(
        site->db, reaction_count,
        "select kind, count(*) as count, max(case when user_id = $2 then 1 else 0 end) = 1 as mine "
        "from reactions where post_id = $1 group by kind",
        post_id, who ? who->id : 0));
    reaction_count *counts = bide_arena_alloc_zero(bide_task_arena(), KINDS, sizeof *counts);
    if (!counts)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for reactions"));
    for (size_t i = 0; i < KINDS; i++)
        counts[i].kind = (reaction_kind)i;
    for (size_t i = 0; i < given.count; i++)
        counts[given.items[i].kind] = given.items[i];
    return ready(reaction_count_list, (reaction_count_list){counts, KINDS});
}

async(void) reaction_set(frodo *site, const account *who, int64_t post_id, reaction_kind kind,
                         bool wanted)
{
    const post_row *row = await(post_by_id(site, who, post_id));
    with_tx(tx, site->db) {
        if (wanted)
            await(bide_do(tx,
                          "insert into reactions (post_id, user_id, kind) values ($1, $2, $3) "
                          "on conflict do nothing",
                          post_id, who->id, reaction_kind_name(kind)));
        else
            await(bide_do(tx,
                          "delete from reactions where post_id = $1 and user_id = $2 and kind = $3",
                          post_id, who->id, reaction_kind_name(kind)));
        post_page_uncache(tx, site, row->slug);
    }
    return bide_void;
}
