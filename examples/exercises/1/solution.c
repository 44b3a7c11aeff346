/*
 * Exercise 1, the solution: the same twenty requests, one after the other and then together. See
 * task.md.
 */
#include <bide/bide.h>

#include <stdio.h>

enum { REQUESTS = 20 };

static async(int) request(int number)
{
    await(bide_sleep(bide_ms(50)));
    int answer = number * number;
    return ready(int, answer);
}

SPAWNABLE(void, request_into, int, size_t, int *)
async(void) request_into(int number, size_t index, int *answers)
{
    answers[index] = await(request(number));
    return bide_void;
}

static void show(const char *how, const int answers[REQUESTS], int64_t since_ns)
{
    int sum = 0;
    for (int i = 0; i < REQUESTS; i++)
        sum += answers[i];
    printf("%s: %d answers, the last is %d, sum %d, %.2f s\n", how, REQUESTS, answers[REQUESTS - 1],
           sum, (double)(bide_clock_ns() - since_ns) / 1e9);
}

static async(void) app(void)
{
    int numbers[REQUESTS], answers[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        numbers[i] = i;

    int64_t start_ns = bide_clock_ns();
    for (int i = 0; i < REQUESTS; i++)
        answers[i] = await(request(numbers[i]));
    show("before", answers, start_ns);

    start_ns = bide_clock_ns();
    await(bide_each(numbers, REQUESTS, 0, request_into, answers));
    show("after", answers, start_ns);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
