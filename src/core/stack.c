/*
 * Task stacks: arenas of slots, and the guards below them. Called by loop.c (take, give), by the
 * fault handler (overflown) and by reports (high water); calls mem for its records and the log
 * once.
 *
 * Invariants
 *  1. Slots of an arena are used in order: [0, made) have a stack, [made, guarded) have a guard
 *     only, the rest is untouched.
 *  2. Guards are made in batches. Of the newest batch, slots from `canary_from` on have no guard.
 *  3. The process never has more mappings for guards than the budget.
 */
#include "core/stack.h"

#include "base/assert.h"
#include "base/caps.h"

#include <bide/log.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if BIDE__ASAN
#include <sanitizer/lsan_interface.h>
#endif
#if BIDE_VALGRIND
#include <valgrind/memcheck.h>
#endif

/* Linux 6.13; not in the headers of older systems. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    SLOT_BYTES = BIDE_CAP_STACK_SLOT_BYTES,
    GUARD_BYTES = BIDE_CAP_STACK_GUARD_BYTES,
    KEEP_BYTES = BIDE_CAP_STACK_KEEP_BYTES,
    PAGE_BYTES = 4096, /* the smallest there is */
    COLOURS = 16,
    COLOUR_BYTES = 128,
    TOP_BYTES = 64, /* of a slot, for its struct: a cache line */
    ARENA_FIRST_SLOTS = BIDE_DEBUG ? 2 : 16,
    ARENA_MAX_SLOTS = 16384, /* 4 GiB of address space */
    BATCH_MIN = 32,
    BATCH_MAX = 512,
    MAPPINGS_PER_GUARD = 2,
    TSAN_FIBERS_MAX = 6000, /* its table of threads ends at about 8000 */
};

/* What is at the top of a slot. */
struct slot_top {
    struct bide__stack stack;
    bool canary; /* no guard: look at the page below when it is given back */
};

_Static_assert(sizeof(struct slot_top) <= TOP_BYTES, "the struct at the top of a slot has grown");

struct bide__stack_arena {
    struct bide__stack_arena *next;
    char *slots; /* aligned to SLOT_BYTES, inside the mapping */
    void *mapping;
    size_t mapping_bytes;
    size_t slot_count;
    size_t made, guarded;
    size_t canary_from;
    size_t protected; /* slots that hold a part of the budget of mappings */
};

void (*bide__stack_smashed)(struct bide__stack *stack);

/* Process-wide: found by the probe. */
static pthread_once_t probe_once = PTHREAD_ONCE_INIT;
static enum bide__guard probed;
static long mappings_max;

/* Process-wide: atomic. */
static long mappings_used;
static int forced; /* enum bide__guard */
static int exhaustion_said;

static long read_max_map_count(void)
{
    char text[32] = "";
    long count = 65530; /* the kernel's default */
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return count;
    if (read(fd, text, sizeof text - 1) > 0)
        count = strtol(text, NULL, 10);
    close(fd);
    return count;
}

static bool guard_install_works(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    bool works = madvise(page, size, MADV_GUARD_INSTALL) == 0;
    munmap(page, size);
    return works;
}

static void probe(void)
{
    mappings_max = read_max_map_count() / 100 * 45;
    /* LeakSanitizer reads whole arenas, and skips what the list of mappings says is not readable:
       an installed guard is not in that list. */
    if (!BIDE__ASAN && guard_install_works()) {
        probed = BIDE__GUARD_INSTALL;
        bide_log(BIDE_LOG_DEBUG, "stack guards: MADV_GUARD_INSTALL");
        return;
    }
    probed = BIDE__GUARD_PROTECT;
    bide_log(BIDE__ASAN ? BIDE_LOG_DEBUG : BIDE_LOG_INFO,
             "stack guards: mprotect for %ld stacks (45 %% of vm.max_map_count), canaries beyond, "
             "because %s",
             mappings_max / MAPPINGS_PER_GUARD,
             BIDE__ASAN ? "LeakSanitizer cannot read past better ones"
                        : "MADV_GUARD_INSTALL needs Linux 6.13");
}

enum bide__guard bide__stack_guard(void)
{
    pthread_once(&probe_once, probe);
    enum bide__guard least = (enum bide__guard)__atomic_load_n(&forced, __ATOMIC_RELAXED);
    enum bide__guard guard = probed > least ? probed : least;
    if (guard == BIDE__GUARD_PROTECT &&
        __atomic_load_n(&mappings_used, __ATOMIC_RELAXED) + MAPPINGS_PER_GUARD > mappings_max)
        return BIDE__GUARD_CANARY;
    return guard;
}

void bide__stack_force_guard(enum bide__guard guard)
{
    __atomic_store_n(&forced, (int)guard, __ATOMIC_RELAXED);
}

/* Guards of a whole batch by one call; how many it made. A pidfd that is kept for the next time
   would name the parent after a fork. */
static size_t install_together(char *first, size_t count)
{
#if BIDE_VALGRIND
    if (RUNNING_ON_VALGRIND) /* it warns about system calls that it does not know */
        return 0;
#endif
#if defined(SYS_pidfd_open) && defined(SYS_process_madvise)
    struct iovec guards[BATCH_MAX];
    for (size_t i = 0; i < count; i++)
        guards[i] = (struct iovec){first + i * SLOT_BYTES, GUARD_BYTES};
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (self < 0)
        return 0;
    long bytes = syscall(SYS_process_madvise, self, guards, count, MADV_GUARD_INSTALL, 0);
    close(self);
    return bytes > 0 ? (size_t)bytes / GUARD_BYTES : 0;
#else
    (void)first;
    (void)count;
    return 0;
#endif
}

/* Both give how many slots, from `first` on, have a guard now. */
static size_t install_guards(char *first, size_t count)
{
    size_t done = install_together(first, count);
    while (done < count && madvise(first + done * SLOT_BYTES, GUARD_BYTES, MADV_GUARD_INSTALL) == 0)
        done++;
    return done;
}

static size_t protect_guards(char *first, size_t count)
{
    size_t done = 0;
    for (; done < count; done++) {
        long used = __atomic_add_fetch(&mappings_used, MAPPINGS_PER_GUARD, __ATOMIC_RELAXED);
        if (used > mappings_max || mprotect(first + done * SLOT_BYTES, GUARD_BYTES, PROT_NONE)) {
            __atomic_sub_fetch(&mappings_used, MAPPINGS_PER_GUARD, __ATOMIC_RELAXED);
            break;
        }
    }
    return done;
}

/* How many slots get guards together when `guarded` have one: a function of it alone, so that the
   batches of an arena can be found again. */
static size_t batch_after(const struct bide__stack_arena *arena, size_t guarded)
{
    size_t batch = guarded < BATCH_MIN ? BATCH_MIN : guarded < BATCH_MAX ? guarded : BATCH_MAX;
    size_t left = arena->slot_count - guarded;
    return batch < left ? batch : left;
}

static void guard_batch(struct bide__stack_arena *arena)
{
    size_t count = batch_after(arena, arena->guarded);
    char *first = arena->slots + arena->guarded * SLOT_BYTES;
    enum bide__guard guard = bide__stack_guard();
    size_t done = 0;
    if (guard == BIDE__GUARD_INSTALL)
        done = install_guards(first, count);
    if (done < count && guard != BIDE__GUARD_CANARY) {
        size_t protected = protect_guards(first + done * SLOT_BYTES, count - done);
        arena->protected += protected;
        done += protected;
    }
    if (done < count && !__atomic_exchange_n(&exhaustion_said, 1, __ATOMIC_RELAXED))
        bide_log(
            BIDE_LOG_INFO,
            "stack guards: only canaries from now on; mprotect has %ld of at most %ld mappings "
            "(45 %% of vm.max_map_count)",
            __atomic_load_n(&mappings_used, __ATOMIC_RELAXED), mappings_max);
#if BIDE__ASAN
    __lsan_register_root_region(first, count * SLOT_BYTES);
#endif
    arena->canary_from = arena->guarded + done;
    arena->guarded += count;
}

/* Maps an arena twice as large as the last one; a smaller one when the system has not that much. */
static struct bide__stack_arena *arena_new(size_t slot_count)
{
    struct bide__stack_arena *arena = bide__calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    char *mapping = MAP_FAILED;
    size_t bytes = 0;
    if (!bide__mem_should_fail()) {
        for (; slot_count > 0 && mapping == MAP_FAILED; slot_count /= 2) {
            arena->slot_count = slot_count;
            bytes = (slot_count + 1) * SLOT_BYTES; /* one more, for the alignment */
            mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        }
    }
    if (mapping == MAP_FAILED) {
        bide__free(arena);
        return NULL;
    }
    /* May fail: a kernel without huge pages does not know the advice. */
    (void)madvise(mapping, bytes, MADV_NOHUGEPAGE);
    arena->mapping = mapping;
    arena->mapping_bytes = bytes;
    arena->slots = mapping + (-(uintptr_t)mapping & (SLOT_BYTES - 1));
    return arena;
}

static struct slot_top *slot_top(const struct bide__stack_arena *arena, size_t index)
{
    char *end = arena->slots + (index + 1) * SLOT_BYTES;
    return (struct slot_top *)(void *)(end - index % COLOURS * COLOUR_BYTES - TOP_BYTES);
}

static struct bide__stack *slot_open(struct bide__stack_arena *arena,
                                     void (*entry)(struct bide__stack *stack))
{
    size_t index = arena->made;
    struct slot_top *top = slot_top(arena, index);
    struct bide__stack *stack = &top->stack;
    top->canary = index >= arena->canary_from;
    stack->low = arena->slots + index * SLOT_BYTES + GUARD_BYTES;
    stack->high = (char *)top;
    stack->sp = bide__context_prepare(stack->high, entry, stack);
#if BIDE__TSAN
    stack->fiber = __tsan_create_fiber(0);
#endif
#if BIDE_VALGRIND
    stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->low, stack->high);
#endif
    /* A fault handler may look at any moment. */
    __atomic_store_n(&arena->made, index + 1, __ATOMIC_RELEASE);
    return stack;
}

static void slot_close(struct bide__stack *stack)
{
    bide__unpoison(stack->low, (size_t)(stack->high - stack->low));
#if BIDE__TSAN
    __tsan_destroy_fiber(stack->fiber);
#endif
#if BIDE_VALGRIND
    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
}

struct bide__stack *bide__stack_make(struct bide__stacks *stacks,
                                     void (*entry)(struct bide__stack *stack))
{
    struct bide__stack_arena *arena = stacks->arenas;
    if (stacks->made >= stacks->limit)
        return NULL;
    if (!arena || arena->made == arena->slot_count) {
        size_t slot_count = arena ? arena->slot_count * 2 : ARENA_FIRST_SLOTS;
        arena = arena_new(slot_count < ARENA_MAX_SLOTS ? slot_count : ARENA_MAX_SLOTS);
        if (!arena)
            return NULL;
        arena->next = stacks->arenas;
        __atomic_store_n(&stacks->arenas, arena, __ATOMIC_RELEASE);
    }
    if (arena->made == arena->guarded)
        guard_batch(arena);
    stacks->made++;
    stacks->used++;
    return slot_open(arena, entry);
}

/* Whether a page of a stack was written to: few words of it, at all phases of a frame's layout. One
   that was never touched reads as zero and stays unmapped but for the shared zero page. */
static inline bool page_written(const char *page)
{
    typedef uint64_t __attribute__((may_alias)) word;
    enum { WORDS = 8, STRIDE_BYTES = PAGE_BYTES / WORDS + 8 };
    uint64_t all = 0;
#if BIDE_VALGRIND
    VALGRIND_MAKE_MEM_DEFINED(page, PAGE_BYTES); /* the dead frames of a stack are none of it */
#endif
    for (size_t i = 0; i < WORDS; i++)
        all |= *(const word *)(const void *)(page + i * STRIDE_BYTES);
    return all != 0;
}

/* Below this the pages of a recycled stack go back. */
static char *keep_end(const struct bide__stack *stack)
{
    return stack->low - GUARD_BYTES + SLOT_BYTES - KEEP_BYTES;
}

static __attribute__((noinline, cold)) void trim(struct bide__stack *stack)
{
    /* Refused only for locked memory, which stays then. */
    (void)madvise(stack->low, (size_t)(keep_end(stack) - stack->low), MADV_DONTNEED);
}

static __attribute__((noinline, cold, noreturn)) void smashed(struct bide__stack *stack)
{
    bide_log_flush(BIDE_CAP_LOG_ABORT_FLUSH_MS);
    dprintf(STDERR_FILENO, "bide: a task has overflowed its stack of %zu bytes, and overwrote %d\n",
            bide__stack_bytes(), GUARD_BYTES);
    if (bide__stack_smashed)
        bide__stack_smashed(stack);
    abort();
}

void bide__stack_give(struct bide__stacks *stacks, struct bide__stack *stack)
{
    /* Frames that were left by unwinding have not cleaned up their red zones. */
    bide__unpoison(stack->low, (size_t)(stack->high - stack->low));
    if (bide__unlikely(((struct slot_top *)stack)->canary) && page_written(stack->low - PAGE_BYTES))
        smashed(stack);
    if (bide__unlikely(page_written(keep_end(stack) - PAGE_BYTES)))
        trim(stack);
    stack->next = stacks->free;
    stacks->free = stack;
    stacks->used--;
}

struct bide__stack *bide__stack_overflown(const struct bide__stacks *stacks, const void *address)
{
    const struct bide__stack_arena *arena = __atomic_load_n(&stacks->arenas, __ATOMIC_ACQUIRE);
    for (; arena; arena = arena->next) {
        /* Below the arena this wraps to a large number. */
        size_t offset = (size_t)((uintptr_t)address - (uintptr_t)arena->slots);
        size_t index = offset / SLOT_BYTES;
        if (index < __atomic_load_n(&arena->made, __ATOMIC_ACQUIRE))
            return offset % SLOT_BYTES < GUARD_BYTES ? &slot_top(arena, index)->stack : NULL;
    }
    return NULL;
}

size_t bide__stack_bytes(void)
{
    return SLOT_BYTES - GUARD_BYTES - (COLOURS - 1) * COLOUR_BYTES - TOP_BYTES;
}

size_t bide__stack_high_water(const struct bide__stack *stack)
{
    unsigned char resident[(SLOT_BYTES - GUARD_BYTES) / PAGE_BYTES];
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = SLOT_BYTES - GUARD_BYTES;
    if (mincore(stack->low, bytes, resident))
        return 0;
    for (size_t page = 0; page < bytes / page_bytes; page++) {
        const char *at = stack->low + page * page_bytes;
        /* The page that bide__stack_give looks at is there because of that. */
        bool looked_at = at + page_bytes == keep_end(stack);
        if (!(resident[page] & 1) || (looked_at && !page_written(keep_end(stack) - PAGE_BYTES)))
            continue;
        return (size_t)(stack->high - at);
    }
    return 0;
}

void bide__stacks_init(struct bide__stacks *stacks)
{
    *stacks = (struct bide__stacks){.limit = BIDE__TSAN ? TSAN_FIBERS_MAX : SIZE_MAX};
}

static void arena_free(struct bide__stack_arena *arena)
{
    /* Newest first: valgrind's list of stacks is searched in this order. */
    for (size_t i = arena->made; i > 0; i--)
        slot_close(&slot_top(arena, i - 1)->stack);
#if BIDE__ASAN
    for (size_t guarded = 0; guarded < arena->guarded;) {
        size_t batch = batch_after(arena, guarded);
        __lsan_unregister_root_region(arena->slots + guarded * SLOT_BYTES, batch * SLOT_BYTES);
        guarded += batch;
    }
#endif
    __atomic_sub_fetch(&mappings_used, (long)arena->protected * MAPPINGS_PER_GUARD,
                       __ATOMIC_RELAXED);
    int failed = munmap(arena->mapping, arena->mapping_bytes);
    BIDE_ASSERT(!failed, "munmap of %zu bytes of stacks failed", arena->mapping_bytes);
    bide__free(arena);
}

void bide__stacks_done(struct bide__stacks *stacks)
{
    struct bide__stack_arena *arena = stacks->arenas;
    stacks->arenas = NULL;
    while (arena) {
        struct bide__stack_arena *next = arena->next;
        arena_free(arena);
        arena = next;
    }
    bide__stacks_init(stacks);
}
