/*
 * Offload: what computes for long or blocks runs on a thread beside the loop.
 *
 * A task that computes for a second would stop every other task of its loop meanwhile. OFFLOADABLE
 * makes a plain function callable by `offload`; the task waits, the loop turns on.
 */
#include <bide/bide.h>

#include <stdio.h>

static uint64_t count_primes(uint64_t below);
OFFLOADABLE(uint64_t, count_primes, uint64_t)

static uint64_t count_primes(uint64_t below)
{
    uint64_t count = 0;
    for (uint64_t n = 2; n < below; n++) {
        uint64_t divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        if (divisor * divisor > n)
            count++;
    }
    return count;
}

SPAWNABLE(int, tick, const bool *)
async(int) tick(const bool *done)
{
    int ticks = 0;
    while (!*done) {
        await(bide_sleep(bide_ms(1)));
        ticks++;
    }
    return ready(int, ticks);
}

static async(void) app(void)
{
    bool done = false;
    with_group(g) {
        task(int) ticking = spawn(g, tick, &done);
        uint64_t primes = await(offload(BIDE_CPU, count_primes, 400000));
        done = true;
        printf("%llu primes below 400000\n", (unsigned long long)primes);
        printf("the loop went on meanwhile: %s\n", await_task(ticking) > 3 ? "yes" : "no");
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
