/* The load on the servers: http_load CASE PORT CONNECTIONS DEPTH SERVER_PID
 *
 * N connections, each a closed loop: DEPTH requests in one send, wait for all their replies, then
 * the next. Every reply must be a 200 and begin where the one before ended: the replies to this one
 * request are all as long as the first, which was read with care. It warms up for a quarter of
 * BENCH_MS, then counts for BENCH_MS milliseconds. Prints what load_end says, and from the sending
 * of a request to the end of its reply, CASE_p50 and CASE_p99 in microseconds. */
#include "http_load.h"
#include <errno.h>
#include <sys/epoll.h>

enum { MOST_DEPTH = 64, INPUT_BYTES = 65536, EVENTS = 512 };
/* Latencies are counted in buckets that are 1/32 as wide as the power of two they lie in. */
enum { BUCKET_BITS = 5, BUCKETS = 64 << BUCKET_BITS };

static const char request[] = "GET /plaintext HTTP/1.1\r\n"
                              "Host: 127.0.0.1\r\n"
                              "User-Agent: bench\r\n"
                              "Accept: */*\r\n"
                              "\r\n";

struct client {
    int fd;
    unsigned missing; /* replies of the batch that have not ended */
    size_t at;        /* bytes of the reply under way */
    uint64_t sent_ns;
};

static char batch[MOST_DEPTH * sizeof request], input[INPUT_BYTES];
static size_t batch_bytes, reply_bytes;
static unsigned depth;
static uint64_t answered, latencies[BUCKETS];

static void send_next(struct client *client, uint64_t now_ns)
{
    client->missing = depth;
    client->sent_ns = now_ns;
    /* A batch is smaller than the smallest send buffer, and the one before it was read. */
    load_must(send(client->fd, batch, batch_bytes, MSG_NOSIGNAL) == (ssize_t)batch_bytes, "send");
}

static size_t bucket_of(uint64_t ns)
{
    if (ns >> BUCKET_BITS == 0)
        return ns;
    unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - BUCKET_BITS;
    return ((size_t)(shift + 1) << BUCKET_BITS) + (ns >> shift) - (1U << BUCKET_BITS);
}

/* The middle of a bucket. */
static double bucket_us(size_t bucket)
{
    if (bucket >> BUCKET_BITS == 0)
        return (double)bucket / 1000;
    unsigned shift = (unsigned)(bucket >> BUCKET_BITS) - 1;
    uint64_t low = ((bucket & ((1U << BUCKET_BITS) - 1)) + (1U << BUCKET_BITS)) << shift;
    return ((double)low + (double)(UINT64_C(1) << shift) / 2) / 1000;
}

static void check_status(size_t at, const char *bytes, size_t length)
{
    const size_t status_bytes = sizeof reply_status - 1;
    if (at >= status_bytes)
        return;
    size_t size = length < status_bytes - at ? length : status_bytes - at;
    if (memcmp(reply_status + at, bytes, size) != 0) {
        fprintf(stderr, "http_load: a reply that is no 200, or of another length: %.*s\n",
                (int)(length < 200 ? length : 200), bytes);
        exit(1);
    }
}

/* Counts the replies that end in what came; false when it is more than was asked for. */
static bool count_replies(struct client *client, const char *bytes, size_t length, uint64_t now_ns)
{
    while (length > 0) {
        size_t size = reply_bytes - client->at < length ? reply_bytes - client->at : length;
        if (client->missing == 0)
            return false;
        check_status(client->at, bytes, size);
        client->at += size;
        bytes += size;
        length -= size;
        if (client->at < reply_bytes)
            break;
        client->at = 0;
        client->missing--;
        answered++;
        latencies[bucket_of(now_ns - client->sent_ns)]++;
    }
    return true;
}

static void receive(struct client *client)
{
    ssize_t got = recv(client->fd, input, INPUT_BYTES, 0);
    load_must(got > 0, "recv");
    uint64_t now_ns = measure_now_ns();
    if (!count_replies(client, input, (size_t)got, now_ns)) {
        fprintf(stderr, "http_load: more replies than requests\n");
        exit(1);
    }
    if (client->missing == 0)
        send_next(client, now_ns);
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

static double percentile_us(double share)
{
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        total += latencies[i];
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += latencies[i];
        if ((double)seen >= share * (double)total)
            return bucket_us(i);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 6 || (depth = (unsigned)atoi(argv[4])) < 1 || depth > MOST_DEPTH) {
        fprintf(stderr, "usage: http_load CASE PORT CONNECTIONS DEPTH SERVER_PID\n");
        return 2;
    }
    int connections = atoi(argv[3]), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct client *clients = calloc((size_t)connections, sizeof *clients);
    load_must(clients && epoll >= 0, "start");
    for (; batch_bytes < depth * (sizeof request - 1); batch_bytes += sizeof request - 1)
        memcpy(batch + batch_bytes, request, sizeof request - 1);
    for (int i = 0; i < connections; i++) {
        clients[i].fd = load_connect(atoi(argv[2]));
        reply_bytes = reply_probe(clients[i].fd, request, sizeof request - 1);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        load_must(epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) == 0, "epoll_ctl");
    }
    for (int i = 0; i < connections; i++)
        send_next(&clients[i], measure_now_ns());
    drive(epoll, measure_now_ns() + measure_target_ns() / 4);

    uint64_t answered_before = answered;
    memset(latencies, 0, sizeof latencies);
    struct load_account account = load_begin(atoi(argv[5]));
    drive(epoll, account.start_ns + measure_target_ns());
    load_end(&account, argv[1], answered - answered_before);
    printf("%s_p50 %.3f\n%s_p99 %.3f\n", argv[1], percentile_us(0.5), argv[1], percentile_us(0.99));
    return answered > answered_before ? 0 : 1;
}
