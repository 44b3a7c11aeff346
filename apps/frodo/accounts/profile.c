/*
 * One's own profile. Called by api.c and pages.c.
 */
#include "accounts/login.h"
#include "blog/blog.h"

async(user_ptr) change_profile(bide_request *req, const account *who,
                               const profile_changes *changes)
{
    frodo *site = frodo_of(req);
    user *u = NULL;
    with_tx(tx, site->db) {
        u = await(bide_patch(tx, user, who->id, profile_changes, changes));
        account_changed(tx, site, who->id);
        if (bide_has(changes, username))
            names_uncache(tx, site);
    }
    return ready(user_ptr, u);
}
