/* bide's side of the suite, written as a user would write it: bide_core CASE... prints what
 * measure.h says. Each case does what its twins in rival_* do; README.md says what is counted. */
#include "measure.h"
#include <bide/bide.h>

typedef struct measured measured;
AWAITABLE(measured);

static int argument_count;
static char **arguments;
static uint64_t total; /* what children add to, so that they do something */

/* yield_N: the others do as many turns as the first member does meanwhile. */
struct ring {
    uint64_t turns;
    uint64_t start_ns, end_ns;
};

SPAWNABLE(void, ring_member, struct ring *, bool)
async(void) ring_member(struct ring *ring, bool first)
{
    await(bide_yield()); /* after this every member has started */
    if (first)
        ring->start_ns = measure_now_ns();
    for (uint64_t turn = 0; turn < ring->turns; turn++)
        await(bide_yield());
    if (first)
        ring->end_ns = measure_now_ns();
    return bide_void;
}

static async(measured) yield_ring(uint64_t members, uint64_t count)
{
    struct ring ring = {.turns = (count + members - 1) / members};
    with_group(g) {
        for (uint64_t i = 0; i < members; i++)
            spawn_void(g, ring_member, &ring, i == 0);
    }
    measured run = {ring.turns * members, ring.end_ns - ring.start_ns};
    return ready(measured, run);
}

static async(measured) yield_2(uint64_t count)
{
    return yield_ring(2, count);
}

static async(measured) yield_64(uint64_t count)
{
    return yield_ring(64, count);
}

static async(measured) yield_1000(uint64_t count)
{
    return yield_ring(1000, count);
}

static async(measured) yield_100k(uint64_t count)
{
    return yield_ring(100000, count);
}

/* yield_depth4: the same from four calls deep. */
__attribute__((noinline)) static async(void) deep_4(void)
{
    await(bide_yield());
    return bide_void;
}

__attribute__((noinline)) static async(void) deep_3(void)
{
    await(deep_4());
    return bide_void;
}

__attribute__((noinline)) static async(void) deep_2(void)
{
    await(deep_3());
    return bide_void;
}

__attribute__((noinline)) static async(void) deep_1(void)
{
    await(deep_2());
    return bide_void;
}

SPAWNABLE(void, deep_member, struct ring *, bool)
async(void) deep_member(struct ring *ring, bool first)
{
    await(bide_yield());
    if (first)
        ring->start_ns = measure_now_ns();
    for (uint64_t turn = 0; turn < ring->turns; turn++)
        await(deep_1());
    if (first)
        ring->end_ns = measure_now_ns();
    return bide_void;
}

static async(measured) yield_depth4(uint64_t count)
{
    struct ring ring = {.turns = (count + 63) / 64};
    with_group(g) {
        for (int i = 0; i < 64; i++)
            spawn_void(g, deep_member, &ring, i == 0);
    }
    measured run = {ring.turns * 64, ring.end_ns - ring.start_ns};
    return ready(measured, run);
}

/* spawn_join_* */
SPAWNABLE(uint64_t, leaf, uint64_t)
async(uint64_t) leaf(uint64_t value)
{
    total += value;
    return ready(uint64_t, value);
}

static async(measured) spawn_join_one(uint64_t count)
{
    uint64_t sum = 0, start_ns = measure_now_ns();
    with_group(g) {
        for (uint64_t i = 0; i < count; i++) {
            task(uint64_t) child = spawn(g, leaf, 1);
            sum += await_task(child);
        }
    }
    measured run = {count, measure_now_ns() - start_ns};
    if (sum != count)
        abort();
    return ready(measured, run);
}

static async(measured) spawn_join_batch(uint64_t count)
{
    uint64_t batches = (count + 999) / 1000, total_before = total, start_ns = measure_now_ns();
    for (uint64_t batch = 0; batch < batches; batch++) {
        with_group(g) {
            for (int i = 0; i < 1000; i++)
                spawn_void(g, leaf, 1);
        }
    }
    measured run = {batches * 1000, measure_now_ns() - start_ns};
    if (total - total_before != run.operations)
        abort();
    return ready(measured, run);
}

/* channel_rendezvous, channel_buffered */
typedef bide_channel(uint64_t) numbers;

SPAWNABLE(void, answerer, numbers *, numbers *)
async(void) answerer(numbers *ping, numbers *pong)
{
    uint64_t value;
    while (await(bide_receive(ping, &value)))
        await(bide_send(pong, value));
    return bide_void;
}

static async(measured) channel_rendezvous(uint64_t count)
{
    uint64_t value, elapsed_ns = 0;
    with_channel(uint64_t, ping, 0) {
        with_channel(uint64_t, pong, 0) {
            with_group(g) {
                spawn_void(g, answerer, ping, pong);
                uint64_t start_ns = measure_now_ns();
                for (uint64_t i = 0; i < count; i++) {
                    await(bide_send(ping, i));
                    if (!await(bide_receive(pong, &value)) || value != i)
                        abort();
                }
                elapsed_ns = measure_now_ns() - start_ns;
                bide_channel_close(ping);
            }
        }
    }
    measured run = {count, elapsed_ns};
    return ready(measured, run);
}

SPAWNABLE(void, producer, numbers *, uint64_t)
async(void) producer(numbers *channel, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        await(bide_send(channel, i));
    bide_channel_close(channel);
    return bide_void;
}

static async(measured) channel_buffered(uint64_t count)
{
    uint64_t value, received = 0, elapsed_ns = 0;
    with_channel(uint64_t, channel, 128) {
        with_group(g) {
            uint64_t start_ns = measure_now_ns();
            spawn_void(g, producer, channel, count);
            while (await(bide_receive(channel, &value)))
                received += value == received;
            elapsed_ns = measure_now_ns() - start_ns;
        }
    }
    if (received != count)
        abort();
    measured run = {count, elapsed_ns};
    return ready(measured, run);
}

/* mutex_free, mutex_contended */
static bide_mutex mutex;

static async(measured) mutex_free(uint64_t count)
{
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        with_lock(&mutex) {
            __asm__ volatile("" ::: "memory"); /* the compiler must not see through the lock */
        }
    }
    measured run = {count, measure_now_ns() - start_ns};
    return ready(measured, run);
}

SPAWNABLE(void, contender, uint64_t)
async(void) contender(uint64_t turns)
{
    for (uint64_t turn = 0; turn < turns; turn++) {
        with_lock(&mutex) {
            await(bide_yield());
        }
    }
    return bide_void;
}

static async(measured) mutex_contended(uint64_t count)
{
    uint64_t turns = (count + 1) / 2, start_ns = measure_now_ns();
    with_group(g) {
        spawn_void(g, contender, turns);
        spawn_void(g, contender, turns);
    }
    measured run = {turns * 2, measure_now_ns() - start_ns};
    return ready(measured, run);
}

static async(measured) deadline_scope(uint64_t count)
{
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        with_deadline(bide_s(2)) {
            total++;
        }
    }
    measured run = {count, measure_now_ns() - start_ns};
    return ready(measured, run);
}

/* fail_4: see rival_throw.cpp. */
static volatile unsigned released;

static void release(unsigned *weight)
{
    released = released + *weight;
}

#define HELD __attribute__((cleanup(release), unused)) unsigned held
#define FRAME __attribute__((noinline))

FRAME static async(int) frame_4(int input)
{
    HELD = 4;
    if (input >= 0)
        fail(bide_error_new(409, "taken"));
    return ready(int, input);
}

FRAME static async(int) frame_3(int input)
{
    HELD = 3;
    return ready(int, await(frame_4(input)) + 1);
}

FRAME static async(int) frame_2(int input)
{
    HELD = 2;
    return ready(int, await(frame_3(input)) + 1);
}

SPAWNABLE(int, frame_1, int)
FRAME async(int) frame_1(int input)
{
    HELD = 1;
    return ready(int, await(frame_2(input)) + 1);
}

static async(measured) fail_4(uint64_t count)
{
    uint64_t caught = 0;
    unsigned released_before = released;
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        bide_error *error;
        attempt(&error, frame_1, (int)(i & 0xffff));
        caught += error && error->code == 409;
    }
    measured run = {count, measure_now_ns() - start_ns};
    if (caught != count || released - released_before != (unsigned)(10 * count))
        abort();
    return ready(measured, run);
}

/* parked_1m: every task is woken once and weighed when it is parked again. */
enum { PARKED = 1000000 };
static int started, woken, left;

SPAWNABLE(void, sleeper, numbers *)
async(void) sleeper(numbers *wake)
{
    uint64_t value;
    started++;
    if (await(bide_receive(wake, &value)))
        woken++;
    if (!await(bide_receive(wake, &value)))
        left++;
    return bide_void;
}

static long memory_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long bytes = 0, kib;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1 || sscanf(line, "VmPTE: %ld", &kib) == 1)
            bytes += kib * 1024;
    if (status)
        fclose(status);
    return bytes;
}

static int mapping_count(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int lines = 0, c;
    while (maps && (c = fgetc(maps)) != EOF)
        lines += c == '\n';
    if (maps)
        fclose(maps);
    return lines;
}

static async(void) parked_1m(void)
{
    with_channel(uint64_t, wake, 0) {
        with_group(g) {
            long before = memory_bytes();
            for (int i = 0; i < PARKED; i++)
                spawn_void(g, sleeper, wake);
            while (started < PARKED)
                await(bide_yield());
            for (uint64_t i = 0; i < PARKED; i++)
                await(bide_send(wake, i));
            while (woken < PARKED)
                await(bide_yield());
            await(bide_yield());
            long bytes = memory_bytes() - before;
            if (left != 0)
                abort();
            printf("parked_1m %ld\n", bytes / PARKED);
            printf("parked_1m_mappings %d\n", mapping_count());
            bide_channel_close(wake);
        }
    }
    if (left != PARKED)
        abort();
    return bide_void;
}

static const struct {
    const char *name;
    async_fn(measured) (*run)(uint64_t count);
    uint64_t first_count;
} cases[] = {
    {"yield_2", yield_2, 1000},
    {"yield_64", yield_64, 10000},
    {"yield_1000", yield_1000, 10000},
    {"yield_100k", yield_100k, 400000},
    {"yield_depth4", yield_depth4, 10000},
    {"spawn_join_one", spawn_join_one, 1000},
    {"spawn_join_batch", spawn_join_batch, 10000},
    {"channel_rendezvous", channel_rendezvous, 1000},
    {"channel_buffered", channel_buffered, 10000},
    {"mutex_free", mutex_free, 10000},
    {"mutex_contended", mutex_contended, 1000},
    {"deadline_scope", deadline_scope, 10000},
    {"fail_4", fail_4, 1000},
};

static async(void) run_case(size_t c)
{
    uint64_t target_ns = measure_target_ns(), count = cases[c].first_count;
    for (int last = 0; !last;)
        count = measure_next_count(await(cases[c].run(count)), target_ns, &last);
    measure_print(cases[c].name, await(cases[c].run(count)));
    return bide_void;
}

static async(void) run(void)
{
    for (int i = 1; i < argument_count; i++) {
        if (!strcmp(arguments[i], "parked_1m"))
            await(parked_1m());
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            if (!strcmp(arguments[i], cases[c].name))
                await(run_case(c));
    }
    return bide_void;
}

int main(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
    return bide_run(run);
}
