/* Misuse of fail, attempt and the handlers. */
#include <bide/bide.h>

SPAWNABLE(int, reserve, int)
async(int) run(int seat);
void put_back(void *seat);
int put_back_int(int seat);

#ifdef CASE_fail_with_a_text
// gcc: passing argument 2 of 'bide__fail' from incompatible pointer type
// clang: incompatible pointer types passing 'char
async(int) run(int seat)
{
    if (seat < 0)
#ifndef FIXED
        fail("no such seat"); // <- here
#else
        fail(bide_error_new(404, "no such seat"));
#endif
    return ready(int, seat);
}
#endif // CASE_fail_with_a_text

#ifdef CASE_error_text_with_a_wrong_format
// gcc: format '%s' expects argument of type 'char *', but argument 3 has type 'int'
// clang: format specifies type 'char *' but the argument has type 'int'
async(int) run(int seat)
{
#ifndef FIXED
    fail(bide_error_new(404, "no seat %s", seat)); // <- here
#else
    fail(bide_error_new(404, "no seat %d", seat));
#endif
}
#endif // CASE_error_text_with_a_wrong_format

#ifdef CASE_attempt_without_an_address
// gcc: incompatible pointer type
// clang: incompatible pointer types
async(int) run(int seat)
{
    bide_error *error = NULL;
#ifndef FIXED
    int number = attempt(error, reserve, seat); // <- here
#else
    int number = attempt(&error, reserve, seat);
#endif
    return ready(int, error ? 0 : number);
}
#endif // CASE_attempt_without_an_address

#ifdef CASE_attempt_argument_of_another_type
// gcc: makes integer from pointer without a cast
// clang: incompatible pointer to integer conversion passing
async(int) run(int seat)
{
    bide_error *error;
#ifndef FIXED
    int number = attempt(&error, reserve, "one"); // <- here
#else
    int number = attempt(&error, reserve, seat);
#endif
    return ready(int, error ? seat : number);
}
#endif // CASE_attempt_argument_of_another_type

#ifdef CASE_attempt_of_a_call
// gcc: implicit declaration of function
// clang: implicit declaration of function
async(int) run(int seat)
{
    bide_error *error;
#ifndef FIXED
    int number = attempt(&error, run, seat); // <- here
#else
    int number = attempt(&error, reserve, seat);
#endif
    return ready(int, error ? 0 : number);
}
#endif // CASE_attempt_of_a_call

#ifdef CASE_defer_of_a_wrong_function
// gcc: '_Generic' selector of type 'int (*)(int)' is not compatible
// clang: type 'int (*)(int)' not compatible with any generic association type
async(int) run(int seat)
{
#ifndef FIXED
    defer(put_back_int, &seat); // <- here
#else
    defer(put_back, &seat);
#endif
    return ready(int, seat);
}
#endif // CASE_defer_of_a_wrong_function

#ifdef CASE_jump_over_a_defer
// gcc: switch jumps over variable initialization
// clang: cannot jump from switch statement to this case label
async(int) run(int seat)
{
    switch (seat) {
#ifndef FIXED
    case 1:;
        defer(put_back, NULL);
        return ready(int, 1);
    case 2: // <- here
        return ready(int, 2);
#else
    case 1: {
        defer(put_back, NULL);
        return ready(int, 1);
    }
    case 2:
        return ready(int, 2);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_jump_over_a_defer
