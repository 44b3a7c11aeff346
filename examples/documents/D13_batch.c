/*
 * D13: a batch insert against a loop that commits each row.
 *
 * The document: version 1 adds and commits each user in the loop, version 2 calls add_all and
 * commits once.
 *
 * What goes wrong: both are right, and in a test with three rows both are fast. In service the loop
 * waits for the disk once per row, and nothing says so. When it fails in the middle, some rows are
 * there and some are not.
 *
 * In bide: bide_insert_many, or bide_add_all in a transaction, is one commit: all or none. The loop
 * works too, and is reported on stderr with its line when it has committed 50 times in one task.
 */
#include <bide/bide.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { USERS = 500 };

MODEL(user, "users", (i64, id, key, generated), (str, name));

static void count_one(void *commits)
{
    ++*(int *)commits;
}

static async(int) one_by_one(bide_db *db, user *users)
{
    int commits = 0;
    for (int i = 0; i < USERS; i++) {
        with_tx(tx, db) {
            bide_tx_on_commit(tx, count_one, &commits);
            await(bide_insert(tx, user, &users[i]));
        }
    }
    return ready(int, commits);
}

static async(int) batch(bide_db *db, user *users, user **ret_added)
{
    int commits = 0;
    with_tx(tx, db) {
        bide_tx_on_commit(tx, count_one, &commits);
        *ret_added = bide_add_all(tx, user, users, USERS);
    }
    return ready(int, commits);
}

/* Of the system: the program's own clock is a virtual one. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static async(void) compare(bide_db *db)
{
    user loop[USERS] = {{.name = NULL}}, all[USERS] = {{.name = NULL}}, *added = NULL;
    for (int i = 0; i < USERS; i++)
        loop[i].name = all[i].name = bide_arena_printf(bide_task_arena(), "user %d", i);
    double start = seconds();
    int commits = await(one_by_one(db, loop));
    double loop_s = seconds() - start;
    printf("one by one: %d rows, %d commits\n", USERS, commits);
    start = seconds();
    commits = await(batch(db, all, &added));
    double batch_s = seconds() - start;
    printf("batch:      %d rows, %d commit, last id %lld\n", USERS, commits,
           (long long)added[USERS - 1].id);
    printf("the loop takes more than 3 times as long: %s\n", loop_s > 3 * batch_s ? "yes" : "no");
    return bide_void;
}

static async(void) app(void)
{
    char folder[] = "/tmp/bide-batch-XXXXXX", file[64], url[80];
    if (!mkdtemp(folder))
        fail(bide_error_new(1000, "no folder for the database"));
    snprintf(file, sizeof file, "%s/users.db", folder);
    snprintf(url, sizeof url, "sqlite://%s", file);
    with(bide_database, db, url) {
        await(bide_create_table(db, user));
        await(compare(db));
    }
    unlink(file);
    rmdir(folder);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
