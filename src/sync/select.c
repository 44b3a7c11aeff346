/*
 * Waiting for several channels at once; the second half of include/bide/channel.h has the
 * semantics. Called by users; calls channel.c and the wait mechanism of core/loop.h.
 *
 * A waiting select is a ring of waits, one in a queue of each case's channel. Whatever decides one
 * of them, a peer, a close or a cancel, takes the others out of their queues in the same step: so
 * exactly one case happens.
 */
#include "sync/sync.h"

#include "base/rng.h"

#include <errno.h>
#include <limits.h>

/* Whoever could end it is behind one of several channels: no holders. */
static const struct bide__kind select_kind = {"select", "waits in", NULL, false};
static struct bide__object any_select = {&select_kind, NULL, NULL};

/* Where the next select starts to look. A counter would go in step with programs that select from
   several places in turn, and starve a case. */
static __thread uint64_t starts;

static size_t start_of(size_t count)
{
    return (size_t)(bide__splitmix64(&starts) % count);
}

/* Does the first case that can happen: 0 or -EPIPE with its index, or -EAGAIN. */
static int select_now(const struct bide_task *me, bide_select_case *cases, size_t count,
                      size_t *ret_index)
{
    if (count == 0 || count > BIDE_SELECT_CASES)
        bide__misuse("task #%llu '%s' selects from %zu cases at %s:%d; 1 to %d are allowed",
                     (unsigned long long)me->head.id, bide__task_label(me), count,
                     BIDE__AT(me->head.at), BIDE_SELECT_CASES);
    size_t start = start_of(count);
    for (size_t i = 0; i < count; i++) {
        size_t index = (start + i) % count;
        bide_select_case *one = &cases[index];
        bide__channel_check_end(me, one->channel, one->sends);
        int result = one->sends ? bide__channel_send_now(one->channel, one->value)
                                : bide__channel_receive_now(one->channel, one->value);
        if (result != -EAGAIN) {
            *ret_index = index;
            return result;
        }
    }
    return -EAGAIN;
}

/* What happened to the chosen case: fills its `closed`, or raises. */
static void happened(bide_select_case *one, int result)
{
    if (result == -EPIPE && one->sends)
        bide__send_failed(one->channel, -EPIPE);
    one->closed = result == -EPIPE;
}

static int select_wait(struct bide_task *me, const bide_select_case *cases, size_t count,
                       size_t *ret_index)
{
    struct bide__wait waits[BIDE_SELECT_CASES];
    for (size_t i = 0; i < count; i++) {
        struct bide__channel *channel = cases[i].channel;
        struct bide__queue *queue = cases[i].sends ? &channel->senders : &channel->receivers;
        bide__check_loop(me, bide__first_waiting(queue), "channel");
        bide__wait_prepare(&waits[i], cases[i].value);
        waits[i].task = me;
        waits[i].object = &any_select;
        waits[i].since_ns = me->loop->now_ns;
        waits[i].result = INT_MAX;
        waits[i].peer = &waits[(i + 1) % count];
        bide__queue_push(queue, &waits[i]);
    }
    me->wait = &waits[0];
    bide__suspend(me);
    size_t index = 0;
    while (waits[index].result == INT_MAX)
        index++;
    *ret_index = index;
    return waits[index].result;
}

bide_async(size_t) bide_select(bide_select_case *cases, size_t count)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &any_select);
    size_t index = 0;
    result = select_now(me, cases, count, &index);
    if (result != -EAGAIN)
        bide__done_at_once(me);
    else
        result = select_wait(me, cases, count, &index);
    if (bide__unlikely(result < 0 && result != -EPIPE))
        bide__raise(result, &any_select);
    happened(&cases[index], result);
    return bide_ready(size_t, index);
}

bool bide_try_select(bide_select_case *cases, size_t count, size_t *ret_index)
{
    if (bide__outside_of_tasks())
        bide__misuse("bide_try_select outside of tasks");
    size_t index = 0;
    int result = select_now(bide__task_current(), cases, count, &index);
    if (result == -EAGAIN)
        return false;
    happened(&cases[index], result);
    *ret_index = index;
    return true;
}
