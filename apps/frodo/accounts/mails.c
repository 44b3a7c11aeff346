/*
 * Codes by mail. Called by api.c and pages.c; calls bide's codes and mails.
 *
 * A code is made for every address, known or not, and the mail is sent after the reply: neither
 * what is answered nor how long it takes tells who has an account. Only the owner of the mailbox
 * reads it there.
 */
#include "accounts/login.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

/* One of these is refused already: 10 mails of a client, 5 to an address. */
static const bide_login_rules of_client = {.purpose = "mails of a client", .failures = 11};
static const bide_login_rules to_address = {.purpose = "mails to an address",
                                            .failures = 6,
                                            .within = {INT64_C(3600000000000)},
                                            .lock = {INT64_C(3600000000000)}};
enum { RESEND_S = 60 };

/* Counts one more of a subject: 429 when that is too many. */
static async(void) spend(bide_request *req, const bide_login_rules *rules, const char *subject)
{
    bide_db *db = frodo_of(req)->db;
    int64_t locked_s = await(bide_login_locked(db, rules, subject));
    if (locked_s == 0) {
        (void)await(bide_login_settle(db, rules, subject, false));
        locked_s = await(bide_login_locked(db, rules, subject));
    }
    if (locked_s > 0)
        refuse_for_now(req, locked_s);
    return bide_void;
}

/* What a customer of a provider has: an address, of IPv6 a /64. */
static const char *network_of(bide_request *req)
{
    bide_text client = bide_client_of(req);
    const char *text = bide_arena_strndup(bide_task_arena(), client.at, client.length);
    struct in6_addr six;
    uint64_t network;
    if (!text || inet_pton(AF_INET6, text, &six) != 1 || IN6_IS_ADDR_V4MAPPED(&six))
        return text ? text : "";
    memcpy(&network, six.s6_addr, sizeof network);
    return bide_arena_printf(bide_task_arena(), "%016" PRIx64, network);
}

/* What a code is typed in for. */
static const char *const reasons[] = {
    [code_purpose_register] = "register",
    [code_purpose_recover] = "set a new password",
    [code_purpose_email_change] = "make this the address of your account",
};

static const char *text_of(const frodo *site, code_purpose purpose, bool is_known, const char *code)
{
    bide_arena *arena = bide_task_arena();
    if (purpose != code_purpose_recover && is_known)
        return bide_arena_printf(
            arena,
            "Somebody wants to use this address at %s, where it has an account already.\n"
            "If that was you: log in, or ask for a new password at %s/recover.\n"
            "If not, there is nothing to do.\n",
            site->settings->public_url, site->settings->public_url);
    return bide_arena_printf(
        arena,
        "Your code for %s is %s\n\n"
        "Type it in within 10 minutes to %s. It is good once.\n"
        "If you have not asked for it, there is nothing to do: without it nothing happens.\n",
        site->settings->public_url, code, reasons[purpose]);
}

static const char *subject_of(code_purpose purpose, bool is_known)
{
    if (purpose == code_purpose_recover)
        return "Your code for a new password";
    if (is_known)
        return "You have an account already";
    return purpose == code_purpose_register ? "Your code to register"
                                            : "Your code for a new address";
}

/* To be mailed when the code is committed; to nobody for a forgotten password of nobody. */
static void mail_code(bide_tx *tx, frodo *site, code_purpose purpose, const char *email,
                      bool is_known, const char *code)
{
    bide_mail mail = {.from = site->settings->mail_from,
                      .to = email,
                      .subject = subject_of(purpose, is_known),
                      .text = text_of(site, purpose, is_known, code)};
    if (purpose != code_purpose_recover || is_known)
        bide_mail_after_commit(tx, site->mailer, &mail);
}

async(void) code_send(bide_request *req, code_purpose purpose, const account *who,
                      const char *email)
{
    frodo *site = frodo_of(req);
    const char *to = folded(email), *subject = code_subject(purpose, who, to);
    await(spend(req, &of_client, network_of(req)));
    await(spend(req, &to_address, to));
    bide_code_rules rules = code_rules(site, purpose);
    with_tx(tx, site->db) {
        bide_error *error;
        const char *code =
            attempt(&error, bide_code_issue, code_place_of(site, tx), &rules, subject);
        if (error && error->code == BIDE_LIMIT)
            refuse_for_now(req, RESEND_S);
        if (error)
            fail(error);
        bool is_known = await(bide_scalar(tx, i64,
                                          "select count(*) from users where email = $1 "
                                          "and status = 'active'",
                                          to)) > 0;
        mail_code(tx, site, purpose, to, is_known, code);
    }
    return bide_void;
}

void mail_address_changed(bide_tx *tx, frodo *site, const user *was, const char *email)
{
    const char *url = site->settings->public_url;
    bide_mail mail = {
        .from = site->settings->mail_from,
        .to = was->email,
        .subject = "Your account has another address",
        .text = bide_arena_printf(
            bide_task_arena(),
            "The address of your account %s at %s is now %s.\n"
            "If that was you, there is nothing to do.\n"
            "If not, somebody knows your password: log in with your user name, set a new one and "
            "your address at %s/profile.\n",
            was->username, url, email, url)};
    bide_mail_after_commit(tx, site->mailer, &mail);
}
