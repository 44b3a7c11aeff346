/*
 * Mail: sent at once, and after a commit. `outbox:` keeps it in memory; with SMTP_URL in the
 * environment ("smtp://user:password@mail.example.org") the same program sends it.
 */
#include <bide/bide.h>

#include <stdio.h>
#include <stdlib.h>

MODEL(user, "users", (i64, id, key, generated), (str, email, email, unique));

static async(void) sign_up(bide_db *db, bide_mailer_ptr m, const char *email);
SPAWNABLE(void, sign_up, bide_db *, bide_mailer_ptr, const char *)
static async(void) sign_up(bide_db *db, bide_mailer_ptr m, const char *email)
{
    with_tx(tx, db) {
        user u = {.email = email};
        bide_mail_after_commit(tx, m,
                               &(bide_mail){.from = "Bag End <home@example.org>",
                                            .to = email,
                                            .subject = "Welcome, 欢迎, 환영합니다",
                                            .text = "Good to have you here.\n"});
        await(bide_insert(tx, user, &u)); /* fails for the second Sam: no mail */
    }
    return bide_void;
}

static async(void) app(void)
{
    const char *url = getenv("SMTP_URL");
    bide_error *err;
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        with(bide_mailer, m, url ? url : "outbox:") {
            attempt(&err, sign_up, db, m, "sam@example.org");
            attempt(&err, sign_up, db, m, "sam@example.org");
            printf("the second one: %s\n", err ? err->message : "?");
            attempt(&err, bide_mail_send, m,
                    &(bide_mail){.from = "home@example.org",
                                 .to = "sam@example.org",
                                 .subject = "Hello\r\nBcc: everybody@example.org",
                                 .text = "?"});
            printf("the third one: %s\n", err ? err->message : "?");
        }
        await(bide_sleep(bide_ms(10))); /* the mail goes in the background */
    }
    bide_outbox_mails sent = bide_outbox_list(NULL);
    for (size_t i = 0; i < sent.count; i++)
        printf("%s -> %s: %s\n%s", sent.items[i].from, sent.items[i].to, sent.items[i].subject,
               sent.items[i].text);
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
