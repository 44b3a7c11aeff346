/* State Threads beside bide. Version 1.9 has no yield: its switch is a ring of threads in which
 * each signals the next one's condition and waits on its own, so that one operation is one signal,
 * one wait and one switch. */
#include "measure.h"
#include <st.h>

enum { STACK_BYTES = 16384 };

static void must(int holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static st_thread_t start(void *(*body)(void *), void *argument)
{
    st_thread_t thread = st_thread_create(body, argument, 1, STACK_BYTES);
    must(thread != NULL, "st_thread_create");
    return thread;
}

/* yield_N */
static st_cond_t *ring;
static uint64_t ring_size, ring_turns, ring_start_ns, ring_end_ns;

static void *ring_member(void *argument)
{
    uint64_t place = (uintptr_t)argument, next = (place + 1) % ring_size;
    st_cond_wait(ring[place]); /* turn 0 is the warm-up */
    st_cond_signal(ring[next]);
    st_cond_wait(ring[place]);
    if (place == 0)
        ring_start_ns = measure_now_ns();
    for (uint64_t turn = 0; turn < ring_turns; turn++) {
        st_cond_signal(ring[next]);
        st_cond_wait(ring[place]);
    }
    if (place == 0)
        ring_end_ns = measure_now_ns();
    st_cond_signal(ring[next]);
    return NULL;
}

static struct measured yield_ring(uint64_t members, uint64_t count)
{
    st_thread_t *threads = calloc(members, sizeof *threads);
    ring = calloc(members, sizeof *ring);
    must(threads && ring, "calloc");
    ring_size = members;
    ring_turns = (count + members - 1) / members;
    for (uint64_t i = 0; i < members; i++) {
        ring[i] = st_cond_new();
        threads[i] = start(ring_member, (void *)(uintptr_t)i);
    }
    st_usleep(0); /* lets every member reach its first wait */
    st_cond_signal(ring[0]);
    for (uint64_t i = 0; i < members; i++)
        st_thread_join(threads[i], NULL);
    for (uint64_t i = 0; i < members; i++)
        st_cond_destroy(ring[i]);
    free(threads);
    free(ring);
    return (struct measured){ring_turns * members, ring_end_ns - ring_start_ns};
}

static struct measured yield_2(uint64_t count)
{
    return yield_ring(2, count);
}
static struct measured yield_64(uint64_t count)
{
    return yield_ring(64, count);
}
static struct measured yield_1000(uint64_t count)
{
    return yield_ring(1000, count);
}
static struct measured yield_100k(uint64_t count)
{
    return yield_ring(100000, count);
}

/* spawn_join_* */
static uint64_t total;

static void *leaf(void *argument)
{
    total += (uintptr_t)argument;
    return NULL;
}

static struct measured spawn_join_one(uint64_t count)
{
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++)
        st_thread_join(start(leaf, (void *)(uintptr_t)1), NULL);
    return (struct measured){count, measure_now_ns() - start_ns};
}

static struct measured spawn_join_batch(uint64_t count)
{
    static st_thread_t batch[1000];
    uint64_t batches = (count + 999) / 1000, start_ns = measure_now_ns();
    for (uint64_t b = 0; b < batches; b++) {
        for (int i = 0; i < 1000; i++)
            batch[i] = start(leaf, (void *)(uintptr_t)1);
        for (int i = 0; i < 1000; i++)
            st_thread_join(batch[i], NULL);
    }
    return (struct measured){batches * 1000, measure_now_ns() - start_ns};
}

/* channel_rendezvous: State Threads has no channels, a message is a variable and a condition. */
static st_cond_t ping_cond, pong_cond;
static int ping_full, pong_full;

static void *answerer(void *argument)
{
    uint64_t rounds = *(uint64_t *)argument;
    for (uint64_t i = 0; i < rounds; i++) {
        while (!ping_full)
            st_cond_wait(ping_cond);
        ping_full = 0;
        pong_full = 1;
        st_cond_signal(pong_cond);
    }
    return NULL;
}

static struct measured channel_rendezvous(uint64_t count)
{
    ping_cond = st_cond_new();
    pong_cond = st_cond_new();
    st_thread_t thread = start(answerer, &count);
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        ping_full = 1;
        st_cond_signal(ping_cond);
        while (!pong_full)
            st_cond_wait(pong_cond);
        pong_full = 0;
    }
    struct measured run = {count, measure_now_ns() - start_ns};
    st_thread_join(thread, NULL);
    st_cond_destroy(ping_cond);
    st_cond_destroy(pong_cond);
    return run;
}

static struct measured mutex_free(uint64_t count)
{
    st_mutex_t mutex = st_mutex_new();
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        st_mutex_lock(mutex);
        st_mutex_unlock(mutex);
    }
    struct measured run = {count, measure_now_ns() - start_ns};
    st_mutex_destroy(mutex);
    return run;
}

static const struct {
    const char *name;
    measured_case run;
    uint64_t first_count;
} cases[] = {
    {"yield_2", yield_2, 1000},
    {"yield_64", yield_64, 10000},
    {"yield_1000", yield_1000, 10000},
    {"yield_100k", yield_100k, 400000},
    {"spawn_join_one", spawn_join_one, 1000},
    {"spawn_join_batch", spawn_join_batch, 10000},
    {"channel_rendezvous", channel_rendezvous, 1000},
    {"mutex_free", mutex_free, 10000},
};

int main(int argc, char **argv)
{
    must(st_set_eventsys(ST_EVENTSYS_ALT) == 0 && st_init() == 0, "st_init");
    for (int i = 1; i < argc; i++)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            if (!strcmp(argv[i], cases[c].name))
                measure_case(cases[c].name, cases[c].run, cases[c].first_count);
    return 0;
}
