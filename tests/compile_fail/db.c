/* Misuse of databases, of transactions and of what queries give. */
#include <bide/bide.h>

MODEL(user, "users", (i64, id, key, generated), (str, email, unique), (i32, age));

async(int) run(bide_db *db, bide_tx *tx);

#ifdef CASE_changed_rows_unread
// gcc: nothing
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(bide_db *db, bide_tx *tx)
{
    (void)db;
#ifndef FIXED
    await(bide_exec(tx, "update users set age = 0 where id = $1", 7)); // <- here
#else
    if (await(bide_exec(tx, "update users set age = 0 where id = $1", 7)) == 0)
        fail(bide_error_new(404, "no such user"));
#endif
    return ready(int, 0);
}
#endif // CASE_changed_rows_unread

#ifdef CASE_exec_without_await
// gcc: nothing
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(bide_db *db, bide_tx *tx)
{
    (void)tx;
#ifndef FIXED
    bide_exec(db, "delete from users"); // <- here
#else
    await(bide_do(db, "delete from users"));
#endif
    return ready(int, 0);
}
#endif // CASE_exec_without_await

#ifdef CASE_update_without_await
// gcc: ignoring return value of 'user__done' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(bide_db *db, bide_tx *tx)
{
    user u = {.id = 1, .age = 2};
    (void)tx;
#ifndef FIXED
    bide_update(db, user, &u, age); // <- here
#else
    await(bide_update(db, user, &u, age));
#endif
    return ready(int, 0);
}
#endif // CASE_update_without_await

#ifdef CASE_misspelt_field_of_an_update
// gcc: 'struct bide__index_user' has no member named 'agee'
// clang: no member named 'agee' in 'bide__index_user'
async(int) run(bide_db *db, bide_tx *tx)
{
    user u = {.id = 1, .age = 2};
    (void)tx;
#ifndef FIXED
    await(bide_update(db, user, &u, agee)); // <- here
#else
    await(bide_update(db, user, &u, age));
#endif
    return ready(int, 0);
}
#endif // CASE_misspelt_field_of_an_update

#ifdef CASE_query_that_is_no_literal
// gcc: before 'text'
// clang: expected ';' after expression
async(int) run(bide_db *db, bide_tx *tx)
{
    const char *text = "email = 'a'";
    (void)tx;
#ifndef FIXED
    user *u = await(bide_maybe(db, user, text)); // <- here
#else
    user *u = await(bide_maybe(db, user, "email = $1", text));
#endif
    return ready(int, u != NULL);
}
#endif // CASE_query_that_is_no_literal
