/* Processes, threads, coroutines: what they share and what a thousand of them take. */
#include <bide/bide.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int shared;

static void *thread_main(void *arg)
{
    shared++;
    return arg;
}

SPAWNABLE(void, step)
async(void) step(void)
{
    shared++;
    await(bide_yield());
    return bide_void;
}

static async(void) app(void)
{
    shared = 0;
    with_group(g) {
        for (int i = 0; i < 1000; i++)
            spawn_void(g, step);
    }
    printf("1000 tasks on one thread changed it %d times, without a lock\n", shared);
    return bide_void;
}

int main(void)
{
    pid_t child = fork(); /* a copy of everything */
    if (child == 0)
        _exit(++shared);
    waitpid(child, NULL, 0);
    printf("a process changed its own copy: here it is still %d\n", shared);
    pthread_t thread; /* the same memory, at the same instant: needs locks */
    if (pthread_create(&thread, NULL, thread_main, NULL) == 0)
        pthread_join(thread, NULL);
    printf("a thread changed it: %d\n", shared);
    return bide_run(app);
}
