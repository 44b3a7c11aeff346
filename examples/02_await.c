/*
 * Await: values come back through `await`, and order inside one task is the order of the lines.
 *
 * `ready(T, value)` wraps a result, `await(call)` unwraps it. What lies between is an ordinary C
 * call on an ordinary stack: loops, structures and early returns need no care. Leave out the await
 * in front of `is_even` and this file does not compile.
 *
 * `.virtual_clock` lets time jump whenever every task waits: two seconds pass in no time.
 */
#include <bide/bide.h>

#include <stdio.h>

static async(int) slow_square(int n)
{
    await(bide_sleep(bide_ms(500)));
    int square = n * n;
    return ready(int, square);
}

static async(bool) is_even(int n)
{
    return ready(bool, await(slow_square(n)) % 2 == 0);
}

static async(int) app(void)
{
    int64_t start_ns = bide_clock_ns();
    for (int n = 1; n <= 4; n++) {
        if (await(is_even(n)))
            printf("%d is even\n", n);
        else
            printf("%d is odd\n", n);
    }
    printf("%.1f s\n", (double)(bide_clock_ns() - start_ns) / 1e9);
    return ready(int, 0); /* the exit status */
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
