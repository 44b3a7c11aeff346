/* bide's side of cross_loop: a value to a task of another loop and back, as a user would write it.
 * Each loop has a core of its own if it may use two. */
#include "measure.h"
#include <bide/bide.h>

static async(void) echo(bide_cross_channel(uint64_t) * in, bide_cross_channel(uint64_t) * out)
{
    uint64_t value;
    while (await(bide_cross_receive(in, &value)))
        await(bide_cross_send(out, value));
    return bide_void;
}
SPAWNABLE(void, echo, bide_cross_channel(uint64_t) *, bide_cross_channel(uint64_t) *)

static async(uint64_t) round_trips(uint64_t count)
{
    uint64_t start_ns = 0;
    with_cross_channel(uint64_t, there, 1)
    {
        with_cross_channel(uint64_t, back, 1)
        {
            with_group(g) {
                spawn_void_on(g, 1, echo, there, back);
                start_ns = measure_now_ns();
                for (uint64_t i = 0; i < count; i++) {
                    uint64_t value = 0;
                    await(bide_cross_send(there, i));
                    if (!await(bide_cross_receive(back, &value)) || value != i)
                        abort();
                }
                start_ns = measure_now_ns() - start_ns;
                bide_cross_close(there);
            }
        }
    }
    return ready(uint64_t, start_ns);
}

static async(void) app(void)
{
    if (bide_loop_index() > 0) {
        await(bide_until_stop());
        return bide_void;
    }
    uint64_t target_ns = measure_target_ns(), count = 1000;
    struct measured run;
    for (int last = 0; !last; count = measure_next_count(run, target_ns, &last))
        run = (struct measured){count, await(round_trips(count))};
    run = (struct measured){count, await(round_trips(count))};
    measure_print("cross_loop", run);
    bide_stop("measured");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .loops = 2, .ignore_signals = true);
}
