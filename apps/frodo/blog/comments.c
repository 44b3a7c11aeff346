/*
 * Comments: plain texts of accounts below a post. Called by api.c, pages.c and admin.c.
 */
#include "blog/blog.h"
#include "blog/reading.h"

#include <inttypes.h>

#define COMMENT_ROWS                                                                               \
    "select c.id, c.post_id, c.author_id, u.username as author, c.content, c.hidden, "             \
    "c.created_at from comments c join users u on u.id = c.author_id "

const char *comment_day(const comment_out *row)
{
    return day_of(row->created_at);
}

async(comment_out_page) comments_of(frodo *site, const account *who, int64_t post_id, int32_t page,
                                    int32_t size)
{
    bool sees_hidden = who && account_may(who, "comments:moderate");
    return bide_page(site->db, comment_out, page, size,
                     COMMENT_ROWS "where c.post_id = $1 and (c.hidden = $2 or c.hidden = $3) "
                                  "order by c.id",
                     post_id, false, sees_hidden);
}

async(comment_out_page) comments_all(frodo *site, int32_t page, int32_t size)
{
    return bide_page(site->db, comment_out, page, size, COMMENT_ROWS "order by c.id desc");
}

/* Read before the commit: what fails after it would tell the author that nothing was done. */
static async(comment_out_ptr) written_comment(bide_tx *tx, int64_t id)
{
    return bide_one(tx, comment_out, COMMENT_ROWS "where c.id = $1", id);
}

void comments_limit(bide_app *app, frodo *site)
{
    /* By their address, which all workers give, it is one limit. */
    static bide_rate_limit_options of_account = {.name = "comments"}, of_client = {.name = "hosts"};
    of_account.requests = (uint32_t)site->settings->comments_per_minute;
    of_client.requests = 3 * of_account.requests; /* a house, or an office, behind one address */
    site->comments_of_account = bide_app_limit(app, &of_account);
    site->comments_of_client = bide_app_limit(app, &of_client);
}

/* What other processes have seen of an account: counted in Redis, for a minute from the first one.
   The milliseconds until it may write again, or 0. */
static async(int64_t) wait_of(bide_redis *redis, const char *id, int32_t most)
{
    static bide_redis_script count = {
        .text = "local n = redis.call('incr', KEYS[1]) "
                "if n == 1 then redis.call('pexpire', KEYS[1], 60000) end "
                "if n > tonumber(ARGV[1]) then return redis.call('pttl', KEYS[1]) end return 0"};
    const char *key = bide_arena_printf(bide_task_arena(), "frodo:comments:%s", id);
    const bide_redis_arg args[] = {bide_redis_arg(key), bide_redis_arg(most)};
    int64_t wait_ms = 0;
    with_deadline(bide_ms(500)) /* while it is away nobody waits longer for it */
        wait_ms = await(bide_redis_eval(redis, &count, args, 1, 2)).integer;
    return ready(int64_t, wait_ms);
}
SPAWNABLE(int64_t, wait_of, bide_redis *, const char *, int32_t)

/* Each process counts accounts and addresses; with Redis accounts are counted for all processes,
   and while it is away by each again. */
static async(void) spend(bide_request *req, const frodo *site, const account *who)
{
    bide_error *error = NULL;
    int64_t wait_ms = 0;
    const char *id = bide_arena_printf(bide_task_arena(), "%" PRId64, who->id);
    if (!id)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a limit"));
    bide_limit_take(req, site->comments_of_account, id);
    bide_limit_take(req, site->comments_of_client, NULL);
    if (site->redis)
        wait_ms = attempt(&error, wait_of, site->redis, id, site->settings->comments_per_minute);
    if (!error && wait_ms > 0) {
        const char *seconds =
            bide_arena_printf(bide_arena_of(req), "%" PRId64, (wait_ms + 999) / 1000);
        bide_keep_header(req, "Retry-After", seconds);
        fail(http_error(429, "Too many requests: try again in %s seconds", seconds));
    }
    return bide_void;
}

async(comment_out_ptr) comment_add(bide_request *req, const account *who, int64_t post_id,
                                   const comment_form *form)
{
    frodo *site = frodo_of(req);
    await(spend(req, site, who));
    const post_row *row = await(post_by_id(site, who, post_id));
    comment c = {.post_id = post_id, .author_id = who->id, .content = form->content};
    comment_out *written = NULL;
    with_tx(tx, site->db) {
        await(bide_insert(tx, comment, &c));
        post_page_uncache(tx, site, row->slug);
        written = await(written_comment(tx, c.id));
    }
    return ready(comment_out_ptr, written);
}

/* The comment and the slug of its post. */
MODEL(comment_place, "", (i64, author_id), (str, slug));

static async(comment_place_ptr) place_of(frodo *site, int64_t id)
{
    comment_place *place = await(
        bide_maybe(site->db, comment_place,
                   "select c.author_id, p.slug from comments c join posts p on p.id = c.post_id "
                   "where c.id = $1",
                   id));
    if (!place)
        fail(http_error(404, "No such comment"));
    return ready(comment_place_ptr, place);
}

async(comment_out_ptr) comment_hide(frodo *site, int64_t id, bool hidden)
{
    const comment_place *place = await(place_of(site, id));
    comment_out *written = NULL;
    with_tx(tx, site->db) {
        await(bide_update(tx, comment, (&(comment){.id = id, .hidden = hidden}), hidden));
        post_page_uncache(tx, site, place->slug);
        written = await(written_comment(tx, id));
    }
    return ready(comment_out_ptr, written);
}

async(void) comment_delete(frodo *site, const account *who, int64_t id)
{
    const comment_place *place = await(place_of(site, id));
    if (place->author_id != who->id && !account_may(who, "comments:moderate"))
        fail(http_error(403, "This comment is not yours"));
    with_tx(tx, site->db) {
        await(bide_delete(tx, comment, id));
        post_page_uncache(tx, site, place->slug);
    }
    return bide_void;
}
