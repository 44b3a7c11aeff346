/*
 * A4: run(main()).
 *
 * The document: the same program as A3 in the newer spelling, `run(main())`.
 *
 * What goes wrong: nothing here; but `run()` inside a running loop is an error at run time, and the
 * argument is a coroutine that was made by a call that did not run it.
 *
 * In bide: bide_run takes the function, not a call of it, and gives the exit status.
 */
#include <bide/bide.h>

#include <stdio.h>

static async(int) hello(void)
{
    await(bide_sleep(bide_s(1)));
    printf("Hello\n");
    return ready(int, 0);
}

int main(void)
{
    int status = bide_run(hello, .virtual_clock = true);
    printf("status %d\n", status);
    return status;
}
