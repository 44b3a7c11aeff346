/* What the bare loops share: the replies, with the Date of the second, the counting of heads, the
 * listening socket. */
#ifndef RIVAL_BARE_H
#define RIVAL_BARE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_BYTES = 1024, COPIES = 64, LIFETIME_S = 120 };
enum { KEPT_BYTES = 3, BLOCK_BYTES = 240 }; /* a block is counted in a byte */

static char replies[COPIES * REPLY_BYTES];
static size_t reply_bytes, date_at;

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void refresh_date(void)
{
    static time_t shown_s;
    time_t now_s = time(NULL);
    char date[64];
    struct tm parts;
    if (now_s == shown_s)
        return;
    shown_s = now_s;
    size_t length =
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now_s, &parts));
    for (size_t i = 0; i < COPIES; i++)
        memcpy(replies + i * reply_bytes + date_at, date, length);
}

static void read_reply(const char *path)
{
    FILE *file = fopen(path, "r");
    must(file != NULL, path);
    reply_bytes = fread(replies, 1, REPLY_BYTES, file);
    fclose(file);
    char *date = memmem(replies, reply_bytes, "\r\nDate: ", 8);
    must(reply_bytes > 0 && date != NULL, "a reply with a Date");
    date_at = (size_t)(date + 8 - replies);
    for (size_t i = 1; i < COPIES; i++)
        memcpy(replies + i * reply_bytes, replies, reply_bytes);
    refresh_date();
}

/* How many empty lines begin at bytes[0] to bytes[count - 1]; three more bytes can be read. */
static unsigned heads_in_block(const char *bytes, size_t count)
{
    uint8_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += (uint8_t)((bytes[i] == '\r') & (bytes[i + 1] == '\n') & (bytes[i + 2] == '\r') &
                           (bytes[i + 3] == '\n'));
    return found;
}

static unsigned heads_in(const char *bytes, size_t length)
{
    size_t starts = length > KEPT_BYTES ? length - KEPT_BYTES : 0, at = 0;
    unsigned found = 0;
    for (; starts - at >= BLOCK_BYTES; at += BLOCK_BYTES)
        found += heads_in_block(bytes + at, BLOCK_BYTES);
    return found + heads_in_block(bytes + at, starts - at);
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(listener >= 0, "socket");
    /* Accepted connections inherit it. */
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 4096) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

#endif
