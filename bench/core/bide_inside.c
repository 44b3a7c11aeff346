/* Two parts of bide that users cannot call by themselves, through the library's own headers: the
 * switch between stacks (core/context.h) and the timers of a loop (core/timer.h). */
#include "measure.h"
#include "core/context.h"
#include "core/stack.h"
#include "core/timer.h"
#include "base/clock.h"

/* switch_bare: this stack and one of the library's in turn. */
static struct bide__stack own_stack;
static void *own_sp, *other_sp;

static void pong(struct bide__stack *stack)
{
    bide__context_entered();
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
    for (;;) {
        bide__context_go(stack, &other_sp, &own_stack, own_sp);
        MEASURE_ALIVE(a, b, c, d, e, f);
    }
}

static struct measured switch_bare(uint64_t count)
{
    static struct bide__stacks stacks;
    static struct bide__stack *other;
    if (!other) {
        bide__stacks_init(&stacks);
        other = bide__stack_take(&stacks, pong);
        if (!other)
            abort();
        other_sp = other->sp;
    }
    uint64_t a = 1, b = 2, c = 3, d = 4, i, start_ns = measure_now_ns();
    for (i = 0; i < count; i += 2) {
        bide__context_go(&own_stack, &own_sp, other, other_sp);
        MEASURE_ALIVE(a, b, c, d, i, count);
    }
    return (struct measured){i, measure_now_ns() - start_ns};
}

/* timer_arm_cancel: the oldest of a million timers is cancelled and armed again. */
enum { OUTSTANDING = 1000000, DELAYS = 4096 };

static void must_not_fire(struct bide__timer *timer)
{
    (void)timer;
    abort();
}

static void fill_delays(int64_t *delays_ns)
{
    uint64_t state = 1;
    for (int i = 0; i < DELAYS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        delays_ns[i] = 10 * BIDE__NS_PER_S + (int64_t)((state >> 33) * 23.3); /* up to 60 s */
    }
}

static struct measured timer_arm_cancel(uint64_t count)
{
    static struct bide__timers timers;
    static struct bide__timer *armed;
    static int64_t delays_ns[DELAYS];
    int64_t now_ns = bide__clock_monotonic_ns();
    if (!armed) {
        bide__timers_init(&timers, now_ns);
        fill_delays(delays_ns);
        armed = calloc(OUTSTANDING, sizeof *armed);
        if (!armed)
            abort();
        for (int i = 0; i < OUTSTANDING; i++) {
            armed[i].fire = must_not_fire;
            bide__timer_arm(&timers, &armed[i], now_ns + delays_ns[i % DELAYS]);
        }
    }
    size_t place = 0;
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        bide__timer_disarm(&timers, &armed[place]);
        now_ns = bide__clock_monotonic_ns(); /* as with_deadline does, and call_later */
        bide__timer_arm(&timers, &armed[place], now_ns + delays_ns[i % DELAYS]);
        if (++place == OUTSTANDING)
            place = 0;
        if (i % 1000 == 999)
            bide__timers_expire(&timers, now_ns); /* the loop's turn */
    }
    struct measured run = {count, measure_now_ns() - start_ns};
    if (timers.armed != OUTSTANDING)
        abort();
    return run;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "switch_bare"))
            measure_case(argv[i], switch_bare, 100000);
        if (!strcmp(argv[i], "timer_arm_cancel"))
            measure_case(argv[i], timer_arm_cancel, 100000);
    }
    return 0;
}
