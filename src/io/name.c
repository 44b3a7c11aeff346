/*
 * name.c: the addresses of host names (include/bide/name.h). Called by connect.c and users; calls
 * getaddrinfo(3) on threads of its own (thread.c), which nobody waits for at the end of a program:
 * a lane would keep it for as long as a name server is silent.
 *
 *     EMPTY -> QUEUED --a thread takes it--> ASKED --the system said something--> KNOWN
 *       ^        +---nobody waits any more---+ |                                    |
 *       +----------------------------------------+------- its place is needed ------+
 *
 * Invariants
 *  1. All of this is of the process, under one lock, which nobody holds for long.
 *  2. A waiter stands in its task's frame. It is in its entry's list until it is given the answer,
 *     under the lock; a cancel takes it out, or comes too late and waits for the mail.
 *  3. An entry whose answer somebody has still to read (`users`) keeps it.
 */
#include "io/name.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "core/error.h"
#include "core/graph.h"
#include "core/loop.h"
#include "io/endpoint.h"
#include "io/thread.h"

#include <bide/name.h>

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum entry_state { EMPTY, QUEUED, ASKED, KNOWN };

struct entry {
    enum entry_state state;
    struct bide__list_node node; /* in `line` while QUEUED */
    struct bide__list waiters;
    size_t users; /* tasks that wait, or were given the answer and have not read it */
    int64_t asked_ns, until_ns;
    int failure, system_errno; /* EAI_..., 0: there are addresses */
    size_t count;
    struct bide__address addresses[BIDE_CAP_NAME_ADDRESSES];
    char host[BIDE_CAP_NAME_BYTES + 1];
};

struct waiter {
    struct bide__list_node node;
    struct bide__loop *loop;
    bool given;
    struct bide__mail mail;
    struct bide__wait wait;
    struct bide__object object;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[BIDE_CAP_NAMES];
static struct bide__list line = {{&line.head, &line.head}};
static size_t threads;

static const struct bide__kind kind_name = {.noun = "addresses of", .verb = "waits for the"};

/* ---- the threads ---- */

static int ask_system(const char *host, struct bide__address *ret_addresses, size_t *ret_count)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    size_t count = 0;
    int failure = getaddrinfo(host, NULL, &hints, &found);
    if (failure)
        return failure;
    for (struct addrinfo *one = found; one && count < BIDE_CAP_NAME_ADDRESSES; one = one->ai_next) {
        if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
            continue;
        ret_addresses[count].size = one->ai_addrlen;
        memcpy(&ret_addresses[count++].any, one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(found);
    *ret_count = count;
    return count > 0 ? 0 : EAI_NONAME;
}

int (*bide__name_source)(const char *, struct bide__address *, size_t *) = ask_system;

/* With the lock, which it gives back in between. */
static void ask(struct entry *entry)
{
    char host[BIDE_CAP_NAME_BYTES + 1];
    struct bide__address addresses[BIDE_CAP_NAME_ADDRESSES];
    struct bide__list waiters;
    struct bide__list_node *node;
    size_t count = 0;
    entry->state = ASKED;
    memcpy(host, entry->host, sizeof host);
    pthread_mutex_unlock(&lock);
    int failure = bide__name_source(host, addresses, &count);
    int system_errno = errno;
    pthread_mutex_lock(&lock);
    entry->state = KNOWN;
    entry->failure = failure;
    entry->system_errno = system_errno;
    entry->count = failure ? 0 : count;
    memcpy(entry->addresses, addresses, entry->count * sizeof *addresses);
    int64_t kept_s = failure ? BIDE_CAP_NAME_FAILED_S : BIDE_CAP_NAME_TTL_S;
    entry->until_ns = entry->asked_ns + kept_s * BIDE__NS_PER_S;
    bide__list_init(&waiters);
    while ((node = bide__list_pop_front(&entry->waiters))) {
        bide__container_of(node, struct waiter, node)->given = true;
        bide__list_push_back(&waiters, node);
    }
    pthread_mutex_unlock(&lock);
    while ((node = bide__list_pop_front(&waiters))) {
        struct waiter *waiter = bide__container_of(node, struct waiter, node);
        bide__loop_post(waiter->loop, &waiter->mail); /* from here on it may be gone */
    }
    pthread_mutex_lock(&lock);
}

static void *thread_main(void *arg)
{
    struct bide__list_node *node;
    (void)arg;
    pthread_setname_np(pthread_self(), "bide-names");
    pthread_mutex_lock(&lock);
    while ((node = bide__list_pop_front(&line)))
        ask(bide__container_of(node, struct entry, node));
    threads--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* ---- entries, with the lock ---- */

static bool is_good(const struct entry *entry, int64_t now_ns)
{
    return entry->state == QUEUED || entry->state == ASKED ||
           (entry->state == KNOWN && (entry->users > 0 || entry->until_ns > now_ns));
}

/* The name's, which is `good`; or else one that nobody needs; NULL: there is none. */
static struct entry *find(const char *host, int64_t now_ns, bool *ret_good)
{
    struct entry *unused = NULL;
    for (size_t i = 0; i < BIDE_CAP_NAMES; i++) {
        struct entry *entry = &entries[i];
        bool same = entry->state != EMPTY && strcasecmp(entry->host, host) == 0;
        *ret_good = same && is_good(entry, now_ns);
        if (*ret_good)
            return entry;
        bool needed = entry->state == QUEUED || entry->state == ASKED || entry->users > 0;
        if (same || (!needed && (!unused || entry->until_ns < unused->until_ns)))
            unused = entry;
        if (same)
            break;
    }
    return unused;
}

/* 0, or a negative code: no thread will ever ask. */
static int queue(struct entry *entry, const char *host, int64_t now_ns)
{
    int code = 0;
    if (threads < BIDE_CAP_NAME_THREADS)
        code = bide__thread_start(thread_main, NULL, true);
    if (code == 0 && threads < BIDE_CAP_NAME_THREADS)
        threads++;
    if (threads == 0)
        return code;
    *entry = (struct entry){.state = QUEUED, .asked_ns = now_ns};
    snprintf(entry->host, sizeof entry->host, "%s", host);
    bide__list_init(&entry->waiters);
    bide__list_push_back(&line, &entry->node);
    return 0;
}

/* ---- tasks ---- */

static void deliver(struct bide__mail *mail)
{
    bide__wake(&bide__container_of(mail, struct waiter, mail)->wait, 0);
}

static void abort_wait(struct bide__wait *wait, int reason)
{
    struct waiter *waiter = bide__container_of(wait, struct waiter, wait);
    pthread_mutex_lock(&lock);
    bool taken_back = !waiter->given;
    if (taken_back)
        bide__list_remove(&waiter->node);
    pthread_mutex_unlock(&lock);
    if (taken_back)
        bide__wake(wait, reason);
}

/* Without the lock. 0 or -ECANCELED. */
static int wait_for(struct bide_task *me, struct waiter *waiter)
{
    me->loop->outside++;
    int code = bide__wait(me, NULL, &waiter->wait, &waiter->object);
    me->loop->outside--;
    return code;
}

/* Copies the answer: 0, a negative code, or EAI_... as it is with its errno. */
static int look_up(const char *host, struct bide__address *ret_addresses, size_t *ret_count,
                   int *ret_failure, int *ret_errno)
{
    struct bide_task *me = bide__task_current();
    int64_t now_ns = bide_clock_ns();
    struct waiter waiter = {.loop = me->loop, .mail.deliver = deliver, .wait.abort = abort_wait};
    int code = bide__checkpoint(me);
    if (code < 0)
        return code;
    bide__object_init(&waiter.object, &kind_name, host, me->head.at);
    pthread_mutex_lock(&lock);
    bool good;
    struct entry *entry = find(host, now_ns, &good);
    code = !entry ? -EMSGSIZE : good ? 0 : queue(entry, host, now_ns);
    if (code < 0) {
        pthread_mutex_unlock(&lock);
        return code;
    }
    bool known = entry->state == KNOWN;
    entry->users++;
    if (!known) {
        bide__list_push_back(&entry->waiters, &waiter.node);
        pthread_mutex_unlock(&lock);
        code = wait_for(me, &waiter);
        pthread_mutex_lock(&lock);
    }
    entry->users--;
    if (code == 0) {
        *ret_failure = entry->failure;
        *ret_errno = entry->system_errno;
        *ret_count = entry->count;
        memcpy(ret_addresses, entry->addresses, entry->count * sizeof *ret_addresses);
    } else if (entry->state == QUEUED && entry->users == 0) {
        bide__list_remove(&entry->node);
        entry->state = EMPTY;
    }
    pthread_mutex_unlock(&lock);
    if (known)
        bide__done_at_once(me);
    return code;
}

/* ---- names ---- */

/* RFC 1123 section 2.1, and `_`, which some networks use. What ends in a number is no name, or
   there would be more ways to write an address than anybody checks. */
static bool is_name(const char *host)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length = host ? strlen(host) : 0;
    if (length == 0 || length > BIDE_CAP_NAME_BYTES || strspn(host, allowed) != length ||
        host[0] == '.' || strstr(host, ".."))
        return false;
    size_t end = host[length - 1] == '.' ? length - 1 : length, last = end;
    while (last > 0 && host[last - 1] != '.')
        last--;
    bool hex = host[last] == '0' && (host[last + 1] | 0x20) == 'x';
    return !hex && strspn(host + last, "0123456789") < end - last;
}

static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t length = strlen(host), size = sizeof name - 1;
    length -= host[length - 1] == '.';
    return length >= size && strncasecmp(host + length - size, name, size) == 0 &&
           (length == size || host[length - size - 1] == '.');
}

static void set_port(struct bide__address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->in.sin_port = htons(port);
    else
        address->in6.sin6_port = htons(port);
}

static __attribute__((noreturn, cold)) void raise_failure(const char *host, int failure,
                                                          int system_errno)
{
    const char *why = failure == EAI_SYSTEM ? strerror(system_errno) : gai_strerror(failure);
    bide__fail(bide__current->at,
               bide_error_new(BIDE_UNREACHABLE, "the name \"%s\" has no address: %s", host, why));
}

size_t bide__name_addresses(const char *host, uint16_t port,
                            struct bide__address ret_addresses[BIDE_CAP_NAME_ADDRESSES])
{
    static const struct bide__object object = {&kind_name, NULL, NULL};
    size_t count = 0;
    int failure = 0, system_errno = 0;
    if (bide__address_parse(host, port, &ret_addresses[0]) == 0 && strcmp(host, "localhost") != 0)
        return 1;
    if (!is_name(host))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "\"%s\" is no host name and no numeric address",
                                  host ? host : "(null)"));
    if (is_localhost(host)) {
        bide__address_parse("127.0.0.1", port, &ret_addresses[0]);
        bide__address_parse("::1", port, &ret_addresses[1]);
        return 2;
    }
    bide__needs_kernel("a name that is looked up");
    int code = look_up(host, ret_addresses, &count, &failure, &system_errno);
    if (code == -ECANCELED || code == -EDEADLK)
        bide__raise(code, &object);
    if (code < 0)
        bide__fail(
            bide__current->at,
            bide_error_new(BIDE_LIMIT, "the name \"%s\" cannot be looked up: %s", host,
                           code == -EMSGSIZE ? "too many are asked for already" : strerror(-code)));
    if (failure)
        raise_failure(host, failure, system_errno);
    for (size_t i = 0; i < count; i++)
        set_port(&ret_addresses[i], port);
    return count;
}

bide_async(bide_resolved_list) bide_resolve(const char *host, uint16_t port)
{
    struct bide__address addresses[BIDE_CAP_NAME_ADDRESSES];
    size_t count = bide__name_addresses(host, port, addresses);
    bide_arena *arena = bide_task_arena();
    bide_resolved *items = arena ? bide_arena_alloc_zero(arena, count, sizeof *items) : NULL;
    if (!items)
        bide__raise(-ENOMEM, NULL);
    for (size_t i = 0; i < count; i++) {
        bide__address_host(&addresses[i], items[i].host, sizeof items[i].host);
        items[i].port = port;
    }
    return bide_ready(bide_resolved_list, ((bide_resolved_list){items, count}));
}
