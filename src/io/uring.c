/*
 * uring.c: the I/O backend on io_uring(7), behind core/op.h.
 *
 * Called by the loop (poll, wake) and by the files of this folder (attach, detach, perform).
 * Requests are collected and go to the kernel with the next poll: attaching is no system call, a
 * detach is one.
 *
 *     attach -> queued --poll--> armed --completion, F_MORE--> armed
 *                                  |--completion, no F_MORE--> queued again
 *                                  `--detach: cancelled, and its reference to the file is gone
 *
 * A request is made when somebody needs its edge: when READ or WRITE becomes clear in `readiness`.
 * A descriptor of somebody else's (libpq's, libcurl's) or a listener has multishot polls, whose
 * completions are edges; its operations are system calls (readiness.c). A stream is read by a
 * multishot receive into buffers of the ring: reading copies what has come already. It sends by
 * system calls, or with the next poll while other tasks are ready or from a copy, and has a poll
 * only when the socket was full.
 *
 *     stream, reading:  direct --EAGAIN, or less than asked for--> receive armed --bytes--> held
 *                          ^------------- ended: ENOBUFS, too many held -----'
 *
 * Invariants
 *  1. A request that is in the kernel has its bit in fd->armed, until the completion without
 *     IORING_CQE_F_MORE. While READ (WRITE) is clear, the request that will tell is armed, or
 *     `wanted` is set and the next poll makes it.
 *  2. After a detach the kernel holds no reference to the file: the owner's close(2) closes.
 *  3. A failing io_uring_enter(2) loses nothing: requests stay in the submission queue, completions
 *     in the kernel, and the loop polls again.
 *  4. Only the loop's thread touches the ring (IORING_SETUP_SINGLE_ISSUER). Others write to the
 *     eventfd, which is polled as any descriptor.
 *  5. While RECEIVE is armed nobody else receives, so bytes stay in order.
 *  6. Only awaited requests have pointers into a task's memory: a send until the kernel takes it,
 *     which does it at once, a call on a file until its completion. Whoever is cancelled takes the
 *     request back, or waits for its completion.
 *  7. A copy is with the kernel, or sent by a call, after the next poll, and before a detach
 *     returns. Of what did not fit then, sends_later tells, and a detach drops it.
 *
 * Source: io_uring_setup(2), io_uring_enter(2), io_uring_prep_poll_multishot(3),
 * io_uring_prep_recv_multishot(3), io_uring_prep_cancel(3).
 */
#include "core/op.h"

#if BIDE_URING
#include "base/caps.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/graph.h"
#include "io/readiness.h"
#include "io/uring_buffers.h"
#include "io/uring_copies.h"
#include "io/uring_ring.h"

#include <bide/log.h>

#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ = BIDE__FD_READ, WRITE = BIDE__FD_WRITE };

/* The requests of a descriptor, and with 1 << as bits of bide__fd.armed. OF_READ of a stream only
   tells that its peer is gone. */
enum { OF_OTHERS, OF_READ, OF_WRITE, OF_RECEIVE, OF_COPY, DATA_BITS = 3 };
enum {
    ARMED_READ = 1 << OF_READ,
    ARMED_WRITE = 1 << OF_WRITE,
    ARMED_RECEIVE = 1 << OF_RECEIVE,
    STOPPING = 1, /* a cancel of the receive is on its way */
    PATIENT = 16  /* the next receive waits for bytes before it asks for a buffer: there was none */
};

/* The data of requests that are nobody's: a cancel, the wake-up. An awaited one has the address of
   its record, which is more; a copy's has its place. The others have the generation, the number and
   which of them it is. */
enum { DATA_OF_CANCEL = OF_OTHERS, DATA_OF_WAKE = 1 << DATA_BITS | OF_OTHERS };

/* bide__fd.ended: how the stream has ended, or else an errno. */
enum { OPEN = 0, END = UINT8_MAX };

/* Hang-up and errors, which polls tell unasked. */
enum { GONE = EPOLLHUP | EPOLLERR };

/* Attempts to make room in a full submission queue, while the kernel takes nothing. */
enum { ROOM_TRIES = 1000, COPIES = BIDE_CAP_URING_COPIES };

/* A request in the frame of the task that waits for it: a send, which goes along with the next
   poll, or a call on a file. */
struct awaited {
    struct bide__wait wait; /* in fd->writers, if there is one */
    struct bide__fd *fd;    /* NULL: of a file */
    bool done;
    int reason; /* 0, or what the wait is to end with */
    int result;
};

struct uring_io {
    struct bide__io io;
    int wake_fd;
    bool wake_armed;
    bool wanted; /* some request could not be queued */
    struct bide__fd_table table;
    struct bide__uring_buffers buffers;
    struct io_uring ring;
    struct bide__uring_copies copies;
    unsigned copies_looked_to; /* in the completion queue */
};

static struct uring_io *uring_of(struct bide__io *io)
{
    return bide__container_of(io, struct uring_io, io);
}

static uint64_t data_of(const struct bide__fd *fd, unsigned what)
{
    return (uint64_t)fd->generation << 32 | (uint32_t)fd->fd << DATA_BITS | what;
}

/* ---- opening and closing ---- */

static void uring_close(struct bide__io *io)
{
    struct uring_io *self = uring_of(io);
    bide__fd_table_done(&self->table);
    if (self->ring.ring_fd >= 0)
        io_uring_queue_exit(&self->ring);
    bide__uring_buffers_close(&self->buffers);
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    bide__free(self);
}

static int uring_open(struct bide__loop *loop, struct bide__io **ret_io)
{
    struct uring_io *self = bide__calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->io = (struct bide__io){&bide__io_uring, loop};
    self->wake_fd = -1;
    int code = bide__uring_ring_make(&self->ring);
    if (code == 0 && (self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        code = -errno;
    if (code < 0) {
        uring_close(&self->io);
        return code;
    }
    bide__uring_copies_init(&self->copies);
    (void)bide__uring_buffers_open(&self->buffers, &self->ring); /* without, all is polled */
    self->wanted = true;
    *ret_io = &self->io;
    return 0;
}

/* ---- requests ---- */

/* NULL: the queue is full, and the kernel takes nothing at the moment. */
static struct io_uring_sqe *next_request(struct uring_io *self)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&self->ring);
    if (bide__likely(request != NULL))
        return request;
    io_uring_submit(&self->ring);
    return io_uring_get_sqe(&self->ring);
}

/* Whether the kernel may receive for it before anybody asks. Only over TCP: on a unix socket many
   kernels do not tell the end that came along with bytes (docs/internals/io_uring.md). */
static bool reads_ahead(const struct uring_io *self, const struct bide__fd *fd)
{
    return fd->is_stream && fd->short_is_drained && self->buffers.ring;
}

static void arm(struct uring_io *self, struct bide__fd *fd, unsigned what)
{
    struct io_uring_sqe *request = next_request(self);
    if (!request) {
        self->wanted = true;
        return;
    }
    switch (what) {
    case OF_READ:
        io_uring_prep_poll_multishot(request, fd->fd,
                                     reads_ahead(self, fd) ? 0 : EPOLLIN | EPOLLRDHUP | EPOLLPRI);
        break;
    case OF_WRITE:
        io_uring_prep_poll_multishot(request, fd->fd, EPOLLOUT);
        break;
    default:
        io_uring_prep_recv_multishot(request, fd->fd, NULL, 0, 0);
        request->flags |= IOSQE_BUFFER_SELECT;
        request->buf_group = 0;
        /* Somebody has just looked, but where bytes and a reset have come meanwhile, this tells of
           the bytes only. */
        if (bide__unlikely(fd->armed & PATIENT))
            request->ioprio |= IORING_RECVSEND_POLL_FIRST;
        fd->armed &= (uint8_t)~PATIENT;
    }
    io_uring_sqe_set_data64(request, data_of(fd, what));
    fd->armed |= (uint8_t)(1u << what);
}

/* The requests without which nobody would see an edge. */
static inline void arm_missing(struct uring_io *self, struct bide__fd *fd)
{
    unsigned reading = reads_ahead(self, fd) ? OF_RECEIVE : OF_READ;
    if (!(fd->readiness & READ) && !(fd->armed & 1u << reading))
        arm(self, fd, reading);
    if (bide__unlikely(!(fd->readiness & WRITE)) && !(fd->armed & ARMED_WRITE))
        arm(self, fd, OF_WRITE);
}

static void arm_wake(struct uring_io *self)
{
    struct io_uring_sqe *request = next_request(self);
    if (!request) {
        self->wanted = true;
        return;
    }
    io_uring_prep_poll_multishot(request, self->wake_fd, EPOLLIN);
    io_uring_sqe_set_data64(request, DATA_OF_WAKE);
    self->wake_armed = true;
}

/* What could not be queued before. */
static void arm_wanted(struct uring_io *self)
{
    self->wanted = false;
    if (!self->wake_armed)
        arm_wake(self);
    for (size_t i = 0; i < self->table.numbers && !self->wanted; i++) {
        struct bide__fd *fd = self->table.by_number[i];
        if (fd)
            arm_missing(self, fd);
    }
}

static void prepare_cancel(struct io_uring_sqe *request, uint64_t data)
{
    io_uring_prep_cancel64(request, data, 0);
    io_uring_sqe_set_data64(request, DATA_OF_CANCEL);
    request->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* Sends a cancel, and lets the kernel drop what it held. Without room in the queue, which only
   happens while the kernel fails, again and again. */
static void cancel(struct uring_io *self, uint64_t data)
{
    struct io_uring_sqe *request = next_request(self);
    for (int i = 0; !request && i < ROOM_TRIES; i++) {
        io_uring_submit_and_get_events(&self->ring);
        request = io_uring_get_sqe(&self->ring);
    }
    BIDE_ASSERT(request, "io_uring: the kernel takes no requests any more");
    prepare_cancel(request, data);
}

static struct awaited *awaited_of(uint64_t data)
{
    bool is_one = (data & ((1u << DATA_BITS) - 1)) == OF_OTHERS && data > DATA_OF_WAKE;
    return is_one ? (struct awaited *)(uintptr_t)data : NULL;
}

/* Decides its wait, unless that is decided already. */
static void end_awaited(struct awaited *awaited, int result)
{
    awaited->done = true;
    awaited->result = result;
    if (awaited->fd)
        awaited->fd->sends_later = false;
    if (awaited->wait.task->wait == &awaited->wait)
        bide__wake(&awaited->wait, awaited->reason);
}

static struct bide__uring_copy *copy_of(struct uring_io *self, uint64_t data)
{
    bool is_one = (data & ((1u << DATA_BITS) - 1)) == OF_COPY && data >> DATA_BITS < COPIES;
    return is_one ? &self->copies.all[data >> DATA_BITS] : NULL;
}

/* After a try to send a copy. What did not fit is sent when there is room. */
static void copy_tried(struct uring_io *self, struct bide__uring_copy *copy, int result)
{
    struct bide__fd *fd = bide__fd_table_find(&self->table, copy->number, copy->generation);
    bool full = result == -EAGAIN || result == -EINTR || (result >= 0 && result < copy->size);
    if (bide__unlikely(fd && full)) {
        bide__uring_copy_shorten(copy, result > 0 ? (size_t)result : 0);
        copy->waits = true;
        fd->readiness &= (uint8_t)~WRITE;
        arm_missing(self, fd);
        return;
    }
    bide__uring_copy_give(&self->copies, copy);
    if (bide__unlikely(!fd))
        return;
    fd->sends_later = false;
    if (bide__unlikely(fd->writers.first != NULL))
        bide__wake(fd->writers.first, 0);
}

/* Sends by a call the copies that are queued still: all, or a descriptor's. */
static void send_queued_copies(struct uring_io *self, struct bide__fd *only)
{
    struct io_uring_sq *queue = &self->ring.sq;
    unsigned left = io_uring_sq_ready(&self->ring);
    for (unsigned at = queue->sqe_tail - left; left > 0; at++, left--) {
        struct io_uring_sqe *request = &queue->sqes[at & queue->ring_mask];
        struct bide__uring_copy *copy = copy_of(self, request->user_data);
        if (!copy || (only && copy->generation != only->generation))
            continue;
        struct bide__fd *fd =
            only ? only : bide__fd_table_find(&self->table, copy->number, copy->generation);
        io_uring_prep_nop(request);
        io_uring_sqe_set_data64(request, DATA_OF_CANCEL);
        copy_tried(self, copy,
                   fd && !fd->closed ? bide__fd_send_now(fd, copy->bytes, copy->size) : -EBADF);
    }
}

/* Makes queued requests no-ops, which the kernel did not take: `only` this one, or all of a
   descriptor, which must not meet the number's next owner. */
static void drop_queued(struct uring_io *self, const struct bide__fd *fd,
                        const struct awaited *only)
{
    struct io_uring_sq *queue = &self->ring.sq;
    unsigned left = io_uring_sq_ready(&self->ring);
    for (unsigned at = queue->sqe_tail - left; left > 0; at++, left--) {
        struct io_uring_sqe *request = &queue->sqes[at & queue->ring_mask];
        struct awaited *awaited = awaited_of(request->user_data);
        bool meant = only      ? awaited == only
                     : awaited ? awaited->fd == fd
                               : request->user_data >> 32 == fd->generation;
        if (!meant)
            continue;
        io_uring_prep_nop(request);
        io_uring_sqe_set_data64(request, DATA_OF_CANCEL);
        if (awaited)
            end_awaited(awaited, -EBADF);
    }
}

/* Takes back what is armed, and gives back what is held. */
static void disarm(struct uring_io *self, struct bide__fd *fd, int number)
{
    uint64_t data = (uint64_t)fd->generation << 32 | (uint32_t)number << DATA_BITS;
    bide__uring_drop(&self->buffers, fd);
    if (!(fd->armed & ~PATIENT) && !fd->sends_later)
        return;
    if (bide__unlikely(fd->sends_later))
        bide__uring_copy_forget(&self->copies, fd);
    for (unsigned what = OF_READ; what <= OF_RECEIVE; what++)
        if (fd->armed & 1u << what)
            cancel(self, data | what);
    fd->armed = fd->sends_later = 0;
    int code;
    do
        code = io_uring_submit_and_get_events(&self->ring);
    while (code == -EINTR);
    if (bide__unlikely(io_uring_sq_ready(&self->ring) > 0)) {
        send_queued_copies(self, fd);
        drop_queued(self, fd, NULL);
    }
}

static int uring_attach(struct bide__io *io, struct bide__fd *fd)
{
    struct uring_io *self = uring_of(io);
    struct stat status;
    bool ahead = reads_ahead(self, fd);
    int code = bide__fd_table_reach(&self->table, (size_t)fd->fd);
    if (code < 0)
        return code;
    if (!ahead && fstat(fd->fd, &status) < 0)
        return -errno;
    if (!ahead && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        return -EPERM; /* as epoll: it never waits */
    struct bide__fd *earlier = bide__fd_table_put(&self->table, io, fd);
    if (earlier) {
        earlier->readiness = READ | WRITE;
        disarm(self, earlier, fd->fd);
    }
    arm_missing(self, fd);
    return 0;
}

static void uring_detach(struct bide__io *io, struct bide__fd *fd)
{
    if (bide__fd_table_remove(&uring_of(io)->table, fd))
        disarm(uring_of(io), fd, fd->fd);
}

static void uring_move(struct bide__io *io, struct bide__fd *from, struct bide__fd *to)
{
    bide__fd_table_move(&uring_of(io)->table, from, to);
}

/* ---- operations ---- */

/* What has come for a stream already: bytes, its end, or -EAGAIN. */
static int receive_held(struct uring_io *self, struct bide__fd *fd, void *buffer, size_t size)
{
    int result = -EAGAIN;
    if (bide__likely(fd->held > 0))
        result = bide__uring_take(&self->buffers, fd, buffer, size);
    else if (fd->ended == END)
        result = 0;
    else if (fd->ended != OPEN) {
        result = -fd->ended;
        fd->ended = END; /* recv(2), too, tells an error once */
    }
    if (fd->held == 0 && (fd->armed & ARMED_RECEIVE))
        fd->readiness &= (uint8_t)~READ;
    return bide__fd_tried(fd, READ, &fd->readers, result);
}

static int uring_receive_now(struct bide__fd *fd, void *buffer, size_t size)
{
    struct uring_io *self = uring_of(fd->io);
    if (!(fd->readiness & READ))
        return -EAGAIN;
    if (fd->held > 0 || fd->ended != OPEN || (fd->armed & ARMED_RECEIVE))
        return receive_held(self, fd, buffer, size);
    int result = bide__fd_receive_now(fd, buffer, size);
    arm_missing(self, fd);
    return result;
}

static int uring_send_now(struct bide__fd *fd, const void *buffer, size_t size)
{
    if (fd->sends_later)
        return -EAGAIN; /* after what is queued */
    int result = bide__fd_send_now(fd, buffer, size);
    if (bide__unlikely(!(fd->readiness & WRITE)))
        arm_missing(uring_of(fd->io), fd);
    return result;
}

/* Sends the queued copies, and finds their completions behind those that wait for the next poll. */
static void free_copies(struct uring_io *self)
{
    struct io_uring_cq *queue = &self->ring.cq;
    unsigned at = self->copies_looked_to;
    if (io_uring_sq_ready(&self->ring) == 0)
        return;
    io_uring_submit(&self->ring);
    if ((int)(at - *queue->khead) < 0)
        at = *queue->khead;
    for (; at != io_uring_smp_load_acquire(queue->ktail); at++) {
        struct io_uring_cqe *seen = &queue->cqes[at & queue->ring_mask];
        struct bide__uring_copy *copy = copy_of(self, seen->user_data);
        if (!copy)
            continue;
        seen->user_data = DATA_OF_CANCEL; /* the poll goes past it */
        copy_tried(self, copy, seen->res);
    }
    self->copies_looked_to = at;
}

/* As with other queued sends the kernel has sent it when it takes the request. */
static bool uring_send_copy(struct bide__fd *fd, const void *bytes, size_t size)
{
    struct uring_io *self = uring_of(fd->io);
    if (fd->sends_later || !(fd->readiness & WRITE))
        return false;
    if (bide__unlikely(self->copies.first_free == COPIES))
        free_copies(self);
    struct bide__uring_copy *copy = bide__uring_copy_take(&self->copies, fd, bytes, size);
    struct io_uring_sqe *request = copy ? next_request(self) : NULL;
    if (bide__unlikely(!request)) {
        if (copy)
            bide__uring_copy_give(&self->copies, copy);
        return false;
    }
    io_uring_prep_send(request, fd->fd, copy->bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    io_uring_sqe_set_data64(request, (uint64_t)(copy - self->copies.all) << DATA_BITS | OF_COPY);
    fd->sends_later = true;
    return true;
}

/*
 * Sends by a request. It does not block (MSG_DONTWAIT), so the kernel has done it when it has taken
 * the request, and touches the buffer only meanwhile. Who is cancelled before that takes the
 * request back, and waits for its completion after it.
 */
static int send_along(struct uring_io *self, struct bide__op *op)
{
    struct bide_task *me = bide__task_current();
    struct bide__fd *fd = op->fd;
    struct awaited sending = {.fd = fd};
    int code;
    struct io_uring_sqe *request = next_request(self);
    if (!request)
        return -EAGAIN;
    io_uring_prep_send(request, fd->fd, op->buffer, op->size < INT_MAX ? op->size : INT_MAX,
                       MSG_NOSIGNAL | MSG_DONTWAIT);
    io_uring_sqe_set_data64(request, (uint64_t)(uintptr_t)&sending);
    fd->sends_later = true;
    op->waited = true;
    self->io.loop->outside++;
    do
        code = bide__wait(me, &fd->writers, &sending.wait, &fd->object);
    while (code == 0 && !sending.done); /* an edge that was for others */
    if (bide__unlikely(!sending.done))
        drop_queued(self, fd, &sending);
    sending.wait.shielded = true;
    while (bide__unlikely(!sending.done))
        (void)bide__wait(me, NULL, &sending.wait, &fd->object);
    self->io.loop->outside--;
    if (bide__unlikely(code < 0) && sending.result < 0)
        return code;
    return sending.result;
}

/* A call on a file that the kernel has not taken is taken back, and its wait ends; of one that it
   has taken, the wait ends with its completion, which is asked for. */
static void abort_file(struct bide__wait *wait, int reason)
{
    struct uring_io *self = uring_of(wait->task->loop->io);
    struct awaited *call = bide__container_of(wait, struct awaited, wait);
    bool asked = call->reason != 0;
    call->reason = reason;
    drop_queued(self, NULL, call);
    struct io_uring_sqe *request = call->done || asked ? NULL : next_request(self);
    if (request)
        prepare_cancel(request, (uint64_t)(uintptr_t)call);
}

/* The kernel does at once what needs no waiting, when it takes the request, but for what would take
   the loop's time. That, and the rest, is for its own threads. */
static int uring_file(struct bide__io *io, struct bide__file_op *op)
{
    struct awaited call = {.wait.abort = abort_file};
    struct bide__loop *loop = io->loop;
    /* To a request, -1 means the file's own position. */
    struct io_uring_sqe *request = op->offset < 0 ? NULL : next_request(uring_of(io));
    if (!request)
        return -EAGAIN;
    unsigned size = (unsigned)op->size;
    uint64_t offset = (uint64_t)op->offset;
    if (op->kind == BIDE__FILE_READ)
        io_uring_prep_read(request, op->fd, op->buffer, size, offset);
    else if (op->kind == BIDE__FILE_WRITE)
        io_uring_prep_write(request, op->fd, op->buffer, size, offset);
    else
        io_uring_prep_fsync(request, op->fd, 0);
    if (op->size > BIDE_CAP_FILE_NOW_BYTES)
        request->flags |= IOSQE_ASYNC;
    io_uring_sqe_set_data64(request, (uint64_t)(uintptr_t)&call);
    op->waited = true;
    loop->outside++;
    loop->jobs++;
    int code = bide__wait(bide__task_current(), NULL, &call.wait, op->object);
    loop->jobs--;
    loop->outside--;
    if (bide__unlikely(code < 0))
        return code;
    return bide__unlikely(call.result == -ECANCELED) ? -EINTR : call.result; /* nobody's cancel */
}

/* While other tasks are ready, which may send too, one call for all is cheaper than a call each. */
static int uring_perform(struct bide__io *io, struct bide__op *op)
{
    struct bide__fd *fd = op->fd;
    int result;
    /* A cancel that met a send which the kernel had taken gave that part; the rest is not sent. */
    if (op->kind == BIDE__OP_SEND && op->waited &&
        (result = bide__checkpoint(bide__task_current())) < 0)
        return result;
    if (op->kind == BIDE__OP_SEND && io->loop->ready_first && (fd->readiness & WRITE) &&
        !fd->sends_later) {
        result = send_along(uring_of(io), op);
        if (result != -EAGAIN)
            return result;
    }
    return bide__fd_perform(io, op);
}

static void uring_want(struct bide__fd *fd)
{
    arm_missing(uring_of(fd->io), fd);
}

/* What ends a receive but not the stream. ENOBUFS: all buffers are held; bytes may be there. */
static bool only_the_request(int code)
{
    return code == -ENOBUFS || code == -ECANCELED || code == -ENOMEM || code == -EINTR ||
           code == -EAGAIN;
}

/* A completion that nobody has seen yet may have it. */
static int uring_peek(struct bide__fd *fd)
{
    struct uring_io *self = uring_of(fd->io);
    struct io_uring_cqe *seen;
    unsigned head;
    if (fd->held > 0)
        return 1;
    if (fd->ended != OPEN)
        return fd->ended == END ? 0 : -fd->ended;
    io_uring_for_each_cqe(&self->ring, head, seen)
    {
        if (seen->user_data == data_of(fd, OF_RECEIVE) && !only_the_request(seen->res))
            return seen->res > 0 ? 1 : seen->res;
    }
    return bide__fd_peek(fd);
}

/* ---- completions ---- */

/* Without a receive nobody else would see the peer of a stream go. */
static void watch_for_end(struct uring_io *self, struct bide__fd *fd, uint32_t events)
{
    if (fd->on_gone && reads_ahead(self, fd) && !(fd->armed & (ARMED_RECEIVE | ARMED_READ)) &&
        !(events & GONE))
        arm(self, fd, OF_READ);
}

/* There may be room for the rest of a copy. Whether all of it is sent, if one waits. */
static bool send_rest(struct uring_io *self, struct bide__fd *fd, const struct io_uring_cqe *seen)
{
    struct bide__uring_copy *copy = bide__uring_copy_of(&self->copies, fd);
    if (!copy || !copy->waits)
        return true;
    if (!(seen->flags & IORING_CQE_F_MORE))
        fd->armed &= (uint8_t)~ARMED_WRITE;
    fd->readiness |= WRITE;
    copy_tried(self, copy, bide__fd_send_now(fd, copy->bytes, copy->size));
    return !fd->sends_later;
}

static void poll_completed(struct uring_io *self, struct bide__fd *fd, unsigned what,
                           const struct io_uring_cqe *seen)
{
    uint32_t events = seen->res < 0 ? 0 : (uint32_t)seen->res;
    if (what == OF_WRITE && fd->sends_later && !send_rest(self, fd, seen))
        return;
    if (what == OF_WRITE || reads_ahead(self, fd))
        events &= EPOLLOUT | GONE;
    /* The receive, if there is one, tells of a peer that is gone when its bytes are read. */
    if (fd->armed & ARMED_RECEIVE)
        events = events ? EPOLLOUT : 0;
    if (!(seen->flags & IORING_CQE_F_MORE)) {
        /* Who waits, tries, and makes another; what it failed with, he finds out. */
        fd->armed &= (uint8_t) ~(1u << what);
        events |= what == OF_WRITE ? EPOLLOUT : reads_ahead(self, fd) ? 0 : EPOLLIN;
        watch_for_end(self, fd, events);
    }
    if (events)
        bide__fd_notice(fd, events);
}

static void give_unused(struct uring_io *self, const struct io_uring_cqe *seen)
{
    if (seen->flags & IORING_CQE_F_BUFFER)
        bide__uring_buffer_give(&self->buffers, (uint16_t)(seen->flags >> IORING_CQE_BUFFER_SHIFT));
}

static void receive_completed(struct uring_io *self, struct bide__fd *fd,
                              const struct io_uring_cqe *seen)
{
    uint32_t events = EPOLLIN;
    if (seen->res > 0) {
        bide__uring_hold(&self->buffers, fd, (uint16_t)(seen->flags >> IORING_CQE_BUFFER_SHIFT),
                         (uint32_t)seen->res);
    } else {
        give_unused(self, seen);
        if (seen->res == 0) {
            fd->ended = END;
        } else if (!only_the_request(seen->res)) {
            fd->ended = (uint8_t)-seen->res;
            events |= GONE;
        } else if (!fd->readers.first && (seen->res != -ENOBUFS || bide__fd_peek(fd) == -EAGAIN)) {
            events = 0; /* nothing has come: hooks are not called for that */
        }
    }
    if (bide__unlikely(seen->res == -ENOBUFS)) {
        bide__uring_buffers_grow(&self->buffers);
        fd->armed |= PATIENT;
    }
    if (!(seen->flags & IORING_CQE_F_MORE)) {
        fd->armed &= (uint8_t) ~(ARMED_RECEIVE | STOPPING);
        if (events == 0)
            arm_missing(self, fd);
        watch_for_end(self, fd, events);
    } else if (fd->held >= BIDE_CAP_URING_HELD && !(fd->armed & STOPPING)) {
        fd->armed |= STOPPING;
        cancel(self, data_of(fd, OF_RECEIVE));
    }
    if (events)
        bide__fd_notice(fd, events);
}

static void completed(struct uring_io *self, const struct io_uring_cqe *seen)
{
    uint32_t number = (uint32_t)seen->user_data >> DATA_BITS;
    uint32_t generation = (uint32_t)(seen->user_data >> 32);
    unsigned what = (unsigned)seen->user_data & ((1u << DATA_BITS) - 1);
    if (seen->user_data == DATA_OF_WAKE && !(seen->flags & IORING_CQE_F_MORE)) {
        self->wake_armed = false;
        arm_wake(self);
    }
    struct awaited *awaited = awaited_of(seen->user_data);
    if (awaited)
        end_awaited(awaited, seen->res);
    struct bide__uring_copy *copy = copy_of(self, seen->user_data);
    if (copy)
        copy_tried(self, copy, seen->res);
    if (what == OF_OTHERS || copy)
        return;
    struct bide__fd *fd = bide__fd_table_find(&self->table, number, generation);
    if (fd && what == OF_RECEIVE)
        receive_completed(self, fd, seen);
    else if (fd)
        poll_completed(self, fd, what, seen);
    else
        give_unused(self, seen);
}

/* Asks the kernel: hands over what is queued, waits, gets completions. A failure is one of this
   moment: the loop comes again. */
static void enter(struct uring_io *self, int64_t deadline_ns)
{
    struct io_uring *ring = &self->ring;
    struct io_uring_cqe *first;
    if (deadline_ns == 0 || io_uring_cq_ready(ring) > 0) {
        unsigned flags = __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);
        if (io_uring_sq_ready(ring) > 0 || (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
            io_uring_submit_and_get_events(ring);
        return;
    }
    if (deadline_ns == INT64_MAX) {
        io_uring_submit_and_wait_timeout(ring, &first, 1, NULL, NULL);
        return;
    }
    int64_t left_ns = deadline_ns - bide__clock_monotonic_ns();
    if (left_ns < 0)
        left_ns = 0;
    struct __kernel_timespec left = {left_ns / BIDE__NS_PER_S, left_ns % BIDE__NS_PER_S};
    io_uring_submit_and_wait_timeout(ring, &first, 1, &left, NULL);
}

static void uring_poll(struct bide__io *io, int64_t deadline_ns)
{
    struct uring_io *self = uring_of(io);
    struct io_uring_cqe *next;
    if (bide__unlikely(self->wanted))
        arm_wanted(self);
    enter(self, bide__unlikely(self->wanted) ? 0 : deadline_ns);
    if (bide__unlikely(io_uring_sq_ready(&self->ring) > 0)) /* the kernel takes nothing now */
        send_queued_copies(self, NULL);
    /* A detach in a hook may add to them. */
    for (unsigned left = 2 * self->ring.cq.ring_entries;
         left > 0 && io_uring_cq_ready(&self->ring) > 0; left--) {
        io_uring_peek_cqe(&self->ring, &next);
        struct io_uring_cqe seen = {
            .user_data = next->user_data, .res = next->res, .flags = next->flags};
        io_uring_cqe_seen(&self->ring, next);
        completed(self, &seen);
    }
}

static void uring_wake(struct bide__io *io)
{
    bide__fd_wake(uring_of(io)->wake_fd);
}

const struct bide__io_ops bide__io_uring = {
    .name = "io_uring",
    .open = uring_open,
    .close = uring_close,
    .attach = uring_attach,
    .detach = uring_detach,
    .move = uring_move,
    .perform = uring_perform,
    .want = uring_want,
    .receive_now = uring_receive_now,
    .send_now = uring_send_now,
    .send_copy = uring_send_copy,
    .file = uring_file,
    .peek = uring_peek,
    .poll = uring_poll,
    .wake = uring_wake,
};
#else
#include <errno.h>

static int not_built(struct bide__loop *loop, struct bide__io **ret_io)
{
    (void)loop;
    (void)ret_io;
    return -ENOTSUP;
}

const struct bide__io_ops bide__io_uring = {.name = "io_uring", .open = not_built};
#endif
