/*
 * sim.c: the I/O backend where a chooser decides everything (core/choice.h): a network in this
 * process, in which what may happen is a choice.
 *
 * Called as the other backends are, and by listen.c and stream.c for what they otherwise ask the
 * kernel: sockets and addresses of TCP. What carries the bytes are unix sockets, in which
 * everything happens at once: `listen on 10.0.0.1:80` binds an abstract name, and who connects to
 * that address connects to that name. Readiness comes from epoll.c below.
 *
 *     connect: refused? cut off? late?
 *     receive: reset? cut off? late? one byte only?
 *     send:    reset? one byte only? no room yet?
 *
 * Invariants
 *  1. An end is found by the number of its descriptor, and is its own only with the same inode.
 *  2. Nothing but a timer ends what was late: bytes, room, connections.
 *  3. What is late for one direction of an end does not touch the other one.
 *  4. A reset is told to both ends, once each; then the stream has ended.
 *
 * Not simulated: names, datagrams, child processes, sockets that others opened (libcurl, libpq).
 * They are refused; files are steps on a lane.
 */
#include "base/mem.h"
#include "core/graph.h"
#include "io/address.h"
#include "io/readiness.h"

#include <bide/net.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ = BIDE__FD_READ, WRITE = BIDE__FD_WRITE };

/* The virtual ms by which something is late: more than a hop, or longer than most deadlines. */
enum { LATE_MS = 5, CUT_MS = 60000 };

/* Ports that nobody asked for by number. */
enum { PORT_FIRST = 32768, PORT_LAST = 60999 };

struct end {
    ino_t inode;
    struct bide__address own, peer; /* size 0: not known */
    int other;                      /* the descriptor of the other end, -1: none */
    bool reset;                     /* to be told */
    uint8_t late;                   /* READ, WRITE: waits for its timer */
    uint8_t decided;                /* READ: what is there has been decided about */
    struct bide__timer bytes_come, room_comes;
    struct bide__fd *fd; /* attached */
};

struct sim_io {
    struct bide__io io, *below;
    struct end **ends; /* by descriptor */
    size_t count;
    uint16_t port;
};

static struct sim_io *sim_of(struct bide__io *io)
{
    return bide__container_of(io, struct sim_io, io);
}

static unsigned choose(const struct sim_io *self, unsigned count)
{
    struct bide__chooser *chooser = self->io.loop->chooser;
    return chooser->choose(chooser, count, true);
}

static bool fault(const struct sim_io *self, const char *what)
{
    struct bide__chooser *chooser = self->io.loop->chooser;
    return chooser->fault(chooser, what);
}

/* ---- ends ---- */

static ino_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

/* NULL: no socket of this network, or not any more. */
static struct end *end_of(const struct sim_io *self, int fd)
{
    struct end *end = fd >= 0 && (size_t)fd < self->count ? self->ends[fd] : NULL;
    return end && end->inode == inode_of(fd) ? end : NULL;
}

static int make_room(struct sim_io *self, size_t number)
{
    size_t count = self->count ? self->count : 64;
    while (count <= number)
        count *= 2;
    if (count == self->count)
        return 0;
    struct end **grown = bide__realloc(self->ends, count * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + self->count, 0, (count - self->count) * sizeof *grown);
    self->ends = grown;
    self->count = count;
    return 0;
}

/* The end of a new descriptor; a record of the number's earlier owner is used again. */
static struct end *new_end(struct sim_io *self, int fd)
{
    if (make_room(self, (size_t)fd) < 0)
        return NULL;
    if (!self->ends[fd] && !(self->ends[fd] = bide__alloc(sizeof **self->ends)))
        return NULL;
    *self->ends[fd] = (struct end){.inode = inode_of(fd), .other = -1};
    return self->ends[fd];
}

/* ---- addresses ---- */

static bool is_any(const struct bide__address *address)
{
    return address->any.sa_family == AF_INET ? address->in.sin_addr.s_addr == htonl(INADDR_ANY)
                                             : IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

/* The abstract name that carries an address of TCP; `any`: of all addresses of this port. */
static struct bide__address carrier_of(const struct bide__address *address, bool any)
{
    struct bide__address carrier = {.un = {.sun_family = AF_UNIX}};
    char text[BIDE_ADDRESS_BYTES];
    bide__address_format(address, text, sizeof text);
    if (any)
        snprintf(text, sizeof text, "*:%u", (unsigned)bide__address_port(address));
    int length = snprintf(carrier.un.sun_path + 1, sizeof carrier.un.sun_path - 1, "bide.%d.%s",
                          (int)getpid(), text);
    carrier.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return carrier;
}

static void set_port(struct bide__address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->in.sin_port = htons(port);
    else
        address->in6.sin6_port = htons(port);
}

static uint16_t next_port(struct sim_io *self)
{
    self->port = self->port >= PORT_LAST || self->port < PORT_FIRST ? PORT_FIRST : self->port + 1;
    return self->port;
}

static int bind_carrier(int fd, const struct bide__address *address, bool any)
{
    struct bide__address carrier = carrier_of(address, any);
    return bind(fd, &carrier.any, carrier.size) < 0 ? -errno : 0;
}

static int sim_bind(struct bide__io *io, int fd, const struct bide__address *address)
{
    struct sim_io *self = sim_of(io);
    struct end *end = end_of(self, fd);
    if (address->any.sa_family == AF_UNIX)
        return bind(fd, &address->any, address->size) < 0 ? -errno : 0;
    if (!end)
        return -EBADF;
    struct bide__address own = *address;
    bool any_port = bide__address_port(&own) == 0;
    int code = -EADDRINUSE;
    for (int tries = PORT_LAST - PORT_FIRST; code == -EADDRINUSE && tries > 0; tries--) {
        if (any_port)
            set_port(&own, next_port(self));
        code = bind_carrier(fd, &own, is_any(&own));
        if (!any_port)
            break;
    }
    if (code == 0)
        end->own = own;
    return code;
}

static int sim_own_address(struct bide__io *io, int fd, struct bide__address *ret_address)
{
    const struct end *end = end_of(sim_of(io), fd);
    if (!end || end->own.size == 0)
        return getsockname(fd, &ret_address->any, &ret_address->size) < 0 ? -errno : 0;
    *ret_address = end->own;
    return 0;
}

static int sim_socket(struct bide__io *io, int family)
{
    struct sim_io *self = sim_of(io);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)family;
    if (fd < 0)
        return -errno;
    if (!new_end(self, fd)) {
        close(fd);
        return -ENOMEM;
    }
    return fd;
}

/* ---- the table of epoll.c ---- */

static int sim_open(struct bide__loop *loop, struct bide__io **ret_io)
{
    struct sim_io *self = bide__calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->io = (struct bide__io){&bide__io_sim, loop};
    int code = bide__io_epoll.open(loop, &self->below);
    if (code < 0) {
        bide__free(self);
        return code;
    }
    *ret_io = &self->io;
    return 0;
}

static void sim_close(struct bide__io *io)
{
    struct sim_io *self = sim_of(io);
    self->below->ops->close(self->below);
    for (size_t i = 0; i < self->count; i++)
        bide__free(self->ends[i]);
    bide__free(self->ends);
    bide__free(self);
}

/* What a schedule has left behind: with the next one nobody may meet it. */
static void sim_start_anew(struct bide__io *io)
{
    struct sim_io *self = sim_of(io);
    bool any = false;
    for (size_t i = 0; i < self->count; i++) {
        if (end_of(self, (int)i)) {
            any = true;
        } else {
            bide__free(self->ends[i]);
            self->ends[i] = NULL;
        }
    }
    if (!any) {
        bide__free(self->ends);
        self->ends = NULL;
        self->count = 0;
    }
    self->port = 0;
}

/* What is no socket (libcurl's epoll, say) tells its readiness as it likes. */
static int sim_attach(struct bide__io *io, struct bide__fd *fd)
{
    struct sim_io *self = sim_of(io);
    struct end *end = end_of(self, fd->fd);
    if (!end && inode_of(fd->fd)) {
        fprintf(stderr,
                "bide: %s %s is a socket that the simulated network of an EXPLORE does not have\n",
                fd->object.kind ? fd->object.kind->noun : "it",
                fd->object.name ? fd->object.name : "");
        return -ENOTSUP;
    }
    int code = self->below->ops->attach(self->below, fd);
    if (code < 0)
        return code;
    fd->io = io;
    if (end)
        end->fd = fd;
    return 0;
}

static void sim_detach(struct bide__io *io, struct bide__fd *fd)
{
    struct sim_io *self = sim_of(io);
    struct end *end = end_of(self, fd->fd);
    if (end && end->fd == fd) {
        bide__timer_disarm(&io->loop->timers, &end->bytes_come);
        bide__timer_disarm(&io->loop->timers, &end->room_comes);
        end->fd = NULL;
    }
    self->below->ops->detach(self->below, fd);
}

static void sim_move(struct bide__io *io, struct bide__fd *from, struct bide__fd *to)
{
    struct sim_io *self = sim_of(io);
    struct end *end = end_of(self, from->fd);
    self->below->ops->move(self->below, from, to);
    to->io = io;
    if (end)
        end->fd = to;
}

static void sim_poll(struct bide__io *io, int64_t deadline_ns)
{
    struct bide__io *below = sim_of(io)->below;
    below->ops->poll(below, deadline_ns);
}

static void sim_wake(struct bide__io *io)
{
    struct bide__io *below = sim_of(io)->below;
    below->ops->wake(below);
}

static int sim_file(struct bide__io *io, struct bide__file_op *op)
{
    (void)io;
    (void)op;
    return -EAGAIN; /* whether it is in the page cache is not part of a schedule */
}

/* ---- what may happen ---- */

static void no_longer_late(struct end *end, uint8_t bit, uint32_t events)
{
    end->late &= (uint8_t)~bit;
    if (end->fd)
        bide__fd_notice(end->fd, events);
}

static void bytes_come(struct bide__timer *timer)
{
    no_longer_late(bide__container_of(timer, struct end, bytes_come), READ, EPOLLIN);
}

static void room_comes(struct bide__timer *timer)
{
    no_longer_late(bide__container_of(timer, struct end, room_comes), WRITE, EPOLLOUT);
}

/* Until then who asks is told to wait. */
static void be_late(struct end *end, uint8_t bit, int ms)
{
    struct bide__loop *loop = end->fd->io->loop;
    end->late |= bit;
    end->fd->readiness &= (uint8_t)~bit;
    struct bide__timer *timer = bit == READ ? &end->bytes_come : &end->room_comes;
    timer->fire = bit == READ ? bytes_come : room_comes;
    bide__timer_arm(&loop->timers, timer, bide__loop_clock_ns(loop) + ms * INT64_C(1000000));
}

/* Both ends hear of it. Bytes on their way are lost. */
static int reset(const struct sim_io *self, struct end *end, int fd)
{
    struct end *other = end_of(self, end->other);
    if (other && other->other == fd) {
        other->reset = true;
        shutdown(end->other, SHUT_RDWR);
    }
    shutdown(fd, SHUT_RDWR);
    return -ECONNRESET;
}

static bool is_reset(struct end *end)
{
    bool told = end->reset;
    end->reset = false;
    return told;
}

/* How many ms something takes. */
static int lateness(const struct sim_io *self)
{
    if (fault(self, "the network, for a minute,"))
        return CUT_MS;
    return choose(self, 2) ? LATE_MS : 0;
}

/* Decides about what is there: true: it has come. */
static bool has_come(const struct sim_io *self, struct end *end)
{
    if (end->decided & READ)
        return true;
    end->decided |= READ;
    int ms = lateness(self);
    if (ms > 0)
        be_late(end, READ, ms);
    return ms == 0;
}

/* Edges tell all that is so below, also of what is late here. */
static bool not_yet(const struct end *end, struct bide__fd *fd, uint8_t bit)
{
    if (end->late & bit)
        fd->readiness &= (uint8_t)~bit;
    return !(fd->readiness & bit);
}

static int sim_receive_now(struct bide__fd *fd, void *buffer, size_t size)
{
    const struct sim_io *self = sim_of(fd->io);
    struct end *end = end_of(self, fd->fd);
    char byte;
    if (!end)
        return bide__fd_receive_now(fd, buffer, size);
    if (not_yet(end, fd, READ))
        return -EAGAIN;
    if (is_reset(end))
        return -ECONNRESET;
    ssize_t there = recv(fd->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (there < 0 && errno == EAGAIN)
        return bide__fd_tried(fd, READ, &fd->readers, -EAGAIN);
    if (!has_come(self, end))
        return -EAGAIN;
    end->decided &= (uint8_t)~READ;
    if (fault(self, "reading"))
        return reset(self, end, fd->fd);
    if (there > 0 && size > 1 && choose(self, 2))
        size = 1;
    ssize_t n = recv(fd->fd, buffer, size < INT_MAX ? size : INT_MAX, MSG_DONTWAIT);
    return bide__fd_tried(fd, READ, &fd->readers, n < 0 ? -errno : (int)n);
}

static int sim_send_now(struct bide__fd *fd, const void *buffer, size_t size)
{
    enum { ALL, ONE_BYTE, NO_ROOM, OUTCOMES };
    const struct sim_io *self = sim_of(fd->io);
    struct end *end = end_of(self, fd->fd);
    if (!end)
        return bide__fd_send_now(fd, buffer, size);
    if (not_yet(end, fd, WRITE))
        return -EAGAIN;
    if (is_reset(end))
        return -ECONNRESET;
    if (fault(self, "writing"))
        return reset(self, end, fd->fd);
    unsigned outcome = choose(self, OUTCOMES);
    if (outcome == NO_ROOM) {
        be_late(end, WRITE, LATE_MS);
        return -EAGAIN;
    }
    if (outcome == ONE_BYTE && size > 1)
        size = 1;
    ssize_t n = send(fd->fd, buffer, size < INT_MAX ? size : INT_MAX, MSG_NOSIGNAL | MSG_DONTWAIT);
    return bide__fd_tried(fd, WRITE, &fd->writers, n < 0 ? -errno : (int)n);
}

static int sim_peek(struct bide__fd *fd)
{
    const struct end *end = end_of(sim_of(fd->io), fd->fd);
    if (end && end->late & READ)
        return -EAGAIN;
    return end && end->reset ? -ECONNRESET : bide__fd_peek(fd);
}

/* ---- connections ---- */

/* Waits for the end's timer. 0 or -ECANCELED, or what its owner says. */
static int wait_late(struct bide__op *op, struct end *end, int ms)
{
    be_late(end, WRITE, ms);
    op->waited = true;
    return bide__wait(bide__task_current(), &op->fd->writers, &op->wait, &op->fd->object);
}

/* An address of its own, by which accept finds it. */
static int bind_client(struct sim_io *self, struct end *end, int fd, const struct bide__address *to)
{
    struct bide__address own;
    bide__address_parse(to->any.sa_family == AF_INET ? "127.0.0.1" : "::1", 0, &own);
    return end->own.size > 0 ? 0 : sim_bind(&self->io, fd, &own);
}

/* To the one who listens on this address, or on all addresses. */
static int connect_from(struct sim_io *self, struct end *end, int fd,
                        const struct bide__address *to)
{
    int code = bind_client(self, end, fd, to);
    if (code == 0)
        code = -ECONNREFUSED;
    for (int any = 0; any < 2 && code == -ECONNREFUSED; any++) {
        struct bide__address carrier = carrier_of(to, any);
        code = connect(fd, &carrier.any, carrier.size) == 0 ? 0 : -errno;
    }
    if (code == 0)
        end->peer = *to;
    return code == -EAGAIN ? -EBUSY : code;
}

static int sim_connect(struct sim_io *self, struct bide__op *op)
{
    int fd = op->fd->fd;
    struct end *end = end_of(self, fd);
    struct bide__address to = {.size = op->address_size};
    memcpy(&to.any, op->address, op->address_size);
    if (!end || to.any.sa_family == AF_UNIX)
        return bide__fd_perform(&self->io, op);
    if (fault(self, "connecting"))
        return -ECONNREFUSED;
    int ms = lateness(self);
    int code = ms > 0 ? wait_late(op, end, ms) : 0;
    return code < 0 ? code : connect_from(self, end, fd, &to);
}

/* The descriptor of the end with this address, or of one that had it and is closed; -1: there is
   none. */
static int find_address(const struct sim_io *self, const struct sockaddr *carrier, socklen_t size)
{
    int found = -1;
    for (size_t i = 0; i < self->count; i++) {
        if (!self->ends[i] || self->ends[i]->own.size == 0)
            continue;
        struct bide__address its = carrier_of(&self->ends[i]->own, false);
        if (its.size != size || memcmp(&its.any, carrier, size) != 0)
            continue;
        found = (int)i;
        if (end_of(self, found))
            break;
    }
    return found;
}

/* Nothing happens to that end of the connection but what happens to the server's. */
static int sim_carry(struct bide__io *io, struct bide__address *to)
{
    struct sim_io *self = sim_of(io);
    if (fault(self, "connecting"))
        return -ECONNREFUSED;
    int fd = sim_socket(io, to->any.sa_family);
    if (fd < 0)
        return fd;
    struct end *end = end_of(self, fd);
    struct bide__address carrier = carrier_of(to, false);
    int code = bind_client(self, end, fd, to);
    if (code < 0) {
        close(fd);
        return code;
    }
    if (!end_of(self, find_address(self, &carrier.any, carrier.size)))
        carrier = carrier_of(to, true);
    end->peer = *to;
    *to = carrier;
    return fd;
}

/* Joins the two ends; the peer's address is that of the simulated network. */
static void sim_accepted(struct bide__io *io, int fd, struct sockaddr *address, socklen_t *size)
{
    struct sim_io *self = sim_of(io);
    int other = find_address(self, address, *size);
    if (other < 0)
        return;
    struct end *there = end_of(self, other), its = *self->ends[other];
    struct end *here = new_end(self, fd); /* its record, if it is closed and has left the number */
    memcpy(address, &its.own.any, its.own.size);
    *size = its.own.size;
    if (!here)
        return;
    here->own = its.peer;
    here->peer = its.own;
    if (there) {
        here->other = other;
        there->other = fd;
    }
}

static int sim_accept(struct sim_io *self, struct bide__op *op)
{
    struct bide__address peer = {.size = sizeof peer.un};
    struct sockaddr *wanted = op->address;
    op->address = &peer.any;
    op->address_size = peer.size;
    int fd = bide__fd_perform(&self->io, op);
    if (fd >= 0) {
        sim_accepted(&self->io, fd, &peer.any, &op->address_size);
        if (wanted)
            memcpy(wanted, &peer.any, op->address_size);
    }
    op->address = wanted;
    return fd;
}

static int sim_perform(struct bide__io *io, struct bide__op *op)
{
    if (op->kind == BIDE__OP_CONNECT)
        return sim_connect(sim_of(io), op);
    if (op->kind == BIDE__OP_ACCEPT)
        return sim_accept(sim_of(io), op);
    return bide__fd_perform(io, op);
}

const struct bide__io_ops bide__io_sim = {
    .name = "simulated",
    .open = sim_open,
    .close = sim_close,
    .attach = sim_attach,
    .detach = sim_detach,
    .move = sim_move,
    .perform = sim_perform,
    .receive_now = sim_receive_now,
    .send_now = sim_send_now,
    .file = sim_file,
    .peek = sim_peek,
    .poll = sim_poll,
    .wake = sim_wake,
    .socket = sim_socket,
    .bind = sim_bind,
    .own_address = sim_own_address,
    .accepted = sim_accepted,
    .carry = sim_carry,
    .start_anew = sim_start_anew,
};
