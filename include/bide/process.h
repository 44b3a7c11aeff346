/*
 * process.h: child processes: started without a shell, owned by a block.
 *
 *     const char *const argv[] = {"convert", "-", "png:-", NULL};
 *     with(bide_child, child, argv, &(bide_process_options){.in = BIDE_IO_STREAM,
 *                                                           .out = BIDE_IO_STREAM}) {
 *         await(bide_write(bide_process_in(child), picture, size));
 *         bide_shutdown_write(bide_process_in(child));
 *         size_t n = await(bide_read(bide_process_out(child), buffer, sizeof buffer));
 *         bide_process_end end = await(bide_process_wait(child));
 *         if (!bide_process_ok(end)) ...
 *     }
 *
 * Invariants
 *  1. When the block is left, in whatever way, the child has ended and is reaped: one that still
 *     runs gets SIGTERM, and SIGKILL when it has not ended after `patience`. The end suspends.
 *  2. The words of `argv` reach the program as they are: there is no shell.
 *  3. The child gets three descriptors and no other of the library's, no blocked or ignored
 *     signals, and all cores that this process had at its start.
 *  4. It is known by a pidfd, so no signal ever reaches another process that has its number later.
 *
 * Writing to a child that reads nothing while it waits for its output to be read is a deadlock of
 * two processes that nobody sees: write and read in two tasks when there is much of both.
 *
 * Sources: posix_spawn(3), pidfd_open(2), waitid(2). Needs Linux 5.4. A program that ignores
 * SIGCHLD (SIG_IGN) cannot learn how its children ended: it is told so as BIDE_SYSTEM, ECHILD.
 *
 * layer: io
 */
#ifndef BIDE_PROCESS_H
#define BIDE_PROCESS_H

#include <bide/net.h>

typedef struct bide_process bide_process;
typedef bide_process *bide_process_ptr;
AWAITABLE(bide_process_ptr);

/* What a descriptor of the child is. */
enum bide_process_io {
    BIDE_IO_SAME,    /* what it is in this process */
    BIDE_IO_NOTHING, /* /dev/null */
    BIDE_IO_STREAM,  /* a stream to or from this process (a unix socket, not a pipe) */
    BIDE_IO_OUT,     /* only for `error`: what `out` is */
};

typedef struct bide_process_options {
    enum bide_process_io in, out, error; /* descriptors 0, 1, 2 */
    const char *const *environment;      /* "NAME=value", ends with NULL; NULL: this process' own */
    const char *folder;                  /* where it starts; NULL: where this process is */
    bide_duration patience;              /* from SIGTERM to SIGKILL; 0: 2 s; 4 s at the most */
    bool own_group; /* a process group of its own, which signals of bide_process_signal and of the
                       block's end reach as a whole: its children too. Not a terminal's Ctrl-C. What
                       is left of it when the child itself has ended is killed at the block's end:
                       `patience` is for the child, which may wait for its own */
} bide_process_options;

typedef struct bide_process_end {
    int status; /* what it returned, 0 to 255; -1 when a signal ended it */
    int signal; /* that signal; 0: none did */
} bide_process_end;
AWAITABLE(bide_process_end);

static inline bool bide_process_ok(bide_process_end end)
{
    return end.status == 0 && end.signal == 0;
}

/*
 * Starts a program: argv[0] is looked for in PATH unless it has a slash; argv ends with NULL.
 * `options` may be NULL. All is copied. Suspends until the program has begun. Use the block:
 * with(bide_child, child, argv, options). BIDE_NOT_FOUND: no such program, or no such folder; else
 * BIDE_SYSTEM with the errno.
 */
bide_async(bide_process_ptr) bide_process_start(const char *const *argv,
                                                const bide_process_options *options);

/* Ends it as invariant 1 says, closes its streams, and frees it. Suspends, in spite of cancels, for
   `patience` and a moment. NULL is allowed. */
bide_async(void) bide_process_finish(bide_process *process);

/* The streams of what is BIDE_IO_STREAM, NULL else. They are the process': not to be closed; to say
   that nothing more comes, bide_shutdown_write. */
bide_stream *bide_process_in(const bide_process *process);
bide_stream *bide_process_out(const bide_process *process);
bide_stream *bide_process_error(const bide_process *process);

/* Its number; valid until it is finished. */
int bide_process_id(const bide_process *process);

/* Waits until it has ended, and says how; again and again. By any task of its loop. */
bide_async(bide_process_end) bide_process_wait(bide_process *process);

/* Sends it a signal: false when it has ended. Never suspends. */
bool bide_process_signal(bide_process *process, int signal);

bide_async(void) bide__process_left(bide_process_ptr process, bide_error *error);
RESOURCE(bide_child, bide_process_ptr, bide_process_start, bide__process_left)

SPAWNABLE(bide_process_ptr, bide_process_start, const char *const *, const bide_process_options *)
SPAWNABLE(bide_process_end, bide_process_wait, bide_process *)

#endif
