/*
 * D3: get_db with an async session scope.
 *
 * The document: `async with async_session() as session: yield session`, as a dependency.
 *
 * What goes wrong: the part behind the yield runs when the reply is gone already: a commit that
 * fails there leaves a client that believes in a row which is not there. Used outside of a route,
 * `async with get_db()` is a TypeError, since a generator is no context manager.
 *
 * In bide: the provider is a with_tx around provide(). It ends before the reply is sent, whatever
 * happened: a commit; a commit that fails, which becomes the reply; a rollback for an error of the
 * handler, or for a client that does not wait any longer. Outside of a route it is the same
 * with_tx.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(note, "notes", (i64, id, key, generated), (str, title, unique));

static void say(void *what)
{
    printf("  session %s\n", (const char *)what);
}

PROVIDER(bide_tx *, get_db)
{
    with_tx(session, bide_app_db(req)) {
        bide_tx_on_commit(session, say, "committed and closed");
        bide_tx_on_rollback(session, say, "rolled back and closed");
        provide(session);
    }
}

POST(add_note, "/notes/{title}", note, status(201), path(str, title),
     depends(bide_tx *, session, get_db))
{
    note row = {.title = title};
    await(bide_insert(session, note, &row));
    if (title[0] == 'x')
        fail(http_error(400, "no title begins with x"));
    if (title[0] == 'y') /* a rule that is looked at by the commit */
        await(bide_do(session, "insert into links (note) values ($1)", row.id + 1));
    if (title[0] == 'z')
        await(bide_sleep(bide_s(60)));
    return row;
}

SPAWNABLE(void, post, bide_client_ptr, const char *)
async(void) post(bide_client_ptr client, const char *title)
{
    printf("POST %s\n", title);
    const char *target = bide_arena_printf(bide_task_arena(), "/notes/%s", title);
    reply r = await(client_post(client, target, no_body));
    printf("  reply %d\n", r.status);
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, note));
        await(bide_do(db, "create table links (note integer references notes (id)"
                          " deferrable initially deferred)"));
        bide_app *notes = bide_app_new(.title = "Notes", .db = db);
        bide_app_add_all(notes, "");
        with_client(client, notes) {
            bool gone;
            await(post(client, "shopping"));
            await(post(client, "shopping"));
            await(post(client, "xylophone"));
            await(post(client, "yesterday"));
            move_on_after(&gone, bide_s(1), post, client, "zzz");
            printf("  the client %s\n", gone ? "went away" : "has waited");
        }
        printf("%lld note\n", (long long)await(bide_scalar(db, i64, "select count(*) from notes")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
