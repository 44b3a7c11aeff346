/*
 * A `break` that would leave only the with-block, and not the loop around it. Only code generation
 * sees it, so no editor shows it.
 */
#include <bide/bide.h>

async(int) run(int id);
async(void) flush(void);
async(int) counter_open(int id);
async(void) counter_close(int counter, bide_error *error);
RESOURCE(counter, int, counter_open, counter_close)

#ifdef CASE_with_group
// gcc: `break` inside a with-block
// clang: `break` inside a with-block
// editor: nothing
async(int) run(int id)
{
    for (; id < 9; id++) {
        with_group(g) { // <- here
            if (id == 3)
#ifndef FIXED
                break;
#else
                goto out;
#endif
        }
    }
#ifdef FIXED
out:
#endif
    return ready(int, id);
}
#endif // CASE_with_group

#ifdef CASE_with_deadline
// gcc: `break` inside a with-block
// clang: `break` inside a with-block
// editor: nothing
async(int) run(int id)
{
    for (; id < 9; id++) {
        with_deadline(bide_s(1)) { // <- here
            if (id == 3)
#ifndef FIXED
                break;
#else
                goto out;
#endif
        }
    }
#ifdef FIXED
out:
#endif
    return ready(int, id);
}
#endif // CASE_with_deadline

#ifdef CASE_shielded
// gcc: `break` inside a with-block
// clang: `break` inside a with-block
// editor: nothing
async(int) run(int id)
{
    while (id < 9) {
        shielded(bide_s(1)) { // <- here
            await(flush());
#ifndef FIXED
            break;
#else
            return ready(int, 1);
#endif
        }
    }
    return ready(int, id);
}
#endif // CASE_shielded

#ifdef CASE_with_no_await
// gcc: `break` inside a with-block
// clang: `break` inside a with-block
// editor: nothing
async(int) run(int id)
{
    while (id < 9) {
        with_no_await { // <- here
            id++;
#ifndef FIXED
            if (id == 3)
                break;
#endif
        }
    }
    return ready(int, id);
}
#endif // CASE_with_no_await

#ifdef CASE_with_resource
// gcc: `break` inside a with-block
// clang: `break` inside a with-block
// editor: nothing
async(int) run(int id)
{
    while (id < 9) {
        with(counter, c, id) { // <- here
            id = c;
#ifndef FIXED
            break;
#endif
        }
    }
    return ready(int, id);
}
#endif // CASE_with_resource

#ifdef CASE_in_a_switch
// gcc: `break` inside a with-block
// clang: `break` inside a with-block
// editor: nothing
async(int) run(int id)
{
    switch (id) {
    case 1:
        with_group(g) { // <- here
            id = 2;
#ifndef FIXED
            break;
#endif
        }
#ifdef FIXED
        break;
#endif
    default:
        id = 0;
    }
    return ready(int, id);
}
#endif // CASE_in_a_switch
