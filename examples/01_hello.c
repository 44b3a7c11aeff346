/*
 * Hello: a program that waits.
 *
 * `async(void)` marks a function that may suspend; `await` is where it does. bide_run makes a loop,
 * runs the function as the first task and returns when everything has ended. Build it outside this
 * tree by: cc 01_hello.c $(pkg-config --cflags --libs bide)
 */
#include <bide/bide.h>

#include <stdio.h>

static async(void) hello(void)
{
    printf("hello, ");
    await(bide_sleep(bide_ms(100)));
    printf("world\n");
    return bide_void;
}

int main(void)
{
    return bide_run(hello);
}
