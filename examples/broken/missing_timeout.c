/* A read from a peer that never answers. docs/pitfalls/missing_timeout.md. */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(void, ask, bide_stream_ptr)
async(void) ask(bide_stream_ptr server)
{
    char answer[16];
    await(bide_write(server, "hello?", 6));
    (void)await(bide_read(server, answer, sizeof answer));
    return bide_void;
}

static async(void) app(void)
{
    bide_stream_ptr ends[2];
    await(bide_stream_pair(ends)); /* nobody reads at the other end */
    with_group(g) {
        spawn_void(g, ask, ends[0]);
        await(bide_sleep(bide_ms(100)));
        bide_group_cancel(g, "the page ends");
    }
    bide_close_stream(ends[0]);
    bide_close_stream(ends[1]);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .unanswered = bide_ms(20)); /* 10 s if nothing is said */
}
