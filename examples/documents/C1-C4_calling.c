/*
 * C1-C4: calling a coroutine.
 *
 * The document: a coroutine that prints `hi there`. Called like a function nothing happens; `run`
 * and `await` make it run.
 *
 * What goes wrong: the call looks like any other call, returns an object, and does nothing. The
 * program goes on.
 *
 * In bide: there is no object that waits to be run. A bare call does not compile; `await` calls,
 * bide_run runs.
 */
#include <bide/bide.h>

#include <stdio.h>

static async(void) say_hi(void)
{
    printf("hi there\n");
    return bide_void;
}

static async(void) app(void)
{
    /* say_hi();            refused: tests/compile_fail/documents.c, case C1_C4_bare_call */
    await(say_hi());
    return bide_void;
}

int main(void)
{
    int status = bide_run(say_hi);
    return status ? status : bide_run(app);
}
