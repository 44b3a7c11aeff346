/*
 * B5: why add takes no await, and commit and refresh need one.
 *
 * The document: add only notes the object in the session; commit and refresh talk to the database,
 * so they are coroutines. Below them a greenlet runs code that was not written for await.
 *
 * What goes wrong: which method is which has to be known by heart. `await session.add(...)` is an
 * error at run time, after the row was added; `session.commit()` without await is a warning, and
 * the row is never stored.
 *
 * In bide: the type says it. bide_add is a plain call: awaiting it is refused, and it may stand
 * where nothing may wait. bide_flush and bide_refresh are async: leaving the await out is refused.
 * The commit is the end of the block, which cannot be forgotten. Tasks have stacks of their own, so
 * plain code in between needs no greenlet below.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, name));

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        user rows[] = {{.name = "Ann"}, {.name = "Bob"}, {.name = "Sam"}}, *two, *third;
        with_tx(session, db) {
            with_no_await {
                two = bide_add_all(session, user, rows, 2);
                third = bide_add(session, user, &rows[2]);
            }
            printf("added:   ids %lld %lld %lld\n", (long long)two[0].id, (long long)two[1].id,
                   (long long)third->id);
            await(bide_flush(session));
            printf("flushed: ids %lld %lld %lld\n", (long long)two[0].id, (long long)two[1].id,
                   (long long)third->id);
        }
        await(bide_refresh(db, user, third));
        printf("stored:  %s, %lld in all\n", third->name,
               (long long)await(bide_scalar(db, i64, "select count(*) from users")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
