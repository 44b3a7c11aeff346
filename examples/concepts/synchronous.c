/* Synchronous: one after the other. Asynchronous: started, and collected later. */
#include <bide/bide.h>
#include <stdio.h>

SPAWNABLE(int, ask, const char *, int)
async(int) ask(const char *whom, int seconds)
{
    printf("  ask %s\n", whom);
    await(bide_sleep(bide_s(seconds)));
    printf("  %s answers\n", whom);
    return ready(int, seconds);
}

static async(void) app(void)
{
    int a = await(ask("ann", 2)), b = await(ask("bob", 1));
    printf("one after the other: %d s\n", a + b);
    int64_t start_ns = bide_clock_ns();
    await(gather(bide_into(&a, ask, "ann", 2), bide_into(&b, ask, "bob", 1)));
    printf("together: %.0f s\n", (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
