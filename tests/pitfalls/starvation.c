/* A task whose awaits never have to wait. docs/pitfalls/starvation.md. */
#include <bide/bide.h>

#include <stdio.h>

static bool stop;

SPAWNABLE(void, chatter)
async(void) chatter(void)
{
    int value, rounds = 0;
    with_channel(int, own, 1) {
        while (!stop) {
            await(bide_send(own, 1)); /* there is room, always */
            (void)await(bide_receive(own, &value));
            rounds++;
        }
    }
    printf("stopped after %s rounds\n", rounds < 1000 ? "less than 1000" : "too many");
    return bide_void;
}

SPAWNABLE(void, other)
async(void) other(void)
{
    puts("the other task has its turn");
    stop = true;
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        spawn_void(g, chatter);
        spawn_void(g, other);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
