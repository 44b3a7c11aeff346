/*
 * trap.c: finds the system calls that block a loop, also inside libraries that bide knows nothing
 * of. Called by run_task.c and explore.c on the loop's thread, before the body; afterwards by the
 * kernel.
 *
 * A seccomp filter sends SIGSYS for the calls that can block. The handler looks whether this one
 * would, makes it in the thread's place, through a gate that the filter knows by its address, says
 * who made it, and goes on with its result. Threads that are started later have the filter too:
 * there the calls are only made.
 *
 * Not seen: locks (futex), regular files, writing to pipes and terminals, and what a TEST_PLAIN
 * does with a bide_run of its own. A child process inherits the filter, and dies of a call in it
 * after an exec: such tests cannot have one. A thread that blocks SIGSYS in spite of mask.c dies,
 * too.
 *
 * Source: seccomp(2), SECCOMP_RET_TRAP.
 */
#include "trap.h"

#include "harness.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/symbol.h"
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { FRAMES = 32, REPORTS_MAX = 20 };

/* long bide__test_gate(long number, long a, ..., long f): as syscall(2), but gives -errno. */
#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
__asm__(".text\n.globl bide__test_gate\n.type bide__test_gate, @function\nbide__test_gate:\n\t"
        "movq %rdi, %rax\n\tmovq %rsi, %rdi\n\tmovq %rdx, %rsi\n\tmovq %rcx, %rdx\n\t"
        "movq %r8, %r10\n\tmovq %r9, %r8\n\tmovq 8(%rsp), %r9\n\tsyscall\n"
        ".globl bide__test_gate_end\nbide__test_gate_end:\n\tret\n"
        ".size bide__test_gate, . - bide__test_gate\n");
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
__asm__(".text\n.globl bide__test_gate\n.type bide__test_gate, %function\nbide__test_gate:\n\t"
        "mov x8, x0\n\tmov x0, x1\n\tmov x1, x2\n\tmov x2, x3\n\tmov x3, x4\n\tmov x4, x5\n\t"
        "mov x5, x6\n\tsvc #0\n"
        ".globl bide__test_gate_end\nbide__test_gate_end:\n\tret\n"
        ".size bide__test_gate, . - bide__test_gate\n");
#endif
long bide__test_gate(long number, long a, long b, long c, long d, long e, long f);
extern const char bide__test_gate_end[];

/* What can block; `timeout`: the argument that is 0 when it does not, as a number or a time. */
enum how { ALWAYS, BY_NUMBER, BY_TIME, BY_DESCRIPTOR, BY_FLAGS, BY_WAIT_OPTIONS };

static const struct call {
    int number;
    const char *name;
    enum how how;
    int argument; /* of the timeout, the flags or the options */
} calls[] = {
#define CALL(name, how, argument)                                                                  \
    {                                                                                              \
        SYS_##name, #name, how, argument                                                           \
    }
    CALL(nanosleep, ALWAYS, 0),       CALL(clock_nanosleep, ALWAYS, 0),
    CALL(ppoll, BY_TIME, 2),          CALL(pselect6, BY_TIME, 4),
    CALL(epoll_pwait, BY_NUMBER, 3),
#ifdef SYS_epoll_pwait2
    CALL(epoll_pwait2, BY_TIME, 3),
#endif
    CALL(wait4, BY_WAIT_OPTIONS, 2),  CALL(waitid, BY_WAIT_OPTIONS, 3),
    CALL(read, BY_DESCRIPTOR, -1),    CALL(readv, BY_DESCRIPTOR, -1),
    CALL(connect, BY_DESCRIPTOR, -1), CALL(accept, BY_DESCRIPTOR, -1),
    CALL(accept4, BY_DESCRIPTOR, -1), CALL(recvfrom, BY_FLAGS, 3),
    CALL(recvmsg, BY_FLAGS, 2),       CALL(flock, ALWAYS, 0),
    CALL(fsync, ALWAYS, 0),           CALL(fdatasync, ALWAYS, 0),
#ifdef SYS_poll /* machines with the older calls */
    CALL(poll, BY_NUMBER, 2),         CALL(select, BY_TIME, 4),
    CALL(epoll_wait, BY_NUMBER, 3),   CALL(pause, ALWAYS, 0),
#endif
#undef CALL
};
enum { CALLS = sizeof calls / sizeof *calls };

static pthread_t loop_thread;
static int reports;

static const struct call *call_of(int number)
{
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

static bool descriptor_blocks(int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && !(flags & O_NONBLOCK) && fstat(fd, &status) == 0 &&
           !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) && !S_ISBLK(status.st_mode) &&
           !(S_ISCHR(status.st_mode) && !isatty(fd)); /* /dev/null, /dev/urandom */
}

/* Both kinds of times are two words, whose sum is 0 for "not at all". */
static bool time_blocks(const long *time)
{
    return !time || time[0] != 0 || time[1] != 0;
}

static bool would_block(const struct call *call, const long arguments[6])
{
    long argument = call->argument >= 0 ? arguments[call->argument] : 0;

    switch (call->how) {
    case ALWAYS:
        return true;
    case BY_NUMBER:
        return (int)argument != 0;
    case BY_TIME:
        return time_blocks((const long *)argument);
    case BY_WAIT_OPTIONS:
        return !(argument & WNOHANG);
    case BY_FLAGS:
        return !(argument & MSG_DONTWAIT) && descriptor_blocks((int)arguments[0]);
    case BY_DESCRIPTOR:
        return descriptor_blocks((int)arguments[0]);
    }
    return false;
}

/* On the signal stack of the thread, in the middle of whatever it did. */
static void report(const struct call *call, const void *context, int64_t took_ns)
{
    static char text[4096];
    void *frames[FRAMES];
    const struct bide_task *me = bide__task_current();
    bool in_task = !(me->head.attention & BIDE__ATTENTION_OUTSIDE);
    const struct bide_site *at = in_task ? me->head.at : NULL;

    atomic_fetch_add(&bide__test_verdict->failures, 1);
    if (reports++ == REPORTS_MAX)
        return;
    size_t count = bide__symbol_walk(context, frames, FRAMES);
    bide__symbol_frames(frames, count, "bide__task_run", text, sizeof text);
    dprintf(STDERR_FILENO, "bide: BLOCKING CALL %s on the loop's thread, %.1f ms", call->name,
            (double)took_ns / 1e6);
    if (in_task)
        dprintf(STDERR_FILENO, "  task #%llu '%s'", (unsigned long long)me->head.id,
                bide__task_label(me));
    dprintf(STDERR_FILENO, "\n%s", text);
    if (at)
        dprintf(STDERR_FILENO, "  last await at %s:%d\n", at->file, at->line);
    dprintf(STDERR_FILENO, "  fix: %s\n",
            strstr(call->name, "sleep") ? "await(bide_sleep(...))"
                                        : "await(offload(BIDE_BLOCKING, ...))");
}

static bool on_the_loop(void)
{
    return pthread_equal(pthread_self(), loop_thread) && bide__loop_here &&
           !__atomic_load_n(&bide__loop_here->polling, __ATOMIC_RELAXED);
}

static void on_call(int signal_number, siginfo_t *info, void *context)
{
    int saved = errno;
    ucontext_t *state = context;
    (void)signal_number;
#if defined(__x86_64__)
    const greg_t *r = state->uc_mcontext.gregs;
    const long a[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
#elif defined(__aarch64__)
    long a[6];
    memcpy(a, state->uc_mcontext.regs, sizeof a);
#endif
    const struct call *call = call_of(info->si_syscall);
    bool blocks = call && on_the_loop() && would_block(call, a);
    int64_t began_ns = bide__clock_monotonic_ns();
    long result = bide__test_gate(info->si_syscall, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (blocks)
        report(call, context, bide__clock_monotonic_ns() - began_ns);
#if defined(__x86_64__)
    state->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
    state->uc_mcontext.regs[0] = (unsigned long)result;
#endif
    errno = saved;
}

static bool install(void)
{
    uint64_t gate = (uint64_t)(uintptr_t)bide__test_gate_end;
    struct sock_filter steps[8 + CALLS + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 5 + CALLS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)gate, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(gate >> 32), 1 + CALLS, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    size_t count = 7;

    for (size_t i = 0; i < CALLS; i++, count++)
        steps[count] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, (uint8_t)(CALLS - i), 0);
    steps[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    steps[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {(unsigned short)count, steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

static bool start(void)
{
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    const char *preload = getenv("LD_PRELOAD");

    /* Sanitizers and valgrind make calls of their own, and hold signals back. */
    if (BIDE__ASAN || BIDE__TSAN || (preload && strstr(preload, "vgpreload")))
        return false;
    loop_thread = pthread_self();
    bide__symbol_walk(NULL, NULL, 0);
    atomic_store(&bide__test_traps, true);
    return sigaction(SIGSYS, &action, NULL) == 0 && install();
}

void bide__test_trap(const struct bide__test_options *options)
{
    static bool started;
    const char *value = getenv("BIDE_TRAP");

    if (started || !(options->no_blocking || (value && strcmp(value, "1") == 0)))
        return;
    started = true;
    if (!start())
        fprintf(stderr, "no_blocking: system calls cannot be trapped here\n");
}
