/*
 * One's own profile. Called by api.c and pages.c.
 */
#include "accounts/login.h"

async(user_ptr) change_profile(bide_request *req, const account *who,
                               const profile_changes *changes)
{
    frodo *site = frodo_of(req);
    user *u = NULL;
    with_tx(tx, site->db) {
        u = await(bide_patch(tx, user, who->id, profile_changes, changes));
        account_changed(tx, site, who->id);
    }
    return ready(user_ptr, u);
}
