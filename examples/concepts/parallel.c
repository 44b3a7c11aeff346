/* Concurrent: several things under way, one at a time. Parallel: at the same instant. */
#include <bide/bide.h>
#include <pthread.h>
#include <stdio.h>

static bool on_thread(uint64_t of);
OFFLOADABLE(bool, on_thread, uint64_t)
static bool on_thread(uint64_t of)
{
    return (uint64_t)pthread_self() == of;
}

SPAWNABLE(void, talk, const char *, uint64_t)
async(void) talk(const char *name, uint64_t loop)
{
    for (int i = 1; i <= 2; i++) {
        printf("%s %d, %s\n", name, i, on_thread(loop) ? "on the loop" : "elsewhere");
        await(bide_yield());
    }
    return bide_void;
}

static async(void) app(void)
{
    uint64_t loop = (uint64_t)pthread_self();
    await(gather(bide_into_void(talk, "one", loop), bide_into_void(talk, "two", loop)));
    printf("offloaded, %s\n",
           await(offload(BIDE_CPU, on_thread, loop)) ? "on the loop" : "on a core of its own");
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
