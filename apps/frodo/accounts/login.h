/*
 * What the files of accounts/ share: logging in and out, codes by mail, passwords. The routes for
 * programs (api.c) and for browsers (pages.c) call the same functions.
 */
#ifndef FRODO_LOGIN_H
#define FRODO_LOGIN_H

#include "accounts/accounts.h"

ENUM(code_purpose, register, recover, email_change);

#define MAILED_CODE match("^[0-9]{6}$")

/* A browser that is logged in. `id` is the digest of its cookie. */
MODEL(session, "sessions", (str, id, key), (i64, user_id), (i32, token_epoch),
      (time, created_at, generated), (time, expires_at));

/* RFC 6749 section 5.1. */
MODEL(access_grant, "", (str, access_token), (str, token_type), (i64, expires_in),
      (str, refresh_token));

MODEL(register_form, "", (str, email, MAIL_ADDRESS),
      (str, username, USER_NAME), (plain_pw, password, len(8, 128)),
      (plain_pw, password_confirm), (str, code, MAILED_CODE));
MODEL(recover_form, "", (str, email, MAIL_ADDRESS), (plain_pw, password, len(8, 128)),
      (plain_pw, password_confirm), (str, code, MAILED_CODE));
MODEL(password_form, "", (plain_pw, old_password, len(1, 1024)), (plain_pw, password, len(8, 128)),
      (plain_pw, password_confirm));

VIEW(user_profile, user, id, email, username, about, created_at);

/* What somebody changes of the own account: another address with the code that was mailed there and
   the password, since who has the address can set a new one. */
MODEL(profile_fields, "", (str, username, USER_NAME), (str, about, len(0, 500)),
      (str, email, MAIL_ADDRESS), (str, code, MAILED_CODE), (plain_pw, password, len(1, 1024)));
PARTIAL(profile_changes, profile_fields, username, about, email, code, password);

/* Fails with 429 and Retry-After. */
__attribute__((__noreturn__)) void refuse_for_now(bide_request *req, int64_t seconds);

/* ---- login.c ---- */

/* The user of this name, or e-mail address, and password; NULL for any other, and for a disabled
   account, after the same time. A hash of an older kind is made anew after the reply. 429 while the
   name is locked. */
SPAWNABLE(user_ptr, login_check, bide_request *, const char *, bide_plain_pw)

/* Tokens for a program. 400 if the account was changed since it was read. */
async(access_grant) login_grant(bide_request *req, const user *u);

/* The next tokens for a refresh token; 401 when it is not good any more. */
async(access_grant) login_refresh(bide_request *req, const char *refresh_token);

/* Keeps the account as it was read until the transaction ends: fails with 400 if its password, or
   whether it is active, was changed meanwhile. */
async(void) user_hold(bide_tx *tx, const user *u);

/* Forgets the failed logins of who has proved the address. */
async(void) login_unlock(bide_tx *tx, const user *u);

/* ---- password.c: `_judge` adds what is wrong to the problems of the request ---- */

void register_judge(bide_request *req, const register_form *form);
void recover_judge(bide_request *req, const recover_form *form);
void password_judge(bide_request *req, const account *who, const password_form *form);

/* The new account. 400 for a code that is not right, 409 for a taken name or address: then the code
   is good once more. */
SPAWNABLE(user_ptr, register_user, bide_request *, const register_form *)

/* Ends all logins of the account. 400 for a code that is not right. */
SPAWNABLE(void, recover_user, bide_request *, const recover_form *)

/* The account as it is now: all of its logins have ended. 400 for a wrong old password. */
SPAWNABLE(user_ptr, change_password, bide_request *, const account *, const password_form *)

/* Codes for a purpose, where they are, and what one is good for: an address, and if it is changed
   that of `who`. */
bide_code_rules code_rules(const frodo *site, code_purpose purpose);
bide_code_place code_place_of(const frodo *site, bide_tx *tx);
const char *code_subject(code_purpose purpose, const account *who, const char *email);

/* Raises 400 unless it is the code of this subject. In a transaction it is the first statement: a
   try counts also when the rest is rolled back (code.h). */
async(void) code_take(bide_tx *tx, frodo *site, code_purpose purpose, const char *subject,
                      const char *code);

/* ---- profile.c ---- */

void profile_judge(bide_request *req, const account *who, const profile_changes *changes);

/* The account as it is now: its logins go on. 409 for a taken name or address; of an address 400
   for a code that is not right, 422 for a wrong password, and the old one is told by mail. */
SPAWNABLE(user_ptr, change_profile, bide_request *, const account *, const profile_changes *)

/* ---- mails.c ---- */

/* Mails a code, or says by mail that there is an account already. Takes the same time for known and
   unknown addresses. `who` is whose address is to be changed, NULL for the other purposes. 429 for
   too many mails to an address, or asked for by a client. */
SPAWNABLE(void, code_send, bide_request *, code_purpose, const account *, const char *)

/* Tells an old address, when the transaction is committed, that the account has another one. */
void mail_address_changed(bide_tx *tx, frodo *site, const user *was, const char *email);

/* ---- session.c ---- */

/* Logs the browser in, and out. `cookie` is what it had before, or NULL. */
async(void) session_begin(bide_request *req, const user *u, const char *cookie);
async(void) session_end(bide_request *req, const char *cookie);

/* The session of a cookie; NULL without one that is good. */
async(session_ptr) session_find(frodo *site, const char *cookie);

/* ---- tokens.c ---- */

/* What an access token says, if it is good. */
MODEL(access_claims, "", (str, sub), (i32, epoch));
const char *access_token_of(const frodo *site, int64_t user_id, int32_t epoch);
const access_claims *access_token_read(const frodo *site, const char *token);

/* Whose a refresh token is: it is good for this epoch only, as an access token is. */
const char *refresh_subject_of(int64_t user_id, int32_t epoch);
bool refresh_subject_read(const char *subject, int64_t *ret_user_id, int32_t *ret_epoch);

#endif
