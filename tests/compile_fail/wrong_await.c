/* An await, or a result, of something of the wrong kind. */
#include <bide/bide.h>

typedef struct user {
    int id;
} user;
typedef user *user_ptr;

async(int) count_users(void);
async(int) run(int id);
int plain(int id);

#ifdef CASE_await_of_a_number
// gcc: request for member 'await' in something not a structure or union
// clang: member reference base type 'int' is not a structure or union
async(int) run(int id)
{
#ifndef FIXED
    await(5); // <- here
#endif
    return ready(int, id);
}
#endif // CASE_await_of_a_number

#ifdef CASE_await_of_a_plain_call
// gcc: request for member 'await' in something not a structure or union
// clang: member reference base type 'int' is not a structure or union
async(int) run(int id)
{
#ifndef FIXED
    return ready(int, await(plain(id))); // <- here
#else
    return ready(int, plain(id));
#endif
}
#endif // CASE_await_of_a_plain_call

#ifdef CASE_await_of_an_awaited_value
// gcc: request for member 'await' in something not a structure or union
// clang: is not a structure or union
async(int) run(int id)
{
#ifndef FIXED
    return ready(int, id + await(await(count_users()))); // <- here
#else
    return ready(int, id + await(count_users()));
#endif
}
#endif // CASE_await_of_an_awaited_value

#ifdef CASE_bare_return_value
// gcc: incompatible types when returning type 'int' but 'struct forgotten_await_int' was expected
// clang: returning 'int' from a function with incompatible result type 'struct forgotten_await_int'
async(int) run(int id)
{
#ifndef FIXED
    return id; // <- here
#else
    return ready(int, id);
#endif
}
#endif // CASE_bare_return_value

#ifdef CASE_ready_of_another_type
// gcc: type 'struct forgotten_await_bool' but 'struct forgotten_await_int' was expected
// clang: returning 'struct forgotten_await_bool' from a function with incompatible result
async(int) run(int id)
{
#ifndef FIXED
    return ready(bool, id == 1); // <- here
#else
    return ready(int, id == 1);
#endif
}
#endif // CASE_ready_of_another_type

#ifdef CASE_ready_with_a_value_of_another_type
// gcc: initialization of 'int' from 'const char *' makes integer from pointer without a cast
// clang: incompatible pointer to integer conversion initializing
async(int) name_length(const char *name);
async(int) name_length(const char *name)
{
#ifndef FIXED
    return ready(int, name); // <- here
#else
    return ready(int, name[0] != 0);
#endif
}
#endif // CASE_ready_with_a_value_of_another_type

#ifdef CASE_missing_awaitable
// gcc: invalid use of undefined type 'struct forgotten_await_user_ptr'
// clang: calling 'find_user' with incomplete return type 'struct forgotten_await_user_ptr'
#ifdef FIXED
AWAITABLE(user_ptr);
#endif
async(user_ptr) find_user(int id);
async(int) run(int id)
{
#ifndef FIXED
    user *found = await(find_user(id)); // <- here
#else
    user *found = await(find_user(id));
#endif
    return ready(int, found->id);
}
#endif // CASE_missing_awaitable

#ifdef CASE_awaited_value_of_another_type
// gcc: makes pointer from integer without a cast
// clang: incompatible integer to pointer conversion initializing 'user *'
async(int) run(int id)
{
#ifndef FIXED
    user *found = await(count_users()); // <- here
    return ready(int, found ? id : 0);
#else
    int found = await(count_users());
    return ready(int, found ? id : 0);
#endif
}
#endif // CASE_awaited_value_of_another_type
