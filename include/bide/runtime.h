/*
 * runtime.h: from `main` into tasks and back; stopping; background work; errors nobody owns.
 *
 *     async(void) app(void) { ... }
 *     int main(void) { return bide_run(app); }
 *
 * bide_run makes a loop, runs the function as the first task, and returns when that task and all
 * background work have ended. Nothing is cut off silently: main cannot end before its tasks.
 *
 * Signals, while bide_run runs: SIGPIPE and SIGXFSZ are ignored. SIGTERM and the first SIGINT call
 * bide_stop. A second SIGINT prints what the program still waits for and exits with status 130; a
 * third one ends the process at once. SIGQUIT prints the task tree on stderr and goes on. They are
 * put back when bide_run returns.
 *
 * layer: core
 */
#ifndef BIDE_RUNTIME_H
#define BIDE_RUNTIME_H

#include <bide/group.h>

/* How a loop asks the kernel for I/O. They behave alike; see docs/internals/io_uring.md. */
enum bide_io {
    BIDE_IO_AUTO, /* what the environment says in BIDE_IO (auto, epoll, uring), else epoll */
    BIDE_IO_EPOLL,
    BIDE_IO_URING, /* io_uring, Linux 6.1 or later; epoll, with a line in the log, where it is
                      missing or refused */
};

struct bide_options {
    int loops;              /* loops, each a thread of its own, pinned to a core if that many are
                               allowed; 0 or 1: the calling thread only, not pinned */
    bool virtual_clock;     /* time jumps to the next timer when every task is blocked */
    bool ignore_signals;    /* leave all signal dispositions alone */
    uint64_t shuffle_seed;  /* not 0: ready tasks run in a pseudo-random order from this seed */
    bide_duration watchdog; /* report a task that runs longer without an await; 0: the default
                               (BIDE_CAP_WATCHDOG_MS), BIDE_FOREVER: off */
    bide_duration drain;    /* how long stopping may take; 0: the default (BIDE_CAP_DRAIN_MS) */
    bide_duration
        unanswered;  /* report a task that waits longer for a peer while no deadline lies
                      around it; 0: the default (BIDE_CAP_UNANSWERED_MS), BIDE_FOREVER: off */
    enum bide_io io; /* which I/O backend; 0: BIDE_IO_AUTO */
    void (*error_hook)(const bide_error *error, void *arg); /* errors nobody owns; it must neither
                                 await nor fail. NULL: they are printed */
    void *error_hook_arg;
};

/*
 * bide_run(fn), bide_run(fn, .loops = 2, ...): `fn` is `async(void) fn(void)` or `async(int)
 * fn(void)`, whose value is the exit status. With several loops fn runs once on each; they share
 * nothing but the process, and the first that fails stops the others. Gives 0, the int (of several
 * loops the largest), or 1 when an error left fn, which is printed. Call it from a plain thread,
 * one at a time.
 */
#define bide_run(...) BIDE__CAT(BIDE__RUN_, BIDE__COUNT(__VA_ARGS__))(__VA_ARGS__)

/* What the running task's loop does its I/O with: "epoll" or "io_uring". Static. */
const char *bide_io_name(void);

/* Which loop the running task is on, from 0, and of how many. */
int bide_loop_index(void);
int bide_loop_count(void);

/*
 * Stops the program in an orderly way, as SIGTERM does: on each loop wakes bide_until_stop; if no
 * task of the loop waits there, cancels its main task. What is still there after options.drain is
 * reported and cancelled, then abandoned with exit status 1. Callable from any task; never
 * suspends.
 */
void bide_stop(const char *reason);
bool bide_stopping(void);

/* Waits until the program is to stop: for servers that then finish what they have. */
bide_async(void) bide_until_stop(void);

/*
 * The application's group for background work: what is spawned into it outlives the spawning
 * scope, fails alone (its error goes to options.error_hook), and is waited for when main has ended:
 * for options.drain, then cancelled.
 */
bide_group *bide_background(void);

/* Prints every task of this loop: its state, what it waits for, where and since when. */
void bide_print_tasks(void);

typedef struct forgotten_await_void bide__main_void(void);
typedef struct forgotten_await_int bide__main_int(void);
int bide__run_void(bide__main_void *fn, const struct bide_options *options);
int bide__run_int(bide__main_int *fn, const struct bide_options *options);

#define BIDE__RUN(fn, ...)                                                                         \
    _Generic((fn), bide__main_void *                                                               \
             : bide__run_void, bide__main_int *                                                    \
             : bide__run_int)(fn, &(struct bide_options)__VA_ARGS__)
#define BIDE__RUN_1(fn) BIDE__RUN(fn, {0})
#define BIDE__RUN_2(fn, a) BIDE__RUN(fn, {a})
#define BIDE__RUN_3(fn, a, b) BIDE__RUN(fn, {a, b})
#define BIDE__RUN_4(fn, a, b, c) BIDE__RUN(fn, {a, b, c})
#define BIDE__RUN_5(fn, a, b, c, d) BIDE__RUN(fn, {a, b, c, d})
#define BIDE__RUN_6(fn, a, b, c, d, e) BIDE__RUN(fn, {a, b, c, d, e})

#endif
