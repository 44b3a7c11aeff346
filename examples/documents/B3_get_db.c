/*
 * B3: get_db, a generator with `finally: close`.
 *
 * The document: yields a session and closes it in `finally`.
 *
 * What goes wrong: close() without await closes nothing. What was written and not committed is
 * rolled back silently on the normal way out, too; a generator that is left early is closed when
 * somebody collects it, perhaps in another task.
 *
 * In bide: the session is a block. On every way out of it, at its end, by return, by an error and
 * by a cancel, it has ended before the next line runs: committed, or rolled back.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(note, "notes", (i64, id, key, generated), (str, title));

static void say(void *what)
{
    printf("  %s\n", (const char *)what);
}

enum way { BY_ITS_END, BY_RETURN, BY_AN_ERROR, BY_A_CANCEL };

SPAWNABLE(void, use, bide_db *, int)
async(void) use(bide_db *db, int way)
{
    with_tx(session, db) {
        bide_tx_on_commit(session, say, "committed");
        bide_tx_on_rollback(session, say, "rolled back");
        note n = {.title = "written"};
        await(bide_insert(session, note, &n));
        if (way == BY_RETURN)
            return bide_void;
        if (way == BY_AN_ERROR)
            fail(bide_error_new(1000, "something is wrong"));
        if (way == BY_A_CANCEL)
            await(bide_sleep(bide_s(60)));
    }
    printf("  behind the block\n");
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, note));
        bide_error *error;
        bool cancelled;
        printf("by its end\n");
        await(use(db, BY_ITS_END));
        printf("by return\n");
        await(use(db, BY_RETURN));
        printf("by an error\n");
        attempt(&error, use, db, BY_AN_ERROR);
        printf("  and out of it: %s\n", error->message);
        printf("by a cancel\n");
        move_on_after(&cancelled, bide_s(1), use, db, BY_A_CANCEL);
        printf("%lld notes\n",
               (long long)await(bide_scalar(db, i64, "select count(*) from notes")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
