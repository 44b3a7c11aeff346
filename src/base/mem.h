/*
 * The library's only door to the allocator: counts, and fails on demand.
 *
 * Every fallible allocation of the library goes through here, so that a test can make each one fail
 * in turn ("torture"): run the code with bide__mem_fail_at(1), then 2, and so on until a run passes
 * bide__mem_failed() == false. When no failure is asked for, that costs one predictable branch. All
 * functions may be called from any thread.
 */
#ifndef BIDE_BASE_MEM_H
#define BIDE_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As malloc(3), calloc(3), realloc(3), free(3), but a size of 0 is 1, and a failed realloc leaves
 * the old block alone. */
void *bide__alloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *bide__calloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));
/* Zeroed. For what watches a program, and a program without it does not have: bide__mem_fail_at
   does not count it. */
void *bide__calloc_apart(size_t size) __attribute__((malloc, alloc_size(1)));
void *bide__realloc(void *memory, size_t size) __attribute__((alloc_size(2)));
void bide__free(void *memory);
char *bide__strdup(const char *text);

/* `alignment` is a power of two; freed by bide__free. */
void *bide__alloc_aligned(size_t alignment, size_t size) __attribute__((malloc, alloc_size(2)));

/*
 * Zeroed, page-aligned memory straight from mmap(2); the size is rounded up to pages. Not counted
 * by bide__mem_live. NULL when refused. The caller gives the same size back.
 */
void *bide__pages_alloc(size_t size);
void bide__pages_free(void *memory, size_t size);

/*
 * Tests: the n-th fallible call from now (1 is the next) returns NULL, and with `persistent` every
 * later one too. 0 turns it off. Forgets an earlier failure.
 */
void bide__mem_fail_at(uint64_t n, bool persistent);

/* Whether the asked-for failure has happened. */
bool bide__mem_failed(void);

/* For other sources of failure (mmap of stacks, thread creation) that want to be part of the
 * torture: true means fail now. */
bool bide__mem_should_fail(void);

/* Blocks now held, over all threads. */
int64_t bide__mem_live(void);

/* AddressSanitizer: touching a poisoned range is reported. Nothing otherwise. */
#if defined(__SANITIZE_ADDRESS__)
#define BIDE__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BIDE__ASAN 1
#endif
#endif
#ifndef BIDE__ASAN
#define BIDE__ASAN 0
#endif

#if BIDE__ASAN
#include <sanitizer/asan_interface.h>
#define bide__poison(memory, size) __asan_poison_memory_region(memory, size)
#define bide__unpoison(memory, size) __asan_unpoison_memory_region(memory, size)
#define bide__is_poisoned(memory) __asan_address_is_poisoned(memory)
#else
#define bide__poison(memory, size) ((void)(memory), (void)(size))
#define bide__unpoison(memory, size) ((void)(memory), (void)(size))
#define bide__is_poisoned(memory) ((void)(memory), 0)
#endif

/*
 * Built with BIDE_TASK_RACES, and not itself under ThreadSanitizer, the library shows each task as
 * a thread to it: a switch orders nothing then, only what the macros of bide/detail.h say does. So
 * a value that a task reads, and uses after an await, is a race with the task that wrote meanwhile.
 * What a loop does itself is left out, as it reads and writes for tasks in the order of their
 * waits; and the library's own memory, which changes hands without them.
 */
#ifndef BIDE_TASK_RACES
#define BIDE_TASK_RACES 0
#endif
#if BIDE_TASK_RACES
void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);
#define BIDE__UNSEEN_BEGIN() __tsan_ignore_thread_begin()
#define BIDE__UNSEEN_END() __tsan_ignore_thread_end()
#else
#define BIDE__UNSEEN_BEGIN() ((void)0)
#define BIDE__UNSEEN_END() ((void)0)
#endif

/* What debug builds fill memory with: fresh memory and given-back memory. */
enum { BIDE__FILL_FRESH = 0xA5, BIDE__FILL_FREED = 0xDB };

#endif
