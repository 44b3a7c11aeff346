/* A user's whole program: run_install.py builds it outside the tree, with what is installed. */
#include <bide/bide.h>
#include <stdio.h>

SPAWNABLE(int, twice, int)
async(int) twice(int half)
{
    await(bide_sleep(bide_ms(1)));
    return ready(int, half + half);
}

static async(void) application(void)
{
    with_group(g) {
        task(int) answer = spawn(g, twice, 21);
        printf("the answer is %d\n", await_task(answer));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(application);
}
