/*
 * Addresses as text: what is understood, what is refused, and the way back.
 */
#include <bide/net.h>
#include <bide/test.h>

#include "io/address.h"

#include <errno.h>
#include <string.h>

static const char *round_trip(const char *host, uint16_t port)
{
    static char text[BIDE_ADDRESS_BYTES];
    struct bide__address address;
    if (bide__address_parse(host, port, &address) < 0)
        return "refused";
    bide__address_format(&address, text, sizeof text);
    return text;
}

TEST_PLAIN(numbers_come_back_as_they_went)
{
    check_str(round_trip("127.0.0.1", 80), "127.0.0.1:80");
    check_str(round_trip("0.0.0.0", 0), "0.0.0.0:0");
    check_str(round_trip("255.255.255.255", 65535), "255.255.255.255:65535");
    check_str(round_trip("localhost", 8080), "127.0.0.1:8080");
    check_str(round_trip("::1", 443), "[::1]:443");
    check_str(round_trip("2001:DB8::0:1", 1), "[2001:db8::1]:1");
    check_str(round_trip("fe80::1%lo", 7), "[fe80::1%lo]:7");
}

static const char *host_of(const char *host)
{
    static char text[BIDE_ADDRESS_BYTES];
    struct bide__address address;
    require(bide__address_parse(host, 80, &address) == 0);
    bide__address_host(&address, text, sizeof text);
    return text;
}

TEST_PLAIN(a_host_has_neither_port_nor_brackets)
{
    check_str(host_of("127.0.0.1"), "127.0.0.1");
    check_str(host_of("::1"), "::1");
    check_str(host_of("2001:db8::1"), "2001:db8::1");
    check_str(host_of("fe80::1%lo"), "fe80::1%lo");
}

TEST_PLAIN(what_is_no_number_is_refused)
{
    static const char *const hosts[] = {
        "",          "example.org", "127.1",     "1.2.3.4.5",
        "256.0.0.1", " 127.0.0.1",  "[::1]",     "::1%nowhere",
        ":",         "::1%",        "LOCALHOST", "127.0.0.1:80",
        "::g",       "*",           "%",         "1:2:3:4:5:6:7:8:9",
        "0x7f.1",    "localhost.",
    };
    char long_host[4096];
    memset(long_host, '1', sizeof long_host);
    long_host[sizeof long_host - 1] = '\0';
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (!check_str(round_trip(hosts[i], 1), "refused"))
            check_str(hosts[i], "");
    check_str(round_trip(long_host, 1), "refused");
    check_str(round_trip(NULL, 1), "refused");
}

TEST_PLAIN(unix_paths_and_abstract_names)
{
    struct bide__address address;
    char text[BIDE_ADDRESS_BYTES], path[200];

    check_int(bide__address_parse_unix("/run/app.sock", &address), 0);
    bide__address_format(&address, text, sizeof text);
    check_str(text, "unix:/run/app.sock");
    check_int(bide__address_port(&address), 0);

    check_int(bide__address_parse_unix("@name", &address), 0);
    check_int(address.un.sun_path[0], 0);
    check_int(address.size, offsetof(struct sockaddr_un, sun_path) + 5);
    bide__address_format(&address, text, sizeof text);
    check_str(text, "unix:@name");

    memset(path, 'a', sizeof path);
    path[107] = '\0';
    check_int(bide__address_parse_unix(path, &address), 0);
    bide__address_format(&address, text, sizeof text);
    check_int(strlen(text), 112);
    path[107] = 'a';
    path[108] = '\0';
    check_int(bide__address_parse_unix(path, &address), -ENAMETOOLONG);
    check_int(bide__address_parse_unix("", &address), -EINVAL);
    check_int(bide__address_parse_unix(NULL, &address), -EINVAL);
}

TEST_PLAIN(a_short_text_is_cut)
{
    struct bide__address address;
    char text[8];
    check_int(bide__address_parse("127.0.0.1", 80, &address), 0);
    bide__address_format(&address, text, sizeof text);
    check_str(text, "127.0.0");
}
