/*
 * Response heads: RFC 9112 section 4, and where the body ends by 6.3.
 */
#include "head_feed.h"

static const enum bide__http_method get = BIDE__HTTP_GET, head_method = BIDE__HTTP_HEAD,
                                    connect_method = BIDE__HTTP_CONNECT;

static void answers(const enum bide__http_method *method, const char *raw, const char *expected)
{
    feed_all(feed_head, method, raw, strlen(raw), expected);
}

TEST_PLAIN(rfc9112_4_status_line)
{
    answers(&get, "HTTP/1.1 200 OK\r\n\r\n", "200 OK 1.1 close-delimited close");
    answers(&get, "HTTP/1.1 404 Not Found at all\r\nContent-Length: 0\r\n\r\n",
            "404 Not Found at all 1.1 none keep | Content-Length: 0");
    answers(&get, "HTTP/1.1 204 \r\n\r\n", "204  1.1 none keep");
    answers(&get, "HTTP/1.1 204\r\n\r\n", "204  1.1 none keep");
    answers(&get, "HTTP/1.1 599 \xC3\xA9\t\r\nContent-Length: 5\r\n\r\n",
            "599 \xC3\xA9\t 1.1 length=5 keep");
    answers(&get, "HTTP/1.1 099 x\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 600 x\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 2000 x\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 20 x\r\n\r\n", "400");
    answers(&get, "HTTP/1.1  200 x\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 200x\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 200 a\rb\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 200 a\n\r\n", "400");
    answers(&get, "HTTP/2.0 200 OK\r\n\r\n", "505");
    answers(&get, "ICY 200 OK\r\n\r\n", "400");
    answers(&get, "\r\nHTTP/1.1 200 OK\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "400");
}

TEST_PLAIN(rfc9112_6_3_body_of_a_response)
{
    answers(&head_method, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK 1.1 none keep");
    answers(&get, "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", "304 x 1.1 none keep");
    answers(&get, "HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", "204 x 1.1 none keep");
    answers(&get, "HTTP/1.1 100 x\r\n\r\n", "100 x 1.1 none keep");
    answers(&connect_method, "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n",
            "200 x 1.1 none keep upgrade");
    answers(&connect_method, "HTTP/1.1 407 x\r\nContent-Length: 5\r\n\r\n",
            "407 x 1.1 length=5 keep");
    answers(&get, "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "200 x 1.1 chunked keep");
    answers(&get, "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "400");
    answers(&get, "HTTP/1.1 200 x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400");
    answers(&get, "HTTP/1.1 200 x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501");
    answers(&get, "HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "400");
    answers(&get, "HTTP/1.0 200 x\r\n\r\n", "200 x 1.0 close-delimited close");
    answers(&get, "HTTP/1.0 200 x\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
            "200 x 1.0 length=5 keep");
    answers(&get, "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n",
            "101 x 1.1 none keep upgrade");
    answers(&get, "HTTP/1.1 200 x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n",
            "200 x 1.1 close-delimited close |");
}
