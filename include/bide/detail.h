/*
 * detail.h: what the macros of the other headers need. Nothing in here is for users: every name
 * starts with `bide__` and may change. It holds the types that must be complete for objects to live
 * in the user's frame, the head of the running task, and the shape of a with-block.
 *
 * layer: base
 */
#ifndef BIDE_DETAIL_H
#define BIDE_DETAIL_H

#ifndef __EXCEPTIONS
#error "add -fexceptions:  cc app.c $(pkg-config --cflags --libs bide)"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 leaves out what is noted only for those who look at the program: bench/see measures it. */
#ifndef BIDE_SEE
#define BIDE_SEE 1
#endif

#define BIDE__CAT2(a, b) a##b
#define BIDE__CAT(a, b) BIDE__CAT2(a, b)
#define BIDE__UNWRAP(...) __VA_ARGS__
#define BIDE__SECOND(...) BIDE__SECOND2(__VA_ARGS__)
#define BIDE__SECOND2(first, second, ...) second

/* BIDE__INVOKE(suffix, (lead...), fn, args...) calls fn##suffix(lead..., args...). */
#define BIDE__COUNT(...) BIDE__COUNT2(__VA_ARGS__, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define BIDE__COUNT2(a, b, c, d, e, f, g, h, i, n, ...) n
#define BIDE__INVOKE(suffix, lead, ...)                                                            \
    BIDE__CAT(BIDE__INVOKE_, BIDE__COUNT(__VA_ARGS__))(suffix, lead, __VA_ARGS__)
#define BIDE__INVOKE_1(suffix, lead, fn) fn##suffix(BIDE__UNWRAP lead, BIDE__SITE(#fn))
#define BIDE__INVOKE_N(suffix, lead, fn, ...)                                                      \
    fn##suffix(BIDE__UNWRAP lead, BIDE__SITE(#fn), __VA_ARGS__)
#define BIDE__INVOKE_2 BIDE__INVOKE_N
#define BIDE__INVOKE_3 BIDE__INVOKE_N
#define BIDE__INVOKE_4 BIDE__INVOKE_N
#define BIDE__INVOKE_5 BIDE__INVOKE_N
#define BIDE__INVOKE_6 BIDE__INVOKE_N
#define BIDE__INVOKE_7 BIDE__INVOKE_N
#define BIDE__INVOKE_8 BIDE__INVOKE_N
#define BIDE__INVOKE_9 BIDE__INVOKE_N

/* Effect attributes: clang checks them, gcc has none (clang's manual, "Thread Safety Analysis"). */
#if defined(__clang__)
#define BIDE__TSA(...) __attribute__((__VA_ARGS__))
#else
#define BIDE__TSA(...)
#endif
#define BIDE__UNCHECKED BIDE__TSA(no_thread_safety_analysis)

/* The names are read as sentences in clang's diagnostics. */
struct BIDE__TSA(capability("role")) bide__role {
    char unused;
};
struct BIDE__TSA(capability("region without await")) bide__zone {
    char unused;
};
extern struct bide__role inside_a_task;
extern struct bide__zone with_no_await_block;

/* A plain function that may suspend (called by other tasks' code only) carries this. */
#define BIDE__TASK BIDE__TSA(requires_capability(inside_a_task))
#define BIDE__AWAITS BIDE__TASK BIDE__TSA(locks_excluded(with_no_await_block))
#define BIDE__MUST_USE __attribute__((__warn_unused_result__))

struct bide_error;
struct bide_group;
struct bide_task;

/* Where something stands in the user's source; static, so a pointer to it names the place. */
struct bide_site {
    const char *file;
    const char *function;
    const char *what; /* the awaited text, or what is done there */
    int line;
};

#define BIDE__SITE(text) BIDE__SITE2(__COUNTER__, text)
#define BIDE__SITE2(n, text) BIDE__SITE3(n, text)
#define BIDE__SITE3(n, text)                                                                       \
    __extension__({                                                                                \
        static const struct bide_site bide__here_##n = {__FILE__, __func__, text, __LINE__};       \
        &bide__here_##n;                                                                           \
    })

/* Reasons why the next await must look twice; see core/task.h. */
enum {
    BIDE__ATTENTION_CANCEL = 1,   /* the task is cancelled by a scope around it */
    BIDE__ATTENTION_NO_AWAIT = 2, /* inside with_no_await */
    BIDE__ATTENTION_OUTSIDE = 4,  /* no task is running on this thread */
    BIDE__ATTENTION_COUNT = 8,    /* a chooser sees the awaits of this task begin */
    BIDE__ATTENTION_ORDER = 32,   /* the order of its locks is watched */
    BIDE__ATTENTION_GUEST = 16,   /* a plain call on another thread, which may fail */
};

/* The part of the running task that the macros touch. */
struct bide__head {
    const struct bide_site *at;   /* the innermost await that is being done */
    uint64_t id;                  /* of the task; 0 when its record is free */
    struct bide_error *unwinding; /* the error that unwinds this stack now, or NULL */
    uint16_t attention;           /* BIDE__ATTENTION_*: 0 on the fast path */
    int16_t budget;               /* awaits that may still finish at once in this slice */
    uint32_t woken_by;            /* low half of the id of who made it ready; 0: no task */
};

/* The running task of this thread; outside of tasks a head with BIDE__ATTENTION_OUTSIDE. */
extern __thread struct bide__head *bide__current __attribute__((__tls_model__("initial-exec")));

/*
 * Under ThreadSanitizer: what tasks do is in the order of their use of an object of the library. A
 * build that takes each task for a thread (core/context.h) sees no other order between them.
 */
#if defined(__has_feature)
#define BIDE__HAS_TSAN __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define BIDE__HAS_TSAN 1
#endif
#if BIDE__HAS_TSAN || BIDE_TASK_RACES
#define BIDE__TSAN 1
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define BIDE__ACQUIRE(object) __tsan_acquire((void *)(uintptr_t)(object))
#define BIDE__RELEASE(object) __tsan_release((void *)(uintptr_t)(object))
#else
#define BIDE__TSAN 0
#define BIDE__ACQUIRE(object) ((void)(object))
#define BIDE__RELEASE(object) ((void)(object))
#endif
#define BIDE__IN_ORDER(object) (BIDE__ACQUIRE(object), BIDE__RELEASE(object))

/* Intrusive doubly linked lists; the functions are in src/base/list.h. */
struct bide__list_node {
    struct bide__list_node *next, *previous;
};
struct bide__list {
    struct bide__list_node head;
};

/* Anything a task can wait for. It names itself and its holders in reports (core/graph.h). */
struct bide__kind;
struct bide__object {
    const struct bide__kind *kind;
    const char *name;             /* as given by the user, or NULL */
    const struct bide_site *made; /* where it was made, or NULL */
};

/* FIFO of waiting tasks; all zero is empty. */
struct bide__queue {
    struct bide__wait *first, *last;
};

/* One wait, in the waiting task's frame. */
struct bide__wait {
    struct bide__wait *next, *previous; /* in `queue` */
    struct bide__queue *queue;          /* NULL: in none */
    struct bide_task *task;
    struct bide__object *object; /* what for, for reports and the wait graph */
    int64_t since_ns;            /* the tick's clock */
    int result;                  /* 0 or a negative errno, set by what decides the wait */
    bool shielded;               /* a cancel does not end it */
    void (*abort)(struct bide__wait *wait, int reason); /* ends it early; NULL: bide__wake */
    struct bide__wait *peer; /* a ring of waits of which the first woken decides; NULL: alone */
    void *payload;           /* the primitive's: where a value goes to or comes from */
};

/*
 * The switch away, done from the user's own frame: a primitive whose `begin` gives true has
 * arranged the wait, and the caller parks at once; when bide__park returns, wait.result stands. The
 * return from a park is a jump, so no return address is predicted that another task's call left.
 * In sanitized builds of the library `begin` waits by itself and gives false.
 */
struct bide__parking {
    void **save_sp;
    void *to_sp;
    struct bide__wait wait;
};
void bide__park(const struct bide__parking *parking);

struct bide__timer {
    struct bide__list_node node; /* linked while armed */
    int64_t expires_ns;
    void (*fire)(struct bide__timer *timer);
};

/* A cancel scope: a region of one task that can be cancelled as a whole (core/scope.h). */
struct bide__scope {
    struct bide__scope *up;       /* the scope around it in the same task */
    struct bide_task *task;       /* whose it is */
    struct bide_error *was;       /* the error in flight at entry: tells how it is left */
    const struct bide_site *site; /* where it was entered */
    const char *reason;           /* why it was cancelled */
    int64_t deadline_ns;          /* the tightest deadline in force inside; INT64_MAX: none */
    uint8_t kind;                 /* enum bide__scope_kind */
    bool cancelled;               /* this very scope was cancelled */
    bool timed_out;               /* ... by its own deadline */
    bool effective;               /* it or a scope around it (up to a shield) is cancelled */
    struct bide__timer timer;     /* armed if its own deadline is the tightest */
};

/*
 * A with-block. `decl` declares a variable with a cleanup that does all the leaving; `enter` is
 * evaluated once inside; `leave` on the normal way out only (effect markers). The body is one
 * statement. A `break` in the body that belongs to no loop of the body reaches bide_break_in_with,
 * which does not compile; `continue` leaves the block as its end does.
 */
__attribute__((
    __noreturn__, __nothrow__,
    __error__("`break` inside a with-block leaves only the block: use goto or return"))) void
bide_break_in_with(void);

#define BIDE__WITH(n, decl, enter, leave) BIDE__WITH2(n, decl, enter, leave)
#define BIDE__WITH2(n, decl, enter, leave)                                                         \
    if (0) {                                                                                       \
        bide__left_##n:;                                                                           \
    } else                                                                                         \
        for (BIDE__UNWRAP decl;; bide_break_in_with())                                             \
            for (int bide__once_##n = ((void)(enter), 0);; bide__once_##n = 1)                     \
                if (bide__once_##n) {                                                              \
                    leave;                                                                         \
                    goto bide__left_##n;                                                           \
                } else

#endif
