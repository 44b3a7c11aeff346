/*
 * Files and directories: include/bide/file.h. Called by users; calls the backend (core/op.h) for
 * reading, writing and syncing an opened file, and the blocking lane (offload.c) for what that
 * leaves, and all else.
 *
 * Each operation of the lane is a plain function on a `struct job`, which lies in the waiting
 * task's frame and has a cleanup there: a cancel raises after the call has ended, and what the call
 * made is undone. Those functions give negative codes; the task raises.
 */
#include "base/caps.h"
#include "base/mem.h"
#include "base/random.h"
#include "core/error.h"
#include "core/graph.h"
#include "core/loop.h"

#include <bide/file.h>
#include <bide/offload.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 1 << 20, /* between two looks at a cancel */
    DEFAULT_MODE = 0644,
};

struct bide_file {
    int fd;
    char path[]; /* for messages */
};

struct job {
    const char *path, *other;
    int fd; /* of the file, or opened by the job: closed unless taken */
    bool owns_fd;
    bool follow;
    int flags;
    unsigned mode;
    void *buffer;
    const void *data;
    size_t size, done;
    int64_t offset;
    bide_buf *buf;
    bide_buf names; /* kind, name, NUL; again and again */
    struct stat status;
    int code; /* the outcome */
};

static void job_done(struct job *job)
{
    if (job->owns_fd && job->fd >= 0)
        close(job->fd);
    bide_buf_done(&job->names);
}

static bide_error *error_of(int code, const char *doing, const char *path)
{
    switch (code) {
    case -ENOENT:
        return bide_error_new(BIDE_NOT_FOUND, "%s %s: it is not there", doing, path);
    case -ENOMEM:
        return bide_error_new(BIDE_NO_MEMORY, "%s %s: out of memory", doing, path);
    case -ESPIPE:
        return bide_error_new(
            BIDE_INVALID, "%s %s: it is a stream (a pipe, a socket or a terminal)", doing, path);
    case -EMSGSIZE:
        return bide_error_new(BIDE_LIMIT, "%s %s: it is larger than the caller takes", doing, path);
    default:
        return bide_error_of_errno(-code, "%s %s", doing, path);
    }
}

static void call(struct job *job, const char *doing, void (*function)(void *)) BIDE__TASK
{
    bide__offload(BIDE_BLOCKING, bide__current->at, doing, function, job);
}

static void raise_failure(const struct job *job, const char *doing)
{
    if (bide__likely(job->code >= 0))
        return;
    if (job->code == -ESTALE)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_CLOSED,
                                  "%s %s: it became shorter meanwhile: %zu of %lld bytes", doing,
                                  job->path, job->done, (long long)job->status.st_size));
    bide__fail(bide__current->at, error_of(job->code, doing, job->path));
}

static void run(struct job *job, const char *doing, void (*function)(void *)) BIDE__TASK
{
    call(job, doing, function);
    raise_failure(job, doing);
}

/* A call again when a signal interrupted it; the errno as a negative code. */
#define RETRY(call)                                                                                \
    __extension__({                                                                                \
        __typeof__(call) result_;                                                                  \
        do                                                                                         \
            result_ = (call);                                                                      \
        while (result_ < 0 && errno == EINTR);                                                     \
        result_ < 0 ? -errno : result_;                                                            \
    })

static size_t piece(size_t left)
{
    return left < PIECE_BYTES ? left : PIECE_BYTES;
}

/* ---- whole files ------------------------------------------------------------------------------
 */

/* At the end of a file that is shorter than it was said to be: some systems do not know the size
   of what they make up (sysfs), others had a file that somebody cut. */
static int was_cut(const struct job *job)
{
    struct stat now;
    if (fstat(job->fd, &now) < 0)
        return -errno;
    const struct stat *then = &job->status;
    bool same = now.st_size >= then->st_size && now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
    return same ? 0 : -ESTALE;
}

static int read_all(struct job *job)
{
    size_t room = bide_buf_length(job->buf);
    room = job->buf->cap_bytes > room ? job->buf->cap_bytes - room : 0;
    for (;;) {
        if (bide_offload_cancelled())
            return -ECANCELED;
        /* One byte beyond the cap tells whether there is more. */
        char one;
        size_t want = room - job->done;
        int64_t left = job->status.st_size - (int64_t)job->done;
        if (left > 0 && (size_t)left < want)
            want = (size_t)left;
        else if (want > 4096 && left <= 0)
            want = 4096;
        char *place = want ? bide_buf_reserve(job->buf, piece(want)) : &one;
        if (!place)
            return bide_buf_error(job->buf);
        ssize_t n = RETRY(read(job->fd, place, want ? piece(want) : 1));
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        if (!want)
            return -EMSGSIZE;
        bide_buf_commit(job->buf, (size_t)n);
        job->done += (size_t)n;
    }
    return (int64_t)job->done < job->status.st_size ? was_cut(job) : 0;
}

/* Opens what has positions: a stream could keep the thread for ever. It opens without waiting for
   somebody at the other end. */
static void open_file(void *arg)
{
    struct job *job = arg;
    job->fd = RETRY(open(job->path, job->flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, job->mode));
    job->code = job->fd == -ENXIO ? -ESPIPE : job->fd < 0 ? job->fd : 0;
    if (job->code < 0)
        return;
    if (fstat(job->fd, &job->status) < 0)
        job->code = -errno;
    else if (S_ISFIFO(job->status.st_mode) || (S_ISCHR(job->status.st_mode) && isatty(job->fd)))
        job->code = -ESPIPE;
}

static void read_whole(void *arg)
{
    struct job *job = arg;
    open_file(job);
    if (job->code == 0 && !S_ISREG(job->status.st_mode))
        job->status.st_size = 0; /* it says nothing of a device */
    if (job->code == 0 && job->buf->cap_bytes < SIZE_MAX &&
        (size_t)job->status.st_size > job->buf->cap_bytes)
        job->code = -EMSGSIZE;
    if (job->code == 0)
        job->code = read_all(job);
}

bide_async(void) bide_file_read(const char *path, bide_buf *buf)
{
    struct job job
        __attribute__((cleanup(job_done))) = {.path = path, .fd = -1, .owns_fd = true, .buf = buf};
    size_t before = bide_buf_length(buf);
    call(&job, "read", read_whole);
    if (job.code < 0 && !bide_buf_error(buf)) {
        buf->length = before;
        if (buf->storage)
            buf->storage[buf->start + before] = 0;
    }
    raise_failure(&job, "read");
    return bide_void;
}

static int write_all(struct job *job)
{
    while (job->done < job->size) {
        if (bide_offload_cancelled())
            return -ECANCELED;
        ssize_t n =
            RETRY(pwrite(job->fd, (const char *)job->data + job->done, piece(job->size - job->done),
                         (off_t)(job->offset + (int64_t)job->done)));
        if (n < 0)
            return (int)n;
        job->done += (size_t)n;
    }
    return 0;
}

/* To be synced after the change. One that may be written but not read cannot be synced: -EACCES. */
static int open_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, path, length);
    folder[length] = 0;
    return RETRY(open(length ? folder : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* Some file systems cannot sync folders, and say EINVAL. */
static int sync_folder(int folder)
{
    return folder >= 0 && fsync(folder) < 0 && errno != EINVAL ? -errno : 0;
}

static int fill(struct job *job, unsigned mode)
{
    int code = write_all(job);
    if (code == 0 && mode && fchmod(job->fd, mode) < 0)
        code = -errno;
    if (code == 0 && fsync(job->fd) < 0)
        code = -errno;
    return code;
}

static int replace(struct job *job, const char *temporary, int folder)
{
    /* Until it is whole nobody else reads it, save one that is for all by the umask's leave. */
    unsigned mode = job->mode;
    if (!mode && stat(job->path, &job->status) == 0)
        mode = job->status.st_mode & 07777;
    job->fd = RETRY(open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                         mode ? mode & 0600 : DEFAULT_MODE));
    if (job->fd < 0)
        return job->fd;
    int code = fill(job, mode);
    if (code == 0 && rename(temporary, job->path) < 0)
        code = -errno;
    if (code < 0)
        unlink(temporary);
    return code < 0 ? code : sync_folder(folder);
}

static void write_whole(void *arg)
{
    struct job *job = arg;
    char temporary[PATH_MAX];
    uint64_t number = 0;
    if (bide__random(&number, sizeof number) < 0)
        number = (uint64_t)(uintptr_t)job;
    if (snprintf(temporary, sizeof temporary, "%s.%016llx.new", job->path,
                 (unsigned long long)number) >= (int)sizeof temporary) {
        job->code = -ENAMETOOLONG;
        return;
    }
    int folder = open_folder_of(job->path);
    job->code = folder < 0 && folder != -EACCES ? folder : replace(job, temporary, folder);
    if (folder >= 0)
        close(folder);
}

bide_async(void) bide_file_write(const char *path, const void *data, size_t size, unsigned mode)
{
    struct job job __attribute__((cleanup(job_done))) = {
        .path = path, .fd = -1, .owns_fd = true, .data = data, .size = size, .mode = mode};
    run(&job, "write", write_whole);
    return bide_void;
}

/* ---- opened files -----------------------------------------------------------------------------
 */

bide_async(bide_file_ptr) bide_file_open(const char *path, unsigned how, unsigned mode)
{
    struct job job __attribute__((cleanup(job_done))) = {
        .path = path, .fd = -1, .owns_fd = true, .mode = mode};
    bool reads = how & BIDE_FILE_READ, writes = how & BIDE_FILE_WRITE;
    if (!reads && !writes)
        bide__misuse("open %s: neither to read nor to write", path);
    job.flags = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
    if (how & (BIDE_FILE_CREATE | BIDE_FILE_NEW))
        job.flags |= O_CREAT;
    if (how & BIDE_FILE_NEW)
        job.flags |= O_EXCL;
    if (how & BIDE_FILE_TRUNCATE)
        job.flags |= O_TRUNC;
    run(&job, "open", open_file);
    size_t length = strlen(path) + 1;
    bide_file *file = bide__alloc(sizeof *file + length);
    if (!file)
        bide__fail(bide__current->at, error_of(-ENOMEM, "open", path));
    memcpy(file->path, path, length);
    file->fd = job.fd;
    job.owns_fd = false;
    return bide_ready(bide_file_ptr, file);
}

void bide_file_close(void *file_)
{
    bide_file *file = file_;
    if (!file)
        return;
    close(file->fd);
    bide__free(file);
}

bide_async(void) bide__file_left(bide_file_ptr file, bide_error *error)
{
    (void)error;
    bide_file_close(file);
    return bide_void;
}

static struct job job_on(const bide_file *file)
{
    return (struct job){.path = file->path, .fd = file->fd};
}

static const struct bide__kind kind_file = {.noun = "file", .verb = "waits for"};

/* Does what the backend can by itself; false: the lane must do the rest. */
static bool without_lane(struct job *job, enum bide__file_op_kind kind, void *bytes)
{
    struct bide_task *me = bide__task_current();
    struct bide__io *io = me->loop->io;
    struct bide__object object = {&kind_file, job->path, me->head.at};
    struct bide__file_op op = {.kind = (uint8_t)kind, .fd = job->fd, .object = &object};
    int n;
    do {
        int code = bide__checkpoint(me);
        if (bide__unlikely(code < 0))
            bide__raise(code, &object);
        op.buffer = (char *)bytes + job->done;
        op.size = piece(job->size - job->done);
        op.offset = job->offset + (int64_t)job->done;
        n = io->ops->file(io, &op);
        if (n > 0)
            job->done += (size_t)n;
    } while ((n > 0 && job->done < job->size) || n == -EINTR);
    if (bide__unlikely(n == -EAGAIN ||
                       (n == 0 && kind == BIDE__FILE_WRITE && job->done < job->size)))
        return false;
    if (bide__unlikely(n == -ECANCELED))
        bide__raise(n, &object);
    if (!op.waited)
        bide__done_at_once(me);
    job->code = n < 0 ? n : 0;
    return true;
}

/* The same, with a function of the lane for what is left. */
static void run_on(struct job *job, enum bide__file_op_kind kind, void *bytes, const char *doing,
                   void (*function)(void *)) BIDE__TASK
{
    if (without_lane(job, kind, bytes))
        raise_failure(job, doing);
    else
        run(job, doing, function);
}

static void read_at(void *arg)
{
    struct job *job = arg;
    while (job->done < job->size && job->code == 0) {
        if (bide_offload_cancelled()) {
            job->code = -ECANCELED;
            return;
        }
        ssize_t n =
            RETRY(pread(job->fd, (char *)job->buffer + job->done, piece(job->size - job->done),
                        (off_t)(job->offset + (int64_t)job->done)));
        if (n == 0)
            return;
        if (n < 0)
            job->code = (int)n;
        else
            job->done += (size_t)n;
    }
}

bide_async(size_t) bide_file_read_at(bide_file *file, void *buffer, size_t size, int64_t offset)
{
    struct job job = job_on(file);
    job.buffer = buffer;
    job.size = size;
    job.offset = offset;
    run_on(&job, BIDE__FILE_READ, buffer, "read", read_at);
    return bide_ready(size_t, job.done);
}

static void write_at(void *arg)
{
    struct job *job = arg;
    job->code = write_all(job);
}

bide_async(void) bide_file_write_at(bide_file *file, const void *data, size_t size, int64_t offset)
{
    struct job job = job_on(file);
    job.data = data;
    job.size = size;
    job.offset = offset;
    run_on(&job, BIDE__FILE_WRITE, (void *)(uintptr_t)data, "write", write_at);
    return bide_void;
}

static void look_at_file(void *arg)
{
    struct job *job = arg;
    job->code = fstat(job->fd, &job->status) < 0 ? -errno : 0;
}

bide_async(int64_t) bide_file_size(bide_file *file)
{
    struct job job = job_on(file);
    run(&job, "look at", look_at_file);
    return bide_ready(int64_t, job.status.st_size);
}

static void resize(void *arg)
{
    struct job *job = arg;
    job->code = RETRY(ftruncate(job->fd, (off_t)job->offset));
}

bide_async(void) bide_file_resize(bide_file *file, int64_t size)
{
    struct job job = job_on(file);
    job.offset = size;
    run(&job, "resize", resize);
    return bide_void;
}

static void sync_file(void *arg)
{
    struct job *job = arg;
    job->code = RETRY(fsync(job->fd));
}

bide_async(void) bide_file_sync(bide_file *file)
{
    struct job job = job_on(file);
    run_on(&job, BIDE__FILE_SYNC, NULL, "sync", sync_file);
    return bide_void;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static enum bide_file_kind kind_of(mode_t mode)
{
    return S_ISREG(mode)   ? BIDE_KIND_FILE
           : S_ISDIR(mode) ? BIDE_KIND_FOLDER
           : S_ISLNK(mode) ? BIDE_KIND_LINK
                           : BIDE_KIND_OTHER;
}

static void look_at(void *arg)
{
    struct job *job = arg;
    int flags = job->follow ? 0 : AT_SYMLINK_NOFOLLOW;
    job->code = fstatat(AT_FDCWD, job->path, &job->status, flags) < 0 ? -errno : 0;
}

static bide_file_info info(const char *path, bool follow) BIDE__TASK
{
    struct job job = {.path = path, .follow = follow};
    run(&job, "look at", look_at);
    const struct stat *status = &job.status;
    return (bide_file_info){
        .kind = kind_of(status->st_mode),
        .size_bytes = status->st_size,
        .changed_us = status->st_mtim.tv_sec * INT64_C(1000000) + status->st_mtim.tv_nsec / 1000,
        .mode = status->st_mode & 07777,
    };
}

bide_async(bide_file_info) bide_path_info(const char *path)
{
    return bide_ready(bide_file_info, info(path, true));
}

bide_async(bide_file_info) bide_link_info(const char *path)
{
    return bide_ready(bide_file_info, info(path, false));
}

bide_async(bool) bide_path_exists(const char *path)
{
    struct job job = {.path = path, .follow = true};
    call(&job, "look at", look_at);
    bool missing = job.code == -ENOENT || job.code == -ENOTDIR;
    if (!missing)
        raise_failure(&job, "look at");
    return bide_ready(bool, !missing);
}

static void remove_path(void *arg)
{
    struct job *job = arg;
    job->code = remove(job->path) < 0 ? -errno : 0;
}

bide_async(void) bide_path_remove(const char *path)
{
    struct job job = {.path = path};
    run(&job, "remove", remove_path);
    return bide_void;
}

static void rename_path(void *arg)
{
    struct job *job = arg;
    job->code = rename(job->path, job->other) < 0 ? -errno : 0;
}

bide_async(void) bide_path_rename(const char *from, const char *to)
{
    struct job job = {.path = from, .other = to};
    run(&job, "rename", rename_path);
    return bide_void;
}

static int make_one(const char *path, unsigned mode)
{
    struct stat status;
    if (mkdir(path, mode) == 0)
        return 0;
    int code = -errno;
    if (code == -EEXIST && stat(path, &status) == 0)
        return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
    return code;
}

static void make_folder(void *arg)
{
    struct job *job = arg;
    char path[PATH_MAX];
    size_t length = strnlen(job->path, sizeof path);
    job->code = length == 0 ? -ENOENT : length == sizeof path ? -ENAMETOOLONG : 0;
    for (size_t i = 1; i <= length && job->code == 0; i++) {
        if (job->path[i] != '/' && job->path[i] != 0)
            continue;
        memcpy(path, job->path, i);
        path[i] = 0;
        job->code = make_one(path, job->mode);
    }
}

bide_async(void) bide_folder_make(const char *path, unsigned mode)
{
    struct job job = {.path = path, .mode = mode};
    run(&job, "make folder", make_folder);
    return bide_void;
}

/* Where the file system does not tell with the name, it is asked. */
static enum bide_file_kind kind_of_entry(int folder, const struct dirent *entry)
{
    struct stat status;
    switch (entry->d_type) {
    case DT_REG:
        return BIDE_KIND_FILE;
    case DT_DIR:
        return BIDE_KIND_FOLDER;
    case DT_LNK:
        return BIDE_KIND_LINK;
    case DT_UNKNOWN:
        return fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0
                   ? BIDE_KIND_OTHER
                   : kind_of(status.st_mode);
    default:
        return BIDE_KIND_OTHER;
    }
}

static void list_folder(void *arg)
{
    struct job *job = arg;
    DIR *folder = opendir(job->path);
    job->code = folder ? 0 : -errno;
    while (job->code == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            job->code = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char kind = (char)kind_of_entry(dirfd(folder), entry);
        job->done++;
        if (bide_buf_append_char(&job->names, kind) < 0 ||
            bide_buf_append(&job->names, entry->d_name, strlen(entry->d_name) + 1) < 0)
            job->code = bide_buf_error(&job->names);
        else if (bide_offload_cancelled())
            job->code = -ECANCELED;
    }
    if (folder)
        closedir(folder);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const bide_folder_entry *)a)->name, ((const bide_folder_entry *)b)->name);
}

bide_async(bide_folder) bide_folder_list(const char *path)
{
    struct job job __attribute__((cleanup(job_done))) = {.path = path, .fd = -1};
    bide_buf_init(&job.names, BIDE_CAP_FOLDER_BYTES);
    run(&job, "list", list_folder);
    bide_arena *arena = bide_task_arena();
    size_t size = bide_buf_length(&job.names);
    char *names = arena ? bide_arena_alloc(arena, size + 1) : NULL;
    bide_folder_entry *entries =
        names ? bide_arena_alloc(arena, (job.done + 1) * sizeof *entries) : NULL;
    if (!entries)
        bide__fail(bide__current->at, error_of(-ENOMEM, "list", path));
    memcpy(names, bide_buf_str(&job.names), size);
    for (size_t i = 0; i < job.done; i++) {
        entries[i] = (bide_folder_entry){.name = names + 1, .kind = (enum bide_file_kind)names[0]};
        names += strlen(names + 1) + 2;
    }
    qsort(entries, job.done, sizeof *entries, by_name);
    return bide_ready(bide_folder, {job.done, entries});
}
