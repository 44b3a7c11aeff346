/* Loops that wait without waiting. docs/pitfalls/starvation.md. */
#include <bide/bide.h>

extern volatile bool done;

async(void) spin(void);
async(void) spin(void)
{
    while (!done)
        ;
    await(bide_yield());
    return bide_void;
}

async(void) ask_again_and_again(void);
async(void) ask_again_and_again(void)
{
    while (!done)
        await(bide_sleep(bide_ms(10)));
    return bide_void;
}
