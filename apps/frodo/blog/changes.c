/*
 * Making, changing and deleting posts, with all that is made of them: slug, excerpt, tags, terms.
 * What computes (excerpt, terms) is done before the transaction begins. Called by api.c, admin.c
 * and seed.c.
 */
#include "blog/blog.h"
#include "blog/making.h"
#include "blog/markdown.h"
#include "blog/reading.h"

#include <inttypes.h>
#include <string.h>

enum { EXCERPT_CHARACTERS = 160, TITLE_WEIGHT = 12, TAG_WEIGHT = 6 };

/* ---- tags ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As it is kept; NULL for one that is none. */
static const char *tag_of(const char *typed)
{
    while (is_space(*typed))
        typed++;
    size_t length = strlen(typed), characters = 0;
    while (length > 0 && is_space(typed[length - 1]))
        length--;
    bool is_dots = strspn(typed, ".") >= length; /* "." and ".." are no part of a path */
    for (size_t i = 0; i < length; i++) {
        characters += (typed[i] & 0xC0) != 0x80;
        if ((unsigned char)typed[i] < ' ' || typed[i] == 0x7F || strchr("/,\\", typed[i]))
            return NULL;
    }
    if (length == 0 || is_dots || characters > TAG_CHARACTERS)
        return NULL;
    return text_lower(bide_task_arena(), typed, length);
}

const char *tags_problem(bide_list(str) tags)
{
    if (tags.count > TAGS_PER_POST)
        return "At most 10 tags";
    for (size_t i = 0; i < tags.count; i++)
        if (!tag_of(tags.items[i]))
            return "A tag has 1 to 40 characters, and none of / , \\";
    return NULL;
}

static bide_list(str) tags_of(bide_list(str) typed)
{
    bide_list(str)
        tags = {bide_arena_alloc_zero(bide_task_arena(), typed.count, sizeof *tags.items), 0};
    const char *problem = tags_problem(typed);
    if (problem)
        fail(http_error(422, "%s", problem));
    if (!tags.items)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for tags"));
    for (size_t i = 0; i < typed.count; i++) {
        const char *tag = tag_of(typed.items[i]);
        size_t known = 0;
        while (known < tags.count && strcmp(tags.items[known], tag) != 0)
            known++;
        if (known == tags.count)
            tags.items[tags.count++] = tag;
    }
    return tags;
}

/* ---- what is made of a post ---- */

const char *excerpt_of(const char *content)
{
    bide_arena *arena = bide_task_arena();
    const char *prose = markdown_text(arena, content, MARKDOWN_PROSE);
    char *excerpt = bide_arena_alloc(arena, EXCERPT_CHARACTERS * 4 + sizeof "…");
    if (!excerpt)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for an excerpt"));
    size_t length = 0, characters = 0, last_space = 0;
    for (const char *at = prose; *at; at++) {
        bool is_first = (*at & 0xC0) != 0x80, space = is_space(*at);
        if (space && (length == 0 || excerpt[length - 1] == ' '))
            continue;
        if (is_first && characters == EXCERPT_CHARACTERS) {
            /* A text with spaces ends with a whole word; one without at any character. */
            length = last_space > length / 2 ? last_space : length;
            memcpy(excerpt + length, "…", sizeof "…");
            return excerpt;
        }
        if (space)
            last_space = length;
        characters += is_first;
        excerpt[length++] = space ? ' ' : *at;
    }
    while (length > 0 && excerpt[length - 1] == ' ')
        length--;
    excerpt[length] = '\0';
    return excerpt;
}

word_terms terms_of(const post *p, bide_list(str) tags)
{
    word_terms terms = {.arena = bide_task_arena()};
    word_terms_add(&terms, p->title, TITLE_WEIGHT);
    for (size_t i = 0; i < tags.count; i++)
        word_terms_add(&terms, tags.items[i], TAG_WEIGHT);
    word_terms_add(&terms, markdown_text(terms.arena, p->content, MARKDOWN_ALL_TEXT), 1);
    word_terms_merge(&terms);
    return terms;
}

/* In place of what there was. */
static async(void) write_tags(bide_tx *tx, int64_t id, bide_list(str) tags)
{
    post_tag rows[TAGS_PER_POST];
    for (size_t i = 0; i < tags.count; i++)
        rows[i] = (post_tag){.post_id = id, .name = tags.items[i]};
    await(bide_do(tx, "delete from post_tags where post_id = $1", id));
    if (tags.count > 0)
        await(bide_insert_many(tx, post_tag, rows, tags.count));
    return bide_void;
}

static async(void) write_terms(bide_tx *tx, int64_t id, const word_terms *terms)
{
    post_term *rows = bide_arena_alloc_zero(bide_task_arena(), terms->count, sizeof *rows);
    if (!rows)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for the words of a post"));
    for (size_t i = 0; i < terms->count; i++)
        rows[i] = (post_term){
            .post_id = id, .term = terms->items[i].text, .weight = terms->items[i].weight};
    await(bide_do(tx, "delete from post_terms where post_id = $1", id));
    if (terms->count > 0)
        await(bide_insert_many(tx, post_term, rows, terms->count));
    return bide_void;
}

/* ---- changes ---- */

static void check_publishing(const account *who)
{
    if (!account_may(who, "posts:publish"))
        fail(http_error(403, "Not allowed: posts:publish"));
}

/* The slug itself, or the first that is free of slug-2, slug-3 ...; those that others have already
   are skipped at once. */
static async(str) free_slug(bide_tx *tx, const char *slug)
{
    const char *candidate = slug;
    for (int64_t number = 1;; number++) {
        if (await(bide_scalar(tx, i64, "select count(*) from posts where slug = $1", candidate)) ==
            0)
            return ready(str, candidate);
        if (number == 1)
            number += await(bide_scalar(
                tx, i64, "select count(*) from posts where slug like $1 || '-%'", slug));
        candidate = bide_arena_printf(bide_task_arena(), "%s-%" PRId64, slug, number + 1);
    }
}

/* Read before the commit: what fails after it would tell the author that nothing was done. */
static async(post_row_ptr) written_post(bide_tx *tx, const account *who, int64_t id)
{
    post_row *row = await(bide_one(tx, post_row, POST_ROWS "where p.id = $4", SCOPE_OF(who), id));
    post_tag_list tags = await(bide_all(tx, post_tag, "post_id = $1 order by name", id));
    row->tags = tag_names(&tags);
    return ready(post_row_ptr, row);
}

async(post_row_ptr) post_create(frodo *site, const account *who, const post_form *form)
{
    int64_t now = bide_now_us();
    bool is_published = form->status == post_status_published;
    if (is_published)
        check_publishing(who);
    const char *slug = slug_of(bide_task_arena(), form->title);
    post p = {.author_id = who->id,
              .title = form->title,
              .content = form->content,
              .excerpt = excerpt_of(form->content),
              .status = form->status,
              .version = 1,
              .updated_at = now,
              .published_at = is_published ? now : 0};
    bide_list(str) tags = tags_of(form->tags);
    word_terms terms = terms_of(&p, tags);
    post_row *written = NULL;
    with_tx(tx, site->db) {
        bool is_new = false;
        while (!is_new) { /* another may take it meanwhile */
            p.slug = await(free_slug(tx, slug));
            is_new = await(bide_insert_new(tx, post, &p, slug));
        }
        await(write_tags(tx, p.id, tags));
        await(write_terms(tx, p.id, &terms));
        post_uncache(tx, site, &(post_row){.id = p.id, .slug = p.slug});
        written = await(written_post(tx, who, p.id));
    }
    return ready(post_row_ptr, written);
}

/* Nobody's change is lost: one that was made from an older version is refused. */
static void check_version(const post_row *row, int64_t if_match, int64_t version)
{
    if (if_match != 0 && if_match != row->version)
        fail(http_error(412, "The post was changed: it has version %" PRId64, row->version));
    if (version != 0 && version != row->version)
        fail(http_error(409, "The post was changed: it has version %" PRId64, row->version));
}

/* The row of the table after these changes. */
static post changed_post(const post_row *row, const post_changes *changes)
{
    post p = {.id = row->id,
              .slug = row->slug,
              .title = bide_has(changes, title) ? changes->title : row->title,
              .content = bide_has(changes, content) ? changes->content : row->content,
              .status = bide_has(changes, status) ? changes->status : row->status,
              .version = row->version + 1,
              .updated_at = bide_now_us(),
              .published_at = row->published_at};
    if (p.status == post_status_published && p.published_at == 0)
        p.published_at = p.updated_at;
    p.excerpt = excerpt_of(p.content);
    return p;
}

/* In one statement with the question whether it is still the version that was read. */
static async(void) raise_version(bide_tx *tx, const post_row *row)
{
    int64_t changed =
        await(bide_exec(tx, "update posts set version = version + 1 where id = $1 and version = $2",
                        row->id, row->version));
    if (changed == 0)
        fail(http_error(409, "The post was changed meanwhile"));
    return bide_void;
}

async(post_row_ptr) post_change(frodo *site, const account *who, int64_t id,
                                const post_changes *changes, int64_t if_match)
{
    const post_row *row = await(post_to_change(site, who, id));
    check_version(row, if_match, bide_has(changes, version) ? changes->version : 0);
    post p = changed_post(row, changes);
    if (p.status != row->status)
        check_publishing(who);
    bide_list(str) tags = bide_has(changes, tags) ? tags_of(changes->tags) : row->tags;
    word_terms terms = terms_of(&p, tags);
    const char *slug = slug_of(bide_task_arena(), p.title);
    bool needs_slug =
        row->published_at == 0 && strcmp(slug, slug_of(bide_task_arena(), row->title)) != 0;
    post_row *written = NULL;
    with_tx(tx, site->db) {
        await(raise_version(tx, row));
        if (needs_slug)
            p.slug = await(free_slug(tx, slug));
        await(bide_update(tx, post, &p, slug, title, content, excerpt, status, updated_at,
                          published_at));
        if (bide_has(changes, tags))
            await(write_tags(tx, id, tags));
        await(write_terms(tx, id, &terms));
        post_uncache(tx, site, row);
        written = await(written_post(tx, who, id));
    }
    return ready(post_row_ptr, written);
}

async(void) post_delete(frodo *site, const account *who, int64_t id, int64_t if_match)
{
    const post_row *row = await(post_to_change(site, who, id));
    check_version(row, if_match, 0);
    with_tx(tx, site->db) {
        await(raise_version(tx, row));
        await(bide_delete(tx, post, id));
        post_uncache(tx, site, row);
    }
    return bide_void;
}
