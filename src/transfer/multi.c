/*
 * multi.c: libcurl's multi socket interface on the loop.
 *
 * libcurl says which descriptors it waits for, and until when. They are in an epoll of their own,
 * level-triggered, as libcurl wants it; that epoll is one descriptor on the loop. Of the tasks
 * whose transfers are under way one waits for it, and for libcurl's timer, and lets libcurl work:
 * the driver. The others wait for their ends. A driver that leaves hands over to the next.
 *
 *     loop -- t->fd (epoll) -- sockets of transfers
 *     driver: wait -> socket_action -> who is done?     others: wait in t->others
 *
 * Invariants
 *  1. libcurl works only in the driver, and in the calls that add and remove a handle. Its
 *     callbacks change the epoll, the timer, and what the handles' owners set: nobody's code that
 *     could suspend, fail or cancel.
 *  2. While there are transfers, there is a driver, or a task that was woken to become it, or their
 *     tasks are at work between two steps.
 *  3. A transfer's record is in its task's frame: it is out of the multi handle before it goes.
 *
 * Source: libcurl's manual pages libcurl-multi(3), curl_multi_socket_action(3).
 */
#include "transfer/transfer.h"

#if BIDE_CURL
#include "base/mem.h"
#include "core/graph.h"
#include "io/address.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 64 };

struct bide__transfers {
    CURLM *multi;
    struct bide__fd fd; /* the epoll */
    struct bide__timer timer;
    bool due;                   /* the timer has fired */
    bool driven;                /* there is a driver */
    struct bide__queue others;  /* the tasks that are not it */
    struct bide__object object; /* what they wait for */
};

static const struct bide__kind kind_transfers = {.noun = "transfer", .verb = "waits for"};

/* ---- what libcurl calls ---- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *transfers, void *known)
{
    struct bide__transfers *t = transfers;
    struct epoll_event event = {
        .events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u),
        .data.fd = socket,
    };
    (void)easy;
    (void)known;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(t->fd.fd, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    /* libcurl may have closed the number, which took it out, and opened it anew. */
    if (epoll_ctl(t->fd.fd, EPOLL_CTL_MOD, socket, &event) == 0 ||
        epoll_ctl(t->fd.fd, EPOLL_CTL_ADD, socket, &event) == 0)
        return 0;
    return -1;
}

static int on_timer(CURLM *multi, long timeout_ms, void *transfers)
{
    struct bide__transfers *t = transfers;
    struct bide__loop *loop = bide__loop_here;
    (void)multi;
    t->due = false;
    if (timeout_ms < 0)
        bide__timer_disarm(&loop->timers, &t->timer);
    else
        bide__timer_arm(&loop->timers, &t->timer,
                        bide__loop_clock_ns(loop) + (int64_t)timeout_ms * 1000000);
    return 0;
}

static void timer_fired(struct bide__timer *timer)
{
    struct bide__transfers *t = bide__container_of(timer, struct bide__transfers, timer);
    t->due = true;
    if (t->fd.readers.first)
        bide__wake(t->fd.readers.first, -ETIME);
}

/* ---- making and freeing ---- */

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void global_init(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

void bide__transfers_free(struct bide__transfers *t)
{
    if (!t)
        return;
    if (t->multi)
        curl_multi_cleanup(t->multi);
    bide__timer_disarm(&bide__loop_here->timers, &t->timer);
    if (t->fd.io)
        t->fd.io->ops->detach(t->fd.io, &t->fd);
    if (t->fd.fd >= 0)
        close(t->fd.fd);
    bide__free(t);
}

int bide__transfers_new(const char *name, struct bide__transfers **ret_transfers)
{
    struct bide__transfers *t = bide__calloc(1, sizeof *t);
    struct bide__io *io = bide__loop_here->io;
    int code = t ? 0 : -ENOMEM;
    if (code < 0)
        return code;
    pthread_once(&global_once, global_init);
    t->timer.fire = timer_fired;
    t->multi = global_result == CURLE_OK ? curl_multi_init() : NULL;
    t->fd.fd = epoll_create1(EPOLL_CLOEXEC);
    code = !t->multi ? -ENOMEM : t->fd.fd < 0 ? -errno : 0;
    bide__object_init(&t->object, &kind_transfers, name, bide__current->at);
    t->fd.object = t->object;
    if (code == 0)
        code = io->ops->attach(io, &t->fd);
    if (code < 0) {
        bide__transfers_free(t);
        return code;
    }
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    *ret_transfers = t;
    return 0;
}

/* Where the loop has a network of its own. */
static curl_socket_t on_open(void *unused, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct bide__io *io = bide__loop_here->io;
    struct bide__address address = {.size = to->addrlen};
    (void)unused;
    (void)purpose;
    if (to->addrlen > sizeof address.un)
        return CURL_SOCKET_BAD;
    memcpy(&address.any, &to->addr, to->addrlen);
    int fd = io->ops->carry(io, &address);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    memcpy(&to->addr, &address.any, address.size); /* libcurl has room for any address */
    to->addrlen = address.size;
    return fd;
}

CURL *bide__transfer_easy(void)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (bide__unlikely(bide__loop_here->io->ops->carry != NULL))
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a cancel does not wait for the resolver */
#endif
    return easy;
}

/* ---- transfers ---- */

/* Which transfers have ended. */
static void collect(struct bide__transfers *t)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(t->multi, &left));) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct bide__transfer *transfer = (void *)private;
        transfer->done = true;
        transfer->result = message->data.result;
        if (transfer->wait.queue)
            bide__wake(&transfer->wait, 0);
    }
}

/* Lets libcurl do what can be done now. */
static int act(struct bide__transfers *t)
{
    struct epoll_event events[EVENTS];
    int running, count = epoll_wait(t->fd.fd, events, EVENTS, 0);
    CURLMcode result = CURLM_OK;
    for (int i = 0; i < count && result == CURLM_OK; i++) {
        uint32_t seen = events[i].events;
        int what = (seen & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (seen & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        result = curl_multi_socket_action(t->multi, events[i].data.fd, what, &running);
    }
    if (t->due && result == CURLM_OK) {
        t->due = false;
        result = curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect(t);
    return result == CURLM_OK ? 0 : -ENOMEM;
}

/* A turn of the driver: waits until there is something to do. */
static int drive(struct bide__transfers *t)
{
    struct bide_task *me = bide__task_current();
    struct bide__op op = {.kind = BIDE__OP_READABLE, .fd = &t->fd};
    int code = bide__checkpoint(me);
    t->driven = true;
    if (code == 0 && !t->due)
        code = t->fd.io->ops->perform(t->fd.io, &op);
    t->driven = false;
    if (code < 0 && code != -ETIME)
        return code;
    code = act(t);
    if (!op.waited)
        bide__done_at_once(me);
    return code;
}

static int wait_for_turn(struct bide__transfer *transfer)
{
    struct bide_task *me = bide__task_current();
    struct bide__transfers *t = transfer->transfers;
    int code = bide__checkpoint(me);
    return code < 0 ? code : bide__wait(me, &t->others, &transfer->wait, &t->object);
}

int bide__transfer_begin(struct bide__transfer *transfer, struct bide__transfers *transfers,
                         CURL *easy)
{
    *transfer = (struct bide__transfer){.transfers = transfers, .easy = easy};
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    if (curl_multi_add_handle(transfers->multi, easy) == CURLM_OK)
        return 0;
    transfer->easy = NULL;
    return -ENOMEM;
}

int bide__transfer_next(struct bide__transfer *transfer)
{
    struct bide__transfers *t = transfer->transfers;
    int code = 0;
    while (code == 0 && !transfer->done && !transfer->wanted)
        code = t->driven ? wait_for_turn(transfer) : drive(t);
    transfer->wanted = false;
    if (!t->driven && t->others.first)
        bide__wake(t->others.first, 0);
    return transfer->done ? 0 : code;
}

void bide__transfer_end(struct bide__transfer *transfer)
{
    if (transfer->easy)
        curl_multi_remove_handle(transfer->transfers->multi, transfer->easy);
    transfer->easy = NULL;
}

int bide__transfer(struct bide__transfers *t, CURL *easy, bool keep, CURLcode *ret_result)
{
    struct bide__transfer transfer;
    int code = bide__checkpoint(bide__task_current());
    if (code == 0)
        code = bide__transfer_begin(&transfer, t, easy);
    if (code < 0)
        return code;
    code = bide__transfer_next(&transfer);
    if (!transfer.done || !keep || transfer.result != CURLE_OK)
        bide__transfer_end(&transfer);
    if (!transfer.done)
        return code;
    *ret_result = transfer.result;
    return 0;
}

void bide__transfer_remove(struct bide__transfers *t, CURL *easy)
{
    curl_multi_remove_handle(t->multi, easy);
}
#endif
