/*
 * Exercise 1, the start: twenty requests, one after the other. See task.md.
 */
#include <stdio.h>
#include <time.h>

enum { REQUESTS = 20 };

/* Asks the server for item `number`: 50 ms of waiting. */
static int request(int number)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    return number * number;
}

int main(void)
{
    int answers[REQUESTS], sum = 0;
    for (int i = 0; i < REQUESTS; i++) {
        answers[i] = request(i);
        sum += answers[i];
    }
    printf("%d answers, sum %d\n", REQUESTS, sum);
    return 0;
}
