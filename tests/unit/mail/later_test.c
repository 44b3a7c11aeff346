/*
 * Mails in the background: tried again, given up, waited for at the end of the program; and what
 * servers say that is no SMTP. Against a server in the test's own tasks.
 */
#include "fake_smtp.h"

#include "base/caps.h"

#include <bide/log.h>

static const bide_mail letter = {.from = "frodo@example.org",
                                 .to = "sam@example.org, pip@example.org",
                                 .subject = "Elevenses",
                                 .text = ".At the usual place.\n"};

/* If it is a task of the server that is cancelled, a mail fails like any. */
static async(void) try_to_send(bide_mailer *m);
SPAWNABLE(void, try_to_send, bide_mailer *)
static async(void) try_to_send(bide_mailer *m)
{
    bide_error *err;
    attempt(&err, bide_mail_send, m, &letter);
    if (err && err->is_cancel)
        fail(err);
    if (err)
        check(err->code == BIDE_TIMEOUT || err->code == BIDE_UNREACHABLE ||
              err->code == BIDE_OUTCOME_UNKNOWN || err->code == BIDE_NO_MEMORY);
    return bide_void;
}

TEST(a_mail_that_is_cancelled_leaves_nothing, .cancel_everywhere = true, .fail_allocations = true,
     .timeout_ms = 60000)
{
    struct fake fake = {.busy = 0};
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url) {
            await(try_to_send(m));
            await(try_to_send(m));
        }
    }
    check(fake.mails <= 2 && fake.connections <= 2);
}

TEST(two_at_a_time_that_are_cancelled, .cancel_everywhere = true, .timeout_ms = 60000)
{
    struct fake fake = {.busy = 0};
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url) {
            with_group(g) {
                spawn_void(g, try_to_send, m);
                spawn_void(g, try_to_send, m);
            }
        }
    }
    check(fake.mails <= 2 && fake.connections <= 2);
}

/* ---- what servers say ---- */

static async(int) code_for(const char *answer, char *message, size_t size);
static async(int) code_for(const char *answer, char *message, size_t size)
{
    struct fake fake = {.answer = answer, .slowly = true};
    bide_error *err = NULL;
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url)
            attempt(&err, bide_mail_send, m, &letter);
    }
    snprintf(message, size, "%s", err ? err->message : "");
    return ready(int, err ? err->code : 0);
}

TEST(strange_replies)
{
    static char endless[3000], lines[2000];
    char message[300];
    memset(endless, 'x', sizeof endless - 1);
    for (size_t i = 0; i + 8 < sizeof lines; i += 8)
        memcpy(lines + i, "250-ab\r\n", 9);
    check_int(await(code_for("250-one\r\n250-two\r\n250 three\r\n", message, sizeof message)), 0);
    check_int(await(code_for("250\r\n", message, sizeof message)), 0);
    check_int(await(code_for("250 ok\n", message, sizeof message)), 0);
    check_int(await(code_for("550 \x1b[31m\xff no\r\n", message, sizeof message)),
              BIDE_MAIL_REFUSED);
    check_contains(message, ": 550  [31m  no");
    check_int(await(code_for("530 5.7.0 log in\r\n", message, sizeof message)), BIDE_MAIL_LOGIN);
    check_int(await(code_for("354 what\r\n", message, sizeof message)), BIDE_MAIL_REFUSED);
    check_int(await(code_for("hello\r\n", message, sizeof message)), BIDE_UNREACHABLE);
    check_contains(message, "does not speak SMTP");
    check_int(await(code_for("25\r\n", message, sizeof message)), BIDE_UNREACHABLE);
    check_int(await(code_for(endless, message, sizeof message)), BIDE_UNREACHABLE);
    check_int(await(code_for(lines, message, sizeof message)), BIDE_UNREACHABLE);
}

/* ---- connections ---- */

TEST(idle_connections_are_closed_politely)
{
    struct fake fake = {.busy = 0};
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url) {
            with_group(g)
                for (int i = 0; i < 3; i++)
                    spawn_void(g, bide_mail_send, m, &letter);
            check_int(fake.connections, 3);
            await(bide_sleep(bide_ms(BIDE_CAP_MAIL_IDLE_MS - 1000)));
            await(bide_mail_send(m, &letter)); /* this one begins anew */
            check_int(fake.quits, 0);
            await(bide_sleep(bide_s(2)));
            check_int(fake.quits, 2);
            await(bide_sleep(bide_ms(BIDE_CAP_MAIL_IDLE_MS)));
            check_int(fake.quits, 3);
            await(bide_mail_send(m, &letter));
        }
        await(bide_sleep(bide_ms(100)));
        check_int(fake.quits, 4);
    }
    check_int(fake.connections, 4);
}

TEST(a_server_that_hangs_up_is_no_trouble)
{
    struct fake fake = {.hangs_up = true};
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url) {
            for (int i = 1; i <= 3; i++) {
                await(bide_mail_send(m, &letter));
                await(bide_sleep(bide_s(1)));
                check_int(fake.connections, i);
            }
            fake.busy = 1000; /* nothing takes the place of what was idle */
            bide_error *err;
            attempt(&err, bide_mail_send, m, &letter);
            require(err);
            check_int(err->code, BIDE_MAIL_LATER);
            await(bide_sleep(bide_s(30)));
        }
    }
    check_int(fake.mails, 3);
}

/* ---- in the background ---- */

TEST(it_is_tried_again)
{
    struct fake fake = {.busy = 1, .later = 2};
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url) {
            bide_mail_later(m, &letter);
            await(bide_sleep(bide_ms(500)));
            check_int(fake.connections, 1);
            await(bide_sleep(bide_s(1)));
            check_int(fake.later, 1);
            await(bide_sleep(bide_s(4)));
            check_int(fake.later, 0);
            check_int(fake.mails, 0);
            await(bide_sleep(bide_s(17)));
            check_int(fake.mails, 1);
        }
    }
}

TEST(it_is_given_up)
{
    struct fake fake = {.later = 1000};
    test_capture_stderr();
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url) {
            bide_mail_later(m, &letter);
            await(bide_sleep(bide_s(300)));
            check_int(fake.later, 1000 - BIDE_CAP_MAIL_TRIES + 1);
            await(bide_sleep(bide_s(60)));
            check_int(fake.later, 1000 - BIDE_CAP_MAIL_TRIES);
            await(bide_sleep(bide_s(1000)));
            check_int(fake.later, 1000 - BIDE_CAP_MAIL_TRIES);
        }
    }
    bide_log_flush(1000);
    const char *said = test_captured();
    check_contains(said, "to sam@example.org and others was given up after 6 tries: ");
    check_contains(said, "450 not now");
}

TEST(what_no_trying_helps_is_given_up_at_once)
{
    struct fake fake = {.answer = "550 never\r\n"};
    test_capture_stderr();
    with_fake(&fake)
    {
        with(bide_mailer, m, fake.url) {
            bide_mail_later(m, &letter);
            await(bide_sleep(bide_ms(500)));
        }
    }
    bide_log_flush(1000);
    check_contains(test_captured(), "was given up after 1 tries: mail: ");
}

/* ---- the end of the program ---- */

static struct fake at_end;

/* Somebody waits for the stop, so main goes on. */
static async(void) until_stop(void);
SPAWNABLE(void, until_stop)
static async(void) until_stop(void)
{
    return bide_until_stop();
}

static async(void) leave_one(void);
static async(void) leave_one(void)
{
    with_fake(&at_end)
    {
        with(bide_mailer, m, at_end.url) {
            bide_mail_later(m, &letter);
            await(bide_sleep(bide_ms(100)));
        }
        spawn_void(fake_group, until_stop);
        await(bide_sleep(bide_ms(1)));
        bide_stop("the test wants it");
        while (bide_group_live(bide_background()) > 0)
            await(bide_sleep(bide_ms(10)));
    }
    return bide_void;
}

TEST_PLAIN(a_stop_tries_once_more)
{
    at_end = (struct fake){.later = 1};
    (void)bide_run(leave_one, .ignore_signals = true);
    check_int(at_end.mails, 1);
}
