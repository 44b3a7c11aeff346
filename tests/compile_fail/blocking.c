/*
 * Calls that block the loop, in a file that asks for their being refused: include/bide/no_blocking.h.
 */
#include <bide/bide.h>
#include <bide/no_blocking.h>

async(int) run(int id);

#ifdef CASE_blocking_call
// gcc: 'usleep' is unavailable: blocks the loop: await(bide_sleep(bide_us(n)))
// clang: 'usleep' is unavailable: blocks the loop: await(bide_sleep(bide_us(n)))
async(int) run(int id)
{
#ifndef FIXED
    usleep(1000); // <- here
#else
    await(bide_sleep(bide_us(1000)));
#endif
    return ready(int, id);
}
#endif // CASE_blocking_call

#ifdef CASE_blocking_function_is_passed_on
// gcc: 'fopen' is unavailable: blocks the loop: with(bide_opened_file, ...)
// clang: 'fopen' is unavailable: blocks the loop: with(bide_opened_file, ...)
async(int) run(int id)
{
#ifndef FIXED
    FILE *(*opens)(const char *, const char *) = fopen; // <- here
    return ready(int, opens ? id : 0);
#else
    return ready(int, id);
#endif
}
#endif // CASE_blocking_function_is_passed_on
