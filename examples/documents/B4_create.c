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
 * In bide: bide_add queues a copy, as there; the end of the block flushes and commits, and what the
 * database made is in the copy: nothing expires. bide_refresh is for what others have changed.
 * The repository gets a bide_tx and cannot commit: whoever opened the block decides what belongs
 * together.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, email, unique),
      (str, state, generated, sql_dflt("'new'")));

static user *create(bide_tx *session, const char *email)
{
    user row = {.email = email};
    return bide_add(session, user, &row);
}

SPAWNABLE(void, create_two, bide_db *, const char *, const char *)
async(void) create_two(bide_db *db, const char *one, const char *two)
{
    user *added[2];
    with_tx(session, db) {
        added[0] = create(session, one);
        added[1] = create(session, two);
        printf("added:     id %lld, id %lld\n", (long long)added[0]->id, (long long)added[1]->id);
    }
    printf("committed: id %lld, id %lld, %s\n", (long long)added[0]->id, (long long)added[1]->id,
           added[0]->state);
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        await(create_two(db, "ann@a.example", "bob@a.example"));

        user *ann = await(bide_one(db, user, "email = $1", "ann@a.example"));
        int64_t changed = await(bide_exec(db, "update users set state = 'active'"));
        await(bide_refresh(db, user, ann));
        printf("refreshed: id %lld, %s (%lld changed)\n", (long long)ann->id, ann->state,
               (long long)changed);

        bide_error *error;
        attempt(&error, create_two, db, "sam@a.example", "ann@a.example");
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
