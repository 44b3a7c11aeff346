/*
 * B4: create: add, commit, refresh.
 *
 * The document: `session.add(user)`, a plain call, then `await session.commit()` and
 * `await session.refresh(user)`; the user is returned with its id.
 *
 * What goes wrong: after the commit every attribute is expired: without the refresh, reading the id
 * is a query that nobody awaits, and raises MissingGreenlet. The commit stands inside of the
 * repository, so two creates cannot be one transaction, and a taken address is an IntegrityError.
 *
 * In bide: bide_add queues, as there; the end of the block flushes and commits, and what the
 * database made is in the struct: nothing expires. bide_refresh is for what others have changed.
 * The repository gets a bide_tx and cannot commit: whoever opened the block decides what belongs
 * together.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, email, unique),
      (str, state, generated, sql_dflt("'new'")));

static void create(bide_tx *session, user *row)
{
    bide_add(session, user, row);
}

SPAWNABLE(void, create_two, bide_db *, user *, user *)
async(void) create_two(bide_db *db, user *one, user *two)
{
    with_tx(session, db) {
        create(session, one);
        create(session, two);
        printf("added:     id %lld, id %lld\n", (long long)one->id, (long long)two->id);
    }
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        user ann = {.email = "ann@a.example"}, bob = {.email = "bob@a.example"};
        await(create_two(db, &ann, &bob));
        printf("committed: id %lld, id %lld, %s\n", (long long)ann.id, (long long)bob.id,
               ann.state);

        int64_t changed = await(bide_exec(db, "update users set state = 'active'"));
        await(bide_refresh(db, user, &ann));
        printf("refreshed: id %lld, %s (%lld changed)\n", (long long)ann.id, ann.state,
               (long long)changed);

        bide_error *error;
        user sam = {.email = "sam@a.example"}, again = {.email = "ann@a.example"};
        attempt(&error, create_two, db, &sam, &again);
        printf("refused:   %s\n", error->message);
        printf("%lld users\n",
               (long long)await(bide_scalar(db, i64, "select count(*) from users")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
