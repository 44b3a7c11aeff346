/*
 * D8: a hundred tasks, three at a time.
 *
 * The document: a semaphore of 3 around a second of work, gathered over 100 tasks.
 *
 * What goes wrong: a semaphore made outside of the running loop belonged to another one in older
 * versions; a release too many makes it grow without a word.
 *
 * In bide: with_slot: never more than three, 34 seconds, the slot comes back on every way out.
 * It is bounded: a release too many is an error that names the line.
 */
#include <bide/bide.h>

#include <stdio.h>

struct limited {
    bide_semaphore slots;
    int running, most, done;
};

SPAWNABLE(void, work, struct limited *)
async(void) work(struct limited *l)
{
    with_slot(&l->slots) {
        if (++l->running > l->most)
            l->most = l->running;
        await(bide_sleep(bide_s(1)));
        l->running--;
        l->done++;
    }
    return bide_void;
}

static async(void) app(void)
{
    struct limited l = {.running = 0};
    bide_semaphore_init(&l.slots, 3, "work");
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        for (int i = 0; i < 100; i++)
            spawn_void(g, work, &l);
    }
    printf("%d done, never more than %d at a time, %.0f s\n", l.done, l.most,
           (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
