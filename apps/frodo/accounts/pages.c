/*
 * Accounts for browsers: forms that POST, and answer 303 when all was right, or show the form again
 * with what is wrong beside each field. Calls the same functions as api.c.
 */
#include "accounts/login.h"
#include "site/site.h"

#include <string.h>

/* What the page after a form says of it. */
ENUM(login_note, none, recovered, ended);
ENUM(profile_note, none, saved, password, address);

/* These stand further down. */
LINK(to_login, show_login, query(login_note, note));
LINK(to_profile, show_profile);

/* ---- what all of them do ---- */

/* Whether the form can go on: no problem, and no error. What somebody can do something about
   becomes a problem of `field`, or of the field that the error names; other errors are raised. */
static bool went_well(bide_request *req, bide_error *error, const char *field)
{
    if (error && error->code == BIDE_CONFLICT)
        bide_add_problem(req, error->field, "taken", "This is taken already");
    else if (error && (error->code == 400 || error->code == 429))
        bide_add_problem(req, field, "refused", "%s", error->message);
    else if (error && error->code != 422) /* 422: it has become problems already */
        fail(error);
    if (!bide_problems_of(req)->first)
        return true;
    bide_set_status(req, error && error->code == 429 ? 429 : 422);
    return false;
}

/* ---- registering, and a new password for a forgotten one ---- */

/* The first step asks for an address, the second, with the code that was mailed there, for the
   rest. */
MODEL(code_page, "", (bool, has_code), (str, email, optional), (str, email_error, optional),
      (str, username, optional), (str, username_error, optional), (str, password_error, optional),
      (str, password_confirm_error, optional), (str, code_error, optional));
MODEL(address_form, "", (str, email, MAIL_ADDRESS));

static code_page code_page_again(bide_request *req, bool has_code)
{
    return (code_page){.has_code = has_code,
                       .email = bide_form_value(req, "email"),
                       .email_error = bide_problem_of(req, "email"),
                       .username = bide_form_value(req, "username"),
                       .username_error = bide_problem_of(req, "username"),
                       .password_error = bide_problem_of(req, "password"),
                       .password_confirm_error = bide_problem_of(req, "password_confirm"),
                       .code_error = bide_problem_of(req, "code")};
}

static async(code_page) mail_code(bide_request *req, code_purpose purpose, const char *email,
                                  const char *next)
{
    bide_error *error = NULL;
    if (!bide_problems_of(req)->first)
        attempt(&error, code_send, req, purpose, NULL, email);
    if (!went_well(req, error, "email"))
        return ready(code_page, code_page_again(req, false));
    bide_see_other(req, next);
    return ready(code_page, ((code_page){.has_code = true}));
}

GET(show_register, "/register", html("accounts/register", code_page), hidden,
    query(str, email, optional))
{
    return (code_page){.has_code = email != NULL, .email = email};
}

POST(mail_register_code, "/register/code", html("accounts/register", code_page), hidden,
     depends(bool, ours, own_form), form_body(address_form, form), takes_problems)
{
    const char *next = url_for(req, show_register, .email = form->email);
    return await(mail_code(req, code_purpose_register, form->email, next));
}

POST(send_register, "/register", html("accounts/register", code_page), hidden,
     depends(bool, ours, own_form), form_body(register_form, form), takes_problems,
     cookie(str, had, alias("session"), optional))
{
    bide_error *error = NULL;
    const user *u = NULL;
    register_judge(req, form);
    if (!bide_problems_of(req)->first)
        u = attempt(&error, register_user, req, form);
    if (!went_well(req, error, "code"))
        return code_page_again(req, true);
    await(session_begin(req, u, had));
    bide_see_other(req, url_for(req, to_profile));
    return (code_page){.has_code = true};
}

GET(show_recover, "/recover", html("accounts/recover", code_page), hidden,
    query(str, email, optional))
{
    return (code_page){.has_code = email != NULL, .email = email};
}

POST(mail_recover_code, "/recover/code", html("accounts/recover", code_page), hidden,
     depends(bool, ours, own_form), form_body(address_form, form), takes_problems)
{
    const char *next = url_for(req, show_recover, .email = form->email);
    return await(mail_code(req, code_purpose_recover, form->email, next));
}

POST(send_recover, "/recover", html("accounts/recover", code_page), hidden,
     depends(bool, ours, own_form), form_body(recover_form, form), takes_problems)
{
    bide_error *error = NULL;
    recover_judge(req, form);
    if (!bide_problems_of(req)->first)
        attempt(&error, recover_user, req, form);
    if (!went_well(req, error, "code"))
        return code_page_again(req, true);
    bide_see_other(req, url_for(req, to_login, .note = login_note_recovered));
    return (code_page){.has_code = true};
}

/* ---- in and out ---- */

MODEL(login_page, "", (login_note, note), (str, next, optional), (str, username, optional),
      (str, username_error, optional), (str, password_error, optional));
MODEL(browser_login, "", (str, username, len(1, 254)), (plain_pw, password, len(1, 1024)),
      (str, next, len(0, 2000), optional));

GET(show_login, "/login", html("accounts/login", login_page), hidden,
    query(str, next, len(0, 2000), optional), query(login_note, note, optional))
{
    return (login_page){.next = next, .note = note};
}

POST(send_login, "/login", html("accounts/login", login_page), hidden,
     depends(bool, ours, own_form), form_body(browser_login, form), takes_problems,
     cookie(str, had, alias("session"), optional))
{
    bide_error *error = NULL;
    const user *u = NULL;
    if (!bide_problems_of(req)->first) {
        u = attempt(&error, login_check, req, form->username, form->password);
        if (!u && !error)
            bide_add_problem(req, "password", "refused", "No account has this name and password");
    }
    if (!went_well(req, error, "password"))
        return (login_page){.next = bide_form_value(req, "next"),
                            .username = bide_form_value(req, "username"),
                            .username_error = bide_problem_of(req, "username"),
                            .password_error = bide_problem_of(req, "password")};
    await(session_begin(req, u, had));
    const char *next = bide_local_path(form->next); /* whatever somebody put into a link */
    bide_see_other(req, next ? next : url_for(req, to_index));
    return (login_page){.note = login_note_none};
}

POST(send_logout, "/logout", redirect, hidden, depends(bool, ours, own_form),
     cookie(str, had, alias("session"), optional))
{
    await(session_end(req, had));
    return (bide_redirect){303, url_for(req, to_index)};
}

/* ---- one's own account ---- */

MODEL(profile_page, "", (profile_note, note), (str, email, optional), (str, username, optional),
      (str, username_error, optional), (str, about, optional), (str, about_error, optional),
      (str, role, optional), (date, member_since, optional), (str, old_password_error, optional),
      (str, password_error, optional), (str, password_confirm_error, optional),
      (str, new_email, optional), (bool, has_code), (str, email_error, optional),
      (str, code_error, optional), (str, email_password_error, optional));
MODEL(email_form, "", (str, email, MAIL_ADDRESS), (str, code, MAILED_CODE),
      (plain_pw, password, len(1, 1024)));
MODEL(profile_form, "", (str, username, USER_NAME),
      (str, about, len(0, 500)));

static const int64_t day_us = INT64_C(86400000000);

static async(profile_page) profile_of(bide_request *req, const account *who)
{
    const user *u = await(bide_one(frodo_of(req)->db, user, "id = $1", who->id));
    return ready(profile_page,
                 ((profile_page){.email = u->email,
                                 .username = u->username,
                                 .about = u->about,
                                 .role = who->role,
                                 .member_since = {(int32_t)(u->created_at / day_us)}}));
}

GET(show_profile, "/profile", html("accounts/profile", profile_page), hidden,
    depends(const account *, who, me), query(profile_note, note, optional),
    query(str, email, len(3, 254), optional))
{
    profile_page page = await(profile_of(req, who));
    page.note = note;
    page.new_email = email;
    page.has_code = email != NULL;
    return page;
}

POST(send_profile, "/profile", html("accounts/profile", profile_page), hidden,
     depends(bool, ours, own_form), depends(const account *, who, me),
     form_body(profile_form, form), takes_problems)
{
    bide_error *error = NULL;
    if (!bide_problems_of(req)->first) {
        profile_changes changes = {.bide_set = 0};
        bide_set_field(&changes, username, form->username);
        bide_set_field(&changes, about, form->about);
        attempt(&error, change_profile, req, who, &changes);
    }
    profile_page page = await(profile_of(req, who));
    if (went_well(req, error, "username")) {
        bide_see_other(req, url_for(req, show_profile, .note = profile_note_saved));
        return page;
    }
    page.username = bide_form_value(req, "username");
    page.username_error = bide_problem_of(req, "username");
    page.about = bide_form_value(req, "about");
    page.about_error = bide_problem_of(req, "about");
    return page;
}

/* The form for another address again, with what is wrong. */
static profile_page email_again(bide_request *req, profile_page page, bool has_code)
{
    page.new_email = bide_form_value(req, "email");
    page.has_code = has_code;
    page.email_error = bide_problem_of(req, "email");
    page.code_error = bide_problem_of(req, "code");
    page.email_password_error = bide_problem_of(req, "password");
    return page;
}

POST(mail_email_code, "/profile/email/code", html("accounts/profile", profile_page), hidden,
     depends(bool, ours, own_form), depends(const account *, who, me),
     form_body(address_form, form), takes_problems)
{
    bide_error *error = NULL;
    if (!bide_problems_of(req)->first)
        attempt(&error, code_send, req, code_purpose_email_change, who, form->email);
    profile_page page = await(profile_of(req, who));
    if (!went_well(req, error, "email"))
        return email_again(req, page, false);
    bide_see_other(req, bide_arena_printf(bide_arena_of(req), "%s#email",
                                          url_for(req, show_profile, .email = form->email)));
    return page;
}

POST(send_email, "/profile/email", html("accounts/profile", profile_page), hidden,
     depends(bool, ours, own_form), depends(const account *, who, me), form_body(email_form, form),
     takes_problems)
{
    bide_error *error = NULL;
    if (!bide_problems_of(req)->first) {
        profile_changes changes = {.bide_set = 0};
        bide_set_field(&changes, email, form->email);
        bide_set_field(&changes, code, form->code);
        bide_set_field(&changes, password, form->password);
        profile_judge(req, who, &changes);
        if (!bide_problems_of(req)->first)
            attempt(&error, change_profile, req, who, &changes);
    }
    profile_page page = await(profile_of(req, who));
    if (!went_well(req, error, "code"))
        return email_again(req, page, true);
    bide_see_other(req, url_for(req, show_profile, .note = profile_note_address));
    return page;
}

POST(send_password, "/profile/password", html("accounts/profile", profile_page), hidden,
     depends(bool, ours, own_form), depends(const account *, who, me),
     form_body(password_form, form), takes_problems, cookie(str, had, alias("session"), optional))
{
    bide_error *error = NULL;
    const user *u = NULL;
    password_judge(req, who, form);
    if (!bide_problems_of(req)->first)
        u = attempt(&error, change_password, req, who, form);
    profile_page page = await(profile_of(req, who));
    if (went_well(req, error, "old_password")) {
        await(session_begin(req, u, had));
        bide_see_other(req, url_for(req, show_profile, .note = profile_note_password));
        return page;
    }
    page.old_password_error = bide_problem_of(req, "old_password");
    page.password_error = bide_problem_of(req, "password");
    page.password_confirm_error = bide_problem_of(req, "password_confirm");
    return page;
}

/* This browser's session too. */
POST(send_end_logins, "/profile/logins/end", redirect, hidden, depends(bool, ours, own_form),
     depends(const account *, who, somebody), cookie(str, had, alias("session"), optional))
{
    frodo *site = frodo_of(req);
    if (who) {
        with_tx(tx, site->db)
            await(account_end_logins(tx, site, who->id));
    }
    await(session_end(req, had));
    return (bide_redirect){303, url_for(req, show_login, .note = login_note_ended)};
}
