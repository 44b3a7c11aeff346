/*
 * Assertions in three tiers. A failed one prints `file:line: what: text`, lets the runtime add the
 * task and its tree, and aborts.
 *
 *   BIDE_ASSERT           always on: misuse and broken invariants, where the test costs nothing
 *   BIDE_DASSERT          only with -DBIDE_DEBUG=1: hot paths
 *   BIDE_CHECK_EXPENSIVE  only with -DBIDE_DEBUG=2: walks over whole structures
 *
 * The text after the condition is a format: BIDE_ASSERT(n <= cap, "queue holds %zu of %zu", n,
 * cap). Errors that input or the system can cause are never assertions.
 */
#ifndef BIDE_BASE_ASSERT_H
#define BIDE_BASE_ASSERT_H

#ifndef BIDE_DEBUG
#define BIDE_DEBUG 0
#endif

#define bide__likely(condition) __builtin_expect(!!(condition), 1)
#define bide__unlikely(condition) __builtin_expect(!!(condition), 0)

#define BIDE_ASSERT(condition, ...)                                                                \
    do {                                                                                           \
        if (bide__unlikely(!(condition)))                                                          \
            bide__assert_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                        \
    } while (0)

/* Not compiled in, but still parsed, so that it cannot rot. */
#define BIDE__ASSERT_OFF(condition, ...)                                                           \
    do {                                                                                           \
        if (0 && !(condition))                                                                     \
            bide__assert_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                        \
    } while (0)

#if BIDE_DEBUG
#define BIDE_DASSERT(condition, ...) BIDE_ASSERT(condition, __VA_ARGS__)
#else
#define BIDE_DASSERT(condition, ...) BIDE__ASSERT_OFF(condition, __VA_ARGS__)
#endif

#if BIDE_DEBUG >= 2
#define BIDE_CHECK_EXPENSIVE(condition, ...) BIDE_ASSERT(condition, __VA_ARGS__)
#else
#define BIDE_CHECK_EXPENSIVE(condition, ...) BIDE__ASSERT_OFF(condition, __VA_ARGS__)
#endif

/* Called between the message and abort(3) with the descriptor the message went to; NULL until the
 * runtime sets it. */
extern void (*bide__assert_hook)(int fd);

/* Prints, flushes the log (briefly), calls the hook once, aborts. A failure inside the hook aborts
 * at once. */
_Noreturn void bide__assert_fail(const char *file, int line, const char *condition,
                                 const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

#endif
