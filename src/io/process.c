/*
 * Child processes: include/bide/process.h. Called by users; calls the blocking lane for the start,
 * endpoint.c for the pidfd, stream.c for the streams.
 *
 *   starting --on a lane--> running --pidfd readable, waitid--> ended
 *
 * The leader of a group of its own is looked at by that waitid, and reaped when it is finished:
 * until then nobody else's group can have its number, and what is left of its own is killed.
 *
 * Invariants
 *  1. The child is not reaped before its pidfd says that it has ended, and only through that.
 *  2. It is started on a lane: a loop's thread is pinned to a core, which a child would inherit.
 */
#include "base/caps.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/graph.h"
#include "core/scope.h"
#include "io/endpoint.h"

#include <bide/log.h>
#include <bide/offload.h>
#include <bide/process.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 2000,
    MOST_PATIENCE_MS = 4000, /* less than what a cleanup has: BIDE_CAP_CLEANUP_MS */
    KILLED_MS = 900,         /* for a child to end after SIGKILL */
    STREAMS = 3,
    FIRST_FREE = 3, /* descriptors below are the child's own */
};

struct bide_process {
    struct bide__endpoint endpoint; /* of the pidfd */
    bide_stream *streams[STREAMS];
    bide_process_end end;
    bide_duration patience;
    pid_t id;
    bool own_group;
    bool ended;
};

static const struct bide__kind kind_process = {.noun = "process", .verb = "waits for the end of"};

/* What a start makes on the way: closed and ended unless the process takes it. */
struct start {
    const char *const *argv;
    const bide_process_options *options;
    int ours[STREAMS], theirs[STREAMS]; /* the ends of the streams */
    int pidfd;
    pid_t id;
    int code;
    bool no_folder;
};

static void close_all(int *descriptors)
{
    for (int i = 0; i < STREAMS; i++) {
        if (descriptors[i] >= 0)
            close(descriptors[i]);
        descriptors[i] = -1;
    }
}

static int pidfd_signal(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

/* A child that was started in spite of a cancel, which nobody has seen yet. */
static void start_done(struct start *start)
{
    close_all(start->ours);
    close_all(start->theirs);
    if (start->id > 0) {
        kill(start->id, SIGKILL);
        if (start->options->own_group)
            kill(-start->id, SIGKILL);
        while (waitpid(start->id, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (start->pidfd >= 0)
        close(start->pidfd);
}

/* A pair whose ends are not among the child's own numbers. */
static int make_pair(struct start *start, int which)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int code = 0;
    for (int i = 0; i < 2; i++) {
        int moved = pair[i];
        if (moved < FIRST_FREE) {
            moved = fcntl(pair[i], F_DUPFD_CLOEXEC, FIRST_FREE);
            code = moved < 0 ? -errno : code;
            close(pair[i]);
        }
        *(i ? &start->theirs[which] : &start->ours[which]) = moved;
    }
    if (code == 0 && fcntl(start->ours[which], F_SETFL, O_NONBLOCK) < 0)
        code = -errno;
    return code;
}

/* What descriptor `which` of the child is to be. A positive errno, as of posix_spawn(3). */
static int set_descriptor(struct start *start, posix_spawn_file_actions_t *actions, int which,
                          enum bide_process_io io)
{
    switch (io) {
    case BIDE_IO_NOTHING:
        return posix_spawn_file_actions_addopen(actions, which, "/dev/null",
                                                which == 0 ? O_RDONLY : O_WRONLY, 0);
    case BIDE_IO_STREAM: {
        int code = make_pair(start, which);
        return code < 0 ? -code
                        : posix_spawn_file_actions_adddup2(actions, start->theirs[which], which);
    }
    case BIDE_IO_OUT:
        return which == 2 ? posix_spawn_file_actions_adddup2(actions, 1, 2) : EINVAL;
    default:
        return 0;
    }
}

static int set_attributes(posix_spawnattr_t *attributes, bool own_group)
{
    sigset_t all, none;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    int error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error)
        error = posix_spawnattr_setsigmask(attributes, &none);
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (own_group)
        flags |= POSIX_SPAWN_SETPGROUP;
    return error ? error : posix_spawnattr_setflags(attributes, (short)flags);
}

static int spawn_with(struct start *start, posix_spawn_file_actions_t *actions,
                      posix_spawnattr_t *attributes)
{
    const bide_process_options *options = start->options;
    extern char **environ;
    char *const *environment =
        options->environment ? (char *const *)(uintptr_t)options->environment : environ;
    const enum bide_process_io kinds[STREAMS] = {options->in, options->out, options->error};
    int error = set_attributes(attributes, options->own_group);
    for (int i = 0; i < STREAMS && !error; i++)
        error = set_descriptor(start, actions, i, kinds[i]);
    if (!error && options->folder)
        error = posix_spawn_file_actions_addchdir_np(actions, options->folder);
    struct stat status;
    start->no_folder =
        options->folder && (stat(options->folder, &status) < 0 || !S_ISDIR(status.st_mode));
    if (!error && start->no_folder)
        error = ENOENT;
    if (!error)
        error = posix_spawnp(&start->id, start->argv[0], actions, attributes,
                             (char *const *)(uintptr_t)start->argv, environment);
    if (error)
        start->id = 0;
    return -error;
}

/* On a lane. */
static void start_here(void *arg)
{
    struct start *start = arg;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (!error) {
        error = posix_spawnattr_init(&attributes);
        if (!error) {
            start->code = spawn_with(start, &actions, &attributes);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    if (error)
        start->code = -error;
    close_all(start->theirs);
    if (start->code < 0)
        return;
    start->pidfd = (int)syscall(SYS_pidfd_open, start->id, 0);
    if (start->pidfd < 0)
        start->code = -errno;
}

__attribute__((noreturn, cold)) static void raise_start(const struct start *start, int code)
{
    const char *name = start->argv[0];
    if (code == -ENOENT && start->no_folder)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_NOT_FOUND, "start %s: there is no folder %s", name,
                                  start->options->folder));
    if (code == -ENOENT)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_NOT_FOUND, "start %s: there is no such program", name));
    bide__net_raise(code, "start", name);
}

/* The process of a child that runs; a negative code leaves what was made to `start`. */
static int take_over(struct start *start, bide_process **ret_process)
{
    static const char *const names[STREAMS] = {"stdin", "stdout", "stderr"};
    void *object;
    struct bide__fd as = {.fd = start->pidfd};
    int code = bide__endpoint_open(sizeof(bide_process), offsetof(bide_process, endpoint), &as,
                                   &kind_process, start->argv[0], &object);
    if (code < 0)
        return code;
    bide_process *process = object;
    start->pidfd = -1;
    for (int i = 0; i < STREAMS && code == 0; i++) {
        char name[BIDE_ADDRESS_BYTES];
        if (start->ours[i] < 0)
            continue;
        snprintf(name, sizeof name, "unix:%s of %.80s", names[i], start->argv[0]);
        code = bide__stream_new(start->ours[i], name, &process->streams[i]);
        if (code == 0)
            start->ours[i] = -1;
    }
    if (code < 0) {
        for (int i = 0; i < STREAMS; i++)
            bide_close_stream(process->streams[i]);
        bide__endpoint_close(&process->endpoint);
        bide__free(process);
        return code;
    }
    int64_t patience_ns = start->options->patience.ns;
    if (patience_ns <= 0)
        patience_ns = PATIENCE_MS * BIDE__NS_PER_MS;
    if (patience_ns > MOST_PATIENCE_MS * BIDE__NS_PER_MS)
        patience_ns = MOST_PATIENCE_MS * BIDE__NS_PER_MS;
    process->patience = bide_ns(patience_ns);
    process->own_group = start->options->own_group;
    process->id = start->id;
    start->id = 0;
    *ret_process = process;
    return 0;
}

bide_async(bide_process_ptr) bide_process_start(const char *const *argv,
                                                const bide_process_options *options)
{
    static const bide_process_options none;
    bide_process *process = NULL;
    struct start start __attribute__((cleanup(start_done))) = {
        .argv = argv,
        .options = options ? options : &none,
        .ours = {-1, -1, -1},
        .theirs = {-1, -1, -1},
        .pidfd = -1,
    };
    if (!argv || !argv[0])
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "start: no program is named"));
    bide__needs_kernel("a child process");
    bide__offload(BIDE_BLOCKING, bide__current->at, "start", start_here, &start);
    int code = start.code;
    if (code == 0)
        code = take_over(&start, &process);
    if (code < 0)
        raise_start(&start, code);
    return bide_ready(bide_process_ptr, process);
}

bide_stream *bide_process_in(const bide_process *process)
{
    return process->streams[0];
}

bide_stream *bide_process_out(const bide_process *process)
{
    return process->streams[1];
}

bide_stream *bide_process_error(const bide_process *process)
{
    return process->streams[2];
}

int bide_process_id(const bide_process *process)
{
    return process->id;
}

bool bide_process_signal(bide_process *process, int signal)
{
    if (process->ended)
        return false;
    /* While it is not reaped its number, and that of its group, are not given away. */
    if (process->own_group)
        return kill(-process->id, signal) == 0;
    return pidfd_signal(process->endpoint.fd.fd, signal) == 0;
}

/* Waits for the pidfd, and reaps, but not the leader of a group: its number is needed once more.
   0 or a negative code. */
static int wait_here(struct bide_task *me, bide_process *process)
{
    siginfo_t info;
    int code = bide__checkpoint(me);
    if (code < 0 || process->ended)
        return code;
    struct bide__op op = {.kind = BIDE__OP_READABLE, .fd = &process->endpoint.fd};
    code = me->loop->io->ops->perform(me->loop->io, &op);
    if (!op.waited)
        bide__done_at_once(me);
    if (process->ended && code != -ECANCELED)
        return 0; /* another task saw it first, and may have finished the process */
    if (code < 0)
        return process->endpoint.closed && code != -ECANCELED ? -ESHUTDOWN : code;
    memset(&info, 0, sizeof info);
    if (waitid((idtype_t)P_PIDFD, (id_t)process->endpoint.fd.fd, &info,
               WEXITED | (process->own_group ? WNOWAIT : 0)) < 0)
        return -errno;
    process->ended = true;
    process->end = info.si_code == CLD_EXITED
                       ? (bide_process_end){.status = info.si_status}
                       : (bide_process_end){.status = -1, .signal = info.si_status};
    return 0;
}

bide_async(bide_process_end) bide_process_wait(bide_process *process)
{
    struct bide_task *me = bide__task_current();
    char name[BIDE_ADDRESS_BYTES];
    bide__endpoint_enter(me, &process->endpoint, "wait for");
    int code = wait_here(me, process);
    bide_process_end end = process->end;
    snprintf(name, sizeof name, "%s", bide__endpoint_name(&process->endpoint));
    if (bide__endpoint_leave(&process->endpoint))
        bide__free(process);
    if (code < 0)
        bide__net_raise(code, "wait for", name);
    return bide_ready(bide_process_end, end);
}

/* Whether it has ended within that time. */
static bool ends_within(struct bide_task *me, bide_process *process, int64_t duration_ns)
{
    struct bide__scope scope = {0};
    bide__deadline_enter(&scope, me->head.at, bide_ns(duration_ns));
    int code = wait_here(me, process);
    bide__scope_pop(&scope);
    return code == 0 || code == -ECHILD;
}

/* Kills what is left of a group whose leader has ended, and then lets go of its number. */
static void end_group(const bide_process *process)
{
    siginfo_t info;
    kill(-process->id, SIGKILL);
    (void)waitid((idtype_t)P_PIDFD, (id_t)process->endpoint.fd.fd, &info, WEXITED | WNOHANG);
}

bide_async(void) bide_process_finish(bide_process *process)
{
    if (!process)
        return bide_void;
    struct bide_task *me = bide__task_current();
    for (int i = 0; i < STREAMS; i++)
        bide_close_stream(process->streams[i]);
    int64_t most_ns = process->patience.ns + KILLED_MS * BIDE__NS_PER_MS;
    struct bide__scope shield = {0};
    bide__shield_enter(&shield, me->head.at, bide_ns(most_ns));
    bool ended = process->ended;
    if (!ended && bide_process_signal(process, SIGTERM))
        ended = ends_within(me, process, process->patience.ns);
    if (!ended) {
        bide_process_signal(process, SIGKILL);
        ended = ends_within(me, process, KILLED_MS * BIDE__NS_PER_MS);
    }
    bide__scope_pop(&shield);
    if (!ended)
        bide_log(BIDE_LOG_WARN, "process %d '%s' has not ended after SIGKILL", (int)process->id,
                 bide__endpoint_name(&process->endpoint));
    if (process->own_group && process->ended)
        end_group(process);
    if (bide__endpoint_close(&process->endpoint))
        bide__free(process);
    return bide_void;
}

bide_async(void) bide__process_left(bide_process_ptr process, bide_error *error)
{
    (void)error;
    return bide_process_finish(process);
}
