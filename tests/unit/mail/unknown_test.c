/*
 * A mail whose commit nobody knows the end of: it is not sent, and that is said. On PostgreSQL,
 * whose server process ends in the middle of the commit.
 */
#define DB_ON_SERVER
#include "../db/db_case.h"

#include <bide/mail.h>

static const bide_mail letter = {.from = "frodo@example.org",
                                 .to = "sam@example.org, pip@example.org",
                                 .subject = "Elevenses",
                                 .text = "At the usual place.\n"};

SPAWNABLE(void, save_and_tell, bide_db *, bide_mailer_ptr)
async(void) save_and_tell(bide_db *db, bide_mailer_ptr m)
{
    with_tx(tx, db) {
        await(bide_do(tx, "insert into slow_end values (1)"));
        bide_mail_after_commit(tx, m, &letter);
    }
    return bide_void;
}

SPAWNABLE(void, note_error, bide_db *, bide_mailer_ptr, int *)
async(void) note_error(bide_db *db, bide_mailer_ptr m, int *code)
{
    bide_error *err = NULL;
    attempt(&err, save_and_tell, db, m);
    *code = err ? err->code : 0;
    return bide_void;
}

TEST(a_mail_of_an_unknown_commit_is_not_sent_and_is_told, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "&pool_size=4");
    int code = 0;
    test_capture_stderr();
    with(bide_database, db, c.url) {
        await(bide_do(db, "create table slow_end (a integer)"));
        await(bide_do(db, "create function nap() returns trigger language plpgsql as "
                          "'begin perform pg_sleep(30); return null; end'"));
        await(bide_do(db, "create constraint trigger t after insert on slow_end deferrable "
                          "initially deferred for each row execute function nap()"));
        with(bide_mailer, m, "outbox:") {
            with_group(g) {
                spawn_void(g, note_error, db, m, &code);
                await(bide_sleep(bide_ms(200)));
                with(bide_database, other, c.url)
                    await(bide_do(other, "select pg_terminate_backend(pid) from pg_stat_activity "
                                         "where pid <> pg_backend_pid() and datname = 'test'"));
            }
            await(bide_sleep(bide_ms(10)));
        }
    }
    check_int(code, BIDE_OUTCOME_UNKNOWN);
    check_int(bide_outbox_list(NULL).count, 0);
    const char *log = test_captured();
    check_contains(log, "to sam@example.org and others is not sent: nobody knows whether its "
                        "transaction was committed");
}
