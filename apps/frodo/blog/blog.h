/*
 * The blog: posts with tags, comments and reactions, and the search over them.
 *
 * Who may what: everybody reads what is published. `posts:write` lets write posts of one's own, and
 * those of other authors within the data scope (an editor: of the own department and those below
 * it; an admin: all); `posts:publish` lets them appear. A draft is seen by those only who may
 * change it: for others there is none (404). Who is logged in comments and reacts;
 * `comments:moderate` hides comments.
 *
 * Invariants
 *  1. Every change of a post raises its version; a change that was made from an older one is
 *     refused (412 for If-Match, 409 for the field `version`).
 *  2. What is cached is dropped after the commit that changes the post, its comments or reactions,
 *     or the name of somebody (cached.c), so none of these is shown stale.
 *  3. `excerpt` and `post_terms` are made from title, tags and content in the same transaction.
 *
 * All functions may suspend and raise 403, 404, 409, 412 and what the database raises. Rows and
 * texts belong to the request.
 */
#ifndef FRODO_BLOG_H
#define FRODO_BLOG_H

#include "accounts/accounts.h"

enum { TAGS_PER_POST = 10, TAG_CHARACTERS = 40, POSTS_PER_PAGE = 20, COMMENTS_PER_PAGE = 50 };

ENUM(post_status, draft, published);
ENUM(reaction_kind, like, love, laugh, wow, sad);

LINK(to_post, show_post, path(str, slug));

/* ---- tables ---- */

MODEL(post, "posts", (i64, id, key, generated), (i64, author_id), (str, slug, unique), (str, title),
      (str, content), (str, excerpt), (post_status, status), (i64, version),
      (time, created_at, generated), (time, updated_at), (time, published_at, optional));
MODEL(post_tag, "post_tags", (i64, id, key, generated), (i64, post_id), (str, name));
MODEL(post_term, "post_terms", (i64, id, key, generated), (i64, post_id), (str, term),
      (i32, weight));
MODEL(comment, "comments", (i64, id, key, generated), (i64, post_id), (i64, author_id),
      (str, content), (bool, hidden), (time, created_at, generated));
MODEL(reaction, "reactions", (i64, id, key, generated), (i64, post_id), (i64, user_id),
      (reaction_kind, kind));

/* ---- what comes in ---- */

MODEL(post_form, "", (str, title, len(1, 200), match("\\S")), (str, content, len(0, 200000)),
      (list(str), tags, len(0, TAGS_PER_POST), optional),
      (post_status, status, dflt(post_status_draft)), (i64, version, optional));
PARTIAL(post_changes, post_form, title, content, tags, status, version);
MODEL(comment_form, "", (str, content, len(1, 4000), match("\\S")));
MODEL(comment_state, "", (bool, hidden));

/* ---- what goes out ---- */

#define POST_FIELDS                                                                                \
    (i64, id), (str, slug), (str, title), (str, excerpt), (post_status, status), (i64, version),   \
        (i64, author_id), (str, author), (list(str), tags), (time, created_at),                    \
        (time, updated_at), (time, published_at, optional)

/* In lists. `day` is that of publishing, as 2026-11-21; null for drafts. */
typedef struct post_item post_item;
const char *post_item_day(const post_item *row);
MODEL(post_item, "", POST_FIELDS, (computed(str), day, post_item_day));

/* A post as the blog reads it; `html_content` is its Markdown as safe HTML, from the cache;
   `in_scope`: its author is in the data scope of whom it was read for. */
typedef struct post_row post_row;
async(bide_html_safe) post_html(const post_row *row);
const char *post_row_day(const post_row *row);
MODEL(post_row, "", POST_FIELDS, (str, content), (bool, in_scope),
      (computed(html_safe), html_content, post_html), (computed(str), day, post_row_day));

/* ... and as it leaves. */
VIEW(post_out, post_row, id, slug, title, excerpt, status, version, author_id, author, tags,
     created_at, updated_at, published_at, content, html_content);

MODEL(tag_count, "", (str, name), (i64, count));
typedef struct comment_out comment_out;
const char *comment_day(const comment_out *row);
MODEL(comment_out, "", (i64, id), (i64, post_id), (i64, author_id), (str, author), (str, content),
      (bool, hidden), (time, created_at), (computed(str), day, comment_day));
MODEL(reaction_count, "", (reaction_kind, kind), (i64, count), (bool, mine));

/* ---- posts (posts.c, changes.c) ---- */

PERMISSION(may_write_posts, "posts:write")
PERMISSION(may_moderate, "comments:moderate")

/* Whether this account may change the post, which was read for it; `who` may be NULL. */
bool post_may_change(const account *who, const post_row *row);

/* The post, if this account may see it: 404. `who` may be NULL. post_to_change: 403 too. */
async(post_row_ptr) post_by_id(frodo *site, const account *who, int64_t id);
async(post_row_ptr) post_by_slug(frodo *site, const account *who, const char *slug);
async(post_row_ptr) post_to_change(frodo *site, const account *who, int64_t id);

/* All three commit before they return. `if_match` is the version that is to be changed; 0: any. A
   changed title gives a new slug only as long as the post was never published: links stay. */
async(post_row_ptr) post_create(frodo *site, const account *who, const post_form *form);
async(post_row_ptr) post_change(frodo *site, const account *who, int64_t id,
                                const post_changes *changes, int64_t if_match);
async(void) post_delete(frodo *site, const account *who, int64_t id, int64_t if_match);

/* What is wrong with these tags, or NULL. They are kept without spaces around, in lower case, each
   once; one has at most TAG_CHARACTERS, and no `/`, `,` or control character. */
const char *tags_problem(bide_list(str) tags);

/* ---- lists (lists.c): published posts, the newest first ---- */

/* What posts are wanted; "" is all. */
typedef struct post_filter {
    const char *tag, *author; /* author: the username */
    int32_t page, size;
} post_filter;

async(post_item_page) posts_published(frodo *site, const post_filter *filter);

/* Those that the account may change, of a status ("" for both), changed last first. */
async(post_item_page) posts_to_change(frodo *site, const account *who, const char *status,
                                      const post_filter *filter);

/* Those that have all words of the text: the best first. */
async(post_item_page) posts_found(frodo *site, const char *text, int32_t page, int32_t size);

/* The tags of published posts, the most used first. */
async(tag_count_list) tags_counted(frodo *site);

/* ---- comments and reactions (comments.c, reactions.c): of posts that `who` may see ---- */

/* The oldest first; hidden ones are shown to moderators only. */
async(comment_out_page) comments_of(frodo *site, const account *who, int64_t post_id, int32_t page,
                                    int32_t size);

/* Of all posts, the newest first: for moderators. */
async(comment_out_page) comments_all(frodo *site, int32_t page, int32_t size);

/* 429 for too many of the account, or of the client's address. */
SPAWNABLE(comment_out_ptr, comment_add, bide_request *, const account *, int64_t,
          const comment_form *)

/* How many are too many; where the application is made. */
void comments_limit(bide_app *app, frodo *site);

async(comment_out_ptr) comment_hide(frodo *site, int64_t id, bool hidden);

/* One's own, or any by a moderator. */
async(void) comment_delete(frodo *site, const account *who, int64_t id);

/* All kinds, also those that nobody gave; `mine` is about `who`, who may be NULL. */
async(reaction_count_list) reactions_of(frodo *site, const account *who, int64_t post_id);
async(void) reaction_set(frodo *site, const account *who, int64_t post_id, reaction_kind kind,
                         bool wanted);

/* ---- the cache (cached.c) ---- */

/* When the transaction is committed: drops what is cached of the post and of the lists it is in;
   the second only its page, for comments and reactions. */
void post_uncache(bide_tx *tx, frodo *site, const post_row *was);
void post_page_uncache(bide_tx *tx, frodo *site, const char *slug);

/* The same for all that shows names or counts reactions: somebody has another name, or is gone. */
void names_uncache(bide_tx *tx, frodo *site);

/* What a cached page of a post repeats: a text that is another one after names_uncache. */
async(str) names_generation(frodo *site);

/* The key of a post's page; and of what is made of lists of posts, which is another one as soon as
   a post has changed. */
const char *post_page_key(const char *slug);
async(str) posts_key(frodo *site, const char *name);

/* Adds so many demo posts with tags, comments and reactions, by authors of their own. */
async(void) blog_seed(frodo *site, int64_t count);

#endif
