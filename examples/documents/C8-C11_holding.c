/*
 * C8-C11: holding a coroutine and running it later.
 *
 * The document: four ways: hold the coroutine and run it, the same in one line, await the held one,
 * wrap it by create_task.
 *
 * What goes wrong: a held coroutine that nobody runs is dropped without a word or with a late
 * warning; a task that nobody holds can be collected in the middle of its work; its error is lost.
 *
 * In bide: there is nothing cold to hold: `spawn` starts the child and gives a handle. Its group
 * owns the child, so it runs to its end in any case; a handle whose result nobody took is reported
 * with the line of the spawn.
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(int, say_hi, const char *)
async(int) say_hi(const char *how)
{
    printf("hi there (%s)\n", how);
    return ready(int, 1);
}

static async(void) hold_and_run(void)
{
    with_group(g) {
        task(int) held = spawn(g, say_hi, "held");
        int said = await_task(held);
        said += await_task(spawn(g, say_hi, "in one line"));
        printf("said %d times\n", said);
    }
    return bide_void;
}

static async(void) beside(void)
{
    with_group(g) {
        spawn_void(g, say_hi, "beside");
    }
    return bide_void;
}

static async(void) dropped(void)
{
    with_group(g) {
        task(int) nobody_asks = spawn(g, say_hi, "dropped");
        (void)nobody_asks;
    }
    return bide_void;
}

static async(void) app(void)
{
    await(hold_and_run());
    int said = await(say_hi("awaited"));
    printf("said %d time\n", said);
    await(beside());
    await(dropped());
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
