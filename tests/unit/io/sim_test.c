/*
 * sim_test.c: the simulated network of an EXPLORE: what TCP promises holds, and what may go wrong
 * does go wrong.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "core/loop.h"
#include "core/op.h"
#include "io/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int echoed;

static async(void) answer(bide_stream *client)
{
    char text[8];
    size_t n;

    defer(bide_close_stream, client);
    while ((n = await(bide_read(client, text, sizeof text))) > 0)
        await(bide_write(client, text, n));
    return bide_void;
}

SPAWNABLE(void, answer_next, bide_listener *)
async(void) answer_next(bide_listener *listener)
{
    await(answer(await(bide_accept(listener))));
    return bide_void;
}

/* The bytes come back, in order and all of them, or an error says so. */
static async(void) ask(const char *host, int port)
{
    char text[6];

    with(bide_tcp, stream, host, (uint16_t)port) {
        await(bide_write(stream, "hello", 6));
        await(bide_read_exactly(stream, text, sizeof text));
        check_str(text, "hello");
        bide_shutdown_write(stream);
        check_int(await(bide_read(stream, text, sizeof text)), 0);
        echoed++;
    }
    return bide_void;
}

EXPLORE(an_echo_comes_back)
{
    echoed = 0;
    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        check_str(bide_listener_address(listener), "10.0.0.1:80");
        with_group(servers) {
            spawn_void(servers, answer_next, listener);
            with_deadline(bide_s(300))
                await(ask("10.0.0.1", 80));
            bide_group_cancel(servers, "all is done");
        }
    }
    check(echoed == 1 || test_injected());
}

/* ---- the HTTP server ---- */

static int replies;

static async(void) hello(bide_exchange *x, void *unused)
{
    (void)unused;
    bide_text body = await(bide_body_all(x));
    await(bide_reply(x, 200, "text/plain", body.at, body.length));
    return bide_void;
}

SPAWNABLE(void, serve, bide_listener *)
async(void) serve(bide_listener *listener)
{
    await(bide_http_serve(listener, hello, NULL, NULL));
    return bide_void;
}

/* What comes back is whole, or there is an error. */
SPAWNABLE(void, request, const char *)
async(void) request(const char *body)
{
    char text[512];
    size_t size = 0, n;
    int length = snprintf(text, sizeof text,
                          "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          strlen(body), body);

    with(bide_tcp, stream, "10.0.0.1", 80) {
        await(bide_write(stream, text, (size_t)length));
        while ((n = await(bide_read(stream, text + size, sizeof text - 1 - size))) > 0)
            size += n;
    }
    text[size] = 0;
    if (test_injected())
        return bide_void;
    check_contains(text, "HTTP/1.1 200 OK\r\n");
    check_contains(text, "\r\n\r\n");
    check_contains(text, body);
    replies++;
    return bide_void;
}

EXPLORE(requests_are_answered, .schedules = 1000)
{
    replies = 0;
    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        with_group(servers) {
            spawn_void(servers, serve, listener);
            with_deadline(bide_s(300)) {
                with_group(clients) {
                    spawn_void(clients, request, "one");
                    spawn_void(clients, request, "another");
                }
            }
            bide_group_cancel(servers, "all is done");
        }
    }
    check(replies == 2 || test_injected());
}

/* ---- what it has, and what not ---- */

EXPLORE(addresses_are_those_of_tcp, .no_faults = true, .no_cancels = true, .schedules = 20)
{
    bide_error *error;
    char text[BIDE_ADDRESS_BYTES];

    with(bide_tcp_listener, all, "0.0.0.0", 0, NULL) {
        uint16_t port = bide_listener_port(all);
        check(port > 0);
        attempt(&error, bide_listen_tcp, "0.0.0.0", port, NULL);
        require(error);
        check_int(error->system_errno, EADDRINUSE);
        attempt(&error, bide_connect_tcp, "127.0.0.1", (uint16_t)(port + 1));
        require(error);
        check_int(error->system_errno, ECONNREFUSED);
        with(bide_tcp, here, "192.0.2.1", port) {
            with(bide_accepted, there, all) {
                check_str(bide_stream_peer(there), bide_stream_local(here, text, sizeof text));
                bide_stream_local(there, text, sizeof text);
                check_str(bide_stream_peer(here), text);
            }
            check_int(await(bide_read(here, text, 1)), 0);
        }
    }
    check_str(bide_io_name(), "simulated");
}

EXPLORE(what_is_not_simulated_is_refused, .no_cancels = true, .schedules = 5)
{
    bide_error *error;

    attempt(&error, bide_udp_bind, "127.0.0.1", 0);
    require(error);
    check_contains(error->message, "datagrams: the simulated network");
    attempt(&error, bide_connect_tcp, "db.example", 5432);
    require(error);
    check_contains(error->message, "a name that is looked up");
    attempt(&error, bide_process_start, (const char *const[]){"true", NULL}, NULL);
    require(error);
    check_contains(error->message, "a child process");
}

/* Nobody writes while they read: so a reset happens in a read, and the other one reads, too. */
static int resets;

static async(void) read_all(bide_stream *stream)
{
    char byte;
    bide_error *error;

    for (size_t n = 1; n > 0;) {
        n = attempt(&error, bide_read, stream, &byte, 1);
        if (error && error->is_cancel)
            fail(error);
        if (error) {
            check_int(error->system_errno, ECONNRESET);
            resets++;
            break;
        }
    }
    return bide_void;
}
SPAWNABLE(void, read_all, bide_stream *)

static async(void) read_both(bide_stream *here, bide_stream *there)
{
    with_group(g) {
        spawn_void(g, read_all, here);
        spawn_void(g, read_all, there);
    }
    return bide_void;
}
SPAWNABLE(void, read_both, bide_stream *, bide_stream *)

EXPLORE(a_reset_is_told_to_both, .no_cancels = true)
{
    resets = 0;
    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        with(bide_tcp, here, "10.0.0.1", 80) {
            with(bide_accepted, there, listener) {
                await(bide_write(there, "abc", 3));
                bool late;
                move_on_after(&late, bide_s(1), read_both, here, there);
            }
        }
    }
    check(resets == 0 || (resets == 2 && test_injected()));
}

/* ---- the same again ---- */

/* The number of the client's descriptor is another one from schedule to schedule. */
EXPLORE(ports_and_peers_are_the_same_in_each_schedule, .no_faults = true, .no_cancels = true,
        .schedules = 50)
{
    char text[BIDE_ADDRESS_BYTES];
    int other = test_choose(2) ? dup(STDERR_FILENO) : -1;

    with(bide_tcp_listener, listener, "0.0.0.0", 0, NULL) {
        check_str(bide_listener_address(listener), "0.0.0.0:32768");
        with(bide_tcp, here, "10.0.0.1", 32768) {
            if (other >= 0)
                close(other);
            with(bide_accepted, there, listener) {
                check_str(bide_stream_peer(there), "127.0.0.1:32769");
                check_str(bide_stream_local(there, text, sizeof text), "10.0.0.1:32768");
            }
        }
    }
}

static async(void) connect_and_close(void)
{
    with(bide_tcp, here, "10.0.0.1", 80)
        bide_shutdown_write(here);
    return bide_void;
}

EXPLORE(who_has_gone_before_the_accept_has_an_address_too, .no_faults = true, .no_cancels = true,
        .schedules = 50)
{
    char text[BIDE_ADDRESS_BYTES];

    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        await(connect_and_close());
        with(bide_accepted, there, listener) {
            check_str(bide_stream_peer(there), "127.0.0.1:32768");
            check_str(bide_stream_local(there, text, sizeof text), "10.0.0.1:80");
            check_int(await(bide_read(there, text, sizeof text)), 0);
        }
    }
}

/* As a connection of libcurl: 0, or what connecting failed with. */
static int connect_carried(const char *host, uint16_t port)
{
    struct bide__io *io = bide__loop_here->io;
    struct bide__address to;

    require(bide__address_parse(host, port, &to) == 0);
    int fd = io->ops->carry(io, &to);
    require(fd >= 0);
    int result = connect(fd, &to.any, to.size) == 0 ? 0 : errno;
    close(fd);
    return result;
}

/* A server that comes again need not get the number of its listener again. */
EXPLORE(an_address_is_that_of_its_open_listener, .no_faults = true, .no_cancels = true,
        .schedules = 50)
{
    int number = -1;

    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        number = bide_listener_fd(listener);
        check_int(connect_carried("10.0.0.1", 80), 0);
    }
    int taken = fcntl(STDERR_FILENO, F_DUPFD, number);
    check_int(taken, number);
    check_int(connect_carried("10.0.0.1", 80), ECONNREFUSED);
    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        check_int(connect_carried("10.0.0.1", 80), 0);
    }
    close(taken);
}

/* ---- one direction does not wait for the other ---- */

static int64_t ms_since(int64_t start_ns)
{
    return (bide_clock_ns() - start_ns) / 1000000;
}

static bool broken; /* by who writes: what has come already is there */

static async(void) read_late(bide_stream *stream)
{
    char text[2];
    int64_t start_ns = bide_clock_ns();

    await(bide_read_exactly(stream, text, 2));
    check(ms_since(start_ns) >= 60 * 1000 || broken || !test_injected());
    return bide_void;
}
SPAWNABLE(void, read_late, bide_stream *)

static async(void) write_soon(bide_stream *stream)
{
    int64_t start_ns = bide_clock_ns();
    bide_error *error;

    attempt(&error, bide_write, stream, "c", 1);
    check(ms_since(start_ns) < 1000);
    broken = error != NULL;
    return bide_void;
}
SPAWNABLE(void, write_soon, bide_stream *)

EXPLORE(a_minute_without_bytes_is_one_also_for_who_writes, .no_cancels = true)
{
    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        with(bide_tcp, here, "10.0.0.1", 80) {
            with(bide_accepted, there, listener) {
                await(bide_write(there, "ab", 2));
                broken = false;
                if (!test_injected()) {
                    with_group(g) {
                        spawn_void(g, read_late, here);
                        spawn_void(g, write_soon, here);
                    }
                }
            }
        }
    }
}
