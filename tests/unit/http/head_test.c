/*
 * Request heads: one row per rule of RFC 9112 sections 2, 3, 5, 6 and 9 that binds a recipient,
 * good and bad, each fed in every way. Rows name their section.
 */
#include "head_feed.h"

#include "base/rng.h"

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST

struct row {
    const char *section;
    const char *raw;
    size_t length;
    const char *expected; /* the beginning of the trace */
};
#define ROW(section, raw, expected)                                                                \
    {                                                                                              \
        section, raw, sizeof(raw) - 1, expected                                                    \
    }

static void run(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *trace =
            feed_all(feed_head, NULL, rows[i].raw, rows[i].length, rows[i].expected);
        if (strncmp(trace, rows[i].expected, strlen(rows[i].expected)) != 0)
            fprintf(stderr, "section %s\n", rows[i].section);
    }
}
#define RUN(rows) run(rows, sizeof(rows) / sizeof((rows)[0]))

TEST_PLAIN(rfc9112_2_message_parsing)
{
    static const struct row rows[] = {
        ROW("2.1", GET "\r\n", "GET / 1.1 none keep host=a path=/ query=- | Host: a | bytes=27"),
        ROW("2.2 octets, not text", GET "X: \xC3\xA9\xFF\r\n\r\n",
            "GET / 1.1 none keep host=a path=/ query=- | Host: a | X: \xC3\xA9\xFF | bytes=35"),
        ROW("2.2 bare LF", "GET / HTTP/1.1\nHost: a\n\n", "400"),
        ROW("2.2 bare LF after a value", "GET / HTTP/1.1\r\nHost: a\n\r\n", "400"),
        ROW("2.2 bare LF at the end", GET "\n", "400"),
        ROW("2.2 bare CR in the target", "GET /a\rb HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("2.2 bare CR in a value", GET "X: a\rb\r\n\r\n", "400"),
        ROW("2.2 bare CR in a name", GET "X\r: a\r\n\r\n", "400"),
        ROW("2.2 bare CR at the end", GET "\rX", "400"),
        ROW("2.2 CR CR LF", GET "X: a\r\r\n\r\n", "400"),
        ROW("2.2 an empty line in front", "\r\n" GET "\r\n", "GET / 1.1 none keep"),
        ROW("2.2 two empty lines in front", "\r\n\r\n" GET "\r\n", "GET / 1.1 none keep"),
        ROW("2.2 an empty line of LF", "\n" GET "\r\n", "400"),
        ROW("2.2 an empty line of CR", "\r" GET "\r\n", "400"),
        ROW("2.2 space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"),
        ROW("2.2 tab before the first field", "GET / HTTP/1.1\r\n\tX: b\r\n" HOST "\r\n", "400"),
        ROW("2.2 not HTTP", "\x16\x03\x01\x02\x00\x01", "400"),
        ROW("2.2 not HTTP", "SSH-2.0-x\r\n", "400"),
        ROW("2.2 NUL", "GET /\0 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("2.2 NUL in a value", GET "X: a\0b\r\n\r\n", "400"),
        ROW("2.2 NUL in a name", GET "X\0: a\r\n\r\n", "400"),
        ROW("2.3", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 none close"),
        ROW("2.3 case", "GET / http/1.1\r\n" HOST "\r\n", "400"),
        ROW("2.3 two digits", "GET / HTTP/1.10\r\n" HOST "\r\n", "400"),
        ROW("2.3 no dot", "GET / HTTP/11\r\n" HOST "\r\n", "400"),
        ROW("2.3 no number", "GET / HTTP/1.x\r\n" HOST "\r\n", "400"),
        ROW("2.3 other major", "GET / HTTP/2.0\r\n" HOST "\r\n", "505"),
        ROW("2.3 other major", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        ROW("2.3 other minor", "GET / HTTP/1.2\r\n" HOST "\r\n", "505"),
        ROW("2.3 other", "GET / HTTP/0.9\r\n" HOST "\r\n", "505"),
        ROW("2.3 HTTP/0.9", "GET /\r\n", "400"),
        ROW("2.3 cut", "GET / HTTP/1.1", "more"),
        ROW("2.3 cut", GET, "more"),
    };
    RUN(rows);
}

TEST_PLAIN(rfc9112_3_request_line)
{
    static const struct row rows[] = {
        ROW("3 two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3 two spaces", "GET /  HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3 tab", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3 space at the end", "GET / HTTP/1.1 \r\n" HOST "\r\n", "400"),
        ROW("3 space in front", " GET / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3 no target", "GET HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3 space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3 other white space", "GET\v/ HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.1", "HEAD /x HTTP/1.1\r\n" HOST "\r\n", "HEAD /x 1.1 none keep"),
        ROW("3.1", "PATCH /x HTTP/1.1\r\n" HOST "\r\n", "PATCH /x 1.1 none keep"),
        ROW("3.1 any token", "M-SEARCH!~ /x HTTP/1.1\r\n" HOST "\r\n", "M-SEARCH!~ /x 1.1"),
        ROW("3.1 no token", "GE(T / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.1 no token", "G\xC3\x89T / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.1 empty", "\r\n / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2 fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2 not ASCII", "GET /\xC3\xA9 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2 DEL", "GET /\x7F HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2 none of the forms", "GET a HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2 none of the forms", "GET ?a HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.1", "GET /a/b?c=d&e HTTP/1.1\r\n" HOST "\r\n",
            "GET /a/b?c=d&e 1.1 none keep host=a path=/a/b query=c=d&e |"),
        ROW("3.2.1", "GET /? HTTP/1.1\r\n" HOST "\r\n",
            "GET /? 1.1 none keep host=a path=/ query= |"),
        ROW("3.2.1", "GET /a?b?c HTTP/1.1\r\n" HOST "\r\n",
            "GET /a?b?c 1.1 none keep host=a path=/a query=b?c |"),
        ROW("3.2.1 two slashes are a path", "GET //b.example/x HTTP/1.1\r\n" HOST "\r\n",
            "GET //b.example/x 1.1 none keep host=a path=//b.example/x query=- |"),
        ROW("3.2.2 its host counts", "GET http://b.example:81/x?y HTTP/1.1\r\n" HOST "\r\n",
            "GET http://b.example:81/x?y 1.1 none keep host=b.example:81 path=/x query=y |"),
        ROW("3.2.2", "GET HTTPS://[::1]?y HTTP/1.1\r\n" HOST "\r\n",
            "GET HTTPS://[::1]?y 1.1 none keep host=[::1] path= query=y |"),
        ROW("3.2.2", "GET http://b HTTP/1.1\r\n" HOST "\r\n",
            "GET http://b 1.1 none keep host=b path= query=- |"),
        ROW("3.2.2 Host is needed all the same", "GET http://b/ HTTP/1.1\r\n\r\n", "400"),
        ROW("3.2.2 no host", "GET http:///x HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.2 no host", "GET http://:80/x HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.2 user", "GET http://u@b/x HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.2 other scheme", "GET ftp://b/x HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.2 scheme alone", "GET http:// HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3", "CONNECT b:443 HTTP/1.1\r\n" HOST "\r\n",
            "CONNECT b:443 1.1 none keep host=b:443 path= query=- |"),
        ROW("3.2.3", "CONNECT [::1]:443 HTTP/1.1\r\n" HOST "\r\n", "CONNECT [::1]:443 1.1"),
        ROW("3.2.3 no host", "CONNECT 443 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3 no port", "CONNECT b HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3 no port", "CONNECT [::1] HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3 empty port", "CONNECT b: HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3 large port", "CONNECT b:65536 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3 letters", "CONNECT b:4a HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3 no host", "CONNECT :443 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.3 a path", "CONNECT /x HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("9110 9.3.6 no content", "CONNECT b:4 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n",
            "400"),
        ROW("9110 9.3.6 no content",
            "CONNECT b:4 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "400"),
        ROW("3.2.3 for CONNECT only", "GET b:443 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.4", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
            "OPTIONS * 1.1 none keep host=a path= query=- |"),
        ROW("3.2.4 for OPTIONS only", "GET * HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("3.2.4 nothing behind it", "OPTIONS *a HTTP/1.1\r\n" HOST "\r\n", "400"),
    };
    RUN(rows);
}

TEST_PLAIN(rfc9112_3_2_host)
{
    static const struct row rows[] = {
        ROW("none", "GET / HTTP/1.1\r\n\r\n", "400"),
        ROW("none in 1.0", "GET / HTTP/1.0\r\nX: a\r\n\r\n", "GET / 1.0 none close host= "),
        ROW("two", GET HOST "\r\n", "400"),
        ROW("two", GET "hOST: b\r\n\r\n", "400"),
        ROW("two in 1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", "400"),
        ROW("empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / 1.1 none keep host= "),
        ROW("port", "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", "GET / 1.1 none keep host=a:80 "),
        ROW("empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET / 1.1 none keep host=a: "),
        ROW("IPv4", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n",
            "GET / 1.1 none keep host=127.0.0.1:8000 "),
        ROW("IPv6", "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
            "GET / 1.1 none keep host=[::1]:8000 "),
        ROW("encoded", "GET / HTTP/1.1\r\nHost: a%41b\r\n\r\n", "GET / 1.1 none keep host=a%41b "),
        ROW("badly encoded", "GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", "400"),
        ROW("badly encoded", "GET / HTTP/1.1\r\nHost: a%4gb\r\n\r\n", "400"),
        ROW("large port", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "400"),
        ROW("huge port", "GET / HTTP/1.1\r\nHost: a:99999999999999999999\r\n\r\n", "400"),
        ROW("port of letters", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", "400"),
        ROW("two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", "400"),
        ROW("space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
        ROW("slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"),
        ROW("user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400"),
        ROW("query", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", "400"),
        ROW("scheme", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", "400"),
        ROW("not ASCII", "GET / HTTP/1.1\r\nHost: \xC3\xA9\r\n\r\n", "400"),
        ROW("open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400"),
        ROW("empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", "400"),
        ROW("name in brackets", "GET / HTTP/1.1\r\nHost: [xyz]\r\n\r\n", "400"),
        ROW("behind brackets", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", "400"),
    };
    RUN(rows);
}

TEST_PLAIN(rfc9112_5_field_syntax)
{
    static const struct row rows[] = {
        ROW("5 white space around", GET "X: \t a b \t \r\n\r\n",
            "GET / 1.1 none keep host=a path=/ query=- | Host: a | X: a b | "),
        ROW("5 no white space", GET "X:a\r\n\r\n",
            "GET / 1.1 none keep host=a path=/ query=- | Host: a | X: a | "),
        ROW("5 empty value", GET "X:\r\nY: \r\n\r\n",
            "GET / 1.1 none keep host=a path=/ query=- | Host: a | X:  | Y:  | "),
        ROW("5 colons in a value", GET "X: a:b: c\r\n\r\n",
            "GET / 1.1 none keep host=a path=/ query=- | Host: a | X: a:b: c | "),
        ROW("5 all tchars", GET "!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n",
            "GET / 1.1 none keep host=a path=/ query=- | Host: a | !#$%&'*+-.^_`|~09azAZ: b | "),
        ROW("5.1 space before the colon", GET "X : a\r\n\r\n", "400"),
        ROW("5.1 tab before the colon", GET "X\t: a\r\n\r\n", "400"),
        ROW("5.1 space before the colon of a framing", POST "Content-Length : 5\r\n\r\n", "400"),
        ROW("5.1 space in a name", GET "X Y: a\r\n\r\n", "400"),
        ROW("5 no colon", GET "X\r\n\r\n", "400"),
        ROW("5 no name", GET ": a\r\n\r\n", "400"),
        ROW("5 no tchar", GET "X(Y): a\r\n\r\n", "400"),
        ROW("5 no tchar", GET "X\xC3\xA9: a\r\n\r\n", "400"),
        ROW("5.2 folded", GET "X: a\r\n b\r\n\r\n", "400"),
        ROW("5.2 folded by a tab", GET "X: a\r\n\tb\r\n\r\n", "400"),
        ROW("5.2 folded to nothing", GET "X: a\r\n \r\n\r\n", "400"),
        ROW("5.5 control", GET "X: a\x01\r\n\r\n", "400"),
        ROW("5.5 DEL", GET "X: a\x7F\r\n\r\n", "400"),
        ROW("5.5 vertical tab", GET "X: a\v\r\n\r\n", "400"),
        ROW("5.5 escape", GET "X: a\x1B[0m\r\n\r\n", "400"),
    };
    RUN(rows);
}

TEST_PLAIN(rfc9112_6_1_transfer_encoding)
{
    static const struct row rows[] = {
        ROW("6.1", POST "Transfer-Encoding: chunked\r\n\r\n", "POST / 1.1 chunked keep"),
        ROW("6.1", POST "transfer-encoding:CHUNKED \r\n\r\n", "POST / 1.1 chunked keep"),
        ROW("6.1 of a GET", GET "Transfer-Encoding: chunked\r\n\r\n", "GET / 1.1 chunked keep"),
        ROW("6.1 twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", "400"),
        ROW("6.1 twice, two lines",
            POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ROW("6.1 unknown, then chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "501"),
        ROW("6.1 unknown, two lines",
            POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", "501"),
        ROW("6.1 parameters", POST "Transfer-Encoding: x;a=b, chunked\r\n\r\n", "501"),
        ROW("6.3 not last", POST "Transfer-Encoding: chunked, gzip\r\n\r\n", "400"),
        ROW("6.3 not there", POST "Transfer-Encoding: gzip\r\n\r\n", "400"),
        ROW("6.3 not there", POST "Transfer-Encoding: identity\r\n\r\n", "400"),
        ROW("6.3 empty", POST "Transfer-Encoding:\r\n\r\n", "400"),
        ROW("6.3 empty element", POST "Transfer-Encoding: ,chunked\r\n\r\n", "400"),
        ROW("6.3 empty element", POST "Transfer-Encoding: chunked,\r\n\r\n", "400"),
        ROW("6.3 empty line", POST "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400"),
        ROW("6.3 disguised", POST "Transfer-Encoding: xchunked\r\n\r\n", "400"),
        ROW("6.3 disguised", POST "Transfer-Encoding: chunked x\r\n\r\n", "400"),
        ROW("6.3 disguised", POST "Transfer-Encoding: \"chunked\"\r\n\r\n", "400"),
        ROW("6.3 disguised", POST "Transfer-Encoding: chunked;a=b\r\n\r\n", "400"),
        ROW("6.3 disguised", POST "Transfer-Encoding: \vchunked\r\n\r\n", "400"),
        ROW("6.1 in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ROW("6.1 in 1.0 with a length",
            "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ROW("6.3 both", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ROW("6.3 both", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "400"),
        ROW("6.3 both", POST "Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n",
            "400"),
        ROW("7.2 compression codings", POST "Transfer-Encoding: x-gzip, chunked\r\n\r\n", "501"),
        ROW("7.4 TE is no framing", GET "TE: trailers, deflate;q=0.5\r\n\r\n",
            "GET / 1.1 none keep"),
    };
    RUN(rows);
}

TEST_PLAIN(rfc9112_6_2_content_length)
{
    static const struct row rows[] = {
        ROW("6.2", POST "Content-Length: 5\r\n\r\n", "POST / 1.1 length=5 keep"),
        ROW("6.2", POST "content-length:00005\r\n\r\n", "POST / 1.1 length=5 keep"),
        ROW("6.2 nothing", POST "Content-Length: 0\r\n\r\n", "POST / 1.1 none keep"),
        ROW("6.3 neither", POST "\r\n", "POST / 1.1 none keep"),
        ROW("6.2 of a GET", GET "Content-Length: 5\r\n\r\n", "GET / 1.1 length=5 keep"),
        ROW("6.2 large", POST "Content-Length: 9223372036854775799\r\n\r\n",
            "POST / 1.1 length=9223372036854775799 keep"),
        ROW("6.2 too large", POST "Content-Length: 9223372036854775808\r\n\r\n", "413"),
        ROW("6.2 2^64 + 5", POST "Content-Length: 18446744073709551621\r\n\r\n", "413"),
        ROW("6.2 100 digits",
            POST "Content-Length: 99999999999999999999999999999999999999999999999999\r\n\r\n",
            "413"),
        ROW("6.2 many zeros", POST "Content-Length: 000000000000000000000000000000007\r\n\r\n",
            "POST / 1.1 length=7 keep"),
        ROW("6.3 sign", POST "Content-Length: +5\r\n\r\n", "400"),
        ROW("6.3 sign", POST "Content-Length: -5\r\n\r\n", "400"),
        ROW("6.3 hexadecimal", POST "Content-Length: 0x5\r\n\r\n", "400"),
        ROW("6.3 fraction", POST "Content-Length: 5.0\r\n\r\n", "400"),
        ROW("6.3 empty", POST "Content-Length: \r\n\r\n", "400"),
        ROW("6.3 space inside", POST "Content-Length: 5 5\r\n\r\n", "400"),
        ROW("6.3 letters behind", POST "Content-Length: 5a\r\n\r\n", "400"),
        ROW("6.3 list", POST "Content-Length: 5, 5\r\n\r\n", "400"),
        ROW("6.3 different", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"),
        ROW("6.3 the same twice", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "400"),
        ROW("6.3 huge, then letters", POST "Content-Length: 99999999999999999999999999999a\r\n\r\n",
            "400"),
    };
    RUN(rows);
}

TEST_PLAIN(rfc9112_9_connection_management)
{
    static const struct row rows[] = {
        ROW("9.3 1.1 goes on", GET "\r\n", "GET / 1.1 none keep"),
        ROW("9.3 close", GET "Connection: close\r\n\r\n", "GET / 1.1 none close"),
        ROW("9.3 close in a list", GET "Connection: x, CLOSE\r\n\r\n", "GET / 1.1 none close"),
        ROW("9.3 close on a second line", GET "Connection: x\r\nConnection: close\r\n\r\n",
            "GET / 1.1 none close"),
        ROW("9.3 close wins", GET "Connection: keep-alive, close\r\n\r\n", "GET / 1.1 none close"),
        ROW("9.3 no substring", GET "Connection: closed, enclose\r\n\r\n", "GET / 1.1 none keep"),
        ROW("9.3 1.0 ends", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 none close"),
        ROW("9.3 1.0 goes on", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            "GET / 1.0 none keep"),
        ROW("9.3 1.0 goes on", "GET / HTTP/1.0\r\nConnection: , keep-alive\r\n\r\n",
            "GET / 1.0 none keep"),
        ROW("9.3 1.0 close wins", "GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n",
            "GET / 1.0 none close"),
        ROW("9110 7.8 upgrade", GET "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET / 1.1 none keep upgrade"),
        ROW("9110 7.8 not named", GET "Upgrade: websocket\r\n\r\n", "GET / 1.1 none keep host"),
        ROW("9110 7.8 no protocol", GET "Connection: upgrade\r\n\r\n", "GET / 1.1 none keep host"),
        ROW("9110 7.8 no protocol", GET "Connection: upgrade\r\nUpgrade: ,\r\n\r\n",
            "GET / 1.1 none keep host"),
        ROW("9110 7.8 ignored in 1.0",
            "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            "GET / 1.0 none close host"),
        ROW("9110 10.1.1", POST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n",
            "POST / 1.1 length=5 keep continue"),
        ROW("9110 10.1.1 no body", POST "Expect: 100-continue\r\n\r\n",
            "POST / 1.1 none keep host"),
        ROW("9110 10.1.1 ignored in 1.0",
            "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            "POST / 1.0 length=5 close host"),
        ROW("9110 10.1.1 unknown", POST "Expect: more\r\nContent-Length: 5\r\n\r\n", "417"),
    };
    RUN(rows);
}

/* What stands between the colon and the value, in its middle, and behind it. */
static const struct shape {
    const char *front, *inside, *behind;
} shapes[] = {
    {" ", "", ""},       {"", "", ""},        {"  ", "", ""},  {"\t", "", ""},
    {" ", "", " "},      {" ", "", "\t"},     {" ", "\t", ""}, {" ", "\xC3\xA9", ""},
    {" ", ": ", " \t "}, {" ", "\x80", "\t"},
};

/* One field behind the Host, as the last or before another. */
static void check_field(const char *name, size_t value_length, const struct shape *shape, bool last)
{
    char value[64], raw[256], expected[256];
    const size_t half = value_length / 2;
    memset(value, 'v', sizeof value);
    int length = snprintf(raw, sizeof raw, GET "%s:%s%.*s%s%.*s%s\r\n%s\r\n", name, shape->front,
                          (int)half, value, shape->inside, (int)(value_length - half), value,
                          shape->behind, last ? "" : "Z-after: yes\r\n");
    const char *inside = shape->inside;
    if (value_length < 2) { /* what is inside is at the edge then, and may be white space */
        while (half == 0 && (*inside == ' ' || *inside == '\t'))
            inside++;
        if (value_length == 0 && strcmp(inside, ": ") == 0)
            inside = ":";
    }
    snprintf(expected, sizeof expected,
             "GET / 1.1 none keep host=a path=/ query=- | Host: a | %s: %.*s%s%.*s | %sbytes=%d",
             name, (int)half, value, inside, (int)(value_length - half), value,
             last ? "" : "Z-after: yes | ", length);
    check_str(feed_all(feed_head, NULL, raw, (size_t)length, expected), expected);
}

/* Lines whose parts end before, at and behind the edge of a block of 16 bytes. */
TEST_PLAIN(lines_around_a_block, .timeout_ms = 60000)
{
    static const char *const names[] = {"X",
                                        "Ab",
                                        "Etag",
                                        "x-y_z",
                                        "If-Match",
                                        "twelve-chars",
                                        "If-None-Match",
                                        "fourteen-chars",
                                        "Accept-Encoding",
                                        "fifteen-letters",
                                        "sixteen-letters-",
                                        "X-Forwarded-Host",
                                        "If-Modified-Since",
                                        "Access-Control-Request-Headers",
                                        "x-one-and-thirty-letters-long--",
                                        "x-two-and-thirty-letters-long---",
                                        "X-a-name-that-is-longer-than-all-the-known-ones"};
    for (size_t name = 0; name < sizeof names / sizeof names[0]; name++)
        for (size_t length = 0; length <= 34; length += length < 19 ? 1 : 3)
            for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++)
                check_field(names[name], length, &shapes[shape], (length + shape) % 2 == 0);
}

/* Bytes that a careless comparison takes for those of a known name: all but tchars are refused. */
TEST_PLAIN(known_names_with_a_byte_that_is_none_of_theirs)
{
    for (int id = 1; id < BIDE__FIELDS; id++) {
        const char *name = bide__http_field_name((enum bide__http_field_id)id);
        for (size_t place = 0; place <= strlen(name); place++) {
            static const char wrong[] = {'\r', '\n', '\t', ' ', '\0', '\x1A', '\x7F', '\xC8', '@'};
            for (size_t i = 0; i < sizeof wrong; i++) {
                char raw[128];
                int length = snprintf(raw, sizeof raw, GET "%s: 5\r\n\r\n", name);
                raw[sizeof GET - 1 + place] = wrong[i];
                feed_all(feed_head, NULL, raw, (size_t)length, "400");
            }
        }
    }
}

TEST_PLAIN(queries_around_a_block)
{
    for (size_t length = 1; length < 40; length++) {
        for (size_t mark = 1; mark <= length; mark++) {
            char target[64], raw[128], expected[256];
            memset(target, 'p', length);
            *target = '/';
            if (mark < length)
                target[mark] = '?';
            if (mark + 2 < length)
                target[mark + 2] = '?'; /* belongs to the query */
            int size =
                snprintf(raw, sizeof raw, "PUT %.*s HTTP/1.1\r\n" HOST "\r\n", (int)length, target);
            snprintf(expected, sizeof expected,
                     "PUT %.*s 1.1 none keep host=a path=%.*s query=%s%.*s |", (int)length, target,
                     (int)mark, target, mark < length ? "" : "-",
                     mark < length ? (int)(length - mark - 1) : 0, target + mark + 1);
            feed_all(feed_head, NULL, raw, (size_t)size, expected);
            memcpy(raw, "GET", 3);
            memcpy(expected, "GET", 3);
            feed_all(feed_head, NULL, raw, (size_t)size, expected);
        }
    }
}

TEST_PLAIN(hosts_around_a_block)
{
    static const struct {
        const char *port;
        bool good;
    } ports[] = {{"", true},       {":", true},      {":8", true},      {":8080", true},
                 {":65535", true}, {":00080", true}, {":65536", false}, {":80a0", false},
                 {":80:", false},  {":-80", false},  {".", true},       {"~", true},
                 {"/", false},     {"%41", true},    {"%4", false},     {"\xC3", false}};
    for (int length = 0; length < 36; length++) {
        for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
            char raw[128], expected[128];
            int size = snprintf(raw, sizeof raw, "GET / HTTP/1.1\r\nHost: %.*s%s\r\n\r\n", length,
                                "www.example-host.com.0123456789.abcdef", ports[i].port);
            snprintf(expected, sizeof expected, "GET / 1.1 none keep host=%.*s%s ", length,
                     "www.example-host.com.0123456789.abcdef", ports[i].port);
            feed_all(feed_head, NULL, raw, (size_t)size, ports[i].good ? expected : "400");
        }
    }
}

/* RFC 9112 9.3.2: what stands behind the head is the next request's, or the body's. */
TEST_PLAIN(rfc9112_9_3_2_pipelined_bytes_are_left)
{
    static const char raw[] = GET "\r\nGET /next HTTP/1.1\r\n\0\1";
    const char *trace = feed_all(feed_head, NULL, raw, sizeof raw - 1, "GET / 1.1 none keep");
    check_contains(trace, "bytes=27");
}

/* A head with a request line of `line` bytes, and a field that fills it up to `total` bytes. */
static size_t sized_head(char *raw, size_t line, size_t total)
{
    size_t length = 0;
    memcpy(raw, "GET /", 5);
    memset(raw + 5, 'x', line - 5 - 9);
    memcpy(raw + line - 9, " HTTP/1.1\r\n", 11);
    length = line + 2;
    memcpy(raw + length, HOST "X: ", 12);
    length += 12;
    if (total > length + 4) {
        memset(raw + length, 'y', total - length - 4);
        length = total - 4;
    }
    memcpy(raw + length, "\r\n\r\n", 4);
    return length + 4;
}

TEST_PLAIN(limits_at_n_and_one_more)
{
    static char raw[BIDE_CAP_HTTP_HEAD_BYTES + 4000];
    size_t line = BIDE_CAP_HTTP_REQUEST_LINE_BYTES;
    feed_all(feed_head, NULL, raw, sized_head(raw, line, 0), "GET /xxx");
    feed_all(feed_head, NULL, raw, sized_head(raw, line + 1, 0), "414");
    feed_all(feed_head, NULL, raw, sized_head(raw, line + 3, 0), "414");
    feed_all(feed_head, NULL, raw, sized_head(raw, 30, BIDE_CAP_HTTP_HEAD_BYTES), "GET /xxx");
    feed_all(feed_head, NULL, raw, sized_head(raw, 30, BIDE_CAP_HTTP_HEAD_BYTES + 1), "431");
    memset(raw, 'A', sizeof raw);
    feed_all(feed_head, NULL, raw, sizeof raw, "414");
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = "\r\n"[i % 2];
    feed_all(feed_head, NULL, raw, sizeof raw, "431");
}

TEST_PLAIN(as_many_fields_as_the_cap)
{
    for (int extra = 0; extra < 2; extra++) {
        char raw[4096];
        int length = snprintf(raw, sizeof raw, "GET / HTTP/1.1\r\n");
        for (int i = 0; i < BIDE_CAP_HTTP_HEADERS - 1 + extra; i++)
            length += snprintf(raw + length, sizeof raw - (size_t)length, "X%d: %d\r\n", i, i);
        length += snprintf(raw + length, sizeof raw - (size_t)length, "Host: a\r\n\r\n");
        feed_all(feed_head, NULL, raw, (size_t)length, extra ? "431" : "GET / 1.1 none keep");
    }
}

/* Every byte at every place of a usual request: no crash, and cuts change nothing. */
TEST_PLAIN(every_byte_everywhere, .timeout_ms = 60000)
{
    static const char usual[] = "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    struct bide__rng rng;
    bide__rng_init(&rng, 9112);
    for (size_t at = 0; at < sizeof usual - 1; at++) {
        for (int i = 0; i < 24; i++) {
            char raw[sizeof usual];
            memcpy(raw, usual, sizeof usual);
            raw[at] = i < 8 ? "\r\n\t :\0,\x7F"[i] : (char)bide__rng_next(&rng);
            feed_all(feed_head, NULL, raw, sizeof usual - 1, "");
        }
    }
}

TEST_PLAIN(fields_are_found_by_id_and_by_name)
{
    static const char raw[] =
        GET "X-one: 1\r\nCookie: a=b\r\ncookie: c=d\r\nRetry-After: 2\r\n\r\n";
    static struct bide__http_head head;
    struct bide__slice value;
    bide__http_head_request(&head);
    require(bide__http_head_parse(&head, raw, sizeof raw - 1) == BIDE__HTTP_DONE);
    check_int(bide__http_find(&head, BIDE__FIELD_COOKIE, 0), 2);
    check_int(bide__http_find(&head, BIDE__FIELD_COOKIE, 3), 3);
    check_int(bide__http_find(&head, BIDE__FIELD_COOKIE, 4), -1);
    check_int(bide__http_find(&head, BIDE__FIELD_ORIGIN, 0), -1);
    require(bide__http_value(&head, raw, BIDE__FIELD_COOKIE, &value));
    check(bide__slice_equal(value, bide__slice_of("a=b")));
    require(bide__http_value_named(&head, raw, bide__slice_of("x-ONE"), &value));
    check(bide__slice_equal(value, bide__slice_of("1")));
    check(!bide__http_value_named(&head, raw, bide__slice_of("x-two"), &value));
    check(!bide__http_value_named(&head, raw, bide__slice_of("cook\ne"), &value));
    check(!bide__http_value_named(&head, raw, bide__slice_of("retry\rafter"), &value));
    check(bide__http_value_named(&head, raw, bide__slice_of("RETRY-after"), &value));
    check(!bide__http_value_named(&head, raw, bide__slice_of(""), &value));
    check(!bide__http_value(&head, raw, BIDE__FIELD_ETAG, &value));
}
