/*
 * Mails into the outbox: what is kept, listed and shown; after a commit and not after a rollback;
 * what is refused before anything is sent.
 */
#include <bide/bide.h>
#include <bide/log.h>
#include <bide/test.h>
#include <bide/web_test.h>

#include "base/caps.h"

#include "../effects.h"
#include "../no_random.h"

#include <stdio.h>
#include <string.h>

static const bide_mail letter = {.from = "Frodo <frodo@example.org>",
                                 .to = "sam@example.org, \"Took, Pippin\" <pip@example.org>",
                                 .bcc = "gandalf@example.org",
                                 .subject = "Elevenses",
                                 .text = "At the usual place.\n"};

TEST(what_is_sent_is_listed, .cancel_everywhere = true, .fail_allocations = true)
{
    with(bide_mailer, m, "outbox:") {
        await(bide_mail_send(m, &letter));
        bide_mail other = letter;
        other.to = "sam@example.org";
        other.bcc = NULL;
        other.subject = "Second";
        await(bide_mail_send(m, &other));
        bide_outbox_mails all = bide_outbox_list(NULL);
        require(all.count == 2);
        check_str(all.items[0].subject, "Second");
        check_int(all.items[0].id, 2);
        check_str(all.items[0].bcc, "");
        check_str(all.items[1].to, letter.to);
        check_str(all.items[1].text, letter.text);
        check_str(all.items[1].html, "");
        check(all.items[1].sent_at > 1600000000000000);
        check_contains(all.items[1].source, "Subject: Elevenses\r\n");
        check_contains(all.items[1].source, all.items[1].message_id);
        check(!strstr(all.items[1].source, "gandalf"));
        check_int(bide_outbox_list("SAM@example.org").count, 2);
        check_int(bide_outbox_list("pip@example.org").count, 1);
        check_int(bide_outbox_list("am@example.org").count, 0);
        require(bide_outbox_last("gandalf@example.org"));
        check_str(bide_outbox_last("gandalf@example.org")->subject, "Elevenses");
        check_ptr(bide_outbox_last("nobody@example.org"), NULL);
    }
    bide_outbox_clear();
    check_int(bide_outbox_list(NULL).count, 0);
}

TEST(the_last_ones_are_kept)
{
    static char large[BIDE_CAP_MAIL_BYTES - BIDE_CAP_MAIL_BYTES / 50];
    with(bide_mailer, m, "outbox:") {
        for (int i = 0; i <= BIDE_CAP_OUTBOX_MAILS; i++)
            await(bide_mail_send(m, &letter));
        bide_outbox_mails all = bide_outbox_list(NULL);
        check_int(all.count, BIDE_CAP_OUTBOX_MAILS);
        check_int(all.items[all.count - 1].id, 2);
        for (size_t i = 0; i + 1 < sizeof large; i++)
            large[i] = i % 70 == 69 ? '\n' : 'x';
        large[sizeof large - 1] = 0;
        bide_mail heavy = letter;
        heavy.text = large;
        for (int i = 0; i < 4; i++)
            await(bide_mail_send(m, &heavy));
        check_int(bide_outbox_list(NULL).count, 2); /* each is there as given and as sent */
    }
    bide_outbox_clear();
}

struct wrong {
    int code;
    const char *field;
    bide_mail mail;
};

TEST(what_is_wrong_is_refused, .cancel_everywhere = true)
{
#define WRONG(code, member, ...)                                                                   \
    {                                                                                              \
        BIDE_##code, #member,                                                                      \
        {                                                                                          \
            .from = "a@example.org", .to = "b@example.org", .text = "t", __VA_ARGS__               \
        }                                                                                          \
    }
    static char subject[BIDE_CAP_MAIL_SUBJECT_BYTES + 2];
    memset(subject, 'x', sizeof subject - 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
    const struct wrong cases[] = {
        WRONG(INVALID, from, .from = NULL),
        WRONG(INVALID, from, .from = "a@example.org, c@example.org"),
        WRONG(INVALID, from, .from = "a@example.org\r\nBcc: x@example.org"),
        WRONG(INVALID, from, .from = "Fr\nodo <a@example.org>"),
        WRONG(INVALID, to, .to = NULL),
        WRONG(INVALID, to, .to = "b@example.org,"),
        WRONG(INVALID, to, .to = ","),
        WRONG(INVALID, to, .to = "b@example.org c@example.org"),
        WRONG(INVALID, to, .to = "B <b@example.org"),
        WRONG(INVALID, to, .to = "B b@example.org>"),
        WRONG(INVALID, to, .to = "B <b@example.org> c"),
        WRONG(INVALID, to, .to = "\"B <b@example.org>"),
        WRONG(INVALID, to, .to = "\"B\" b@example.org"),
        WRONG(INVALID, to, .to = "B \"x\" <b@example.org>"),
        WRONG(INVALID, to, .to = "<>"),
        WRONG(INVALID, to, .to = "b"),
        WRONG(INVALID, to, .to = "b@example.org> RCPT TO:<c@example.org"),
        WRONG(INVALID, to, .to = "b@ex\xc3\xa4mple.org"),
        WRONG(INVALID, to, .to = "b\xc3\xa4@example.org"),
        WRONG(INVALID, to, .to = "\xff <b@example.org>"),
        WRONG(INVALID, cc, .cc = "c"),
        WRONG(INVALID, bcc, .bcc = "c@example.org\n"),
        WRONG(INVALID, reply_to, .reply_to = "x@example.org\rX: y"),
        WRONG(INVALID, subject, .subject = "a\r\nBcc: x@example.org"),
        WRONG(INVALID, subject, .subject = "a\nb"),
        WRONG(INVALID, subject, .subject = "\xed\xa0\x80"),
        WRONG(INVALID, subject, .subject = subject),
        WRONG(INVALID, text, .text = ""),
        WRONG(INVALID, text, .text = "\xc3"),
        WRONG(INVALID, html, .html = "\x80"),
    };
#pragma GCC diagnostic pop
    with(bide_mailer, m, "outbox:") {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            bide_error *err;
            attempt(&err, bide_mail_send, m, &cases[i].mail);
            if (err && err->is_cancel)
                fail(err);
            if (!check(err)) {
                printf("case %zu was sent\n", i);
                continue;
            }
            check_int(err->code, cases[i].code);
            check_str(err->field, cases[i].field);
        }
    }
    check_int(bide_outbox_list(NULL).count, 0);
}

TEST(what_is_too_much_is_refused)
{
    static char text[BIDE_CAP_MAIL_BYTES + 1], list[60 * (BIDE_CAP_MAIL_RECIPIENTS + 1)];
    memset(text, 'x', sizeof text - 1);
    size_t length = 0;
    with(bide_mailer, m, "outbox:") {
        bide_error *err;
        bide_mail heavy = letter;
        heavy.text = text;
        attempt(&err, bide_mail_send, m, &heavy);
        require(err);
        check_int(err->code, BIDE_LIMIT);
        for (int i = 0; i < BIDE_CAP_MAIL_RECIPIENTS; i++)
            length += (size_t)snprintf(list + length, sizeof list - length, "%sn%d@example.org",
                                       i ? "," : "", i);
        bide_mail many = letter;
        many.to = list;
        many.bcc = "N0@example.org"; /* is there already */
        await(bide_mail_send(m, &many));
        many.bcc = "one-more@example.org";
        attempt(&err, bide_mail_send, m, &many);
        require(err);
        check_int(err->code, BIDE_LIMIT);
    }
    bide_outbox_clear();
}

TEST(urls_are_checked)
{
    const char *const wrong[] = {"",
                                 "http://example.org",
                                 "outbox:x",
                                 "smtp://",
                                 "smtp://:25",
                                 "smtp://user@example.org",
                                 "smtp://example.org:0",
                                 "smtp://example.org:65536",
                                 "smtp://example.org:x",
                                 "smtp://[::1",
                                 "smtp://exa mple.org",
                                 "smtp://example.org/path",
                                 "smtp://us%0Aer:x@example.org",
                                 "smtp://user:%zz@example.org",
                                 "smtp://example.org?starttls=maybe",
                                 "smtps://example.org?starttls=none",
                                 "smtp://example.org?timeout=0",
                                 "smtp://example.org?timeout=1s",
                                 "smtp://example.org?connections=101",
                                 "smtp://example.org?ca=",
                                 "smtp://example.org?verify=no"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bide_error *err;
        attempt(&err, bide_mailer_open, wrong[i]);
        require(err);
        check_int(err->code, BIDE_INVALID);
    }
    bide_error *err;
    attempt(&err, bide_mailer_open, "smtp://user:sec%ret@example.org");
    require(err);
    check(!strstr(err->message, "sec"));
}

/* What a mail is called would else be drawn for ever. */
TEST(a_system_without_randomness_is_an_error)
{
    bide_error *err;
    with(bide_mailer, m, "outbox:") {
        test_no_random();
        attempt(&err, bide_mail_send, m, &letter);
        require(err);
        check_int(err->code, BIDE_SYSTEM);
        check_contains(err->message, "mail: no random numbers");
    }
}

TEST(a_host_is_never_cut)
{
    char url[400] = "smtp://";
    bide_error *err;
    for (size_t i = 0; i < 255; i++)
        strcat(url, i % 32 == 31 ? "." : "a");
    with(bide_mailer, longest, url)
        check(longest != NULL);
    strcat(url, "a");
    attempt(&err, bide_mailer_open, url);
    require(err);
    check_int(err->code, BIDE_INVALID);
    check_contains(err->message, "its host is longer than 255 bytes");
}

TEST(a_closed_mailer_takes_nothing)
{
    bide_mailer *kept = await(bide_mailer_open("outbox:"));
    bide_error *err;
    bide_mail_later(kept, &letter);
    await(bide_mailer_close(kept, NULL));
    attempt(&err, bide_mail_send, kept, &letter); /* the mail that waits keeps it */
    require(err);
    check_int(err->code, BIDE_CLOSED);
    await(bide_sleep(bide_ms(1)));
    check_int(bide_outbox_list(NULL).count, 1);
    bide_outbox_clear();
}

static async(void) send_on_each_loop(void);
static async(void) send_on_each_loop(void)
{
    with(bide_mailer, m, "outbox:") {
        for (int i = 0; i < 20; i++)
            await(bide_mail_send(m, &letter));
    }
    return bide_void;
}

static async(void) count_all(void);
static async(void) count_all(void)
{
    bide_outbox_mails all = bide_outbox_list(NULL);
    check_int(all.count, 60);
    for (size_t i = 0; i < all.count; i++)
        check_int(all.items[i].id, 60 - (int64_t)i);
    bide_outbox_clear();
    return bide_void;
}

TEST_PLAIN(all_loops_share_it)
{
    check_int(bide_run(send_on_each_loop, .loops = 3), 0);
    check_int(bide_run(count_all), 0);
}

/* ---- after a commit ---- */

static async(void) in_two(bide_db *db, bide_mailer_ptr m, bool outer_fails);
SPAWNABLE(void, in_two, bide_db *, bide_mailer_ptr, bool)
static async(void) in_two(bide_db *db, bide_mailer_ptr m, bool outer_fails)
{
    with_tx(outer, db) {
        await(bide_do(outer, "create table if not exists t(x)"));
        with_tx(inner, outer) {
            char subject[] = "welcome";
            bide_mail mail = letter;
            mail.subject = subject;
            bide_mail_after_commit(inner, m, &mail);
            memset(subject, 'x', sizeof subject);
        }
        await(bide_sleep(bide_ms(10)));
        check_int(bide_outbox_list(NULL).count, 0);
        if (outer_fails)
            fail(bide_error_new(1000, "no"));
    }
    return bide_void;
}

TEST(a_mail_waits_for_the_commit)
{
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_mailer, m, "outbox:") {
            await(in_two(db, m, false));
            await(bide_sleep(bide_ms(10)));
            require(bide_outbox_list(NULL).count == 1);
            check_str(bide_outbox_last(NULL)->subject, "welcome");
        }
    }
    bide_outbox_clear();
}

TEST(nothing_is_left_of_a_mail_that_is_cancelled, .cancel_everywhere = true)
{
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_mailer, m, "outbox:") {
            await(in_two(db, m, false));
            await(bide_sleep(bide_ms(10)));
        }
    }
    bide_outbox_clear();
}

TEST(a_rollback_drops_it)
{
    bide_error *err;
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_mailer, m, "outbox:") {
            attempt(&err, in_two, db, m, true);
            require(err);
            check_int(err->code, 1000);
            await(bide_sleep(bide_ms(10)));
            check_int(bide_outbox_list(NULL).count, 0);
            with_tx(tx, db) {
                bide_mail_after_commit(tx, m, &letter);
                await(bide_tx_rollback(tx));
            }
            await(bide_sleep(bide_ms(10)));
            check_int(bide_outbox_list(NULL).count, 0);
        }
    }
}

/* ---- a request that has sent one is not to be sent again ---- */

static async(void) in_one(bide_db *db, bide_mailer *m, bool commits)
{
    with_tx(tx, db) {
        bide_mail_after_commit(tx, m, &letter);
        if (!commits)
            await(bide_tx_rollback(tx));
    }
    return bide_void;
}

TEST(a_mail_is_an_effect)
{
    static const bool expected[] = {true, true, true, false};
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_mailer, m, "outbox:") {
            for (int way = 0; way < 4; way++) {
                struct bide__memory memory;
                effects_begin(&memory);
                if (way == 0)
                    await(bide_mail_send(m, &letter));
                else if (way == 1)
                    bide_mail_later(m, &letter);
                else
                    await(in_one(db, m, way == 2));
                check_int(effects_end(&memory), expected[way]);
            }
        }
    }
    bide_outbox_clear();
}

static async(void) one_more(bide_mailer_ptr m);
SPAWNABLE(void, one_more, bide_mailer_ptr)
static async(void) one_more(bide_mailer_ptr m)
{
    bide_mail_later(m, &letter);
    return bide_void;
}

TEST(only_so_many_wait)
{
    with(bide_mailer, m, "outbox:") {
        bide_error *err;
        for (int i = 0; i < BIDE_CAP_MAIL_WAITING; i++)
            bide_mail_later(m, &letter);
        attempt(&err, one_more, m);
        require(err);
        check_int(err->code, BIDE_LIMIT);
        await(bide_sleep(bide_ms(10)));
        bide_mail_later(m, &letter); /* there is room again */
    }
    bide_outbox_clear();
}

/* ---- the pages ---- */

static bide_app *outbox_app(void)
{
    bide_app *app = bide_app_new(.title = "outbox");
    bide_outbox_routes(app);
    return app;
}

TEST(the_pages_escape_everything)
{
    with_client(c, outbox_app()) {
        check_int(json_count(await(client_get(c, "/dev/outbox.json")), ""), 0);
        with(bide_mailer, m, "outbox:") {
            await(bide_mail_send(
                m, &(bide_mail){.from = "\"<script>alert('x')</script>\" <frodo@example.org>",
                                .to = "sam+tag@example.org",
                                .subject = "<b>&\"'</b> \xe4\xbd\xa0\xe5\xa5\xbd",
                                .text = "<u> https://example.org/?a=1&b=\"2\". <i>javascript:x</i>",
                                .html = "<script>alert(1)</script>"}));
            await(bide_mail_send(m, &letter));
        }
        bide_client_reply r = await(client_get(c, "/dev/outbox"));
        check_int(r.status, 200);
        check_contains(reply_header(r, "Content-Type"), "text/html");
        check_contains(reply_header(r, "Content-Security-Policy"), "default-src 'none'");
        check(!strstr(r.body, "<script") && !strstr(r.body, "<b>") && !strstr(r.body, "<i>"));
        check_contains(r.body, "<pre>&lt;u&gt; <a rel=");
        check_contains(r.body, "&quot;2&quot;. &lt;i&gt;javascript:x&lt;/i&gt;</pre>");
        check_contains(r.body, "href=\"https://example.org/?a=1&amp;b=\"");
        check_contains(r.body, "&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt; \xe4\xbd\xa0\xe5\xa5\xbd");
        check_contains(r.body, "&lt;script&gt;alert(1)&lt;/script&gt;");
        r = await(client_get(c, "/dev/outbox.json"));
        check_int(json_count(r, ""), 2);
        check_str(json_str(r, "0.subject"), "Elevenses");
        check_str(json_str(r, "1.to"), "sam+tag@example.org");
        check_str(json_str(r, "1.html"), "<script>alert(1)</script>");
        for (int i = 0; i < 2; i++) {
            r = await(client_get(c, i ? "/dev/outbox.json?to=Sam%2Btag@example.org"
                                      : "/dev/outbox.json?x=y&to=sam+tag@example.org"));
            check_int(json_count(r, ""), 1);
        }
        check_int(await(client_get(c, "/dev/outbox.json?to=%zz")).status, 422);
        check_int(await(client_get(c, "/dev/outbox/x")).status, 404);
        check_int(await(client_post(c, "/dev/outbox", json("{}"))).status, 405);
    }
    bide_outbox_clear();
}
