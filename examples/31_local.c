/*
 * Task-local values: who asks, without handing it on.
 *
 * A slot has a rule for who inherits it: nobody, the tasks of a request, or every task that is
 * spawned. A block sets it for what runs inside, and puts back what was there.
 */
#include <bide/bide.h>

#include <stdio.h>

static TASK_LOCAL(int, request_number, BIDE_LOCAL_REQUEST);

static void note(const char *what)
{
    const int *number = bide_local_get(request_number);
    if (number)
        printf("request %d: %s\n", *number, what);
    else
        printf("no request: %s\n", what);
}

SPAWNABLE(void, load, const char *)
async(void) load(const char *what)
{
    await(bide_sleep(bide_ms(1)));
    note(what);
    return bide_void;
}

static async(void) serve(int number)
{
    with_local(request_number, number)
    {
        with_group(g) {
            spawn_void(g, load, "loading the page");
            spawn_void(bide_background(), load, "counting visitors");
        }
        note("done");
    }
    return bide_void;
}

static async(void) app(void)
{
    await(serve(1));
    await(serve(2));
    note("closing");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
