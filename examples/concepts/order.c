/* Order: inside a coroutine as written; between coroutines by who can go on first. */
#include <bide/bide.h>
#include <stdio.h>

SPAWNABLE(void, cook, const char *, int, int)
async(void) cook(const char *dish, int prepare_s, int bake_s)
{
    printf("%s: prepare\n", dish);
    await(bide_sleep(bide_s(prepare_s)));
    printf("%s: bake\n", dish);
    await(bide_sleep(bide_s(bake_s)));
    printf("%s: serve\n", dish);
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        spawn_void(g, cook, "cake", 3, 4);
        spawn_void(g, cook, "bread", 1, 5);
        printf("spawned both; spawn itself runs nothing\n");
    }
    printf("both are served\n");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
