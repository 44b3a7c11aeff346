/*
 * connect.c: bide_connect_tcp and bide_connect_unix (include/bide/net.h). Calls name.c for the
 * addresses of a name, stream.c for each attempt.
 *
 *     address 0  |--------------------- attempt ------------ fails, or is slow
 *     address 1        |--- attempt --- connected: it is the stream, the others are cancelled
 *     address 2  ...       begins 250 ms after the one before, or when that has failed
 *
 * Source: RFC 8305 section 5 (happy eyeballs); the order of the addresses is the system's.
 */
#include "base/caps.h"
#include "base/clock.h"
#include "core/graph.h"
#include "io/endpoint.h"
#include "io/name.h"

#include <bide/group.h>

#include <errno.h>
#include <stdio.h>

/* ms between two attempts to connect while a unix listener's queue is full: no event tells when it
   has room. Doubles from the first to the last. */
enum { CONNECT_RETRY_FIRST_MS = 1, CONNECT_RETRY_LAST_MS = 64 };

static const struct bide__kind kind_connection = {.noun = "connection to", .verb = "waits for the"};

static const char connecting[] = "connect to";

/* 0, or a negative code. */
static int try_address(struct bide_task *me, struct bide__address *address,
                       bide_stream **ret_stream)
{
    char name[BIDE_ADDRESS_BYTES];
    int64_t pause_ns = CONNECT_RETRY_FIRST_MS * BIDE__NS_PER_MS;
    bide__address_format(address, name, sizeof name);
    struct bide__object object = {&kind_connection, name, me->head.at};
    int code = bide__checkpoint(me);
    while (code == 0 && (code = bide__stream_connect(me, address, name, ret_stream)) == -EBUSY) {
        code = bide__net_pause(me, NULL, &object, pause_ns);
        if (pause_ns < CONNECT_RETRY_LAST_MS * BIDE__NS_PER_MS)
            pause_ns *= 2;
    }
    return code;
}

static bide_stream *connect_one(struct bide__address *address)
{
    char name[BIDE_ADDRESS_BYTES];
    bide_stream *stream = NULL;
    int code = try_address(bide__task_current(), address, &stream);
    bide__address_format(address, name, sizeof name);
    if (code < 0)
        bide__net_raise(code, connecting, name);
    return stream;
}

/* ---- several addresses ---- */

struct race {
    struct bide__address *addresses;
    bide_stream *won;
    size_t running;
    int code; /* of the first that failed, which the system prefers; our own troubles before all */
    size_t failed;
    struct bide__queue changed; /* the task that started them */
};
typedef struct race *race_ptr;

static bide_async(void) run(race_ptr race, size_t index);
SPAWNABLE(void, run, race_ptr, size_t)
static bide_async(void) run(race_ptr race, size_t index)
{
    bide_stream *stream = NULL;
    int code = try_address(bide__task_current(), &race->addresses[index], &stream);
    race->running--;
    if (code == 0 && race->won)
        bide_close_stream(stream);
    else if (code == 0)
        race->won = stream;
    else if (code < 0 && (race->code == 0 || code == -ECANCELED || code == -ENOMEM)) {
        race->code = code;
        race->failed = index;
    }
    bide__wake_all(&race->changed, 0);
    if (code == -ECANCELED)
        bide__net_raise(code, connecting, NULL);
    return bide_void;
}

static void close_won(void *race_)
{
    struct race *race = race_;
    bide_close_stream(race->won);
}

/* Until one of them has ended, or the time is over. */
static void wait_for_change(struct race *race, struct bide__object *object, int64_t most_ns)
{
    int code = bide__net_pause(bide__task_current(), &race->changed, object, most_ns);
    if (code < 0)
        bide__net_raise(code, connecting, NULL);
}

static bide_stream *connect_any(const char *host, uint16_t port, struct bide__address *addresses,
                                size_t count)
{
    struct race race = {.addresses = addresses};
    struct bide__object object = {&kind_connection, host, bide__task_current()->head.at};
    char address[BIDE_ADDRESS_BYTES], name[BIDE_CAP_NAME_BYTES + BIDE_ADDRESS_BYTES + 16];
    {
        bide_on_error(close_won, &race);
        bide_with_group(attempts)
        {
            for (size_t i = 0; i < count && !race.won; i++) {
                race.running++;
                bide_spawn_void(attempts, run, &race, i);
                wait_for_change(&race, &object, BIDE_CAP_CONNECT_STAGGER_MS * BIDE__NS_PER_MS);
            }
            while (!race.won && race.running > 0)
                wait_for_change(&race, &object, BIDE_CAP_CONNECT_STAGGER_MS * BIDE__NS_PER_MS);
            bide_group_cancel(attempts, "another address answered");
        }
    }
    if (race.won)
        return race.won;
    bide__address_format(&addresses[race.failed], address, sizeof address);
    snprintf(name, sizeof name, "%s:%u (%s)", host, (unsigned)port, address);
    bide__net_raise(race.code, connecting, name);
}

/* ---- what users call ---- */

bide_async(bide_stream_ptr) bide_connect_tcp(const char *host, uint16_t port)
{
    struct bide__address addresses[BIDE_CAP_NAME_ADDRESSES];
    size_t count = bide__name_addresses(host, port, addresses);
    bide_stream *stream =
        count == 1 ? connect_one(&addresses[0]) : connect_any(host, port, addresses, count);
    return bide_ready(bide_stream_ptr, stream);
}

bide_async(bide_stream_ptr) bide_connect_unix(const char *path)
{
    struct bide__address address;
    int code = bide__address_parse_unix(path, &address);
    if (code < 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "connect to \"%s\": the path is %s",
                                  path ? path : "(null)",
                                  code == -EINVAL ? "empty" : "longer than 107 bytes"));
    return bide_ready(bide_stream_ptr, connect_one(&address));
}
