/*
 * Parses one of some heads so many times: for callgrind, see docs/internals/http_parsing.md. The
 * heads stand 16 behind each other, as pipelined requests do.
 *
 * usage: head_parse NUMBER ROUNDS, or NUMBER alone for the name of a head
 */
#include "http/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *raw;
} cases[] = {
    {"bench",
     "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"},
    {"curl", "GET /items/42 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\n"
             "Accept: */*\r\n\r\n"},
    {"host", "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"},
    {"six", "GET /plaintext HTTP/1.1\r\nHost: server\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20130501 Firefox/30.0 "
            "AppleWebKit/600.00 Chrome/30.0.0000.0 Trident/10.0 Safari/600.00\r\n"
            "Cookie: uid=12345678901234567890; __utma=1.1234567890.1234567890.1234567890."
            "1234567890.12; wd=2560x1600\r\n"
            "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
            "Accept-Language: en-US,en;q=0.5\r\nConnection: keep-alive\r\n\r\n"},
    {"browser",
     "GET /items/42?full=1&page=2 HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n"
     "Cache-Control: max-age=0\r\n"
     "sec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n"
     "sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
     "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/124.0.0.0 Safari/537.36\r\n"
     "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
     "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"
     "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n"
     "Sec-Fetch-Dest: document\r\nReferer: https://www.example.com/items\r\n"
     "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
     "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; "
     "_ga=GA1.1.1234567890.1234567890\r\n\r\n"},
    {"post", "POST /items HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: python-httpx/0.27.0\r\n"
             "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
             "Content-Type: application/json\r\nContent-Length: 42\r\n"
             "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop\r\n"
             "\r\n"},
};
enum { CASES = sizeof cases / sizeof cases[0], COPIES = 16 };

int main(int argc, char **argv)
{
    static struct bide__http_head head;
    int number = argc > 1 ? atoi(argv[1]) : 0, rounds = argc > 2 ? atoi(argv[2]) : 0;
    if (number < 0 || number >= CASES)
        return 1;
    if (rounds == 0)
        puts(cases[number].name);
    size_t length = strlen(cases[number].raw), held = COPIES * length;
    char *bytes = malloc(held);
    if (!bytes)
        return 1;
    for (size_t i = 0; i < COPIES; i++)
        memcpy(bytes + i * length, cases[number].raw, length);
    for (int i = 0; i < rounds; i++) {
        size_t at = (size_t)(i % COPIES) * length;
        bide__http_head_request(&head);
        if (bide__http_head_parse(&head, bytes + at, held - at) != BIDE__HTTP_DONE)
            return 1;
    }
    free(bytes);
    return 0;
}
