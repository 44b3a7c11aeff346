/*
 * Transfers of libcurl on the loop: many at once with one driver, a driver that leaves, what
 * cannot be reached, timers. HTTP, against a server in the test's own tasks.
 */
#include <bide/bide.h>
#include <bide/test.h>

#if __has_include(<curl/curl.h>)
#define BIDE_CURL 1
#include "core/error.h"
#include "transfer/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct bide__transfers *transfers_ptr;
typedef bide_group *group_ptr;

static int served, open_now, most_open;

static async(void) serve(bide_stream_ptr stream);
SPAWNABLE(void, serve, bide_stream_ptr)
static async(void) serve(bide_stream_ptr stream)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    char bytes[2000];
    defer(bide_close_stream, stream);
    open_now++;
    most_open = open_now > most_open ? open_now : most_open;
    for (size_t n; (n = await(bide_read(stream, bytes, sizeof bytes))) > 0;) {
        bool slow = memmem(bytes, n, "/slow", 5);
        if (memmem(bytes, n, "/never", 6))
            continue;
        await(bide_sleep(bide_ms(slow ? 200 : 20)));
        await(bide_write(stream, reply, sizeof reply - 1));
        served++;
    }
    open_now--;
    return bide_void;
}

static async(void) accept_all(bide_listener_ptr listener, group_ptr clients);
SPAWNABLE(void, accept_all, bide_listener_ptr, group_ptr)
static async(void) accept_all(bide_listener_ptr listener, group_ptr clients)
{
    for (int i = 0; i < 10000; i++)
        spawn_void(clients, serve, await(bide_accept(listener)));
    return bide_void;
}

static void end_easy(void *easy)
{
    curl_easy_cleanup(easy);
}

static void end_transfers(void *transfers)
{
    bide__transfers_free(transfers);
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *length)
{
    (void)bytes;
    *(size_t *)length += size * count;
    return size * count;
}

/* A GET; its result, and how many bytes came. */
static async(int) get(transfers_ptr t, int port, const char *path, size_t *ret_length);
SPAWNABLE(int, get, transfers_ptr, int, const char *, size_t *)
static async(int) get(transfers_ptr t, int port, const char *path, size_t *ret_length)
{
    char url[100];
    CURLcode result = CURLE_OK;
    CURL *easy = bide__transfer_easy();
    require(easy);
    defer(end_easy, easy);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, ret_length);
    *ret_length = 0;
    int code = bide__transfer(t, easy, false, &result);
    if (code < 0)
        bide__raise(code, NULL);
    return ready(int, (int)result);
}

static transfers_ptr new_transfers(void)
{
    transfers_ptr t;
    require(bide__transfers_new("test", &t) == 0);
    return t;
}

static async(void) get_hello(transfers_ptr t, int port);
SPAWNABLE(void, get_hello, transfers_ptr, int)
static async(void) get_hello(transfers_ptr t, int port)
{
    size_t length;
    int result = await(get(t, port, "/", &length));
    check_int(result, CURLE_OK);
    check_int(length, 5);
    return bide_void;
}

TEST(many_transfers_have_one_driver, .real_clock = true, .timeout_ms = 30000)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        transfers_ptr t = new_transfers();
        defer(end_transfers, t);
        with_group(servers) {
            spawn_void(servers, accept_all, listener, servers);
            with_group(g) {
                for (int i = 0; i < 40; i++)
                    spawn_void(g, get_hello, t, bide_listener_port(listener));
            }
            check(most_open > 20); /* side by side */
            await(get_hello(t, bide_listener_port(listener)));
            check(most_open <= 40); /* over a connection that was there */
            bide_group_cancel(servers, "done");
        }
    }
    check_int(served, 41);
}

TEST(a_driver_that_is_cancelled_hands_over, .real_clock = true, .timeout_ms = 30000)
{
    size_t lengths[3];
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        int port = bide_listener_port(listener);
        transfers_ptr t = new_transfers();
        defer(end_transfers, t);
        with_group(servers) {
            spawn_void(servers, accept_all, listener, servers);
            with_group(g) {
                with_group(first) {
                    spawn_void(first, get, t, port, "/never", &lengths[0]); /* it drives */
                    await(bide_sleep(bide_ms(10)));
                    spawn_void(first, get, t, port, "/never", &lengths[1]);
                    spawn_void(g, get, t, port, "/slow", &lengths[2]);
                    await(bide_sleep(bide_ms(50)));
                    bide_group_cancel(first, "enough");
                }
                await(get_hello(t, port));
            }
            bide_group_cancel(servers, "done");
        }
    }
    check_int(served, 2);
}

TEST(nobody_is_there, .cancel_everywhere = true)
{
    int port;
    size_t length;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL)
        port = bide_listener_port(listener);
    transfers_ptr t = new_transfers();
    defer(end_transfers, t);
    check_int(await(get(t, port, "/", &length)), CURLE_COULDNT_CONNECT);
}

TEST(libcurls_timers_fire, .real_clock = true)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) { /* which nobody accepts */
        char url[60];
        CURLcode result = CURLE_OK;
        transfers_ptr t = new_transfers();
        defer(end_transfers, t);
        CURL *easy = bide__transfer_easy();
        require(easy);
        defer(end_easy, easy);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)bide_listener_port(listener));
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 150L);
        int64_t start_ns = bide_clock_ns();
        check_int(bide__transfer(t, easy, false, &result), 0);
        check_int(result, CURLE_OPERATION_TIMEDOUT);
        check(bide_clock_ns() - start_ns >= 140000000);
    }
}
#else
TEST_PLAIN(no_libcurl)
{
    test_skip("no libcurl: ./dev deps more");
}
#endif
