/*
 * C5-C7: the coroutine that was never awaited.
 *
 * The document: `RuntimeWarning: coroutine ... was never awaited`, shown for a bare call, for a
 * held coroutine, and for one inside a condition.
 *
 * What goes wrong: the warning comes when the object is collected, perhaps much later and far from
 * the call, on stderr, and the program has already gone on: a check that was never made let
 * everybody in.
 *
 * In bide: each of the three is an error of the compiler, at the line of the call, on gcc and on
 * clang.
 */
#include <bide/bide.h>

#include <stdio.h>
#include <string.h>

static async(bool) may_enter(const char *name)
{
    await(bide_sleep(bide_ms(1)));
    return ready(bool, strcmp(name, "ann") == 0);
}

static async(void) app(void)
{
    /* may_enter("bob");                      refused: C5_C7_bare_call
       bool entered = may_enter("bob");       refused: C5_C7_held
       if (may_enter("bob")) ...              refused: C5_C7_condition */
    const char *names[] = {"ann", "bob"};
    for (size_t i = 0; i < 2; i++) {
        if (await(may_enter(names[i])))
            printf("%s may enter\n", names[i]);
        else
            printf("%s stays outside\n", names[i]);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
