/*
 * epoll.c: the I/O backend on epoll(7), behind core/op.h.
 *
 * Called by the loop (poll, wake) and by the files of this folder (attach, perform, detach). A
 * descriptor is registered once, edge-triggered, for reading and writing; after that only the
 * operations themselves are system calls:
 *
 *     perform: ready? -> recv, send ... -> result
 *                 no, or EAGAIN -> wait in fd->readers or ->writers -> woken by poll -> again
 *
 * Invariants
 *  1. READ (WRITE) is clear in `readiness` only after the kernel said that nothing is left (no room
 *     is left), and no edge came since. So whoever waits will see an edge.
 *  2. An edge wakes the first waiter. One that leaves with the descriptor still ready wakes the
 *     next, also when it failed: no edge is lost with a task.
 *  3. A poll makes tasks ready and calls the hooks of core/op.h, nothing else; a hook may detach
 *     its own descriptor, and the generation keeps later events of the batch off it. What arrives
 *     for an earlier owner of a number is told apart by the generation.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "core/graph.h"
#include "core/loop.h"

#include <bide/log.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    READ = BIDE__FD_READ,
    WRITE = BIDE__FD_WRITE,
    /* The peer has ended, an error is pending, or urgent data splits the stream: now a short read
       does not mean that nothing is left. */
    UNEVEN = 4,
};

enum { BATCH_EVENTS = 256, FIRST_NUMBERS = 64 };

/* The data of the wake-up's event; no descriptor has this number. */
static const uint64_t wake_data = UINT64_MAX;

struct epoll_io {
    struct bide__io io;
    int epoll_fd, wake_fd;
    bool whole_ms; /* the kernel has no epoll_pwait2(2) */
    uint32_t generations;
    struct bide__fd **by_number; /* the attached one of each descriptor number */
    size_t numbers;
    struct epoll_event events[BATCH_EVENTS];
};

static struct epoll_io *epoll_of(struct bide__io *io)
{
    return bide__container_of(io, struct epoll_io, io);
}

static void epoll_close(struct bide__io *io)
{
    struct epoll_io *self = epoll_of(io);
    for (size_t i = 0; i < self->numbers; i++) {
        const struct bide__fd *fd = self->by_number[i];
        if (!fd)
            continue;
        const struct bide_site *made = fd->object.made;
        bide_log(BIDE_LOG_WARN, "%s %s was never closed; it was opened at %s:%d",
                 fd->object.kind->noun, fd->object.name ? fd->object.name : "",
                 made ? made->file : "?", made ? made->line : 0);
    }
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    if (self->epoll_fd >= 0)
        close(self->epoll_fd);
    bide__free(self->by_number);
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

static int reach_number(struct epoll_io *self, size_t number)
{
    size_t numbers = self->numbers ? self->numbers : FIRST_NUMBERS;
    while (numbers <= number)
        numbers *= 2;
    if (numbers == self->numbers)
        return 0;
    struct bide__fd **grown = bide__realloc(self->by_number, numbers * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + self->numbers, 0, (numbers - self->numbers) * sizeof *grown);
    self->by_number = grown;
    self->numbers = numbers;
    return 0;
}

static int epoll_attach(struct bide__io *io, struct bide__fd *fd)
{
    struct epoll_io *self = epoll_of(io);
    size_t number = (size_t)fd->fd;
    int code = reach_number(self, number);
    if (code < 0)
        return code;
    uint32_t generation = ++self->generations;
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.u64 = (uint64_t)generation << 32 | number,
    };
    if (epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd->fd, &event) < 0)
        return -errno;
    struct bide__fd *earlier = self->by_number[number];
    if (earlier) {
        bide_log(BIDE_LOG_ERROR, "descriptor %d of %s %s was closed behind its back", fd->fd,
                 earlier->object.kind->noun, earlier->object.name ? earlier->object.name : "");
        earlier->fd = -1;
    }
    self->by_number[number] = fd;
    fd->generation = generation;
    /* Whatever is there already: the first operations find out, or the first edge, which tells all,
       for who is called on it. */
    fd->readiness = fd->on_readable ? WRITE : READ | WRITE;
    fd->readers = fd->writers = (struct bide__queue){0};
    fd->io = io;
    return 0;
}

static void epoll_detach(struct bide__io *io, struct bide__fd *fd)
{
    struct epoll_io *self = epoll_of(io);
    BIDE_ASSERT(!fd->readers.first && !fd->writers.first, "descriptor %d is still waited for",
                fd->fd);
    fd->readiness = READ | WRITE; /* nobody may wait for it from now on */
    if (fd->fd < 0)
        return;
    self->by_number[fd->fd] = NULL;
    /* A close alone would not do: while a copy of the descriptor is open, in a child perhaps, its
       events would go on waking this loop. */
    epoll_ctl(self->epoll_fd, EPOLL_CTL_DEL, fd->fd, NULL);
}

/* Until poll(2) says that it would not block. */
static int look(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    int n = poll(&one, 1, 0);
    return n == 0 ? -EAGAIN : n < 0 ? -errno : one.revents & POLLNVAL ? -EBADF : 0;
}

/* A second connect(2) on a socket tells how the first one went on, see POSIX. */
static int connect_once(const struct bide__op *op)
{
    if (connect(op->fd->fd, op->address, op->address_size) == 0 || errno == EISCONN)
        return 0;
    if (errno == EAGAIN)
        return -EBUSY;
    return errno == EINPROGRESS || errno == EALREADY ? -EAGAIN : -errno;
}

/*
 * recv(2) and send(2), but without being points of thread cancellation: in a process with several
 * threads (there is a watchdog) that costs libc four locked instructions a call. Sanitizers watch
 * the library's functions.
 */
static ssize_t receive_some(int fd, void *buffer, size_t size)
{
    if (BIDE__ASAN || BIDE__TSAN)
        return recv(fd, buffer, size, 0);
    return syscall(SYS_recvfrom, fd, buffer, size, 0, NULL, NULL);
}

static ssize_t send_some(int fd, const void *buffer, size_t size)
{
    if (BIDE__ASAN || BIDE__TSAN)
        return send(fd, buffer, size, MSG_NOSIGNAL);
    return syscall(SYS_sendto, fd, buffer, size, MSG_NOSIGNAL, NULL, 0);
}

static int capped(size_t size)
{
    return size < INT_MAX ? (int)size : INT_MAX;
}

/* After a try. Somebody else may wait for the same; -EAGAIN means that an edge will come. */
static inline int tried(struct bide__fd *fd, uint8_t bit, struct bide__queue *queue, int result)
{
    if (bide__unlikely(result == -EAGAIN))
        fd->readiness &= (uint8_t)~bit;
    else if (bide__unlikely(queue->first) && (fd->readiness & bit))
        bide__wake(queue->first, 0);
    return result;
}

static int epoll_receive_now(struct bide__fd *fd, void *buffer, size_t size)
{
    int most = capped(size), n;
    if (!(fd->readiness & READ))
        return -EAGAIN;
    do
        n = (int)receive_some(fd->fd, buffer, (size_t)most);
    while (bide__unlikely(n < 0) && errno == EINTR);
    if (n >= 0 && n < most && fd->short_is_drained && !(fd->readiness & UNEVEN))
        fd->readiness &= (uint8_t)~READ;
    return tried(fd, READ, &fd->readers, bide__unlikely(n < 0) ? -errno : n);
}

static int epoll_send_now(struct bide__fd *fd, const void *buffer, size_t size)
{
    int most = capped(size), n;
    if (!(fd->readiness & WRITE))
        return -EAGAIN;
    do
        n = (int)send_some(fd->fd, buffer, (size_t)most);
    while (bide__unlikely(n < 0) && errno == EINTR);
    if (n >= 0 && n < most)
        fd->readiness &= (uint8_t)~WRITE;
    return tried(fd, WRITE, &fd->writers, bide__unlikely(n < 0) ? -errno : n);
}

static bool reads(const struct bide__op *op)
{
    return op->kind == BIDE__OP_RECEIVE || op->kind == BIDE__OP_ACCEPT ||
           op->kind == BIDE__OP_READABLE;
}

/* The operations that transfer nothing through a buffer. */
static int try_other(struct bide__op *op)
{
    int fd = op->fd->fd, n;
    switch ((enum bide__op_kind)op->kind) {
    case BIDE__OP_ACCEPT:
        n = accept4(fd, op->address, op->address ? &op->address_size : NULL,
                    SOCK_NONBLOCK | SOCK_CLOEXEC);
        return n < 0 ? -errno : n;
    case BIDE__OP_CONNECT:
        return connect_once(op);
    case BIDE__OP_READABLE:
        return look(fd, POLLIN);
    default:
        return look(fd, POLLOUT);
    }
}

static int perform_now(struct bide__op *op)
{
    struct bide__fd *fd = op->fd;
    bool reading = reads(op);
    uint8_t bit = reading ? READ : WRITE;
    int result;
    if (op->kind == BIDE__OP_RECEIVE)
        return epoll_receive_now(fd, op->buffer, op->size);
    if (op->kind == BIDE__OP_SEND)
        return epoll_send_now(fd, op->buffer, op->size);
    if (!(fd->readiness & bit))
        return -EAGAIN;
    do
        result = try_other(op);
    while (result == -EINTR);
    return tried(fd, bit, reading ? &fd->readers : &fd->writers, result);
}

static int epoll_perform(struct bide__io *io, struct bide__op *op)
{
    struct bide__fd *fd = op->fd;
    int result;
    while ((result = perform_now(op)) == -EAGAIN) {
        struct bide_task *me = bide__task_current();
        if (op->waited && (result = bide__checkpoint(me)) < 0)
            return result;
        op->waited = true;
        io->loop->outside++;
        result = bide__wait(me, reads(op) ? &fd->readers : &fd->writers, &op->wait, &fd->object);
        io->loop->outside--;
        /* `fd` may be gone now, if its owner says so. */
        if (result < 0)
            return result;
    }
    return result;
}

/* The hooks come last: they may detach. */
static void notice(struct bide__fd *fd, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        fd->readiness |= UNEVEN | READ;
    if (events & EPOLLIN)
        fd->readiness |= READ;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        fd->readiness |= WRITE;
    if ((fd->readiness & WRITE) && fd->writers.first)
        bide__wake(fd->writers.first, 0);
    if ((fd->readiness & READ) && fd->readers.first)
        bide__wake(fd->readers.first, 0);
    else if ((fd->readiness & READ) && fd->on_readable)
        fd->on_readable(fd);
    else if ((events & (EPOLLHUP | EPOLLERR)) && fd->on_gone)
        fd->on_gone(fd);
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
        struct bide__fd *fd = self->by_number[(uint32_t)data];
        if (bide__likely(fd && fd->generation == data >> 32))
            notice(fd, self->events[i].events);
    }
}

static void epoll_wake(struct bide__io *io)
{
    int saved = errno;
    uint64_t one = 1;
    /* It fails only when 2^64 - 1 wake-ups came before. */
    ssize_t written = write(epoll_of(io)->wake_fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

const struct bide__io_ops bide__io_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .attach = epoll_attach,
    .detach = epoll_detach,
    .perform = epoll_perform,
    .receive_now = epoll_receive_now,
    .send_now = epoll_send_now,
    .poll = epoll_poll,
    .wake = epoll_wake,
};
