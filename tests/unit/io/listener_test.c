/*
 * Listeners and connecting: addresses, unix sockets and their files, several acceptors, deadlines,
 * running out of descriptors.
 */
#include "net_case.h"

#include "io/endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A folder of this test's own. */
static const char *folder(void)
{
    static char path[] = "/tmp/bide_listener_XXXXXX";
    require(mkdtemp(path));
    return path;
}

static void remove_folder(void *path)
{
    check_int(rmdir(path), 0);
}

TEST(what_is_no_address_is_refused, .real_clock = true)
{
    bide_error *err;
    attempt(&err, bide_connect_tcp, "exa mple.org", 80);
    require(err);
    check_int(err->code, BIDE_INVALID);
    check_contains(err->message, "\"exa mple.org\" is no host name and no numeric address");
    attempt(&err, bide_listen_tcp, "example.org", 80, NULL);
    require(err);
    check_int(err->code, BIDE_INVALID);
    attempt(&err, bide_connect_unix, "");
    require(err);
    check_int(err->code, BIDE_INVALID);
}

TEST(nobody_listens, .real_clock = true)
{
    bide_error *err;
    int before = open_descriptors();
    bide_listener *listener = await(bide_listen_tcp("127.0.0.1", 0, NULL));
    uint16_t port = bide_listener_port(listener);
    char expected[64];
    bide_close(listener);
    attempt(&err, bide_connect_tcp, "127.0.0.1", port);
    require(err);
    check_int(err->code, BIDE_SYSTEM);
    check_int(err->system_errno, ECONNREFUSED);
    snprintf(expected, sizeof expected, "connect to 127.0.0.1:%u", port);
    check_contains(err->message, expected);
    check_int(open_descriptors(), before);
}

TEST(a_port_is_taken_once, .real_clock = true)
{
    bide_error *err;
    bide_listener *listener = await(bide_listen_tcp("127.0.0.1", 0, NULL));
    uint16_t port = bide_listener_port(listener);
    check(port != 0);
    attempt(&err, bide_listen_tcp, "127.0.0.1", port, NULL);
    require(err);
    check_int(err->system_errno, EADDRINUSE);
    check_contains(err->message, "listen on 127.0.0.1:");
    bide_close(listener);
}

TEST(a_port_can_be_shared, .real_clock = true)
{
    struct bide_listen_options shared = {.reuse_port = true, .backlog = 16};
    bide_listener *first = await(bide_listen_tcp("127.0.0.1", 0, &shared));
    bide_listener *second = await(bide_listen_tcp("127.0.0.1", bide_listener_port(first), &shared));
    check_int(bide_listener_port(first), bide_listener_port(second));
    bide_close(first);
    bide_close(second);
}

TEST(echo_over_a_unix_socket, .real_clock = true)
{
    struct stat status;
    char path[64];
    const char *own = folder();
    defer(remove_folder, (void *)(uintptr_t)own);
    snprintf(path, sizeof path, "%s/socket", own);
    with(bide_unix_listener, listener, path, 0600) {
        check_int(stat(path, &status), 0);
        check_int(status.st_mode & 07777, 0600);
        check_contains(bide_listener_address(listener), path);
        check_int(bide_listener_port(listener), 0);
        with_group(g) {
            spawn_void(g, echo_server, listener, 1);
            with(bide_unix, stream, path) {
                check_str(bide_stream_peer(stream), bide_listener_address(listener));
                await(check_echo(stream, "through a file"));
            }
        }
    }
    check_int(access(path, F_OK), -1);
}

TEST(an_abstract_name_needs_no_file, .real_clock = true)
{
    char name[64];
    snprintf(name, sizeof name, "@bide-test-%d", getpid());
    with(bide_unix_listener, listener, name, 0600) {
        with_group(g) {
            spawn_void(g, echo_server, listener, 1);
            with(bide_unix, stream, name) {
                await(check_echo(stream, "through a name"));
            }
        }
    }
}

TEST(a_socket_file_left_behind_is_replaced, .real_clock = true)
{
    bide_error *err;
    char path[64];
    const char *own = folder();
    defer(remove_folder, (void *)(uintptr_t)own);
    snprintf(path, sizeof path, "%s/socket", own);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    check_int(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    check_int(access(path, F_OK), 0);
    bide_listener *listener = await(bide_listen_unix(path, 0600));
    /* One that is in use is not, and neither is a file of another kind. */
    attempt(&err, bide_listen_unix, path, 0600);
    require(err);
    check_int(err->system_errno, EADDRINUSE);
    bide_close(listener);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    attempt(&err, bide_listen_unix, path, 0600);
    require(err);
    check_int(err->system_errno, EADDRINUSE);
    check_int(unlink(path), 0);
}

TEST(closing_leaves_another_ones_file_alone, .real_clock = true)
{
    char path[64];
    const char *own = folder();
    defer(remove_folder, (void *)(uintptr_t)own);
    snprintf(path, sizeof path, "%s/socket", own);
    bide_listener *first = await(bide_listen_unix(path, 0600));
    check_int(unlink(path), 0);
    bide_listener *second = await(bide_listen_unix(path, 0600));
    bide_close(first);
    check_int(access(path, F_OK), 0);
    bide_close(second);
    check_int(access(path, F_OK), -1);
}

TEST(a_listening_descriptor_is_taken_over, .real_clock = true)
{
    bide_error *err;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    attempt(&err, bide_listen_fd, fd);
    require(err);
    check_int(err->system_errno, EINVAL);
    check_int(listen(fd, 5), 0);
    bide_listener *listener = await(bide_listen_fd(fd));
    check_int(bide_listener_fd(listener), fd);
    with_group(g) {
        spawn_void(g, echo_server, listener, 1);
        with(bide_tcp, stream, "127.0.0.1", bide_listener_port(listener)) {
            await(check_echo(stream, "inherited"));
        }
    }
    bide_close(listener);
    attempt(&err, bide_listen_fd, -1);
    require(err);
    check_int(err->system_errno, EBADF);
}

static int served[3];
static async(void) serve_one(bide_listener_ptr listener, int index);
SPAWNABLE(void, serve_one, bide_listener_ptr, int)
static async(void) serve_one(bide_listener_ptr listener, int index)
{
    with(bide_accepted, stream, listener) {
        served[index]++;
    }
    return bide_void;
}

/* One edge may stand for several connections, and each acceptor takes one. */
TEST(several_tasks_accept, .real_clock = true)
{
    bide_stream *streams[3];
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            for (int i = 0; i < 3; i++)
                spawn_void(g, serve_one, listener, i);
            await(bide_sleep(bide_ms(5)));
            for (int i = 0; i < 3; i++)
                streams[i] = await(bide_connect_tcp("127.0.0.1", bide_listener_port(listener)));
        }
    }
    for (int i = 0; i < 3; i++) {
        check_int(served[i], 1);
        bide_close(streams[i]);
    }
}

static async(int) code_of_accept(bide_listener_ptr listener);
SPAWNABLE(int, code_of_accept, bide_listener_ptr)
static async(int) code_of_accept(bide_listener_ptr listener)
{
    bide_error *err;
    bide_stream *stream = attempt(&err, bide_accept, listener);
    if (!err)
        bide_close(stream);
    return ready(int, err ? err->code : 0);
}

TEST(closing_wakes_all_acceptors, .real_clock = true)
{
    bide_listener *listener = await(bide_listen_tcp("127.0.0.1", 0, NULL));
    with_group(g) {
        task(int) first = spawn(g, code_of_accept, listener);
        task(int) second = spawn(g, code_of_accept, listener);
        await(bide_sleep(bide_ms(5)));
        bide_close(listener);
        check_int(await_task(first), BIDE_CLOSED);
        check_int(await_task(second), BIDE_CLOSED);
    }
}

TEST(a_held_listener_takes_nobody_new, .real_clock = true)
{
    bool late;
    struct bide__address peer;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        uint16_t port = bide_listener_port(listener);
        with(bide_tcp, early, "127.0.0.1", port) {
            bide__listener_hold(listener);
            (void)move_on_after(&late, bide_ms(50), bide_connect_tcp, "127.0.0.1", port);
            check(late);
            await(bide_write(early, "in time", 7));
            int fd = bide__accept_now(listener, &peer);
            require(fd >= 0);
            char text[8] = "";
            check_int(recv(fd, text, 7, MSG_WAITALL), 7);
            check_str(text, "in time");
            close(fd);
            check_int(bide__accept_now(listener, &peer), -EAGAIN);
        }
    }
}

TEST(an_accept_out_of_time_loses_nothing, .real_clock = true)
{
    bool late;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        bide_stream *stream = move_on_after(&late, bide_ms(20), bide_accept, listener);
        check(late);
        check_ptr(stream, NULL);
        with_group(g) {
            spawn_void(g, echo_server, listener, 1);
            with(bide_tcp, client, "127.0.0.1", bide_listener_port(listener)) {
                await(check_echo(client, "after all"));
            }
        }
    }
}

/* The kernel drops what does not fit into the queue of a listener that never accepts. */
TEST(a_connect_out_of_time_leaks_nothing, .real_clock = true)
{
    struct bide_listen_options tight = {.backlog = 1};
    bide_stream *streams[8];
    int count = 0;
    bool late = false;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, &tight) {
        int before = open_descriptors();
        while (count < 8 && !late) {
            bide_stream *stream = move_on_after(&late, bide_ms(100), bide_connect_tcp, "127.0.0.1",
                                                bide_listener_port(listener));
            if (!late)
                streams[count++] = stream;
        }
        check(late);
        check_int(open_descriptors(), before + count);
        while (count > 0)
            bide_close(streams[--count]);
        check_int(open_descriptors(), before);
    }
}

static async(void) connect_and_close(const char *path);
SPAWNABLE(void, connect_and_close, const char *)
static async(void) connect_and_close(const char *path)
{
    with(bide_unix, stream, path) {
    }
    return bide_void;
}

/* A full unix listener refuses with EAGAIN and no event tells when it has room: see stream.c. */
TEST(connecting_waits_for_room_in_a_unix_queue, .real_clock = true)
{
    bool late;
    char name[64];
    snprintf(name, sizeof name, "@bide-room-%d", getpid());
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    check_int(bind(fd, (struct sockaddr *)&address,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
              0);
    check_int(listen(fd, 0), 0);
    int before = open_descriptors();
    bide_stream *first = await(bide_connect_unix(name));
    move_on_after(&late, bide_ms(20), bide_connect_unix, (const char *)name);
    check(late);
    check_int(open_descriptors(), before + 1);
    with_group(g) {
        spawn_void(g, connect_and_close, (const char *)name);
        await(bide_sleep(bide_ms(5)));
        close(accept(fd, NULL, NULL));
    }
    bide_close(first);
    close(fd);
}

static int connect_plainly(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0);
    require(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* From here on no descriptor above those that are open can be had. */
static rlim_t forbid_more(void)
{
    struct rlimit limit;
    int lowest_free = dup(0);
    require(lowest_free >= 0);
    close(lowest_free);
    require(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)lowest_free;
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return before;
}

static void allow_again(rlim_t count)
{
    struct rlimit limit;
    require(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = count;
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int64_t cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Without a descriptor, accepting neither fails nor spins nor loses the connection. */
TEST(accepting_outlives_a_lack_of_descriptors, .real_clock = true)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        int peer = connect_plainly(bide_listener_port(listener));
        test_capture_stderr();
        rlim_t before = forbid_more();
        with_group(g) {
            task(int) acceptor = spawn(g, code_of_accept, listener);
            int64_t spent_ms = cpu_ms();
            await(bide_sleep(bide_ms(350)));
            check(cpu_ms() - spent_ms < 100);
            check(!bide_task_done(bide_ref(acceptor)));
            allow_again(before);
            check_int(await_task(acceptor), 0);
        }
        const char *logged = test_captured();
        check_contains(logged, "accept on 127.0.0.1:");
        const char *first = strstr(logged, "connections wait");
        check(first && !strstr(first + 1, "connections wait"));
        close(peer);
    }
}

/* A descriptor of ours that is closed is used at once, before the pause is over. */
TEST(a_closed_descriptor_serves_the_next_connection, .real_clock = true)
{
    bide_stream *pair[2];
    await(bide_stream_pair(pair));
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        int peer = connect_plainly(bide_listener_port(listener));
        test_capture_stderr();
        rlim_t before = forbid_more();
        with_group(g) {
            task(int) acceptor = spawn(g, code_of_accept, listener);
            await(bide_sleep(bide_ms(10)));
            int64_t start_ns = bide_clock_ns();
            bide_close(pair[0]);
            check_int(await_task(acceptor), 0);
            check(bide_clock_ns() - start_ns < 50000000);
        }
        allow_again(before);
        check_contains(test_captured(), "connections wait");
        close(peer);
    }
    bide_close(pair[1]);
}

/* Connecting without a descriptor is an error: the caller has something to decide. */
TEST(connecting_without_a_descriptor_fails, .real_clock = true)
{
    bide_error *err;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        rlim_t before = forbid_more();
        attempt(&err, bide_connect_tcp, "127.0.0.1", bide_listener_port(listener));
        allow_again(before);
        require(err);
        check_int(err->system_errno, EMFILE);
        check_contains(err->message, "connect to 127.0.0.1:");
    }
}
