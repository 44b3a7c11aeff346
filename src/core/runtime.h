/*
 * What the loops of one bide_run share: options, stopping, signals, the watchdog. runtime.c has
 * the start and the end; signals.c and watchdog.c the two threads' worth of surprises.
 */
#ifndef BIDE_CORE_RUNTIME_H
#define BIDE_CORE_RUNTIME_H

#include <bide/runtime.h>
#include <pthread.h>
#include <signal.h>

struct bide__loop;
struct bide__mail;
struct bide__wait;

/* What is known of a loop while it is not there. */
struct bide__place {
    struct bide__mail *early; /* posted before it started, newest first */
    bool ended;
};

/* What a loop runs first: fn behind a thunk that stores its status. */
struct bide__main {
    bide__main_void *run_void; /* one of the two */
    bide__main_int *run_int;
};

struct bide__runtime {
    struct bide_options options;
    struct bide__main main;
    pthread_mutex_t lock;       /* of loops */
    struct bide__loop **loops;  /* NULL before a loop starts and after it has ended */
    struct bide__place *places; /* one for each loop; under the lock too */
    int loop_count;
    bool own_cores;    /* each loop has a core for itself */
    int others;        /* loops besides the first that run; the first one's */
    int threads;       /* loops that may still do something; under the lock */
    uint32_t stopping; /* atomic: bide_stop was called */
    const char *stop_reason;
    int64_t virtual_now_ns;  /* with options.virtual_clock: the time */
    int64_t virtual_real_us; /* and the wall clock at virtual time 0 */
};

static inline const struct bide_options *bide__runtime_options(const struct bide__runtime *runtime)
{
    return &runtime->options;
}

/* bide__loop_post to the loop with that index: also before it has started, and it will take it
   before it ends. -ESHUTDOWN: it has ended. */
int bide__runtime_post(struct bide__runtime *runtime, int index, struct bide__mail *mail);

/* remote.c: in place of the delivery of what was posted to a loop that could not be started. */
void bide__remote_refuse(struct bide__mail *mail);

/* remote.c: whether it is a wait for a call on another loop. */
bool bide__remote_waits(const struct bide__wait *wait);

/* silence.c: the loop sleeps from here on, unless a task of it was made ready, because every task
   of every loop waits; and it goes on. */
bool bide__silence_begins(struct bide__loop *loop);
void bide__silence_break(struct bide__mail *mail);
void bide__silence_ends(struct bide__loop *loop);

/* Stops every loop; from any thread. */
void bide__runtime_stop(struct bide__runtime *runtime, const char *reason);

/*
 * signals.c: the policy of runtime.h while a runtime runs. From open to close loop 0 must exist:
 * handlers write into it. Nothing at all happens with options.ignore_signals.
 */
void bide__signals_open(struct bide__runtime *runtime);
void bide__signals_close(void);

/* On a loop's thread, around its turns: an alternate stack, without which no overflow is named. */
void bide__signals_thread_open(void);
void bide__signals_thread_close(void);

/* Bits of loop->asked. */
enum {
    BIDE__ASKED_STOP = 1, /* bide__runtime_stop */
    BIDE__ASKED_TREE = 2, /* print the task tree; loop 0 asks the others */
    BIDE__ASKED_EXIT = 4, /* print the task tree and end the process */
    BIDE__ASKED_NOW = 8,  /* the loop did not answer: the handler of the watchdog's signal does */
};

/* On a loop's thread, from its turn, when loop->asked is not 0: does what signals asked for. */
void bide__signals_handle(struct bide__loop *loop);

/* Asks the loops other than the first for their tree: loops are freed under runtime->lock, so this
   is not for handlers. */
void bide__signals_ask_others(struct bide__runtime *runtime);

/*
 * watchdog.c: one thread that looks at the heartbeat of every loop, twice per options.watchdog. It
 * reports the blocked ones, has busy ones poll, and helps signals to an answer. With
 * options.watchdog = BIDE_FOREVER there is none.
 */
enum { BIDE__WATCHDOG_SIGNAL = SIGURG };
void bide__watchdog_open(struct bide__runtime *runtime);
void bide__watchdog_close(void);

/* In the handler of its signal, with the handler's third argument: notes what this thread's loop
   does; whether the watchdog had asked for that. */
bool bide__watchdog_sample(const void *ucontext);

/*
 * look_serve.c: the thread that answers the command `bide` where it may not read this process's
 * memory. Started by the watchdog when a signal asked for it (core/look.h); it ends when nobody has
 * come for a while. `ask` is for handlers of signals.
 */
void bide__look_serve_ask(void);
void bide__look_serve_if_asked(void);
void bide__look_serve_close(void);

/* The runtime of this process, while bide_run runs; atomic. */
extern struct bide__runtime *bide__runtime_here;

#endif
