/*
 * The last reply of a connection whose peer is slow to take it. As the web layer's, it goes along
 * with what others send, so on io_uring it may still wait for room when its task has left.
 */
#include "server_case.h"

#include "http/connection.h"

static struct bide__http_connection *served;

static async(void) answer(bide_exchange *x, void *arg)
{
    static const char body[64] = "a body";
    struct site *site = arg;
    served = x->connection;
    setsockopt(served->fd.fd, SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)); /* the least */
    x->ends_so = true;
    site->calls++;
    await(bide_reply(x, 200, "text/plain", body, sizeof body));
    return bide_void;
}

static int connect_small(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int));
    require(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static bool waits_for_room(void)
{
    return served && (served->task || served->fd.sends_later);
}

/* Asks and reads nothing, until a reply waits: how many it asked for. */
static async(int) ask_until_full(struct site *site, int fd)
{
    static const char request[] = GET("/");
    served = NULL;
    for (int asked = 1, looks = 0;; asked++) {
        require(send(fd, request, sizeof request - 1, 0) == sizeof request - 1);
        for (looks = 0; site->calls < asked || (waits_for_room() && looks < 50);) {
            await(bide_sleep(bide_ms(1)));
            looks += site->calls == asked;
        }
        if (looks == 50)
            return ready(int, asked);
    }
}

/* Whole replies up to the end of the stream; -1: a reset. */
static async(int) count_replies(int fd)
{
    enum { MOST = 1 << 20 };
    char *bytes = bide_arena_alloc(bide_task_arena(), MOST);
    size_t got = 0;
    ssize_t n;
    int whole = 0;
    require(bytes);
    while ((n = recv(fd, bytes + got, MOST - got, MSG_DONTWAIT)) != 0) {
        if (n < 0 && errno != EAGAIN)
            return ready(int, -1);
        if (n < 0)
            await(bide_sleep(bide_ms(1)));
        else
            got += (size_t)n;
    }
    for (size_t at = 0; at < got; whole++) {
        const char *body = memmem(bytes + at, got - at, "\r\n\r\na body", 10);
        if (!body || got - (size_t)(body + 4 - bytes) < 64)
            break;
        at = (size_t)(body + 4 + 64 - bytes);
    }
    return ready(int, whole);
}

/* It has no requests left. */
static async(void) half_closed(struct site *site)
{
    int fd = connect_small(site->port);
    int asked = await(ask_until_full(site, fd));
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 20; i++)
        await(bide_sleep(bide_ms(1)));
    check_int(await(count_replies(fd)), asked);
    close(fd);
    return bide_void;
}

TEST(the_last_reply_goes_out_after_the_end_of_the_requests, .real_clock = true, .timeout_ms = 20000)
{
    struct site site = {.options = {.requests = 0}};
    await(with_site(&site, answer, half_closed));
}

/* From now on the server's connections are idle for too long, and somebody looks. Whether this one
   had something to send still. */
static async(bool) sweep_idle(struct bide__http_server *server)
{
    server->options.idle = bide_ms(1);
    await(bide_sleep(bide_ms(2)));
    bool sends = served->fd.sends_later;
    bide__timer_disarm(&server->loop->timers, &server->sweep);
    server->sweep.fire(&server->sweep);
    return ready(bool, sends);
}

static async(void) swept(struct site *site)
{
    int fd = connect_small(site->port);
    int asked = await(ask_until_full(site, fd));
    (void)await(sweep_idle(served->server));
    check_int(await(count_replies(fd)), asked);
    close(fd);
    return bide_void;
}

TEST(a_connection_that_sends_is_not_idle, .real_clock = true, .timeout_ms = 20000)
{
    struct site site = {.options = {.requests = 0}};
    await(with_site(&site, answer, swept));
}

static async(void) stalled(struct site *site)
{
    int fd = connect_small(site->port);
    int asked = await(ask_until_full(site, fd));
    served->server->options.write_stall = bide_ms(1); /* a task that waits knows a longer one */
    bool sends = await(sweep_idle(served->server));
    check_int(await(count_replies(fd)), sends ? -1 : asked);
    close(fd);
    return bide_void;
}

TEST(a_peer_that_takes_no_copy_is_left, .real_clock = true, .timeout_ms = 20000)
{
    struct site site = {.options = {.requests = 0}};
    await(with_site(&site, answer, stalled));
}
