/* An await outside of bide_run: there is no task that could wait.
   Fix: Call it from a function that bide_run runs. */
#include <bide/bide.h>

static async(int) count_users(void)
{
    await(bide_sleep(bide_ms(1)));
    return ready(int, 3);
}

int main(void)
{
    return await(count_users());
}
