/*
 * A2: check_email_code, in a transaction of its own.
 *
 * The document: opens session.begin(), selects by e-mail (later by e-mail and code), takes the
 * first row, compares expires_time with now, and returns from inside of the block.
 *
 * What goes wrong: by e-mail alone the first of many rows is an old one: the code that was just
 * sent is refused, the old one passes. begin() fails when anything was read before, since a read
 * has begun a transaction by itself. A code is never used up, and the clock is a naive local time.
 *
 * In bide: the address is unique, so a new code takes the place of the old one; `maybe` gives the
 * one row or NULL, and two rows would be an error, never the first of them. `return` inside of
 * with_tx commits. An instant is UTC, and reading before begins nothing. This is the document's
 * function, made right; what an application wants (hashed codes, a limit of tries) is in code.h.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(email_code, "email_codes", (i64, id, key, generated), (str, email, unique), (str, code),
      (time, expires_time));

static async(bool) check_email_code(bide_db *db, const char *email, const char *code)
{
    with_tx(tx, db) {
        email_code *row =
            await(bide_maybe(tx, email_code, "email = $1 and code = $2", email, code));
        if (!row || bide_now_us() >= row->expires_time)
            return ready(bool, false);
        await(bide_delete(tx, email_code, row->id));
        return ready(bool, true);
    }
    return ready(bool, false); /* not reached */
}

static async(void) send_code(bide_db *db, const char *email, const char *code, int64_t minutes)
{
    email_code row = {.email = email, .code = code};
    row.expires_time = bide_now_us() + minutes * 60 * 1000000;
    await(bide_upsert(db, email_code, &row, email));
    return bide_void;
}

static async(void) try_code(bide_db *db, const char *email, const char *code, const char *what)
{
    bool passed = await(check_email_code(db, email, code));
    printf("%s %s, %s: %s\n", email, code, what, passed ? "true" : "false");
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, email_code));
        await(send_code(db, "ann@shire.example", "111111", 5));
        await(send_code(db, "ann@shire.example", "222222", 5));
        await(send_code(db, "bob@shire.example", "333333", -1));
        printf("codes: %lld\n",
               (long long)await(bide_scalar(db, i64, "select count(*) from email_codes")));
        await(try_code(db, "ann@shire.example", "111111", "the old one"));
        await(try_code(db, "ann@shire.example", "222222", "the right one"));
        await(try_code(db, "ann@shire.example", "222222", "used again"));
        await(try_code(db, "bob@shire.example", "333333", "expired"));
        await(try_code(db, "sam@shire.example", "222222", "of somebody else"));
        printf("codes: %lld\n",
               (long long)await(bide_scalar(db, i64, "select count(*) from email_codes")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
