/*
 * file.h: files and directories, without stopping the loop.
 *
 *     bide_buf text;
 *     bide_buf_init(&text, 1 << 20);
 *     await(bide_file_read("settings.json", &text));
 *     await(bide_file_write("settings.json", data, size, 0));      // whole or not at all
 *
 *     with(bide_opened_file, file, "data.bin", BIDE_FILE_READ, 0) {
 *         size_t n = await(bide_file_read_at(file, block, sizeof block, 4096 * number));
 *     }
 *
 * The system has no way to wait for a disk as for a socket, so calls run on the blocking lane
 * (offload.h) and cost some tens of microseconds beside what they do, with two exceptions. On
 * io_uring, reading, writing and syncing an opened file are requests of the ring. On epoll, reading
 * at most 64 KiB that are in memory already is a plain system call. What a cancel meets before its
 * turn is not done; once it runs it is done to its end (a long read or write: to the end of its
 * piece), or breaks off, and the await raises then: until it returns the buffer is in use.
 *
 * Errors name the operation and the path: BIDE_NOT_FOUND (ENOENT), BIDE_NO_MEMORY, BIDE_LIMIT (the
 * buffer's cap), BIDE_CLOSED (a file that became shorter while it was read), else BIDE_SYSTEM with
 * the errno. What is no file but a stream (a pipe, a socket, a terminal) is BIDE_INVALID, at once:
 * it would keep a thread until somebody at its other end does something; net.h and process.h have
 * such. Devices like /dev/null and /dev/urandom are read as files. Buffers and texts belong to the
 * caller and stay until the call returns.
 *
 * Sources: open(2), pread(2), rename(2), fsync(2), readdir(3).
 *
 * layer: io
 */
#ifndef BIDE_FILE_H
#define BIDE_FILE_H

#include <bide/buf.h>
#include <bide/resource.h>
#include <bide/task.h>

typedef struct bide_file bide_file;
typedef bide_file *bide_file_ptr;
AWAITABLE(bide_file_ptr);

enum bide_file_kind { BIDE_KIND_FILE, BIDE_KIND_FOLDER, BIDE_KIND_LINK, BIDE_KIND_OTHER };

typedef struct bide_file_info {
    enum bide_file_kind kind;
    int64_t size_bytes;
    int64_t changed_us; /* when its bytes last changed: microseconds since 1970, as bide_now_us */
    unsigned mode;      /* permissions: 0644 */
} bide_file_info;
AWAITABLE(bide_file_info);

/* Reads a whole file to the end of `buf`, whose cap bounds it: BIDE_LIMIT, also for a device that
   has no end. It is read in pieces: of
   a file that grows meanwhile as much as there is at the end; one that became shorter than it was
   at the start is BIDE_CLOSED, and `buf` is as before. */
bide_async(void) bide_file_read(const char *path, bide_buf *buf);

/*
 * Makes these `size` bytes the contents of a file, whole or not at all, also when the machine stops
 * in the middle: writes and syncs a new file beside it, which then takes its name. `mode`:
 * permissions; 0: those of the file that was there, or 0644 less the umask. Before it is whole
 * nobody else may read more of it than then. A symbolic link is replaced, not followed. On an error
 * nothing is left behind, and the file is as before; only when the folder cannot be synced at the
 * end it is replaced already. In a folder that may be written but not read, the new name is not
 * synced: after a crash of the machine the file may be as before.
 */
bide_async(void) bide_file_write(const char *path, const void *data, size_t size, unsigned mode);

/* How to open, together by |. */
enum {
    BIDE_FILE_READ = 1,
    BIDE_FILE_WRITE = 2,
    BIDE_FILE_CREATE = 4,    /* if it is not there, with `mode` less the umask */
    BIDE_FILE_NEW = 8,       /* and fail with EEXIST if it is */
    BIDE_FILE_TRUNCATE = 16, /* drop what it holds */
};

/* Opens a file; of any loop's tasks, which may use it at the same time. Closed by bide_file_close,
   or by a block: with(bide_opened_file, file, path, how, mode). */
bide_async(bide_file_ptr) bide_file_open(const char *path, unsigned how, unsigned mode);

/* For `defer` too. NULL is allowed. Never suspends, never fails: what must be on the disk is synced
   before. Nobody may be inside. */
void bide_file_close(void *file);

/* Reads up to `size` bytes from `offset` on; fewer only where the file ends: 0 at or after its end.
 */
bide_async(size_t) bide_file_read_at(bide_file *file, void *buffer, size_t size, int64_t offset);

/* Writes all `size` bytes at `offset`. After an error, a part of them may be there. */
bide_async(void) bide_file_write_at(bide_file *file, const void *data, size_t size, int64_t offset);

/* How long it is; makes it so long: cut, or filled up with zeros. */
bide_async(int64_t) bide_file_size(bide_file *file);
bide_async(void) bide_file_resize(bide_file *file, int64_t size);

/* Waits until what was written is on the disk. */
bide_async(void) bide_file_sync(bide_file *file);

/* What is there under a name. `bide_path_info` follows a symbolic link, the other one tells of the
   link itself. BIDE_NOT_FOUND. */
bide_async(bide_file_info) bide_path_info(const char *path);
bide_async(bide_file_info) bide_link_info(const char *path);

/* Whether something is there, without an error if not. */
bide_async(bool) bide_path_exists(const char *path);

/* Removes a file, a link, or an empty folder; gives another name (what had that one is replaced).
 */
bide_async(void) bide_path_remove(const char *path);
bide_async(void) bide_path_rename(const char *from, const char *to);

/* Makes a folder with these permissions (less the umask), and those around it that are missing. One
   that is there already is no error. */
bide_async(void) bide_folder_make(const char *path, unsigned mode);

typedef struct bide_folder_entry {
    const char *name;
    enum bide_file_kind kind;
} bide_folder_entry;
typedef struct bide_folder {
    size_t count;
    const bide_folder_entry *entries; /* sorted by name, byte by byte; without "." and ".." */
} bide_folder;
AWAITABLE(bide_folder);

/* What a folder holds, in the task's arena (bide_task_arena). At most BIDE_CAP_FOLDER_BYTES of
   names: BIDE_LIMIT. */
bide_async(bide_folder) bide_folder_list(const char *path);

bide_async(void) bide__file_left(bide_file_ptr file, bide_error *error);
RESOURCE(bide_opened_file, bide_file_ptr, bide_file_open, bide__file_left)

SPAWNABLE(void, bide_file_read, const char *, bide_buf *)
SPAWNABLE(void, bide_file_write, const char *, const void *, size_t, unsigned)
SPAWNABLE(bide_file_ptr, bide_file_open, const char *, unsigned, unsigned)
SPAWNABLE(size_t, bide_file_read_at, bide_file *, void *, size_t, int64_t)
SPAWNABLE(void, bide_file_write_at, bide_file *, const void *, size_t, int64_t)
SPAWNABLE(int64_t, bide_file_size, bide_file *)
SPAWNABLE(void, bide_file_resize, bide_file *, int64_t)
SPAWNABLE(void, bide_file_sync, bide_file *)
SPAWNABLE(bide_file_info, bide_path_info, const char *)
SPAWNABLE(bide_file_info, bide_link_info, const char *)
SPAWNABLE(void, bide_path_remove, const char *)
SPAWNABLE(void, bide_path_rename, const char *, const char *)
SPAWNABLE(void, bide_folder_make, const char *, unsigned)
SPAWNABLE(bide_folder, bide_folder_list, const char *)

#endif
