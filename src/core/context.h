/*
 * The switch between stacks, with what the sanitizers must be told; nothing else in the library
 * changes a stack pointer. Called by core/loop.h (suspend), task.c (the end of a task), unwind.c
 * (landing). The assembler is in context_<machine>.S.
 *
 * A `struct bide__stack` stands for a stack whether a task owns it or a thread does.
 */
#ifndef BIDE_CORE_CONTEXT_H
#define BIDE_CORE_CONTEXT_H

#include "base/mem.h"

#include <bide/detail.h>
#include <stddef.h>
#include <stdint.h>

#if BIDE__ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if BIDE__TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Functions that leave frames without returning from them must not be instrumented: ThreadSanitizer
   counts entries and exits. */
#if defined(__clang__)
#define BIDE__NO_SANITIZE __attribute__((disable_sanitizer_instrumentation))
#else
#define BIDE__NO_SANITIZE __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

struct bide__stack {
    void *sp;                 /* while no task runs on it: where it goes on */
    struct bide__stack *next; /* in the loop's list of free stacks */
    char *low, *high;         /* the usable bytes: [low, high) */
#if BIDE__ASAN
    void *fake_stack;
#endif
#if BIDE__TSAN
    void *fiber;
#endif
#if BIDE_VALGRIND
    unsigned valgrind_id;
#endif
};

#if defined(__x86_64__)
#if defined(__AVX512F__)
#define BIDE__CLOBBER_AVX512                                                                       \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6",  \
        "k7"
#else
#define BIDE__CLOBBER_AVX512
#endif
/* The build compiles the library without a red zone; elsewhere it is stepped over. */
#if BIDE_NO_RED_ZONE
#define BIDE__SKIP_RED_ZONE
#define BIDE__UNSKIP_RED_ZONE
#else
#define BIDE__SKIP_RED_ZONE "leaq -128(%%rsp), %%rsp\n\t"
#define BIDE__UNSKIP_RED_ZONE "leaq 128(%%rsp), %%rsp\n\t"
#endif
/*
 * Inline, so that no call stands between an await and its return: a `ret` after the switch then
 * finds the address that the return predictor expects, if the tasks wait at the same place. The
 * switch itself is pop + jmp. The compiler saves what it has in registers; rbp and rbx cannot be
 * named as lost everywhere. mxcsr and the x87 control word are
 * not saved (2 ns): no task may change them across an await.
 */
static inline __attribute__((always_inline)) void bide__context_switch(void **save_sp, void *to_sp)
{
    __asm__ volatile(BIDE__SKIP_RED_ZONE "pushq %%rbp\n\t"
                                         "pushq %%rbx\n\t"
                                         "leaq 1f(%%rip), %%rax\n\t"
                                         "pushq %%rax\n\t"
                                         "movq %%rsp, (%0)\n\t"
                                         "movq %1, %%rsp\n\t"
                                         "popq %%rcx\n\t"
                                         "notrack jmp *%%rcx\n"
                                         "1:\n\t"
                                         "popq %%rbx\n\t"
                                         "popq %%rbp\n\t" BIDE__UNSKIP_RED_ZONE
                     : "+D"(save_sp), "+S"(to_sp)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory",
                       "cc" BIDE__CLOBBER_AVX512);
}
#else
void bide__context_switch(void **save_sp, void *to_sp);
#endif
void bide__context_start(void);
int bide__context_call(void (*fn)(void *), void *arg, void **landing_sp);
extern char bide__context_return[];
__attribute__((noreturn)) void bide__context_land(void *landing_sp);

/* The frame that the first switch to a new stack takes off: goes on in `entry(argument)`, which
   never returns. `high` is aligned to 16. See context_<machine>.S. */
static inline void *bide__context_prepare(void *high, void (*entry)(struct bide__stack *),
                                          struct bide__stack *argument)
{
#if defined(__x86_64__)
    enum { WORDS = 6, START = 0, ARGUMENT = 1, FUNCTION = 2 };
#elif defined(__aarch64__)
    enum { WORDS = 20, ARGUMENT = 0, FUNCTION = 1, START = 11 };
#else
#error "no context switch for this machine"
#endif
    uintptr_t *frame = (uintptr_t *)high - WORDS;
    for (int i = 0; i < WORDS; i++)
        frame[i] = 0;
    frame[ARGUMENT] = (uintptr_t)argument;
    frame[FUNCTION] = (uintptr_t)entry;
    frame[START] = (uintptr_t)bide__context_start;
    return frame;
}

/* Saves the running stack `from` at `*save_sp` and goes on at `to_sp` on stack `to`; returns when
   something switches back. */
static inline __attribute__((always_inline)) void
bide__context_go(struct bide__stack *from, void **save_sp, struct bide__stack *to, void *to_sp)
{
    (void)from;
    (void)to;
#if BIDE__ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->low, (size_t)(to->high - to->low));
#endif
#if BIDE__TSAN
    __tsan_switch_to_fiber(to->fiber, BIDE_TASK_RACES ? __tsan_switch_to_fiber_no_sync : 0);
#endif
    bide__context_switch(save_sp, to_sp);
#if BIDE__ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

/* First thing on a new stack. */
static inline void bide__context_entered(void)
{
#if BIDE__ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

#endif
