/* Calls that block the loop, in a function that runs in a task. docs/pitfalls/blocking_call.md. */
#include <bide/bide.h>

#include <unistd.h>

async(void) refresh(void);
async(void) refresh(void)
{
    sleep(1);
    await(bide_sleep(bide_s(1)));
    return bide_void;
}
