/*
 * Passwords and the codes that prove an address: registering, a new password for a forgotten one or
 * for an old one. Called by api.c and pages.c; calls bide's codes and passwords.
 *
 * A hash takes long: it is made before the transaction begins, so that nobody waits for it.
 */
#include "accounts/login.h"

#include <string.h>

static const char wrong_code[] = "Wrong or expired code";

/* ---- rules ---- */

/* Adds what is wrong with a new password to the problems of the request. */
static void judge_password(bide_request *req, bide_plain_pw password, bide_plain_pw confirm)
{
    if (password.text && confirm.text && strcmp(password.text, confirm.text) != 0)
        bide_add_problem(req, "password_confirm", "value_error", "The passwords are not the same");
    if (password.text &&
        strspn(password.text, (char[]){password.text[0], 0}) == strlen(password.text))
        bide_add_problem(req, "password", "value_error",
                         "One character over and over is no password");
}

static void judge_like(bide_request *req, bide_plain_pw password, const char *name)
{
    if (password.text && name && strcmp(folded(password.text), folded(name)) == 0)
        bide_add_problem(req, "password", "value_error",
                         "The password is the user name or the e-mail address");
}

void register_judge(bide_request *req, const register_form *form)
{
    judge_password(req, form->password, form->password_confirm);
    judge_like(req, form->password, form->username);
    judge_like(req, form->password, form->email);
}

void recover_judge(bide_request *req, const recover_form *form)
{
    judge_password(req, form->password, form->password_confirm);
    judge_like(req, form->password, form->email);
}

void password_judge(bide_request *req, const account *who, const password_form *form)
{
    judge_password(req, form->password, form->password_confirm);
    judge_like(req, form->password, who->username);
    judge_like(req, form->password, who->email);
    if (form->password.text && form->old_password.text &&
        strcmp(form->password.text, form->old_password.text) == 0)
        bide_add_problem(req, "password", "value_error", "The password is the old one");
}

/* ---- codes ---- */

bide_code_rules code_rules(const frodo *site, code_purpose purpose)
{
    return (bide_code_rules){.purpose = code_purpose_name(purpose), .secret = site->secret};
}

bide_code_place code_place_of(const frodo *site, bide_tx *tx)
{
    bool in_redis = site->settings->codes == code_place_redis;
    return (bide_code_place){site->db, tx, in_redis ? site->redis : NULL};
}

const char *code_subject(code_purpose purpose, const account *who, const char *email)
{
    if (purpose != code_purpose_email_change)
        return email;
    return bide_arena_printf(bide_task_arena(), "%lld %s", (long long)who->id, email);
}

async(void) code_take(bide_tx *tx, frodo *site, code_purpose purpose, const char *subject,
                      const char *code)
{
    bide_code_rules rules = code_rules(site, purpose);
    if (!await(bide_code_consume(code_place_of(site, tx), &rules, subject, code)))
        fail(http_error(400, wrong_code));
    return bide_void;
}

/* ---- what the routes do ---- */

async(user_ptr) register_user(bide_request *req, const register_form *form)
{
    frodo *site = frodo_of(req);
    user *u = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *u);
    if (!u)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a user"));
    *u = (user){.email = folded(form->email),
                .username = form->username,
                .password = await(bide_password_hash(form->password)),
                .about = "",
                .role_id = ROLE_MEMBER};
    with_tx(tx, site->db) {
        await(code_take(tx, site, code_purpose_register, u->email, form->code));
        await(bide_insert(tx, user, u));
    }
    return ready(user_ptr, u);
}

async(void) recover_user(bide_request *req, const recover_form *form)
{
    frodo *site = frodo_of(req);
    const char *email = folded(form->email);
    bide_hash hash = await(bide_password_hash(form->password));
    const user *u = NULL;
    with_tx(tx, site->db) {
        await(code_take(tx, site, code_purpose_recover, email, form->code));
        u = await(bide_maybe(tx, user, "email = $1 and status = 'active'", email));
        if (!u) /* a code is made for every address, so that nobody learns which are known */
            fail(http_error(400, wrong_code));
        await(bide_do(tx, "update users set password = $1 where id = $2", hash, u->id));
        await(account_end_logins(tx, site, u->id));
        await(login_unlock(tx, u));
    }
    return bide_void;
}

async(user_ptr) change_password(bide_request *req, const account *who, const password_form *form)
{
    frodo *site = frodo_of(req);
    user *u = await(login_check(req, who->username, form->old_password));
    if (!u)
        fail(http_error(400, "The old password is wrong"));
    bide_hash hash = await(bide_password_hash(form->password));
    with_tx(tx, site->db) {
        await(user_hold(tx, u));
        await(bide_do(tx, "update users set password = $1 where id = $2", hash, u->id));
        await(account_end_logins(tx, site, u->id));
    }
    u->token_epoch++;
    return ready(user_ptr, u);
}
