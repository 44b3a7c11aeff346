/*
 * Exercise 3, the start: thirty pages at once from a server that serves five at a time. See
 * task.md.
 */
#include <bide/bide.h>

#include <stdio.h>

enum { PAGES = 30, SERVED_AT_A_TIME = 5 };

struct server {
    int serving, most, served;
};

/* A second per page; a 503 when the server has too much to do. */
SPAWNABLE(void, fetch_page, struct server *)
async(void) fetch_page(struct server *s)
{
    if (s->serving == SERVED_AT_A_TIME)
        fail(bide_error_new(503, "the server is busy"));
    if (++s->serving > s->most)
        s->most = s->serving;
    await(bide_sleep(bide_s(1)));
    s->serving--;
    s->served++;
    return bide_void;
}

SPAWNABLE(void, try_page, struct server *)
async(void) try_page(struct server *s)
{
    bide_error *error;
    attempt(&error, fetch_page, s);
    return bide_void;
}

static async(void) app(void)
{
    struct server s = {.serving = 0};
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        for (int i = 0; i < PAGES; i++)
            spawn_void(g, try_page, &s);
    }
    printf("%d of %d pages, %d at a time at the most, %.0f s\n", s.served, PAGES, s.most,
           (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
