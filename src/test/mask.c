/*
 * mask.c: pthread_sigmask and sigprocmask of a test program: while trap.c is at work they leave
 * SIGSYS alone. Called by everything that blocks signals, also libraries: what a program defines
 * comes before what libc does.
 *
 * The kernel ends a process whose filter sends SIGSYS to a thread that blocks it, and the threads
 * of libraries commonly block all signals.
 *
 * Not here: signals that a sigaction holds back while its handler runs, and calls past libc.
 *
 * Source: seccomp(2), SECCOMP_RET_TRAP; sigprocmask(2), "C library/kernel differences".
 */
#include "trap.h"

#include "base/mem.h"
#include "core/context.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

atomic_bool bide__test_traps;

/* Sanitizers have these functions themselves. */
#if !BIDE__ASAN && !BIDE__TSAN

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* 0 or a positive errno. As libc does, it keeps the two signals that are libc's own. */
static int change_mask(int how, const sigset_t *set, sigset_t *old)
{
    uint64_t kept = bit_of(__SIGRTMIN) | bit_of(__SIGRTMIN + 1), bits = 0;
    int saved = errno, code = 0;

    if (atomic_load(&bide__test_traps))
        kept |= bit_of(SIGSYS);
    if (set)
        memcpy(&bits, set, sizeof bits);
    if (how != SIG_UNBLOCK)
        bits &= ~kept;
    if (syscall(SYS_rt_sigprocmask, how, set ? &bits : NULL, old, sizeof bits) < 0)
        code = errno;
    errno = saved;
    return code;
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    return change_mask(how, set, old);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    int code = change_mask(how, set, old);

    if (code)
        errno = code;
    return code ? -1 : 0;
}

#endif
