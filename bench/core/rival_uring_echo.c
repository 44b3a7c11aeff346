/* The bare echo server under bide's on io_uring: one thread, one ring, plain C. Connections come
 * from a multishot accept, bytes from a multishot receive into a ring of buffers, and go back out
 * of the same buffer by a send, whose completion gives the buffer back. It prints `PORT n` and
 * serves until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFERS = 1024, BUFFER_BYTES = 2048, ENTRIES = 1024, COMPLETIONS = 4096, LIFETIME_S = 120 };
enum { ACCEPT, RECEIVE, SEND };

static struct io_uring ring;
static struct io_uring_buf_ring *pool;
static char *bytes;
static int listener;

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* What a request is about: kind, descriptor, buffer, and for a send its bytes. */
static uint64_t about(unsigned kind, int fd, unsigned buffer, unsigned size)
{
    return (uint64_t)kind << 60 | (uint64_t)(unsigned)fd << 32 | buffer << 16 | size;
}

static struct io_uring_sqe *request(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe)
        return sqe;
    io_uring_submit(&ring);
    return io_uring_get_sqe(&ring);
}

static void give(unsigned buffer)
{
    io_uring_buf_ring_add(pool, bytes + (size_t)buffer * BUFFER_BYTES, BUFFER_BYTES,
                          (unsigned short)buffer, BUFFERS - 1, 0);
    io_uring_buf_ring_advance(pool, 1);
}

static void start_accept(void)
{
    struct io_uring_sqe *sqe = request();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, 0);
    io_uring_sqe_set_data64(sqe, about(ACCEPT, listener, 0, 0));
}

static void start_receive(int fd)
{
    struct io_uring_sqe *sqe = request();
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data64(sqe, about(RECEIVE, fd, 0, 0));
}

static void start_send(int fd, unsigned buffer, unsigned size)
{
    struct io_uring_sqe *sqe = request();
    io_uring_prep_send(sqe, fd, bytes + (size_t)buffer * BUFFER_BYTES, size,
                       MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data64(sqe, about(SEND, fd, buffer, size));
}

static void completed(const struct io_uring_cqe *cqe)
{
    unsigned kind = (unsigned)(cqe->user_data >> 60);
    int fd = (int)(cqe->user_data >> 32 & 0xfffffff);
    bool more = cqe->flags & IORING_CQE_F_MORE;
    unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    if (kind == ACCEPT) {
        if (cqe->res >= 0)
            start_receive(cqe->res);
        if (!more)
            start_accept();
    } else if (kind == SEND) {
        give((unsigned)(cqe->user_data >> 16) & 0xffff);
        if (cqe->res < (int)(cqe->user_data & 0xffff))
            shutdown(fd, SHUT_RDWR); /* its receive ends */
    } else if (cqe->res > 0) {
        start_send(fd, buffer, (unsigned)cqe->res);
        if (!more)
            start_receive(fd);
    } else if (cqe->res == -ENOBUFS) {
        start_receive(fd);
    } else {
        close(fd);
    }
}

static void open_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN,
                                     .cq_entries = COMPLETIONS};
    must(io_uring_queue_init_params(ENTRIES, &ring, &params) == 0, "io_uring_setup");
    size_t pool_bytes = BUFFERS * sizeof(struct io_uring_buf);
    char *memory = mmap(NULL, pool_bytes + (size_t)BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    pool = (struct io_uring_buf_ring *)(void *)memory;
    bytes = memory + pool_bytes;
    struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)pool,
                                            .ring_entries = BUFFERS};
    must(io_uring_register_buf_ring(&ring, &registration, 0) == 0, "io_uring_register");
    for (unsigned i = 0; i < BUFFERS; i++)
        give(i);
}

static void listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener >= 0, "socket");
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 4096) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(void)
{
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    listen_on_loopback();
    open_ring();
    start_accept();
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            completed(cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
