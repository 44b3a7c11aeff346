/*
 * echo_test.c: statements in the log: what is said of them, and what never is.
 */
#include "db_case.h"

MODEL(account, "accounts", (i64, id, key, generated), (str, email, unique), (hash, password),
      (str, token, optional, secret));

static async(void) use(bide_db *db)
{
    bide_error *err = NULL;
    await(bide_create_table(db, account));
    account a = {.email = "frodo@shire.example", .password = {"hash-of-frodo"}, .token = "token-1"};
    await(bide_insert(db, account, &a));
    await(bide_maybe(db, account, "email = $1 and password = $2 and id < $3", "frodo@shire.example",
                     a.password, 7));
    await(bide_update(db, account, &a, token));
    char large[200];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    await(bide_maybe(db, account, "email = $1", large));
    attempt(&err, bide_insert, db, account, &a);
    return bide_void;
}

TEST(statements_are_logged_and_secrets_are_not)
{
    DB_CASE(c, "?echo=1");
    test_capture_stderr();
    with(bide_database, db, c.url) {
        await(use(db));
    }
    const char *said = test_captured();
    check_contains(said, "sql: insert into \"accounts\"");
    check_contains(said, "sql: commit [] ");
    check_contains(said, "['frodo@shire.example', ***, ***] 1 row, ");
    check_contains(said, "['frodo@shire.example', ***, 7] 1 row, ");
    check_contains(said, "] failed, ");
    check_contains(said, "xxx...'] 0 rows, ");
    check(!strstr(said, "hash-of-frodo"));
    check(!strstr(said, "token-1"));
}

TEST(the_environment_asks_for_it_too)
{
    DB_CASE(c, "");
    test_capture_stderr();
    with(bide_database, db, c.url) {
        await(use(db));
    }
    check_str(test_captured(), "");
    setenv("BIDE_DB_ECHO", "1", 1);
    test_capture_stderr();
    with(bide_database, db, c.url) {
        await(bide_do(db, "delete from accounts where email = $1", "sam"));
    }
    unsetenv("BIDE_DB_ECHO");
    check_contains(test_captured(), "where email = $1 ['sam'] 0 rows");
}
