/*
 * Exercise 2, the solution: a task per user, an autocommit statement per task. See task.md.
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

struct search {
    bide_db *db;
    user *found[USERS];
};

SPAWNABLE(void, find_into, int64_t, size_t, struct search *)
async(void) find_into(int64_t id, size_t index, struct search *s)
{
    s->found[index] = await(find_user(s->db, id));
    return bide_void;
}

static async(void) find_all(bide_db *db, size_t at_a_time)
{
    struct search s = {.db = db};
    int64_t ids[USERS], start_ns = bide_clock_ns();
    int found = 0;
    for (int i = 0; i < USERS; i++)
        ids[i] = i + 1;
    await(bide_each(ids, USERS, at_a_time, find_into, &s));
    for (int i = 0; i < USERS; i++)
        found += s.found[i] != NULL;
    printf("%zu at a time (0: all): %d users, %.2f s, the last is %s\n", at_a_time, found,
           (double)(bide_clock_ns() - start_ns) / 1e9, s.found[USERS - 1]->name);
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
        await(find_all(db, 1));
        await(find_all(db, 5));
        await(find_all(db, 0));
        user_list all = await(bide_all(db, user, "id <= $1 order by id", USERS));
        printf("one statement: %zu users\n", all.count);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
