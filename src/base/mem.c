/*
 * The allocator door: see mem.h. Called by everything in the library that allocates; calls libc.
 *
 * The count of live blocks is kept in a few shards, picked by thread, so that loops do not share a
 * cache line. A block may be freed in another thread than it was made in: only the sum has a
 * meaning.
 */
#include "base/mem.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SHARDS = 16 };

static struct {
    int64_t live;
} __attribute__((aligned(64))) shards[SHARDS];

static unsigned threads_seen;
static _Thread_local unsigned own_shard; /* 0 until chosen, else index + 1 */

static int failing; /* bits: see below */
enum { FAIL_ASKED = 1, FAIL_PERSISTENT = 2 };
static uint64_t calls_until_failure;
static int has_failed;

static void count_live(int64_t change)
{
    if (bide__unlikely(own_shard == 0))
        own_shard = 1 + __atomic_fetch_add(&threads_seen, 1, __ATOMIC_RELAXED) % SHARDS;
    __atomic_fetch_add(&shards[own_shard - 1].live, change, __ATOMIC_RELAXED);
}

int64_t bide__mem_live(void)
{
    int64_t sum = 0;
    for (int i = 0; i < SHARDS; i++)
        sum += __atomic_load_n(&shards[i].live, __ATOMIC_RELAXED);
    return sum;
}

void bide__mem_fail_at(uint64_t n, bool persistent)
{
    __atomic_store_n(&failing, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&has_failed, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&calls_until_failure, n, __ATOMIC_SEQ_CST);
    if (n > 0)
        __atomic_store_n(&failing, FAIL_ASKED | (persistent ? FAIL_PERSISTENT : 0),
                         __ATOMIC_SEQ_CST);
}

bool bide__mem_failed(void)
{
    return __atomic_load_n(&has_failed, __ATOMIC_SEQ_CST);
}

/* Counts down; with many threads exactly one call hits 1, and the count wraps harmlessly behind it.
 */
static __attribute__((noinline, cold)) bool failure_due(int mode)
{
    uint64_t left = __atomic_fetch_sub(&calls_until_failure, 1, __ATOMIC_SEQ_CST);
    if (left == 1)
        __atomic_store_n(&has_failed, 1, __ATOMIC_SEQ_CST);
    return left == 1 || ((mode & FAIL_PERSISTENT) && bide__mem_failed());
}

bool bide__mem_should_fail(void)
{
    int mode = __atomic_load_n(&failing, __ATOMIC_RELAXED);
    return bide__unlikely(mode) && failure_due(mode);
}

/* Debug builds give memory with a pattern, so that reading what was never written shows. */
static void *obtained(void *memory, size_t size)
{
    if (bide__unlikely(!memory))
        return NULL;
    count_live(1);
    if (BIDE_DEBUG && size > 0)
        memset(memory, BIDE__FILL_FRESH, size);
    return memory;
}

void *bide__alloc(size_t size)
{
    if (bide__mem_should_fail())
        return NULL;
    if (size == 0)
        size = 1;
    BIDE__UNSEEN_BEGIN();
    void *memory = obtained(malloc(size), size);
    BIDE__UNSEEN_END();
    return memory;
}

void *bide__calloc(size_t count, size_t size)
{
    size_t total; /* tested here, because sanitizers end the program at an overflow in calloc */
    if (bide__mem_should_fail() || __builtin_mul_overflow(count, size, &total))
        return NULL;
    if (total == 0)
        count = size = 1;
    BIDE__UNSEEN_BEGIN();
    void *memory = obtained(calloc(count, size), 0);
    BIDE__UNSEEN_END();
    return memory;
}

void *bide__calloc_apart(size_t size)
{
    BIDE__UNSEEN_BEGIN();
    void *memory = obtained(calloc(1, size), 0);
    BIDE__UNSEEN_END();
    return memory;
}

void *bide__realloc(void *memory, size_t size)
{
    if (!memory)
        return bide__alloc(size);
    if (bide__mem_should_fail())
        return NULL;
    BIDE__UNSEEN_BEGIN();
    memory = realloc(memory, size ? size : 1);
    BIDE__UNSEEN_END();
    return memory;
}

void *bide__alloc_aligned(size_t alignment, size_t size)
{
    BIDE_ASSERT(alignment && !(alignment & (alignment - 1)), "alignment %zu is no power of two",
                alignment);
    if (bide__mem_should_fail())
        return NULL;
    void *memory = NULL;
    if (size == 0)
        size = 1;
    BIDE__UNSEEN_BEGIN();
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) != 0)
        memory = NULL;
    memory = obtained(memory, size);
    BIDE__UNSEEN_END();
    return memory;
}

char *bide__strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = bide__alloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void bide__free(void *memory)
{
    if (!memory)
        return;
    count_live(-1);
    BIDE__UNSEEN_BEGIN();
    free(memory);
    BIDE__UNSEEN_END();
}

static size_t round_to_pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) & ~(page - 1);
}

void *bide__pages_alloc(size_t size)
{
    size_t rounded = round_to_pages(size);
    if (rounded < size || rounded == 0 || bide__mem_should_fail())
        return NULL;
    BIDE__UNSEEN_BEGIN();
    void *memory = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BIDE__UNSEEN_END();
    return memory == MAP_FAILED ? NULL : memory;
}

void bide__pages_free(void *memory, size_t size)
{
    if (!memory)
        return;
    BIDE__UNSEEN_BEGIN();
    int failed = munmap(memory, round_to_pages(size));
    BIDE__UNSEEN_END();
    BIDE_ASSERT(!failed, "munmap of %zu bytes at %p: errno %d", size, memory, errno);
}
