/*
 * What an I/O backend must offer; io/epoll.c, io/uring.c and io/sim.c implement it. Called by the
 * loop (poll, wake) and by src/io (the rest).
 *
 * An operation lives in the frame of the task that waits for it. `perform` tries it; when it cannot
 * finish at once the task is suspended, and the wait is decided exactly once, also when it is
 * cancelled. `perform` returns only when the kernel can no longer touch the operation's buffer.
 *
 * The caller of `perform` has done the checkpoint (core/loop.h), clears the operation, fills what
 * its kind needs, and calls bide__done_at_once if `waited` is still false. An operation may be
 * performed again: a write of many bytes is one, performed until all are sent.
 */
#ifndef BIDE_CORE_OP_H
#define BIDE_CORE_OP_H

#include "core/task.h"

#include <sys/socket.h>

enum bide__op_kind {
    BIDE__OP_ACCEPT,   /* result: the new descriptor (close-on-exec, non-blocking); its peer goes
                          to address, address_size, unless address is NULL */
    BIDE__OP_CONNECT,  /* to address, address_size; -EBUSY: the queue of a unix listener is full */
    BIDE__OP_RECEIVE,  /* into buffer: bytes, 0 at the end of the stream */
    BIDE__OP_SEND,     /* from buffer: bytes, perhaps fewer than asked for */
    BIDE__OP_READABLE, /* until it can be read without blocking; nothing is transferred */
    BIDE__OP_WRITABLE,
};

/* One descriptor, as the backend knows it: registered once, for its whole life. */
enum {
    BIDE__FD_READ = 1,
    BIDE__FD_WRITE = 2
}; /* bits of readiness; the others are the backend's */

struct bide__fd {
    int fd;              /* -1: somebody closed it behind its owner's back */
    uint32_t generation; /* the backend's: tells late events of the number's earlier owner apart */
    uint8_t readiness;   /* the backend's */
    bool short_is_drained : 1; /* reading less than asked for means that nothing is left: true of
                                  TCP */
    bool is_stream : 1;        /* nobody else reads it, so that a backend may read ahead */
    bool is_peer : 1;         /* a stream of the program: waits for it are watched (unanswered.h) */
    bool closed : 1;          /* set before detaching: its owner has closed it already */
    bool sends_later : 1;     /* the backend's: a send is queued, or a copy not all sent */
    uint8_t armed;            /* io_uring: what the kernel has been asked for */
    uint8_t ended;            /* io_uring: how reading has ended */
    uint16_t held, held_last; /* io_uring: filled buffers, and the last of them */
    struct bide__io *io;      /* set by attach */
    struct bide__queue readers, writers;
    /* From the poll: it may be read and nobody waits for that; the peer is gone (reset, or both
       directions ended). NULL: nothing is called. They only make tasks ready, and may detach. */
    void (*on_readable)(struct bide__fd *fd);
    void (*on_gone)(struct bide__fd *fd);
    struct bide__object object;
};

/* Whether reading may give something without waiting. */
static inline bool bide__fd_may_read(const struct bide__fd *fd)
{
    return fd->readiness & BIDE__FD_READ;
}

struct bide__op {
    struct bide__wait wait; /* private to the backend */
    uint8_t kind;           /* enum bide__op_kind */
    bool waited;            /* out: the task was suspended */
    struct bide__fd *fd;
    void *buffer;
    size_t size; /* at most INT_MAX is transferred at a time */
    struct sockaddr *address;
    socklen_t address_size;
};

enum bide__file_op_kind { BIDE__FILE_READ, BIDE__FILE_WRITE, BIDE__FILE_SYNC };

/* One call on an opened file, which is attached nowhere: pread(2), pwrite(2), fsync(2). */
struct bide__file_op {
    uint8_t kind; /* enum bide__file_op_kind */
    bool waited;  /* out: the task was suspended */
    int fd;
    void *buffer;
    size_t size; /* at most INT_MAX */
    int64_t offset;
    struct bide__object *object; /* what the task waits for meanwhile */
};

struct bide__address; /* io/address.h */

struct bide__io {
    const struct bide__io_ops *ops;
    struct bide__loop *loop;
};

struct bide__io_ops {
    const char *name;
    /* A backend for this loop. Negative errno when the kernel refuses. */
    int (*open)(struct bide__loop *loop, struct bide__io **ret_io);
    /* Says in the log what is still attached. */
    void (*close)(struct bide__io *io);
    /* Registers a non-blocking descriptor; forgets it (before it is closed). Nobody may wait for it
       then: its owner has decided the waits. What is there already is found by the first operation;
       with a hook on_readable, told to that. */
    int (*attach)(struct bide__io *io, struct bide__fd *fd);
    void (*detach)(struct bide__io *io, struct bide__fd *fd);
    /* `to` gets the descriptor of `from`, with what has come for it; nobody may wait for `from`,
       and its hooks stay behind. */
    void (*move)(struct bide__io *io, struct bide__fd *from, struct bide__fd *to);
    /* Does the operation for the running task and gives its result: >= 0, a negative errno,
       -ECANCELED, or what the descriptor's owner decided its waits with. Suspends if it must. */
    int (*perform)(struct bide__io *io, struct bide__op *op);
    /* The same for receiving and sending, but -EAGAIN rather than waiting. For a caller that need
       not be a task. */
    int (*receive_now)(struct bide__fd *fd, void *buffer, size_t size);
    int (*send_now)(struct bide__fd *fd, const void *buffer, size_t size);
    /* Takes a copy of bytes and sends it with the next poll: cheaper where many send. What goes
       wrong with it the descriptor's reader is told. What does not fit then is sent when there is
       room, after what any send waits (also one of no bytes), and a detach drops it: `sends_later`
       says so. False: not taken. May be NULL. */
    bool (*send_copy)(struct bide__fd *fd, const void *bytes, size_t size);
    /* The call's result for the running task, which may be suspended and has done the checkpoint:
       bytes, perhaps fewer than asked for, or a negative errno. -EAGAIN: a thread must do it. As
       `perform`, it returns only when the kernel can no longer touch the buffer. */
    int (*file)(struct bide__io *io, struct bide__file_op *op);
    /* Whether there is something to read, without taking it: > 0, 0 at the end of the stream,
       -EAGAIN, or an error. */
    int (*peek)(struct bide__fd *fd);
    /* For perform: READ or WRITE is clear, and somebody is about to wait for it. May be NULL. */
    void (*want)(struct bide__fd *fd);
    /* Waits at most until `deadline_ns` of the monotonic clock (0: not at all, INT64_MAX: until
       something happens) and wakes what is done. */
    void (*poll)(struct bide__io *io, int64_t deadline_ns);
    /* Makes a poll in progress, or the next one, return. From any thread, or a signal handler. */
    void (*wake)(struct bide__io *io);
    /* A network of its own; NULL, all of them: socket(2), bind(2), getsockname(2), and after
       accept4(2) nothing. A stream socket; its address; a new connection, whose peer's address is
       to be put right. */
    int (*socket)(struct bide__io *io, int family);
    int (*bind)(struct bide__io *io, int fd, const struct bide__address *address);
    int (*own_address)(struct bide__io *io, int fd, struct bide__address *ret_address);
    void (*accepted)(struct bide__io *io, int fd, struct sockaddr *address, socklen_t *size);
    /* For another library, which connects and waits by itself: a socket, and in `address` what it
       is to connect to. A negative errno. */
    int (*carry)(struct bide__io *io, struct bide__address *address);
    /* Forgets what has ended and numbers anew: the same happens again. May be NULL. */
    void (*start_anew)(struct bide__io *io);
};

extern const struct bide__io_ops bide__io_epoll;
extern const struct bide__io_ops bide__io_sim;   /* where a chooser decides */
extern const struct bide__io_ops bide__io_uring; /* -ENOTSUP where it was not built */

/* The backend that this loop's options name, or one that the kernel allows. Negative errno. */
int bide__io_open(struct bide__loop *loop, struct bide__io **ret_io);

/* For who waits in fd->readers by himself: nothing is left to read, and an edge is to tell. */
static inline void bide__fd_want_read(struct bide__fd *fd)
{
    fd->readiness &= (uint8_t)~BIDE__FD_READ;
    if (fd->io->ops->want)
        fd->io->ops->want(fd);
}

/*
 * Ends the threads of the offload lanes and waits for them; NULL until a lane has a thread. For the
 * runtime, when the tasks of all loops have ended and before a loop is taken down: a lane's thread
 * that has just posted a completion may still be about to wake the loop.
 */
extern void (*bide__lanes_stop)(void);

#endif
