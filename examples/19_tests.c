/*
 * Tests: fixtures, another provider, virtual time, a cancel at every await.
 *
 * A file of TESTs has no main: the test kit brings it. Each test runs in a process and a task of
 * its own, on a clock that jumps, and also fails for what it leaves behind.
 */
#include <bide/bide.h>
#include <bide/test.h>
#include <bide/web_test.h>

#include <stdio.h>

/* ---- the application ---- */

MODEL(invitation, "", (str, to, email));
MODEL(outcome, "", (str, sender), (i32, tries));

typedef async_fn(bool) send_mail(const char *to);
typedef send_mail *send_mail_ptr;

static async(bool) real_mail(const char *to)
{
    fail(http_error(503, "no mail server for %s", to));
}

PROVIDER(send_mail_ptr, mail)
{
    provide(real_mail);
}

POST(log_in, "/login", nothing, query(str, name))
{
    bide_set_cookie(req, "who", name, .max_age_s = 60);
}

/* Three tries, a minute apart. */
POST(invite, "/invitations", outcome, status(201), body(invitation, form),
     api_key(who, cookie, "who"), depends(send_mail_ptr, send, mail))
{
    for (int i = 1; i <= 3; i++) {
        if (await(send(form->to)))
            return (outcome){.sender = who, .tries = i};
        await(bide_sleep(bide_s(60)));
    }
    fail(http_error(502, "the mail was not taken"));
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "Invitations");
    bide_app_add_all(app, "");
    return app;
}

/* ---- fixtures ---- */

/* In the place of the mail server: takes the mail at the second try, and notes it in a file. */
static struct {
    int tries, taken;
    FILE *outbox;
} fake;

static async(bool) fake_mail(const char *to)
{
    await(bide_yield());
    if (++fake.tries < 2)
        return ready(bool, false);
    fake.taken++;
    fprintf(fake.outbox, "%s\n", to);
    return ready(bool, true);
}

PROVIDER(send_mail_ptr, fake_mail_server)
{
    provide(fake_mail);
}

/* A fixture with a teardown is a resource: it is closed on every way out of its block. */
typedef FILE *file_ptr;
AWAITABLE(file_ptr);

static async(file_ptr) open_outbox(void)
{
    fake.outbox = tmpfile();
    if (!fake.outbox)
        fail(bide_error_new(BIDE_SYSTEM, "no file for the outbox"));
    return ready(file_ptr, fake.outbox);
}

static async(void) close_outbox(file_ptr outbox, bide_error *error)
{
    (void)error;
    fclose(outbox);
    return bide_void;
}
RESOURCE(outbox, file_ptr, open_outbox, close_outbox)

static bide_app *test_app(void)
{
    bide_app *app = make_app();
    bide_app_override(app, mail, fake_mail_server);
    return app;
}

/* A fixture without one is a function. The client keeps the cookie. */
static async(void) log_in_as(bide_client_ptr client, const char *name)
{
    char target[64];
    snprintf(target, sizeof target, "/login?name=%s", name);
    check_int(await(client_post(client, target, no_body)).status, 204);
    return bide_void;
}

/* ---- tests ---- */

#define INVITE_ANN json("{\"to\":\"ann@example.com\"}")

TEST(nobody_is_refused)
{
    with_client(client, test_app()) {
        check_int(await(client_post(client, "/invitations", INVITE_ANN)).status, 401);
        check_int(fake.tries, 0);
    }
}

TEST(the_second_try_is_a_minute_later)
{
    with(outbox, file) {
        with_client(client, test_app()) {
            await(log_in_as(client, "sam"));
            int64_t start_ns = bide_clock_ns();
            reply r = await(client_post(client, "/invitations", INVITE_ANN));
            check_int(r.status, 201);
            check_str(json_str(r, "sender"), "sam");
            check_int(json_int(r, "tries"), 2);
            check_int((bide_clock_ns() - start_ns) / 1000000000, 60); /* no time passed in truth */
        }
        char line[64] = "";
        rewind(file);
        check(fgets(line, sizeof line, file) != NULL);
        check_str(line, "ann@example.com\n");
    }
}

TEST(a_cancel_anywhere_sends_no_mail_twice, .cancel_everywhere = true)
{
    with(outbox, file) {
        with_client(client, test_app()) {
            await(log_in_as(client, "sam"));
            await(client_post(client, "/invitations", INVITE_ANN));
        }
        check(fake.taken <= 1 && file != NULL);
    }
}
