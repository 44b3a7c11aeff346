/*
 * One's own profile. Called by api.c and pages.c.
 */
#include "accounts/login.h"
#include "blog/blog.h"

#include <string.h>

/* What of it is kept as it was typed. */
PARTIAL(profile_written, user, username, about, email);

void profile_judge(bide_request *req, const account *who, const profile_changes *changes)
{
    if (!bide_has(changes, email))
        return;
    if (strcmp(folded(changes->email), who->email) == 0)
        bide_add_problem(req, "email", "value_error", "This is your address already");
    if (!bide_has(changes, code))
        bide_add_problem(req, "code", "missing", "An address needs the code that was mailed there");
    if (!bide_has(changes, password))
        bide_add_problem(req, "password", "missing", "An address needs your password");
}

/* The account, if this is its password. */
static async(user_ptr) proved(bide_request *req, const account *who, bide_plain_pw password)
{
    user *u = await(login_check(req, who->username, password));
    if (!u || u->id != who->id)
        bide_add_problem(req, "password", "refused", "The password is wrong");
    bide_refuse_problems(req);
    return ready(user_ptr, u);
}

async(user_ptr) change_profile(bide_request *req, const account *who,
                               const profile_changes *changes)
{
    frodo *site = frodo_of(req);
    profile_written written = {.bide_set = 0};
    const user *was = NULL;
    user *u = NULL;
    if (bide_has(changes, username))
        bide_set_field(&written, username, changes->username);
    if (bide_has(changes, about))
        bide_set_field(&written, about, changes->about);
    if (bide_has(changes, email)) {
        bide_set_field(&written, email, folded(changes->email));
        was = await(proved(req, who, changes->password));
    }
    with_tx(tx, site->db) {
        if (was) {
            code_purpose purpose = code_purpose_email_change;
            const char *subject = code_subject(purpose, who, written.email);
            await(code_take(tx, site, purpose, subject, changes->code));
            await(user_hold(tx, was));
            mail_address_changed(tx, site, was, written.email);
        }
        u = await(bide_patch(tx, user, who->id, profile_written, &written));
        account_changed(tx, site, who->id);
        if (bide_has(changes, username))
            names_uncache(tx, site);
    }
    return ready(user_ptr, u);
}
