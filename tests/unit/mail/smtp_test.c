/*
 * Mails over SMTP to a real server: delivery read back by Python's email package, TLS, logins,
 * refusals, servers that are silent, end in the middle, go and come back.
 */
#include "../effects.h"
#include "smtp_case.h"

#include "base/caps.h"

#include <stdio.h>
#include <string.h>

static const bide_mail letter = {.from = "Frodo <frodo@example.org>",
                                 .to = "sam@example.org",
                                 .subject = "Elevenses",
                                 .text = "At the usual place.\n"};

static bool has(const char *const *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i], text) == 0)
            return true;
    return false;
}

static void check_sound(const taken *mail)
{
    check_int(mail->defects.count, 0);
    check(mail->longest <= 78 && mail->longest_head <= 78);
    check_int(mail->lone, 0);
    check(mail->ascii);
    check(mail->date_ok);
    check(mail->id[0] == '<' && strstr(mail->id, "@example.org>"));
}

TEST(a_mail_arrives_whole, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make("starttls", "auth");
    defer(smtp_end, &server);
    char lines[3000], html[4000];
    memset(lines, 'x', 2000);
    snprintf(lines + 2000, sizeof lines - 2000,
             "\n.\n..\n.dot\nFrom here\n\nends with a space \n\ttab\n=3D\n%s",
             "\xe4\xbd\xa0\xe5\xa5\xbd, \xec\x95\x88\xeb\x85\x95 \xc3\xa9\n");
    snprintf(html, sizeof html, "<p>%s</p>\n", "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd");
    with(bide_mailer, m,
         smtp_url(&server, "smtp", "frodo:p%40ss%3Aw%2Frd@", "&starttls=required")) {
        await(bide_mail_send(
            m,
            &(bide_mail){.from = "\xed\x94\x84\xeb\xa1\x9c\xeb\x8f\x84 <frodo@example.org>",
                         .to = "sam@example.org, \"Took, \\\"P\\\"\" <pip@example.org>",
                         .cc = "A name so long that it does not stand in the same line as "
                               "other things do <merry@example.org>",
                         .bcc = "gandalf@example.org",
                         .reply_to = "Bag End <home@example.org>",
                         .subject = "\xe6\xb3\xa8\xe5\x86\x8c\xe9\xaa\x8c\xe8\xaf\x81\xe7\xa0\x81"
                                    " \xec\x9d\xb8\xec\xa6\x9d \xeb\xb2\x88\xed\x98\xb8 and some "
                                    "more, so that it is folded at least once, or twice",
                         .text = lines,
                         .html = html}));
    }
    const taken *mail = smtp_last(&server);
    check_sound(mail);
    check_str(mail->sender, "frodo@example.org");
    check_int(mail->recipients.count, 4);
    check(has(mail->recipients.items, mail->recipients.count, "gandalf@example.org"));
    check_str(mail->from, "\xed\x94\x84\xeb\xa1\x9c\xeb\x8f\x84 <frodo@example.org>");
    check_str(mail->to, "sam@example.org, \"Took, \\\"P\\\"\" <pip@example.org>");
    check_str(mail->cc, "A name so long that it does not stand in the same line as other things "
                        "do <merry@example.org>");
    check_str(mail->bcc, "None");
    check_str(mail->reply_to, "Bag End <home@example.org>");
    check_str(mail->subject, "\xe6\xb3\xa8\xe5\x86\x8c\xe9\xaa\x8c\xe8\xaf\x81\xe7\xa0\x81 "
                             "\xec\x9d\xb8\xec\xa6\x9d \xeb\xb2\x88\xed\x98\xb8 and some more, so "
                             "that it is folded at least once, or twice");
    check_str(mail->type, "multipart/alternative");
    check_str(mail->text, lines);
    check_str(mail->html, html);
}

static const char *const texts[] = {
    "plain\n",
    "no line break at the end",
    "\n\n\n",
    ".\n",
    "windows\r\nand old\rlines\n",
    "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5"
    "\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5"
    "\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\n\xe4\xbd\xa0\n",
    "caf\xc3\xa9 and much more that is plain, so that base64 would be a waste of bytes, soft\n",
    "control \x01\x1b[0m and \x7f\n",
    "From the start\nFrom\n From\n",
    "trailing  \t\n \n",
    "=?utf-8?B?eA==?= 75 ..............................................................\n",
    "=====================================================================================\n",
};

static const char *const subjects[] = {
    "",
    "x",
    "=?utf-8?B?eA==?=",
    " leading, and two  spaces",
    "a word of more than a hundred letters "
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "x"
    "xxxx",
    "words of such a length that the line is full just here or there ...... or there . . . . . . .",
    "\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7"
    "\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99\xf0\x9f\xa7\x99 "
    "a\xc3\xa9",
};

/* As Python reads a body: "\n" at the end of each line, the last one too. */
static const char *as_read(const char *text)
{
    static char out[4096];
    size_t length = 0;
    for (; *text; text++) {
        if (*text == '\r' && text[1] == '\n')
            continue;
        out[length++] = *text == '\r' ? '\n' : *text;
    }
    if (length == 0 || out[length - 1] != '\n')
        out[length++] = '\n';
    out[length] = 0;
    return out;
}

TEST(every_text_survives, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make("chatty");
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "")) {
        bide_mail mail = letter;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            mail.text = texts[i];
            await(bide_mail_send(m, &mail));
            check_str(smtp_last(&server)->text, as_read(texts[i]));
            check_sound(smtp_last(&server));
        }
        mail = letter;
        mail.text = NULL;
        mail.html = "<b>only</b>\n";
        await(bide_mail_send(m, &mail));
        check_str(smtp_last(&server)->type, "text/html");
        for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
            mail.subject = subjects[i];
            await(bide_mail_send(m, &mail));
            check_str(smtp_last(&server)->subject, *subjects[i] ? subjects[i] : "None");
            check_sound(smtp_last(&server));
        }
    }
    check_int(smtp_count(&server, "connections"), 1);
}

/* ---- what goes wrong ---- */

/* The code that sending a mail fails with, 0: it was sent. */
static async(int) code_of(bide_mailer *m, const bide_mail *mail, bide_error **ret_error);
static async(int) code_of(bide_mailer *m, const bide_mail *mail, bide_error **ret_error)
{
    attempt(ret_error, bide_mail_send, m, mail);
    if (*ret_error && (*ret_error)->is_cancel)
        fail(*ret_error);
    return ready(int, *ret_error ? (*ret_error)->code : 0);
}

TEST(logins_and_certificates, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make("starttls", "auth");
    bide_error *err;
    defer(smtp_end, &server);
    with(bide_mailer, wrong, smtp_url(&server, "smtp", "frodo:w%72ong1@", "&starttls=required")) {
        check_int(await(code_of(wrong, &letter, &err)), BIDE_MAIL_LOGIN);
        check_contains(err->message, "535");
        check(!strstr(err->message, "wrong1"));
    }
    with(bide_mailer, none, smtp_url(&server, "smtp", "", "&starttls=required"))
        check_int(await(code_of(none, &letter, &err)), BIDE_MAIL_LOGIN);
    with(bide_mailer, clear, smtp_url(&server, "smtp", "frodo:p%40ss%3Aw%2Frd@", "&starttls=none"))
        check_int(await(code_of(clear, &letter, &err)), BIDE_MAIL_LOGIN);
    char url[200];
    snprintf(url, sizeof url, "smtp://127.0.0.1:%s?starttls=required", server.port);
    with(bide_mailer, untrusted, url) {
        check_int(await(code_of(untrusted, &letter, &err)), BIDE_TLS);
        check_contains(err->message, "certificate");
    }
    check_int(smtp_count(&server, "mails"), 0);
}

TEST(the_certificate_is_of_the_host, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_made((const char *const[8]){"smtps"}, "DNS:other.example.org");
    bide_error *err;
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtps", "", ""))
        check_int(await(code_of(m, &letter, &err)), BIDE_TLS);
    smtp_kill(&server);
    peer_certificate(server.folder, "DNS:localhost");
    smtp_start(&server);
    with(bide_mailer, m, smtp_url(&server, "smtps", "", ""))
        check_int(await(code_of(m, &letter, &err)), BIDE_TLS);
    char url[200], cert[96];
    smtp_path(&server, "cert.pem", cert);
    snprintf(url, sizeof url, "smtps://localhost:%s?ca=%s", server.port, cert);
    int connections = 0;
    with(bide_mailer, m, url) { /* a name: by the resolver's thread */
        await(bide_mail_send(m, &letter));
        connections = smtp_count(&server, "connections");
        await(bide_mail_send(m, &letter));
    }
    check_int(smtp_count(&server, "mails"), 2);
    check_int(smtp_count(&server, "connections"), connections); /* the same one */
}

TEST(without_starttls_nothing_is_said, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make("auth");
    bide_error *err;
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "frodo:p%40ss%3Aw%2Frd@", "&starttls=required"))
        check_int(await(code_of(m, &letter, &err)), BIDE_TLS);
    with(bide_mailer, m, smtp_url(&server, "smtp", "frodo:p%40ss%3Aw%2Frd@", ""))
        await(bide_mail_send(m, &letter)); /* this machine: no STARTTLS unless asked for */
    check_int(smtp_count(&server, "mails"), 1);
}

TEST(refusals, .real_clock = true, .timeout_ms = 60000)
{
    static const struct {
        const char *from, *to;
        int code;
        const char *said;
    } cases[] = {
        {"m550@example.org", "sam@example.org", BIDE_MAIL_REFUSED, "MAIL m550@example.org: 550"},
        {"m450@example.org", "sam@example.org", BIDE_MAIL_LATER, "450 4.2.1 come back later"},
        {"a@example.org", "sam@example.org, r550@example.org", BIDE_MAIL_REFUSED,
         "RCPT r550@example.org: 550 5.1.1 nobody of that name"},
        {"a@example.org", "r450@example.org", BIDE_MAIL_LATER, "RCPT r450@example.org: 450"},
        {"a@example.org", "d550@example.org", BIDE_MAIL_REFUSED, "the end of the mail: 550"},
        {"a@example.org", "d450@example.org", BIDE_MAIL_LATER, "the end of the mail: 450"},
    };
    struct smtp_server server = smtp_make(NULL);
    struct bide__memory memory;
    bide_error *err;
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "")) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            bide_mail mail = letter;
            mail.from = cases[i].from;
            mail.to = cases[i].to;
            effects_begin(&memory);
            check_int(await(code_of(m, &mail, &err)), cases[i].code);
            check(!effects_end(&memory));
            check_contains(err->message, cases[i].said);
        }
        effects_begin(&memory);
        await(bide_mail_send(m, &letter));
        check(effects_end(&memory));
    }
    check_int(smtp_count(&server, "mails"), 1);
    check_int(smtp_count(&server, "connections"), 1); /* a refusal does not end it */
}

TEST(a_server_without_room, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make("busy");
    bide_error *err;
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "")) {
        check_int(await(code_of(m, &letter, &err)), BIDE_MAIL_LATER);
        check_contains(err->message, "421");
    }
}

TEST(connections_that_end, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make(NULL);
    bide_error *err;
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "")) {
        bide_mail mail = letter;
        mail.from = "mgone@example.org";
        check_int(await(code_of(m, &mail, &err)), BIDE_UNREACHABLE);
        mail.from = letter.from;
        mail.to = "rgone@example.org";
        check_int(await(code_of(m, &mail, &err)), BIDE_UNREACHABLE);
        check_contains(err->message, "the connection was lost at RCPT");
        mail.to = "dgone@example.org";
        check_int(await(code_of(m, &mail, &err)), BIDE_OUTCOME_UNKNOWN);
        await(bide_mail_send(m, &letter));
        smtp_kill(&server);
        check_int(await(code_of(m, &letter, &err)), BIDE_UNREACHABLE);
        smtp_start(&server);
        await(bide_mail_send(m, &letter));
        smtp_kill(&server); /* the idle connection with it */
        smtp_start(&server);
        await(bide_mail_send(m, &letter));
    }
    check_int(smtp_count(&server, "mails"), 3);
}

static async(void) send_it(bide_mailer *m, const bide_mail *mail);
SPAWNABLE(void, send_it, bide_mailer *, const bide_mail *)
static async(void) send_it(bide_mailer *m, const bide_mail *mail)
{
    with_deadline(bide_ms(300))
        await(bide_mail_send(m, mail));
    return bide_void;
}

TEST(servers_that_are_silent, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make("mute");
    bide_error *err;
    defer(smtp_end, &server);
    int64_t start_ns = bide_clock_ns();
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "")) {
        attempt(&err, send_it, m, &letter);
        require(err);
        check_int(err->code, BIDE_TIMEOUT);
    }
    check(bide_clock_ns() - start_ns < 5000000000);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "&timeout=1")) {
        check_int(await(code_of(m, &letter, &err)), BIDE_TIMEOUT);
        check_contains(err->message, "connecting took too long");
    }
    smtp_kill(&server);
    server.words[0] = NULL;
    smtp_start(&server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "&timeout=4")) {
        bide_mail mail = letter;
        mail.to = "rmute@example.org";
        check_int(await(code_of(m, &mail, &err)), BIDE_TIMEOUT);
        check_contains(err->message, "RCPT");
        mail.to = "dmute@example.org";
        check_int(await(code_of(m, &mail, &err)), BIDE_OUTCOME_UNKNOWN);
    }
    check_int(smtp_count(&server, "mails"), 0);
}

/* ---- many at once; the loop goes on ---- */

static async(void) tick(int64_t *most_ns);
SPAWNABLE(void, tick, int64_t *)
static async(void) tick(int64_t *most_ns)
{
    for (int i = 0; i < 10000; i++) {
        int64_t before_ns = bide_clock_ns();
        await(bide_sleep(bide_ms(10)));
        int64_t took_ns = bide_clock_ns() - before_ns;
        *most_ns = took_ns > *most_ns ? took_ns : *most_ns;
    }
    return bide_void;
}

TEST(the_loop_goes_on_while_a_server_thinks, .real_clock = true, .timeout_ms = 60000)
{
    struct smtp_server server = smtp_make(NULL);
    int64_t most_ns = 0, start_ns;
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "")) {
        await(bide_mail_send(m, &letter));
        with_group(g) {
            spawn_void(g, tick, &most_ns);
            bide_mail mail = letter;
            mail.to = "dslow@example.org";
            start_ns = bide_clock_ns();
            await(bide_mail_send(m, &mail));
            check(bide_clock_ns() - start_ns >= 2900000000);
            bide_group_cancel(g, "done");
        }
    }
    check(most_ns > 0 && most_ns < 2000000000);
}

TEST(many_mails_share_few_connections, .real_clock = true, .timeout_ms = 90000)
{
    struct smtp_server server = smtp_make(NULL);
    static bide_mail mails[200];
    static char subjects_of[200][20];
    defer(smtp_end, &server);
    with(bide_mailer, m, smtp_url(&server, "smtp", "", "&connections=8&timeout=60")) {
        with_group(g) {
            for (int i = 0; i < 200; i++) {
                snprintf(subjects_of[i], sizeof subjects_of[i], "mail %d", i);
                mails[i] = letter;
                mails[i].subject = subjects_of[i];
                spawn_void(g, bide_mail_send, m, &mails[i]);
            }
        }
    }
    check_int(smtp_count(&server, "mails"), 200);
    check_int(smtp_count(&server, "connections"), 8);
}
