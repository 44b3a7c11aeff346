/*
 * Browsers that are logged in: a random token in the cookie `session`, whose digest is the key of a
 * row. Called by pages.c and current.c.
 */
#include "accounts/login.h"

#include <string.h>

static const char *id_of(const char *cookie)
{
    return bide_token_digest(bide_task_arena(), cookie).text;
}

static const char *key_of(const char *id)
{
    return bide_cache_key("session:%s", id);
}

SPAWNABLE(session_ptr, load_session, bide_db *, const char *)
async(session_ptr) load_session(bide_db *db, const char *id)
{
    return bide_maybe(db, session, "id = $1", id);
}

async(session_ptr) session_find(frodo *site, const char *cookie)
{
    if (!cookie)
        return ready(session_ptr, NULL);
    const char *id = id_of(cookie);
    session *found = await(bide_cached(site->cache, session, key_of(id), bide_s(ACCOUNT_CACHE_S),
                                       load_session, site->db, id));
    return ready(session_ptr, found && found->expires_at > bide_now_us() ? found : NULL);
}

/* Deletes a session with the rest of a transaction. */
static async(void) forget(bide_tx *tx, frodo *site, const char *cookie)
{
    const char *id = id_of(cookie);
    await(bide_do(tx, "delete from sessions where id = $1", id));
    bide_cache_invalidate_after(tx, site->cache, key_of(id));
    return bide_void;
}

static bool is_over_http(const frodo *site)
{
    return strncmp(site->settings->public_url, "https:", 6) != 0;
}

async(void) session_begin(bide_request *req, const user *u, const char *cookie)
{
    frodo *site = frodo_of(req);
    const char *token = bide_token_make(bide_task_arena(), 32);
    int64_t seconds = (int64_t)site->settings->session_days * 86400;
    session row = {.id = id_of(token),
                   .user_id = u->id,
                   .token_epoch = u->token_epoch,
                   .expires_at = bide_now_us() + seconds * 1000000};
    with_tx(tx, site->db) {
        await(user_hold(tx, u));
        if (cookie)
            await(forget(tx, site, cookie));
        await(bide_insert(tx, session, &row));
    }
    bide_set_cookie(req, "session", token, .max_age_s = seconds,
                    .over_plain_http = is_over_http(site));
    return bide_void;
}

async(void) session_end(bide_request *req, const char *cookie)
{
    frodo *site = frodo_of(req);
    if (cookie) {
        with_tx(tx, site->db)
            await(forget(tx, site, cookie));
    }
    bide_set_cookie(req, "session", "", .max_age_s = -1, .over_plain_http = is_over_http(site));
    return bide_void;
}
