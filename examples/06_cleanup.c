/*
 * Cleanup: what is opened is closed, whatever way the function is left.
 *
 * `defer` runs on every way out, `on_error` when an error or a cancel leaves the block, `on_cancel`
 * only for a cancel; in reverse order. The functions may await, also while an error unwinds: they
 * are shielded from cancels meanwhile, for a bounded time.
 */
#include <bide/bide.h>

#include <stdio.h>

static void close_file(void *name)
{
    printf("  close %s\n", (const char *)name);
}

static async(void) tell_peer(void *name)
{
    await(bide_sleep(bide_ms(10)));
    printf("  told the peer that %s failed\n", (const char *)name);
    return bide_void;
}

SPAWNABLE(int, upload, int)
async(int) upload(int way_out)
{
    char source[] = "source", target[] = "target";
    defer(close_file, source);
    if (way_out == 0)
        return ready(int, 0); /* the target was never opened, and is not closed */
    defer(close_file, target);
    on_error(tell_peer, target);
    if (way_out == 2)
        fail(bide_error_new(BIDE_CLOSED, "the line broke"));
    return ready(int, 1);
}

static async(void) app(void)
{
    for (int way_out = 0; way_out < 3; way_out++) {
        bide_error *error;
        printf("way out %d\n", way_out);
        int result = attempt(&error, upload, way_out);
        if (error)
            printf("error: %s\n", error->message);
        else
            printf("returned %d\n", result);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
