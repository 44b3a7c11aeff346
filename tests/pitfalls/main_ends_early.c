/* The block of a group ends before its child: it waits. docs/pitfalls/main_ends_early.md. */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(void, save_post, int)
async(void) save_post(int number)
{
    await(bide_sleep(bide_ms(10)));
    printf("post %d is saved\n", number);
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        spawn_void(g, save_post, 1);
        spawn_void(g, save_post, 2);
    }
    puts("the end");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
