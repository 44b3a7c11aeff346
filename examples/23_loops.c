/*
 * Loops: one program on two cores.
 *
 * bide_run(.loops = 2) runs the main function on two threads, each with a loop of its own. spawn_on
 * has a call run on another one: the child is owned by the caller's group, and its result, its
 * error or its cancel travel as those of any child. What only serves others waits for the stop.
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(long, count_primes, long, long)
async(long) count_primes(long from, long to)
{
    long count = 0;
    for (long n = from; n < to; n++) {
        long divisor = 2;
        while (divisor * divisor <= n && n % divisor)
            divisor++;
        if (n > 1 && divisor * divisor > n)
            count++;
        if (n % 1000 == 0)
            await(bide_yield()); /* others have their turn */
    }
    return ready(long, count);
}

static async(void) app(void)
{
    if (bide_loop_index() > 0) {
        await(bide_until_stop());
        return bide_void;
    }
    with_group(g) {
        task(long) low = spawn(g, count_primes, 0, 10000);
        task(long) high = spawn_on(g, 1, count_primes, 10000, 20000);
        long here = await_task(low), there = await_task(high);
        printf("%ld primes below 10000, counted on loop 0\n", here);
        printf("%ld primes from there to 20000, counted on loop 1\n", there);
    }
    bide_stop("all is counted");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .loops = 2);
}
