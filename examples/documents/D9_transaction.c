/*
 * D9: an own context manager, transaction(db).
 *
 * The document: an async context manager that commits at the end, rolls back on an error, logs it
 * and raises it again; used in a route.
 *
 * What goes wrong: `except Exception` does not see a cancellation, so a cancelled request leaves
 * its transaction open; a commit that fails is logged as if the block had failed; a rollback that
 * fails hides the first error.
 *
 * In bide: RESOURCE makes the scope. Its close sees NULL, the error or the cancel, may await, and
 * need not raise again: the error goes on by itself. What fails in a rollback is attached to it.
 * The database here is a pretend driver; the real one comes with the data layer.
 */
#include <bide/bide.h>

#include <stdio.h>

typedef struct database {
    int rows, pending;
} database;
typedef database *database_ptr;
AWAITABLE(database_ptr);

static async(void) statement(const char *text)
{
    await(bide_sleep(bide_ms(5)));
    printf("    %s\n", text);
    return bide_void;
}

static async(database_ptr) transaction_begin(database *db)
{
    await(statement("BEGIN"));
    db->pending = 0;
    return ready(database_ptr, db);
}

static async(void) transaction_end(database_ptr db, bide_error *error)
{
    if (!error) {
        await(statement("COMMIT"));
        db->rows += db->pending;
        return bide_void;
    }
    await(statement("ROLLBACK"));
    printf("    log: %s\n", error->message);
    return bide_void;
}

RESOURCE(transaction, database_ptr, transaction_begin, transaction_end)

enum { CONFLICT = 409 };

SPAWNABLE(int, create_user, database *, const char *)
async(int) create_user(database *db, const char *name)
{
    with(transaction, tx, db) {
        await(statement("INSERT"));
        tx->pending++;
        if (name[0] == 'b')
            fail(bide_error_new(CONFLICT, "'%s' is taken", name));
        if (name[0] == 's')
            await(bide_sleep(bide_s(60))); /* the client does not wait that long */
    }
    return ready(int, 201);
}

static async(void) route(database *db, const char *name)
{
    bide_error *error;
    bool timed_out = false;
    printf("POST %s\n", name);
    if (name[0] == 's') {
        (void)move_on_after(&timed_out, bide_s(1), create_user, db, name);
        printf("  gave up: %s\n", timed_out ? "yes" : "no");
    } else {
        int status = attempt(&error, create_user, db, name);
        printf("  %d\n", error ? error->code : status);
    }
    return bide_void;
}

static async(void) app(void)
{
    database db = {.rows = 0};
    await(route(&db, "ann"));
    await(route(&db, "bob"));
    await(route(&db, "sam"));
    printf("%d row\n", db.rows);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
