/*
 * Exercise 2, the start: twenty users, one after the other. See task.md.
 */
#include <bide/bide.h>

#include <stdio.h>

enum { USERS = 20 };

MODEL(user, "users", (i64, id, key, generated), (str, name));

/* The user, and 50 ms of another service. */
static async(user_ptr) find_user(bide_db *db, int64_t id)
{
    user *found = await(bide_maybe(db, user, "id = $1", id));
    await(bide_sleep(bide_ms(50)));
    return ready(user_ptr, found);
}

/* What somebody has tried:

       with_tx(tx, db) {
           with_group(g) {
               for (int64_t id = 1; id <= USERS; id++)
                   spawn_void(g, find_user_in, tx, id);
           }
       }
*/
static async(void) find_all(bide_db *db)
{
    int64_t start_ns = bide_clock_ns();
    int found = 0;
    for (int64_t id = 1; id <= USERS; id++)
        found += await(find_user(db, id)) != NULL;
    printf("one after the other: %d users, %.2f s\n", found,
           (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        user rows[USERS] = {{.id = 0}};
        for (int i = 0; i < USERS; i++)
            rows[i].name = bide_arena_printf(bide_task_arena(), "user %d", i + 1);
        await(bide_insert_many(db, user, rows, USERS));
        await(bide_delete(db, user, 13));
        await(find_all(db));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
