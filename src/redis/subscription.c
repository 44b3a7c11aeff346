/*
 * subscription.c: messages of the server as a channel. A background task (`hear`) reads them over
 * a connection of its own and sends them into the channel; a lost connection is made again. Called
 * by users; calls lease.c, link.c.
 *
 * Invariants
 *  1. The block and the task both hold the subscription; the last one to leave frees it.
 *  2. A message belongs to the channel until it is received, then to the receiver.
 */
#include "redis/redis.h"

#include "base/mem.h"
#include "core/graph.h"

#include <bide/log.h>

#include <errno.h>
#include <string.h>

struct bide_redis_subscription {
    bide_redis *client;
    bide_redis *leased; /* its connection */
    bide_channel(bide_redis_message_ptr) *messages;
    bide_redis_arg *command; /* (P)SUBSCRIBE and the names, which lie behind */
    size_t count;            /* of arguments, with the first */
    bide_task_ref task;
    uint64_t connection;
    bide_arena arena; /* of the reply under way */
    struct bide__redis_answer answer;
    uint8_t users;
    bool closed;
};

static void leave(bide_redis_subscription *s)
{
    bide_redis_message *message;
    if (--s->users > 0)
        return;
    if (s->leased)
        bide__redis_give(s->leased, false);
    while (s->messages && bide_try_receive(s->messages, &message))
        bide__free(message);
    bide_channel_free(s->messages);
    bide_arena_done(&s->arena);
    bide__free(s->command);
    bide__redis_unuse(s->client);
    bide__free(s);
}

/* The next reply, in s->answer. A cancelled one goes on where it was. */
static bide_async(void) next(bide_redis_subscription_ptr s);
SPAWNABLE(void, next, bide_redis_subscription_ptr)
static bide_async(void) next(bide_redis_subscription_ptr s)
{
    return bide__redis_link_next(s->client, s->leased->link, &s->answer);
}

static void begin_reply(bide_redis_subscription *s)
{
    bide_arena_reset(&s->arena);
    s->answer = (struct bide__redis_answer){.arena = &s->arena, .repeatable = true};
}

/* Waits until every name is confirmed. */
static bide_async(void) subscribe(bide_redis_subscription *s)
{
    bide_redis *client = s->client;
    begin_reply(s);
    bide_with_deadline(client->options.connect_timeout)
    {
        (void)bide_await(
            bide__redis_link_command(client, s->leased->link, s->command, s->count, &s->answer));
        bide__redis_check(client, s->command, &s->answer);
        for (size_t i = 2; i < s->count; i++) {
            begin_reply(s);
            (void)bide_await(next(s));
        }
    }
    s->connection++;
    return bide_void;
}

/* A message as one piece of memory. NULL: the reply is none. */
static bide_redis_message *message_of(const bide_redis_subscription *s)
{
    const bide_redis_reply *reply = &s->answer.reply, *items = reply->items;
    bool matched = reply->count == 4;
    if (reply->kind != BIDE_REDIS_ARRAY || reply->count < 3 || !items[0].text ||
        strcmp(items[0].text, matched ? "pmessage" : "message") != 0)
        return NULL;
    const bide_redis_reply *channel = &items[matched ? 2 : 1], *text = channel + 1;
    if (!channel->text || !text->text)
        return NULL;
    bide_redis_message *message = bide__alloc(sizeof *message + channel->size + text->size + 2);
    if (!message)
        bide__raise(-ENOMEM, &s->client->object);
    char *at = memcpy(message + 1, channel->text, channel->size + 1);
    *message = (bide_redis_message){.channel = at,
                                    .text = at + channel->size + 1,
                                    .size = text->size,
                                    .connection = s->connection};
    memcpy(at + channel->size + 1, text->text, text->size + 1);
    return message;
}

static bide_async(void) pass_on(bide_redis_subscription *s)
{
    bide_redis_message *message = message_of(s);
    if (message) {
        bide_on_error(bide__free, message);
        (void)bide_await(bide_send(s->messages, message));
    }
    return bide_void;
}

/* Until the connection fails. A silent server is asked whether it is still there. */
static bide_async(void) receive(bide_redis_subscription_ptr s);
SPAWNABLE(void, receive, bide_redis_subscription_ptr)
static bide_async(void) receive(bide_redis_subscription_ptr s)
{
    static const char ping[] = "*1\r\n$4\r\nPING\r\n";
    bool asked = false;
    if (!s->leased->link->stream) {
        (void)bide_await(bide__redis_link_open(s->client, s->leased->link));
        (void)bide_await(subscribe(s));
    }
    begin_reply(s);
    for (;;) {
        bool late;
        bide_move_on_after(&late, s->client->options.stall, next, s);
        if (late && asked)
            bide__fail(
                bide__current->at,
                bide_error_new(BIDE_CLOSED, "redis %s: the server is silent", s->client->address));
        asked = late;
        if (late) {
            (void)bide_await(bide_write(s->leased->link->stream, ping, sizeof ping - 1));
            continue;
        }
        bide__redis_check(s->client, s->command, &s->answer);
        (void)bide_await(pass_on(s));
        begin_reply(s);
    }
}

/* However it ended: who waits for a message hears of it. */
static void stop_hearing(void *s)
{
    bide_channel_close(((bide_redis_subscription *)s)->messages);
    leave(s);
}

static bide_async(void) hear(bide_redis_subscription_ptr s);
SPAWNABLE(void, hear, bide_redis_subscription_ptr)
static bide_async(void) hear(bide_redis_subscription_ptr s)
{
    bide_defer(stop_hearing, s);
    s->task = bide_current_task();
    unsigned attempts = 0;
    while (!s->closed) {
        bide_error *error;
        bide_attempt(&error, receive, s);
        bool was_up = s->leased->link->stream != NULL;
        bide__redis_link_close(s->leased->link);
        if (was_up && !s->closed)
            bide_log(BIDE_LOG_WARN, "redis %s: the connection of a subscription is lost: %s",
                     s->client->address, error->message);
        attempts = was_up ? 1 : attempts + 1;
        (void)bide_await(bide_sleep(bide__redis_pause(s->client, attempts)));
    }
    return bide_void;
}

/* The command with copies of the names behind it. */
static int make_command(bide_redis_subscription *s, const char *word, const char *const *names,
                        size_t count)
{
    size_t bytes = (count + 1) * sizeof *s->command;
    for (size_t i = 0; i < count; i++)
        bytes += names[i] ? strlen(names[i]) + 1 : 1;
    s->command = bide__alloc(bytes);
    if (!s->command)
        return -ENOMEM;
    char *at = (char *)(s->command + count + 1);
    s->command[0] = bide__redis_text(word);
    for (size_t i = 0; i < count; i++) {
        size_t size = names[i] ? strlen(names[i]) + 1 : 1;
        s->command[i + 1] = bide__redis_text(memcpy(at, names[i] ? names[i] : "", size));
        at += size;
    }
    s->count = count + 1;
    return 0;
}

static void leave_it(void *s)
{
    leave(s);
}

static bide_async(bide_redis_subscription_ptr)
open_with(bide_redis *r, const char *word, const char *const *names, size_t count, size_t capacity)
{
    if (count == 0)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "redis: no name to listen to"));
    bide_redis_subscription *s = bide__calloc(1, sizeof *s);
    if (!s)
        bide__raise(-ENOMEM, &r->client->object);
    s->users = 1;
    s->client = r->client;
    bide__redis_use(s->client);
    bide_arena_init(&s->arena, NULL, r->client->options.reply_bytes);
    bide_on_error(leave_it, s);
    s->messages = bide_channel_new(bide_redis_message_ptr, capacity, "redis messages");
    if (!s->messages || make_command(s, word, names, count) < 0)
        bide__raise(-ENOMEM, &r->client->object);
    s->leased = bide__redis_take(r).await;
    (void)bide_await(subscribe(s));
    bide_spawn_void(bide_background(), hear, s);
    s->users++;
    r->blocks++;
    return bide_ready(bide_redis_subscription_ptr, s);
}

bide_async(bide_redis_subscription_ptr)
bide__redis_subscribe(bide_redis_ptr r, const char *const *names, size_t count, size_t capacity)
{
    return open_with(r, "SUBSCRIBE", names, count, capacity);
}

bide_async(bide_redis_subscription_ptr)
bide__redis_psubscribe(bide_redis_ptr r, const char *const *patterns, size_t count, size_t capacity)
{
    return open_with(r, "PSUBSCRIBE", patterns, count, capacity);
}

bide_async(void) bide__redis_unsubscribe(bide_redis_subscription_ptr s, bide_error *error)
{
    (void)error;
    s->closed = true;
    bide_channel_close(s->messages);
    if (s->task.task) /* else it has not begun, and will see `closed` */
        bide_cancel_task(s->task, "the subscription is left");
    s->client->blocks--;
    bide__redis_disown(s->leased);
    leave(s);
    return bide_void;
}

bide_channel(bide_redis_message_ptr) *bide_redis_messages(bide_redis_subscription *subscription)
{
    return subscription->messages;
}
