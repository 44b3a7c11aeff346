/*
 * Spawn and group: several things at the same time.
 *
 * `spawn` starts a child beside and gives a typed handle; `await_task` takes its result. The group
 * owns the children: its block ends when all of them have ended, whatever way it is left. So no
 * task is forgotten, and `main` cannot end before its tasks.
 *
 * SPAWNABLE is one line beside the prototype: it makes spawn check the types of the arguments.
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(int, fetch_price, const char *, int)
async(int) fetch_price(const char *shop, int seconds)
{
    printf("asking %s\n", shop);
    await(bide_sleep(bide_s(seconds)));
    return ready(int, 100 - 10 * seconds);
}

SPAWNABLE(void, log_visit, const char *)
async(void) log_visit(const char *who)
{
    await(bide_sleep(bide_s(5)));
    printf("logged a visit by %s\n", who);
    return bide_void;
}

static async(void) app(void)
{
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        task(int) near = spawn(g, fetch_price, "the near shop", 1);
        task(int) far = spawn(g, fetch_price, "the far shop", 3);
        spawn_void(g, log_visit, "ann"); /* nobody reads its result */
        int a = await_task(near), b = await_task(far);
        printf("near %d, far %d\n", a, b);
    }
    printf("all ended after %.1f s\n", (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
