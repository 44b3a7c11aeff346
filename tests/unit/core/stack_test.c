/*
 * Task stacks: switching into one and back, the guards, the limit, and memory given back.
 */
#include "core/stack.h"

#include "base/assert.h"
#include "base/caps.h"

#include <bide/test.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if BIDE_VALGRIND
#include <valgrind/valgrind.h>
#endif

static struct bide__stacks stacks;
static struct bide__stack home;
static void *home_sp;

/* What runs on a stack each time it is switched to. */
static void (*job)(struct bide__stack *stack);
static struct bide__stack *entered;

static void stack_main(struct bide__stack *stack)
{
    bide__context_entered();
    entered = stack;
    for (;;) {
        job(stack);
        bide__context_go(stack, &stack->sp, &home, home_sp);
    }
}

static void set_up(void)
{
    pthread_attr_t attributes;
    void *low;
    size_t size;
    require(pthread_getattr_np(pthread_self(), &attributes) == 0);
    require(pthread_attr_getstack(&attributes, &low, &size) == 0);
    pthread_attr_destroy(&attributes);
    home = (struct bide__stack){.low = low, .high = (char *)low + size};
#if BIDE__TSAN
    home.fiber = __tsan_get_current_fiber();
#endif
    bide__stacks_init(&stacks);
}

static struct bide__stack *take(void)
{
    struct bide__stack *stack = bide__stack_take(&stacks, stack_main);
    require(stack);
    return stack;
}

static void run_on(struct bide__stack *stack, void (*what)(struct bide__stack *stack))
{
    job = what;
    bide__context_go(&home, &home_sp, stack, stack->sp);
}

static int runs;
static void count_run(struct bide__stack *stack)
{
    /* The ABI: aligned to 16 before the call, and the compiler relies on it. */
    _Alignas(16) char local[16];
    uintptr_t address = (uintptr_t)local;
    __asm__("" : "+r"(address)); /* which therefore must not see this test */
    check(address % 16 == 0);
    /* AddressSanitizer may keep locals elsewhere. */
    char *frame = __builtin_frame_address(0);
    check(frame > stack->low && frame < stack->high);
    runs++;
}

TEST_PLAIN(switches_in_and_back)
{
    set_up();
    struct bide__stack *stack = take();
    run_on(stack, count_run);
    check_int(runs, 1);
    check_ptr(entered, stack);
    bide__stack_give(&stacks, stack);
    entered = NULL;
    check_ptr(take(), stack);
    run_on(stack, count_run);
    check_int(runs, 2);
    check_ptr(entered, NULL); /* it went on, it did not begin again */
    bide__stacks_done(&stacks);
}

TEST_PLAIN(free_stacks_are_reused_last_in_first_out)
{
    struct bide__stack *taken[40];
    set_up();
    for (int i = 0; i < 40; i++)
        taken[i] = take();
    check_int(stacks.used, 40);
    bide__stack_give(&stacks, taken[3]);
    bide__stack_give(&stacks, taken[30]);
    check_int(stacks.used, 38);
    check_ptr(take(), taken[30]);
    check_ptr(take(), taken[3]);
    check_int(stacks.made, 40);
    bide__stacks_done(&stacks);
    check_int(stacks.made, 0);
}

TEST_PLAIN(tops_are_coloured_and_bytes_hold)
{
    uint64_t colours = 0;
    set_up();
    for (int i = 0; i < 128; i++) {
        struct bide__stack *stack = take();
        uintptr_t end = ((uintptr_t)stack | (BIDE_CAP_STACK_SLOT_BYTES - 1)) + 1;
        check((uintptr_t)stack->high % 64 == 0);
        check((size_t)(stack->high - stack->low) >= bide__stack_bytes());
        check_int((uintptr_t)stack->low + BIDE_CAP_STACK_SLOT_BYTES - BIDE_CAP_STACK_GUARD_BYTES,
                  end);
        colours |= UINT64_C(1) << (end - (uintptr_t)stack->high) / 128;
    }
    check_int(colours, 0xffff);
    bide__stacks_done(&stacks);
}

TEST_PLAIN(limit_holds)
{
    set_up();
    stacks.limit = 3;
    struct bide__stack *first = take();
    take();
    take();
    check_ptr(bide__stack_take(&stacks, stack_main), NULL);
    bide__stack_give(&stacks, first);
    check_ptr(take(), first);
    check_ptr(bide__stack_take(&stacks, stack_main), NULL);
    check_int(stacks.made, 3);
    check_int(stacks.used, 3);
    bide__stacks_done(&stacks);
}

/* Each allocation fails once: the stacks that there are stay good, and the next try works. */
TEST_PLAIN(survives_lack_of_memory)
{
    int64_t live = bide__mem_live();
    bool failed = true;
    int n = 0;
    while (failed) {
        set_up();
        bide__mem_fail_at((uint64_t)++n, false);
        int refused = 0;
        while (stacks.used < 100) {
            if (!bide__stack_take(&stacks, stack_main))
                refused++;
            require(refused <= 1);
        }
        failed = bide__mem_failed();
        bide__mem_fail_at(0, false);
        check_int(refused, failed ? 1 : 0);
        run_on(take(), count_run);
        bide__stacks_done(&stacks);
    }
    check(n > 6); /* at least three arenas, of two allocations each */
    check_int(bide__mem_live(), live);
}

static __attribute__((noinline)) void use_bytes(size_t bytes)
{
    char *memory = __builtin_alloca(bytes);
    memset(memory, 'x', bytes);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static void use_deep(struct bide__stack *stack)
{
    (void)stack;
    use_bytes(150000);
}

static void use_shallow(struct bide__stack *stack)
{
    (void)stack;
    use_bytes(30000);
}

TEST_PLAIN(deep_pages_are_given_back)
{
    set_up();
    struct bide__stack *stack = take();
    check(bide__stack_high_water(stack) < 8192);
    run_on(stack, use_deep);
    check(bide__stack_high_water(stack) > 150000);
    bide__stack_give(&stacks, stack);
    check(bide__stack_high_water(stack) <= BIDE_CAP_STACK_KEEP_BYTES);
    check_ptr(take(), stack);
    run_on(stack, count_run);
    bide__stacks_done(&stacks);
}

TEST_PLAIN(shallow_pages_stay)
{
    set_up();
    struct bide__stack *stack = take();
    run_on(stack, use_shallow);
    size_t high_water = bide__stack_high_water(stack);
    check(high_water > 30000 && high_water < BIDE_CAP_STACK_KEEP_BYTES);
    bide__stack_give(&stacks, stack);
    check_int(bide__stack_high_water(stack), high_water);
    check_ptr(take(), stack);
    bide__stack_give(&stacks, stack);
    check_int(bide__stack_high_water(stack), high_water);
    bide__stacks_done(&stacks);
}

enum { FAULT_NAMED = 42, FAULT_UNKNOWN = 43 };
static struct bide__stack *overflowing;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    struct bide__stack *named = bide__stack_overflown(&stacks, info->si_addr);
    _exit(named && named == overflowing ? FAULT_NAMED : FAULT_UNKNOWN);
}

static void catch_faults(void)
{
    static char memory[65536];
    stack_t own = {.ss_sp = memory, .ss_size = sizeof memory};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    require(sigaltstack(&own, NULL) == 0);
    require(sigaction(SIGSEGV, &action, NULL) == 0);
    require(sigaction(SIGBUS, &action, NULL) == 0);
}

/* Frames of about 1 KiB until `end` is passed. */
static __attribute__((noinline)) int recurse(const char *end)
{
    volatile char frame[1024];
    memset((char *)frame, 'r', sizeof frame);
    if ((char *)__builtin_frame_address(0) < end)
        return 1;
    return recurse(end) + frame[5];
}

static void overflow(struct bide__stack *stack)
{
    overflowing = stack;
    recurse(stack->low - BIDE_CAP_STACK_GUARD_BYTES);
}

/* How a forked child ends that overflows the last one of `count` stacks. */
static int overflow_in_child(int count)
{
    int status = 0;
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        struct bide__stack *stack = NULL;
        catch_faults();
        for (int i = 0; i < count; i++)
            stack = take();
        run_on(stack, overflow);
        _exit(0);
    }
    require(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_PLAIN(overflow_hits_the_best_guard)
{
    if (getenv("BIDE_TEST_EMULATED"))
        test_skip("qemu-user says yes to guards and makes none");
    set_up();
    if (bide__stack_guard() == BIDE__GUARD_CANARY)
        test_skip("no kind of guard works here");
    check_int(overflow_in_child(1), FAULT_NAMED);
    check_int(overflow_in_child(100), FAULT_NAMED);
    struct bide__stack *stack = take();
    check_int(overflow_in_child(60), FAULT_NAMED); /* a child of a process that has stacks */
    check_ptr(bide__stack_overflown(&stacks, stack->low - 1), stack);
    check_ptr(bide__stack_overflown(&stacks, stack->low - BIDE_CAP_STACK_GUARD_BYTES), stack);
    check_ptr(bide__stack_overflown(&stacks, stack->low), NULL);
    check_ptr(bide__stack_overflown(&stacks, stack), NULL);
    check_ptr(bide__stack_overflown(&stacks, NULL), NULL);
    check_ptr(bide__stack_overflown(&stacks, &stacks), NULL);
    bide__stacks_done(&stacks);
}

/* Containers refuse system calls that they do not know. */
TEST_PLAIN(guards_need_no_process_madvise)
{
    struct sock_filter refuse[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = refuse};
    set_up();
    if (bide__stack_guard() == BIDE__GUARD_CANARY)
        test_skip("no kind of guard works here");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
        test_skip("seccomp filters are not allowed here");
    check_int(overflow_in_child(1), FAULT_NAMED);
    check_int(overflow_in_child(2), FAULT_NAMED);
    check_int(overflow_in_child(100), FAULT_NAMED);
}

TEST_PLAIN(overflow_hits_a_protected_guard)
{
    set_up();
    bide__stack_force_guard(BIDE__GUARD_PROTECT);
    check_int(bide__stack_guard(), BIDE__GUARD_PROTECT);
    check_int(overflow_in_child(1), FAULT_NAMED);
    check_int(overflow_in_child(100), FAULT_NAMED);
}

static void name_stack(struct bide__stack *stack)
{
    fprintf(stderr, "task %s overflowed\n", stack == entered ? "in question" : "unknown");
}

static void overflow_a_little(struct bide__stack *stack)
{
    recurse(stack->low - 8192);
}

static void give_back_overflown(void)
{
    bide__stack_smashed = name_stack;
    bide__stack_force_guard(BIDE__GUARD_CANARY);
    set_up();
    take();
    struct bide__stack *stack = take();
    run_on(stack, overflow_a_little);
    bide__stack_give(&stacks, stack);
}

TEST_PLAIN(canary_names_the_task)
{
    bide__stack_force_guard(BIDE__GUARD_CANARY);
    check_int(bide__stack_guard(), BIDE__GUARD_CANARY);
    check_dies(give_back_overflown, "has overflowed its stack of");
    check_dies(give_back_overflown, "task in question overflowed");
    set_up();
    struct bide__stack *stack = take();
    run_on(stack, use_deep);
    bide__stack_give(&stacks, stack); /* deep is not too deep */
    bide__stacks_done(&stacks);
}

static long count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    long lines = 0;
    require(maps);
    for (int c; (c = getc(maps)) != EOF;)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

TEST_PLAIN(protected_guards_keep_to_their_budget, .timeout_ms = 30000)
{
    long before = count_mappings();
    long max_map_count = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    require(file && fscanf(file, "%ld", &max_map_count) == 1);
    fclose(file);
    if (max_map_count > 100000)
        test_skip("vm.max_map_count is too high to be used up here");
    set_up();
    if (stacks.limit < 20000)
        test_skip("too few stacks under this sanitizer");
    bide__stack_force_guard(BIDE__GUARD_PROTECT);
    while (bide__stack_guard() == BIDE__GUARD_PROTECT)
        take();
    for (int i = 0; i < 1000; i++)
        take();
    check_near((double)(count_mappings() - before), (double)max_map_count * 0.45, 60);
    struct bide__stack *unguarded = take();
    unguarded->low[-1] = 'x'; /* would fault if it had a guard */
    unguarded->low[-1] = 0;
    bide__stack_give(&stacks, unguarded);
    bide__stacks_done(&stacks);
    check_int(bide__stack_guard(), BIDE__GUARD_PROTECT);
    check(count_mappings() - before < 60);
}

TEST_PLAIN(installed_guards_take_no_mappings, .timeout_ms = 30000)
{
    if (getenv("BIDE_TEST_EMULATED"))
        test_skip("qemu-user says yes to guards and makes none");
    set_up();
    if (bide__stack_guard() != BIDE__GUARD_INSTALL || stacks.limit < 100000)
        test_skip("needs MADV_GUARD_INSTALL (Linux 6.13), and no sanitizer");
#if BIDE_VALGRIND
    if (RUNNING_ON_VALGRIND)
        test_skip("valgrind is too slow with so many stacks");
#endif
    long before = count_mappings();
    for (int i = 0; i < 100000; i++)
        take();
    check(count_mappings() - before < 60);
    check_int(stacks.made, 100000);
    check_int(overflow_in_child(1), FAULT_NAMED);
    bide__stacks_done(&stacks);
    check(count_mappings() - before < 10);
}

static void *stacks_of_a_thread(void *arg)
{
    struct bide__stacks own;
    (void)arg;
    bide__stacks_init(&own);
    for (int i = 0; i < 200; i++) {
        struct bide__stack *stack = bide__stack_take(&own, stack_main);
        if (!stack)
            return "refused";
        if (i % 3 == 0)
            bide__stack_give(&own, stack);
    }
    bide__stacks_done(&own);
    return NULL;
}

TEST_PLAIN(loops_share_the_budget)
{
    pthread_t threads[4];
    bide__stack_force_guard(BIDE__GUARD_PROTECT);
    for (int i = 0; i < 4; i++)
        require(pthread_create(&threads[i], NULL, stacks_of_a_thread, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        void *problem;
        require(pthread_join(threads[i], &problem) == 0);
        check_ptr(problem, NULL);
    }
    check_int(bide__stack_guard(), BIDE__GUARD_PROTECT);
}
