/*
 * Exercise 4, the solution: a scope around with_tx, which is told how it ended. See task.md.
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

typedef struct journal {
    const char *what;
    int64_t since_ns;
} journal;
AWAITABLE(journal);

static async(journal) journal_open(const char *what)
{
    return ready(journal, (journal){.what = what, .since_ns = bide_clock_ns()});
}

static async(void) journal_close(journal j, bide_error *error)
{
    printf("%s: %s%s, after %.2f s\n", j.what, error ? "rolled back: " : "committed",
           error ? error->message : "", (double)(bide_clock_ns() - j.since_ns) / 1e9);
    return bide_void;
}

RESOURCE(journal, journal, journal_open, journal_close)

/* The journal is the outer one: it sees the error of a commit, too. */
#define with_transaction(tx, db, what)                                                             \
    with(journal, tx##_journal, what)                                                              \
        with_tx(tx, db)

SPAWNABLE(void, transfer, bide_db *, const char *, int64_t)
async(void) transfer(bide_db *db, const char *to, int64_t cents)
{
    with_transaction(tx, db, to) {
        int64_t changed = await(
            bide_exec(tx, "update accounts set cents = cents - $1 where owner = 'ann'", cents));
        await(ask_bank(to));
        changed += await(
            bide_exec(tx, "update accounts set cents = cents + $1 where owner = $2", cents, to));
        if (changed != 2)
            fail(bide_error_new(1001, "no account of %s", to));
    }
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
