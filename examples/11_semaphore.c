/*
 * Semaphore: at most so many at a time.
 *
 * with_slot waits for a free slot and gives it back on every way out. First come, first served.
 */
#include <bide/bide.h>

#include <stdio.h>

struct downloads {
    bide_semaphore slots;
    int running, most;
};

SPAWNABLE(void, download, struct downloads *)
async(void) download(struct downloads *d)
{
    with_slot(&d->slots) {
        if (++d->running > d->most)
            d->most = d->running;
        await(bide_sleep(bide_s(1)));
        d->running--;
    }
    return bide_void;
}

static async(void) app(void)
{
    struct downloads d = {.running = 0};
    bide_semaphore_init(&d.slots, 3, "downloads");
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        for (int i = 0; i < 10; i++)
            spawn_void(g, download, &d);
    }
    printf("10 downloads, %d at a time at the most, %.1f s\n", d.most,
           (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
