/*
 * Channels; include/bide/channel.h has the semantics. Called by users and by select.c; calls the
 * wait mechanism of core/loop.h.
 *
 * A wait's payload is where the value goes to (a receiver's) or comes from (a sender's). Whoever
 * finds a waiting peer moves the value between the two frames and decides the peer's wait in the
 * same step, so a value is never in between. Waits of a select are like all others: bide__wake
 * takes their peers out of the other queues.
 *
 * Invariants
 *  1. Receivers wait only while the buffer is empty, senders only while it is full.
 *  2. A select that waits on both sides of one channel is the only task that can be in both queues.
 *  3. A task whose wait is decided reads the channel no more, but for a sender that was told of the
 *     close, which holds the memory until it has said who closed what, and one that was told of a
 *     deadlock, which runs before all others.
 */
#include "sync/sync.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

static struct bide_task *end_at(const struct bide__end *end, size_t index,
                                const struct bide_site **ret_since)
{
    while (end && index-- > 0)
        end = end->older;
    if (!end)
        return NULL;
    *ret_since = end->since;
    return end->task;
}

static struct bide_task *receiver_at(const struct bide__object *object, size_t index,
                                     const struct bide_site **ret_since)
{
    return end_at(bide__container_of(object, struct bide__channel, to_send)->receiver_ends, index,
                  ret_since);
}

static struct bide_task *sender_at(const struct bide__object *object, size_t index,
                                   const struct bide_site **ret_since)
{
    return end_at(bide__container_of(object, struct bide__channel, to_receive)->sender_ends, index,
                  ret_since);
}

static const struct bide__kind send_kind = {
    .noun = "channel",
    .verb = "wants to send to",
    .holder = receiver_at,
    .place = {BIDE__HOLDER_BEHIND, BIDE__HOLDER_FROM(struct bide__channel, to_send, receiver_ends),
              offsetof(struct bide__end, task)}};
static const struct bide__kind receive_kind = {
    .noun = "channel",
    .verb = "wants to receive from",
    .holder = sender_at,
    .place = {BIDE__HOLDER_BEHIND, BIDE__HOLDER_FROM(struct bide__channel, to_receive, sender_ends),
              offsetof(struct bide__end, task)}};

void *bide__channel_new(size_t size, size_t value_size, size_t capacity, const char *name,
                        const struct bide_site *made)
{
    size_t buffer_size, total;
    if (__builtin_mul_overflow(value_size, capacity, &buffer_size) ||
        __builtin_add_overflow(size, buffer_size, &total))
        return NULL;
    struct bide__channel *channel = bide__alloc(total);
    if (!channel)
        return NULL;
    *channel = (struct bide__channel){
        .capacity = capacity, .value_size = (uint32_t)value_size, .holds = 1};
    channel->buffer = (char *)channel + size;
    channel->buffer_end = channel->buffer + buffer_size;
    channel->put = channel->buffer;
    channel->take = channel->buffer;
    bide__object_init(&channel->to_send, &send_kind, name, made);
    bide__object_init(&channel->to_receive, &receive_kind, name, made);
    return channel;
}

void *bide__channel_enter(size_t size, size_t value_size, size_t capacity, const char *name,
                          const struct bide_site *made)
{
    void *channel = bide__channel_new(size, value_size, capacity, name, made);
    if (!channel)
        bide__fail(made, bide_error_new(BIDE_NO_MEMORY, "no memory for channel '%s' of %zu values",
                                        name, capacity));
    return channel;
}

static void let_go(struct bide__channel *channel)
{
    BIDE__IN_ORDER(channel);
    if (--channel->holds == 0)
        bide__free(channel);
}

void bide__channel_free(struct bide__channel *channel, const struct bide_site *at)
{
    if (!channel)
        return;
    const struct bide_task *user = bide__first_waiting(&channel->receivers);
    if (!user)
        user = bide__first_waiting(&channel->senders);
    if (!user && channel->sender_ends)
        user = channel->sender_ends->task;
    if (!user && channel->receiver_ends)
        user = channel->receiver_ends->task;
    if (bide__unlikely(user != NULL)) {
        char label[BIDE__LABEL_BYTES], me[BIDE__LABEL_BYTES];
        bide__misuse("%s frees %s at %s:%d, which task #%llu '%s' uses at %s:%d",
                     bide__who_runs(me), bide__object_label(&channel->to_send, label, sizeof label),
                     BIDE__AT(at), (unsigned long long)user->head.id, bide__task_label(user),
                     BIDE__AT(user->head.at));
    }
    channel->to_send.name = NULL; /* it may end too */
    let_go(channel);
}

void bide__channel_leave(void *owner)
{
    struct bide__channel *channel;
    memcpy(&channel, owner, sizeof channel);
    bide__channel_free(channel, channel->to_send.made);
}

/* A copy of the usual sizes, as a load and a store; false for other sizes. */
static inline __attribute__((always_inline)) bool copy_small(void *to, const void *from,
                                                             size_t size)
{
    if (bide__likely(size == 8))
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else if (size == 16)
        memcpy(to, from, 16);
    else
        return false;
    return true;
}

static inline void copy(void *to, const void *from, size_t size)
{
    if (!copy_small(to, from, size))
        memcpy(to, from, size);
}

static inline void put(struct bide__channel *channel, const void *value)
{
    copy(channel->put, value, channel->value_size);
    channel->put += channel->value_size;
    if (channel->put == channel->buffer_end)
        channel->put = channel->buffer;
    if (++channel->count > channel->high_water)
        channel->high_water = channel->count;
}

static inline void take(struct bide__channel *channel, void *ret_value)
{
    copy(ret_value, channel->take, channel->value_size);
    channel->take += channel->value_size;
    if (channel->take == channel->buffer_end)
        channel->take = channel->buffer;
    channel->count--;
}

static inline __attribute__((always_inline)) int send_now(struct bide__channel *channel,
                                                          const void *value)
{
    struct bide__wait *receiver = channel->receivers.first;
    BIDE__IN_ORDER(channel);
    if (receiver) {
        copy(receiver->payload, value, channel->value_size);
        bide__wake(receiver, 0);
        return 0;
    }
    if (bide__unlikely(channel->closed))
        return -EPIPE;
    if (channel->count == channel->capacity)
        return -EAGAIN;
    put(channel, value);
    return 0;
}

static inline __attribute__((always_inline)) int receive_now(struct bide__channel *channel,
                                                             void *ret_value)
{
    struct bide__wait *sender = channel->senders.first;
    BIDE__IN_ORDER(channel);
    if (channel->count > 0) {
        take(channel, ret_value);
        if (sender) {
            put(channel, sender->payload);
            bide__wake(sender, 0);
        }
        return 0;
    }
    if (sender) {
        copy(ret_value, sender->payload, channel->value_size);
        bide__wake(sender, 0);
        return 0;
    }
    return bide__unlikely(channel->closed) ? -EPIPE : -EAGAIN;
}

int bide__channel_send_now(struct bide__channel *channel, const void *value)
{
    return send_now(channel, value);
}

int bide__channel_receive_now(struct bide__channel *channel, void *ret_value)
{
    return receive_now(channel, ret_value);
}

void bide__channel_raise_closed(struct bide__channel *channel, bool told)
{
    char label[BIDE__LABEL_BYTES];
    bide__object_label(&channel->to_send, label, sizeof label);
    bide_error *error = bide_error_new(BIDE_CLOSED, "%s was %s by task #%llu '%s' at %s:%d", label,
                                       channel->closed_why, (unsigned long long)channel->closed_by,
                                       channel->closed_by_name, BIDE__AT(channel->closed_at));
    if (told)
        let_go(channel);
    bide__fail(bide__current->at, error);
}

void bide__send_failed(struct bide__channel *channel, int result)
{
    if (result == -EPIPE)
        bide__channel_raise_closed(channel, true);
    bide__raise(result, &channel->to_send);
}

bool bide__receive_ended(struct bide__channel *channel, int result)
{
    if (bide__unlikely(result != -EPIPE))
        bide__raise(result, &channel->to_receive);
    return false;
}

static __attribute__((noinline)) void find_end(const struct bide_task *me,
                                               const struct bide__channel *channel,
                                               const struct bide__end *ends)
{
    const struct bide__end *end = ends;
    while (end && end->task != me)
        end = end->older;
    if (end)
        return;
    char label[BIDE__LABEL_BYTES];
    const char *role = ends->sends ? "sender" : "receiver";
    bide__misuse("task #%llu '%s' uses %s at %s:%d without with_%s, but task #%llu '%s' is a "
                 "registered %s since %s:%d",
                 (unsigned long long)me->head.id, bide__task_label(me),
                 bide__object_label(&channel->to_send, label, sizeof label), BIDE__AT(me->head.at),
                 role, (unsigned long long)ends->task->head.id, bide__task_label(ends->task), role,
                 BIDE__AT(ends->since));
}

void bide__channel_check_end(const struct bide_task *me, const struct bide__channel *channel,
                             bool sends)
{
    const struct bide__end *ends = sends ? channel->sender_ends : channel->receiver_ends;
    if (bide__unlikely(ends && ends->task != me))
        find_end(me, channel, ends);
}

static __attribute__((noinline)) int send_in_full(struct bide__channel *channel, const void *value,
                                                  struct bide__parking *parking)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &channel->to_send);
    bide__channel_check_end(me, channel, true);
    result = send_now(channel, value);
    if (result == 0) {
        bide__done_at_once(me);
        return 0;
    }
    if (bide__unlikely(result == -EPIPE))
        bide__channel_raise_closed(channel, false);
    bide__check_loop(me, bide__first_waiting(&channel->senders), "channel");
    return bide__wait_here(me, &channel->senders, parking, (void *)(uintptr_t)value,
                           &channel->to_send, channel->receiver_ends != NULL);
}

/*
 * The two short ways of a rendezvous, meeting a waiting peer and waiting for one. They call
 * nothing, which keeps them short; all else is in full below or above.
 */
int bide__send_begin(struct bide__channel *channel, const void *value,
                     struct bide__parking *parking)
{
    struct bide_task *me = bide__task_current();
    struct bide__wait *receiver = channel->receivers.first;
    if (bide__likely(!me->head.attention && !channel->special)) {
        if (receiver) {
            if (bide__likely(!receiver->peer && me->head.budget > 1 &&
                             copy_small(receiver->payload, value, channel->value_size))) {
                bide__wake_first(&channel->receivers, receiver);
                me->head.budget--;
                return 0;
            }
        } else if (bide__likely(channel->count == channel->capacity) &&
                   bide__park_quickly(me, &channel->senders, parking, (void *)(uintptr_t)value,
                                      &channel->to_send)) {
            return BIDE__PARK;
        }
    }
    return send_in_full(channel, value, parking);
}

static __attribute__((noinline)) int receive_in_full(struct bide__channel *channel, void *ret_value,
                                                     struct bide__parking *parking)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &channel->to_receive);
    bide__channel_check_end(me, channel, false);
    result = receive_now(channel, ret_value);
    if (result == -EAGAIN) {
        bide__check_loop(me, bide__first_waiting(&channel->receivers), "channel");
        return bide__wait_here(me, &channel->receivers, parking, ret_value, &channel->to_receive,
                               channel->sender_ends != NULL);
    }
    bide__done_at_once(me);
    parking->wait.result = result;
    return result == 0 ? 0 : BIDE__WAITED;
}

int bide__receive_begin(struct bide__channel *channel, void *ret_value,
                        struct bide__parking *parking)
{
    struct bide_task *me = bide__task_current();
    struct bide__wait *sender = channel->senders.first;
    if (bide__likely(!me->head.attention && !channel->special && channel->count == 0)) {
        if (sender) {
            if (bide__likely(!sender->peer && me->head.budget > 1 &&
                             copy_small(ret_value, sender->payload, channel->value_size))) {
                bide__wake_first(&channel->senders, sender);
                me->head.budget--;
                return 0;
            }
        } else if (bide__park_quickly(me, &channel->receivers, parking, ret_value,
                                      &channel->to_receive)) {
            return BIDE__PARK;
        }
    }
    return receive_in_full(channel, ret_value, parking);
}

static struct bide_task *task_that_tries(const char *call)
{
    if (bide__outside_of_tasks())
        bide__misuse("%s outside of tasks", call);
    return bide__task_current();
}

bool bide__try_send(struct bide__channel *channel, const void *value)
{
    bide__channel_check_end(task_that_tries("bide_try_send"), channel, true);
    return send_now(channel, value) == 0;
}

bool bide__try_receive(struct bide__channel *channel, void *ret_value)
{
    bide__channel_check_end(task_that_tries("bide_try_receive"), channel, false);
    return receive_now(channel, ret_value) == 0;
}

void bide__channel_close(struct bide__channel *channel, const struct bide_site *at, const char *why)
{
    BIDE__IN_ORDER(channel);
    if (channel->closed)
        return;
    bool inside = !bide__outside_of_tasks();
    const struct bide_task *me = bide__task_current();
    channel->closed = true;
    channel->special = true;
    channel->closed_at = at;
    channel->closed_why = why;
    channel->closed_by = inside ? me->head.id : 0;
    snprintf(channel->closed_by_name, sizeof channel->closed_by_name, "%s",
             inside ? bide__task_label(me) : "outside of tasks");
    bide__wake_all(&channel->receivers, -EPIPE);
    for (; channel->senders.first; channel->holds++)
        bide__wake(channel->senders.first, -EPIPE);
}

void bide__end_enter(struct bide__end *end, struct bide__channel *channel, bool sends,
                     const struct bide_site *at)
{
    if (bide__outside_of_tasks())
        bide__misuse("%s outside of tasks at %s:%d", at->what, BIDE__AT(at));
    struct bide__end **newest = sends ? &channel->sender_ends : &channel->receiver_ends;
    *end = (struct bide__end){
        .channel = channel,
        .task = bide__task_current(),
        .since = at,
        .older = *newest,
        .sends = sends,
    };
    if (end->older)
        end->older->newer = end;
    *newest = end;
    channel->special = true;
}

void bide__end_leave(struct bide__end *end)
{
    struct bide__channel *channel = end->channel;
    if (!channel)
        return;
    struct bide__end **newest = end->sends ? &channel->sender_ends : &channel->receiver_ends;
    if (end->newer)
        end->newer->older = end->older;
    else
        *newest = end->older;
    if (end->older)
        end->older->newer = end->newer;
    if (!*newest)
        bide__channel_close(channel, end->since,
                            end->sends ? "left by its last sender" : "left by its last receiver");
}
