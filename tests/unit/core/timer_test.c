/*
 * The timer wheel against a model that searches all timers for the earliest one.
 */
#include "core/timer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"

#include <bide/test.h>

#define TICK_NS (INT64_C(1) << BIDE__TIMER_TICK_SHIFT)

enum { MODEL_TIMERS = 150, MODEL_STEPS = 15000 };

struct model_timer {
    struct bide__timer timer;
    bool armed;
    int64_t expires_ns;
    uint64_t order;
};

static struct bide__timers wheel;

static struct {
    struct model_timer timers[MODEL_TIMERS];
    struct bide__rng rng;
    int64_t now_ns;
    uint64_t arms, fired, depth;
} model;

static struct model_timer *earliest(void)
{
    struct model_timer *best = NULL;
    for (int i = 0; i < MODEL_TIMERS; i++) {
        struct model_timer *at = &model.timers[i];
        if (at->armed && (!best || at->expires_ns < best->expires_ns ||
                          (at->expires_ns == best->expires_ns && at->order < best->order)))
            best = at;
    }
    return best;
}

/* A time near, far, equal to another one's, past, or the last there is. */
static int64_t some_time(void)
{
    uint64_t kind = bide__rng_below(&model.rng, 12);
    unsigned bits = (unsigned)(kind < 6 ? 10 + kind * 9 : 20);
    int64_t distance = (int64_t)bide__rng_below(&model.rng, UINT64_C(1) << bits);
    if (kind == 6)
        return INT64_MAX;
    if (kind == 7)
        return model.timers[bide__rng_below(&model.rng, MODEL_TIMERS)].expires_ns;
    if (kind == 8)
        return distance < model.now_ns ? model.now_ns - distance : 0;
    if (kind == 9)
        return (model.now_ns / TICK_NS + distance % 3) * TICK_NS;
    return distance < INT64_MAX - model.now_ns ? model.now_ns + distance : INT64_MAX;
}

static void arm_some(void)
{
    struct model_timer *timer = &model.timers[bide__rng_below(&model.rng, MODEL_TIMERS)];
    timer->expires_ns = some_time();
    timer->armed = true;
    timer->order = model.arms++;
    bide__timer_arm(&wheel, &timer->timer, timer->expires_ns);
}

static void disarm_some(void)
{
    struct model_timer *timer = &model.timers[bide__rng_below(&model.rng, MODEL_TIMERS)];
    timer->armed = false;
    bide__timer_disarm(&wheel, &timer->timer);
}

static void model_fire(struct bide__timer *timer)
{
    struct model_timer *fired = bide__container_of(timer, struct model_timer, timer);
    require(earliest() == fired);
    require(fired->expires_ns <= model.now_ns);
    require(!bide__timer_armed(timer));
    fired->armed = false;
    model.fired++;
    for (uint64_t n = bide__rng_below(&model.rng, 3); n > 0; n--) {
        if (bide__rng_below(&model.rng, 3) == 0)
            arm_some();
        else
            disarm_some();
    }
}

static void advance_to(int64_t now_ns)
{
    model.now_ns = now_ns;
    bide__timers_expire(&wheel, now_ns);
    struct model_timer *left = earliest();
    require(!left || left->expires_ns > now_ns);
}

static void advance_somewhere(void)
{
    uint64_t way = bide__rng_below(&model.rng, 8);
    int64_t next_ns = bide__timers_next_ns(&wheel);
    int64_t wake_ns = bide__timers_wake_ns(&wheel);
    int64_t to_ns = model.now_ns;
    if (way == 0)
        to_ns = next_ns;
    else if (way == 1 && next_ns > 0)
        to_ns = next_ns - 1;
    else if (way == 2)
        to_ns = wake_ns;
    else if (way < 7)
        to_ns += (int64_t)bide__rng_below(&model.rng, UINT64_C(1) << (way * 8 - 4));
    /* Stay below the end of time, or little would be left to do. */
    if (to_ns > model.now_ns && to_ns < INT64_MAX / 2)
        advance_to(to_ns);
}

static void compare(void)
{
    struct model_timer *first = earliest();
    int64_t expected_ns = first ? first->expires_ns : INT64_MAX;
    require(check_int(bide__timers_next_ns(&wheel), expected_ns));
    require(bide__timers_wake_ns(&wheel) <= expected_ns);
}

static void run_model(uint64_t seed)
{
    model.arms = model.fired = 0;
    model.now_ns = (int64_t)(seed * UINT64_C(0x123456789abcd) % (UINT64_C(1) << 60));
    bide__rng_init(&model.rng, seed);
    bide__timers_init(&wheel, model.now_ns);
    for (int i = 0; i < MODEL_TIMERS; i++)
        model.timers[i] = (struct model_timer){.timer = {.fire = model_fire}};
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint64_t choice = bide__rng_below(&model.rng, 10);
        if (choice < 5)
            arm_some();
        else if (choice < 7)
            disarm_some();
        else
            advance_somewhere();
        compare();
        if (step % 8 == 0)
            bide__timers_validate(&wheel);
    }
    advance_to(INT64_MAX / 2 + 1);
    bide__timers_validate(&wheel);
    check(model.fired > MODEL_STEPS / 10);
}

TEST_PLAIN(random_use_agrees_with_a_search)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        run_model(seed + test_seed() * 16);
}

/* What the tests below record. */
struct noted {
    struct bide__timer timer;
    int number;
    struct noted *disarms, *arms; /* when it fires */
    int64_t arms_at_ns;
};

static int fired[16];
static int fired_count;

static void note(struct bide__timer *timer)
{
    struct noted *noted = bide__container_of(timer, struct noted, timer);
    if (fired_count < 16)
        fired[fired_count] = noted->number;
    fired_count++;
    if (noted->disarms)
        bide__timer_disarm(&wheel, &noted->disarms->timer);
    if (noted->arms) {
        struct noted *arms = noted->arms;
        noted->arms = NULL;
        bide__timer_arm(&wheel, &arms->timer, noted->arms_at_ns);
    }
}

static void number(struct noted *timers, int count)
{
    for (int i = 0; i < count; i++)
        timers[i] = (struct noted){.timer.fire = note, .number = i};
    fired_count = 0;
}

TEST_PLAIN(order_is_time_then_arming)
{
    static const int64_t times_ns[] = {900, 100, 500, 100, 5 * TICK_NS, 500, 0};
    static const int expected[] = {6, 1, 3, 2, 5, 0, 4};
    struct noted timers[7];
    number(timers, 7);
    bide__timers_init(&wheel, 0);
    for (int i = 0; i < 7; i++)
        bide__timer_arm(&wheel, &timers[i].timer, times_ns[i]);
    bide__timers_expire(&wheel, 6 * TICK_NS);
    check_int(fired_count, 7);
    check_mem(fired, expected, sizeof expected);
    check_int(wheel.armed, 0);
}

TEST_PLAIN(nothing_fires_early)
{
    struct noted timers[2];
    number(timers, 2);
    bide__timers_init(&wheel, 10);
    bide__timer_arm(&wheel, &timers[0].timer, 3 * TICK_NS + 500);
    bide__timer_arm(&wheel, &timers[1].timer, 3 * TICK_NS + 400);
    bide__timers_expire(&wheel, 3 * TICK_NS + 399);
    check_int(fired_count, 0);
    check_int(bide__timers_next_ns(&wheel), 3 * TICK_NS + 400);
    bide__timers_expire(&wheel, 3 * TICK_NS + 400);
    check_int(fired_count, 1);
    check_int(fired[0], 1);
    bide__timers_expire(&wheel, 2 * TICK_NS); /* the clock went back */
    check_int(fired_count, 1);
    bide__timers_expire(&wheel, 3 * TICK_NS + 500);
    check_int(fired_count, 2);
    bide__timers_validate(&wheel);
}

TEST_PLAIN(firing_arms_and_disarms)
{
    static const int expected[] = {0, 4, 2, 5};
    struct noted timers[6];
    number(timers, 6);
    bide__timers_init(&wheel, 0);
    timers[0].disarms = &timers[1]; /* due in the same tick */
    timers[0].arms = &timers[4];    /* due, before what is left of the tick */
    timers[0].arms_at_ns = 150;
    timers[2].disarms = &timers[3]; /* due in a later tick of the same call */
    timers[2].arms = &timers[5];    /* due in a later tick of the same call */
    timers[2].arms_at_ns = 2 * TICK_NS;
    bide__timer_arm(&wheel, &timers[0].timer, 100);
    bide__timer_arm(&wheel, &timers[1].timer, 200);
    bide__timer_arm(&wheel, &timers[2].timer, 300);
    bide__timer_arm(&wheel, &timers[3].timer, 3 * TICK_NS);
    bide__timers_expire(&wheel, 4 * TICK_NS);
    check_int(fired_count, 4);
    check_mem(fired, expected, sizeof expected);
    check_int(bide__timers_next_ns(&wheel), INT64_MAX);
    bide__timers_validate(&wheel);
}

/* A walk over every tick of these years would not end within the test's time. */
TEST_PLAIN(idle_years_pass_at_once)
{
    int64_t year_ns = INT64_C(31536000) * BIDE__NS_PER_S;
    struct noted timers[3];
    number(timers, 3);
    bide__timers_init(&wheel, 0);
    bide__timer_arm(&wheel, &timers[0].timer, INT64_MAX);
    bide__timer_arm(&wheel, &timers[1].timer, 200 * year_ns + 1);
    bide__timer_arm(&wheel, &timers[2].timer, 100 * year_ns);
    for (int year = 1; year <= 200; year++)
        bide__timers_expire(&wheel, year * year_ns);
    check_int(fired_count, 1);
    check_int(bide__timers_next_ns(&wheel), 200 * year_ns + 1);
    bide__timers_expire(&wheel, INT64_MAX - 1);
    check_int(fired_count, 2);
    check_int(bide__timers_next_ns(&wheel), INT64_MAX);
    check_int(wheel.armed, 1);
    bide__timers_expire(&wheel, INT64_MAX);
    check_int(fired_count, 3);
    check_int(wheel.armed, 0);
}

static int64_t last_ns;
static void expect_ascending(struct bide__timer *timer)
{
    require(timer->expires_ns >= last_ns);
    last_ns = timer->expires_ns;
    fired_count++;
}

/* A crowd: the wake-up is early but moves on, and everybody fires in order. */
TEST_PLAIN(many_timers, .timeout_ms = 30000)
{
    enum { COUNT = 1000000 };
    struct bide__timer *timers = bide__calloc(COUNT, sizeof *timers);
    struct bide__rng rng;
    require(timers);
    bide__rng_init(&rng, test_seed());
    bide__timers_init(&wheel, 0);
    int64_t earliest_ns = INT64_MAX, thirty_s_ns = 30 * BIDE__NS_PER_S;
    for (int i = 0; i < COUNT; i++) {
        timers[i].fire = expect_ascending;
        bide__timer_arm(&wheel, &timers[i],
                        thirty_s_ns + (int64_t)bide__rng_below(&rng, (uint64_t)thirty_s_ns));
        if (timers[i].expires_ns < earliest_ns)
            earliest_ns = timers[i].expires_ns;
    }
    check_int(wheel.armed, COUNT);
    check_int(bide__timers_next_ns(&wheel), earliest_ns);
    fired_count = 0;
    last_ns = 0;
    int64_t now_ns = 0;
    for (int wakes = 0; fired_count == 0; wakes++) {
        int64_t wake_ns = bide__timers_wake_ns(&wheel);
        require(wakes < 2 * BIDE__TIMER_LEVELS && wake_ns >= now_ns && wake_ns <= earliest_ns);
        now_ns = wake_ns;
        bide__timers_expire(&wheel, now_ns);
    }
    check_int(now_ns, earliest_ns);
    bide__timers_validate(&wheel);
    for (; now_ns < 2 * thirty_s_ns; now_ns += BIDE__NS_PER_S)
        bide__timers_expire(&wheel, now_ns);
    bide__timers_expire(&wheel, 2 * thirty_s_ns);
    check_int(fired_count, COUNT);
    bide__free(timers);
}

/* In the current tick there is no earlier point to wake at: waking at once would spin. */
TEST_PLAIN(wakes_when_due_in_a_crowded_tick)
{
    static struct noted timers[300];
    number(timers, 300);
    bide__timers_init(&wheel, 0);
    for (int i = 0; i < 300; i++)
        bide__timer_arm(&wheel, &timers[i].timer, 100000 - i);
    check_int(bide__timers_wake_ns(&wheel), 100000 - 299);
}

static void misplace(void)
{
    struct noted timer;
    number(&timer, 1);
    bide__timers_init(&wheel, 0);
    bide__timer_arm(&wheel, &timer.timer, TICK_NS);
    timer.timer.expires_ns = 300 * TICK_NS;
    bide__timers_validate(&wheel);
}

TEST_PLAIN(validation_finds_a_misplaced_timer)
{
    check_dies(misplace, "is in slot 0.1, not in 1.1");
}
