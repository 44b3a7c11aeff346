/* The load on the echo servers: echo_load CASE PORT CONNECTIONS SERVER_PID
 *
 * N connections, each a closed loop: send 64 bytes, wait for the 64 bytes back, check them, send
 * the next. It warms up for a quarter of BENCH_MS, then counts for BENCH_MS milliseconds. Prints
 * the requests per second and, read from the scheduler's account of the server's threads, the
 * server's CPU per request and how busy both sides were: CASE requests/s CASE_cpu server
 * microseconds per request CASE_server_busy, CASE_load_busy   the share of its core that each used
 */
#include "../load.h"
#include <errno.h>
#include <sys/epoll.h>

enum { MESSAGE_BYTES = 64, EVENTS = 512 };

struct client {
    int fd;
    unsigned received; /* of the message under way */
    uint64_t sequence; /* the first bytes of that message */
};

static uint64_t answered;

static void send_next(struct client *client)
{
    char message[MESSAGE_BYTES] = {0};
    client->sequence++;
    client->received = 0;
    memcpy(message, &client->sequence, sizeof client->sequence);
    load_must(send(client->fd, message, sizeof message, MSG_NOSIGNAL) == sizeof message, "send");
}

static void receive(struct client *client)
{
    char message[MESSAGE_BYTES];
    ssize_t got = recv(client->fd, message, MESSAGE_BYTES - client->received, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    load_must(got > 0, "recv");
    if (client->received == 0 && got >= (ssize_t)sizeof client->sequence &&
        memcmp(message, &client->sequence, sizeof client->sequence) != 0) {
        fprintf(stderr, "echo_load: wrong bytes came back\n");
        exit(1);
    }
    client->received += (unsigned)got;
    if (client->received == MESSAGE_BYTES) {
        answered++;
        send_next(client);
    }
}

static void connect_all(int epoll, struct client *clients, int count, int port)
{
    for (int i = 0; i < count; i++) {
        clients[i] = (struct client){.fd = load_connect(port), .sequence = (uint64_t)i << 32};
        /* Level-triggered: a message that came in two parts is seen again. */
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        load_must(epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) == 0, "epoll_ctl");
    }
}

static void drive(int epoll, uint64_t until_ns)
{
    static struct epoll_event events[EVENTS];
    while (measure_now_ns() < until_ns) {
        int ready = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < ready; i++)
            receive(events[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: echo_load CASE PORT CONNECTIONS SERVER_PID\n");
        return 2;
    }
    int connections = atoi(argv[3]), server = atoi(argv[4]), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct client *clients = calloc((size_t)connections, sizeof *clients);
    load_must(clients && epoll >= 0, "start");
    connect_all(epoll, clients, connections, atoi(argv[2]));
    for (int i = 0; i < connections; i++)
        send_next(&clients[i]);
    drive(epoll, measure_now_ns() + measure_target_ns() / 4);

    uint64_t answered_before = answered;
    struct load_account account = load_begin(server);
    drive(epoll, account.start_ns + measure_target_ns());
    load_end(&account, argv[1], answered - answered_before);
    return answered > answered_before ? 0 : 1;
}
