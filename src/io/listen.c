/*
 * listen.c: listeners: include/bide/net.h from listening to accepting. Calls endpoint.c, stream.c
 * for the accepted ones, and the backend (core/op.h).
 */
#include "base/clock.h"
#include "base/mem.h"
#include "core/graph.h"
#include "io/endpoint.h"

#include <bide/log.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bide_listener {
    uint16_t port;     /* 0: not TCP */
    bool handed_over;  /* somebody else may go on with the socket */
    dev_t path_device; /* of the socket file that closing removes: it and no other */
    ino_t path_inode;  /* 0: none */
    struct bide__endpoint endpoint;
};

/* ms that accepting pauses when it runs out of descriptors, unless one is closed earlier */
enum { STARVED_PAUSE_MS = 100 };
/* ms between two lines about it */
enum { STARVED_LOG_MS = 10000 };

static const struct bide__kind kind_listener = {.noun = "listener", .verb = "accepts on"};

static const char listening[] = "listen on";
static const char accepting[] = "accept on";

/* Sets up what every listening descriptor has. */
static int prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    return 0;
}

/* Makes the listener of a listening descriptor, which it takes if it succeeds. */
static int listener_new(int fd, bide_listener **ret_listener)
{
    int yes = 1;
    char name[BIDE_ADDRESS_BYTES];
    struct bide__address address;
    int known = bide__own_address(fd, &address);
    if (known < 0)
        return known;
    /* Accepted connections inherit it: it costs no system call for each. */
    if (address.any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    bide__address_format(&address, name, sizeof name);
    void *object;
    struct bide__fd as = {.fd = fd};
    int code = prepare(fd);
    if (code == 0)
        code = bide__endpoint_open(sizeof(bide_listener), offsetof(bide_listener, endpoint), &as,
                                   &kind_listener, name, &object);
    if (code < 0)
        return code;
    *ret_listener = object;
    (*ret_listener)->port = bide__address_port(&address);
    return 0;
}

/* Whether the socket file at this address was left behind by a listener that is gone. */
static bool left_behind(const struct bide__address *address)
{
    struct stat status;
    if (address->un.sun_path[0] == '\0' || lstat(address->un.sun_path, &status) < 0 ||
        !S_ISSOCK(status.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, &address->any, address->size) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_to(int fd, const struct bide__address *address)
{
    struct bide__io *io = bide__loop_here ? bide__loop_here->io : NULL;
    if (bide__unlikely(io && io->ops->bind) && address->any.sa_family != AF_UNIX)
        return io->ops->bind(io, fd, address);
    if (bind(fd, &address->any, address->size) == 0)
        return 0;
    int code = -errno;
    if (address->any.sa_family == AF_UNIX && code == -EADDRINUSE && left_behind(address)) {
        unlink(address->un.sun_path);
        code = bind(fd, &address->any, address->size) == 0 ? 0 : -errno;
    }
    return code;
}

int bide__listening_socket(const struct bide__address *address, unsigned mode,
                           const struct bide_listen_options *options)
{
    int yes = 1;
    int code = 0;
    int fd = bide__stream_socket(address->any.sa_family);
    if (fd < 0)
        return fd;
    if (address->any.sa_family == AF_UNIX) {
        /* Before the bind, so that the file never has any other permissions; see unix(7). */
        if (fchmod(fd, mode) < 0)
            code = -errno;
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) < 0)
            code = -errno;
    }
    if (code == 0)
        code = bind_to(fd, address);
    if (code == 0 && listen(fd, options->backlog > 0 ? options->backlog : INT_MAX) < 0)
        code = -errno;
    if (code == 0)
        return fd;
    close(fd);
    return code;
}

static bide_listener *listen_address(const struct bide__address *address, unsigned mode,
                                     const struct bide_listen_options *options)
{
    static const struct bide_listen_options defaults;
    struct bide_task *me = bide__task_current();
    char name[BIDE_ADDRESS_BYTES];
    bide_listener *listener = NULL;
    int fd = -1;
    bide__address_format(address, name, sizeof name);
    int code = bide__checkpoint(me);
    if (code == 0)
        code = fd = bide__listening_socket(address, mode, options ? options : &defaults);
    if (code >= 0)
        code = listener_new(fd, &listener);
    if (code < 0) {
        if (fd >= 0)
            close(fd);
        bide__net_raise(code, listening, name);
    }
    bide__done_at_once(me);
    return listener;
}

bide_async(bide_listener_ptr) bide_listen_tcp(const char *host, uint16_t port,
                                              const struct bide_listen_options *options)
{
    struct bide__address address;
    if (bide__address_parse(host, port, &address) < 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "listen on \"%s\" port %u: not a numeric address",
                                  host ? host : "(null)", (unsigned)port));
    return bide_ready(bide_listener_ptr, listen_address(&address, 0, options));
}

bide_async(bide_listener_ptr) bide_listen_unix(const char *path, unsigned mode)
{
    struct bide__address address;
    struct stat status;
    int code = bide__address_parse_unix(path, &address);
    if (code < 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "listen on \"%s\": the path is %s",
                                  path ? path : "(null)",
                                  code == -EINVAL ? "empty" : "longer than 107 bytes"));
    bide_listener *listener = listen_address(&address, mode, NULL);
    if (address.un.sun_path[0] != '\0' && lstat(address.un.sun_path, &status) == 0) {
        listener->path_device = status.st_dev;
        listener->path_inode = status.st_ino;
    }
    return bide_ready(bide_listener_ptr, listener);
}

bide_async(bide_listener_ptr) bide_listen_fd(int fd)
{
    struct bide_task *me = bide__task_current();
    int listens = 0;
    socklen_t size = sizeof listens;
    bide_listener *listener = NULL;
    char name[32];
    snprintf(name, sizeof name, "descriptor %d", fd);
    int code = bide__checkpoint(me);
    if (code == 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
        code = -errno;
    if (code == 0)
        code = listens ? listener_new(fd, &listener) : -EINVAL;
    if (code < 0)
        bide__net_raise(code, listening, name);
    listener->handed_over = true;
    bide__done_at_once(me);
    return bide_ready(bide_listener_ptr, listener);
}

void bide_close_listener(void *listener_)
{
    bide_listener *listener = listener_;
    struct stat status;
    if (!listener)
        return;
    const char *path = bide__endpoint_name(&listener->endpoint) + strlen("unix:");
    if (listener->path_inode && lstat(path, &status) == 0 &&
        status.st_ino == listener->path_inode && status.st_dev == listener->path_device)
        unlink(path);
    if (bide__endpoint_close(&listener->endpoint))
        bide__free(listener);
}

bide_async(void) bide__listener_left(bide_listener_ptr listener, bide_error *error)
{
    (void)error;
    bide_close_listener(listener);
    return bide_void;
}

/* Whether the error is about the connection that would have been accepted; see accept(2). */
static bool only_that_connection(int code)
{
    return code == -ECONNABORTED || code == -EPROTO || code == -ENETDOWN || code == -ENOPROTOOPT ||
           code == -EHOSTDOWN || code == -ENONET || code == -EHOSTUNREACH || code == -ENETUNREACH;
}

static bool out_of_something(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

/* Waits until there may be a descriptor again. */
static int wait_for_descriptor(struct bide_task *me, bide_listener *listener, int why)
{
    static __thread int64_t logged_ns;
    int64_t now_ns = bide__clock_monotonic_ns();
    if (logged_ns == 0 || now_ns - logged_ns >= STARVED_LOG_MS * BIDE__NS_PER_MS) {
        logged_ns = now_ns;
        bide_log(BIDE_LOG_WARN, "%s %s: %s; connections wait", accepting,
                 bide__endpoint_name(&listener->endpoint), strerror(-why));
    }
    return bide__net_pause(me, &bide__descriptors_wanted, &listener->endpoint.fd.object,
                           STARVED_PAUSE_MS * BIDE__NS_PER_MS);
}

/* The next connection's descriptor and peer, or a negative code. */
static int accept_socket(struct bide_task *me, bide_listener *listener,
                         struct bide__address *ret_peer)
{
    struct bide__io *io = me->loop->io;
    struct bide__op op = {.kind = BIDE__OP_ACCEPT, .fd = &listener->endpoint.fd};
    for (;;) {
        op.address = &ret_peer->any;
        op.address_size = sizeof ret_peer->un;
        int code = io->ops->perform(io, &op);
        if (code >= 0) {
            ret_peer->size = op.address_size;
            if (!op.waited)
                bide__done_at_once(me);
            return code;
        }
        if (listener->endpoint.closed)
            return code == -ECANCELED ? code : -ESHUTDOWN;
        if (out_of_something(code)) {
            code = wait_for_descriptor(me, listener, code);
            op.waited = true;
            if (code < 0)
                return code;
        } else if (!only_that_connection(code)) {
            return code;
        } else {
            bide__done_at_once(me); /* a peer that aborts in a flood must not keep the loop */
        }
    }
}

int bide__accept(bide_listener *listener, struct bide__address *ret_peer,
                 char name[BIDE_ADDRESS_BYTES])
{
    struct bide_task *me = bide__task_current();
    int code = bide__checkpoint(me);
    if (bide__unlikely(code < 0))
        bide__net_raise(code, accepting, bide__endpoint_name(&listener->endpoint));
    bide__endpoint_enter(me, &listener->endpoint, accepting);
    int fd = accept_socket(me, listener, ret_peer);
    if (fd >= 0 && !name) {
        /* nobody asks */
    } else if (fd >= 0 && ret_peer->any.sa_family != AF_UNIX) {
        bide__address_format(ret_peer, name, BIDE_ADDRESS_BYTES);
    } else if (name) {
        snprintf(name, BIDE_ADDRESS_BYTES, "%s", bide__endpoint_name(&listener->endpoint));
    }
    char of_listener[BIDE_ADDRESS_BYTES];
    if (bide__unlikely(fd < 0))
        snprintf(of_listener, sizeof of_listener, "%s", bide__endpoint_name(&listener->endpoint));
    if (bide__endpoint_leave(&listener->endpoint))
        bide__free(listener);
    if (fd < 0)
        bide__net_raise(fd, accepting, of_listener);
    return fd;
}

int bide__accept_now(bide_listener *listener, struct bide__address *ret_peer)
{
    socklen_t size = sizeof ret_peer->un;
    int fd = accept4(listener->endpoint.fd.fd, &ret_peer->any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct bide__io *io = listener->endpoint.fd.io;
    if (bide__unlikely(io->ops->accepted != NULL))
        io->ops->accepted(io, fd, &ret_peer->any, &size);
    ret_peer->size = size;
    return fd;
}

void bide__listener_own(bide_listener *listener)
{
    listener->handed_over = false;
}

bool bide__listener_is_handed_over(const bide_listener *listener)
{
    return listener->handed_over;
}

/* A filter of the socket (socket(7), SO_ATTACH_FILTER) sees segments from their TCP header on. It
   drops those that ask for a connection, SYN without ACK (RFC 9293 section 3.5). */
void bide__listener_hold(bide_listener *listener)
{
    enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 };
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    if (listener->port != 0 && !listener->handed_over)
        (void)setsockopt(listener->endpoint.fd.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                         sizeof program);
}

void bide__listener_refuse(bide_listener *listener)
{
    if (listener->port != 0 && !listener->handed_over)
        shutdown(listener->endpoint.fd.fd, SHUT_RD);
}

bide_async(bide_stream_ptr) bide_accept(bide_listener *listener)
{
    char name[BIDE_ADDRESS_BYTES];
    struct bide__address peer;
    bide_stream *stream;
    int fd = bide__accept(listener, &peer, name);
    int code = bide__stream_new(fd, name, &stream);
    if (code < 0) {
        close(fd);
        bide__net_raise(code, "accept from", name);
    }
    return bide_ready(bide_stream_ptr, stream);
}

uint16_t bide_listener_port(const bide_listener *listener)
{
    return listener->port;
}

const char *bide_listener_address(const bide_listener *listener)
{
    return bide__endpoint_name(&listener->endpoint);
}

int bide_listener_fd(const bide_listener *listener)
{
    return listener->endpoint.fd.fd;
}
