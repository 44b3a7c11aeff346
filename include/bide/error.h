/*
 * error.h: errors unwind, and are caught only at a call boundary.
 *
 *     static void put_back(void *seat) { ... }
 *
 *     async(int) reserve(seat *s)
 *     {
 *         defer(put_back, s);                            // on every way out
 *         if (!await(is_free(s)))
 *             fail(bide_error_new(409, "seat %d is taken", s->number));
 *         return ready(int, s->number);
 *     }
 *
 *     bide_error *err;
 *     int number = attempt(&err, reserve, s);            // SPAWNABLE(int, reserve, seat *)
 *     if (err && err->code == 409) ...
 *
 * `fail` and cancellation unwind the task's stack: `defer`, `on_error`, `on_cancel`, the ends of
 * with-blocks and raw `cleanup` attributes run in every frame on the way. Nothing is caught inside
 * a function's own frame, so no local is ever stale; there is no setjmp anywhere.
 *
 * Invariants
 *  1. An error in flight belongs to its task. A caught one belongs to the task that caught it and
 *     stays readable until that task has caught BIDE_CAP_ERRORS_KEPT (32) more, or ends.
 *  2. The first error wins: an error raised by a handler while another unwinds, and errors of
 *     further children of a group, are attached to it (`also`): the first BIDE_CAP_ERRORS_KEPT as
 *     they are, the others as a count.
 *  3. An error of a task that nobody joins goes to its group; one that no group owns goes to the
 *     error hook (runtime.h), which prints it and fails a test.
 *  4. A raw `cleanup` attribute may not fail while an error unwinds: that aborts, naming both.
 *
 * Source: the Itanium C++ ABI's forced unwinding (_Unwind_ForcedUnwind), which glibc uses for
 * thread cancellation.
 *
 * layer: core
 */
#ifndef BIDE_ERROR_H
#define BIDE_ERROR_H

#include <bide/async.h>
#include <unwind.h>

/* Codes of the library. 100 to 599 are left to HTTP statuses, 1000 and more to applications. */
#define BIDE_ERROR_CODES(X)                                                                        \
    X(CANCELLED, 1, "cancelled")                                                                   \
    X(TIMEOUT, 2, "deadline exceeded")                                                             \
    X(DEADLOCK, 3, "would wait for ever")                                                          \
    X(MISUSE, 4, "misuse")                                                                         \
    X(CLOSED, 5, "closed")                                                                         \
    X(NO_MEMORY, 6, "out of memory")                                                               \
    X(LIMIT, 7, "limit reached")                                                                   \
    X(SYSTEM, 8, "system call failed")                                                             \
    X(INVALID, 9, "invalid value")                                                                 \
    X(NOT_FOUND, 10, "not found")                                                                  \
    X(STOPPED, 11, "the program is stopping")                                                      \
    X(CONFLICT, 12, "conflict")                                                                    \
    X(CONSTRAINT, 13, "rule broken")                                                               \
    X(QUERY, 14, "wrong query")                                                                    \
    X(TX_RETRY, 15, "transaction to be made again")                                                \
    X(OUTCOME_UNKNOWN, 16, "outcome unknown")                                                      \
    X(UNREACHABLE, 17, "server not reachable")                                                     \
    X(SCHEMA, 18, "the schema does not match")                                                     \
    X(TLS, 19, "no trusted connection")                                                            \
    X(REDIS_REFUSED, 40, "refused by redis")                                                       \
    X(REDIS_LOST, 41, "connection lost, outcome unknown")                                          \
    X(REDIS_CONFLICT, 42, "a watched key was changed")                                             \
    X(REDIS_PROTOCOL, 43, "not redis' protocol")                                                   \
    X(MAIL_REFUSED, 50, "mail refused")                                                            \
    X(MAIL_LATER, 51, "mail refused for now")                                                      \
    X(MAIL_LOGIN, 52, "refused by the mail server")

enum bide_code {
#define X(name, number, text) BIDE_##name = (number),
    BIDE_ERROR_CODES(X)
#undef X
};

enum {
    BIDE__AWAITS_KEPT = 12,
    BIDE__SPAWNS_KEPT = 6,
    BIDE__NAME_BYTES = 32,
    BIDE__MESSAGE_BYTES = 240
};

/* One step of a spawn chain: a task, and the line that spawned it. */
struct bide_spawned {
    uint64_t id;
    const struct bide_site *at;
    char name[BIDE__NAME_BYTES];
};

typedef struct bide_error {
    struct _Unwind_Exception unwind; /* the unwinder's */
    int code;                        /* enum bide_code, an HTTP status, or the application's */
    int system_errno;                /* with BIDE_SYSTEM: the errno; else 0 */
    const struct bide_site *at;      /* the `fail`, or the await that raised it */
    struct bide_error *cause;        /* what it was raised from, or NULL */
    struct bide_error *also;         /* further errors: of siblings, of cleanups; a list by next */
    struct bide_error *next;         /* in the `also` list that holds it */
    uint32_t dropped;                /* further errors and causes beyond the kept ones */
    uint16_t await_count;            /* awaits it passed through, innermost first ... */
    uint16_t spawn_count;            /* tasks above it, innermost first */
    uint8_t state;                   /* enum bide__error_state */
    bool is_cancel;                  /* a cancel on its way out, not an error that tells of one */
    bool never_again;                /* what it no longer holds forbids a retry (retry.h) */
    bool undone;                     /* of a BIDE_TIMEOUT: what took too long has left nothing */
    char field[BIDE__NAME_BYTES];    /* what a BIDE_CONFLICT or BIDE_CONSTRAINT is about, or "" */
    const char *told;                /* for peers, where the message is not for them; or NULL */
    const struct bide_site *awaits[BIDE__AWAITS_KEPT]; /* ... of which the first are kept */
    struct bide_spawned spawns[BIDE__SPAWNS_KEPT];
    struct bide__list_node node; /* in the list of the task that owns it ... */
    struct bide_task *owner;     /* ... or NULL */
    uint64_t serial;             /* tells it from all others of its loop */
    uint64_t origin;             /* serial of what it is a copy of, or 0 */
    char message[BIDE__MESSAGE_BYTES];
} bide_error;

/*
 * Makes an error that the running task owns. `format` as printf(3), cut at 239 bytes. Never
 * suspends. Without memory it gives one of the loop's reserve errors, with code BIDE_NO_MEMORY;
 * when those are in use as well, the process ends with a report.
 */
bide_error *bide_error_new(int code, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3), __returns_nonnull__));

/* The same for a system call: code BIDE_SYSTEM, the message ends with strerror's text. */
bide_error *bide_error_of_errno(int system_errno, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3), __returns_nonnull__));

/* Says what `error` was raised from; gives `error`: `fail(bide_error_because(new, old))`. `old` is
   copied if it is in flight or belongs to another error already. Of a chain of causes the first
   BIDE_CAP_CAUSES are kept. */
bide_error *bide_error_because(bide_error *error, bide_error *cause)
    __attribute__((__returns_nonnull__));

/* A short name of a code: "cancelled", or "error" for those of applications. */
const char *bide_code_name(int code);

/*
 * Writes the whole report as text: message, code, line, await chain, spawn chain, causes and
 * further errors as a tree. At most `size` bytes with the final NUL; gives the length that the
 * whole text has (snprintf(3)).
 */
size_t bide_error_format(const bide_error *error, char *text, size_t size);

/* Prints the report on stderr. */
void bide_error_print(const bide_error *error);

/* The error that unwinds the running task now, for handlers; NULL on a normal way out. */
bide_error *bide_error_current(void);

/*
 * Raises an error: unwinds the stack up to the nearest boundary (`attempt`, the end of the task).
 * A caught error may be raised again and keeps its line and chains. Does not return. Outside of a
 * task it prints the error and aborts.
 */
#define bide_fail(...) bide__fail(BIDE__SITE("fail"), (__VA_ARGS__))
__attribute__((__noreturn__, __cold__)) void bide__fail(const struct bide_site *at,
                                                        bide_error *error);

/*
 * Calls a SPAWNABLE function (task.h) behind a boundary: gives its value and sets the error to
 * NULL, or sets the error and gives a zero value. May suspend. A cancel is caught like any error;
 * the next await raises it again (scope.h).
 */
#define bide_attempt(ret_error, ...) BIDE__INVOKE(__attempt, (ret_error), __VA_ARGS__)

/*
 * Runs `fn(arg)` when the block is left: `defer` on every way, `on_error` when an error or a
 * cancel unwinds it, `on_cancel` only when it is a cancel. In reverse order of declaration. `fn`
 * is `void (*)(void *)` or `async(void) (*)(void *)` and may await: on the normal way out it is
 * ordinary code and may fail; while unwinding it is shielded from cancels for up to
 * BIDE_CAP_CLEANUP_MS, and its error is attached to the one in flight.
 */
#define bide_defer(fn, arg) BIDE__DEFER(__COUNTER__, fn, arg, BIDE__ON_EVERY_WAY)
#define bide_on_error(fn, arg) BIDE__DEFER(__COUNTER__, fn, arg, BIDE__ON_ERROR)
#define bide_on_cancel(fn, arg) BIDE__DEFER(__COUNTER__, fn, arg, BIDE__ON_CANCEL)

#ifndef BIDE_NO_KEYWORDS
#define fail(...) bide__fail(BIDE__SITE("fail"), (__VA_ARGS__))
#define attempt(ret_error, ...) BIDE__INVOKE(__attempt, (ret_error), __VA_ARGS__)
#define defer(fn, arg) BIDE__DEFER(__COUNTER__, fn, arg, BIDE__ON_EVERY_WAY)
#define on_error(fn, arg) BIDE__DEFER(__COUNTER__, fn, arg, BIDE__ON_ERROR)
#define on_cancel(fn, arg) BIDE__DEFER(__COUNTER__, fn, arg, BIDE__ON_CANCEL)
#endif

/* A goto or a switch that jumps over a defer would still run its handler, of nothing. clang refuses
   that by itself; gcc has to be told, and then refuses jumps over any initialisation. */
#if !defined(__clang__)
#pragma GCC diagnostic error "-Wjump-misses-init"
#endif

enum bide__defer_when { BIDE__ON_EVERY_WAY, BIDE__ON_ERROR, BIDE__ON_CANCEL };

typedef void bide__plain_handler(void *);
typedef struct forgotten_await_void bide__async_handler(void *);

struct bide__deferred {
    bide__plain_handler *plain; /* one of the two is set */
    bide__async_handler *async_;
    void *arg;
    bide_error *was; /* in flight when it was declared */
    const struct bide_site *at;
    enum bide__defer_when when;
};
void bide__deferred_run(struct bide__deferred *deferred);

static inline struct bide__deferred bide__deferred_plain(bide__plain_handler *fn, void *arg,
                                                         const struct bide_site *at,
                                                         enum bide__defer_when when)
{
    return (struct bide__deferred){fn, NULL, arg, bide__current->unwinding, at, when};
}
static inline struct bide__deferred bide__deferred_async(bide__async_handler *fn, void *arg,
                                                         const struct bide_site *at,
                                                         enum bide__defer_when when)
{
    return (struct bide__deferred){NULL, fn, arg, bide__current->unwinding, at, when};
}

#define BIDE__DEFER(n, fn, arg, when) BIDE__DEFER2(n, fn, arg, when)
#define BIDE__DEFER2(n, fn, arg, when)                                                             \
    struct bide__deferred bide__deferred_##n                                                       \
        __attribute__((__cleanup__(bide__deferred_run), __unused__)) =                             \
            _Generic((fn), bide__plain_handler *                                                   \
                     : bide__deferred_plain, bide__async_handler *                                 \
                     : bide__deferred_async)(fn, arg, BIDE__SITE(#fn), when)

/* Calls `thunk(args)` behind a boundary; gives the error that left it, or NULL. May suspend. */
bide_error *bide__boundary(void (*thunk)(void *), void *args);

/* The same for `attempt`: `at` stands as the await meanwhile, and a caught error is kept. */
bide_error *bide__attempt(const struct bide_site *at, void (*thunk)(void *), void *args);

#endif
