/* The bare server on io_uring, which is the ceiling: rival_bare_uring REPLY_FILE
 *
 * As rival_bare.c, but one ring: connections from a multishot accept, bytes from a multishot
 * receive into a ring of buffers, replies by sends of the ring. It prints `PORT n` and serves until
 * it is killed. */
#include "rival_bare.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>

enum { BUFFERS = 1024, BUFFER_BYTES = 2048, ENTRIES = 1024, COMPLETIONS = 4096, NUMBERS = 65536 };
enum { ACCEPT, RECEIVE, SEND };

/* By its descriptor. */
struct connection {
    uint32_t owed_bytes; /* of replies that are not sent yet */
    uint16_t sent_bytes; /* of the first of them */
    uint8_t kept;        /* bytes at the end of the last input, which may begin an empty line */
    bool sending, over;
    char tail[KEPT_BYTES];
};

static struct connection connections[NUMBERS];
static struct io_uring ring;
static struct io_uring_buf_ring *pool;
static char *bytes; /* of each buffer, with room before it for what was kept */
enum { STRIDE = KEPT_BYTES + BUFFER_BYTES + 13 };

static struct io_uring_sqe *request(unsigned kind, int fd)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    must(sqe != NULL, "a place in the submission queue");
    io_uring_sqe_set_data64(sqe, (uint64_t)kind << 32 | (unsigned)fd);
    return sqe;
}

static char *buffer_at(unsigned buffer)
{
    return bytes + (size_t)buffer * STRIDE + KEPT_BYTES;
}

static void give(unsigned buffer)
{
    io_uring_buf_ring_add(pool, buffer_at(buffer), BUFFER_BYTES, (unsigned short)buffer,
                          BUFFERS - 1, 0);
    io_uring_buf_ring_advance(pool, 1);
}

static void start_accept(int listener)
{
    struct io_uring_sqe *sqe = request(ACCEPT, listener);
    uint64_t about = sqe->user_data;
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, 0);
    io_uring_sqe_set_data64(sqe, about);
}

static void start_receive(int fd)
{
    struct io_uring_sqe *sqe = request(RECEIVE, fd);
    uint64_t about = sqe->user_data;
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data64(sqe, about);
}

static void send_owed(int fd)
{
    struct connection *connection = &connections[fd];
    size_t most = COPIES * reply_bytes - connection->sent_bytes;
    if (connection->sending || connection->owed_bytes == 0)
        return;
    struct io_uring_sqe *sqe = request(SEND, fd);
    uint64_t about = sqe->user_data;
    io_uring_prep_send(sqe, fd, replies + connection->sent_bytes,
                       connection->owed_bytes < most ? connection->owed_bytes : most, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, about);
    connection->sending = true;
}

/* Counts the heads in a buffer, with what was kept of the one before. */
static void received(int fd, unsigned buffer, size_t size)
{
    struct connection *connection = &connections[fd];
    char *begin = buffer_at(buffer) - connection->kept, *end = buffer_at(buffer) + size;
    memcpy(begin, connection->tail, connection->kept);
    connection->owed_bytes += heads_in(begin, (size_t)(end - begin)) * (uint32_t)reply_bytes;
    connection->kept = 0;
    if (end - begin < 4 || memcmp(end - 4, "\r\n\r\n", 4) != 0) {
        connection->kept = (uint8_t)(end - begin < KEPT_BYTES ? end - begin : KEPT_BYTES);
        memcpy(connection->tail, end - connection->kept, connection->kept);
    }
    give(buffer);
}

static void close_if_over(int fd)
{
    if (connections[fd].over && !connections[fd].sending)
        close(fd);
}

static void completed(const struct io_uring_cqe *cqe)
{
    int fd = (int)(uint32_t)cqe->user_data;
    struct connection *connection = &connections[fd];
    bool more = cqe->flags & IORING_CQE_F_MORE;
    switch (cqe->user_data >> 32) {
    case ACCEPT:
        if (cqe->res >= 0 && cqe->res < NUMBERS) {
            connections[cqe->res] = (struct connection){.owed_bytes = 0};
            start_receive(cqe->res);
        }
        if (!more)
            start_accept(fd);
        return;
    case SEND:
        connection->sending = false;
        if (cqe->res > 0) {
            size_t sent = connection->sent_bytes + (size_t)cqe->res;
            connection->owed_bytes -= (uint32_t)cqe->res;
            connection->sent_bytes = (uint16_t)(sent % reply_bytes);
            send_owed(fd);
        }
        close_if_over(fd);
        return;
    default:
        if (cqe->res > 0)
            received(fd, cqe->flags >> IORING_CQE_BUFFER_SHIFT, (size_t)cqe->res);
        send_owed(fd);
        if (!more && (cqe->res > 0 || cqe->res == -ENOBUFS)) {
            start_receive(fd);
        } else if (!more) {
            connection->over = true;
            close_if_over(fd);
        }
    }
}

static void open_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN,
                                     .cq_entries = COMPLETIONS};
    must(io_uring_queue_init_params(ENTRIES, &ring, &params) == 0, "io_uring_setup");
    size_t pool_bytes = BUFFERS * sizeof(struct io_uring_buf);
    char *memory = mmap(NULL, pool_bytes + (size_t)BUFFERS * STRIDE, PROT_READ | PROT_WRITE,
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

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: rival_bare_uring REPLY_FILE\n");
        return 2;
    }
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    read_reply(argv[1]);
    int listener = listen_on_loopback();
    fcntl(listener, F_SETFL, 0); /* the ring waits where a plain call would */
    open_ring();
    start_accept(listener);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&ring, 1);
        refresh_date();
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            completed(cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
