/*
 * lease.c: connections that one task has for itself: taken, given back, kept for the next one.
 * Called by users and by transaction.c; calls link.c.
 *
 * Invariants
 *  1. leased_count counts the connections in use, at most options.max_leased. A place is handed
 *     from who gives it back to who waits longest; a newcomer never overtakes.
 *  2. An idle connection owes no reply, and nothing stands unread in it.
 */
#include "redis/redis.h"

#include "base/mem.h"
#include "core/graph.h"

#include <errno.h>
#include <sys/socket.h>

struct lease {
    bide_redis handle; /* what the user has; of it `client`, `link` and `loop` are used */
    struct bide__redis_link link;
    struct bide__list_node node; /* in client->idle */
    bool discarded;
};

static struct lease *lease_of(bide_redis *leased)
{
    return bide__container_of(leased, struct lease, handle);
}

static void lease_free(struct lease *lease)
{
    bide__redis_link_close(&lease->link);
    bide__free(lease);
}

bide_async(void) bide__redis_place_take(bide_redis *client)
{
    if (client->closed || client->link)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_CLOSED, "redis %s: %s", client->client->address,
                                  client->link ? "this is a leased connection already"
                                               : "the client was closed"));
    int code = bide__checkpoint(bide__task_current());
    if (code == 0 && client->leased_count >= client->options.max_leased) {
        bide_with_deadline(client->options.connect_timeout)
        {
            struct bide__wait wait = {.payload = NULL};
            code = bide__wait(bide__task_current(), &client->lease_wanted, &wait, &client->object);
            if (code < 0)
                bide__raise(code, &client->object);
        }
        return bide_void; /* the place was handed over */
    }
    if (code < 0)
        bide__raise(code, &client->object);
    client->leased_count++;
    bide__redis_use(client);
    return bide_void;
}

void bide__redis_place_give(bide_redis *client)
{
    if (client->lease_wanted.first) {
        bide__wake(client->lease_wanted.first, 0);
        return;
    }
    client->leased_count--;
    bide__redis_unuse(client);
}

static void give_place(void *client)
{
    bide__redis_place_give(client);
}

/* Whether nothing is unread and the server is still there. */
static bool is_quiet(const struct bide__redis_link *link)
{
    char byte;
    return link->stream && !link->busy && !bide__redis_reader_holds(link->reader) &&
           recv(bide_stream_fd(link->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

static struct lease *idle_one(bide_redis *client)
{
    while (!bide__list_empty(&client->idle)) {
        struct bide__list_node *node = client->idle.head.previous;
        struct lease *lease = bide__container_of(node, struct lease, node);
        bide__list_remove(node);
        client->idle_count--;
        if (is_quiet(&lease->link))
            return lease;
        lease_free(lease);
    }
    return NULL;
}

bide_async(bide_redis_ptr) bide__redis_lease(bide_redis_ptr client)
{
    (void)bide_await(bide__redis_place_take(client));
    bide_on_error(give_place, client);
    struct lease *lease = idle_one(client);
    if (lease) {
        lease->handle.options.timeout = BIDE_FOREVER;
        return bide_ready(bide_redis_ptr, &lease->handle);
    }
    lease = bide__calloc(1, sizeof *lease);
    if (!lease)
        bide__raise(-ENOMEM, &client->object);
    bide_on_error(bide__free, lease);
    lease->handle.client = client;
    lease->handle.link = &lease->link;
    lease->handle.options.timeout = BIDE_FOREVER;
    (void)bide_await(bide__redis_link_open(client, &lease->link));
    return bide_ready(bide_redis_ptr, &lease->handle);
}

void bide__redis_return(bide_redis *leased, bool clean)
{
    struct lease *lease = lease_of(leased);
    bide_redis *client = leased->client;
    if (clean && !lease->discarded && !client->closed && client->idle_count < BIDE_CAP_REDIS_IDLE &&
        is_quiet(&lease->link)) {
        bide__list_push_back(&client->idle, &lease->node);
        client->idle_count++;
    } else {
        lease_free(lease);
    }
    bide__redis_place_give(client);
}

bide_async(void) bide__redis_give_back(bide_redis_ptr leased, bide_error *error)
{
    bide__redis_return(leased, !error);
    return bide_void;
}

void bide_redis_discard(bide_redis *leased)
{
    if (bide__unlikely(!leased->link))
        bide__misuse("bide_redis_discard of a connection that is not leased: %s", leased->address);
    lease_of(leased)->discarded = true;
}

void bide__redis_leases_close(bide_redis *client)
{
    while (!bide__list_empty(&client->idle)) {
        struct bide__list_node *node = bide__list_first(&client->idle);
        bide__list_remove(node);
        lease_free(bide__container_of(node, struct lease, node));
    }
    client->idle_count = 0;
}
