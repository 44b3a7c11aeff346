/*
 * Waiting for several channels at once; the second half of include/bide/channel.h has the
 * semantics. Called by users; calls channel.c, cross_channel.c and the wait mechanism of
 * core/loop.h.
 *
 * A waiting select is a ring of waits, one in a queue of each case's channel. Whatever decides one
 * of them, a peer, a close, a cancel or the timer, takes the others out of their queues in the same
 * step: so exactly one case happens. Those in queues of channels between loops stay there, decided,
 * until the task runs: only its own loop decides them, and sees that they are.
 */
#include "sync/sync.h"

#include "base/rng.h"
#include "core/runtime.h"

#include <errno.h>
#include <limits.h>

/* Whoever could end it is behind one of several channels: no holders. */
static const struct bide__kind select_kind = {.noun = "select", .verb = "waits in"};
static struct bide__object any_select = {&select_kind, NULL, NULL};

/* Where the next select starts to look. A counter would go in step with programs that select from
   several places in turn, and starve a case. */
static __thread uint64_t starts;

static size_t start_of(size_t count)
{
    return (size_t)(bide__splitmix64(&starts) % count);
}

static int case_now(const struct bide_task *me, const bide_select_case *one)
{
    if (one->cross)
        return bide__cross_now(me, one->cross, one->sends, one->value);
    if (one->is_time)
        return one->after.ns <= 0 ? 0 : -EAGAIN;
    bide__channel_check_end(me, one->channel, one->sends);
    return one->sends ? bide__channel_send_now(one->channel, one->value)
                      : bide__channel_receive_now(one->channel, one->value);
}

static void check_cases(const struct bide_task *me, const bide_select_case *cases, size_t count)
{
    if (bide__unlikely(count == 0 || count > BIDE_SELECT_CASES))
        bide__misuse("task #%llu '%s' selects from %zu cases at %s:%d; 1 to %d are allowed",
                     (unsigned long long)me->head.id, bide__task_label(me), count,
                     BIDE__AT(me->head.at), BIDE_SELECT_CASES);
    for (size_t i = 0; i < count; i++)
        if (bide__unlikely(!cases[i].channel && !cases[i].cross && !cases[i].is_time))
            bide__misuse("task #%llu '%s' selects at %s:%d; case %zu has neither a channel (it is "
                         "NULL) nor a time",
                         (unsigned long long)me->head.id, bide__task_label(me),
                         BIDE__AT(me->head.at), i);
}

/* Does the first case that can happen: 0 or -EPIPE with its index, or -EAGAIN. */
static int select_now(const struct bide_task *me, bide_select_case *cases, size_t count,
                      size_t *ret_index)
{
    check_cases(me, cases, count);
    size_t start = start_of(count);
    for (size_t i = 0; i < count; i++) {
        size_t index = (start + i) % count;
        bide_select_case *one = &cases[index];
        int result = case_now(me, one);
        if (result != -EAGAIN) {
            *ret_index = index;
            return result;
        }
    }
    return -EAGAIN;
}

/* What happened to the chosen case, `waited` for or at once: fills its `closed`, or raises. */
static void happened(bide_select_case *one, int result, bool waited)
{
    if (result == -EPIPE && one->sends && one->cross)
        bide__cross_raise_closed(one->cross, waited);
    if (result == -EPIPE && one->sends)
        bide__channel_raise_closed(one->channel, waited);
    one->closed = result == -EPIPE;
}

/* The time of the case that happens first. */
struct alarm {
    struct bide__timer timer;
    struct bide__wait *wait;
};

static void alarm_rings(struct bide__timer *timer)
{
    struct bide__wait *wait = bide__container_of(timer, struct alarm, timer)->wait;
    if (wait->task->wait) /* nothing has decided the select in this very tick */
        bide__wake(wait, 0);
}

static void arm(struct bide__loop *loop, struct alarm *alarm, bide_duration after)
{
    int64_t until_ns;
    alarm->timer.fire = alarm_rings;
    if (__builtin_add_overflow(bide__loop_clock_ns(loop), after.ns, &until_ns))
        return;
    bide__timer_arm(&loop->timers, &alarm->timer, until_ns);
}

/* The ring of waits, those of this loop's channels in their queues. */
static void make_ring(struct bide_task *me, const bide_select_case *cases, size_t count,
                      struct bide__crossing *ring)
{
    for (size_t i = 0; i < count; i++) {
        struct bide__wait *wait = &ring[i].wait;
        struct bide__channel *channel = cases[i].channel;
        ring[i].cross = cases[i].cross;
        ring[i].listed = NULL;
        bide__wait_prepare(wait, cases[i].value);
        wait->task = me;
        wait->object = &any_select;
        wait->since_ns = me->loop->now_ns;
        wait->result = INT_MAX;
        wait->peer = &ring[(i + 1) % count].wait;
        wait->queue = NULL;
        if (!channel)
            continue;
        struct bide__queue *queue = cases[i].sends ? &channel->senders : &channel->receivers;
        bide__check_loop(me, bide__first_waiting(queue), "channel");
        bide__queue_push(queue, wait);
    }
    me->wait = &ring[0].wait;
}

static int select_wait(struct bide_task *me, const bide_select_case *cases, size_t count,
                       size_t *ret_index)
{
    struct bide__loop *loop = me->loop;
    struct bide__crossing ring[BIDE_SELECT_CASES];
    struct alarm alarm = {.wait = NULL};
    size_t soonest = count, crosses = 0;
    make_ring(me, cases, count, ring);
    for (size_t i = 0; i < count; i++) {
        if (cases[i].is_time && (soonest == count || cases[i].after.ns < cases[soonest].after.ns))
            soonest = i;
        if (!cases[i].cross)
            continue;
        crosses++;
        bide__cross_list(&ring[i], cases[i].sends);
    }
    if (soonest < count) {
        alarm.wait = &ring[soonest].wait;
        arm(loop, &alarm, cases[soonest].after);
    }
    bool others = crosses > 0 && loop->runtime->loop_count > 1;
    loop->outside += others;
    loop->elsewhere += others;
    loop->expecting += others;
    bide__suspend(me);
    loop->expecting -= others;
    loop->elsewhere -= others;
    loop->outside -= others;
    bide__timer_disarm(&loop->timers, &alarm.timer);
    for (size_t i = 0; i < count && crosses > 0; i++)
        if (ring[i].cross)
            bide__cross_unlist(&ring[i]);
    size_t index = 0;
    while (ring[index].wait.result == INT_MAX)
        index++;
    *ret_index = index;
    return ring[index].wait.result;
}

bide_async(size_t) bide_select(bide_select_case *cases, size_t count)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &any_select);
    size_t index = 0;
    result = select_now(me, cases, count, &index);
    bool waits = result == -EAGAIN;
    if (waits)
        result = select_wait(me, cases, count, &index);
    if (bide__unlikely(result < 0 && result != -EPIPE))
        bide__raise(result, &any_select);
    happened(&cases[index], result, waits);
    if (!waits)
        bide__done_at_once(me);
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
    happened(&cases[index], result, false);
    *ret_index = index;
    return true;
}
