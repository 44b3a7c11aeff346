/*
 * What of the blog is cached, and when it is dropped. Called by changes.c, comments.c, reactions.c,
 * lists.c and pages.c; of names by accounts/ and users/.
 *
 *     blog:lists          a random text. Its holder is part of the key of every list, so that
 *                         dropping this one key ends all lists, whatever pages of them there are
 *     blog:post:SLUG      the page of a published post: itself, comments, reactions
 *     blog:names          a random text that these pages repeat: one with another text than the
 *                         holder's is made anew
 *     blog:html:ID:V:T    the HTML of one version of a post. Also the time of the change is in the
 *                         key: a version that was rolled back comes a second time
 *
 * A list that was read before the change is under a name that nobody asks for any more.
 */
#include "blog/blog.h"
#include "blog/markdown.h"

#include <bide/token.h>
#include <inttypes.h>

static const char lists_key[] = "blog:lists", names_key[] = "blog:names";

static async(str) new_generation(bide_arena *arena);
SPAWNABLE(str, new_generation, bide_arena *)
static async(str) new_generation(bide_arena *arena)
{
    return ready(str, bide_token_make(arena, 16));
}

static async(str) generation_of(frodo *site, const char *key)
{
    return bide_cached_text(site->cache, key, bide_s(3600), new_generation, bide_task_arena());
}

async(str) posts_key(frodo *site, const char *name)
{
    return ready(str, bide_cache_key("blog:%s:%s", await(generation_of(site, lists_key)), name));
}

async(str) names_generation(frodo *site)
{
    return generation_of(site, names_key);
}

const char *post_page_key(const char *slug)
{
    return bide_cache_key("blog:post:%s", slug);
}

static const char *html_key(const post_row *row)
{
    return bide_cache_key("blog:html:%" PRId64 ":%" PRId64 ":%" PRId64, row->id, row->version,
                          row->updated_at);
}

static async(str) html_of(bide_arena *arena, const char *content);
SPAWNABLE(str, html_of, bide_arena *, const char *)
static async(str) html_of(bide_arena *arena, const char *content)
{
    return ready(str, await(markdown_html(arena, content)).text);
}

async(bide_html_safe) post_html(const post_row *row)
{
    frodo *site = frodo_of(bide_request_here());
    const char *html = await(bide_cached_text(site->cache, html_key(row), bide_s(3600), html_of,
                                              bide_task_arena(), row->content));
    return ready(bide_html_safe, (bide_html_safe){.text = html});
}

void post_uncache(bide_tx *tx, frodo *site, const post_row *was)
{
    bide_cache_invalidate_after(tx, site->cache, lists_key, post_page_key(was->slug),
                                html_key(was));
}

void post_page_uncache(bide_tx *tx, frodo *site, const char *slug)
{
    bide_cache_invalidate_after(tx, site->cache, post_page_key(slug));
}

void names_uncache(bide_tx *tx, frodo *site)
{
    bide_cache_invalidate_after(tx, site->cache, lists_key, names_key);
}
