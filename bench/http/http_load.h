/* What the loads of web servers share: reading replies. Those to one request are always of the same
 * length and end with the same body. */
#pragma once
#include "../load.h"

enum { REPLY_MOST_BYTES = 65536 };

/* The bytes of head and body of the reply that begins here, ended by NUL; 0 while its head has no
 * end. */
static inline size_t reply_length(const char *reply)
{
    const char *end = strstr(reply, "\r\n\r\n");
    const char *field = end ? strcasestr(reply, "\r\nContent-Length: ") : NULL;
    load_must(!end || (field && field < end), "a reply with a Content-Length");
    return end ? (size_t)(end + 4 - reply) + strtoul(field + 18, NULL, 10) : 0;
}

/* Reads one reply, whose length must be said by Content-Length, and which must have this status,
 * "200", and this body; else the program ends. Gives the bytes of head and body. */
static inline size_t reply_read(int fd, const char *status, const char *body)
{
    char reply[REPLY_MOST_BYTES + 1];
    size_t got = 0, expected = 0;
    while (expected == 0 || got < expected) {
        ssize_t part = recv(fd, reply + got, REPLY_MOST_BYTES - got, 0);
        load_must(part > 0, "a reply of at most 64 KiB");
        got += (size_t)part;
        reply[got] = 0;
        expected = reply_length(reply);
    }
    size_t length = strlen(body);
    if (got != expected || strncmp(reply, "HTTP/1.1 ", 9) != 0 ||
        strncmp(reply + 9, status, strlen(status)) != 0 || got < length ||
        strcmp(reply + got - length, body) != 0) {
        fprintf(stderr, "http load: not the reply that was expected: %.300s\n", reply);
        exit(1);
    }
    return expected;
}

static inline void request_send(int fd, const char *request, size_t length)
{
    load_must(send(fd, request, length, MSG_NOSIGNAL) == (ssize_t)length, "send");
}

/* Prints a word and waits for a line of the runner. */
static inline void load_say(const char *what)
{
    char line[16];
    puts(what);
    fflush(stdout);
    load_must(fgets(line, sizeof line, stdin) != NULL, "the runner is gone");
}
