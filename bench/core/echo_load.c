/* The load on the echo servers: echo_load CASE PORT CONNECTIONS SERVER_PID
 *
 * N connections, each a closed loop: send 64 bytes, wait for the 64 bytes back, check them, send
 * the next. It warms up for a quarter of BENCH_MS, then counts for BENCH_MS milliseconds. Prints
 * the requests per second and, read from the scheduler's account of the server's threads, the
 * server's CPU per request and how busy both sides were: CASE requests/s CASE_cpu server
 * microseconds per request CASE_server_busy, CASE_load_busy   the share of its core that each used
 */
#include "measure.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 64, EVENTS = 512 };

struct client {
    int fd;
    unsigned received; /* of the message under way */
    uint64_t sequence; /* the first bytes of that message */
};

static uint64_t answered;

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void send_next(struct client *client)
{
    char message[MESSAGE_BYTES] = {0};
    client->sequence++;
    client->received = 0;
    memcpy(message, &client->sequence, sizeof client->sequence);
    must(send(client->fd, message, sizeof message, MSG_NOSIGNAL) == sizeof message, "send");
}

static void receive(struct client *client)
{
    char message[MESSAGE_BYTES];
    ssize_t got = recv(client->fd, message, MESSAGE_BYTES - client->received, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    must(got > 0, "recv");
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
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(fd >= 0, "socket");
        must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        clients[i] = (struct client){.fd = fd, .sequence = (uint64_t)i << 32};
        /* Level-triggered: a message that came in two parts is seen again. */
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
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

/* The CPU time of every thread of a process; 0 where the kernel does not keep it. */
static uint64_t cpu_ns(int pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    uint64_t total_ns = 0;
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        unsigned long long ran_ns = 0;
        if (entry->d_name[0] == '.') /* `..` has a schedstat too */
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.32s/schedstat", pid, entry->d_name);
        FILE *file = fopen(path, "r");
        if (file && fscanf(file, "%llu", &ran_ns) == 1)
            total_ns += ran_ns;
        if (file)
            fclose(file);
    }
    if (threads)
        closedir(threads);
    return total_ns;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: echo_load CASE PORT CONNECTIONS SERVER_PID\n");
        return 2;
    }
    int connections = atoi(argv[3]), server = atoi(argv[4]), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct client *clients = calloc((size_t)connections, sizeof *clients);
    must(clients && epoll >= 0, "start");
    connect_all(epoll, clients, connections, atoi(argv[2]));
    for (int i = 0; i < connections; i++)
        send_next(&clients[i]);
    drive(epoll, measure_now_ns() + measure_target_ns() / 4);

    uint64_t answered_before = answered, server_before_ns = cpu_ns(server);
    uint64_t own_before_ns = cpu_ns(getpid()), start_ns = measure_now_ns();
    drive(epoll, start_ns + measure_target_ns());
    double elapsed_ns = (double)(measure_now_ns() - start_ns);
    double server_ns = (double)(cpu_ns(server) - server_before_ns);
    double own_ns = (double)(cpu_ns(getpid()) - own_before_ns);
    double requests = (double)(answered - answered_before);
    printf("%s %.1f\n", argv[1], requests * 1e9 / elapsed_ns);
    if (server_ns > 0 && requests > 0) {
        printf("%s_cpu %.4f\n", argv[1], server_ns / requests / 1000);
        printf("%s_server_busy %.3f\n", argv[1], server_ns / elapsed_ns);
        printf("%s_load_busy %.3f\n", argv[1], own_ns / elapsed_ns);
    }
    return requests > 0 ? 0 : 1;
}
