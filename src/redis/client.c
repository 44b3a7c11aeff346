/*
 * client.c: opening and closing a client. Called by users; calls url.c, link.c, lease.c,
 * pipeline.c.
 */
#include "redis/redis.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "core/graph.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

const struct bide__kind bide__redis_kind = {.noun = "redis", .verb = "waits for"};

void bide__redis_check_caller(const bide_redis *client)
{
    if (bide__unlikely(client->forks != bide__process_forks))
        bide__misuse_fatal("redis %s is used in process %d, which was forked off after it was "
                           "opened: the connections are the parent's, a child opens its own",
                           client->address, (int)getpid());
    if (bide__unlikely(client->loop != bide__loop_here))
        bide__misuse("redis %s is used on loop %d: it belongs to loop %d", client->address,
                     bide__loop_here->index, client->loop->index);
}

void bide__redis_use(bide_redis *client)
{
    client->users++;
}

void bide__redis_unuse(bide_redis *client)
{
    if (--client->users > 0)
        return;
    bide__redis_link_close(&client->shared);
    bide_pool_free(client->leases);
    bide__free(client->slots);
    bide__free(client->unsent.data);
    bide__free(client->sending.data);
    bide__free(client);
}

static void set_options(bide_redis *client, const struct bide_redis_options *given)
{
    struct bide_redis_options *options = &client->options;
    if (given)
        *options = *given;
    snprintf(client->name, sizeof client->name, "%s", options->name ? options->name : "");
    options->name = client->name;
    if (options->max_waiting == 0)
        options->max_waiting = BIDE_CAP_REDIS_WAITING;
    if (options->max_leased == 0)
        options->max_leased = BIDE_CAP_REDIS_LEASED;
    if (options->timeout.ns == 0)
        options->timeout = bide_ms(BIDE_CAP_REDIS_MS);
    if (options->connect_timeout.ns == 0)
        options->connect_timeout = bide_ms(BIDE_CAP_REDIS_CONNECT_MS);
    if (options->stall.ns == 0)
        options->stall = bide_ms(BIDE_CAP_REDIS_STALL_MS);
    if (options->reply_bytes == 0)
        options->reply_bytes = BIDE_CAP_REDIS_REPLY_BYTES;
}

static void unuse(void *client)
{
    bide__redis_unuse(client);
}

bide_async(bide_redis_ptr) bide_redis_open(const char *url,
                                           const struct bide_redis_options *options)
{
    struct bide__redis_url place;
    const char *problem = bide__redis_missing();
    if (problem)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "redis: %s", problem));
    problem = bide__redis_url_parse(url, &place);
    if (problem)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "the redis URL: %s", problem));
    bide_redis *client = bide__calloc(1, sizeof *client);
    if (!client)
        bide__raise(-ENOMEM, NULL);
    client->client = client;
    client->url = place;
    client->loop = bide__loop_here;
    client->forks = bide__process_forks;
    client->users = 1;
    client->jitter = (uint64_t)bide__clock_monotonic_ns();
    if (place.port)
        snprintf(client->address, sizeof client->address, "%.100s:%u", place.host,
                 (unsigned)place.port);
    else
        snprintf(client->address, sizeof client->address, "unix:%.100s", place.host);
    bide__object_init(&client->object, &bide__redis_kind, client->address, bide__current->at);
    set_options(client, options);
    bide_on_error(unuse, client);
    if (bide__redis_leases_init(client) < 0)
        bide__raise(-ENOMEM, NULL);
    (void)bide_await(bide__redis_link_open(client, &client->shared));
    bide__redis_pipeline_start(client);
    return bide_ready(bide_redis_ptr, client);
}

void bide_redis_close(void *redis)
{
    bide_redis *client = redis;
    if (!client)
        return;
    bide__redis_check_caller(client->client);
    if (bide__unlikely(client->link || client->blocks > 0))
        bide__misuse("redis %s is closed while %zu of its connections are leased",
                     client->client->address, client->client->blocks);
    bide__redis_pipeline_stop(client);
    bide__redis_unuse(client);
}

bide_async(void) bide__redis_left(bide_redis_ptr redis, bide_error *error)
{
    (void)error;
    bide_redis_close(redis);
    return bide_void;
}
