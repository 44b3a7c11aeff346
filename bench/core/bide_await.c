/* What an await costs that has nothing to wait for: bide_await plain|async COUNT runs one of two
 * loops that differ only in that. run.py runs both under callgrind with two counts and compares the
 * growth. */
#include <bide/bide.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int argument_count;
static char **arguments;

/* Weak, so that the compiler may not look into them: it would leave out what an await of an unknown
   function does. */
int add_plain(int value);
async(int) add_async(int value);

__attribute__((weak)) int add_plain(int value)
{
    return value + 1;
}

__attribute__((weak)) async(int) add_async(int value)
{
    return ready(int, value + 1);
}

static async(int) run(void)
{
    if (argument_count != 3) {
        fprintf(stderr, "usage: bide_await plain|async COUNT\n");
        return ready(int, 2);
    }
    long count = atol(arguments[2]);
    int sum = 0;
    if (!strcmp(arguments[1], "plain")) {
        for (long i = 0; i < count; i++)
            sum = add_plain(sum);
    } else {
        for (long i = 0; i < count; i++)
            sum = await(add_async(sum));
    }
    printf("sum %d\n", sum);
    return ready(int, sum == (int)count ? 0 : 1);
}

int main(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
    return bide_run(run);
}
