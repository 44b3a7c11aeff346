/*
 * D5: class UserRepository with find_by_id, create, update(**kwargs), delete.
 *
 * The document: a repository holds a session; update sets each keyword argument on the row that it
 * has found, delete deletes the row that it has found; each commits.
 *
 * What goes wrong: setattr takes any name: a misspelt column is set on the object, nothing is
 * written, nobody hears of it. Whether there was a row is not told, or is an AttributeError on
 * None. A commit in each method makes it impossible to do two of them together.
 *
 * In bide: the four calls are one line each, on a database or on a transaction of the caller's.
 * bide_update writes the fields it is told, which are members: an unknown one does not compile.
 * Update and delete of a row that is not there fail with BIDE_NOT_FOUND.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, name), (str, email, unique));

static void report(const char *what, const bide_error *err)
{
    printf("%s: %s\n", what, err ? err->message : "done");
}

static async(void) show(bide_tx *tx, int64_t id)
{
    user *found = await(bide_maybe(tx, user, "id = $1", id)); /* find_by_id */
    printf("user %lld: %s\n", (long long)id, found ? found->email : "none");
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        with_tx(tx, db) { /* all of it, or nothing */
            bide_error *err;
            user ann = {.name = "Ann", .email = "ann@a.example"};
            await(bide_insert(tx, user, &ann)); /* create */
            await(show(tx, ann.id));
            ann.email = "ann@b.example";
            ann.name = "not written: it is not in the list";
            await(bide_update(tx, user, &ann, email)); /* update(email=...) */
            await(show(tx, ann.id));
            await(bide_delete(tx, user, ann.id)); /* delete */
            await(show(tx, ann.id));
            attempt(&err, bide_update, tx, user, &ann, email);
            report("update again", err);
            attempt(&err, bide_delete, tx, user, ann.id);
            report("delete again", err);
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
