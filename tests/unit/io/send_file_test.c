/*
 * From a file to a socket: who does it.
 */
#include "net_case.h"

#include "io/send_file.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static async(void) note(bool *noted);
SPAWNABLE(void, note, bool *)
static async(void) note(bool *noted)
{
    *noted = true;
    return bide_void;
}

struct files {
    struct bide__fd to;
    int from, file;
};

/* A file of ten bytes, and a connection. */
static struct files open_files(void)
{
    char path[] = "/tmp/bide_send_file_XXXXXX";
    int ends[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    struct files files = {.to.fd = ends[1], .from = ends[0], .file = mkstemp(path)};
    require(files.file >= 0);
    unlink(path);
    check_int(write(files.file, "0123456789", 10), 10);
    return files;
}

static void close_files(const struct files *files)
{
    close(files->to.fd);
    close(files->from);
    close(files->file);
}

/* Whether the loop did it: no other task ran meanwhile. */
static async(bool) is_sent_at_once(const struct files *files, uint64_t at, int64_t expected)
{
    bool noted = false, at_once = false;
    with_group(g) {
        spawn_void(g, note, &noted);
        check_int(bide__send_file(&files->to, files->file, at, 8), expected);
        at_once = !noted;
    }
    return ready(bool, at_once);
}

TEST(what_is_in_memory_is_sent_by_the_loop, .real_clock = true)
{
    char text[8];
    struct iovec part = {text, sizeof text};
    struct files files = open_files();
    if (preadv2(files.file, &part, 1, 0, RWF_NOWAIT) < 8)
        test_skip("no such reading on this file system");
    check(await(is_sent_at_once(&files, 1, 8)));
    check_int(recv(files.from, text, sizeof text, 0), 8);
    check_mem(text, "12345678", 8);
    close_files(&files);
}

/* Linux 5.9 and 5.10 say 0 for it. */
TEST(what_is_not_in_memory_is_sent_by_the_lane, .real_clock = true)
{
    char text[8];
    struct files files = open_files();
    forbid(SYS_preadv2, 0);
    check(!await(is_sent_at_once(&files, 1, 8)));
    check_int(recv(files.from, text, sizeof text, 0), 8);
    check_mem(text, "12345678", 8);
    check(!await(is_sent_at_once(&files, 10, 0)));
    close_files(&files);
}
