/* The load of `login`: login_load PORT LOGINS SERVER_PID PASSWORD
 *
 * LOGINS connections, each a closed loop: the login of an account of its own (login0, login1 ...),
 * its reply, the next login. Beside them a probe on a connection of its own asks for /healthz every
 * PROBE_NS: how long the loop takes to answer. It warms up for a quarter of BENCH_MS, then counts
 * for BENCH_MS milliseconds. Prints what load_end says, if there are logins, and `login_p99`, of
 * the probes, in microseconds.
 *
 * A probe's time ends when its reply is on this side, as the kernel has noted: that this program,
 * too, must get a core is no fault of the server's. Probes that would have been due while one was
 * waited for count as if they had been sent: a loop that stands still is not seen only once. */
#include "../http/http_load.h"
#include <sys/epoll.h>
#include <sys/timerfd.h>

enum { PROBE_NS = 2000000, MOST_PROBES = 1000000, EVENTS = 64, REQUEST_BYTES = 512 };

struct client {
    int fd;
    bool waits; /* for a reply */
    size_t request_bytes, got;
    uint64_t sent_ns;
    char request[REQUEST_BYTES];
    char reply[REPLY_MOST_BYTES + 1];
};

static int port, epoll;
static struct client probe;
static bool counts;
static uint64_t answered, latencies[MOST_PROBES];
static size_t probed;

/* The clock of the kernel's notes. */
static uint64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void open_client(struct client *client)
{
    int on = 1;
    client->fd = load_connect(port);
    setsockopt(client->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    load_must(epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) == 0, "epoll_ctl");
}

static void ask(struct client *client)
{
    client->waits = true;
    client->got = 0;
    client->sent_ns = real_now_ns();
    request_send(client->fd, client->request, client->request_bytes);
}

static void note_probe(uint64_t came_ns)
{
    for (uint64_t due_ns = probe.sent_ns; counts && due_ns < came_ns; due_ns += PROBE_NS)
        if (probed < MOST_PROBES)
            latencies[probed++] = came_ns - due_ns;
}

/* A reply is whole. */
static void finish(struct client *client, uint64_t came_ns)
{
    client->waits = false;
    if (strncmp(client->reply, "HTTP/1.1 200 ", 13) != 0) {
        fprintf(stderr, "login_load: not the reply that was expected: %.300s\n", client->reply);
        exit(1);
    }
    /* A connection serves only so many requests. */
    if (strcasestr(client->reply, "\r\nConnection: close\r\n")) {
        close(client->fd);
        open_client(client);
    }
    if (client == &probe) {
        note_probe(came_ns);
        return;
    }
    answered++;
    ask(client);
}

/* When what was received came, or now where the kernel does not say so. */
static uint64_t came_at(struct msghdr *message)
{
    struct timespec came;
    for (struct cmsghdr *note = CMSG_FIRSTHDR(message); note; note = CMSG_NXTHDR(message, note)) {
        if (note->cmsg_level == SOL_SOCKET && note->cmsg_type == SO_TIMESTAMPNS) {
            memcpy(&came, CMSG_DATA(note), sizeof came);
            return (uint64_t)came.tv_sec * 1000000000u + (uint64_t)came.tv_nsec;
        }
    }
    return real_now_ns();
}

static void receive(struct client *client)
{
    char notes[256];
    struct iovec rest = {client->reply + client->got, REPLY_MOST_BYTES - client->got};
    struct msghdr message = {
        .msg_iov = &rest, .msg_iovlen = 1, .msg_control = notes, .msg_controllen = sizeof notes};
    ssize_t part = recvmsg(client->fd, &message, 0);
    load_must(part > 0 && client->waits, "a reply");
    client->got += (size_t)part;
    client->reply[client->got] = 0;
    size_t expected = reply_length(client->reply);
    load_must(expected == 0 || client->got <= expected, "one reply to one request");
    if (client->got == expected)
        finish(client, came_at(&message));
}

static void tick(int timer)
{
    uint64_t ticks;
    load_must(read(timer, &ticks, sizeof ticks) == sizeof ticks, "timerfd");
    if (!probe.waits)
        ask(&probe);
}

static void drive(int timer, uint64_t until_ns)
{
    static struct epoll_event events[EVENTS];
    while (measure_now_ns() < until_ns) {
        int ready = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else
                tick(timer);
        }
    }
}

static int open_timer(void)
{
    const struct itimerspec period = {{0, PROBE_NS}, {0, PROBE_NS}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    load_must(timer >= 0 && timerfd_settime(timer, 0, &period, NULL) == 0 &&
                  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0,
              "timerfd");
    return timer;
}

/* An application/x-www-form-urlencoded body; blanks are all that is escaped. */
static void prepare_login(struct client *client, int number, const char *password)
{
    char body[256];
    int body_bytes = snprintf(body, sizeof body, "username=login%d&password=%s", number, password);
    for (char *blank = body; (blank = strchr(blank, ' '));)
        *blank = '+';
    client->request_bytes = (size_t)snprintf(
        client->request, REQUEST_BYTES,
        "POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
        body_bytes, body);
    load_must(client->request_bytes < REQUEST_BYTES, "a shorter password");
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    int logins = argc == 5 ? atoi(argv[2]) : -1;
    struct client *clients = calloc((size_t)logins + 1, sizeof *clients);
    if (logins < 0 || !clients || (epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) {
        fprintf(stderr, "usage: login_load PORT LOGINS SERVER_PID PASSWORD\n");
        return 2;
    }
    port = atoi(argv[1]);
    probe.request_bytes =
        (size_t)snprintf(probe.request, REQUEST_BYTES,
                         "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n");
    open_client(&probe);
    int timer = open_timer();
    for (int i = 0; i < logins; i++) {
        prepare_login(&clients[i], i, argv[4]);
        open_client(&clients[i]);
        ask(&clients[i]);
    }
    drive(timer, measure_now_ns() + measure_target_ns() / 4);

    counts = true;
    answered = 0;
    struct load_account account = load_begin(atoi(argv[3]));
    drive(timer, account.start_ns + measure_target_ns());
    note_probe(probe.waits ? real_now_ns() : 0);
    if (logins > 0)
        load_end(&account, "login", answered);
    load_must(probed > 0, "a probe");
    qsort(latencies, probed, sizeof *latencies, by_size);
    printf("login_p99 %.3f\n", (double)latencies[probed * 99 / 100] / 1000);
    return logins == 0 || answered > 0 ? 0 : 1;
}
