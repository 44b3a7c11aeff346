/*
 * The log: never blocks the caller.
 *
 * A record is formatted by the caller into a ring that belongs to its thread; one writer thread
 * merges all rings by time and writes to the sink. The caller takes no lock and makes no system
 * call, but for one futex wake when the writer is asleep.
 *
 *     2026-01-01T00:00:00.000Z WARN [task 12] server.c:34 client is slow waited_ms=730
 *
 *     {"time":"2026-01-01T00:00:00.000Z","level":"warn","task":12,"loop":0,
 *      "source":"server.c:34","message":"client is slow","waited_ms":730}        (on one line)
 *
 * Drop policy: when a ring is full the record is dropped and counted; the last quarter of a ring is
 * kept for warn and error. As soon as there is room again a line says how many were dropped, by
 * level. The counters bide_log_dropped_total{level=...} are exported with the metrics.
 *
 * Before bide_log_open and after bide_log_close records go to stderr at once, in the caller's
 * thread. After fork(2) the child has no writer thread: it logs at once, to stderr, until it opens
 * the log itself; what was not yet written belongs to the parent. Records are cut at
 * BIDE_CAP_LOG_RECORD_BYTES (2048). Control characters are escaped, so that a peer cannot forge
 * lines. Not for signal handlers.
 */
#ifndef BIDE_LOG_H
#define BIDE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum bide_log_level {
    BIDE_LOG_DEFAULT, /* in options only: info */
    BIDE_LOG_DEBUG,
    BIDE_LOG_INFO,
    BIDE_LOG_WARN,
    BIDE_LOG_ERROR,
} bide_log_level;

/* Zero means the default for each field. */
typedef struct bide_log_options {
    bide_log_level level; /* records below are not made; default info */
    bool json;            /* one JSON object per line (RFC 8259) in place of text */
    int fd;               /* where lines go; default stderr. The caller keeps owning it. */
    /* In place of fd: called by the writer thread once per line, newline included; must not log */
    void (*sink)(void *arg, const char *line, size_t length);
    void *sink_arg;
} bide_log_options;

/* One key=value pair of a record: text when `text` is set, else a number. */
typedef struct bide_log_field {
    const char *key;
    const char *text;
    int64_t number;
} bide_log_field;

/* Starts the writer thread. `options` may be NULL. Returns 0, -EALREADY when it is open, or -EAGAIN
 * when no thread can be had. */
int bide_log_open(const bide_log_options *options);

/*
 * Makes a record: bide_log(BIDE_LOG_INFO, "listening on %s", address). Arguments are not evaluated
 * below the level. Never fails and never suspends.
 */
#define bide_log(level, ...)                                                                       \
    do {                                                                                           \
        if ((int)(level) >= __atomic_load_n(&bide__log_level, __ATOMIC_RELAXED))                   \
            bide__log_write((level), __FILE__, __LINE__, NULL, __VA_ARGS__);                       \
    } while (0)

/*
 * The same with pairs after the message:
 *     bide_log_with(BIDE_LOG_WARN, BIDE_FIELDS(bide_field_int("waited_ms", 730)), "slow client");
 */
#define bide_log_with(level, fields, ...)                                                          \
    do {                                                                                           \
        if ((int)(level) >= __atomic_load_n(&bide__log_level, __ATOMIC_RELAXED))                   \
            bide__log_write((level), __FILE__, __LINE__, fields, __VA_ARGS__);                     \
    } while (0)

#define BIDE_FIELDS(...) ((const bide_log_field[]){__VA_ARGS__, {NULL, NULL, 0}})

/* `key` is an identifier. Both texts are copied by the log call; a NULL text is shown as "null". */
static inline bide_log_field bide_field_str(const char *key, const char *text)
{
    return (bide_log_field){key, text ? text : "null", 0};
}

static inline bide_log_field bide_field_int(const char *key, int64_t number)
{
    return (bide_log_field){key, NULL, number};
}

/* Changes the level at run time, from any thread. */
void bide_log_set_level(bide_log_level level);
bide_log_level bide_log_get_level(void);

/*
 * Waits until every record made before the call was handed to the sink, at most `timeout_ms`.
 * Blocks the thread: for shut-down and tests. Returns 0, or -ETIMEDOUT. 0 at once when the log is
 * not open.
 */
int bide_log_flush(int timeout_ms);

/* Records of this level dropped since the process began. */
uint64_t bide_log_dropped(bide_log_level level);

/*
 * Writes what is left and ends the writer thread. Waits for the sink. Records that other threads
 * make meanwhile go to the next open or to stderr. Does nothing when the log is not open.
 */
void bide_log_close(void);

/* Below: for the macros and for the runtime. */
extern int bide__log_level;
extern uint64_t (*bide__log_task_id)(void); /* 0 outside a task; NULL until the runtime sets it */

void bide__log_write(bide_log_level level, const char *file, int line, const bide_log_field *fields,
                     const char *format, ...) __attribute__((format(printf, 5, 6), cold));

/* Gives this thread's records a loop index, shown in JSON; -1 for none. */
void bide__log_set_loop(int index);

#endif
