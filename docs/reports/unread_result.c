/* A child's result is held and never taken.
   Fix: Take it by await_task, or say by spawn_void that nobody will. */
#include <bide/bide.h>

SPAWNABLE(int, count_users)
async(int) count_users(void)
{
    await(bide_yield());
    return ready(int, 3);
}

static async(void) app(void)
{
    with_group(g) {
        task(int) users = spawn(g, count_users);
        (void)users;
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
