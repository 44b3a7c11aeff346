/*
 * Reading a file below a folder, and nowhere else. These functions block: they run on the blocking
 * lane (files.c). They know nothing of tasks or requests.
 *
 * Invariants
 *  1. What is read lies below the folder, whatever symbolic links and renames there are: the kernel
 *     holds that (openat2(2), RESOLVE_BENEATH); where it has no openat2 (Linux before 5.6, some
 *     sandboxes), each step is opened by itself and no symbolic link is followed at all.
 *  2. Only regular files are read; opening one of another kind neither blocks nor does anything.
 */
#ifndef BIDE_WEB_FOLDER_H
#define BIDE_WEB_FOLDER_H

#include "http/condition.h"

#include <bide/buf.h>

/* Which content a file has: another content has another stamp, unless it was written in place,
 * with the same size, within the clock tick of the file system (4 ms at most). */
struct bide__file_stamp {
    int64_t modified_ns;
    uint64_t size, inode;
};

enum { BIDE__FILE_TAG_BYTES = 64 };

/* The stamp as a strong entity tag, with its quotes. */
void bide__file_tag(const struct bide__file_stamp *stamp, char tag[BIDE__FILE_TAG_BYTES]);

bool bide__file_stamp_equal(const struct bide__file_stamp *a, const struct bide__file_stamp *b);

/* One reading: what is asked for, then what was found. */
struct bide__file_reading {
    int folder;       /* a descriptor, O_PATH; -1: the path is anywhere */
    const char *path; /* below a folder relative, and with a `..` no file: a peer may choose it */
    bool gzip;        /* path.gz in its place, if that is there and no older */
    const struct bide__http_condition *condition; /* if it says 304 or 412, nothing is read */
    const struct bide__file_stamp *known;         /* what the caller has already, or NULL */
    int64_t now_s;

    struct bide__file_stamp stamp;
    bool is_folder;   /* then there is nothing else */
    bool zipped;      /* it was path.gz */
    bool is_known;    /* it is what the caller has */
    int precondition; /* 304, 412: what the condition says in place of the content; or 0 */
    int fd;           /* it is larger than `out` may be: the caller closes this; or -1 */
    bide_buf out;     /* the content, unless one of the above; initialised by the caller */
};

/* A folder to read from: a descriptor, or a negative code. */
int bide__folder_open(const char *path);

/* 0; -ENOENT: there is nothing to be read, or not for us; another negative code: the system is at
 * fault. */
int bide__file_read(struct bide__file_reading *reading);

/* Tests: as if the kernel had no openat2. */
extern bool bide__folder_walks;

#endif
