/*
 * D7: a TaskGroup of three.
 *
 * The document: TaskGroup starts three tasks and reads their results after the block; the heading
 * says "with timeout", but there is none.
 *
 * What goes wrong: without a timeout one slow task holds the block for ever. The errors of the
 * children arrive as a group that `except ValueError` does not catch.
 *
 * In bide: with_group around the three. The first failure cancels the siblings and is the error of
 * the block, with every other failure attached to it; a deadline around the group stops all in
 * time.
 */
#include <bide/bide.h>

#include <stdio.h>

static void tell(void *name)
{
    printf("  %s is cancelled\n", (const char *)name);
}

SPAWNABLE(int, job, char *, int, int)
async(int) job(char *name, int seconds, int result)
{
    on_cancel(tell, name);
    await(bide_sleep(bide_s(seconds)));
    if (result < 0)
        fail(bide_error_new(1000 - result, "%s failed", name));
    return ready(int, result);
}

static char a[] = "a", b[] = "b", c[] = "c";

static async(void) three_results(void)
{
    with_group(g) {
        task(int) first = spawn(g, job, a, 1, 10);
        task(int) second = spawn(g, job, b, 2, 20);
        task(int) third = spawn(g, job, c, 3, 30);
        int x = await_task(first), y = await_task(second), z = await_task(third);
        printf("results %d %d %d\n", x, y, z);
    }
    return bide_void;
}

SPAWNABLE(void, one_fails)
async(void) one_fails(void)
{
    with_group(g) {
        spawn_void(g, job, a, 1, -1); /* both of these fail in the same second ... */
        spawn_void(g, job, b, 1, -2);
        spawn_void(g, job, c, 9, 30); /* ... and this one is cancelled */
    }
    return bide_void;
}

SPAWNABLE(void, too_slow)
async(void) too_slow(void)
{
    with_deadline(bide_s(2)) {
        with_group(g) {
            spawn_void(g, job, a, 1, 10);
            spawn_void(g, job, b, 60, 20);
        }
    }
    return bide_void;
}

static async(void) app(void)
{
    await(three_results());

    bide_error *error;
    attempt(&error, one_fails);
    printf("error %d: %s\n", error->code, error->message);
    for (bide_error *also = error->also; also; also = also->next)
        printf("also error %d: %s\n", also->code, also->message);

    int64_t start_ns = bide_clock_ns();
    attempt(&error, too_slow);
    printf("%s after %.0f s\n", bide_code_name(error->code),
           (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
