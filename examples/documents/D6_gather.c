/*
 * D6: ten users at the same time.
 *
 * The document: gather over ten fetch_user calls of a second each: a second instead of ten, the
 * results in the order of the calls.
 *
 * What goes wrong: when one fails, gather raises its error and the others run on unattended; how
 * many run at a time is not bounded.
 *
 * In bide: bide_each over the ids writes each result to its place. The first failure cancels the
 * rest; the limit is an argument (0: all at once).
 */
#include <bide/bide.h>

#include <stdio.h>

enum { USERS = 10 };

SPAWNABLE(int, fetch_user, int)
async(int) fetch_user(int id)
{
    await(bide_sleep(bide_s(1)));
    return ready(int, 100 + id);
}

SPAWNABLE(void, fetch_into, int, size_t, int *)
async(void) fetch_into(int id, size_t index, int *users)
{
    users[index] = await(fetch_user(id));
    return bide_void;
}

static void show(const char *how, const int users[USERS], int64_t since_ns)
{
    printf("%s:", how);
    for (int i = 0; i < USERS; i++)
        printf(" %d", users[i]);
    printf(" in %.0f s\n", (double)(bide_clock_ns() - since_ns) / 1e9);
}

static async(void) app(void)
{
    int ids[USERS], users[USERS];
    for (int i = 0; i < USERS; i++)
        ids[i] = i + 1;

    int64_t start_ns = bide_clock_ns();
    for (int i = 0; i < USERS; i++)
        users[i] = await(fetch_user(ids[i]));
    show("serial", users, start_ns);

    start_ns = bide_clock_ns();
    await(bide_each(ids, USERS, 0, fetch_into, users));
    show("gathered", users, start_ns);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
