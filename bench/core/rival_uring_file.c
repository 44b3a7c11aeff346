/* The bare reader under file_read: one thread, one ring, plain C, and as many reads at a time as
 * bide has tasks. A completion's block is looked at, and the next read queued. */
#include "blocks.h"
#include <fcntl.h>
#include <liburing.h>

static struct reader readers[READERS];
static struct io_uring ring;
static uint64_t offsets[READERS];
static int file;

static void start_read(unsigned i)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    offsets[i] = reader_next(&readers[i]);
    io_uring_prep_read(sqe, file, readers[i].block, BLOCK_BYTES, offsets[i]);
    io_uring_sqe_set_data64(sqe, i);
}

static struct measured read_all(uint64_t count)
{
    uint64_t done = 0, started = READERS, start_ns = measure_now_ns();
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].state = i;
        start_read(i);
    }
    while (done < started) {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            unsigned i = (unsigned)cqe->user_data;
            reader_check(&readers[i], cqe->res, offsets[i]);
            if (started < count) {
                start_read(i);
                started++;
            }
            seen++;
        }
        io_uring_cq_advance(&ring, seen);
        done += seen;
    }
    return (struct measured){done, measure_now_ns() - start_ns};
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/bide_blocks_XXXXXX";
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    blocks_make(path);
    file = open(path, O_RDONLY | O_CLOEXEC);
    unlink(path);
    blocks_must(file >= 0, path);
    blocks_must(io_uring_queue_init_params(2 * READERS, &ring, &params) == 0, "io_uring_setup");
    measure_case(argc == 2 ? argv[1] : "file_read", read_all, 10 * READERS);
    return 0;
}
