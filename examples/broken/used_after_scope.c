/* A task gets a pointer into a frame that ends before it. docs/pitfalls/used_after_scope.md. */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(void, greet, const char *)
async(void) greet(const char *name)
{
    await(bide_sleep(bide_ms(1)));
    puts(name[0] ? "somebody is greeted" : "?");
    return bide_void;
}

static __attribute__((noinline)) void start(bide_group *g, int number)
{
    char name[32];
    snprintf(name, sizeof name, "guest %d", number);
    spawn_void(g, greet, name); /* the task runs when `name` is gone */
}

static async(void) app(void)
{
    with_group(g) {
        start(g, 7);
        bide_group_cancel(g, "for this page: it must not run");
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
