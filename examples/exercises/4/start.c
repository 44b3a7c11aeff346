/*
 * Exercise 4, the start: money that is lost on the way. See task.md.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(account, "accounts", (i64, id, key, generated), (str, owner, unique), (i64, cents));

/* Says no to mallory, and nothing at all to sam. */
static async(void) ask_bank(const char *to)
{
    await(bide_sleep(to[0] == 's' ? bide_s(60) : bide_ms(20)));
    if (to[0] == 'm')
        fail(bide_error_new(1000, "the bank says no to %s", to));
    return bide_void;
}

SPAWNABLE(void, transfer, bide_db *, const char *, int64_t)
async(void) transfer(bide_db *db, const char *to, int64_t cents)
{
    int64_t changed =
        await(bide_exec(db, "update accounts set cents = cents - $1 where owner = 'ann'", cents));
    await(ask_bank(to));
    changed +=
        await(bide_exec(db, "update accounts set cents = cents + $1 where owner = $2", cents, to));
    if (changed != 2)
        fail(bide_error_new(1001, "no account of %s", to));
    return bide_void;
}

static async(void) app(void)
{
    static const char *const people[] = {"bob", "mallory", "sam", "nobody"};
    with(bide_database, db, "sqlite://:memory:") {
        account accounts[] = {{.owner = "ann", .cents = 10000},
                              {.owner = "bob"},
                              {.owner = "mallory"},
                              {.owner = "sam"}};
        bide_error *error;
        bool late;
        await(bide_create_table(db, account));
        await(bide_insert_many(db, account, accounts, 4));
        attempt(&error, transfer, db, people[0], 1000);
        attempt(&error, transfer, db, people[1], 1000);
        move_on_after(&late, bide_s(1), transfer, db, people[2], 1000);
        attempt(&error, transfer, db, people[3], 1000);
        printf("%lld cents in all\n",
               (long long)await(bide_scalar(db, i64, "select sum(cents) from accounts")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
