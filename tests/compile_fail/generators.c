/* Misuse of generators and of channels between loops. */
#include <bide/bide.h>

GENERATES(int, count_to, int)

#ifdef CASE_next_as_truth_value
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct forgotten_await_bool' invalid)
async(int) run(void)
{
    int sum = 0, value;
    with_generator(g, count_to, 3)
    {
#ifndef FIXED
        while (bide_next(g, &value)) // <- here
#else
        while (await(bide_next(g, &value)))
#endif
            sum += value;
    }
    return ready(int, sum);
}
#endif // CASE_next_as_truth_value

#ifdef CASE_next_into_another_type
// gcc: bide_next: the value goes into a pointer to the type that the generator gives
// clang: bide_next: the value goes into a pointer to the type that the generator gives
async(int) run(void)
{
#ifndef FIXED
    long value = 0;
#else
    int value = 0;
#endif
    with_generator(g, count_to, 3)
    {
        if (!await(bide_next(g, &value))) // <- here
            value = -1;
    }
    return ready(int, (int)value);
}
#endif // CASE_next_into_another_type

#ifdef CASE_dropped_give
// gcc: nothing
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(void) count_to(bide_gen(int) * gen, int end)
{
    for (int i = 0; i < end; i++)
#ifndef FIXED
        bide_give(gen, i); // <- here
#else
        await(bide_give(gen, i));
#endif
    return bide_void;
}
#endif // CASE_dropped_give

#ifdef CASE_another_type_between_loops
// gcc: bide_cross_send: the value is not of the type that the channel carries
// clang: bide_cross_send: the value is not of the type that the channel carries
async(void) run(bide_cross_channel(int) * c)
{
#ifndef FIXED
    await(bide_cross_send(c, "one")); // <- here
#else
    await(bide_cross_send(c, 1));
#endif
    return bide_void;
}
#endif // CASE_another_type_between_loops
