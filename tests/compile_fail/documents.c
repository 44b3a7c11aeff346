/* The mistakes of the documents' rows (examples/documents) that must not compile. A case is named
 * after its row. */
#include <bide/bide.h>

#include <stdio.h>

typedef struct user {
    int id;
    char name[16];
} user;
AWAITABLE(user);

async(void) say_hi(void);
async(bool) may_enter(const char *name);
async(user) fetch_user(int id);
SPAWNABLE(int, work, int)
async(int) run(void);

MODEL(account, "accounts", (i64, id, key, generated), (str, email), (hash, password));
typedef struct session session;
async(bool) check_email_code(const char *email, const char *code);
async(void) session_remove(session *registered);

#ifdef CASE_A1_check_without_await
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct forgotten_await_bool' invalid)
async(int) run(void)
{
#ifndef FIXED
    if (check_email_code("ann@shire.example", "000000")) // <- here
#else
    if (await(check_email_code("ann@shire.example", "000000")))
#endif
        return ready(int, 201);
    return ready(int, 400);
}
#endif // CASE_A1_check_without_await

#ifdef CASE_A1_rollback_without_await
// gcc: ignoring return value of 'bide_tx_rollback' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) roll_back(bide_tx *tx);
async(int) roll_back(bide_tx *tx)
{
#ifndef FIXED
    bide_tx_rollback(tx); // <- here
#else
    await(bide_tx_rollback(tx));
#endif
    return ready(int, 0);
}
#endif // CASE_A1_rollback_without_await

#ifdef CASE_A1_remove_without_await
// gcc: ignoring return value of 'session_remove' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) leave(session *registered);
async(int) leave(session *registered)
{
#ifndef FIXED
    session_remove(registered); // <- here
#else
    await(session_remove(registered));
#endif
    return ready(int, 0);
}
#endif // CASE_A1_remove_without_await

#ifdef CASE_B2_misspelt_field
// gcc: has no member named 'paasword'
// clang: no member named 'paasword' in
async(void) update(bide_tx *tx, account *row);
async(void) update(bide_tx *tx, account *row)
{
#ifndef FIXED
    await(bide_update(tx, account, row, email, paasword)); // <- here
#else
    await(bide_update(tx, account, row, email, password));
#endif
    return bide_void;
}
#endif // CASE_B2_misspelt_field

#ifdef CASE_B2_plain_password_as_hash
// gcc: from type 'bide_plain_pw'
// clang: from incompatible type 'bide_plain_pw'
void set_password(account *row, bide_plain_pw typed, bide_hash hashed);
void set_password(account *row, bide_plain_pw typed, bide_hash hashed)
{
    (void)typed, (void)hashed;
#ifndef FIXED
    row->password = typed; // <- here
#else
    row->password = hashed;
#endif
}
#endif // CASE_B2_plain_password_as_hash

#ifdef CASE_B5_awaiting_add
// gcc: is a pointer
// clang: is a pointer
async(int) add(bide_tx *tx, account *row);
async(int) add(bide_tx *tx, account *row)
{
#ifndef FIXED
    await(bide_add(tx, account, row)); // <- here
#else
    bide_add(tx, account, row);
#endif
    return ready(int, 0);
}
#endif // CASE_B5_awaiting_add

#ifdef CASE_B5_bare_flush
// gcc: ignoring return value of 'bide_flush' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) flush(bide_tx *tx);
async(int) flush(bide_tx *tx)
{
#ifndef FIXED
    bide_flush(tx); // <- here
#else
    await(bide_flush(tx));
#endif
    return ready(int, 0);
}
#endif // CASE_B5_bare_flush

#ifdef CASE_B5_bare_refresh
// gcc: ignoring return value of
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) refresh(bide_tx *tx, account *row);
async(int) refresh(bide_tx *tx, account *row)
{
#ifndef FIXED
    bide_refresh(tx, account, row); // <- here
#else
    await(bide_refresh(tx, account, row));
#endif
    return ready(int, 0);
}
#endif // CASE_B5_bare_refresh

#ifdef CASE_C1_C4_bare_call
// gcc: ignoring return value of 'say_hi' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(void)
{
#ifndef FIXED
    say_hi(); // <- here
#else
    await(say_hi());
#endif
    return ready(int, 0);
}
#endif // CASE_C1_C4_bare_call

#ifdef CASE_C5_C7_bare_call
// gcc: ignoring return value of 'may_enter' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(void)
{
#ifndef FIXED
    may_enter("bob"); // <- here
#else
    bool entered = await(may_enter("bob"));
    (void)entered;
#endif
    return ready(int, 0);
}
#endif // CASE_C5_C7_bare_call

#ifdef CASE_C5_C7_held
// gcc: incompatible types when initializing type '_Bool' using type 'struct forgotten_await_bool'
// clang: initializing 'bool' with an expression of incompatible type 'struct forgotten_await_bool'
async(int) run(void)
{
#ifndef FIXED
    bool entered = may_enter("bob"); // <- here
#else
    bool entered = await(may_enter("bob"));
#endif
    return ready(int, entered);
}
#endif // CASE_C5_C7_held

#ifdef CASE_C5_C7_condition
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct forgotten_await_bool' invalid)
async(int) run(void)
{
#ifndef FIXED
    if (may_enter("bob")) // <- here
#else
    if (await(may_enter("bob")))
#endif
        return ready(int, 1);
    return ready(int, 0);
}
#endif // CASE_C5_C7_condition

#ifdef CASE_C8_C11_dropped_task
// gcc: ignoring return value of 'work__spawn' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(void)
{
    with_group(g) {
#ifndef FIXED
        spawn(g, work, 1); // <- here
#else
        spawn_void(g, work, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_C8_C11_dropped_task

#ifdef CASE_C12_leaving_a_group_early
// gcc: `break` inside a with-block leaves only the block: use goto or return
// clang: `break` inside a with-block leaves only the block: use goto or return
// editor: nothing
async(int) run(void)
{
    with_group(g) { // <- here
        spawn_void(g, work, 1);
#ifndef FIXED
        break;
#else
        return ready(int, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_C12_leaving_a_group_early

#ifdef CASE_D2_printing_the_call
// gcc: format '%d' expects argument of type 'int', but argument 2 has type 'struct
// clang: format specifies type 'int' but the argument has type 'struct forgotten_await_int'
async(int) run(void)
{
#ifndef FIXED
    printf("%d\n", work(1)); // <- here
#else
    printf("%d\n", await(work(1)));
#endif
    return ready(int, 0);
}
#endif // CASE_D2_printing_the_call

#ifdef CASE_D5_unknown_column
// gcc: has no member named 'emial'
// clang: no member named 'emial' in
async(void) update(bide_tx *tx, account *row);
async(void) update(bide_tx *tx, account *row)
{
#ifndef FIXED
    await(bide_update(tx, account, row, emial)); // <- here
#else
    await(bide_update(tx, account, row, email));
#endif
    return bide_void;
}
#endif // CASE_D5_unknown_column

#ifdef CASE_D15_bare_call
// gcc: ignoring return value of 'fetch_user' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(void)
{
#ifndef FIXED
    fetch_user(1); // <- here
    return ready(int, 0);
#else
    user one = await(fetch_user(1));
    return ready(int, one.id);
#endif
}
#endif // CASE_D15_bare_call
