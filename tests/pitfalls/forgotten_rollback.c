/* A block of a transaction that an error leaves. docs/pitfalls/forgotten_rollback.md. */
#include <bide/bide.h>

#include <inttypes.h>
#include <stdio.h>

MODEL(account, "accounts", (i64, id, key, generated), (i64, balance));

SPAWNABLE(void, transfer, bide_db *)
async(void) transfer(bide_db *db)
{
    with_tx(tx, db) {
        if (await(bide_exec(tx, "update accounts set balance = balance - 10 where id = 1")) == 1 &&
            await(bide_exec(tx, "update accounts set balance = balance + 10 where id = 2")) == 0)
            fail(bide_error_new(1000, "there is no account 2"));
    }
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        bide_error *error;
        await(bide_create_table(db, account));
        await(bide_insert(db, account, &(account){.balance = 100}));
        attempt(&error, transfer, db);
        printf("%s; the balance is %" PRId64 "\n", error->message,
               await(bide_scalar(db, i64, "select balance from accounts")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
