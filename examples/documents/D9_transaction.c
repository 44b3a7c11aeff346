/*
 * D9: an own context manager, transaction(db).
 *
 * The document: an async context manager that commits at the end, rolls back on an error, logs it
 * and raises it again; used in a route.
 *
 * What goes wrong: `except Exception` does not see a cancellation, so a cancelled request leaves
 * its transaction open; a commit that fails is logged as if the block had failed; begin() fails
 * when something was read before; a rollback that fails hides the first error.
 *
 * In bide: scopes are stacked like any statements. with_tx commits and rolls back, whatever the way
 * out; a RESOURCE around it is told how that went: NULL, the error (of the commit, too) or the
 * cancel. It logs, and need not raise again: the error goes on by itself.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, name, unique));

typedef struct journal {
    const char *what;
    int64_t since_ns;
} journal;
AWAITABLE(journal);

static async(journal) journal_open(const char *what)
{
    printf("  BEGIN\n");
    return ready(journal, (journal){.what = what, .since_ns = bide_clock_ns()});
}

static async(void) journal_close(journal j, bide_error *error)
{
    double passed_s = (double)(bide_clock_ns() - j.since_ns) / 1e9;
    if (error)
        printf("  ROLLBACK\n  log: %s: %s after %.0f s\n", j.what, error->message, passed_s);
    else
        printf("  COMMIT\n");
    return bide_void;
}

RESOURCE(journal, journal, journal_open, journal_close)

#define with_transaction(tx, db, what)                                                             \
    with(journal, tx##_journal, what)                                                              \
        with_tx(tx, db)

POST(create_user, "/users/{name}", user, status(201), path(str, name))
{
    bide_db *db = bide_app_db(req);
    user row = {.name = name};
    with_transaction(tx, db, "create_user") {
        await(bide_insert(tx, user, &row));
        if (name[0] == 's')
            await(bide_sleep(bide_s(60))); /* the client does not wait that long */
    }
    return row;
}

SPAWNABLE(void, post, bide_client_ptr, const char *)
async(void) post(bide_client_ptr client, const char *name)
{
    printf("POST %s\n", name);
    const char *target = bide_arena_printf(bide_task_arena(), "/users/%s", name);
    printf("  %d\n", await(client_post(client, target, no_body)).status);
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        bide_app *users = bide_app_new(.title = "Users", .db = db);
        bide_app_add_all(users, "");
        with_client(client, users) {
            bool gone;
            await(post(client, "ann"));
            await(post(client, "ann"));
            move_on_after(&gone, bide_s(1), post, client, "sam");
            printf("  gave up: %s\n", gone ? "yes" : "no");
        }
        printf("%lld row\n", (long long)await(bide_scalar(db, i64, "select count(*) from users")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
