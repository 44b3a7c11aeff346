/* A producer that is faster than its consumer. docs/pitfalls/unbounded_queue.md. */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(void, consume, bide_channel(int) *)
async(void) consume(bide_channel(int) *jobs)
{
    int job;
    while (await(bide_receive(jobs, &job)))
        await(bide_sleep(bide_ms(10)));
    return bide_void;
}

static async(void) app(void)
{
    with_channel(int, jobs, 4) {
        with_group(g) {
            spawn_void(g, consume, jobs);
            for (int i = 0; i < 1000; i++)
                await(bide_send(jobs, i)); /* waits while 4 are queued */
            bide_channel_close(jobs);
        }
        printf("never more than %zu were queued\n", bide_channel_high_water(jobs));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
