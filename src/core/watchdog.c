/*
 * The watchdog: a thread that looks at every loop's heartbeat and says who blocks it, where, while
 * it is blocked.
 *
 * Opened and closed by runtime.c; signals.c brings the signal. Calls base/symbol and signals.c.
 *
 *     look --no new slice for too long--> what the thread does, by /proc (before the signal: that
 *     would end a sleep) --SIGURG--> handler notes the task and its frames --> printed here
 *
 * Invariants
 *  1. A loop is touched only under runtime->lock: others than the first may end at any time.
 *  2. A loop is blocked if it neither polled nor resumed a task since `since_ns`, and its thread
 *     slept in a system call or used CPU time: one that merely waits for a CPU is not.
 *  3. A watchdog that comes late itself (a stopped or overloaded machine) draws no conclusions.
 */
#include "core/loop.h"
#include "core/runtime.h"

#include "base/caps.h"
#include "base/clock.h"
#include "base/symbol.h"

#include <bide/log.h>
#include <bide/metrics.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MS BIDE__NS_PER_MS

enum {
    PERIOD_MAX_MS = 100,
    ANSWER_MS = 100,       /* for the handler on the blocked thread */
    TREE_OVERDUE_MS = 200, /* from SIGQUIT until a blocked loop is interrupted for it */
    EXIT_OVERDUE_MS = 300, /* the same for the second SIGINT */
    REPORTS_PER_MINUTE = 5,
    SLOW_BUILD_FACTOR = 10, /* sanitizers, valgrind */
    CPU_SHARE = 2,          /* of the time at least 1 / this on a CPU, or the machine is to blame */
    FRAMES = 32,
};

BIDE_COUNTER(bide_loop_blocked_total, "times a loop was found blocked longer than the limit");

/* A loop as it was last seen. */
struct seen {
    uint64_t slices;
    int64_t since_ns; /* its last sign of life */
    int64_t cpu_ns;   /* the CPU time of its thread then */
    int64_t limit_ns; /* report after this much; doubles within one episode */
    int64_t asked_ns; /* when a signal that it has not answered was first seen; 0: none */
    bool reported;
};

static struct {
    struct bide__runtime *runtime;
    struct seen *seen; /* one per loop; NULL: no watchdog */
    int64_t limit_ns, period_ns;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool ending;
    int64_t minute_ns; /* the start of the minute that `reports` counts; the thread's */
    int reports, suppressed;
} dog;

/* What the handler finds on the blocked thread. One at a time. */
enum { SAMPLE_NONE, SAMPLE_WANTED, SAMPLE_BEING_TAKEN, SAMPLE_TAKEN };
static struct {
    uint32_t state; /* atomic: orders the rest */
    const struct bide__loop *loop;
    uint64_t slices; /* in: at the look; the handler tells whether they are the same */
    bool still, in_task;
    uint64_t id;
    char name[BIDE__TASK_NAME_BYTES];
    const struct bide_site *made, *at;
    void *frames[FRAMES];
    size_t frame_count;
} sample;

/* The owner counts without atomics. */
BIDE__NO_SANITIZE __attribute__((noinline)) static uint64_t slices_of(const struct bide__loop *loop)
{
    return *(const volatile uint64_t *)&loop->slices;
}

bool bide__watchdog_sample(const void *ucontext)
{
    uint32_t wanted = SAMPLE_WANTED;
    struct bide__loop *loop = bide__loop_here;
    if (!loop || __atomic_load_n(&sample.state, __ATOMIC_ACQUIRE) != SAMPLE_WANTED ||
        sample.loop != loop ||
        !__atomic_compare_exchange_n(&sample.state, &wanted, SAMPLE_BEING_TAKEN, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    const struct bide_task *task = bide__task_current();
    sample.still = slices_of(loop) == sample.slices;
    sample.in_task = !(task->head.attention & BIDE__ATTENTION_OUTSIDE);
    if (sample.in_task) {
        const char *name = bide__task_label(task);
        size_t length = strnlen(name, sizeof sample.name - 1);
        memcpy(sample.name, name, length);
        sample.name[length] = 0;
        sample.id = task->head.id;
        sample.made = task->object.made;
        sample.at = task->head.at;
    }
    sample.frame_count = bide__symbol_walk(ucontext, sample.frames, FRAMES);
    __atomic_store_n(&sample.state, SAMPLE_TAKEN, __ATOMIC_RELEASE);
    return true;
}

static void send_signal(const struct bide__loop *loop)
{
    syscall(SYS_tgkill, getpid(), loop->tid, BIDE__WATCHDOG_SIGNAL);
}

static void sleep_ns(int64_t ns)
{
    struct timespec time = {ns / BIDE__NS_PER_S, ns % BIDE__NS_PER_S};
    nanosleep(&time, NULL);
}

/* Waits for the handler; whether it has come. One that comes too late finds nothing wanted. */
static bool wait_for_sample(void)
{
    for (int64_t end_ns = bide__clock_monotonic_ns() + ANSWER_MS * MS;;) {
        if (__atomic_load_n(&sample.state, __ATOMIC_ACQUIRE) == SAMPLE_TAKEN)
            return true;
        uint32_t wanted = SAMPLE_WANTED;
        if (bide__clock_monotonic_ns() > end_ns &&
            __atomic_compare_exchange_n(&sample.state, &wanted, SAMPLE_NONE, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return false;
        sleep_ns(MS / 5);
    }
}

/* What the thread waits in: a system call's number, or one of these. */
enum { ON_CPU = -1, IN_KERNEL = -2, NOT_TOLD = -3 };

/* proc(5), /proc/pid/syscall: "running", a number, or "-1" when blocked outside of a call. */
static long state_of(int tid)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NOT_TOLD;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0)
        return NOT_TOLD;
    if (strncmp(text, "running", 7) == 0)
        return ON_CPU;
    long number = strtol(text, NULL, 10);
    return number >= 0 ? number : IN_KERNEL;
}

static const char *name_of_call(long number)
{
#define CALL(name)                                                                                 \
    {                                                                                              \
        SYS_##name, #name                                                                          \
    }
    static const struct {
        long number;
        const char *name;
    } calls[] = {
        CALL(nanosleep),   CALL(clock_nanosleep), CALL(futex),           CALL(read),
        CALL(pread64),     CALL(readv),           CALL(write),           CALL(pwrite64),
        CALL(writev),      CALL(openat),          CALL(close),           CALL(connect),
        CALL(accept),      CALL(accept4),         CALL(recvfrom),        CALL(recvmsg),
        CALL(sendto),      CALL(sendmsg),         CALL(ppoll),           CALL(pselect6),
        CALL(epoll_pwait), CALL(fsync),           CALL(fdatasync),       CALL(sync),
        CALL(msync),       CALL(ftruncate),       CALL(fallocate),       CALL(flock),
        CALL(fcntl),       CALL(ioctl),           CALL(wait4),           CALL(waitid),
        CALL(getrandom),   CALL(unlinkat),        CALL(renameat2),       CALL(getdents64),
        CALL(munmap),      CALL(rt_sigsuspend),   CALL(rt_sigtimedwait), CALL(io_uring_enter),
        CALL(sendfile),    CALL(copy_file_range),
#ifdef SYS_poll /* machines with the older calls */
        CALL(poll),        CALL(select),          CALL(epoll_wait),      CALL(open),
        CALL(pause),       CALL(unlink),          CALL(rename),          CALL(stat),
#endif
    };
#undef CALL
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return calls[i].name;
    return NULL;
}

/* One report, written at once so that nothing comes between its lines. */
struct text {
    char bytes[8192];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    size_t room = sizeof text->bytes - text->length;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text->bytes + text->length, room, format, args);
    va_end(args);
    if (length > 0)
        text->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void put(const struct text *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t written = write(STDERR_FILENO, text->bytes + done, text->length - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        done += (size_t)written;
    }
}

static void add_state(struct text *text, long state)
{
    const char *name = name_of_call(state);
    if (state == ON_CPU)
        add(text, "  on CPU\n");
    else if (state == IN_KERNEL)
        add(text, "  in the kernel, outside of a system call (a page fault)\n");
    else if (name)
        add(text, "  in syscall %s\n", name);
    else if (state >= 0)
        add(text, "  in syscall number %ld\n", state);
}

static const char *fix_for(long state)
{
    if (state == ON_CPU)
        return "await(offload(BIDE_CPU, ...)), or await(bide_yield()) now and then";
    if (state == SYS_nanosleep || state == SYS_clock_nanosleep)
        return "await(bide_sleep(...)), or await(offload(BIDE_BLOCKING, ...))";
    return "await(offload(BIDE_BLOCKING, ...))";
}

/* What the look found out about a blocked loop. */
struct blocked {
    int index;
    int64_t elapsed_ns;
    long state;
    bool sampled;
};

static void report(const struct blocked *blocked)
{
    struct text text = {.length = 0};
    add(&text, "bide: LOOP %d BLOCKED %lld ms (limit %lld)", blocked->index,
        (long long)(blocked->elapsed_ns / MS), (long long)(dog.limit_ns / MS));
    if (blocked->sampled && sample.in_task) {
        add(&text, "  task #%llu '%s'", (unsigned long long)sample.id, sample.name);
        if (sample.made)
            add(&text, " spawned at %.200s:%d", sample.made->file, sample.made->line);
    } else if (blocked->sampled) {
        add(&text, "  in no task");
    }
    add(&text, "\n");
    add_state(&text, blocked->state);
    if (blocked->sampled)
        text.length +=
            bide__symbol_frames(sample.frames, sample.frame_count, "bide__task_run",
                                text.bytes + text.length, sizeof text.bytes - text.length - 1024);
    else if (dog.runtime->options.ignore_signals)
        add(&text, "  (nothing more is known with ignore_signals)\n");
    else
        add(&text, "  (it did not answer the signal within %d ms)\n", ANSWER_MS);
    if (blocked->sampled && sample.in_task && sample.at && sample.at != sample.made)
        add(&text, "  last await at %.200s:%d\n", sample.at->file, sample.at->line);
    add(&text, "  fix: %s\n", fix_for(blocked->state));
    if (dog.suppressed)
        add(&text, "  (%d more reports were not printed)\n", dog.suppressed);
    put(&text);
}

/* Whether another report may be printed this minute. */
static bool report_allowed(int64_t now_ns)
{
    if (now_ns - dog.minute_ns > 60 * BIDE__NS_PER_S) {
        dog.minute_ns = now_ns;
        dog.reports = 0;
    }
    return dog.reports++ < REPORTS_PER_MINUTE;
}

static int64_t cpu_ns_of(const struct bide__loop *loop)
{
    clockid_t clock;
    struct timespec time;
    if (pthread_getcpuclockid(loop->thread, &clock) || clock_gettime(clock, &time))
        return 0;
    return (int64_t)time.tv_sec * BIDE__NS_PER_S + time.tv_nsec;
}

/* A sign of life. */
static void restart(struct seen *seen, const struct bide__loop *loop, int64_t now_ns)
{
    if (seen->reported) {
        struct text text = {.length = 0};
        add(&text, "bide: loop %d goes on after %lld ms\n", loop->index,
            (long long)((now_ns - seen->since_ns) / MS));
        put(&text);
    }
    *seen = (struct seen){slices_of(loop), now_ns,         cpu_ns_of(loop),
                          dog.limit_ns,    seen->asked_ns, false};
}

/* Under runtime->lock: whether the loop is blocked; then it is asked for a sample. */
static bool look_at(struct bide__loop *loop, struct seen *seen, int64_t now_ns,
                    struct blocked *ret_blocked)
{
    if (__atomic_load_n(&loop->polling, __ATOMIC_RELAXED)) {
        restart(seen, loop, now_ns);
        return false;
    }
    if (slices_of(loop) != seen->slices || !seen->since_ns) {
        restart(seen, loop, now_ns);
        /* Busy: it polls at the next switch, however few slices there were. */
        __atomic_store_n(&loop->poll_at, 0, __ATOMIC_RELAXED);
        return false;
    }
    int64_t elapsed_ns = now_ns - seen->since_ns;
    if (elapsed_ns < seen->limit_ns)
        return false;
    long state = state_of(loop->tid);
    if ((state == ON_CPU || state == NOT_TOLD) &&
        cpu_ns_of(loop) - seen->cpu_ns < seen->limit_ns / CPU_SHARE)
        return false;
    *ret_blocked = (struct blocked){loop->index, elapsed_ns, state, false};
    if (!dog.runtime->options.ignore_signals) {
        sample.loop = loop;
        sample.slices = seen->slices;
        __atomic_store_n(&sample.state, SAMPLE_WANTED, __ATOMIC_RELEASE);
        send_signal(loop);
    }
    return true;
}

static void judge(struct blocked *blocked, struct seen *seen, int64_t now_ns)
{
    if (!dog.runtime->options.ignore_signals)
        blocked->sampled = wait_for_sample();
    if (blocked->sampled && !sample.still)
        return; /* it went on at the last moment */
    bide_counter_add(&bide_loop_blocked_total, 1);
    seen->limit_ns = 2 * blocked->elapsed_ns;
    if (report_allowed(now_ns)) {
        report(blocked);
        seen->reported = true;
        dog.suppressed = 0;
    } else {
        dog.suppressed++;
    }
}

/* Under runtime->lock: a loop that has not come to its turn answers signals from the handler.
   Whether the other loops must be asked in its place. */
static bool help_signals(struct bide__loop *loop, struct seen *seen, int64_t now_ns)
{
    uint32_t asked = __atomic_load_n(&loop->asked, __ATOMIC_ACQUIRE);
    if (!(asked & (BIDE__ASKED_TREE | BIDE__ASKED_EXIT))) {
        seen->asked_ns = 0;
        return false;
    }
    if (!seen->asked_ns)
        seen->asked_ns = now_ns;
    int64_t overdue_ms = asked & BIDE__ASKED_TREE ? TREE_OVERDUE_MS : EXIT_OVERDUE_MS;
    if (now_ns - seen->asked_ns < overdue_ms * MS || (asked & BIDE__ASKED_NOW))
        return false;
    __atomic_fetch_or(&loop->asked, BIDE__ASKED_NOW, __ATOMIC_ACQ_REL);
    send_signal(loop);
    return loop->index == 0 && (asked & BIDE__ASKED_TREE);
}

static void look(int64_t now_ns, bool late)
{
    struct bide__runtime *runtime = dog.runtime;
    for (int i = 0; i < runtime->loop_count; i++) {
        struct blocked blocked;
        bool is_blocked = false, ask_others = false;
        pthread_mutex_lock(&runtime->lock);
        struct bide__loop *loop = runtime->loops[i];
        if (!loop) {
            dog.seen[i] = (struct seen){0};
        } else {
            if (late)
                dog.seen[i] = (struct seen){.asked_ns = dog.seen[i].asked_ns};
            is_blocked = look_at(loop, &dog.seen[i], now_ns, &blocked);
            ask_others = help_signals(loop, &dog.seen[i], now_ns);
        }
        pthread_mutex_unlock(&runtime->lock);
        if (is_blocked)
            judge(&blocked, &dog.seen[i], now_ns);
        if (ask_others)
            bide__signals_ask_others(runtime);
    }
}

static void *watch(void *unused)
{
    int64_t last_ns = bide__clock_monotonic_ns(), now_ns;
    pthread_mutex_lock(&dog.lock);
    while (!dog.ending) {
        int64_t next_ns = bide__clock_monotonic_ns() + dog.period_ns;
        struct timespec until = {next_ns / BIDE__NS_PER_S, next_ns % BIDE__NS_PER_S};
        pthread_cond_timedwait(&dog.wake, &dog.lock, &until);
        if (dog.ending)
            break;
        pthread_mutex_unlock(&dog.lock);
        bide__look_serve_if_asked();
        now_ns = bide__clock_monotonic_ns();
        look(now_ns, now_ns - last_ns > 2 * dog.limit_ns);
        last_ns = bide__clock_monotonic_ns();
        pthread_mutex_lock(&dog.lock);
    }
    pthread_mutex_unlock(&dog.lock);
    return unused;
}

static bool slow_build(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return BIDE__ASAN || BIDE__TSAN || (preload && strstr(preload, "vgpreload"));
}

static int start_thread(void)
{
    sigset_t blocked, before;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&dog.lock, NULL);
    pthread_cond_init(&dog.wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int error = pthread_create(&dog.thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(dog.thread, "bide-watchdog");
    return error;
}

void bide__watchdog_open(struct bide__runtime *runtime)
{
    int64_t limit_ns = runtime->options.watchdog.ns;
    if (limit_ns == BIDE_FOREVER.ns)
        return;
    if (limit_ns <= 0)
        limit_ns = BIDE_CAP_WATCHDOG_MS * MS;
    if (slow_build() && limit_ns < INT64_MAX / SLOW_BUILD_FACTOR)
        limit_ns *= SLOW_BUILD_FACTOR;
    memset(&dog, 0, sizeof dog);
    dog.runtime = runtime;
    dog.limit_ns = limit_ns;
    dog.period_ns = limit_ns / 2 < PERIOD_MAX_MS * MS ? limit_ns / 2 : PERIOD_MAX_MS * MS;
    if (dog.period_ns < MS)
        dog.period_ns = MS;
    dog.seen = bide__calloc((size_t)runtime->loop_count, sizeof *dog.seen);
    int error = dog.seen ? start_thread() : ENOMEM;
    if (error == 0)
        return;
    bide_log(BIDE_LOG_WARN, "no watchdog: %s", strerror(error));
    bide__free(dog.seen);
    dog.seen = NULL;
}

void bide__watchdog_close(void)
{
    if (!dog.seen)
        return;
    pthread_mutex_lock(&dog.lock);
    dog.ending = true;
    pthread_cond_signal(&dog.wake);
    pthread_mutex_unlock(&dog.lock);
    pthread_join(dog.thread, NULL);
    bide__look_serve_close();
    pthread_mutex_destroy(&dog.lock);
    pthread_cond_destroy(&dog.wake);
    bide__free(dog.seen);
    dog.seen = NULL;
}
