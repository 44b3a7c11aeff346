/*
 * link.c: one connection with the server, used by one task at a time: connecting, logging in, a
 * command and its reply. Called by pipeline.c (for logging in), lease.c and subscription.c; calls
 * the streams of bide/net.h.
 *
 * Invariants
 *  1. `busy` is set from before the first byte of a command is written until the last byte of its
 *     reply is read: a cancel, a deadline or an error in between leaves it set, and nobody uses the
 *     link for anything else.
 */
#include "redis/redis.h"

#include "base/mem.h"
#include "core/graph.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void raise_problem(const bide_redis *client, const struct bide__redis_reader *reader)
{
    bide__fail(bide__current->at,
               bide_error_new(BIDE_REDIS_PROTOCOL, "redis %s: %s", client->address,
                              bide__redis_reader_problem(reader)));
}

bide_async(void) bide__redis_link_next(const bide_redis *client, struct bide__redis_link *link,
                                       struct bide__redis_answer *answer)
{
    char bytes[4096];
    int code;
    while ((code = bide__redis_reader_next(link->reader, answer)) == 0) {
        size_t n = bide_await(bide_read(link->stream, bytes, sizeof bytes));
        if (n == 0)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_CLOSED, "redis %s: the server ended the connection",
                                      client->address));
        code = bide__redis_reader_feed(link->reader, bytes, n);
        if (code < 0)
            break;
    }
    if (code == -ENOMEM)
        bide__raise(code, &client->object);
    if (code < 0)
        raise_problem(client, link->reader);
    return bide_void;
}

/* Commands that are under way on a link. */
struct exchange {
    const bide_redis *client;
    struct bide__redis_link *link;
    const char *data;
    size_t size, commands;
    struct bide__redis_answer *answer;
};

static void read_last(void *arg) BIDE__UNCHECKED
{
    const struct exchange *this = arg;
    (void)bide_await(bide__redis_link_next(this->client, this->link, this->answer));
}

static void exchange(void *arg) BIDE__UNCHECKED
{
    const struct exchange *this = arg;
    struct bide__redis_answer *answer = this->answer, refused = {.arena = NULL};
    (void)bide_await(bide_write(this->link->stream, this->data, this->size));
    for (size_t left = this->commands; left > 1; left--) {
        struct bide__redis_answer step = {.arena = NULL};
        (void)bide_await(bide__redis_link_next(this->client, this->link, &step));
        if (step.reply.kind == BIDE_REDIS_ERROR && refused.reply.kind != BIDE_REDIS_ERROR)
            refused = step;
    }
    read_last(arg);
    /* The first error says why; the last one only that there was one. */
    if (answer->reply.kind == BIDE_REDIS_ERROR && refused.reply.kind == BIDE_REDIS_ERROR)
        memcpy(answer->text, refused.text, sizeof answer->text);
}

/* A server that has no room for us says so and hangs up, also before it was written to. */
static bool is_told_why(struct exchange *arg)
{
    return !bide__boundary(read_last, arg) && arg->answer->reply.kind == BIDE_REDIS_ERROR;
}

bide_async(void) bide__redis_link_call(const bide_redis *client, struct bide__redis_link *link,
                                       const char *data, size_t size, size_t commands,
                                       struct bide__redis_answer *answer)
{
    struct exchange arg = {client, link, data, size, commands, answer};
    if (bide__unlikely(link->busy || !link->stream))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_CLOSED,
                                  "redis %s: an earlier command was cut off on this connection",
                                  client->address));
    link->busy = true;
    answer->sent = link->in_use;
    if (bide__redis_may_have_changed(answer))
        bide__effect_note();
    bide_error *error = bide__boundary(exchange, &arg);
    if (bide__unlikely(error && !link->in_use && error->code == BIDE_SYSTEM && is_told_why(&arg)))
        return bide_void;
    if (bide__unlikely(error && link->in_use &&
                       (error->code == BIDE_CLOSED || error->code == BIDE_SYSTEM)))
        error = bide_error_new(BIDE_REDIS_LOST,
                               "redis %s: a command was sent, its outcome is unknown: %s",
                               client->address, error->message);
    if (bide__unlikely(error != NULL)) {
        error->never_again |= bide__redis_may_have_changed(answer);
        bide__fail(bide__current->at, error);
    }
    link->busy = false;
    return bide_void;
}

bide_async(void) bide__redis_link_command(const bide_redis *client, struct bide__redis_link *link,
                                          const bide_redis_arg *args, size_t count,
                                          struct bide__redis_answer *answer)
{
    size_t size = bide__redis_command_bytes(args, count);
    char small[512];
    char *large = size > sizeof small ? bide__alloc(size) : NULL;
    if (size > sizeof small && !large)
        bide__raise(-ENOMEM, &client->object);
    bide_defer(bide__free, large);
    char *data = large ? large : small;
    bide__redis_command_write(data, args, count);
    (void)bide_await(bide__redis_link_call(client, link, data, size, 1, answer));
    return bide_void;
}

void bide__redis_link_close(struct bide__redis_link *link)
{
    bide_close_stream(link->stream);
    bide__redis_reader_free(link->reader);
    *link = (struct bide__redis_link){.stream = NULL};
}

static void close_link(void *link)
{
    bide__redis_link_close(link);
}

/* One command of the login, which the server must accept. */
static bide_async(void) log_in(const bide_redis *client, struct bide__redis_link *link,
                               const bide_redis_arg *args, size_t count)
{
    struct bide__redis_answer answer = {.arena = NULL};
    (void)bide_await(bide__redis_link_command(client, link, args, count, &answer));
    bide__redis_check(client, args, &answer);
    return bide_void;
}

static bide_async(void) introduce(const bide_redis *client, struct bide__redis_link *link)
{
    const struct bide__redis_url *url = &client->url;
    if (url->password[0]) {
        const bide_redis_arg args[] = {bide__redis_text("AUTH"),
                                       bide__redis_text(url->user[0] ? url->user : url->password),
                                       bide__redis_text(url->password)};
        (void)bide_await(log_in(client, link, args, url->user[0] ? 3 : 2));
    }
    if (url->database != 0) {
        const bide_redis_arg args[] = {bide__redis_text("SELECT"),
                                       bide__redis_signed(url->database)};
        (void)bide_await(log_in(client, link, args, 2));
    }
    if (client->name[0]) {
        const bide_redis_arg args[] = {bide__redis_text("CLIENT"), bide__redis_text("SETNAME"),
                                       bide__redis_text(client->name)};
        (void)bide_await(log_in(client, link, args, 3));
    }
    /* What is on the port says so now, also when there was nothing to log in with. */
    const bide_redis_arg ping[] = {bide__redis_text("PING")};
    (void)bide_await(log_in(client, link, ping, 1));
    return bide_void;
}

/* A command that blocks waits for as long as it likes, but not for a peer that is gone: without
   this a connection that is open at one end only would never be found out. tcp(7). */
static void watch_peer(int fd)
{
    int on = 1, idle_s = BIDE_CAP_REDIS_ALIVE_S, every_s = BIDE_CAP_REDIS_ALIVE_EVERY_S;
    int count = BIDE_CAP_REDIS_ALIVE_COUNT;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

bide_async(void) bide__redis_link_open(bide_redis *client, struct bide__redis_link *link)
{
    *link = (struct bide__redis_link){.stream = NULL};
    bide_on_error(close_link, link);
    bide_with_deadline(client->options.connect_timeout)
    {
        link->reader = bide__redis_reader_new(client->options.reply_bytes);
        if (!link->reader)
            bide__raise(-ENOMEM, &client->object);
        link->stream = client->url.port
                           ? bide_await(bide_connect_tcp(client->url.host, client->url.port))
                           : bide_await(bide_connect_unix(client->url.host));
        if (client->url.port)
            watch_peer(bide_stream_fd(link->stream));
        (void)bide_await(introduce(client, link));
    }
    link->in_use = true;
    return bide_void;
}

bide_duration bide__redis_pause(bide_redis *client, unsigned attempt)
{
    int64_t ms = BIDE_CAP_REDIS_RETRY_FIRST_MS;
    while (attempt-- > 1 && ms < BIDE_CAP_REDIS_RETRY_LAST_MS)
        ms *= 2;
    if (ms > BIDE_CAP_REDIS_RETRY_LAST_MS)
        ms = BIDE_CAP_REDIS_RETRY_LAST_MS;
    uint64_t most_us = (uint64_t)ms * 1000;
    return bide_us((double)(most_us - bide__splitmix64(&client->jitter) % (most_us / 2)));
}
