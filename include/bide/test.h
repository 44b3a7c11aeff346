/*
 * bide/test.h: tests of programs and of bide itself.
 *
 * A test binary is one or more files of TEST and TEST_PLAIN, linked with libbide_test, which brings
 * main(). Every test runs in a process of its own, so it may crash, hang, leak or change globals
 * without touching the others.
 *
 *     TEST(channel_keeps_order, .timeout_ms = 2000)
 *     {
 *         with_group(g) { ... }
 *         check_int(await(receive(c)), 1);
 *     }
 *
 * Invariants:
 * 1. A failed check marks the test as failed and goes on; a failed require ends the test.
 * 2. Every argument of a check is evaluated once.
 * 3. A test passes only if its body came to its end: a body that calls exit(0) fails.
 * 4. When a test is over, every process left in its process group is killed.
 * 5. The only chance is the seed. It is 0 unless somebody says otherwise: ready tasks run in the
 *    order in which they became ready. Any other seed shuffles them, the same way each time.
 *
 * The binary's options: --list, --only NAME (a shell pattern), --no-fork (for gdb), --seed N,
 * --repeat N (the seed counts up), -v. Its last line is `N passed, N failed, N skipped`; its exit
 * status is 0 if nothing failed, 1 if something did, 2 on misuse.
 */
#ifndef BIDE_TEST_H
#define BIDE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bide/detail.h>

/* Which schedules an EXPLORE runs. */
enum test_search {
    TEST_MIXED,   /* depth first up to half of them, then the two random ways in turn */
    TEST_ALL,     /* depth first: first those with 0 preemptions, cancels and faults, then 1 ... */
    TEST_UNIFORM, /* each ready task is as likely as the others */
    TEST_PRIORITIES, /* each task has a random priority, which drops at a few random steps (PCT) */
};

/* What may follow the name in TEST(name, .timeout_ms = 500, ...). */
struct bide__test_options {
    int (*run)(void (*body)(void), const struct bide__test_options *options); /* by the macros */
    const char *name; /* set by the macros */
    int timeout_ms;   /* real time, 10,000 if 0; ten times longer under sanitizers and valgrind */
    bool real_clock;  /* TEST only: timers follow the real clock, not the virtual one */
    uint64_t seed;    /* the seed if neither --seed nor BIDE_TEST_SEED names one */
    bool in_order;    /* TEST only: never shuffled, for tests about the order itself */
    bool loose_ends;  /* TEST, EXPLORE: what is left at the end is reported, but does not fail it */
    bool reports; /* TEST, EXPLORE: what is reported while it runs, such as a lost update of a cell
                     or a query for each row (db.h), does not fail it */
    bool cancel_everywhere; /* TEST only: once more for each n, with the n-th await cancelled */
    bool no_blocking;       /* TEST, EXPLORE: a system call that blocks the loop fails the test, and
                           is reported with who made it, in whatever library; as BIDE_TRAP=1
                           in the environment says for all of them, but not for TEST_PLAIN. Such a
                           test cannot start child processes, and a signal handler that holds
                           SIGSYS back cannot block. Not under sanitizers and valgrind */
    bool fail_allocations;  /* once more for each n, with the n-th allocation failing */
    bool hidden;            /* runs only if --only gives its exact name */
    unsigned long schedules;    /* EXPLORE only: run at most that many; 2,000 if 0 */
    enum test_search search;    /* EXPLORE only: which ones */
    unsigned preemptions;       /* EXPLORE only: of those that are searched, at most that many times
                                   something is not as it would be alone; 2 if 0 */
    unsigned long steps;        /* EXPLORE only: a schedule with more never ends; 100,000 if 0 */
    bool no_cancels, no_faults; /* EXPLORE only: nothing is cancelled; test_fault gives false */
    bool explores;              /* set by EXPLORE */
    unsigned cancel_at; /* set by the harness: the n of cancel_everywhere, from 1; 0: none */
    unsigned fail_allocation_at; /* set by the harness: the n of fail_allocations; 0: none */
};

struct bide__test {
    const char *file;
    int line;
    void (*body)(void);
    struct bide__test_options options;
    struct bide__test *next;
};

/*
 * TEST(name, options...) { body }: the body runs inside a task of a fresh runtime, on the virtual
 * clock, which jumps to the next timer when every task waits. It may await. An error that leaves
 * the body fails the test, and so does what the runtime finds at its end: tasks and errors that
 * nobody freed.
 * EXPLORE(name, options...) { body }: the body runs again and again, in a task and on the virtual
 * clock, each time by another schedule. A schedule says which of the ready tasks runs, at every
 * await of what may wait, also where it need not wait this time; which tasks are cancelled, at such
 * an await or while they wait and another is about to run; and what test_fault and test_choose
 * give. So a check that could fail by an unlucky order does fail. A function that stands in the
 * place of one that waits awaits bide_yield(), or nobody else runs there. The body begins with what
 * it needs: it gives statics their first values. It also fails by a deadlock, by not ending
 * (`.steps`), and by not doing the same when a schedule is run twice. In a schedule in which
 * something was cancelled or failed an error may leave the body; checks count always. A failure
 * prints the schedule, made as small as possible, as `BIDE_SCHEDULE=...`, which runs it again.
 *
 * The network of an EXPLORE is a simulated one of this process: TCP between its own tasks, at any
 * numeric address. Connections are refused, late, cut off for a minute or reset, bytes come late or
 * one at a time, as the schedule says. Jobs on lanes and files are steps: they end before anything
 * else happens. Names to look up, datagrams, child processes and sockets of other libraries are
 * refused.
 *
 * TEST_PLAIN(name, options...) { body }: the body is a plain function. The name must not be a macro
 * without parentheses, such as `with_no_await`.
 */
#define TEST(...) BIDE__TEST(BIDE__TASK, __VA_ARGS__, .run = bide__test_run)
#define EXPLORE(...)                                                                               \
    BIDE__TEST(BIDE__TASK, __VA_ARGS__, .run = bide__test_explore, .explores = true)
#define TEST_PLAIN(...) BIDE__TEST(, __VA_ARGS__, .run = bide__test_run_plain)
#define BIDE__TEST(role, test_name, ...)                                                           \
    static void test_body_##test_name(void) role;                                                  \
    static struct bide__test test_entry_##test_name = {                                            \
        .file = __FILE__,                                                                          \
        .line = __LINE__,                                                                          \
        .body = test_body_##test_name,                                                             \
        .options = {.name = #test_name, __VA_ARGS__},                                              \
    };                                                                                             \
    __attribute__((__constructor__)) static void test_register_##test_name(void)                   \
    {                                                                                              \
        bide__test_register(&test_entry_##test_name);                                              \
    }                                                                                              \
    static void test_body_##test_name(void)

/*
 * The checks. Each gives whether it held, so a test can leave early: `if (!check(p)) return;`.
 * check_int takes integers of any type, not doubles; check_str and check_contains take NULL as a
 * text of its own.
 */
#define check(condition) bide__check((condition) ? true : false, #condition, __FILE__, __LINE__)
#define check_int(actual, expected)                                                                \
    bide__check_int((actual) | 0LL, (expected) | 0LL, #actual, #expected, __FILE__, __LINE__)
#define check_str(actual, expected)                                                                \
    bide__check_str((actual), (expected), #actual, __FILE__, __LINE__)
#define check_ptr(actual, expected)                                                                \
    bide__check_ptr((actual), (expected), #actual, __FILE__, __LINE__)
#define check_mem(actual, expected, size)                                                          \
    bide__check_mem((actual), (expected), (size), #actual, __FILE__, __LINE__)
#define check_contains(text, part) bide__check_contains((text), (part), #text, __FILE__, __LINE__)
#define check_near(actual, expected, tolerance)                                                    \
    bide__check_near((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)

/*
 * Ends the test as failed unless the condition holds: for what the rest of the test stands on. No
 * cleanups run.
 */
#define require(condition)                                                                         \
    ((condition) ? (void)0 : bide__require_failed(#condition, __FILE__, __LINE__))

/*
 * Runs `void function(void)` in a forked child, which must die by a signal, with an exit status
 * other than 0 or by an error that leaves it, and must have said `text` on stderr. Nothing of the
 * test around it runs in the child.
 */
#define check_dies(function, text)                                                                 \
    bide__check_dies((function), (text), #function, __FILE__, __LINE__)

/* Ends the test as skipped, for what this machine lacks. The reason is printed. */
__attribute__((__noreturn__)) void test_skip(const char *reason);

/*
 * In an EXPLORE, for what stands in the place of something that may fail or differ: whether `what`
 * fails this time, which counts as a preemption does; and one of 0 .. count - 1, count at most
 * 65,535. Elsewhere false and 0.
 */
bool test_fault(const char *what);
unsigned test_choose(unsigned count);

/* Whether something was cancelled or failed in this schedule: for checks that then do not hold. */
bool test_injected(void);

/*
 * The seed of this run of the test. A failure prints the line that runs the test with the same seed
 * again.
 */
uint64_t test_seed(void);

/*
 * From test_capture_stderr() on, stderr is kept instead of printed, also what other threads and
 * children write.
 * test_captured() ends that and gives the text, which lives until the next capture or the end of
 * the test.
 */
void test_capture_stderr(void);
const char *test_captured(void);

/* For the macros above. */
void bide__test_register(struct bide__test *test);
bool bide__check(bool holds, const char *condition, const char *file, int line);
bool bide__check_int(long long actual, long long expected, const char *actual_text,
                     const char *expected_text, const char *file, int line);
bool bide__check_str(const char *actual, const char *expected, const char *text, const char *file,
                     int line);
bool bide__check_ptr(const void *actual, const void *expected, const char *text, const char *file,
                     int line);
bool bide__check_mem(const void *actual, const void *expected, size_t size, const char *text,
                     const char *file, int line);
bool bide__check_contains(const char *text, const char *part, const char *what, const char *file,
                          int line);
bool bide__check_near(double actual, double expected, double tolerance, const char *text,
                      const char *file, int line);
bool bide__check_dies(void (*function)(void), const char *text, const char *name, const char *file,
                      int line);
__attribute__((__noreturn__)) void bide__require_failed(const char *condition, const char *file,
                                                        int line);

/*
 * Run the body, as src/test/run_task.c and run_plain.c say. They give 0 when it came to its end, 1
 * when in addition the point of `cancel_at` or `fail_allocation_at` was reached, a negative errno
 * when it failed, which they have printed. A program without a TEST links no runtime.
 */
int bide__test_run(void (*body)(void), const struct bide__test_options *options);
int bide__test_run_plain(void (*body)(void), const struct bide__test_options *options);
int bide__test_explore(void (*body)(void), const struct bide__test_options *options);

#endif
