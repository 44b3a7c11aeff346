/* Cooperative switching: between two awaits nothing else of the loop runs. */
#include <bide/bide.h>
#include <stdio.h>

SPAWNABLE(void, add, int *, bool)
async(void) add(int *sum, bool await_inside)
{
    for (int i = 0; i < 1000; i++) {
        int seen = *sum;
        if (await_inside)
            await(bide_yield()); /* here the other task runs: `seen` is old now */
        *sum = seen + 1;
        if (!await_inside)
            await(bide_yield());
    }
    return bide_void;
}

static async(void) app(void)
{
    int whole = 0, torn = 0;
    await(gather(bide_into_void(add, &whole, false), bide_into_void(add, &whole, false)));
    await(gather(bide_into_void(add, &torn, true), bide_into_void(add, &torn, true)));
    printf("await between the updates: %d\nawait in the middle of one: %d\n", whole, torn);
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
