/* Two children fail and nobody catches: one report holds everything.
   Fix: Catch what can be answered by attempt; the rest ends the program with status 1. */
#include <bide/bide.h>

static async(int) read_row(int id)
{
    await(bide_sleep(bide_ms(1)));
    if (id > 1)
        fail(bide_error_new(404, "there is no user %d", id));
    return ready(int, id);
}

SPAWNABLE(void, show_user, int)
async(void) show_user(int id)
{
    (void)await(read_row(id));
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        for (int id = 1; id <= 3; id++)
            spawn_void(g, show_user, id);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
