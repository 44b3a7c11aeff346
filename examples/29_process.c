/*
 * Child processes: started without a shell, owned by a block.
 *
 * The words reach the program as they are; its descriptors are streams. When the block is left, in
 * whatever way, the child has ended: one that still runs gets SIGTERM, then SIGKILL.
 */
#include <bide/bide.h>

#include <stdio.h>

static async(void) app(void)
{
    const char *const sort[] = {"sort", NULL};
    bide_process_options piped = {.in = BIDE_IO_STREAM, .out = BIDE_IO_STREAM};
    with(bide_child, child, sort, &piped) {
        char text[64];
        size_t n;
        await(bide_write(bide_process_in(child), "sam\nfrodo\npippin\n", 17));
        bide_shutdown_write(bide_process_in(child));
        while ((n = await(bide_read(bide_process_out(child), text, sizeof text))) > 0)
            fwrite(text, 1, n, stdout);
        bide_process_end end = await(bide_process_wait(child));
        printf("sort has ended with status %d\n", end.status);
    }

    const char *const nap[] = {"sleep", "1000", NULL};
    with(bide_child, child, nap, NULL) {
        printf("the other one %s\n", bide_process_id(child) > 0 ? "sleeps" : "?");
    }
    printf("and has ended, too\n");
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
