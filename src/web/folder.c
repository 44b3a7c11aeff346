/*
 * Reading below a folder. See folder.h. Called by files.c and file_reply.c on the blocking lane,
 * and by tests; calls the system.
 */
#include "web/folder.h"

#include "http/url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Renames beside a walk make the kernel give up with EAGAIN; a content may change while it is read.
 */
enum { TRIES = 4 };

/* NONBLOCK: a FIFO must not keep the lane waiting, nor a tape be wound. */
enum { READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

bool bide__folder_walks;

int bide__folder_open(const char *path)
{
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -errno : folder;
}

/* Step by step: each but the last is a folder, none a symbolic link. */
static int walk(int folder, const char *path)
{
    struct bide__slice rest = bide__slice_of(path), step;
    int at = folder;
    while (bide__slice_split(&rest, '/', &step)) {
        char name[256];
        int flags = rest.length > 0 ? O_PATH | O_DIRECTORY | O_CLOEXEC : READ_FLAGS;
        int next = -1, error = ENAMETOOLONG;
        if (step.length < sizeof name) {
            memcpy(name, step.bytes, step.length);
            name[step.length] = 0;
            next = openat(at, name, flags | O_NOFOLLOW);
            error = errno;
        }
        if (at != folder)
            close(at);
        if (next < 0)
            return -error;
        at = next;
    }
    return at == folder ? -ENOENT : at;
}

/* No `..` is followed, not even one that stays below: beside any rename(2) of the machine the
   kernel cannot tell, and a step by itself leads out. */
static bool goes_up(const char *path)
{
    struct bide__slice rest = bide__slice_of(path), step;
    while (bide__slice_split(&rest, '/', &step))
        if (bide__slice_equal(step, bide__slice("..", 2)))
            return true;
    return false;
}

static int open_beneath(int folder, const char *path)
{
    if (goes_up(path))
        return -ENOENT;
    struct open_how how = {.flags = READ_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (int i = 0; i < TRIES && !bide__folder_walks; i++) {
        long fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if (errno == ENOSYS || errno == EPERM) /* EPERM: a sandbox that does not know it */
            break;
        if (errno != EAGAIN)
            return -errno;
    }
    return walk(folder, path);
}

static int open_anywhere(const char *path)
{
    int fd = open(path, READ_FLAGS);
    return fd < 0 ? -errno : fd;
}

/* What a peer is told of a failed open: that there is nothing, unless the system is at fault. */
static int blame(int error)
{
    bool system = error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EIO;
    return system ? error : -ENOENT;
}

static int look(int fd, struct bide__file_stamp *ret_stamp, mode_t *ret_mode)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    *ret_mode = status.st_mode;
    *ret_stamp = (struct bide__file_stamp){(int64_t)status.st_mtim.tv_sec * 1000000000 +
                                               status.st_mtim.tv_nsec,
                                           (uint64_t)status.st_size, (uint64_t)status.st_ino};
    return 0;
}

/* path.gz in place of `fd`, which is then closed. An older one is of an older content. */
static int prefer_zipped(struct bide__file_reading *reading, int fd)
{
    char path[4096];
    struct bide__file_stamp stamp;
    mode_t mode;
    if (snprintf(path, sizeof path, "%s.gz", reading->path) >= (int)sizeof path)
        return fd;
    int zipped = open_beneath(reading->folder, path);
    if (zipped < 0)
        return fd;
    if (look(zipped, &stamp, &mode) < 0 || !S_ISREG(mode) ||
        stamp.modified_ns < reading->stamp.modified_ns) {
        close(zipped);
        return fd;
    }
    close(fd);
    reading->stamp = stamp;
    reading->zipped = true;
    return zipped;
}

/* As many bytes as the stamp says; -EAGAIN when there are no longer so many. */
static int read_content(struct bide__file_reading *reading, int fd)
{
    if (reading->stamp.size > reading->out.cap_bytes)
        return -EFBIG;
    size_t size = (size_t)reading->stamp.size, done = 0;
    bide_buf_reset(&reading->out);
    char *at = size > 0 ? bide_buf_reserve(&reading->out, size) : NULL;
    if (size == 0)
        return 0;
    if (!at)
        return bide_buf_error(&reading->out);
    while (done < size) {
        ssize_t n = pread(fd, at + done, size - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EAGAIN;
        done += (size_t)n;
    }
    bide_buf_commit(&reading->out, size);
    return 0;
}

/* The content, of one moment: read again if it was changed meanwhile. */
static int read_steadily(struct bide__file_reading *reading, int fd)
{
    struct bide__file_stamp after;
    mode_t mode;
    for (int i = 0; i < TRIES; i++) {
        int result = read_content(reading, fd);
        if (result < 0 && result != -EAGAIN)
            return result;
        if (look(fd, &after, &mode) < 0)
            return -errno;
        if (result == 0 && bide__file_stamp_equal(&after, &reading->stamp))
            return 0;
        reading->stamp = after;
    }
    return -EBUSY;
}

int bide__file_read(struct bide__file_reading *reading)
{
    char tag[BIDE__FILE_TAG_BYTES];
    mode_t mode;
    int fd = reading->folder < 0 ? open_anywhere(reading->path)
                                 : open_beneath(reading->folder, reading->path);
    reading->fd = -1;
    if (fd < 0)
        return blame(fd);
    int result = look(fd, &reading->stamp, &mode);
    if (result == 0 && S_ISDIR(mode)) {
        reading->is_folder = true;
    } else if (result == 0 && !S_ISREG(mode)) {
        result = -ENOENT;
    } else if (result == 0) {
        if (reading->gzip)
            fd = prefer_zipped(reading, fd);
        bide__file_tag(&reading->stamp, tag);
        reading->is_known =
            reading->known && bide__file_stamp_equal(reading->known, &reading->stamp);
        reading->precondition = bide__http_precondition(
            reading->condition, tag, reading->stamp.modified_ns / 1000000000, reading->now_s);
        if (!reading->is_known && reading->precondition == 0)
            result = read_steadily(reading, fd);
    }
    if (result == -EFBIG) {
        reading->fd = fd;
        return 0;
    }
    close(fd);
    return result;
}

void bide__file_tag(const struct bide__file_stamp *stamp, char tag[BIDE__FILE_TAG_BYTES])
{
    snprintf(tag, BIDE__FILE_TAG_BYTES, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
             (uint64_t)stamp->modified_ns, stamp->size, stamp->inode);
}

bool bide__file_stamp_equal(const struct bide__file_stamp *a, const struct bide__file_stamp *b)
{
    return a->modified_ns == b->modified_ns && a->size == b->size && a->inode == b->inode;
}
