/* A loop that catches the cancel and goes on. docs/pitfalls/cancel_swallowed.md. */
#include <bide/bide.h>

#include <stdio.h>

static bool enough;

SPAWNABLE(void, ask)
async(void) ask(void)
{
    await(bide_sleep(bide_ms(10)));
    return bide_void;
}

SPAWNABLE(void, poll_server)
async(void) poll_server(void)
{
    while (!enough) {
        bide_error *error;
        attempt(&error, ask); /* nobody looks what it was */
    }
    return bide_void;
}

SPAWNABLE(void, other)
async(void) other(void)
{
    shielded(bide_s(1))
        await(bide_sleep(bide_ms(1)));
    puts("the others have their turn");
    enough = true;
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        spawn_void(g, poll_server);
        spawn_void(g, other);
        await(bide_yield());
        bide_group_cancel(g, "the program ends");
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
