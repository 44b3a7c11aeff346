/*
 * From a file to a socket. See send_file.h. Calls sendfile(2), and the blocking lane.
 *
 * sendfile(2) waits for the disk, also on a socket that does not block. Whether it would have to is
 * asked before: preadv2(2) with RWF_NOWAIT reads a byte only if it is in memory. That is asked of
 * the first and the last byte of a part, which are read ahead and dropped together with what lies
 * between them, mostly: a part of 128 KiB with a hole in the middle costs the loop one wait. A file
 * system that cannot tell has all of its files sent by the lane. Some kernels (5.9, 5.10) say 0 for
 * what is not in memory, so what seems to lie behind the end of the file is for the lane, too.
 */
#include "io/send_file.h"

#include "base/caps.h"

#include <bide/offload.h>
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static bool is_in_memory(int file, uint64_t at)
{
    char byte;
    struct iovec one = {&byte, 1};
    return preadv2(file, &one, 1, (off_t)at, RWF_NOWAIT) > 0;
}

static int64_t send_part(int to, int file, uint64_t at, uint64_t size);
OFFLOADABLE(int64_t, send_part, int, int, uint64_t, uint64_t)
static int64_t send_part(int to, int file, uint64_t at, uint64_t size)
{
    off_t offset = (off_t)at;
    ssize_t sent;
    do
        sent = sendfile(to, file, &offset, (size_t)size);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int64_t bide__send_file(const struct bide__fd *to, int file, uint64_t at, uint64_t size)
{
    uint64_t part = size < BIDE_CAP_FILE_PART_BYTES ? size : BIDE_CAP_FILE_PART_BYTES;
    if (bide__likely(is_in_memory(file, at) && is_in_memory(file, at + part - 1)))
        return send_part(to->fd, file, at, part);
    part = size < BIDE_CAP_FILE_LANE_PART_BYTES ? size : BIDE_CAP_FILE_LANE_PART_BYTES;
    return bide_await(bide_offload(BIDE_BLOCKING, send_part, to->fd, file, at, part));
}
