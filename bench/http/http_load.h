/* What the two loads of this folder share: the replies of a server, which for one request are
 * always of the same length. */
#pragma once
#include "../load.h"

enum { REPLY_MOST_BYTES = 4096 };

static const char reply_status[] = "HTTP/1.1 200";

/* Sends one request and reads the reply, whose length must be said by Content-Length. Gives the
 * bytes of head and body; ends the program when the reply is no 200. */
static inline size_t reply_probe(int fd, const char *request, size_t length)
{
    char reply[REPLY_MOST_BYTES + 1];
    size_t got = 0, expected = 0;
    load_must(send(fd, request, length, MSG_NOSIGNAL) == (ssize_t)length, "send");
    while (expected == 0 || got < expected) {
        ssize_t part = recv(fd, reply + got, REPLY_MOST_BYTES - got, 0);
        load_must(part > 0, "a reply of at most 4096 bytes");
        got += (size_t)part;
        reply[got] = 0;
        char *body = strstr(reply, "\r\n\r\n");
        char *field = body ? strcasestr(reply, "\r\nContent-Length: ") : NULL;
        load_must(!body || (field && field < body), "a reply with a Content-Length");
        if (body)
            expected = (size_t)(body + 4 - reply) + strtoul(field + 18, NULL, 10);
    }
    if (got != expected || memcmp(reply, reply_status, sizeof reply_status - 1) != 0) {
        fprintf(stderr, "http load: not the reply that was expected: %s\n", reply);
        exit(1);
    }
    return expected;
}
