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

#ifdef CASE_insert_new_unread
// gcc: nothing
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(bide_db *db, bide_tx *tx)
{
    user u = {.email = "a"};
    (void)tx;
#ifndef FIXED
    await(bide_insert_new(db, user, &u, email)); // <- here
#else
    if (!await(bide_insert_new(db, user, &u, email)))
        fail(bide_error_new(409, "taken"));
#endif
    return ready(int, 0);
}
#endif // CASE_insert_new_unread

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

PARTIAL(user_changes, user, email, age);
MODEL(guest, "guests", (i64, id, key, generated), (i32, age));
PARTIAL(guest_changes, guest, age);

#ifdef CASE_patch_of_another_model
// gcc: bide_patch: `guest_changes` is no PARTIAL of `user`
// clang: bide_patch: `guest_changes` is no PARTIAL of `user`
async(int) run(bide_db *db, bide_tx *tx)
{
    guest_changes other = {.age = 0};
    user_changes changes = {.age = 0};
    (void)tx;
#ifndef FIXED
    user *u = await(bide_patch(db, user, 1, guest_changes, &other)); // <- here
#else
    user *u = await(bide_patch(db, user, 1, user_changes, &changes));
#endif
    (void)other, (void)changes;
    return ready(int, u->age);
}
#endif // CASE_patch_of_another_model

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

SPAWNABLE(int64_t, book, bide_tx *, int64_t)
SPAWNABLE(int64_t, look_up, bide_db *, int64_t)

#ifdef CASE_spawn_with_a_transaction
// gcc: a transaction belongs to one task: `book` takes a bide_tx * and cannot be spawned
// clang: a transaction belongs to one task: `book` takes a bide_tx * and cannot be spawned
async(int) run(bide_db *db, bide_tx *tx)
{
    int64_t booked = 0;
    (void)db;
    (void)tx;
#ifndef FIXED
    with_group(g) {
        spawn_void(g, book, tx, 7); // <- here
    }
#else
    booked = await(book(tx, 7));
#endif
    return ready(int, (int)booked);
}
#endif // CASE_spawn_with_a_transaction

#ifdef CASE_gather_with_a_transaction
// gcc: a transaction belongs to one task: `book` takes a bide_tx * and cannot be spawned
// clang: a transaction belongs to one task: `book` takes a bide_tx * and cannot be spawned
async(int) run(bide_db *db, bide_tx *tx)
{
    int64_t first = 0, second = 0;
    (void)db;
    (void)tx;
#ifndef FIXED
    await(gather(bide_into(&first, book, tx, 7))); // <- here
#else
    await(gather(bide_into(&first, look_up, db, 7), bide_into(&second, look_up, db, 8)));
#endif
    return ready(int, (int)(first + second));
}
#endif // CASE_gather_with_a_transaction

SPAWNABLE(void, book_one, int64_t, size_t, bide_tx *)
SPAWNABLE(void, look_at_one, int64_t, size_t, bide_db *)

#ifdef CASE_each_with_a_transaction
// gcc: a transaction belongs to one task: `book_one` takes a bide_tx * and cannot be spawned
// clang: a transaction belongs to one task: `book_one` takes a bide_tx * and cannot be spawned
async(int) run(bide_db *db, bide_tx *tx)
{
    const int64_t ids[] = {1, 2};
    (void)db, (void)tx;
#ifndef FIXED
    await(bide_each(ids, 2, 1, book_one, tx)); // <- here
#else
    await(bide_each(ids, 2, 1, look_at_one, db));
#endif
    return ready(int, 0);
}
#endif // CASE_each_with_a_transaction

#ifdef CASE_retry_of_what_takes_no_transaction
// gcc: retry_tx: the first parameter of `look_up` is no bide_tx *
// clang: retry_tx: the first parameter of `look_up` is no bide_tx *
async(int) run(bide_db *db, bide_tx *tx)
{
    bide_error *err;
    (void)tx;
#ifndef FIXED
    int64_t n = retry_tx(&err, db, look_up, 7); // <- here
#else
    int64_t n = retry_tx(&err, db, book, 7);
#endif
    return ready(int, err ? -1 : (int)n);
}
#endif // CASE_retry_of_what_takes_no_transaction

#ifdef CASE_awaited_add
// gcc: is a pointer
// clang: is a pointer
async(int) run(bide_db *db, bide_tx *tx)
{
    user u = {.email = "a"};
    (void)db;
#ifndef FIXED
    await(bide_add(tx, user, &u)); // <- here
#else
    bide_add(tx, user, &u);
#endif
    await(bide_flush(tx));
    return ready(int, 0);
}
#endif // CASE_awaited_add

#ifdef CASE_flush_without_await
// gcc: ignoring return value of 'bide_flush' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(bide_db *db, bide_tx *tx)
{
    (void)db;
#ifndef FIXED
    bide_flush(tx); // <- here
#else
    await(bide_flush(tx));
#endif
    return ready(int, 0);
}
#endif // CASE_flush_without_await

#ifdef CASE_refresh_without_await
// gcc: ignoring return value of 'user__done' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(bide_db *db, bide_tx *tx)
{
    user u = {.id = 1};
    (void)tx;
#ifndef FIXED
    bide_refresh(db, user, &u); // <- here
#else
    await(bide_refresh(db, user, &u));
#endif
    return ready(int, u.age);
}
#endif // CASE_refresh_without_await
