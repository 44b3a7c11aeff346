/* The allocator door: counting, failing on demand, also from several threads. */
#include "base/mem.h"

#include <bide/test.h>

#include <pthread.h>
#include <string.h>

TEST_PLAIN(live_blocks_are_counted)
{
    int64_t before = bide__mem_live();
    char *a = bide__alloc(10);
    char *b = bide__calloc(3, 7);
    char *c = bide__strdup("text");
    char *d = bide__alloc_aligned(64, 100);
    check_int(bide__mem_live() - before, 4);
    check_int((uintptr_t)d % 64, 0);
    check_str(c, "text");
    check(b[0] == 0 && b[20] == 0);
    a = bide__realloc(a, 1000);
    check_int(bide__mem_live() - before, 4);
    bide__free(a);
    bide__free(b);
    bide__free(c);
    bide__free(d);
    bide__free(NULL);
    check_int(bide__mem_live() - before, 0);
}

TEST_PLAIN(size_zero_gives_a_pointer)
{
    void *a = bide__alloc(0);
    void *b = bide__calloc(0, 8);
    void *c = bide__realloc(NULL, 0);
    check(a && b && c && a != b && b != c);
    bide__free(a);
    bide__free(b);
    bide__free(c);
}

TEST_PLAIN(impossible_sizes_fail)
{
    volatile size_t huge = SIZE_MAX - 100;
    check_ptr(bide__calloc(huge / 2, 4), NULL);
    check_ptr(bide__pages_alloc(huge), NULL);
    check_ptr(bide__pages_alloc(SIZE_MAX), NULL);
}

TEST_PLAIN(the_asked_for_call_fails_once)
{
    bide__mem_fail_at(3, false);
    void *first = bide__alloc(1);
    void *second = bide__alloc(1);
    check(!bide__mem_failed());
    check_ptr(bide__alloc(1), NULL);
    check(bide__mem_failed());
    void *fourth = bide__alloc(1);
    check(first && second && fourth);
    bide__mem_fail_at(0, false);
    check(!bide__mem_failed());
    bide__free(first);
    bide__free(second);
    bide__free(fourth);
}

TEST_PLAIN(every_door_fails_and_a_failed_realloc_keeps_the_block)
{
    char *block = bide__strdup("kept");
    int64_t before = bide__mem_live();
    bide__mem_fail_at(1, true);
    check_ptr(bide__alloc(8), NULL);
    check_ptr(bide__calloc(1, 8), NULL);
    check_ptr(bide__strdup("x"), NULL);
    check_ptr(bide__alloc_aligned(64, 8), NULL);
    check_ptr(bide__pages_alloc(4096), NULL);
    check_ptr(bide__realloc(block, 4096), NULL);
    check(bide__mem_should_fail());
    bide__mem_fail_at(0, false);
    check(!bide__mem_should_fail());
    check_str(block, "kept");
    check_int(bide__mem_live(), before);
    bide__free(block);
}

TEST_PLAIN(pages_are_aligned_and_zero)
{
    unsigned char *pages = bide__pages_alloc(5000);
    check(pages != NULL);
    check_int((uintptr_t)pages % 4096, 0);
    check(pages[0] == 0 && pages[8191] == 0);
    memset(pages, 1, 8192);
    bide__pages_free(pages, 5000);
    bide__pages_free(NULL, 5000);
}

enum { THREADS = 4, ROUNDS = 2000 };
static int failures;

static void *allocate_and_free(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        void *block = bide__alloc(32);
        if (!block)
            __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
        bide__free(block);
    }
    return unused;
}

TEST_PLAIN(exactly_one_of_many_threads_fails)
{
    int64_t before = bide__mem_live();
    pthread_t threads[THREADS];
    bide__mem_fail_at(THREADS * ROUNDS / 2, false);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, allocate_and_free, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    bide__mem_fail_at(0, false);
    check_int(failures, 1);
    check_int(bide__mem_live(), before);
}
