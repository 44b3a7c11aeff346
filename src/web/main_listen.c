/*
 * The sockets of bide_main: made in plain code, before any loop, so that what is wrong is one line
 * and an exit status. Called by main.c; calls listen.c for a new socket, main_holder.c for whoever
 * has it.
 *
 * TCP: a socket for each worker, between which the kernel spreads connections (SO_REUSEPORT). The
 * first is bound without it: so a port that another program shares in the same way is in use, and
 * not taken half of. Unix sockets and descriptors that were handed over: one, dup(2)ed for each.
 *
 * Source: socket(7), unix(7), sd_listen_fds(3).
 */
#include "web/main.h"

#include "io/address.h"
#include "io/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_HANDED_FD = 3 }; /* SD_LISTEN_FDS_START */

/* What can be done about it. */
static const char *advice_for(int error, const bide__run *run)
{
    if (error == EADDRINUSE)
        return "stop it, or choose another port: --port 0 takes a free one";
    if (error == EACCES)
        return run->port < 1024
                   ? "ports below 1024 need a right: choose another, or CAP_NET_BIND_SERVICE"
                   : "the system's policy forbids it";
    if (error == EADDRNOTAVAIL)
        return "this machine does not have the address: 0.0.0.0 stands for all it has";
    return "see --host and --port";
}

static int say_tcp(int error, const struct bide__main_sockets *sockets, const bide__run *run)
{
    char holder[128];
    if (error == EADDRINUSE && bide__main_holder((uint16_t)run->port, holder, sizeof holder))
        bide__main_say("cannot listen on %s: %s by %s; %s", sockets->address, strerror(error),
                       holder, advice_for(error, run));
    else
        bide__main_say("cannot listen on %s: %s; %s", sockets->address, strerror(error),
                       advice_for(error, run));
    return BIDE__EXIT_LISTEN;
}

static int listen_tcp(const bide__run *run, int count, struct bide__main_sockets *sockets)
{
    struct bide__address address;
    struct bide_listen_options options = {.backlog = run->backlog};
    int yes = 1;
    if (bide__address_parse(run->host, (uint16_t)run->port, &address) < 0) {
        bide__main_say("--host %s: not a numeric address, nor localhost", run->host);
        return BIDE__EXIT_USAGE;
    }
    bide__address_format(&address, sockets->address, sizeof sockets->address);
    while (sockets->count < count) {
        int fd = bide__listening_socket(&address, 0, &options);
        if (fd < 0)
            return say_tcp(-fd, sockets, run);
        sockets->fds[sockets->count++] = fd;
        if (sockets->count == 1) {
            address.size = sizeof address.un;
            if (getsockname(fd, &address.any, &address.size) < 0 ||
                (count > 1 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) < 0))
                return say_tcp(errno, sockets, run);
            options.reuse_port = true;
            bide__address_format(&address, sockets->address, sizeof sockets->address);
        }
    }
    return 0;
}

/* One socket for all workers: `fd` becomes the first's. */
static int share(int fd, int count, struct bide__main_sockets *sockets)
{
    sockets->fds[sockets->count++] = fd;
    while (sockets->count < count) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            bide__main_say("cannot share %s between workers: %s", sockets->address,
                           strerror(errno));
            return BIDE__EXIT_LISTEN;
        }
        sockets->fds[sockets->count++] = copy;
    }
    return 0;
}

/* The permissions of an octal text, or -1. */
static int mode_of(const char *text)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);
    return *end || *text < '0' || *text > '7' || mode > 0777 ? -1 : (int)mode;
}

static int listen_unix(const bide__run *run, int count, struct bide__main_sockets *sockets)
{
    struct bide__address address;
    struct bide_listen_options options = {.backlog = run->backlog};
    int mode = mode_of(run->uds_mode);
    if (mode < 0 || bide__address_parse_unix(run->uds, &address) < 0) {
        bide__main_say("--uds-mode %s: not the octal digits of permissions, such as 660",
                       run->uds_mode);
        return BIDE__EXIT_USAGE;
    }
    bide__address_format(&address, sockets->address, sizeof sockets->address);
    int fd = bide__listening_socket(&address, (unsigned)mode, &options);
    if (fd < 0) {
        bide__main_say("cannot listen on %s: %s%s", sockets->address, strerror(-fd),
                       fd == -EADDRINUSE ? ": a process listens there, or it is no socket" : "");
        return BIDE__EXIT_LISTEN;
    }
    if (run->uds[0] != '@' && lstat(run->uds, &sockets->file) == 0) {
        sockets->path = run->uds;
        (void)chmod(run->uds, (mode_t)mode); /* also what the umask has taken away */
    }
    return share(fd, count, sockets);
}

/* A descriptor from outside: bound, and perhaps listening already. */
static int listen_fd(int fd, const bide__run *run, int count, struct bide__main_sockets *sockets)
{
    sockets->handed_over = true;
    struct bide__address address = {.size = sizeof address.un};
    int type = 0, listens = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) {
        bide__main_say("descriptor %d is not a stream socket%s%s", fd, type ? "" : ": ",
                       type ? "" : strerror(errno));
        return BIDE__EXIT_LISTEN;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 ||
        getsockname(fd, &address.any, &address.size) < 0 ||
        (!listens && listen(fd, run->backlog > 0 ? run->backlog : SOMAXCONN) < 0)) {
        bide__main_say("cannot listen on descriptor %d: %s", fd, strerror(errno));
        return BIDE__EXIT_LISTEN;
    }
    bide__address_format(&address, sockets->address, sizeof sockets->address);
    return share(fd, count, sockets);
}

/* The socket that a supervisor hands over: its number, 0 for none, -1 after a message. What it says
   is for this process only. */
static int handed_fd(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (!pid || !count || strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    long fds = strtol(count, NULL, 10);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (fds > 1) {
        bide__main_say("LISTEN_FDS hands over %ld sockets; name one of them with --fd", fds);
        return -1;
    }
    return fds == 1 ? FIRST_HANDED_FD : 0;
}

int bide__main_listen(const bide__run *run, int count, struct bide__main_sockets *sockets)
{
    bool has_fd = bide_has(run, fd), has_tcp = bide_has(run, host) || bide_has(run, port);
    sockets->count = 0;
    sockets->handed_over = false;
    sockets->path = NULL;
    if (has_fd && run->uds) {
        bide__main_say("--uds and --fd are given; one of them decides where to listen");
        return BIDE__EXIT_USAGE;
    }
    if (has_fd)
        return listen_fd(run->fd, run, count, sockets);
    if (run->uds)
        return listen_unix(run, count, sockets);
    int fd = has_tcp ? 0 : handed_fd();
    if (fd < 0)
        return BIDE__EXIT_USAGE;
    return fd > 0 ? listen_fd(fd, run, count, sockets) : listen_tcp(run, count, sockets);
}

void bide__main_unlisten(struct bide__main_sockets *sockets)
{
    struct stat now;
    for (int i = 0; i < sockets->count; i++)
        if (sockets->fds[i] >= 0)
            close(sockets->fds[i]);
    if (sockets->path && lstat(sockets->path, &now) == 0 && now.st_ino == sockets->file.st_ino &&
        now.st_dev == sockets->file.st_dev)
        unlink(sockets->path);
}
