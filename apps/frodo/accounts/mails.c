/*
 * Codes by mail. Called by api.c and pages.c; calls bide's codes, templates
 * and mails.
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

/* What the templates mail_*.txt and mail_*.html show. */
MODEL(mail_row, "", (str, site), (str, code), (str, reason), (str, username), (str, email));

static const char *const templates[] = {"mail_code", "mail_known", "mail_address"};

static const char *part(const char *name, const char *ending)
{
    return bide_arena_printf(bide_task_arena(), "accounts/%s.%s", name, ending);
}

void mails_prepare(const frodo *site)
{
    for (size_t i = 0; i < 2 * sizeof templates / sizeof *templates; i++) {
        const char *name = part(templates[i / 2], i % 2 ? "html" : "txt");
        if (!bide_template_of(site->templates, name, mail_row_model(), NULL))
            fail(bide_error_new(BIDE_INVALID, "%s", bide_templates_problem(site->templates)));
    }
}

/* The two parts of a mail, each escaped as it must be. */
static void put_parts(const frodo *site, const char *name, mail_row row, bide_mail *mail)
{
    bide_arena *arena = bide_task_arena();
    row.site = site->settings->public_url;
    mail->text = bide_render(arena, site->templates, part(name, "txt"), mail_row, &row);
    mail->html = bide_render(arena, site->templates, part(name, "html"), mail_row, &row);
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
    bide_mail mail = {
        .from = site->settings->mail_from, .to = email, .subject = subject_of(purpose, is_known)};
    bool has_account = purpose != code_purpose_recover && is_known;
    put_parts(site, has_account ? "mail_known" : "mail_code",
              (mail_row){.code = code, .reason = reasons[purpose]}, &mail);
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
    bide_mail mail = {.from = site->settings->mail_from,
                      .to = was->email,
                      .subject = "Your account has another address"};
    put_parts(site, "mail_address", (mail_row){.username = was->username, .email = email}, &mail);
    bide_mail_after_commit(tx, site->mailer, &mail);
}
