/*
 * C13: a low-level call used by mistake.
 *
 * The document: a remark at the end: beside what applications use, asyncio has the calls of the
 * loop (call_later, create_future, run_until_complete, add_reader); those who come upon them use
 * them by mistake.
 *
 * What goes wrong: a callback belongs to nobody. If it is a coroutine function it never runs, its
 * error is logged and goes nowhere, and the program ends without it.
 *
 * In bide: bide/bide.h has no call of the loop, no descriptor and no callback: whatever waits is an
 * await, and what runs beside is a child of a group. What libc has for it, `bide check` names, with
 * the call that is meant. Here it looks at this file.
 */
#include <bide/bide.h>

#include <poll.h>
#include <stdio.h>

/* The mistake: it compiles, and the whole loop stands still meanwhile. */
async(void) ring_by_hand(void);
async(void) ring_by_hand(void)
{
    poll(NULL, 0, 20);
    printf("the bell\n");
    return bide_void;
}

static async(void) ring(void)
{
    await(bide_sleep(bide_ms(20)));
    printf("the bell\n");
    return bide_void;
}

static async(void) look_at_this_file(void)
{
    const char *const check[] = {"bide", "check", __FILE__, "--code", NULL};
    char text[2000];
    size_t length = 0, n;
    fflush(stdout);
    with_deadline(bide_s(100)) {
        with(bide_child, child, check, &(bide_process_options){.out = BIDE_IO_STREAM}) {
            while ((n = await(bide_read(bide_process_out(child), text + length,
                                        sizeof text - length))) > 0)
                length += n;
        }
    }
    printf("%.*s", (int)length, text);
    return bide_void;
}

static async(void) app(void)
{
    await(ring());
    await(look_at_this_file());
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
