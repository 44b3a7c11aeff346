/*
 * A picture of a running program: its loops and tasks, taken by reading its memory by the layout of
 * core/debug.h while it goes on. look.c takes it: in the command `bide`, which reads another
 * process, and in the thread that serves those who may not (look_serve.c).
 *
 * The picture has no pointers: texts, sites and kinds are numbers of entries, so it can be sent
 * as it is. 0 is "none" of each.
 *
 * Stands on the C library alone.
 */
#ifndef BIDE_CORE_LOOK_H
#define BIDE_CORE_LOOK_H

#include "core/debug.h"
#include "core/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIDE__LOOK_NOBODY UINT32_MAX

enum bide__look_state {
    BIDE__LOOK_QUEUED,
    BIDE__LOOK_READY,
    BIDE__LOOK_RUNNING,
    BIDE__LOOK_WAITING,
    BIDE__LOOK_ENDED,
    BIDE__LOOK_MOVING, /* it changed faster than it could be read: ready, running or waiting */
};

enum {
    BIDE__LOOK_CANCELLED = 1,  /* its next await raises */
    BIDE__LOOK_BACKGROUND = 2, /* a child of bide_background() */
    BIDE__LOOK_MEANT = 4,      /* it waits without a deadline, and may (core/unanswered.h) */
};

struct bide__look_site {
    uint32_t file, function, what; /* texts */
    int32_t line;
};

struct bide__look_kind {
    uint32_t noun, verb; /* texts */
};

struct bide__look_loop {
    uint64_t address;
    uint64_t slices; /* tasks resumed since the start */
    int64_t now_ns;  /* its clock at the last turn */
    uint64_t timers, stacks;
    uint32_t first_task, task_count;                             /* its part of the tasks */
    uint32_t first_resume, resume_count, first_turn, turn_count; /* of its rings */
    uint64_t resumes_from; /* which resume the first one was */
    int32_t index, tid;
    bool polling; /* waits for events */
};

struct bide__look_task {
    uint64_t id;
    uint32_t loop;                   /* its place in the picture, not its index */
    uint32_t parent;                 /* a place among the tasks; BIDE__LOOK_NOBODY */
    uint32_t holder;                 /* who has what it waits for */
    uint32_t name;                   /* a text */
    uint32_t kind, object;           /* what it waits for: a kind, the object's name */
    uint32_t object_made, made, at;  /* sites */
    uint32_t stack_used, stack_size; /* bytes; 0: it has none, or runs */
    int64_t since_ns, spawned_ns;
    int64_t deadline_ns; /* INT64_MAX: none */
    uint8_t state;       /* enum bide__look_state */
    uint8_t flags;       /* BIDE__LOOK_* */
};

struct bide__look {
    char magic[8]; /* BIDE__DEBUG_MAGIC, and its version: of what is sent too */
    uint32_t version, pid;
    int64_t now_ns; /* the clock that all times are of */
    uint32_t loop_count, task_count, site_count, kind_count, text_bytes;
    uint32_t resume_count, turn_count;
    uint32_t unread; /* records that were given up */
    /* Each one an allocation of the reader. */
    struct bide__look_loop *loops;
    struct bide__look_task *tasks;
    struct bide__look_site *sites;
    struct bide__look_kind *kinds;
    char *texts;                       /* ended by NULs; a text is an offset */
    struct bide__ring_resume *resumes; /* `at` is the place of a site */
    struct bide__ring_turn *turns;
};

/* A part of the memory that is looked at. */
struct bide__look_piece {
    uint64_t address;
    void *to;
    uint32_t size;
    bool read;
};

struct bide__look_reader {
    /* Fills in every piece that can be read. */
    void (*read)(struct bide__look_reader *reader, struct bide__look_piece *pieces, size_t count);
    /* realloc(3). */
    void *(*resize)(void *memory, size_t bytes);
    int64_t (*clock_ns)(void); /* the monotonic clock */
};

enum bide__look_result {
    BIDE__LOOK_DONE,
    BIDE__LOOK_NO_MEMORY,
    BIDE__LOOK_UNREADABLE,    /* nothing can be read there: it has ended, or must not be read */
    BIDE__LOOK_NO_MAGIC,      /* something else stands there */
    BIDE__LOOK_OTHER_VERSION, /* look->version is that of the program */
    BIDE__LOOK_NOT_RUNNING,   /* no bide_run runs in it */
    BIDE__LOOK_DAMAGED,       /* its loops cannot be found: its memory was overwritten */
};

/*
 * Takes the picture of the program whose bide_debug is at `debug`. It is not stopped: what changes
 * meanwhile is read again, a few times, and every pointer is checked, so that the worst is a task
 * that is missing or MOVING. bide__look_free ends it in any case.
 */
enum bide__look_what { BIDE__LOOK_TASKS = 1, BIDE__LOOK_RINGS = 2, BIDE__LOOK_ALL = 3 };
enum bide__look_result bide__look_take(struct bide__look_reader *reader, uint64_t debug,
                                       enum bide__look_what what, struct bide__look *ret_look);
void bide__look_free(struct bide__look_reader *reader, struct bide__look *look);

/* look_tasks.c: ends a text that came from elsewhere within `size` bytes, and makes it harmless on
   a terminal: UTF-8 without control characters. Gives its length. */
size_t bide__look_clean_text(char *text, size_t size);

/* look_process.c, for readers: reads what it can from a process. 0 or an errno: EFAULT when a piece
   is not there, ESRCH without the process, EPERM when its memory may not be read. */
int bide__look_process_read(int pid, struct bide__look_piece *pieces, size_t count);

/*
 * Where the memory of a program may not be read (ptrace(2), "Ptrace access mode checking"), it is
 * asked for the picture: a signal with this value, which only its user and root may send, has it
 * listen for a while on the abstract socket BIDE__LOOK_SOCKET, where it answers its user and root
 * only. What is sent: one byte, enum bide__look_what; back come the struct, its pointers 0, and its
 * arrays in their order.
 */
#define BIDE__LOOK_SOCKET "bide-look/%d"
enum { BIDE__LOOK_SIGNAL_VALUE = 0x0b1de };

/* Calls `part(bytes, size, arg)` for the arrays, in the order in which they are sent. */
static inline bool bide__look_parts(struct bide__look *look,
                                    bool (*part)(void **bytes, size_t size, void *arg), void *arg)
{
    void **arrays[] = {(void **)&look->loops, (void **)&look->tasks, (void **)&look->sites,
                       (void **)&look->kinds, (void **)&look->texts, (void **)&look->resumes,
                       (void **)&look->turns};
    size_t sizes[] = {look->loop_count * sizeof *look->loops,
                      look->task_count * sizeof *look->tasks,
                      look->site_count * sizeof *look->sites,
                      look->kind_count * sizeof *look->kinds,
                      look->text_bytes,
                      look->resume_count * sizeof *look->resumes,
                      look->turn_count * sizeof *look->turns};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!part(arrays[i], sizes[i], arg))
            return false;
    return true;
}

#endif
