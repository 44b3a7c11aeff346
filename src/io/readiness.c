/*
 * readiness.c: see readiness.h.
 */
#include "io/readiness.h"

#include "base/mem.h"
#include "core/graph.h"
#include "core/unanswered.h"

#include <bide/log.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ = BIDE__FD_READ, WRITE = BIDE__FD_WRITE, FIRST_NUMBERS = 64 };

int bide__fd_table_reach(struct bide__fd_table *table, size_t number)
{
    size_t numbers = table->numbers ? table->numbers : FIRST_NUMBERS;
    while (numbers <= number)
        numbers *= 2;
    if (numbers == table->numbers)
        return 0;
    struct bide__fd **grown = bide__realloc(table->by_number, numbers * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + table->numbers, 0, (numbers - table->numbers) * sizeof *grown);
    table->by_number = grown;
    table->numbers = numbers;
    return 0;
}

struct bide__fd *bide__fd_table_put(struct bide__fd_table *table, struct bide__io *io,
                                    struct bide__fd *fd)
{
    struct bide__fd *earlier = table->by_number[fd->fd];
    if (earlier) {
        bide_log(BIDE_LOG_ERROR, "descriptor %d of %s %s was closed behind its back", fd->fd,
                 earlier->object.kind->noun, earlier->object.name ? earlier->object.name : "");
        earlier->fd = -1;
    }
    table->by_number[fd->fd] = fd;
    fd->generation = ++table->generations;
    /* Whatever is there already: the first operations find out, or the first edge, which tells all,
       for who is called on it. */
    fd->readiness = fd->on_readable ? WRITE : READ | WRITE;
    fd->readers = fd->writers = (struct bide__queue){0};
    fd->armed = fd->ended = 0;
    fd->sends_later = false;
    fd->held = 0;
    fd->io = io;
    return earlier;
}

void bide__fd_table_move(struct bide__fd_table *table, struct bide__fd *from, struct bide__fd *to)
{
    BIDE_ASSERT(!from->readers.first && !from->writers.first, "descriptor %d is still waited for",
                from->fd);
    to->fd = from->fd;
    to->generation = from->generation;
    to->readiness = from->readiness;
    to->armed = from->armed;
    to->sends_later = from->sends_later;
    to->ended = from->ended;
    to->held = from->held;
    to->held_last = from->held_last;
    to->readers = to->writers = (struct bide__queue){0};
    to->io = from->io;
    table->by_number[to->fd] = to;
    from->fd = -1;
    from->readiness = READ | WRITE;
    from->held = 0;
    from->sends_later = false;
}

bool bide__fd_table_remove(struct bide__fd_table *table, struct bide__fd *fd)
{
    BIDE_ASSERT(!fd->readers.first && !fd->writers.first, "descriptor %d is still waited for",
                fd->fd);
    fd->readiness = READ | WRITE; /* nobody may wait for it from now on */
    if (fd->fd >= 0)
        table->by_number[fd->fd] = NULL;
    return fd->fd >= 0;
}

void bide__fd_table_done(struct bide__fd_table *table)
{
    for (size_t i = 0; i < table->numbers; i++) {
        const struct bide__fd *fd = table->by_number[i];
        if (!fd)
            continue;
        const struct bide_site *made = fd->object.made;
        bide_log(BIDE_LOG_WARN, "%s %s was never closed; it was opened at %s:%d",
                 fd->object.kind->noun, fd->object.name ? fd->object.name : "",
                 made ? made->file : "?", made ? made->line : 0);
    }
    bide__free(table->by_number);
}

/* Until poll(2) says that it would not block. It ignores the number of a closed one, which nobody
   would wake. */
static int look(int fd, short events)
{
    if (fd < 0)
        return -EBADF;
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

int bide__fd_receive_now(struct bide__fd *fd, void *buffer, size_t size)
{
    int most = capped(size), n;
    if (!(fd->readiness & READ))
        return -EAGAIN;
    do
        n = (int)receive_some(fd->fd, buffer, (size_t)most);
    while (bide__unlikely(n < 0) && errno == EINTR);
    if (n >= 0 && n < most && fd->short_is_drained && !(fd->readiness & BIDE__FD_UNEVEN))
        fd->readiness &= (uint8_t)~READ;
    return bide__fd_tried(fd, READ, &fd->readers, bide__unlikely(n < 0) ? -errno : n);
}

int bide__fd_send_now(struct bide__fd *fd, const void *buffer, size_t size)
{
    int most = capped(size), n;
    if (!(fd->readiness & WRITE))
        return -EAGAIN;
    do
        n = (int)send_some(fd->fd, buffer, (size_t)most);
    while (bide__unlikely(n < 0) && errno == EINTR);
    if (n >= 0 && n < most)
        fd->readiness &= (uint8_t)~WRITE;
    return bide__fd_tried(fd, WRITE, &fd->writers, bide__unlikely(n < 0) ? -errno : n);
}

int bide__fd_peek(struct bide__fd *fd)
{
    char byte;
    ssize_t n = recv(fd->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 ? -errno : (int)n;
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
        return fd->io->ops->receive_now(fd, op->buffer, op->size);
    if (op->kind == BIDE__OP_SEND)
        return fd->io->ops->send_now(fd, op->buffer, op->size);
    if (!(fd->readiness & bit))
        return -EAGAIN;
    do
        result = try_other(op);
    while (result == -EINTR);
    return bide__fd_tried(fd, bit, reading ? &fd->readers : &fd->writers, result);
}

int bide__fd_perform(struct bide__io *io, struct bide__op *op)
{
    struct bide__fd *fd = op->fd;
    int result;
    while ((result = perform_now(op)) == -EAGAIN) {
        struct bide_task *me = bide__task_current();
        if (op->waited && (result = bide__checkpoint(me)) < 0)
            return result;
        op->waited = true;
        if (io->ops->want)
            io->ops->want(fd);
        if (fd->is_peer)
            bide__unanswered_begin(me, &fd->object);
        io->loop->outside++;
        result = bide__wait(me, reads(op) ? &fd->readers : &fd->writers, &op->wait, &fd->object);
        io->loop->outside--;
        /* `fd` may be gone now, if its owner says so. */
        if (result < 0)
            return result;
    }
    return result;
}

void bide__fd_notice(struct bide__fd *fd, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        fd->readiness |= BIDE__FD_UNEVEN | READ;
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

void bide__fd_wake(int eventfd)
{
    int saved = errno;
    uint64_t one = 1;
    /* It fails only when 2^64 - 1 wake-ups came before. */
    ssize_t written = write(eventfd, &one, sizeof one);
    (void)written;
    errno = saved;
}
