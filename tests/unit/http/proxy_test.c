/*
 * Who the client behind proxies is: addresses, networks, chains; and through a real server.
 */
#include "server_case.h"

#include "http/proxy.h"

#include <netinet/in.h>

#define test_fail(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), check(!"a row"))

static struct bide__http_networks trusted(const char *text)
{
    struct bide__http_networks networks;
    struct bide__slice bad;
    check_int(bide__http_networks_parse(text, &networks, &bad), 0);
    return networks;
}

/* An address from text, by way of a one-entry list. */
static struct bide__http_address address(const char *text)
{
    struct bide__http_networks networks = trusted(text);
    require(networks.count == 1 && networks.list[0].bits == 128);
    return networks.list[0].address;
}

TEST_PLAIN(addresses_as_text)
{
    static const char *const rows[][2] = {
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.10.9.100", "255.10.9.100"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::1", "::1"},
        {"2001:DB8::0:1", "2001:db8::1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0"},
        {"unix", "unix"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[BIDE__HTTP_ADDRESS_BYTES + 1];
        struct bide__http_address of = address(rows[i][0]);
        text[bide__http_address_format(&of, text)] = 0;
        check_str(text, rows[i][1]);
    }
}

TEST_PLAIN(networks_hold_their_addresses)
{
    static const struct {
        const char *networks, *address;
        bool trusted;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.1", "::1", false},
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"192.168.4.0/22", "192.168.7.255", true},
        {"192.168.4.0/22", "192.168.8.0", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "::1", false},
        {"0.0.0.0/0", "unix", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "8.8.8.8", false},
        {"::/0", "unix", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
        {"unix", "unix", true},
        {"unix", "127.0.0.1", false},
        {" 10.0.0.1 ,, ::1, unix", "::1", true},
        {"", "127.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bide__http_networks networks = {.count = 0};
        struct bide__slice bad;
        struct bide__http_address of = address(rows[i].address);
        int parsed = bide__http_networks_parse(rows[i].networks, &networks, &bad);
        if (parsed < 0 || bide__http_is_trusted(&networks, &of) != rows[i].trusted)
            test_fail("row %zu: %s has %s", i, rows[i].networks, rows[i].address);
    }
}

TEST_PLAIN(bad_networks_are_named)
{
    static const char *const rows[] = {
        "localhost",  "127.0.0.1:80",   "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8",
        "10.0.0.1/8", "2001:db8::1/32", "::1/129",     "[::1]",     "10.0.0",
        "*",          "10.0.0.0/-1",    "10.0.0.0/8x", "1.2.3.4.5", "::",
        "unix:",      "/run/app.sock",
    };
    struct bide__http_networks networks;
    struct bide__slice bad;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char list[64];
        snprintf(list, sizeof list, "127.0.0.1, %s, ::1", rows[i]);
        if (bide__http_networks_parse(list, &networks, &bad) != -EINVAL)
            test_fail("'%s' was taken", rows[i]);
        else
            check(bide__slice_equal(bad, bide__slice_of(rows[i])));
    }
    char many[64 * 8 + 16] = "";
    for (int i = 0; i < 65; i++)
        strcat(many, "1.1.1.1,");
    check_int(bide__http_networks_parse(many, &networks, &bad), -E2BIG);
}

/* "client scheme" of a request with these fields over a connection from `peer`, or "refused". */
static const char *origin(const char *peer, const char *fields)
{
    static char text[64];
    char bytes[16384];
    struct bide__http_head head;
    struct bide__http_networks networks = trusted("127.0.0.1, 10.0.0.0/8, fd00::/8, unix");
    struct bide__http_address from = address(peer);
    struct bide__http_origin ret;
    int length = snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    bide__http_head_request(&head);
    require(bide__http_head_parse(&head, bytes, (size_t)length) == BIDE__HTTP_DONE);
    int result = bide__http_origin_of(&head, bytes, &networks, &from, &ret);
    if (result < 0) {
        check_int(result, -EINVAL);
        return "refused";
    }
    strcpy(text + bide__http_address_format(&ret.client, text), ret.https ? " https" : " http");
    return text;
}

struct chain_row {
    const char *peer, *fields, *expected;
};

static void check_rows(const struct chain_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = origin(rows[i].peer, rows[i].fields);
        if (strcmp(got, rows[i].expected) != 0)
            test_fail("row %zu: %s from %s gives %s, not %s", i, rows[i].fields, rows[i].peer, got,
                      rows[i].expected);
    }
}

#define XFF "X-Forwarded-For: "
#define XFP "X-Forwarded-Proto: "
#define FWD "Forwarded: "
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0])

TEST_PLAIN(forwarded_for_is_walked_from_the_right)
{
    static const struct chain_row rows[] = {
        {"10.0.0.1", "", "10.0.0.1 http"},
        {"8.8.8.8", XFF "1.2.3.4\r\n" XFP "https\r\n", "8.8.8.8 http"},
        {"10.0.0.1", XFF "1.2.3.4\r\n", "1.2.3.4 http"},
        {"unix", XFF "1.2.3.4\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "9.9.9.9, 1.2.3.4\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "127.0.0.1, 1.2.3.4, 10.0.0.7\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "9.9.9.9\r\nA: b\r\n" XFF "1.2.3.4, 10.0.0.2\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "1.2.3.4\r\n" XFF "10.0.0.2\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "10.0.0.3, 10.0.0.2\r\n", "10.0.0.3 http"},
        {"10.0.0.1", XFF "1.2.3.4:5555\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "[2001:DB8::1]:5555\r\n", "2001:db8::1 http"},
        {"10.0.0.1", XFF "2001:db8::1,fd00::1\r\n", "2001:db8::1 http"},
        {"10.0.0.1", XFF "::ffff:1.2.3.4\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "1.2.3.4, unix:\r\n", "1.2.3.4 http"},
        /* what is no address ends the walk */
        {"10.0.0.1", XFF "unknown\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "1.2.3.4, evil\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "1.2.3.4, evil, 10.0.0.2\r\n", "10.0.0.2 http"},
        {"10.0.0.1", XFF "1.2.3.4,\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "1.2.3.4, ,10.0.0.2\r\n", "10.0.0.2 http"},
        {"10.0.0.1", XFF "1.2.3\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "1.2.3.4:x\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "1.2.3.4:99999\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "[1.2.3.4]\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "[::1\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "::\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "<script>\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "1.2.3.4 \t1.2.3.5\r\n", "10.0.0.1 http"},
        {"10.0.0.1", XFF "\r\n", "10.0.0.1 http"},
    };
    CHECK_ROWS(rows);
}

TEST_PLAIN(forwarded_proto_belongs_to_its_hop)
{
    static const struct chain_row rows[] = {
        {"10.0.0.1", XFP "https\r\n", "10.0.0.1 https"},
        {"10.0.0.1", XFF "1.2.3.4\r\n" XFP "HTTPS\r\n", "1.2.3.4 https"},
        {"10.0.0.1", XFF "1.2.3.4, 10.0.0.2\r\n" XFP "https\r\n", "1.2.3.4 https"},
        {"10.0.0.1", XFF "1.2.3.4, 10.0.0.2\r\n" XFP "https, http\r\n", "1.2.3.4 https"},
        {"10.0.0.1", XFF "1.2.3.4\r\n" XFP "https, http\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "1.2.3.4\r\n" XFP "javascript\r\n", "1.2.3.4 http"},
        {"10.0.0.1", XFF "1.2.3.4\r\n" XFP "https x\r\n", "1.2.3.4 http"},
    };
    CHECK_ROWS(rows);
}

TEST_PLAIN(forwarded_of_rfc_7239)
{
    static const struct chain_row rows[] = {
        {"8.8.8.8", FWD "for=1.2.3.4;proto=https\r\n", "8.8.8.8 http"},
        {"10.0.0.1", FWD "for=1.2.3.4\r\n", "1.2.3.4 http"},
        {"10.0.0.1", FWD "For=1.2.3.4; Proto=https ;by=10.0.0.1\r\n", "1.2.3.4 https"},
        {"10.0.0.1", FWD "for=9.9.9.9, for=1.2.3.4;proto=https, for=10.0.0.2;proto=http\r\n",
         "1.2.3.4 https"},
        {"10.0.0.1", FWD "for=\"[2001:db8::1]:4711\"\r\n", "2001:db8::1 http"},
        {"10.0.0.1", FWD "for=\"1.2.3.4:80\";ext=\"a,b;for=7.7.7.7\"\r\n", "1.2.3.4 http"},
        {"10.0.0.1", FWD "for=1.2.3.4\r\n" FWD "for=10.0.0.2\r\n", "1.2.3.4 http"},
        {"10.0.0.1", FWD "for=_hidden, for=10.0.0.2\r\n", "10.0.0.2 http"},
        {"10.0.0.1", FWD "for=1.2.3.4, for=unknown\r\n", "10.0.0.1 http"},
        {"10.0.0.1", FWD "for=1.2.3.4:80\r\n", "10.0.0.1 http"},
        {"10.0.0.1", FWD "for=1.2.3.4;for=10.0.0.1\r\n", "10.0.0.1 http"},
        {"10.0.0.1", FWD "for=\"1.2.3.4\r\n", "10.0.0.1 http"},
        {"10.0.0.1", FWD "for 1.2.3.4\r\n", "10.0.0.1 http"},
        {"10.0.0.1", FWD "\r\n", "10.0.0.1 http"},
        /* both: only together */
        {"10.0.0.1", FWD "for=1.2.3.4;proto=https\r\n" XFF "1.2.3.4\r\n" XFP "https\r\n",
         "1.2.3.4 https"},
        {"10.0.0.1", FWD "for=1.2.3.4\r\n" XFF "1.2.3.4\r\n" XFP "https\r\n", "1.2.3.4 https"},
        {"10.0.0.1", FWD "for=7.7.7.7\r\n" XFF "1.2.3.4\r\n", "refused"},
        {"10.0.0.1", FWD "for=unknown\r\n" XFF "1.2.3.4\r\n", "refused"},
        {"10.0.0.1", FWD "for=1.2.3.4;proto=http\r\n" XFP "https\r\n", "refused"},
        {"8.8.8.8", FWD "for=7.7.7.7\r\n" XFF "1.2.3.4\r\n", "8.8.8.8 http"},
    };
    CHECK_ROWS(rows);
}

/* A chain of trusted addresses without an end is not walked for ever, nor a long element read. */
TEST_PLAIN(long_chains_are_cut)
{
    char fields[12000] = XFF "1.2.3.4";
    for (int i = 1; i < 200; i++)
        sprintf(fields + strlen(fields), ",10.0.0.%d", i);
    strcat(fields, "\r\n");
    check_str(origin("10.9.9.9", fields), "10.0.0.184 http");
    strcpy(fields, FWD "for=1.2.3.4;x=\"");
    memset(fields + strlen(fields), 'x', 300);
    strcpy(fields + 300 + strlen(FWD "for=1.2.3.4;x=\""), "\"\r\n");
    check_str(origin("10.9.9.9", fields), "10.9.9.9 http");
}

/* ---- through a server ---- */

static async(void) tell_origin(bide_exchange *x, void *arg)
{
    char text[256];
    bide_text first = bide_request_client(x), scheme = bide_request_scheme(x);
    bide_text peer = bide_request_peer(x), client = bide_request_client(x);
    bide_text host = bide_request_host(x);
    (void)arg;
    check(first.at == client.at && first.length == client.length);
    int length = snprintf(text, sizeof text, "%.*s %.*s %.*s %.*s", (int)peer.length, peer.at,
                          (int)client.length, client.at, (int)scheme.length, scheme.at,
                          (int)host.length, host.at);
    await(bide_reply(x, 200, "text/plain", text, (size_t)length));
    return bide_void;
}

#define ASK(target, host, fields) "GET " target " HTTP/1.1\r\nHost: " host "\r\n" fields "\r\n"

static async(void) ask_trusted(struct site *site)
{
    with(dial, client, site) {
        await(check_reply(client, ASK("/", "a:80", XFF "1.2.3.4\r\n" XFP "https\r\n"),
                          OK("28", "127.0.0.1 1.2.3.4 https a:80")));
        await(check_reply(client, ASK("/", "a", ""), OK("26", "127.0.0.1 127.0.0.1 http a")));
        await(check_reply(client, ASK("http://b/", "a", XFF "::2\r\n"),
                          OK("20", "127.0.0.1 ::2 http b")));
        await(check_reply(client, ASK("/", "a", XFF "1.2.3.4\r\n" FWD "for=4.3.2.1\r\n"),
                          "HTTP/1.1 400 Bad Request\r\nContent-Length: 50\r\n"
                          "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
                          "Forwarded and X-Forwarded-* contradict each other\n"));
    }
    return bide_void;
}

TEST(a_trusted_proxy_is_believed, .real_clock = true)
{
    struct site site = {.options = {.trusted_proxies = "::1, 127.0.0.0/8"}};
    await(with_site(&site, tell_origin, ask_trusted));
}

static async(void) ask_untrusted(struct site *site)
{
    await(check_one(site, ASK("/", "a", XFF "1.2.3.4\r\n" FWD "for=4.3.2.1;proto=https\r\n"),
                    OK("26", "127.0.0.1 127.0.0.1 http a")));
    return bide_void;
}

TEST(others_are_not, .real_clock = true)
{
    struct site site = {.options = {.trusted_proxies = NULL}};
    await(with_site(&site, tell_origin, ask_untrusted));
    site.options.trusted_proxies = "10.0.0.0/8, unix";
    await(with_site(&site, tell_origin, ask_untrusted));
}

TEST(a_unix_socket_is_a_peer, .real_clock = true)
{
    struct site site = {.options = {.trusted_proxies = "unix"}};
    char path[64], reply[256] = "";
    snprintf(path, sizeof path, "@bide-proxy-test-%d", (int)getpid());
    with(bide_unix_listener, listener, path, 0600) {
        with_group(g) {
            spawn_void(g, site_serve, listener, &site, tell_origin);
            bide_stream *stream = await(bide_connect_unix(path));
            const char *request = ASK("/", "a", XFF "1.2.3.4\r\nConnection: close\r\n");
            await(bide_write(stream, request, strlen(request)));
            size_t held = 0, n;
            while ((n = await(bide_read(stream, reply + held, sizeof reply - 1 - held))) > 0)
                held += n;
            bide_close(stream);
            bide_group_cancel(g, "the test is over");
        }
    }
    check_contains(reply, "\r\n\r\nunix 1.2.3.4 http a");
}

static async(void) serve_with(const char *proxies);
SPAWNABLE(void, serve_with, const char *)
static async(void) serve_with(const char *proxies)
{
    struct site site = {.options = {.trusted_proxies = proxies}};
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL)
        await(bide_http_serve(listener, tell_origin, NULL, &site.options));
    return bide_void;
}

TEST(a_bad_list_does_not_start, .real_clock = true)
{
    bide_error *error;
    attempt(&error, serve_with, "127.0.0.1, proxy.local");
    require(error);
    check_int(error->code, BIDE_INVALID);
    check_contains(error->message, "'proxy.local'");
}
