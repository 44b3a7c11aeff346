/* A call of an async function as a statement: what it waited for, and its failure, would be lost.
 */
#include <bide/bide.h>

async(bool) is_admin(int id);
async(void) flush(void);
async(int) run(int id);

#ifdef CASE_statement
// gcc: ignoring return value of 'is_admin' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(int id)
{
#ifndef FIXED
    is_admin(id); // <- here
#else
    await(is_admin(id));
#endif
    return ready(int, id);
}
#endif // CASE_statement

#ifdef CASE_void_statement
// gcc: ignoring return value of 'flush' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(int id)
{
#ifndef FIXED
    flush(); // <- here
#else
    await(flush());
#endif
    return ready(int, id);
}
#endif // CASE_void_statement

#ifdef CASE_function_pointer
// gcc: ignoring return value of function declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(int id)
{
    async_fn(bool) (*question)(int) = is_admin;
#ifndef FIXED
    question(id); // <- here
#else
    await(question(id));
#endif
    return ready(int, id);
}
#endif // CASE_function_pointer

#ifdef CASE_member_pointer
// gcc: ignoring return value of function declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
struct driver {
    async_fn(void) (*flush)(void);
};
async(int) talk(const struct driver *driver);
async(int) talk(const struct driver *driver)
{
#ifndef FIXED
    driver->flush(); // <- here
#else
    await(driver->flush());
#endif
    return ready(int, 0);
}
#endif // CASE_member_pointer

/* A limit of clang: a cast to void silences it. */
#ifdef CASE_cast_to_void
// gcc: ignoring return value of 'is_admin' declared with attribute 'warn_unused_result'
// clang: nothing
async(int) run(int id)
{
#ifndef FIXED
    (void)is_admin(id); // <- here
#else
    (void)await(is_admin(id));
#endif
    return ready(int, id);
}
#endif // CASE_cast_to_void
