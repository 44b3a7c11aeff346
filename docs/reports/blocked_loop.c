/* A task that computes for long without an await: every other task of its loop stands still.
   Fix: Give the work to a thread by offload, or yield in between. */
#include <bide/bide.h>

__attribute__((noinline)) static uint64_t checksum(int64_t milliseconds)
{
    volatile uint64_t sum = 0;
    int64_t end_ns = bide_clock_ns() + milliseconds * 1000000;
    while (bide_clock_ns() < end_ns)
        for (int i = 0; i < 1000000; i++)
            sum = sum * 31 + 7;
    return sum;
}

static async(int) app(void)
{
    await(bide_yield());
    return ready(int, checksum(400) == 1);
}

int main(void)
{
    return bide_run(app);
}
