/* The load on the servers: http_load CASE PORT CONNECTIONS DEPTH SERVER_PID REQUEST STATUS BODY
 *     [LOOP]
 *
 * N connections, each a closed loop: DEPTH requests in one send, wait for all their replies, then
 * the next. Every reply must have this status and body, and begin where the one before ended: the
 * replies to one request are all as long as the first, which was read with care. It warms up for a
 * quarter of BENCH_MS, then counts for BENCH_MS milliseconds. Prints what load_end says, and from
 * the sending of a request to the end of its reply, CASE_p50 and CASE_p99 in microseconds. With a
 * LOOP it keeps only connections for which `/loop` answers with that digit, and prints `WARM` and
 * awaits a line before it counts: several loads begin together. */
#include "http_load.h"
#include <errno.h>
#include <sys/epoll.h>

enum { MOST_DEPTH = 64, MOST_REQUEST_BYTES = 1024, INPUT_BYTES = 65536, EVENTS = 512 };
/* Latencies are counted in buckets that are 1/32 as wide as the power of two they lie in. */
enum { BUCKET_BITS = 5, BUCKETS = 64 << BUCKET_BITS };

struct client {
    int fd;
    unsigned missing; /* replies of the batch that have not ended */
    size_t at;        /* bytes of the reply under way */
    uint64_t sent_ns;
};

static char batch[MOST_DEPTH * MOST_REQUEST_BYTES], input[INPUT_BYTES];
static size_t batch_bytes, reply_bytes;
/* What a reply must begin and end with. */
static char begin[16];
static const char *body;
static size_t begin_bytes, body_at;
static unsigned depth;
static uint64_t answered, latencies[BUCKETS];

static void send_next(struct client *client, uint64_t now_ns)
{
    client->missing = depth;
    client->sent_ns = now_ns;
    /* A batch is smaller than the smallest send buffer, and the one before it was read. */
    request_send(client->fd, batch, batch_bytes);
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

/* Whether these bytes, the reply's from `at` on, are those of `expected`, which lie at `place`. */
static bool as_expected(size_t at, const char *bytes, size_t length, size_t place,
                        const char *expected, size_t expected_bytes)
{
    size_t from = at > place ? at : place, to = place + expected_bytes;
    if (to > at + length)
        to = at + length;
    return from >= to || memcmp(expected + (from - place), bytes + (from - at), to - from) == 0;
}

static void check_reply(size_t at, const char *bytes, size_t length)
{
    if (as_expected(at, bytes, length, 0, begin, begin_bytes) &&
        as_expected(at, bytes, length, body_at, body, reply_bytes - body_at))
        return;
    fprintf(stderr, "http_load: a reply of another status, length or body: %.*s\n",
            (int)(length < 300 ? length : 300), bytes);
    exit(1);
}

/* Counts the replies that end in what came; false when it is more than was asked for. */
static bool count_replies(struct client *client, const char *bytes, size_t length, uint64_t now_ns)
{
    while (length > 0) {
        size_t size = reply_bytes - client->at < length ? reply_bytes - client->at : length;
        if (client->missing == 0)
            return false;
        check_reply(client->at, bytes, size);
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

/* DEPTH copies of the request, and what its replies must be. */
static void prepare(const char *request, const char *status, const char *expected)
{
    size_t request_bytes = strlen(request);
    load_must(request_bytes <= MOST_REQUEST_BYTES, "a request of at most 1024 bytes");
    for (unsigned i = 0; i < depth; i++, batch_bytes += request_bytes)
        memcpy(batch + batch_bytes, request, request_bytes);
    begin_bytes = (size_t)snprintf(begin, sizeof begin, "HTTP/1.1 %.3s", status);
    body = expected;
}

/* Whether the server's loop with this digit has the connection. */
static bool is_of_loop(int fd, char digit)
{
    static const char ask[] = "GET /loop HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    char reply[1024] = {0};
    const char *end = NULL;
    request_send(fd, ask, sizeof ask - 1);
    for (size_t got = 0; !end || !end[4]; end = strstr(reply, "\r\n\r\n")) {
        ssize_t part = recv(fd, reply + got, sizeof reply - 1 - got, 0);
        load_must(part > 0, "the number of a loop");
        got += (size_t)part;
    }
    return end[4] == digit;
}

/* The kernel chooses a loop for each connection: it is asked until it has chosen this one. */
static int connect_loop(int port, char digit)
{
    int fd = load_connect(port);
    while (!is_of_loop(fd, digit)) {
        close(fd);
        fd = load_connect(port);
    }
    return fd;
}

static void connect_all(int epoll, struct client *clients, int count, int port, const char *loop)
{
    for (int i = 0; i < count; i++) {
        clients[i].fd = loop ? connect_loop(port, *loop) : load_connect(port);
        request_send(clients[i].fd, batch, batch_bytes / depth);
        reply_bytes = reply_read(clients[i].fd, begin + 9, body);
        body_at = reply_bytes - strlen(body);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        load_must(epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) == 0, "epoll_ctl");
    }
}

int main(int argc, char **argv)
{
    if (argc < 9 || (depth = (unsigned)atoi(argv[4])) < 1 || depth > MOST_DEPTH) {
        fprintf(stderr, "usage: http_load CASE PORT CONNECTIONS DEPTH SERVER_PID REQUEST STATUS "
                        "BODY [LOOP]\n");
        return 2;
    }
    const char *loop = argc > 9 ? argv[9] : NULL;
    int connections = atoi(argv[3]), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct client *clients = calloc((size_t)connections, sizeof *clients);
    load_must(clients && epoll >= 0, "start");
    prepare(argv[6], argv[7], argv[8]);
    connect_all(epoll, clients, connections, atoi(argv[2]), loop);
    for (int i = 0; i < connections; i++)
        send_next(&clients[i], measure_now_ns());
    drive(epoll, measure_now_ns() + measure_target_ns() / 4);
    if (loop)
        load_say("WARM");

    uint64_t answered_before = answered;
    memset(latencies, 0, sizeof latencies);
    struct load_account account = load_begin(atoi(argv[5]));
    drive(epoll, account.start_ns + measure_target_ns());
    load_end(&account, argv[1], answered - answered_before);
    printf("%s_p50 %.3f\n%s_p99 %.3f\n", argv[1], percentile_us(0.5), argv[1], percentile_us(0.99));
    return answered > answered_before ? 0 : 1;
}
