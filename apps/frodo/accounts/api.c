/*
 * Accounts for programs: JSON under /api. Calls login.c, password.c and mails.c.
 */
#include "accounts/login.h"

/* ---- a new account ---- */

MODEL(code_request, "", (str, email, MAIL_ADDRESS), (code_purpose, purpose));

POST(send_email_code, "/api/auth/email-codes", nothing, status(202), tags("accounts"),
     summary("Mails a code: the answer does not tell whether the address is known"),
     body(code_request, wanted), depends(const account *, who, somebody))
{
    if (wanted->purpose == code_purpose_email_change && !who)
        fail(http_error(401, "Not authenticated"));
    await(code_send(req, wanted->purpose, who, wanted->email));
}

POST(register_account, "/api/auth/register", user_profile, status(201), tags("accounts"),
     summary("Makes an account for who has the code that was mailed"), body(register_form, form),
     takes_problems)
{
    register_judge(req, form);
    bide_refuse_problems(req);
    const user *u = await(register_user(req, form));
    return user_profile_of(u);
}

POST(recover_account, "/api/auth/recover", nothing, tags("accounts"),
     summary("Sets a new password for who has the code that was mailed; ends all logins"),
     body(recover_form, form), takes_problems)
{
    recover_judge(req, form);
    bide_refuse_problems(req);
    await(recover_user(req, form));
}

/* ---- tokens ---- */

/* The password grant of OAuth 2 (RFC 6749 section 4.3); its other fields are skipped. */
MODEL(login_form, "", (str, username, len(1, 254)), (plain_pw, password, len(1, 1024)));
MODEL(refresh_form, "", (str, refresh_token, len(1, 512)));
MODEL(logout_form, "", (str, refresh_token, len(1, 512), optional));

static async(access_grant) log_in(bide_request *req, const login_form *form)
{
    const user *u = await(login_check(req, form->username, form->password));
    if (!u)
        fail(http_error(400, "Incorrect User Auth."));
    return login_grant(req, u);
}

POST(login, "/api/auth/login", access_grant, tags("accounts"),
     summary("Tokens for a user name or e-mail address and its password"),
     form_body(login_form, form))
{
    return await(log_in(req, form));
}

POST(login_alias, "/auth", access_grant, hidden, form_body(login_form, form))
{
    return await(log_in(req, form));
}

POST(refresh, "/api/auth/refresh", access_grant, tags("accounts"),
     summary("The next tokens for a refresh token, which is good once"), body(refresh_form, form))
{
    return await(login_refresh(req, form->refresh_token));
}

POST(logout, "/api/auth/logout", nothing, tags("accounts"),
     summary("Ends the login of a refresh token; without one all logins of the account"),
     body(logout_form, form), depends(const account *, who, somebody))
{
    frodo *site = frodo_of(req);
    if (form->refresh_token) {
        await(bide_refresh_revoke(site->db, form->refresh_token));
        return;
    }
    if (!who)
        fail(http_error(401, "Not authenticated"));
    with_tx(tx, site->db)
        await(account_end_logins(tx, site, who->id));
}

/* ---- one's own account ---- */

MODEL(my_profile, "", (i64, id), (str, email), (str, username), (str, about), (str, role),
      (list(str), permissions), (time, created_at));

static my_profile profile_of(const account *who, const user *u)
{
    return (my_profile){.id = u->id,
                        .email = u->email,
                        .username = u->username,
                        .about = u->about,
                        .role = who->role,
                        .permissions = {who->permissions.items, who->permissions.count},
                        .created_at = u->created_at};
}

GET(get_me, "/api/users/me", my_profile, tags("accounts"), depends(const account *, who, me),
    depends(bide_db *, db, database))
{
    const user *u = await(bide_one(db, user, "id = $1", who->id));
    return profile_of(who, u);
}

PATCH(change_me, "/api/users/me", my_profile, tags("accounts"),
      summary("Another address needs its code (purpose email_change) and the password"),
      body(profile_changes, changes), takes_problems, depends(const account *, who, me))
{
    profile_judge(req, who, changes);
    bide_refuse_problems(req);
    const user *u = await(change_profile(req, who, changes));
    return profile_of(who, u);
}

POST(change_my_password, "/api/users/me/password", access_grant, tags("accounts"),
     summary("A new password: ends all logins, and gives tokens for this one"),
     body(password_form, form), takes_problems, depends(const account *, who, me))
{
    password_judge(req, who, form);
    bide_refuse_problems(req);
    const user *u = await(change_password(req, who, form));
    return await(login_grant(req, u));
}
