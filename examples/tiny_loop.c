/*
 * tiny_loop: an event loop with two coroutines, in plain C and without bide.
 *
 * What an await does, with everything left out that makes it fast and safe. Read it top-down:
 *
 *   1. A coroutine is a stack of its own and a place to go on (ucontext.h keeps both).
 *   2. To wait it notes what it waits for, a time or a descriptor, and switches to the loop.
 *   3. The loop switches to a coroutine that can go on; when none can, it sleeps in poll(2) until
 *      the first descriptor is ready or the first time has come.
 *   4. The loop ends when no coroutine is left.
 *
 * Between two waits a coroutine cannot be interrupted: nothing but `wait_for` switches away. What
 * bide adds is told in docs/internals/how_a_task_runs.md.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { COROUTINES = 2, STACK_BYTES = 65536, NEVER = -1 };

struct coroutine {
    ucontext_t context; /* registers and stack, while it waits */
    void (*run)(void);
    char *stack;
    bool alive;
    int fd;          /* waits until it can be read, or NEVER */
    long wake_at_ms; /* waits until then, or NEVER */
};

static struct coroutine coroutines[COROUTINES];
static struct coroutine *current;
static ucontext_t loop_context;

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

/* The await: the coroutine says what it waits for and leaves; it returns when that has happened. */
static void wait_for(int fd, long wake_at_ms)
{
    current->fd = fd;
    current->wake_at_ms = wake_at_ms;
    swapcontext(&current->context, &loop_context);
}

static void sleep_ms(long milliseconds)
{
    wait_for(NEVER, now_ms() + milliseconds);
}

/* The first thing on a new stack. When it returns, uc_link leads back to the loop. */
static void coroutine_main(void)
{
    current->run();
    current->alive = false;
}

static void spawn(struct coroutine *c, void (*run)(void))
{
    c->run = run;
    c->alive = true;
    c->fd = NEVER;
    c->wake_at_ms = 0; /* ready at once */
    c->stack = malloc(STACK_BYTES);
    if (!c->stack || getcontext(&c->context) < 0)
        abort();
    c->context.uc_stack.ss_sp = c->stack;
    c->context.uc_stack.ss_size = STACK_BYTES;
    c->context.uc_link = &loop_context;
    makecontext(&c->context, coroutine_main, 0);
}

static void loop_run(void)
{
    for (;;) {
        struct pollfd polled[COROUTINES];
        int timeout_ms = -1, alive = 0;
        for (int i = 0; i < COROUTINES; i++) {
            struct coroutine *c = &coroutines[i];
            polled[i] = (struct pollfd){.fd = c->alive ? c->fd : NEVER, .events = POLLIN};
            alive += c->alive;
            if (!c->alive || c->wake_at_ms == NEVER)
                continue;
            long left = c->wake_at_ms - now_ms();
            int wait_ms = left > 0 ? (int)left : 0;
            if (timeout_ms < 0 || wait_ms < timeout_ms)
                timeout_ms = wait_ms;
        }
        if (alive == 0)
            return;
        if (poll(polled, COROUTINES, timeout_ms) < 0)
            abort();
        for (int i = 0; i < COROUTINES; i++) {
            struct coroutine *c = &coroutines[i];
            bool due = c->wake_at_ms != NEVER && c->wake_at_ms <= now_ms();
            if (c->alive && (due || polled[i].revents)) {
                current = c;
                swapcontext(&loop_context, &c->context);
            }
        }
    }
}

static int pipe_ends[2];

/* One coroutine writes a letter every 10 ms ... */
static void writer(void)
{
    for (char letter = 'a'; letter <= 'e'; letter++) {
        sleep_ms(10);
        printf("writer: sends %c\n", letter);
        if (write(pipe_ends[1], &letter, 1) != 1)
            abort();
    }
    close(pipe_ends[1]);
}

/* ... and the other reads them, in a straight line, as if it had the thread for itself. */
static void reader(void)
{
    char letter;
    for (;;) {
        wait_for(pipe_ends[0], NEVER);
        if (read(pipe_ends[0], &letter, 1) != 1)
            break;
        printf("reader: got %c\n", letter);
    }
    printf("reader: the end\n");
}

int main(void)
{
    if (pipe(pipe_ends) < 0)
        return 1;
    spawn(&coroutines[0], writer);
    spawn(&coroutines[1], reader);
    loop_run();
    for (int i = 0; i < COROUTINES; i++)
        free(coroutines[i].stack);
    return 0;
}
