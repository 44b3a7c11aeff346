/*
 * udp_test.c: datagrams: there and back, cut ones, connected sockets, deadlines, cancels, closing
 * under a waiting task, errors.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static async(void) answer(bide_udp *udp, int count)
{
    char buffer[2048];
    for (int i = 0; i < count; i++) {
        bide_datagram one = await(bide_udp_receive(udp, buffer, sizeof buffer));
        check(!bide_datagram_cut(one));
        await(bide_udp_send_to(udp, buffer, one.size, &one.from));
    }
    return bide_void;
}
SPAWNABLE(void, answer, bide_udp *, int)

static async(void) there_and_back(const char *host)
{
    char buffer[1500], text[BIDE_ADDRESS_BYTES], other[BIDE_ADDRESS_BYTES];
    with(bide_udp_bound, server, host, 0) {
        with(bide_udp_bound, client, host, 0) {
            with_group(g) {
                bide_udp_address to;
                spawn_void(g, answer, server, 50);
                require(bide_udp_address_parse(host, bide_udp_port(server), &to));
                check_str(bide_udp_address_format(&to, text), bide_udp_name(server));
                for (int i = 0; i < 50; i++) {
                    size_t size = (size_t)i * 29;
                    memset(buffer, i, sizeof buffer);
                    await(bide_udp_send_to(client, buffer, size, &to));
                    memset(buffer, 0xEE, sizeof buffer);
                    bide_datagram one = await(bide_udp_receive(client, buffer, sizeof buffer));
                    check_int(one.size, size);
                    check(size == 0 || (buffer[0] == (char)i && buffer[size - 1] == (char)i));
                    check_str(bide_udp_address_format(&one.from, other), text);
                }
            }
        }
    }
    return bide_void;
}
SPAWNABLE(void, there_and_back, const char *)

TEST(datagrams_there_and_back)
{
    await(there_and_back("127.0.0.1"));
}

TEST(over_ipv6)
{
    bide_error *error;
    bide_udp *udp = attempt(&error, bide_udp_bind, "::1", 0);
    if (error)
        test_skip("no IPv6 here");
    bide_udp_close(udp);
    await(there_and_back("::1"));
}

TEST(a_longer_one_is_cut_and_that_is_told)
{
    char buffer[8] = "........";
    with(bide_udp_bound, udp, "127.0.0.1", 0) {
        await(bide_udp_connect(udp, "127.0.0.1", bide_udp_port(udp))); /* to itself */
        await(bide_udp_send(udp, "0123456789", 10));
        await(bide_udp_send(udp, "next", 4));
        bide_datagram one = await(bide_udp_receive(udp, buffer, 4));
        check_int(one.size, 4);
        check_int(one.whole_size, 10);
        check(bide_datagram_cut(one));
        check_mem(buffer, "0123....", 8);
        one = await(bide_udp_receive(udp, buffer, sizeof buffer));
        check_int(one.size, 4);
        check(!bide_datagram_cut(one));
        check_mem(buffer, "next", 4);
    }
}

static async(void) receive_within(bide_udp *udp, int64_t ms)
{
    char byte;
    with_deadline(bide_ms(ms)) {
        (void)await(bide_udp_receive(udp, &byte, 1));
    }
    return bide_void;
}
SPAWNABLE(void, receive_within, bide_udp *, int64_t)

static async(void) receive_one(bide_udp *udp)
{
    char byte;
    (void)await(bide_udp_receive(udp, &byte, 1));
    return bide_void;
}
SPAWNABLE(void, receive_one, bide_udp *)

TEST(a_deadline_takes_no_datagram)
{
    bide_error *error;
    char byte = 0;
    with(bide_udp_bound, udp, "127.0.0.1", 0) {
        attempt(&error, receive_within, udp, 5);
        check_int(error ? error->code : 0, BIDE_TIMEOUT);
        await(bide_udp_connect(udp, "127.0.0.1", bide_udp_port(udp)));
        await(bide_udp_send(udp, "x", 1));
        check_int(await(bide_udp_receive(udp, &byte, 1)).size, 1);
        check_int(byte, 'x');
    }
}

TEST(each_datagram_goes_to_one_of_those_that_wait)
{
    with(bide_udp_bound, udp, "127.0.0.1", 0) {
        await(bide_udp_connect(udp, "127.0.0.1", bide_udp_port(udp)));
        with_group(g) {
            for (int i = 0; i < 10; i++)
                spawn_void(g, receive_one, udp);
            await(bide_sleep(bide_ms(1)));
            for (int i = 0; i < 10; i++)
                await(bide_udp_send(udp, "x", 1));
        }
    }
}

static async(void) close_soon(bide_udp *udp)
{
    await(bide_sleep(bide_ms(1)));
    bide_udp_close(udp);
    return bide_void;
}
SPAWNABLE(void, close_soon, bide_udp *)

TEST(closing_wakes_who_waits)
{
    bide_error *error;
    bide_udp *udp = await(bide_udp_bind("127.0.0.1", 0));
    with_group(g) {
        spawn_void(g, close_soon, udp);
        attempt(&error, receive_one, udp);
        require(error);
        check_int(error->code, BIDE_CLOSED);
        check_contains(error->message, "receive on 127.0.0.1:");
    }
    bide_udp_close(NULL);
}

static async(int) code_of_receive(bide_udp *udp)
{
    bide_error *error;
    attempt(&error, receive_one, udp);
    return ready(int, error ? error->code : 0);
}
SPAWNABLE(int, code_of_receive, bide_udp *)

/* The timer makes the closer ready, then the poll finds the datagram and wakes the receiver: which
   runs after the closer, if the order of tasks is not shuffled. */
TEST(woken_and_closed_under_in_one_turn, .real_clock = true)
{
    for (int round = 0; round < 20; round++) {
        bide_udp *udp = await(bide_udp_bind("127.0.0.1", 0));
        await(bide_udp_connect(udp, "127.0.0.1", bide_udp_port(udp)));
        with_group(g) {
            task(int) receiver = spawn(g, code_of_receive, udp);
            spawn_void(g, close_soon, udp);
            await(bide_yield()); /* now both wait */
            int64_t due_ns = bide_clock_ns() + 3 * INT64_C(1000000);
            await(bide_udp_send(udp, "x", 1));
            while (bide_clock_ns() < due_ns)
                continue;
            int code = await_task(receiver);
            check(code == 0 || code == BIDE_CLOSED);
        }
    }
}

TEST(what_goes_wrong_is_told)
{
    static char much[70000];
    bide_error *error;
    (void)attempt(&error, bide_udp_bind, "example.org", 1);
    check_int(error ? error->code : 0, BIDE_INVALID);
    (void)attempt(&error, bide_udp_bind, "192.0.2.1", 1);
    check_int(error ? error->system_errno : 0, EADDRNOTAVAIL);
    with(bide_udp_bound, udp, "127.0.0.1", 0) {
        (void)attempt(&error, bide_udp_bind, "127.0.0.1", bide_udp_port(udp));
        check_int(error ? error->system_errno : 0, EADDRINUSE);
        attempt(&error, bide_udp_send, udp, "x", 1);
        check_int(error ? error->system_errno : 0, EDESTADDRREQ);
        await(bide_udp_connect(udp, "127.0.0.1", bide_udp_port(udp)));
        attempt(&error, bide_udp_send, udp, much, sizeof much);
        check_int(error ? error->system_errno : 0, EMSGSIZE);
        uint16_t free_port;
        with(bide_udp_bound, gone, "127.0.0.1", 0) {
            free_port = bide_udp_port(gone);
        }
        await(bide_udp_connect(udp, "127.0.0.1", free_port));
        await(bide_udp_send(udp, "x", 1));
        attempt(&error, receive_within, udp, 1000);
        require(error);
        check_int(error->system_errno, ECONNREFUSED);
    }
    bide_udp_address to;
    check(!bide_udp_address_parse("example.org", 1, &to));
}

static async(void) in_time(void)
{
    with_deadline(bide_s(5)) {
        await(there_and_back("127.0.0.1"));
    }
    return bide_void;
}
SPAWNABLE(void, in_time)

TEST(cancels_at_every_await, .cancel_everywhere = true)
{
    bide_error *error;
    attempt(&error, in_time);
    if (error && error->code != BIDE_TIMEOUT) /* the answers end with a cancelled answerer */
        fail(error);
}

TEST(without_memory, .fail_allocations = true)
{
    char byte;
    with(bide_udp_bound, udp, "127.0.0.1", 0) {
        await(bide_udp_connect(udp, "127.0.0.1", bide_udp_port(udp)));
        await(bide_udp_send(udp, "x", 1));
        (void)await(bide_udp_receive(udp, &byte, 1));
    }
}
