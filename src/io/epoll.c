/*
 * epoll.c: the I/O backend on epoll(7), behind core/op.h.
 *
 * Called by the loop (poll, wake) and by the files of this folder (attach, detach). A descriptor is
 * registered once, edge-triggered, for reading and writing; after that only the operations
 * themselves are system calls (readiness.c).
 */
#include "base/caps.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/graph.h"
#include "io/readiness.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BATCH_EVENTS = 256 };

/* The data of the wake-up's event; no descriptor has this number. */
static const uint64_t wake_data = UINT64_MAX;

struct epoll_io {
    struct bide__io io;
    int epoll_fd, wake_fd;
    bool whole_ms; /* the kernel has no epoll_pwait2(2) */
    struct bide__fd_table table;
    struct epoll_event events[BATCH_EVENTS];
};

static struct epoll_io *epoll_of(struct bide__io *io)
{
    return bide__container_of(io, struct epoll_io, io);
}

static void epoll_close(struct bide__io *io)
{
    struct epoll_io *self = epoll_of(io);
    bide__fd_table_done(&self->table);
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    if (self->epoll_fd >= 0)
        close(self->epoll_fd);
    bide__free(self);
}

static int epoll_open(struct bide__loop *loop, struct bide__io **ret_io)
{
    struct epoll_io *self = bide__calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->io = (struct bide__io){&bide__io_epoll, loop};
    self->wake_fd = -1;
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll_fd >= 0)
        self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = wake_data};
    if (self->wake_fd < 0 || epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, self->wake_fd, &event) < 0) {
        int code = -errno;
        epoll_close(&self->io);
        return code;
    }
    *ret_io = &self->io;
    return 0;
}

static int epoll_attach(struct bide__io *io, struct bide__fd *fd)
{
    struct epoll_io *self = epoll_of(io);
    int code = bide__fd_table_reach(&self->table, (size_t)fd->fd);
    if (code < 0)
        return code;
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.u64 = (uint64_t)(self->table.generations + 1) << 32 | (uint32_t)fd->fd,
    };
    if (epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd->fd, &event) < 0)
        return -errno;
    bide__fd_table_put(&self->table, io, fd);
    return 0;
}

static void epoll_detach(struct bide__io *io, struct bide__fd *fd)
{
    struct epoll_io *self = epoll_of(io);
    /* A close alone would not do: while a copy of the descriptor is open, in a child perhaps, its
       events would go on waking this loop. */
    if (bide__fd_table_remove(&self->table, fd) && !fd->closed)
        epoll_ctl(self->epoll_fd, EPOLL_CTL_DEL, fd->fd, NULL);
}

static void epoll_move(struct bide__io *io, struct bide__fd *from, struct bide__fd *to)
{
    bide__fd_table_move(&epoll_of(io)->table, from, to);
}

/*
 * What is in the page cache needs no thread. A short count is the end of the file, or of what is
 * cached; some kernels (5.9, 5.10) say 0 for the latter, so the size decides. File systems that do
 * not know RWF_NOWAIT, which may be slow to tell a size, fail before that.
 */
static int epoll_file(struct bide__io *io, struct bide__file_op *op)
{
    (void)io;
    struct stat status;
    struct iovec part = {op->buffer, op->size};
    if (op->kind != BIDE__FILE_READ || op->size > BIDE_CAP_FILE_NOW_BYTES)
        return -EAGAIN;
    ssize_t n = preadv2(op->fd, &part, 1, (off_t)op->offset, RWF_NOWAIT);
    if (n > 0)
        return (int)n;
    bool at_end = n == 0 && fstat(op->fd, &status) == 0 && S_ISREG(status.st_mode) &&
                  op->offset >= status.st_size;
    return at_end ? 0 : -EAGAIN; /* also what failed: a thread finds out why */
}

/* epoll_wait(2), but until a point in time. */
static int wait_until(struct epoll_io *self, int64_t deadline_ns)
{
    if (deadline_ns == 0 || deadline_ns == INT64_MAX)
        return epoll_wait(self->epoll_fd, self->events, BATCH_EVENTS, deadline_ns ? -1 : 0);
    int64_t left_ns = deadline_ns - bide__clock_monotonic_ns();
    if (left_ns < 0)
        left_ns = 0;
#ifdef SYS_epoll_pwait2
    if (!self->whole_ms) {
        struct timespec left = {(time_t)(left_ns / BIDE__NS_PER_S),
                                (long)(left_ns % BIDE__NS_PER_S)};
        long n = syscall(SYS_epoll_pwait2, self->epoll_fd, self->events, BATCH_EVENTS, &left, NULL,
                         (size_t)0);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return (int)n;
        self->whole_ms = true;
    }
#endif
    int64_t left_ms = left_ns / BIDE__NS_PER_MS + (left_ns % BIDE__NS_PER_MS != 0);
    return epoll_wait(self->epoll_fd, self->events, BATCH_EVENTS,
                      left_ms < INT_MAX ? (int)left_ms : INT_MAX);
}

static void epoll_poll(struct bide__io *io, int64_t deadline_ns)
{
    struct epoll_io *self = epoll_of(io);
    int count = wait_until(self, deadline_ns);
    BIDE_ASSERT(count >= 0 || errno == EINTR, "epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        uint64_t data = self->events[i].data.u64;
        if (data == wake_data)
            continue; /* edge-triggered: it need not be read */
        struct bide__fd *fd =
            bide__fd_table_find(&self->table, (uint32_t)data, (uint32_t)(data >> 32));
        if (fd)
            bide__fd_notice(fd, self->events[i].events);
    }
}

static void epoll_wake(struct bide__io *io)
{
    bide__fd_wake(epoll_of(io)->wake_fd);
}

const struct bide__io_ops bide__io_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .attach = epoll_attach,
    .detach = epoll_detach,
    .move = epoll_move,
    .perform = bide__fd_perform,
    .receive_now = bide__fd_receive_now,
    .send_now = bide__fd_send_now,
    .file = epoll_file,
    .peek = bide__fd_peek,
    .poll = epoll_poll,
    .wake = epoll_wake,
};
