/*
 * pipeline.c: the connection that all tasks share. Commands are appended to one buffer and sent
 * together when the tasks that are ready have had their turn; replies are handed out in the order
 * of the commands. Called by command.c and client.c; calls link.c to connect.
 *
 * One background task (`keep`) connects; while there is a connection one sends (`send_all`) and
 * one reads (`read_all`), and neither goes on without the other. A task that waits parks in its own
 * frame, and its slot points there.
 *
 *     caller: slot + bytes, wake the sender, wait ... reader: reply of slot `first`, wake who waits
 *
 * Invariants
 *  1. first <= sent <= end. Slots before `sent` were handed to the kernel, wholly or in part; the
 *     bytes of those from `sent` on stand in `unsent`, in order.
 *  2. A slot's waiter is in its frame, and its wait is undecided: who wakes it moves `first` past
 *     it first; a cancel takes it out of its slot at once (`abandon`).
 *  3. A reply without a slot before `sent` ends the connection: nobody could say whose it is.
 */
#include "redis/redis.h"

#include "base/mem.h"
#include "core/graph.h"
#include "core/scope.h"

#include <bide/log.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A task that waits for a reply, in its frame. */
struct bide__redis_waiter {
    struct bide__wait wait;
    struct bide__redis_answer *answer;
    uint64_t number; /* of its slot */
};

static struct bide__redis_slot *slot_at(const bide_redis *client, uint64_t number)
{
    return &client->slots[number & (client->capacity - 1)];
}

char *bide__redis_output_room(struct bide__redis_output *output, size_t more)
{
    size_t needed = output->length + more, capacity = output->capacity ? output->capacity : 4096;
    if (bide__unlikely(needed > output->capacity)) {
        while (capacity < needed)
            capacity *= 2;
        char *data = bide__realloc(output->data, capacity);
        if (!data)
            return NULL;
        output->data = data;
        output->capacity = capacity;
    }
    return output->data + output->length;
}

/* Empty again; what was unusually large is given back. */
static void output_clear(struct bide__redis_output *output)
{
    output->length = 0;
    if (output->capacity <= BIDE_CAP_REDIS_IDLE_BYTES)
        return;
    bide__free(output->data);
    *output = (struct bide__redis_output){.data = NULL};
}

static bool more_slots(bide_redis *client)
{
    size_t old = client->capacity, grown = old ? old * 2 : 64;
    struct bide__redis_slot *slots = bide__alloc(grown * sizeof *slots);
    if (!slots)
        return false;
    for (uint64_t n = client->first; n < client->end; n++)
        slots[n & (grown - 1)] = *slot_at(client, n);
    bide__free(client->slots);
    client->slots = slots;
    client->capacity = grown;
    return true;
}

/* Takes out of `unsent` what was cancelled before it was sent. */
static void compact(bide_redis *client)
{
    struct bide__redis_output *out = &client->unsent;
    char *from = out->data, *to = out->data;
    uint64_t kept = client->sent;
    for (uint64_t n = client->sent; n < client->end; n++) {
        struct bide__redis_slot slot = *slot_at(client, n);
        if (slot.waiter) {
            memmove(to, from, slot.bytes);
            to += slot.bytes;
            slot.waiter->number = kept;
            *slot_at(client, kept++) = slot;
        }
        from += slot.bytes;
    }
    out->length = (size_t)(to - out->data);
    client->end = kept;
    client->dropped = 0;
}

static bool has_room(const bide_redis *client, size_t bytes)
{
    size_t length = client->unsent.length;
    return client->end - client->first < client->options.max_waiting &&
           (length == 0 || length + bytes <= BIDE_CAP_REDIS_OUTPUT_BYTES);
}

/* Queues a command for a waiter. */
static int append(bide_redis *client, const bide_redis_arg *args, size_t count,
                  struct bide__redis_waiter *waiter)
{
    size_t bytes = bide__redis_command_bytes(args, count);
    struct bide__redis_output *out = &client->unsent;
    if (bide__unlikely(!has_room(client, bytes))) {
        compact(client);
        if (!has_room(client, bytes))
            return -EAGAIN;
    }
    if (bide__unlikely(client->end - client->first == client->capacity) && !more_slots(client))
        return -ENOMEM;
    char *at = bide__redis_output_room(out, bytes);
    if (bide__unlikely(!at))
        return -ENOMEM;
    bide__redis_command_write(at, args, count);
    out->length += bytes;
    waiter->number = client->end++;
    *slot_at(client, waiter->number) = (struct bide__redis_slot){waiter, bytes};
    return 0;
}

/* A cancel: at once, since a reply may come before the task runs. */
static void abandon(struct bide__wait *wait, int reason)
{
    struct bide__redis_waiter *waiter = bide__container_of(wait, struct bide__redis_waiter, wait);
    bide_redis *client = wait->payload;
    slot_at(client, waiter->number)->waiter = NULL;
    waiter->answer->sent = waiter->number < client->sent;
    client->dropped += !waiter->answer->sent;
    bide__wake(wait, reason);
}

int bide__redis_pipeline_call(bide_redis *client, const bide_redis_arg *args, size_t count,
                              struct bide__redis_answer *answer)
{
    struct bide_task *me = bide__task_current();
    struct bide__redis_waiter waiter = {.answer = answer};
    waiter.wait.abort = abandon;
    waiter.wait.payload = client;
    int code = append(client, args, count, &waiter);
    if (bide__unlikely(code < 0))
        return code;
    if (client->sender.first)
        bide__wake(client->sender.first, 0);
    code = bide__wait(me, NULL, &waiter.wait, &client->object);
    answer->sent |= code == 0 || code == -ECONNRESET;
    return code;
}

/* Sending or reading has ended, however that was: the other one ends, too. */
static void hang_up(void *client_)
{
    bide_redis *client = client_;
    shutdown(bide_stream_fd(client->shared.stream), SHUT_RDWR);
    bide__wake_all(&client->sender, -EPIPE);
}

static bide_async(void) send_all(bide_redis_ptr client);
SPAWNABLE(void, send_all, bide_redis_ptr)
static bide_async(void) send_all(bide_redis_ptr client)
{
    struct bide_task *me = bide__task_current();
    bide_defer(hang_up, client);
    for (;;) {
        int code = bide__checkpoint(me);
        if (client->dropped > 0)
            compact(client);
        if (code == 0 && client->unsent.length == 0) {
            struct bide__wait wait = {.payload = NULL};
            code = bide__wait(me, &client->sender, &wait, &client->object);
        }
        if (code < 0)
            bide__raise(code, &client->object);
        if (client->dropped > 0 || client->unsent.length == 0)
            continue;
        struct bide__redis_output swapped = client->sending;
        client->sending = client->unsent;
        client->unsent = swapped;
        client->sent = client->end;
        (void)bide_await(
            bide_write(client->shared.stream, client->sending.data, client->sending.length));
        output_clear(&client->sending);
    }
}

/* Hands out the replies that are there. */
static void hand_out(bide_redis *client)
{
    struct bide__redis_reader *reader = client->shared.reader;
    for (;;) {
        bool owed = client->first < client->sent;
        struct bide__redis_waiter *waiter = owed ? slot_at(client, client->first)->waiter : NULL;
        int code = bide__redis_reader_next(reader, waiter ? waiter->answer : NULL);
        if (bide__unlikely(code < 0))
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_REDIS_PROTOCOL, "redis %s: %s", client->address,
                                      bide__redis_reader_problem(reader)));
        if (bide__unlikely(!owed && bide__redis_reader_holds(reader)) || (code == 1 && !owed))
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_REDIS_PROTOCOL,
                                      "redis %s: a reply that nobody has asked for",
                                      client->address));
        if (code == 0)
            return;
        client->first++;
        if (bide__likely(waiter != NULL))
            bide__wake(&waiter->wait, 0);
    }
}

static bide_async(void) read_all(bide_redis_ptr client);
SPAWNABLE(void, read_all, bide_redis_ptr)
static bide_async(void) read_all(bide_redis_ptr client)
{
    char *bytes = bide__alloc(BIDE_CAP_REDIS_READ_BYTES);
    if (!bytes)
        bide__raise(-ENOMEM, &client->object);
    bide_defer(bide__free, bytes);
    bide_defer(hang_up, client);
    for (;;) {
        bool late, owed = client->first < client->sent;
        uint64_t oldest = client->first;
        size_t n = bide_move_on_after(&late, client->options.stall, bide_read,
                                      client->shared.stream, bytes, BIDE_CAP_REDIS_READ_BYTES);
        if (n == 0 && late && !(owed && oldest == client->first))
            continue;
        if (n == 0)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_CLOSED, "redis %s: %s", client->address,
                                      late ? "the server has not replied for too long"
                                           : "the server ended the connection"));
        int code = bide__redis_reader_feed(client->shared.reader, bytes, n);
        if (code == -ENOMEM)
            bide__raise(code, &client->object);
        if (code < 0)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_REDIS_PROTOCOL, "redis %s: %s", client->address,
                                      bide__redis_reader_problem(client->shared.reader)));
        hand_out(client);
    }
}

static bide_async(void) serve(bide_redis_ptr client);
SPAWNABLE(void, serve, bide_redis_ptr)
static bide_async(void) serve(bide_redis_ptr client)
{
    if (!client->shared.stream) {
        (void)bide_await(bide__redis_link_open(client, &client->shared));
        bide_log(BIDE_LOG_INFO, "redis %s is connected again", client->address);
    }
    (void)bide_await(
        bide_gather(bide_into_void(send_all, client), bide_into_void(read_all, client)));
    return bide_void;
}

/* What was sent gets no reply any more. */
static void lose(bide_redis *client, int code, const char *why)
{
    while (client->first < client->sent) {
        struct bide__redis_waiter *waiter = slot_at(client, client->first++)->waiter;
        if (!waiter)
            continue;
        snprintf(waiter->answer->text, sizeof waiter->answer->text, "%s", why);
        bide__wake(&waiter->wait, code);
    }
}

static bide_async(void) stay_connected(bide_redis_ptr client);
SPAWNABLE(void, stay_connected, bide_redis_ptr)
static bide_async(void) stay_connected(bide_redis_ptr client)
{
    unsigned attempts = 0;
    while (!client->closed) {
        bide_error *error;
        bide_attempt(&error, serve, client);
        bool was_up = client->shared.stream != NULL;
        bide__redis_link_close(&client->shared);
        output_clear(&client->sending);
        if (!client->closed) {
            if (was_up)
                bide_log(BIDE_LOG_WARN, "redis %s: the connection is lost: %s", client->address,
                         error->message);
            lose(client, -ECONNRESET, error->message);
        }
        attempts = was_up ? 1 : attempts + 1;
        (void)bide_await(bide_sleep(bide__redis_pause(client, attempts)));
    }
    return bide_void;
}

static bide_async(void) keep(bide_redis_ptr client);
SPAWNABLE(void, keep, bide_redis_ptr)
static bide_async(void) keep(bide_redis_ptr client)
{
    bide_error *error;
    client->task = bide_current_task();
    bide_attempt(&error, stay_connected, client);
    /* However that ended, it is the end of the client. */
    client->task = (bide_task_ref){.task = NULL};
    bide__redis_link_close(&client->shared);
    bide__redis_pipeline_stop(client);
    bide__redis_leases_close(client);
    bide__redis_unuse(client);
    return bide_void;
}

void bide__redis_pipeline_start(bide_redis *client)
{
    bide_spawn_void(bide_background(), keep, client);
    bide__redis_use(client);
}

void bide__redis_pipeline_stop(bide_redis *client)
{
    if (client->closed)
        return;
    client->closed = true;
    if (client->task.task) /* else it has not begun, and will see `closed` */
        bide_cancel_task(client->task, "the redis client is closed");
    client->sent = client->end;
    lose(client, -ESHUTDOWN, "");
}
