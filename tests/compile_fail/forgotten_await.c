/* A call of an async function whose await was forgotten, in every place where a value can stand. */
#include <bide/bide.h>

#include <stdio.h>

typedef struct user {
    int id;
} user;
typedef user *user_ptr;
AWAITABLE(user_ptr);

async(bool) is_admin(int id);
async(int) count_users(void);
async(user_ptr) find_user(int id);
async(int) run(int id);
void take(int number);

#ifdef CASE_if_condition
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct forgotten_await_bool' invalid)
async(int) run(int id)
{
#ifndef FIXED
    if (is_admin(id)) // <- here
#else
    if (await(is_admin(id)))
#endif
        return ready(int, 1);
    return ready(int, 0);
}
#endif // CASE_if_condition

#ifdef CASE_while_condition
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct forgotten_await_bool' invalid)
async(int) run(int id)
{
#ifndef FIXED
    while (is_admin(id)) // <- here
#else
    while (await(is_admin(id)))
#endif
        id++;
    return ready(int, id);
}
#endif // CASE_while_condition

#ifdef CASE_for_condition
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct forgotten_await_bool' invalid)
async(int) run(int id)
{
#ifndef FIXED
    for (; is_admin(id); id++) // <- here
#else
    for (; await(is_admin(id)); id++)
#endif
        take(id);
    return ready(int, id);
}
#endif // CASE_for_condition

#ifdef CASE_not
// gcc: wrong type argument to unary exclamation mark
// clang: invalid argument type 'struct forgotten_await_bool' to unary expression
async(int) run(int id)
{
#ifndef FIXED
    if (!is_admin(id)) // <- here
#else
    if (!await(is_admin(id)))
#endif
        return ready(int, 1);
    return ready(int, 0);
}
#endif // CASE_not

#ifdef CASE_and
// gcc: used struct type value where scalar is required
// clang: invalid operands to binary expression ('struct forgotten_await_bool' and 'int')
async(int) run(int id)
{
#ifndef FIXED
    if (is_admin(id) && id > 3) // <- here
#else
    if (await(is_admin(id)) && id > 3)
#endif
        return ready(int, 1);
    return ready(int, 0);
}
#endif // CASE_and

#ifdef CASE_conditional_operator
// gcc: used struct type value where scalar is required
// clang: used type 'struct forgotten_await_bool' where arithmetic or pointer type is required
async(int) run(int id)
{
#ifndef FIXED
    int rank = is_admin(id) ? 1 : 2; // <- here
#else
    int rank = await(is_admin(id)) ? 1 : 2;
#endif
    return ready(int, rank);
}
#endif // CASE_conditional_operator

#ifdef CASE_initialisation
// gcc: incompatible types when initializing type '_Bool' using type 'struct forgotten_await_bool'
// clang: initializing 'bool' with an expression of incompatible type 'struct forgotten_await_bool'
async(int) run(int id)
{
#ifndef FIXED
    bool admin = is_admin(id); // <- here
#else
    bool admin = await(is_admin(id));
#endif
    return ready(int, admin);
}
#endif // CASE_initialisation

#ifdef CASE_assignment
// gcc: incompatible types when assigning to type 'int' from type 'struct forgotten_await_int'
// clang: assigning to 'int' from incompatible type 'struct forgotten_await_int'
async(int) run(int id)
{
#ifndef FIXED
    id = count_users(); // <- here
#else
    id = await(count_users());
#endif
    return ready(int, id);
}
#endif // CASE_assignment

#ifdef CASE_pointer_assignment
// gcc: type 'user *' using type 'struct forgotten_await_user_ptr'
// clang: with an expression of incompatible type 'struct forgotten_await_user_ptr'
async(int) run(int id)
{
#ifndef FIXED
    user *found = find_user(id); // <- here
#else
    user *found = await(find_user(id));
#endif
    return ready(int, found->id);
}
#endif // CASE_pointer_assignment

#ifdef CASE_argument
// gcc: incompatible type for argument 1 of 'take'
// clang: passing 'struct forgotten_await_int' to parameter of incompatible type 'int'
async(int) run(int id)
{
#ifndef FIXED
    take(count_users()); // <- here
#else
    take(await(count_users()));
#endif
    return ready(int, id);
}
#endif // CASE_argument

#ifdef CASE_arithmetic
// gcc: invalid operands to binary +
// clang: invalid operands to binary expression ('struct forgotten_await_int' and 'int')
async(int) run(int id)
{
#ifndef FIXED
    take(count_users() + 1); // <- here
#else
    take(await(count_users()) + 1);
#endif
    return ready(int, id);
}
#endif // CASE_arithmetic

#ifdef CASE_return_from_another_type
// gcc: type 'struct forgotten_await_bool' but 'struct forgotten_await_int' was expected
// clang: returning 'struct forgotten_await_bool' from a function with incompatible result
async(int) run(int id)
{
#ifndef FIXED
    return is_admin(id); // <- here
#else
    return ready(int, await(is_admin(id)));
#endif
}
#endif // CASE_return_from_another_type

#ifdef CASE_cast
// gcc: aggregate value used where an integer was expected
// clang: operand of type 'struct forgotten_await_int' where arithmetic or pointer type is required
async(int) run(int id)
{
#ifndef FIXED
    take((short)count_users()); // <- here
#else
    take((short)await(count_users()));
#endif
    return ready(int, id);
}
#endif // CASE_cast

#ifdef CASE_switch
// gcc: switch quantity not an integer
// clang: statement requires expression of integer type ('struct forgotten_await_int' invalid)
async(int) run(int id)
{
#ifndef FIXED
    switch (count_users()) { // <- here
#else
    switch (await(count_users())) {
#endif
    case 0:
        return ready(int, 1);
    default:
        return ready(int, id);
    }
}
#endif // CASE_switch

#ifdef CASE_comparison
// gcc: invalid operands to binary ==
// clang: invalid operands to binary expression ('struct forgotten_await_user_ptr' and 'void *')
async(int) run(int id)
{
#ifndef FIXED
    if (find_user(id) == NULL) // <- here
#else
    if (await(find_user(id)) == NULL)
#endif
        return ready(int, 0);
    return ready(int, 1);
}
#endif // CASE_comparison

#ifdef CASE_member
// gcc: invalid type argument of '->' (have 'struct forgotten_await_user_ptr')
// clang: member reference type 'struct forgotten_await_user_ptr' is not a pointer
async(int) run(int id)
{
#ifndef FIXED
    return ready(int, find_user(id)->id); // <- here
#else
    return ready(int, await(find_user(id))->id);
#endif
}
#endif // CASE_member

#ifdef CASE_index
// gcc: array subscript is not an integer
// clang: array subscript is not an integer
async(int) run(int id)
{
    static const int table[4] = {1, 2, 3, 4};
#ifndef FIXED
    return ready(int, table[count_users()] + id); // <- here
#else
    return ready(int, table[await(count_users())] + id);
#endif
}
#endif // CASE_index

#ifdef CASE_printf
// gcc: format '%d' expects argument of type 'int', but argument 2 has type 'struct
// clang: format specifies type 'int' but the argument has type 'struct forgotten_await_int'
async(int) run(int id)
{
#ifndef FIXED
    printf("%d users\n", count_users()); // <- here
#else
    printf("%d users\n", await(count_users()));
#endif
    return ready(int, id);
}
#endif // CASE_printf

#ifdef CASE_function_name_as_condition
// gcc warning: the address of 'is_admin' will always evaluate as 'true'
// clang warning: address of function 'is_admin' will always evaluate to 'true'
async(int) run(int id)
{
#ifndef FIXED
    if (is_admin) // <- here
#else
    if (await(is_admin(id)))
#endif
        return ready(int, id);
    return ready(int, 0);
}
#endif // CASE_function_name_as_condition
