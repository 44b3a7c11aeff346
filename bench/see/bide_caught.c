/* Mistakes that are told while the program runs:
 *
 *     bide_caught deadlock COUNT   closes so many circles of three locks; prints how many of their
 *                                  reports stood on stderr when the request that closed the circle
 *                                  returned, and the nanoseconds of such a request
 *     bide_caught blocked MS       prints the monotonic clock in nanoseconds, then computes for MS
 */
#include <bide/bide.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DINERS = 3 };

static const char *what;
static long count, told;
static int64_t spent_ns;
static int stderr_end; /* what is written to stderr is read here */

static bool circle_is_told(void)
{
    char text[8192];
    ssize_t size = read(stderr_end, text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    return strstr(text, "DEADLOCK among 3 tasks") && strstr(text, "diner");
}

SPAWNABLE(void, take, bide_mutex *)
async(void) take(bide_mutex *fork)
{
    with_lock(fork) {
    }
    return bide_void;
}

SPAWNABLE(void, diner, bide_mutex *, bide_mutex *)
async(void) diner(bide_mutex *left, bide_mutex *right)
{
    with_lock(left) {
        await(bide_yield());
        bide_error *err;
        int64_t began_ns = bide_clock_ns();
        attempt(&err, take, right);
        int64_t ended_ns = bide_clock_ns();
        if (err) {
            told += circle_is_told();
            spent_ns += ended_ns - began_ns;
        }
    }
    return bide_void;
}

static async(void) close_circles(void)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
        abort();
    stderr_end = ends[0];
    for (long i = 0; i < count; i++) {
        bide_mutex forks[DINERS] = {0};
        with_group(g) {
            for (int d = 0; d < DINERS; d++)
                spawn_void(g, diner, &forks[d], &forks[(d + 1) % DINERS]);
        }
    }
    printf("told %ld\nns %lld\n", told, (long long)spent_ns / count);
    return bide_void;
}

__attribute__((noinline)) static uint64_t checksum(int64_t end_ns)
{
    volatile uint64_t sum = 0;
    while (bide_clock_ns() < end_ns)
        for (int i = 0; i < 10000; i++)
            sum = sum * 31 + 7;
    return sum;
}

static async(void) run(void)
{
    if (strcmp(what, "deadlock") == 0)
        return close_circles();
    await(bide_yield());
    int64_t began_ns = bide_clock_ns();
    printf("%lld\n", (long long)began_ns);
    fflush(stdout);
    if (checksum(began_ns + count * 1000000) == 0)
        printf("0\n");
    return bide_void;
}

int main(int argc, char **argv)
{
    what = argc > 1 ? argv[1] : "";
    count = argc > 2 ? atol(argv[2]) : 0;
    return bide_run(run);
}
