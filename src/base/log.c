/*
 * The log: rings, the writer thread, the drop policy. See log.h. Called by everything; calls
 * log_format, mem, metrics.
 *
 *     thread -> its ring (head) ... (tail) -> writer thread -> batch -> sink
 *
 * Invariants
 *  1. A ring has one producer (the thread that owns it) and one consumer (the writer, or
 *     bide_log_close once the writer ended). head and tail only grow; head - tail <= RING_BYTES.
 *  2. Rings are never freed: a thread that ends leaves its ring to the next one.
 *  3. A producer that publishes a record either sees that the writer sleeps and rings the bell, or
 *     the writer sees the record before it sleeps: both sides store, then load, sequentially
 *     consistent (Dekker's pattern).
 */
#include <bide/log.h>

#include "base/assert.h"
#include "base/caps.h"
#include "base/clock.h"
#include "base/log_format.h"
#include "base/mem.h"

#include <bide/metrics.h>

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    RING_BYTES = BIDE_CAP_LOG_RING_BYTES,
    LEVELS = BIDE_LOG_ERROR + 1,
    HEADER_BYTES = sizeof(struct bide__log_record),
    LARGEST_BYTES = HEADER_BYTES + BIDE_CAP_LOG_RECORD_BYTES,
    RESERVED_BYTES = RING_BYTES / 4, /* for warn and error */
};
_Static_assert((RING_BYTES & (RING_BYTES - 1)) == 0, "the ring's size must be a power of two");
_Static_assert(RESERVED_BYTES >= 2 * LARGEST_BYTES && LARGEST_BYTES % 8 == 0,
               "a ring holds too few records");

struct ring {
    uint64_t head __attribute__((aligned(64))); /* bytes ever published; written by the producer */
    uint64_t dropped[LEVELS];                   /* by the producer */
    uint64_t tail __attribute__((aligned(64))); /* bytes ever consumed; written by the writer */
    uint64_t drain_to;                          /* from here on only the writer */
    uint64_t reported[LEVELS];
    int owned;
    struct ring *next;
    char bytes[RING_BYTES] __attribute__((aligned(64)));
};

enum { AWAKE, SLEEPING, LINGERING };

BIDE_COUNTER_LABELED(dropped_debug, "bide_log_dropped_total", "level=\"debug\"",
                     "log records dropped: ring full");
BIDE_COUNTER_LABELED(dropped_info, "bide_log_dropped_total", "level=\"info\"",
                     "log records dropped: ring full");
BIDE_COUNTER_LABELED(dropped_warn, "bide_log_dropped_total", "level=\"warn\"",
                     "log records dropped: ring full");
BIDE_COUNTER_LABELED(dropped_error, "bide_log_dropped_total", "level=\"error\"",
                     "log records dropped: ring full");
BIDE_COUNTER(bide_log_refused_lines_total, "log lines that the sink did not take");

static bide_counter *const dropped_counters[LEVELS] = {
    [BIDE_LOG_DEBUG] = &dropped_debug,
    [BIDE_LOG_INFO] = &dropped_info,
    [BIDE_LOG_WARN] = &dropped_warn,
    [BIDE_LOG_ERROR] = &dropped_error,
};

int bide__log_level = BIDE_LOG_INFO;
uint64_t (*bide__log_task_id)(void);

static struct ring *rings; /* newest first; only grows */
static _Thread_local struct ring *own_ring;
static _Thread_local bool writing; /* a signal handler that logs inside a log call is turned away */
static _Thread_local int own_loop = -1;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t ring_key;
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;

static bide_log_options options; /* the writer's, fixed while open */
static pthread_t writer;
static int is_open;
static int stopping;
static int writer_state;     /* AWAKE ... */
static uint32_t bell;        /* futex: counts calls of the writer */
static uint32_t flush_asked; /* tickets */
static uint32_t flush_done;  /* futex: the last ticket that was served */

static char batch[BIDE_CAP_LOG_BATCH_BYTES];
static size_t batch_length, batch_lines;
static char own_space[LARGEST_BYTES] __attribute__((aligned(8)));

static void futex_wait(uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    struct timespec timeout = {timeout_ns / BIDE__NS_PER_S, timeout_ns % BIDE__NS_PER_S};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, timeout_ns < 0 ? NULL : &timeout, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
    errno = saved;
}

static void ring_bell(void)
{
    __atomic_fetch_add(&bell, 1, __ATOMIC_SEQ_CST);
    futex_wake(&bell);
}

/* Producers */

static void release_ring(void *ring_)
{
    struct ring *ring = ring_;
    own_ring = NULL;
    __atomic_store_n(&ring->owned, 0, __ATOMIC_RELEASE);
}

/* In the child of a fork there is no writer, and the records in the rings are the parent's. */
static void after_fork(void)
{
    is_open = 0;
    stopping = 0;
    writer_state = AWAKE;
    flush_done = flush_asked;
    batch_length = batch_lines = 0;
    pthread_mutex_init(&open_lock, NULL);
    for (struct ring *ring = rings; ring; ring = ring->next) {
        ring->tail = ring->head;
        memcpy(ring->reported, ring->dropped, sizeof ring->reported);
        ring->owned = ring == own_ring;
    }
}

static void once_per_process(void)
{
    int failed = pthread_key_create(&ring_key, release_ring);
    BIDE_ASSERT(!failed, "pthread_key_create: error %d", failed);
    failed = pthread_atfork(NULL, NULL, after_fork);
    BIDE_ASSERT(!failed, "pthread_atfork: error %d", failed);
}

/* This thread's ring: an abandoned one, else a new one. NULL when out of memory. */
static __attribute__((noinline)) struct ring *take_ring(void)
{
    pthread_once(&key_once, once_per_process);
    struct ring *ring = __atomic_load_n(&rings, __ATOMIC_ACQUIRE);
    for (; ring; ring = ring->next) {
        int nobody = 0;
        if (__atomic_compare_exchange_n(&ring->owned, &nobody, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            break;
    }
    if (!ring) {
        ring = bide__pages_alloc(sizeof *ring);
        if (!ring)
            return NULL;
        ring->owned = 1;
        ring->next = __atomic_load_n(&rings, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&rings, &ring->next, ring, true, __ATOMIC_RELEASE,
                                            __ATOMIC_RELAXED))
            continue;
    }
    pthread_setspecific(ring_key, ring);
    own_ring = ring;
    return ring;
}

static void fill_header(struct bide__log_record *record, bide_log_level level, const char *file,
                        int line)
{
    record->level = level;
    record->time_ns = bide__clock_realtime_ns();
    record->task_id = bide__log_task_id ? bide__log_task_id() : 0;
    record->file = file;
    record->line = line;
    record->loop = own_loop;
}

static void drop(struct ring *ring, bide_log_level level)
{
    bide_counter_add(dropped_counters[level], 1);
    if (ring)
        __atomic_store_n(&ring->dropped[level], ring->dropped[level] + 1, __ATOMIC_RELAXED);
}

/* Room for the largest record, after marking the end of the ring as unused if need be. NULL when
 * full. */
static struct bide__log_record *reserve(struct ring *ring, bide_log_level level, uint64_t *ret_head)
{
    uint64_t head = ring->head;
    uint64_t free_bytes = RING_BYTES - (head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE));
    uint64_t to_end = RING_BYTES - head % RING_BYTES;
    uint64_t skipped = to_end < LARGEST_BYTES ? to_end : 0;
    uint64_t kept = level < BIDE_LOG_WARN ? RESERVED_BYTES : 0;
    if (free_bytes < skipped + LARGEST_BYTES + kept)
        return NULL;
    if (skipped) {
        uint32_t unused[2] = {(uint32_t)skipped, 0};
        memcpy(ring->bytes + head % RING_BYTES, unused, sizeof unused);
        head += skipped;
    }
    *ret_head = head;
    return (struct bide__log_record *)(void *)(ring->bytes + head % RING_BYTES);
}

/* Wakes a sleeping writer, and a lingering one when the ring fills up. */
static void publish(struct ring *ring, uint64_t head)
{
    __atomic_store_n(&ring->head, head, __ATOMIC_SEQ_CST);
    int state = __atomic_load_n(&writer_state, __ATOMIC_SEQ_CST);
    if (state == AWAKE)
        return;
    bool filling = head - __atomic_load_n(&ring->tail, __ATOMIC_RELAXED) > RING_BYTES / 2;
    if ((state == SLEEPING || filling) &&
        __atomic_exchange_n(&writer_state, AWAKE, __ATOMIC_SEQ_CST) != AWAKE)
        ring_bell();
}

static void write_fd(int fd, const char *bytes, size_t length, size_t lines)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
            continue;
        }
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        bool full = written < 0 && errno == EAGAIN;
        if (full && poll(&room, 1, BIDE_CAP_LOG_SINK_WAIT_MS) > 0)
            continue;
        if (written < 0 && errno == EINTR)
            continue;
        bide_counter_add(&bide_log_refused_lines_total, lines);
        return;
    }
}

static __attribute__((noinline)) void write_at_once(bide_log_level level, const char *file,
                                                    int line, const bide_log_field *fields,
                                                    const char *format, va_list args)
{
    char space[LARGEST_BYTES] __attribute__((aligned(8)));
    struct bide__log_record *record = (void *)space;
    char text[BIDE_CAP_LOG_LINE_BYTES];
    fill_header(record, level, file, line);
    bide__log_fill(record, BIDE_CAP_LOG_RECORD_BYTES, fields, format, args);
    write_fd(STDERR_FILENO, text, bide__log_format(record, false, text), 1);
}

void bide__log_write(bide_log_level level, const char *file, int line, const bide_log_field *fields,
                     const char *format, ...)
{
    BIDE_ASSERT(level >= BIDE_LOG_DEBUG && level <= BIDE_LOG_ERROR, "log level %d", (int)level);
    int saved = errno;
    struct ring *ring = own_ring;
    if (writing) {
        drop(ring, level);
        return;
    }
    writing = true;
    BIDE__UNSEEN_BEGIN();
    va_list args;
    va_start(args, format);
    if (!__atomic_load_n(&is_open, __ATOMIC_ACQUIRE)) {
        write_at_once(level, file, line, fields, format, args);
    } else {
        if (!ring)
            ring = take_ring();
        uint64_t head = 0;
        struct bide__log_record *record = ring ? reserve(ring, level, &head) : NULL;
        if (record) {
            fill_header(record, level, file, line);
            bide__log_fill(record, BIDE_CAP_LOG_RECORD_BYTES, fields, format, args);
            publish(ring, head + record->bytes);
        } else {
            drop(ring, level);
        }
    }
    va_end(args);
    BIDE__UNSEEN_END();
    writing = false;
    errno = saved;
}

void bide__log_set_loop(int index)
{
    own_loop = index;
}

void bide_log_set_level(bide_log_level level)
{
    __atomic_store_n(&bide__log_level, (int)(level == BIDE_LOG_DEFAULT ? BIDE_LOG_INFO : level),
                     __ATOMIC_RELAXED);
}

bide_log_level bide_log_get_level(void)
{
    return (bide_log_level)__atomic_load_n(&bide__log_level, __ATOMIC_RELAXED);
}

uint64_t bide_log_dropped(bide_log_level level)
{
    BIDE_ASSERT(level >= BIDE_LOG_DEBUG && level <= BIDE_LOG_ERROR, "log level %d", (int)level);
    return bide_counter_read(dropped_counters[level]);
}

/* The writer */

static void write_batch(void)
{
    if (batch_length > 0)
        write_fd(options.fd, batch, batch_length, batch_lines);
    batch_length = batch_lines = 0;
}

static void write_record(const struct bide__log_record *record)
{
    if (sizeof batch - batch_length < BIDE_CAP_LOG_LINE_BYTES)
        write_batch();
    char *line = batch + batch_length;
    size_t length = bide__log_format(record, options.json, line);
    if (options.sink) {
        options.sink(options.sink_arg, line, length);
        return;
    }
    batch_length += length;
    batch_lines++;
}

/* The oldest record of a ring up to its drain mark, NULL if there is none. Steps over the unused
 * end. */
static const struct bide__log_record *oldest(struct ring *ring)
{
    while (ring->tail != ring->drain_to) {
        const void *at = ring->bytes + ring->tail % RING_BYTES;
        uint32_t words[2];
        memcpy(words, at, sizeof words);
        if (words[1])
            return at;
        __atomic_store_n(&ring->tail, ring->tail + words[0], __ATOMIC_RELEASE);
    }
    return NULL;
}

/* A record of the writer's own. */
__attribute__((format(printf, 4, 5))) static void
write_own(bide_log_level level, int line, const bide_log_field *fields, const char *format, ...)
{
    struct bide__log_record *record = (void *)own_space;
    va_list args;
    va_start(args, format);
    fill_header(record, level, __FILE__, line);
    bide__log_fill(record, BIDE_CAP_LOG_RECORD_BYTES, fields, format, args);
    va_end(args);
    write_record(record);
}

/* Says how many records of a ring were dropped since the last time. */
static void report_drops(struct ring *ring)
{
    static const char *const names[LEVELS] = {NULL, "debug", "info", "warn", "error"};
    bide_log_field fields[LEVELS] = {{NULL, NULL, 0}};
    uint64_t total = 0;
    for (int level = BIDE_LOG_DEBUG, at = 0; level < LEVELS; level++) {
        uint64_t dropped = __atomic_load_n(&ring->dropped[level], __ATOMIC_RELAXED);
        uint64_t fresh = dropped - ring->reported[level];
        ring->reported[level] = dropped;
        if (fresh)
            fields[at++] = bide_field_int(names[level], (int64_t)fresh);
        total += fresh;
    }
    if (total == 0)
        return;
    write_own(BIDE_LOG_WARN, __LINE__, fields, "%" PRIu64 " records dropped", total);
}

/* Writes what the rings hold now, by time. Returns whether there was anything. */
static bool drain(void)
{
    bool any = false;
    struct ring *first = __atomic_load_n(&rings, __ATOMIC_ACQUIRE);
    for (struct ring *ring = first; ring; ring = ring->next)
        ring->drain_to = __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST);
    for (;;) {
        struct ring *from = NULL;
        const struct bide__log_record *record = NULL;
        for (struct ring *ring = first; ring; ring = ring->next) {
            const struct bide__log_record *candidate = oldest(ring);
            if (candidate && (!record || candidate->time_ns < record->time_ns)) {
                record = candidate;
                from = ring;
            }
        }
        if (!record)
            break;
        any = true;
        write_record(record);
        __atomic_store_n(&from->tail, from->tail + record->bytes, __ATOMIC_RELEASE);
    }
    for (struct ring *ring = first; ring; ring = ring->next)
        report_drops(ring);
    write_batch();
    return any;
}

static bool rings_empty(void)
{
    for (struct ring *ring = __atomic_load_n(&rings, __ATOMIC_SEQ_CST); ring; ring = ring->next)
        if (__atomic_load_n(&ring->head, __ATOMIC_SEQ_CST) != ring->tail)
            return false;
    return true;
}

/* After work the writer lingers, so that a producer pays for at most one wake per linger. */
static void rest(bool worked, uint32_t bell_seen)
{
    int state = worked ? LINGERING : SLEEPING;
    __atomic_store_n(&writer_state, state, __ATOMIC_SEQ_CST);
    if (worked || rings_empty())
        futex_wait(&bell, bell_seen, worked ? BIDE_CAP_LOG_LINGER_MS * BIDE__NS_PER_MS : -1);
    __atomic_store_n(&writer_state, AWAKE, __ATOMIC_SEQ_CST);
}

static void *write_forever(void *unused)
{
    prctl(PR_SET_NAME, "bide-log");
    BIDE__UNSEEN_BEGIN();
    for (;;) {
        uint32_t bell_seen = __atomic_load_n(&bell, __ATOMIC_SEQ_CST);
        uint32_t asked = __atomic_load_n(&flush_asked, __ATOMIC_SEQ_CST);
        bool stop = __atomic_load_n(&stopping, __ATOMIC_SEQ_CST);
        bool worked = drain();
        if (asked != flush_done) {
            __atomic_store_n(&flush_done, asked, __ATOMIC_SEQ_CST);
            futex_wake(&flush_done);
        }
        if (stop) {
            BIDE__UNSEEN_END();
            return unused;
        }
        rest(worked, bell_seen);
    }
}

/* Starts the writer with all signals blocked: they are for the loops. */
static int start_writer(void)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    if (bide__mem_should_fail() || pthread_attr_init(&attributes))
        return -EAGAIN;
    pthread_attr_setstacksize(&attributes, BIDE_CAP_LOG_STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer, &attributes, write_forever, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? -EAGAIN : 0;
}

int bide_log_open(const bide_log_options *asked)
{
    static const bide_log_options defaults;
    if (!asked)
        asked = &defaults;
    pthread_once(&key_once, once_per_process);
    pthread_mutex_lock(&open_lock);
    int result = is_open ? -EALREADY : 0;
    if (!result) {
        options = *asked;
        if (options.fd == 0)
            options.fd = STDERR_FILENO;
        __atomic_store_n(&stopping, 0, __ATOMIC_SEQ_CST);
        result = start_writer();
    }
    if (!result) {
        bide_log_set_level(asked->level);
        __atomic_store_n(&is_open, 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&open_lock);
    return result;
}

int bide_log_flush(int timeout_ms)
{
    if (!__atomic_load_n(&is_open, __ATOMIC_ACQUIRE))
        return 0;
    uint32_t ticket = __atomic_add_fetch(&flush_asked, 1, __ATOMIC_SEQ_CST);
    ring_bell();
    int64_t until = bide__clock_monotonic_ns() + timeout_ms * BIDE__NS_PER_MS;
    for (;;) {
        uint32_t done = __atomic_load_n(&flush_done, __ATOMIC_SEQ_CST);
        if ((int32_t)(done - ticket) >= 0)
            return 0;
        if (!__atomic_load_n(&is_open, __ATOMIC_ACQUIRE))
            return 0;
        int64_t left = until - bide__clock_monotonic_ns();
        if (left <= 0)
            return -ETIMEDOUT;
        futex_wait(&flush_done, done, left);
    }
}

void bide_log_close(void)
{
    pthread_mutex_lock(&open_lock);
    if (is_open) {
        __atomic_store_n(&is_open, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
        ring_bell();
        pthread_join(writer, NULL);
        drain(); /* what was published while the writer ended */
        __atomic_store_n(&flush_done, __atomic_load_n(&flush_asked, __ATOMIC_SEQ_CST),
                         __ATOMIC_SEQ_CST);
        futex_wake(&flush_done);
    }
    pthread_mutex_unlock(&open_lock);
}
