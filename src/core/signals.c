/*
 * Signals while a runtime runs: the policy of runtime.h, and the report of an overflown stack.
 *
 * Opened and closed by runtime.c; loop.c calls bide__signals_handle; watchdog.c helps when a loop
 * does not come to its turn. Calls the graph (trees), the stacks (guards), base/symbol.
 *
 *     SIGTERM, SIGINT, SIGQUIT --> handler, on any thread: bits into loop 0, wake --> its turn
 *                                  `- no turn for 200 ms: watchdog --SIGURG--> handler, there
 *
 * Invariants
 *  1. A handler touches loop 0 only, or the loop of its own thread: others may be freed meanwhile.
 *  2. Handlers use no lock, no stream and no allocation.
 *  3. A handler that runs when the policy is closed is waited for.
 */
#include "core/graph.h"
#include "core/look.h"
#include "core/loop.h"
#include "core/runtime.h"

#include "base/caps.h"
#include "base/symbol.h"

#include <bide/log.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    ALTERNATE_MIN_BYTES = 65536, /* the report of an overflow, and what sanitizers do there */
    EXIT_STATUS = 128 + SIGINT,  /* as a shell says it */
    FRAMES = 32,
};

static struct bide__loop *first; /* atomic: loop 0; NULL while closed */
static uint32_t handlers;        /* atomic: how many run */
static uint32_t interrupts;      /* atomic: SIGINTs so far */
static const char *stop_reason;  /* atomic */

static void on_request(int number, siginfo_t *info, void *context);
static void on_urgent(int number, siginfo_t *info, void *context);
static void on_fault(int number, siginfo_t *info, void *context);

static struct policy {
    int number;
    void (*handler)(int number, siginfo_t *info, void *context); /* NULL: ignored */
    struct sigaction old;
} policies[] = {
    {.number = SIGTERM, .handler = on_request},
    {.number = SIGINT, .handler = on_request},
    {.number = SIGQUIT, .handler = on_request},
    {.number = SIGPIPE},
    {.number = SIGXFSZ}, /* a file that may not grow is an error of who writes it */
    {.number = BIDE__WATCHDOG_SIGNAL, .handler = on_urgent},
    {.number = SIGSEGV, .handler = on_fault},
    {.number = SIGBUS, .handler = on_fault},
};

enum { POLICIES = sizeof policies / sizeof *policies };

static void write_text(const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, text, length);
        if (written <= 0)
            return;
        text += written;
        length -= (size_t)written;
    }
}

/* Whether the signal was there before us and is none of ours: gives it to whom it was for. */
static void chain(int number, siginfo_t *info, void *context)
{
    const struct policy *policy = policies;
    while (policy->number != number)
        policy++;
    const struct sigaction *old = &policy->old;
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(number, info, context);
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(number);
    } else if (number != BIDE__WATCHDOG_SIGNAL) {
        /* A fault happens again when we return, and then ends the process; a sent signal does not.
         */
        sigaction(number, old, NULL);
        if (info->si_code <= 0)
            raise(number);
    }
}

static void ask(struct bide__loop *loop, uint32_t what)
{
    __atomic_fetch_or(&loop->asked, what, __ATOMIC_ACQ_REL);
    loop->io->ops->wake(loop->io);
}

static uint32_t request_of(int number)
{
    if (number == SIGQUIT)
        return BIDE__ASKED_TREE;
    if (number == SIGINT && __atomic_add_fetch(&interrupts, 1, __ATOMIC_RELAXED) > 1)
        return BIDE__ASKED_EXIT;
    __atomic_store_n(&stop_reason, number == SIGINT ? "SIGINT" : "SIGTERM", __ATOMIC_RELAXED);
    return BIDE__ASKED_STOP;
}

static void on_request(int number, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    int saved = errno;
    __atomic_add_fetch(&handlers, 1, __ATOMIC_SEQ_CST);
    struct bide__loop *loop = __atomic_load_n(&first, __ATOMIC_SEQ_CST);
    if (loop) {
        ask(loop, request_of(number));
        /* The third is for those that nobody answers. */
        if (__atomic_load_n(&interrupts, __ATOMIC_RELAXED) > 2)
            _exit(EXIT_STATUS);
    }
    __atomic_sub_fetch(&handlers, 1, __ATOMIC_SEQ_CST);
    errno = saved;
}

/* The part that may be done in the middle of a task. */
static void print(struct bide__loop *loop, uint32_t asked)
{
    if (asked & BIDE__ASKED_EXIT)
        write_text("bide: interrupted twice; still waiting for:\n");
    if (asked & (BIDE__ASKED_TREE | BIDE__ASKED_EXIT))
        bide__print_tree(loop, STDERR_FILENO);
    if (asked & BIDE__ASKED_EXIT)
        _exit(EXIT_STATUS);
}

void bide__signals_ask_others(struct bide__runtime *runtime)
{
    pthread_mutex_lock(&runtime->lock);
    for (int i = 1; i < runtime->loop_count; i++)
        if (runtime->loops[i])
            ask(runtime->loops[i], BIDE__ASKED_TREE);
    pthread_mutex_unlock(&runtime->lock);
}

void bide__signals_handle(struct bide__loop *loop)
{
    if (bide__likely(!__atomic_load_n(&loop->asked, __ATOMIC_RELAXED)))
        return;
    uint32_t asked = __atomic_exchange_n(&loop->asked, 0, __ATOMIC_ACQ_REL);
    if (asked & BIDE__ASKED_EXIT)
        bide_log_flush(BIDE_CAP_LOG_ABORT_FLUSH_MS);
    print(loop, asked);
    if ((asked & BIDE__ASKED_TREE) && loop->index == 0)
        bide__signals_ask_others(loop->runtime);
    if (asked & BIDE__ASKED_STOP)
        bide__runtime_stop(loop->runtime, __atomic_load_n(&stop_reason, __ATOMIC_RELAXED));
}

/* The watchdog's signal: the loop of this thread is blocked. */
static void on_urgent(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    struct bide__loop *loop = bide__loop_here;
    bool ours = bide__watchdog_sample(context);
    if (info->si_code == SI_QUEUE && info->si_value.sival_int == BIDE__LOOK_SIGNAL_VALUE) {
        bide__look_serve_ask();
        ours = true;
    }
    if (loop && (__atomic_load_n(&loop->asked, __ATOMIC_ACQUIRE) & BIDE__ASKED_NOW)) {
        ours = true;
        print(loop, __atomic_fetch_and(&loop->asked, BIDE__ASKED_STOP, __ATOMIC_ACQ_REL));
    }
    if (!ours)
        chain(number, info, context);
    errno = saved;
}

static uintptr_t stack_pointer(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return context->uc_mcontext.sp;
#else
#error "no stack pointer for this machine"
#endif
}

static void report_overflow(const struct bide__stack *stack, const void *context)
{
    const struct bide_task *task = bide__task_current();
    const struct bide_site *made = task->object.made, *at = task->head.at;
    void *frames[FRAMES];
    char text[4096];
    size_t size = sizeof text;
    int length = snprintf(text, size, "bide: STACK OVERFLOW in task #%llu '%s'",
                          (unsigned long long)task->head.id, bide__task_label(task));
    if (made)
        length += snprintf(text + length, size - (size_t)length, ", spawned at %.200s:%d",
                           made->file, made->line);
    length += snprintf(text + length, size - (size_t)length, ": it used its %zu KiB",
                       ((size_t)(stack->high - stack->low) + 1023) / 1024);
    if (at && at != made)
        length += snprintf(text + length, size - (size_t)length, "; last await at %.200s:%d",
                           at->file, at->line);
    snprintf(text + length, size - (size_t)length, "\n");
    write_text(text);
    size_t count = bide__symbol_walk(context, frames, FRAMES);
    bide__symbol_frames(frames, count, "bide__task_run", text, size);
    write_text(text);
    write_text("  fix: less recursion, and large arrays on the heap or in an arena\n");
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    struct bide__loop *loop = bide__loop_here;
    const struct bide__stack *stack = NULL;
    if (loop && info->si_code > 0)
        stack = bide__stack_overflown(&loop->stacks, info->si_addr);
    /* Another stack's guard: some pointer went wrong. So did one that is far from the top. */
    if (stack && stack == bide__task_current()->stack &&
        stack_pointer(context) < (uintptr_t)stack->low + BIDE_CAP_STACK_GUARD_BYTES) {
        report_overflow(stack, context);
        for (size_t i = 0; i < POLICIES; i++)
            if (policies[i].number == number)
                sigaction(number, &policies[i].old, NULL);
    } else {
        chain(number, info, context);
    }
    errno = saved;
}

void bide__signals_open(struct bide__runtime *runtime)
{
    if (runtime->options.ignore_signals)
        return;
    __atomic_store_n(&interrupts, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&first, runtime->loops[0], __ATOMIC_SEQ_CST);
    bide__symbol_walk(NULL, NULL, 0);
    for (size_t i = 0; i < POLICIES; i++) {
        struct policy *policy = &policies[i];
        struct sigaction action = {.sa_flags = SA_RESTART | SA_ONSTACK | SA_SIGINFO};
        sigfillset(&action.sa_mask);
        action.sa_sigaction = policy->handler;
        if (!policy->handler) {
            action.sa_flags = 0;
            action.sa_handler = SIG_IGN;
        }
        sigaction(policy->number, &action, &policy->old);
    }
}

void bide__signals_close(void)
{
    if (!__atomic_load_n(&first, __ATOMIC_SEQ_CST))
        return;
    for (size_t i = 0; i < POLICIES; i++)
        sigaction(policies[i].number, &policies[i].old, NULL);
    __atomic_store_n(&first, NULL, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&handlers, __ATOMIC_SEQ_CST))
        sched_yield();
}

static __thread struct {
    char *bytes; /* NULL: none */
    size_t size; /* with the guard page below */
    stack_t old;
} alternate;

void bide__signals_thread_open(void)
{
    if (bide__loop_here->runtime->options.ignore_signals)
        return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = ALTERNATE_MIN_BYTES;
#ifdef _SC_SIGSTKSZ
    long wanted = sysconf(_SC_SIGSTKSZ); /* with the vector registers of this machine */
    if (wanted > (long)size)
        size = ((size_t)wanted + page - 1) / page * page;
#endif
    char *bytes = bide__pages_alloc(page + size);
    if (!bytes) {
        bide_log(BIDE_LOG_WARN, "no memory for an alternate stack: overflows will not be named");
        return;
    }
    (void)mprotect(bytes, page, PROT_NONE);
    stack_t stack = {.ss_sp = bytes + page, .ss_size = size};
    if (sigaltstack(&stack, &alternate.old)) {
        bide_log(BIDE_LOG_WARN, "sigaltstack: %s: overflows will not be named", strerror(errno));
        bide__pages_free(bytes, page + size);
        return;
    }
    alternate.bytes = bytes;
    alternate.size = page + size;
}

void bide__signals_thread_close(void)
{
    if (!alternate.bytes)
        return;
    sigaltstack(&alternate.old, NULL);
    bide__pages_free(alternate.bytes, alternate.size);
    alternate.bytes = NULL;
}
