/*
 * Exercise 3, the solution: a slot is held around each request. See task.md.
 */
#include <bide/bide.h>

#include <stdio.h>

enum { PAGES = 30, SERVED_AT_A_TIME = 5 };

struct server {
    int serving, most, served;
    bide_semaphore slots;
};

SPAWNABLE(void, fetch_page, struct server *)
async(void) fetch_page(struct server *s)
{
    with_slot(&s->slots) {
        if (s->serving == SERVED_AT_A_TIME)
            fail(bide_error_new(503, "the server is busy"));
        if (++s->serving > s->most)
            s->most = s->serving;
        await(bide_sleep(bide_s(1)));
        s->serving--;
        s->served++;
    }
    return bide_void;
}

static async(void) app(void)
{
    struct server s = {.serving = 0};
    bide_semaphore_init(&s.slots, SERVED_AT_A_TIME, "requests");
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        for (int i = 0; i < PAGES; i++)
            spawn_void(g, fetch_page, &s);
    }
    printf("%d of %d pages, %d at a time at the most, %.0f s\n", s.served, PAGES, s.most,
           (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
