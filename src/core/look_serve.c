/*
 * Answers the command `bide` where it may not read this process's memory: core/look.h has the
 * protocol. Started and ended by watchdog.c; calls look.c.
 *
 *     SIGURG with our value -> handler: `asked` -> watchdog -> this thread, for IDLE_MS
 *
 * It is a thread of its own so that a program whose loops hang can still be asked, and it is there
 * only when somebody asks: no descriptor and no thread before.
 *
 * Invariants
 *  1. Only root and the user of this process are answered (SO_PEERCRED), and only with what a
 *     picture holds: names, places, times. They may not read the memory itself.
 *  2. No reply and no client can hold the end of bide_run: sockets are shut down from outside.
 */
#include "core/debug.h"
#include "core/look.h"
#include "core/runtime.h"

#include "base/clock.h"
#include "base/mem.h"

#include <bide/log.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { IDLE_MS = 10000, PATIENCE_S = 2, STACK_BYTES = 262144 };

static uint32_t asked; /* atomic: by a handler */

/* The thread and its sockets; the watchdog's but for `ended`, and `connection`, under the lock. */
static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    bool started;
    bool ending;    /* under the lock */
    uint32_t ended; /* atomic: the thread has nothing more to do */
    int listener, connection;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1, .connection = -1};

static void *resize(void *memory, size_t bytes)
{
    if (bytes)
        return bide__realloc(memory, bytes);
    bide__free(memory);
    return NULL;
}

/* Where even this is not allowed, the file does the same, piece by piece. */
static void read_self(struct bide__look_reader *reader, struct bide__look_piece *pieces,
                      size_t count)
{
    (void)reader;
    int error = bide__look_process_read(getpid(), pieces, count);
    if (error == 0 || error == EFAULT)
        return;
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < count; i++)
        pieces[i].read = pread(fd, pieces[i].to, pieces[i].size, (off_t)pieces[i].address) ==
                         (ssize_t)pieces[i].size;
    if (fd >= 0)
        close(fd);
}

static bool send_part(void **bytes, size_t size, void *arg)
{
    int fd = *(int *)arg;
    for (size_t done = 0; done < size;) {
        ssize_t sent = send(fd, (char *)*bytes + done, size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        done += (size_t)sent;
    }
    return true;
}

static bool is_friend(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void answer(int fd)
{
    struct bide__look_reader reader = {read_self, resize, bide__clock_monotonic_ns};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    char what;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!is_friend(fd) || recv(fd, &what, 1, 0) != 1)
        return;
    struct bide__look look, head;
    if (bide__look_take(&reader, (uint64_t)(uintptr_t)&bide_debug,
                        (enum bide__look_what)(what & BIDE__LOOK_ALL), &look) == BIDE__LOOK_DONE) {
        look.pid = (uint32_t)getpid();
        head = look;
        head.loops = NULL;
        head.tasks = NULL;
        head.sites = NULL;
        head.kinds = NULL;
        head.texts = NULL;
        head.resumes = NULL;
        head.turns = NULL;
        void *bytes = &head;
        if (send_part(&bytes, sizeof head, &fd))
            bide__look_parts(&look, send_part, &fd);
    }
    bide__look_free(&reader, &look);
}

/* Takes over a connection, or its end; false when all is to end. */
static bool set_connection(int fd)
{
    pthread_mutex_lock(&server.lock);
    bool goes_on = !server.ending;
    server.connection = fd;
    pthread_mutex_unlock(&server.lock);
    return goes_on;
}

static void *serve(void *unused)
{
    struct pollfd listener = {.fd = server.listener, .events = POLLIN};
    bool goes_on = true;
    while (goes_on && poll(&listener, 1, IDLE_MS) > 0) {
        int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        if (set_connection(fd))
            answer(fd);
        goes_on = set_connection(-1);
        close(fd);
    }
    __atomic_store_n(&server.ended, 1, __ATOMIC_RELEASE);
    return unused;
}

static int listen_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, BIDE__LOOK_SOCKET, getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void bide__look_serve_ask(void)
{
    __atomic_store_n(&asked, 1, __ATOMIC_RELAXED);
}

void bide__look_serve_if_asked(void)
{
    if (server.started && __atomic_load_n(&server.ended, __ATOMIC_ACQUIRE))
        bide__look_serve_close();
    if (!__atomic_exchange_n(&asked, 0, __ATOMIC_RELAXED) || server.started)
        return;
    pthread_attr_t small;
    server.listener = listen_here();
    if (server.listener < 0) {
        bide_log(BIDE_LOG_WARN, "cannot answer `bide ps`: %s", strerror(errno));
        return;
    }
    server.ending = false;
    __atomic_store_n(&server.ended, 0, __ATOMIC_RELAXED);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    server.started = pthread_create(&server.thread, &small, serve, NULL) == 0;
    pthread_attr_destroy(&small);
    if (server.started) {
        pthread_setname_np(server.thread, "bide-look");
        return;
    }
    close(server.listener);
    server.listener = -1;
}

void bide__look_serve_close(void)
{
    if (!server.started)
        return;
    pthread_mutex_lock(&server.lock);
    server.ending = true;
    shutdown(server.listener, SHUT_RDWR);
    if (server.connection >= 0)
        shutdown(server.connection, SHUT_RDWR);
    pthread_mutex_unlock(&server.lock);
    pthread_join(server.thread, NULL);
    close(server.listener);
    server.listener = -1;
    server.started = false;
}
