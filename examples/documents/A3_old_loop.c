/*
 * A3: the old style, a loop that is fetched by hand.
 *
 * The document: gets the event loop, hands it the coroutine `main` by run_until_complete; main
 * sleeps a second and prints `Hello`.
 *
 * What goes wrong: there are several loops to get (the running one, the current one, a new one),
 * the wrong one is an error at run time, and a loop that was got must be closed by hand.
 *
 * In bide: there is no loop to get. bide_run makes it, runs the function and ends it; inside, the
 * loop is the one of the running task. One way only.
 */
#include <bide/bide.h>

#include <stdio.h>

static async(void) hello(void)
{
    int64_t start_ns = bide_clock_ns();
    await(bide_sleep(bide_s(1)));
    printf("Hello\n");
    printf("after %.0f s\n", (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(hello, .virtual_clock = true);
}
