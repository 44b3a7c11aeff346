/* Ranges of files, from memory and from where they are; files that change, and peers that leave,
   while they are sent. */
#include "socket_case.h"

#include "base/caps.h"
#include "web/folder.h"

#include <bide/middleware.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder with a small file, kept in memory, and a large one, which is not ---- */

enum { SMALL = 1000, LARGE = 3 * BIDE_CAP_FILE_BYTES + 17 };

static char root[] = "/tmp/bide_content_XXXXXX";

static const char *at(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static char letter(long long offset)
{
    return (char)('a' + offset % 26);
}

static void make_file(const char *name, size_t size)
{
    FILE *file = fopen(at(name), "w");
    require(file);
    for (size_t i = 0; i < size; i++)
        putc(letter((long long)i), file);
    fclose(file);
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", root);
}

GET(own_route, "/chosen", file, query(str, name), query(str, as, optional),
    query(bool, shown, optional))
{
    return (bide_sent_file){.path = name, .below = root, .name = as, .shown = shown};
}
GET(anywhere, "/anywhere", file, query(bool, none, optional))
{
    bide_set_header(req, "Content-Type", "text/x-own");
    bide_set_header(req, "ETag", "\"mine\"");
    return (bide_sent_file){.path = none ? NULL : at("small.txt")};
}
GET(no_folder, "/no-folder", file)
{
    return (bide_sent_file){.path = "small.txt", .below = "no-such-folder"};
}

GET(said, "/said", file, query(str, name), query(str, tag, optional), query(str, date, optional))
{
    if (tag)
        bide_set_header(req, "ETag", tag);
    if (date)
        bide_set_header(req, "Last-Modified", date);
    return (bide_sent_file){.path = name, .below = root};
}

static bide_app *make_app(void)
{
    require(mkdtemp(root));
    atexit(remove_folder);
    make_file("small.txt", SMALL);
    make_file("large.txt", LARGE);
    make_file("empty.txt", 0);
    bide_app *app = bide_app_new(.title = "content");
    bide_app_files(app, "/f", root);
    bide_app_add_all(app, "");
    return app;
}

static bool is_right(const char *bytes, size_t length, long long first)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != letter(first + (long long)i))
            return false;
    return true;
}

/* ---- ranges ---- */

static void check_ranges_of(bide_client *c, const char *target, long long size) BIDE__TASK;
static void check_ranges_of(bide_client *c, const char *target, long long size)
{
    char text[128];
    reply r = await(client_get(c, target));
    const char *tag = reply_header(r, "ETag"), *date = reply_header(r, "Last-Modified");
    check_int(r.status, 200);
    check_int(r.length, size);
    check(is_right(r.body, r.length, 0));
    check_str(reply_header(r, "Accept-Ranges"), "bytes");
    check_str(reply_header(r, "Content-Range"), NULL);
    client_header(c, "Range", "bytes=7-16");
    for (int i = 0; i < 2; i++) {
        r = await(client_get(c, target));
        check_int(r.status, 206);
        check_int(r.length, 10);
        check(is_right(r.body, r.length, 7));
        snprintf(text, sizeof text, "bytes 7-16/%lld", size);
        check_str(reply_header(r, "Content-Range"), text);
        check_str(reply_header(r, "Content-Type"), "text/plain; charset=utf-8");
        check_str(reply_header(r, "ETag"), tag);
        client_header(c, "If-Range", i ? date : tag);
    }
    client_header(c, "If-Range", "\"other\"");
    r = await(client_get(c, target));
    check_int(r.status, 200);
    check_int(r.length, size);
    client_header(c, "If-Range", NULL);
    check_int(await(client_send(c, "HEAD", target, no_body)).status, 200);
    client_header(c, "If-None-Match", tag);
    check_int(await(client_get(c, target)).status, 304);
    client_header(c, "If-None-Match", NULL);
    client_header(c, "If-Match", "\"other\"");
    r = await(client_get(c, target));
    check_int(r.status, 412);
    check_str(r.body, "{\"detail\":\"Precondition Failed\"}");
    client_header(c, "If-Match", NULL);
    client_header(c, "Range", "bytes=99999999-");
    r = await(client_get(c, target));
    check_int(r.status, 416);
    snprintf(text, sizeof text, "bytes */%lld", size);
    check_str(reply_header(r, "Content-Range"), text);
    client_header(c, "Range", NULL);
}

static void check_parts_of(bide_client *c, const char *target, long long size) BIDE__TASK;
static void check_parts_of(bide_client *c, const char *target, long long size)
{
    char expected[1024], boundary[64];
    client_header(c, "Range", "bytes=-3, 26-28, 0-1");
    reply r = await(client_get(c, target));
    const char *type = reply_header(r, "Content-Type");
    client_header(c, "Range", NULL);
    check_int(r.status, 206);
    check_str(reply_header(r, "Content-Range"), NULL);
    require(sscanf(type, "multipart/byteranges; boundary=%40s", boundary) == 1);
    snprintf(expected, sizeof expected,
             "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Range: bytes %lld-%lld/%lld\r\n\r\n%c%c%c"
             "\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Range: bytes 26-28/%lld\r\n\r\nabc"
             "\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Range: bytes 0-1/%lld\r\n\r\nab\r\n--%s--\r\n",
             boundary, size - 3, size - 1, size, letter(size - 3), letter(size - 2),
             letter(size - 1), boundary, size, boundary, size, boundary);
    check_str(r.body, expected);
}

TEST(ranges_of_files)
{
    with_client(c, make_app()) {
        check_ranges_of(c, "/f/small.txt", SMALL);
        check_parts_of(c, "/f/small.txt", SMALL);
        check_ranges_of(c, "/f/large.txt", LARGE);
        check_parts_of(c, "/f/large.txt", LARGE);
        check_ranges_of(c, "/chosen?name=large.txt", LARGE);
        check_ranges_of(c, "/chosen?name=small.txt", SMALL);
        client_header(c, "Range", "bytes=0-");
        reply r = await(client_get(c, "/f/empty.txt"));
        check_int(r.status, 200);
        check_int(r.length, 0);
    }
}

TEST(compressed_replies_have_no_ranges)
{
    bide_app *app = make_app();
    bide_app_use(app, bide_gzip, NULL);
    with_client(c, app) {
        client_header(c, "Accept-Encoding", "gzip");
        reply r = await(client_get(c, "/f/small.txt"));
        check_str(reply_header(r, "Content-Encoding"), "gzip");
        check_str(reply_header(r, "Accept-Ranges"), "none");
        client_header(c, "Range", "bytes=0-700");
        r = await(client_get(c, "/f/small.txt"));
        check_int(r.status, 206);
        check_str(reply_header(r, "Content-Encoding"), NULL);
        check_int(r.length, 701);
    }
}

/* What is kept of a reply varies as the whole one does. */
TEST(parts_and_304_vary_with_what_would_be_compressed)
{
    static const struct {
        const char *target, *vary;
    } rows[] = {
        {"/chosen?name=small.txt", "Accept-Encoding"},
        {"/chosen?name=small.txt&as=x.png", NULL},
        {"/chosen?name=large.txt", NULL},
        {"/chosen?name=little.txt", NULL},
    };
    bide_app *app = make_app();
    make_file("little.txt", 100);
    bide_app_use(app, bide_gzip, NULL);
    with_client(c, app) {
        client_header(c, "Accept-Encoding", "gzip");
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            reply r = await(client_get(c, rows[i].target));
            check_int(r.status, 200);
            check_str(reply_header(r, "Vary"), rows[i].vary);
            client_header(c, "If-None-Match", reply_header(r, "ETag"));
            r = await(client_get(c, rows[i].target));
            check_int(r.status, 304);
            check_str(reply_header(r, "Vary"), rows[i].vary);
            client_header(c, "If-None-Match", NULL);
            client_header(c, "Range", "bytes=0-9");
            r = await(client_get(c, rows[i].target));
            check_int(r.status, 206);
            check_str(reply_header(r, "Vary"), rows[i].vary);
            client_header(c, "Range", NULL);
        }
    }
}

/* ---- files that handlers return ---- */

#define TAG "&tag=%22mine%22"
#define WEAK "&tag=W/%22mine%22"
#define DATE "&date=Sun,%2006%20Nov%201994%2008:49:37%20GMT"

TEST(conditions_are_about_what_the_handler_says)
{
    static const struct {
        const char *set, *field, *value;
        int status, part; /* with a Range */
    } rows[] = {
        {TAG, "If-Match", "\"mine\"", 200, 206},
        {TAG, "If-Match", "\"other\"", 412, 412},
        {WEAK, "If-Match", "W/\"mine\"", 412, 412},
        {TAG, "If-None-Match", "\"mine\"", 304, 304},
        {WEAK, "If-None-Match", "W/\"mine\"", 304, 304},
        {TAG, "If-None-Match", "\"other\"", 200, 206},
        {TAG, "If-Range", "\"mine\"", 200, 206},
        {TAG, "If-Range", "\"other\"", 200, 200},
        {WEAK, "If-Range", "W/\"mine\"", 200, 200},
        {DATE, "If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 304, 304},
        {DATE, "If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", 200, 206},
        {DATE, "If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 200, 206},
        {DATE, "If-Range", "Sun, 06 Nov 1994 08:49:37 GMT", 200, 206},
    };
    char target[128];
    with_client(c, make_app()) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            snprintf(target, sizeof target, "/said?name=small.txt%s", rows[i].set);
            client_header(c, rows[i].field, rows[i].value);
            check_int(await(client_get(c, target)).status, rows[i].status);
            client_header(c, "Range", "bytes=0-9");
            check_int(await(client_get(c, target)).status, rows[i].part);
            snprintf(target, sizeof target, "/said?name=large.txt%s", rows[i].set);
            check_int(await(client_get(c, target)).status, rows[i].part);
            client_header(c, "Range", NULL);
            client_header(c, rows[i].field, NULL);
        }
    }
}

TEST(a_file_of_the_handlers_choice)
{
    static const struct {
        const char *as, *expected;
    } names[] = {
        {"report.pdf", "attachment; filename=\"report.pdf\""},
        {"a%20b.txt", "attachment; filename=\"a b.txt\""},
        {"%22%5C/a%0D%0AX:.txt", "attachment; filename=\"___a__X:.txt\""},
        {"100%25.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"},
        {"%C3%A4%20%E2%82%AC.csv",
         "attachment; filename=\"__ ___.csv\"; filename*=UTF-8''%C3%A4%20%E2%82%AC.csv"},
    };
    char target[128];
    with_client(c, make_app()) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            snprintf(target, sizeof target, "/chosen?name=small.txt&as=%s", names[i].as);
            reply r = await(client_get(c, target));
            check_int(r.status, 200);
            check_str(reply_header(r, "Content-Disposition"), names[i].expected);
        }
        reply r = await(client_get(c, "/chosen?name=small.txt&as=x.png&shown=true"));
        check_str(reply_header(r, "Content-Disposition"), "inline; filename=\"x.png\"");
        check_str(reply_header(r, "Content-Type"), "image/png");
        r = await(client_get(c, "/anywhere"));
        check_str(reply_header(r, "Content-Type"), "text/x-own");
        check_str(reply_header(r, "ETag"), "\"mine\"");
        check_str(reply_header(r, "Content-Disposition"), NULL);
        check_int(r.length, SMALL);
    }
}

static void check_no_file(bool walks) BIDE__TASK;
static void check_no_file(bool walks)
{
    static const char *const names[] = {"none.txt", "%2Fetc%2Fpasswd",    "link", "", ".",
                                        "folder",   "folder/../small.txt"};
    /* Out of the folder, and into it again. */
    static const char *const ways[] = {"../", "folder/../../", "folder/../%2e%2e/", "./../"};
    char target[128];
    bide_app *app = make_app();
    require(symlink("/etc/passwd", at("link")) == 0 && mkdir(at("folder"), 0700) == 0);
    bide__folder_walks = walks;
    test_capture_stderr();
    with_client(c, app) {
        check_int(await(client_get(c, "/chosen?name=small.txt")).status, 200);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            snprintf(target, sizeof target, "/chosen?name=%s", names[i]);
            check_int(await(client_get(c, target)).status, 404);
        }
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
            snprintf(target, sizeof target, "/chosen?name=%s%s/small.txt", ways[i],
                     strrchr(root, '/') + 1);
            check_int(await(client_get(c, target)).status, 404);
        }
        check_int(await(client_get(c, "/anywhere?none=true")).status, 404);
        check_int(await(client_get(c, "/no-folder")).status, 500);
    }
    check_contains(test_captured(), "'no-such-folder/small.txt' cannot be read");
}

TEST(what_is_no_file)
{
    check_no_file(false);
}

TEST(what_is_no_file_step_by_step)
{
    check_no_file(true);
}

/* ---- on a connection ---- */

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    require(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* The head of the next reply, and nothing behind it. */
static void read_head(bide_stream *stream, char *head, size_t room) BIDE__TASK;
static void read_head(bide_stream *stream, char *head, size_t room)
{
    size_t length = 0;
    while (length < 4 || memcmp(head + length - 4, "\r\n\r\n", 4) != 0) {
        require(length + 1 < room);
        await(bide_read_exactly(stream, head + length++, 1));
    }
    head[length] = 0;
}

/* So many bytes of a file from this offset on. */
static void check_body(bide_stream *stream, long long first, long long size) BIDE__TASK;
static void check_body(bide_stream *stream, long long first, long long size)
{
    static char bytes[65536];
    while (size > 0) {
        size_t n = await(
            bide_read(stream, bytes, size < (long long)sizeof bytes ? (size_t)size : sizeof bytes));
        if (!check(n > 0) || !check(is_right(bytes, n, first)))
            return;
        first += (long long)n;
        size -= (long long)n;
    }
}

#define ASK(target, more) "GET " target " HTTP/1.1\r\nHost: x\r\n" more "\r\n"

static void ask(bide_stream *stream, const char *request) BIDE__TASK;
static void ask(bide_stream *stream, const char *request)
{
    await(bide_write(stream, request, strlen(request)));
}

static void fetch_large(uint16_t port) BIDE__TASK;
static void fetch_large(uint16_t port)
{
    char head[1024];
    with(bide_tcp, stream, "127.0.0.1", port) {
        ask(stream,
            ASK("/f/large.txt", "") ASK("/f/large.txt", "Range: bytes=1000000-2000000\r\n")
                ASK("/chosen?name=large.txt", "Range: bytes=5-\r\n") ASK("/f/small.txt", ""));
        read_head(stream, head, sizeof head);
        check_contains(head, "HTTP/1.1 200 OK\r\n");
        check_body(stream, 0, LARGE);
        read_head(stream, head, sizeof head);
        check_contains(head, "HTTP/1.1 206 Partial Content\r\n");
        check_contains(head, "\r\nContent-Length: 1000001\r\n");
        check_body(stream, 1000000, 1000001);
        read_head(stream, head, sizeof head);
        check_body(stream, 5, LARGE - 5);
        read_head(stream, head, sizeof head);
        check_body(stream, 0, SMALL);
    }
}

TEST(large_files_on_a_connection, .real_clock = true)
{
    bide_app *app = make_app();
    with_server(app, port, { fetch_large(port); })
}

static void fetch_far(uint16_t port) BIDE__TASK;
static void fetch_far(uint16_t port)
{
    char head[1024], body[4];
    with(bide_tcp, stream, "127.0.0.1", port) {
        ask(stream, ASK("/f/far.bin", "Range: bytes=5368709120-5368709123\r\n"));
        read_head(stream, head, sizeof head);
        check_contains(head, "\r\nContent-Range: bytes 5368709120-5368709123/5368709124\r\n");
        await(bide_read_exactly(stream, body, sizeof body));
        check_mem(body, "end!", 4);
        ask(stream, "HEAD /f/far.bin HTTP/1.1\r\nHost: x\r\n\r\n");
        read_head(stream, head, sizeof head);
        check_contains(head, "\r\nContent-Length: 5368709124\r\n");
    }
}

TEST(beyond_4_gib, .real_clock = true)
{
    bide_app *app = make_app();
    int fd = open(at("far.bin"), O_CREAT | O_WRONLY, 0600);
    require(fd >= 0);
    require(pwrite(fd, "end!", 4, (off_t)5 << 30) == 4);
    close(fd);
    with_server(app, port, { fetch_far(port); })
}

/* A file so large that no socket takes all of it: it is cut while its peer does not read. */
enum { HUGE_BYTES = 256 << 20 };

static void fetch_cut(uint16_t port) BIDE__TASK;
static void fetch_cut(uint16_t port)
{
    char head[1024];
    static char bytes[1 << 20];
    long long got = 0;
    with(bide_tcp, stream, "127.0.0.1", port) {
        bide_error *error;
        size_t n;
        ask(stream, ASK("/f/huge.bin", ""));
        read_head(stream, head, sizeof head);
        check_contains(head, "\r\nContent-Length: 268435456\r\n");
        require(truncate(at("huge.bin"), 4096) == 0);
        do {
            n = attempt(&error, bide_read, stream, bytes, sizeof bytes);
            got += (long long)n;
        } while (!error && n > 0);
        check(got < HUGE_BYTES);
    }
}

static void make_huge(void)
{
    make_file("huge.bin", 0);
    require(truncate(at("huge.bin"), HUGE_BYTES) == 0);
}

TEST(a_file_that_shrinks_while_it_is_sent, .real_clock = true)
{
    bide_app *app = make_app();
    make_huge();
    test_capture_stderr();
    with_server(app, port, { fetch_cut(port); }) const char *log = test_captured();
    check_contains(log, "the handler of GET /f/huge.bin failed: ");
    check_contains(log, "a file that is sent: it has become shorter");
}

static void fetch_and_leave(uint16_t port) BIDE__TASK;
static void fetch_and_leave(uint16_t port)
{
    char head[1024];
    int before = 0;
    for (int i = 0; i < 5; i++) {
        with(bide_tcp, stream, "127.0.0.1", port) {
            ask(stream, ASK("/f/huge.bin", ""));
            read_head(stream, head, sizeof head);
        }
        if (i == 0) {
            await(bide_sleep(bide_ms(20)));
            before = open_descriptors();
        }
    }
    for (int i = 0; open_descriptors() > before && i < 2000; i++)
        await(bide_sleep(bide_ms(5)));
    check(open_descriptors() <= before);
}

TEST(peers_that_leave_take_no_descriptors, .real_clock = true)
{
    bide_app *app = make_app();
    make_huge();
    with_server(app, port, { fetch_and_leave(port); })
}
