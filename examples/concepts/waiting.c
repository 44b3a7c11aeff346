/* The three kinds of waiting in one request, drawn. One column is a millisecond. */
#include <bide/bide.h>
#include <stdio.h>

static int64_t request_ns;

static async(void) phase(const char *name, char mark, int milliseconds)
{
    int before = (int)((bide_clock_ns() - request_ns) / 1000000);
    await(bide_sleep(bide_ms(milliseconds))); /* a pretend network: only the time is real */
    printf("%-12s |%*s", name, before, "");
    for (int i = 0; i < milliseconds; i++)
        putchar(mark);
    printf("\n");
    return bide_void;
}

static async(void) app(void)
{
    request_ns = bide_clock_ns();
    await(phase("connect", 'c', 8));
    await(phase("communicate", '>', 3));
    await(phase("data", 'd', 21));
    await(phase("communicate", '<', 5));
    printf("of %.0f ms the program itself needed none: the loop was free for others\n",
           (double)(bide_clock_ns() - request_ns) / 1e6);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
