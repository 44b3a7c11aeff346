/* Pools: reuse, remote frees under load, the count of live objects, every allocation failing once.
 */
#include "base/slab.h"

#include <bide/test.h>

#include <pthread.h>
#include <string.h>

TEST_PLAIN(the_last_freed_object_comes_first)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 48, 10);
    void *a = bide__slab_alloc(&slab);
    void *b = bide__slab_alloc(&slab);
    require(a && b && a != b);
    check_int((uintptr_t)a % 16, 0);
    bide__slab_free(&slab, a);
    bide__slab_free(&slab, b);
    check_ptr(bide__slab_alloc(&slab), b);
    check_ptr(bide__slab_alloc(&slab), a);
    check_int(bide__slab_done(&slab), 2);
    bide__slab_free(&slab, a);
    bide__slab_free(&slab, b);
    check_int(bide__slab_done(&slab), 0);
}

TEST_PLAIN(objects_do_not_overlap)
{
    int64_t before = bide__mem_live();
    struct bide__slab slab;
    bide__slab_init(&slab, 64, 7);
    unsigned char *objects[100];
    for (int i = 0; i < 100; i++) {
        objects[i] = bide__slab_alloc(&slab);
        require(objects[i]);
        check_int((uintptr_t)objects[i] % 64, 0);
        memset(objects[i], i, 64);
    }
    check_int(slab.live, 100);
    for (int i = 0; i < 100; i++) {
        check(objects[i][0] == i && objects[i][63] == i);
        bide__slab_free(&slab, objects[i]);
    }
    check(bide__mem_live() > before);
    check_int(bide__slab_done(&slab), 0);
    check_int(bide__mem_live(), before);
}

TEST_PLAIN(a_pool_may_be_used_again_after_its_end)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 16, 4);
    bide__slab_free(&slab, bide__slab_alloc(&slab));
    check_int(bide__slab_done(&slab), 0);
    void *again = bide__slab_alloc(&slab);
    check(again != NULL);
    bide__slab_free(&slab, again);
    check_int(bide__slab_done(&slab), 0);
}

enum { FREERS = 3, OBJECTS = 6000, IN_FLIGHT = 64 };

/* A box through which the owner hands objects to the other threads, one place per thread and round.
 */
struct box {
    struct bide__slab *slab;
    void *places[IN_FLIGHT];
    int stop;
};

static void *free_what_comes(void *box_)
{
    struct box *box = box_;
    while (!__atomic_load_n(&box->stop, __ATOMIC_ACQUIRE))
        for (int i = 0; i < IN_FLIGHT; i++) {
            unsigned char *object = __atomic_exchange_n(&box->places[i], NULL, __ATOMIC_ACQ_REL);
            if (!object)
                continue;
            check(object[0] == 0x5A && object[199] == 0x5A);
            bide__slab_free_remote(box->slab, object);
        }
    return NULL;
}

TEST_PLAIN(other_threads_free_while_the_owner_allocates)
{
    int64_t before = bide__mem_live();
    struct bide__slab slab;
    bide__slab_init(&slab, 200, 100);
    struct box boxes[FREERS] = {0};
    pthread_t threads[FREERS];
    for (int i = 0; i < FREERS; i++) {
        boxes[i].slab = &slab;
        pthread_create(&threads[i], NULL, free_what_comes, &boxes[i]);
    }
    for (int n = 0; n < OBJECTS; n++) {
        void *object = bide__slab_alloc(&slab);
        require(object);
        memset(object, 0x5A, 200);
        void **place = &boxes[n % FREERS].places[n / FREERS % IN_FLIGHT];
        void *left = __atomic_exchange_n(place, object, __ATOMIC_ACQ_REL);
        if (left)
            bide__slab_free(&slab, left);
    }
    for (int i = 0; i < FREERS; i++) {
        __atomic_store_n(&boxes[i].stop, 1, __ATOMIC_RELEASE);
        pthread_join(threads[i], NULL);
        for (int place = 0; place < IN_FLIGHT; place++)
            if (boxes[i].places[place])
                bide__slab_free(&slab, boxes[i].places[place]);
    }
    check_int(bide__slab_done(&slab), 0);
    check_int(bide__mem_live(), before);
}

static void *free_remotely(void *slab_and_object)
{
    void **pair = slab_and_object;
    bide__slab_free_remote(pair[0], pair[1]);
    return NULL;
}

TEST_PLAIN(remote_frees_come_back_when_collected_or_needed)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 2048, 1);
    void *object = bide__slab_alloc(&slab);
    pthread_t thread;
    void *pair[2] = {&slab, object};
    pthread_create(&thread, NULL, free_remotely, pair);
    pthread_join(thread, NULL);
    check_int(slab.live, 1);
    check_ptr(bide__slab_alloc(&slab), object);
    check_int(slab.live, 1);
    pthread_create(&thread, NULL, free_remotely, pair);
    pthread_join(thread, NULL);
    check_int(bide__slab_collect(&slab), 1);
    check_int(bide__slab_collect(&slab), 0);
    check_int(bide__slab_done(&slab), 0);
}

TEST_PLAIN(a_failed_chunk_leaves_the_pool_usable)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 32, 2);
    bide__mem_fail_at(1, false);
    check_ptr(bide__slab_alloc(&slab), NULL);
    check_int(slab.live, 0);
    void *object = bide__slab_alloc(&slab);
    check(object != NULL);
    bide__mem_fail_at(0, false);
    bide__slab_free(&slab, object);
    check_int(bide__slab_done(&slab), 0);
}

#if BIDE__ASAN
static void free_twice(void)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 64, 4);
    void *object = bide__slab_alloc(&slab);
    bide__slab_alloc(&slab);
    bide__slab_free(&slab, object);
    bide__slab_free(&slab, object);
}

static void free_twice_remotely(void)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 64, 4);
    void *object = bide__slab_alloc(&slab);
    bide__slab_free_remote(&slab, object);
    bide__slab_free_remote(&slab, object);
}

static void read_a_free_object(void)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 64, 4);
    volatile char *object = bide__slab_alloc(&slab);
    bide__slab_free(&slab, (void *)object);
    (void)object[8];
}

TEST_PLAIN(the_sanitizer_sees_into_pools)
{
    check_dies(free_twice, "freed twice");
    check_dies(free_twice_remotely, "freed twice");
    check_dies(read_a_free_object, "use-after-poison");
}
#elif BIDE_DEBUG
static void write_to_a_free_object(void)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 64, 4);
    char *object = bide__slab_alloc(&slab);
    bide__slab_free(&slab, object);
    object[20] = 1;
    bide__slab_alloc(&slab);
}

TEST_PLAIN(a_write_after_free_is_reported)
{
    check_dies(write_to_a_free_object, "byte 20 of a free object of 64 bytes");
}
#endif

#if BIDE_DEBUG
static void *allocate(void *slab)
{
    bide__slab_alloc(slab);
    return NULL;
}

static void allocate_elsewhere(void)
{
    struct bide__slab slab;
    bide__slab_init(&slab, 64, 4);
    bide__slab_alloc(&slab);
    pthread_t thread;
    pthread_create(&thread, NULL, allocate, &slab);
    pthread_join(thread, NULL);
}

TEST_PLAIN(a_foreign_thread_is_reported)
{
    check_dies(allocate_elsewhere, "used by a thread that does not own it");
}
#endif
