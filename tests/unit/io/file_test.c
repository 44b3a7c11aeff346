/*
 * file_test.c: files and directories: whole and in pieces, atomic replacement, a file that shrinks,
 * limits, errors, cancels, nothing left behind.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char folder[64];

static void remove_folder(void *unused)
{
    (void)unused;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    check_int(system(command), 0);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/bide-file-test-XXXXXX");
    require(mkdtemp(folder));
}

/* "FOLDER/name", valid until the fourth next call. */
static const char *in(const char *name)
{
    static char paths[4][160];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *own = opendir("/proc/self/fd");
    while (readdir(own))
        count++;
    closedir(own);
    return count;
}

static size_t entries_left(void)
{
    size_t count = 0;
    DIR *all = opendir(folder);
    while (readdir(all))
        count++;
    closedir(all);
    return count - 2;
}

static async(bool) same(const char *path, const char *text)
{
    bide_buf buf __attribute__((cleanup(bide_buf_done)));
    bide_buf_init(&buf, 1 << 16);
    await(bide_file_read(path, &buf));
    return ready(bool, strcmp(bide_buf_str(&buf), text) == 0);
}

TEST(a_whole_file_there_and_back)
{
    make_folder();
    defer(remove_folder, NULL);
    await(bide_file_write(in("a"), "one two", 7, 0));
    check(await(same(in("a"), "one two")));
    bide_file_info info = await(bide_path_info(in("a")));
    check_int(info.kind, BIDE_KIND_FILE);
    check_int(info.size_bytes, 7);
    check_int(info.mode, 0644);
    check(llabs(info.changed_us - bide_now_us()) < 600000000);
    check_int(chmod(in("a"), 0600), 0);
    await(bide_file_write(in("a"), "three", 5, 0));
    check(await(same(in("a"), "three")));
    check_int(await(bide_path_info(in("a"))).mode, 0600); /* as it was */
    await(bide_file_write(in("a"), "", 0, 0640));
    check(await(same(in("a"), "")));
    check_int(await(bide_path_info(in("a"))).mode, 0640);
    check_int(entries_left(), 1);
}

TEST(many_bytes)
{
    enum { BYTES = 5 * 1000 * 1000 };
    make_folder();
    defer(remove_folder, NULL);
    char *data = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7919 >> 3);
    await(bide_file_write(in("big"), data, BYTES, 0));
    bide_buf buf;
    bide_buf_init(&buf, BYTES + 3);
    check_int(bide_buf_append_str(&buf, "..."), 0);
    await(bide_file_read(in("big"), &buf));
    check_int(bide_buf_length(&buf), BYTES + 3);
    check_mem(bide_buf_str(&buf) + 3, data, BYTES);
    bide_buf_done(&buf);
    free(data);
}

TEST(a_file_without_a_size_is_read_to_its_end)
{
    bide_buf buf;
    bide_buf_init(&buf, 1 << 20);
    await(bide_file_read("/proc/self/status", &buf));
    check_contains(bide_buf_str(&buf), "VmRSS");
    bide_buf_done(&buf);
}

TEST(a_buffer_bounds_it)
{
    bide_buf buf;
    bide_error *error;
    make_folder();
    defer(remove_folder, NULL);
    await(bide_file_write(in("a"), "0123456789", 10, 0));
    for (size_t cap = 9; cap <= 11; cap++) {
        bide_buf_init(&buf, cap);
        attempt(&error, bide_file_read, in("a"), &buf);
        check_int(error ? error->code : 0, cap < 10 ? BIDE_LIMIT : 0);
        check_int(bide_buf_length(&buf), cap < 10 ? 0 : 10);
        bide_buf_done(&buf);
    }
    bide_buf_init(&buf, 12);
    check_int(bide_buf_append_str(&buf, "abc"), 0);
    attempt(&error, bide_file_read, in("a"), &buf);
    check_int(error ? error->code : 0, BIDE_LIMIT);
    check_str(bide_buf_str(&buf), "abc"); /* as before */
    bide_buf_done(&buf);
    bide_buf_init(&buf, 64);
    attempt(&error, bide_file_read, "/proc/self/status", &buf);
    check_int(error ? error->code : 0, BIDE_LIMIT);
    bide_buf_done(&buf);
}

/* Cuts the file again and again while others read it. */
static async(void) cut(const char *path, const bool *stop)
{
    static char data[3 << 20];
    while (!*stop) {
        with(bide_opened_file, file, path, BIDE_FILE_WRITE, 0) {
            await(bide_file_write_at(file, data, sizeof data, 0));
            await(bide_file_resize(file, 10));
        }
    }
    return bide_void;
}
SPAWNABLE(void, cut, const char *, const bool *)

TEST(a_file_that_shrinks_while_it_is_read, .real_clock = true, .timeout_ms = 30000)
{
    make_folder();
    defer(remove_folder, NULL);
    bool stop = false;
    char path[160];
    snprintf(path, sizeof path, "%s", in("shrinks"));
    await(bide_file_write(path, "x", 1, 0));
    size_t before = open_descriptors();
    int seen = 0;
    with_group(g) {
        spawn_void(g, cut, path, &stop);
        for (int i = 0; i < 4000 && seen < 3; i++) {
            bide_buf buf;
            bide_error *error;
            bide_buf_init(&buf, 4 << 20);
            attempt(&error, bide_file_read, path, &buf);
            if (error) {
                check_int(error->code, BIDE_CLOSED);
                check_contains(error->message, "became shorter meanwhile");
                check_contains(error->message, path);
                check_int(bide_buf_length(&buf), 0);
                seen++;
            }
            bide_buf_done(&buf);
        }
        stop = true;
    }
    check(seen > 0);
    check_int(open_descriptors(), before);
}

TEST(a_file_of_sysfs_is_shorter_than_its_size)
{
    bide_buf buf;
    if (access("/sys/class/net/lo/mtu", R_OK))
        test_skip("no sysfs");
    bide_buf_init(&buf, 4096);
    await(bide_file_read("/sys/class/net/lo/mtu", &buf));
    check(strtol(bide_buf_str(&buf), NULL, 10) > 0);
    check(bide_buf_length(&buf) < 20);
    bide_buf_done(&buf);
}

static mode_t modes_before; /* of what was made, when its permissions were set: all together */

/* The library's calls come here. */
int fchmod(int fd, mode_t mode)
{
    struct stat status;
    if (fstat(fd, &status) == 0)
        modes_before |= status.st_mode & 0777;
    return (int)syscall(SYS_fchmod, fd, mode);
}

TEST(nobody_else_reads_what_is_not_for_them)
{
    make_folder();
    defer(remove_folder, NULL);
    modes_before = 0;
    await(bide_file_write(in("secret"), "text", 4, 0600));
    check_int(modes_before, 0600);
    await(bide_file_write(in("secret"), "other", 5, 0));
    check_int(modes_before, 0600);
    check_int(await(bide_path_info(in("secret"))).mode, 0600);
    await(bide_file_write(in("secret"), "x", 1, 0444));
    check_int(modes_before, 0600);
    check_int(await(bide_path_info(in("secret"))).mode, 0444);
    mode_t umask_before = umask(027);
    await(bide_file_write(in("new"), "x", 1, 0));
    await(bide_file_write(in("said"), "x", 1, 0666));
    umask(umask_before);
    check_int(await(bide_path_info(in("new"))).mode, 0640);
    check_int(await(bide_path_info(in("said"))).mode, 0666);
}

static void give_back(void *unused)
{
    (void)unused;
    if (getuid() == 0)
        check_int(seteuid(0), 0);
    check_int(chmod(folder, 0700), 0);
}

/* Also as the system's user, whom no permissions stop: as somebody else then. */
TEST(a_folder_that_may_be_written_but_not_read)
{
    make_folder();
    defer(remove_folder, NULL);
    if (getuid() == 0)
        check_int(chown(folder, 65534, (gid_t)-1), 0);
    check_int(chmod(folder, 0300), 0);
    defer(give_back, NULL);
    if (getuid() == 0)
        check_int(seteuid(65534), 0);
    await(bide_file_write(in("a"), "text", 4, 0));
    await(bide_file_write(in("a"), "more", 4, 0));
    check(await(same(in("a"), "more")));
}

/* Each of these would wait for somebody at the other end. */
TEST(streams_are_no_files)
{
    bide_buf buf;
    bide_error *error;
    make_folder();
    defer(remove_folder, NULL);
    check_int(mkfifo(in("pipe"), 0600), 0);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    require(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const char *streams[] = {in("pipe"), ptsname(terminal)};
    size_t before = open_descriptors();
    bide_buf_init(&buf, 64);
    for (size_t i = 0; i < 2; i++) {
        attempt(&error, bide_file_read, streams[i], &buf);
        require(error);
        check_int(error->code, BIDE_INVALID);
        check_contains(error->message, "it is a stream");
        for (unsigned how = BIDE_FILE_READ; how <= (BIDE_FILE_READ | BIDE_FILE_WRITE); how++) {
            (void)attempt(&error, bide_file_open, streams[i], how, 0);
            check_int(error ? error->code : 0, BIDE_INVALID);
        }
    }
    check_int(open_descriptors(), before);
    close(terminal);
    await(bide_file_read("/dev/null", &buf));
    check_int(bide_buf_length(&buf), 0);
    attempt(&error, bide_file_read, "/dev/zero", &buf);
    check_int(error ? error->code : 0, BIDE_LIMIT);
    bide_buf_done(&buf);
}

TEST(positions)
{
    char text[16] = {0};
    make_folder();
    defer(remove_folder, NULL);
    with(bide_opened_file, file, in("p"), BIDE_FILE_READ | BIDE_FILE_WRITE | BIDE_FILE_NEW, 0600) {
        await(bide_file_write_at(file, "hello", 5, 3));
        check_int(await(bide_file_size(file)), 8);
        check_int(await(bide_file_read_at(file, text, 16, 0)), 8);
        check_mem(text, "\0\0\0hello", 8);
        check_int(await(bide_file_read_at(file, text, 2, 4)), 2);
        check_mem(text, "el", 2);
        check_int(await(bide_file_read_at(file, text, 2, 8)), 0);
        check_int(await(bide_file_read_at(file, text, 2, 100)), 0);
        await(bide_file_resize(file, 4));
        check_int(await(bide_file_read_at(file, text, 16, 0)), 4);
        await(bide_file_sync(file));
    }
    bide_error *error;
    (void)attempt(&error, bide_file_open, in("p"), BIDE_FILE_WRITE | BIDE_FILE_NEW, 0600);
    require(error);
    check_int(error->system_errno, EEXIST);
    with(bide_opened_file, file, in("p"), BIDE_FILE_READ | BIDE_FILE_WRITE | BIDE_FILE_TRUNCATE,
         0) {
        check_int(await(bide_file_size(file)), 0);
        (void)attempt(&error, bide_file_read_at, file, text, 1, -1);
        check_int(error ? error->system_errno : 0, EINVAL);
    }
}

TEST(positions_of_what_has_no_size)
{
    char first[40] = {0}, parts[2][20];
    with(bide_opened_file, file, "/proc/self/status", BIDE_FILE_READ, 0) {
        check_int(await(bide_file_read_at(file, first, sizeof first, 0)), sizeof first);
        for (int i = 0; i < 2; i++)
            check_int(await(bide_file_read_at(file, parts[i], 20, 20 * i)), 20);
        check_mem(first, "Name:", 5);
        check_mem(first, parts, sizeof first);
    }
}

TEST(much_at_a_position)
{
    enum { BYTES = 3000 * 1000, AT = 4321 };
    make_folder();
    defer(remove_folder, NULL);
    char *data = malloc(BYTES), *back = calloc(1, BYTES + 1);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7919 >> 3);
    with(bide_opened_file, file, in("m"), BIDE_FILE_READ | BIDE_FILE_WRITE | BIDE_FILE_NEW, 0600) {
        await(bide_file_write_at(file, data, BYTES, AT));
        check_int(await(bide_file_size(file)), AT + BYTES);
        check_int(await(bide_file_read_at(file, back, BYTES + 1, AT)), BYTES);
        check(memcmp(data, back, BYTES) == 0);
        check_int(await(bide_file_read_at(file, back, BYTES, AT + BYTES - 10)), 10);
        check(memcmp(data + BYTES - 10, back, 10) == 0);
    }
    free(data);
    free(back);
}

TEST(what_may_not_be_read_or_written)
{
    bide_error *error;
    char text[4];
    make_folder();
    defer(remove_folder, NULL);
    with(bide_opened_file, file, in("w"), BIDE_FILE_WRITE | BIDE_FILE_NEW, 0600) {
        (void)attempt(&error, bide_file_read_at, file, text, sizeof text, 0);
        check_int(error ? error->system_errno : 0, EBADF);
    }
    with(bide_opened_file, file, in("w"), BIDE_FILE_READ, 0) {
        attempt(&error, bide_file_write_at, file, "text", 4, 0);
        check_int(error ? error->system_errno : 0, EBADF);
        check_contains(error->message, "write /tmp/");
    }
}

/* Whatever the await met, the buffer is the caller's again when it has returned. */
TEST(a_cancelled_read_leaves_its_buffer_alone, .real_clock = true)
{
    enum { BYTES = 1 << 20, ROUNDS = 20 };
    make_folder();
    defer(remove_folder, NULL);
    char *data = calloc(1, BYTES), *expected = malloc(BYTES);
    memset(expected, 'x', BYTES);
    await(bide_file_write(in("r"), data, BYTES, 0));
    with(bide_opened_file, file, in("r"), BIDE_FILE_READ, 0) {
        for (int round = 0; round < ROUNDS; round++) {
            with_group(g) {
                task(size_t) reading = spawn(g, bide_file_read_at, file, (void *)data, BYTES, 0);
                for (int i = 0; i < round % 5; i++)
                    await(bide_yield());
                bide_cancel(reading, "the test");
            }
            memset(data, 'x', BYTES);
            await(bide_sleep(bide_us(200)));
            check(memcmp(data, expected, BYTES) == 0);
        }
    }
    free(data);
    free(expected);
}

TEST(names)
{
    bide_error *error;
    make_folder();
    defer(remove_folder, NULL);
    await(bide_folder_make(in("x/y/z"), 0755));
    await(bide_folder_make(in("x/y/z/"), 0755));
    await(bide_file_write(in("x/b"), "b", 1, 0));
    await(bide_file_write(in("x/a b"), "a", 1, 0));
    check_int(symlink("b", in("x/c")), 0);
    check_int(mkfifo(in("x/pipe"), 0600), 0);
    bide_folder all = await(bide_folder_list(in("x")));
    static const char *const expected[] = {"a b", "b", "c", "pipe", "y"};
    static const enum bide_file_kind kinds[] = {BIDE_KIND_FILE, BIDE_KIND_FILE, BIDE_KIND_LINK,
                                                BIDE_KIND_OTHER, BIDE_KIND_FOLDER};
    require(all.count == 5);
    for (size_t i = 0; i < 5; i++) {
        check_str(all.entries[i].name, expected[i]);
        check_int(all.entries[i].kind, kinds[i]);
    }
    check_int(await(bide_folder_list(in("x/y/z"))).count, 0);
    check_int(await(bide_link_info(in("x/c"))).kind, BIDE_KIND_LINK);
    check_int(await(bide_path_info(in("x/c"))).kind, BIDE_KIND_FILE);
    check(await(bide_path_exists(in("x/b"))));
    await(bide_path_rename(in("x/b"), in("x/a b")));
    check(!await(bide_path_exists(in("x/b"))));
    check(!await(bide_path_exists(in("x/a b/beneath a file"))));
    check(await(same(in("x/a b"), "b")));
    attempt(&error, bide_path_remove, in("x"));
    check_int(error ? error->system_errno : 0, ENOTEMPTY);
    await(bide_path_remove(in("x/y/z")));
    await(bide_path_remove(in("x/c")));
    attempt(&error, bide_folder_make, in("x/a b"), 0755);
    check_int(error ? error->system_errno : 0, ENOTDIR);
}

TEST(what_is_not_there_is_named)
{
    bide_buf buf;
    bide_error *error;
    bide_buf_init(&buf, 10);
    attempt(&error, bide_file_read, "/nowhere/at/all", &buf);
    require(error);
    check_int(error->code, BIDE_NOT_FOUND);
    check_str(error->message, "read /nowhere/at/all: it is not there");
    attempt(&error, bide_file_write, "/nowhere/at/all", "", 0, 0);
    check_int(error ? error->code : 0, BIDE_NOT_FOUND);
    attempt(&error, bide_path_remove, "/nowhere");
    check_int(error ? error->code : 0, BIDE_NOT_FOUND);
    (void)attempt(&error, bide_folder_list, "/nowhere");
    check_int(error ? error->code : 0, BIDE_NOT_FOUND);
    (void)attempt(&error, bide_path_info, "/nowhere");
    check_int(error ? error->code : 0, BIDE_NOT_FOUND);
    attempt(&error, bide_file_read, "/", &buf);
    check_int(error ? error->system_errno : 0, EISDIR);
    bide_buf_done(&buf);
}

TEST(cancels_leave_nothing_behind, .cancel_everywhere = true)
{
    make_folder();
    defer(remove_folder, NULL);
    char text[4];
    await(bide_file_write(in("a"), "text", 4, 0));
    with(bide_opened_file, file, in("a"), BIDE_FILE_READ, 0) {
        check_int(await(bide_file_read_at(file, text, 4, 0)), 4);
    }
    with(bide_opened_file, file, in("a"), BIDE_FILE_WRITE, 0) {
        await(bide_file_write_at(file, "longer than sixteen bytes", 25, 0));
        await(bide_file_sync(file));
    }
    check_int(await(bide_folder_list(folder)).count, 1);
    check_int(entries_left(), 1);
}

static async(void) use_files(void)
{
    await(bide_file_write(in("a"), "text", 4, 0));
    check(await(same(in("a"), "text")));
    check_int(await(bide_folder_list(folder)).count, 1);
    with(bide_opened_file, file, in("a"), BIDE_FILE_READ, 0) {
        check_int(await(bide_file_size(file)), 4);
        char text[4];
        check_int(await(bide_file_read_at(file, text, 4, 0)), 4);
    }
    return bide_void;
}
SPAWNABLE(void, use_files)

TEST(without_memory, .fail_allocations = true)
{
    bide_error *error;
    make_folder();
    defer(remove_folder, NULL);
    attempt(&error, use_files);
    if (error && error->code != BIDE_LIMIT) /* the lane had no thread yet */
        fail(error);
}
