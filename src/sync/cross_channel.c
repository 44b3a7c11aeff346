/*
 * Channels between loops; include/bide/cross_channel.h has the semantics. Called by users; calls
 * the mail of core/loop.h.
 *
 * A lock guards the buffer and one port for each loop: the queues of the tasks that wait there, and
 * one letter. Only a port's own loop decides its waits, when the letter is delivered: so a task is
 * woken on its own thread, and one letter serves all that can be served by then.
 *
 * Invariants, at the end of each critical section
 *  1. If something could be done for a task that waits, a letter is on its way to some loop for
 *     which something can be done; its delivery looks for the next one.
 *  2. A letter is sent only to a loop with a task that waits here; such a loop lives, and takes all
 *     letters before it ends.
 *  3. A port whose tasks wait is due after BIDE_CAP_CROSS_PASSED values (or places) that others
 *     had, or when those that were due before it had one: one is kept for it until then.
 *  4. The memory is held by its owner, by each letter on its way, and by each sender that was told
 *     of the close, until it has said who closed what.
 *  5. A wait of a select that was decided elsewhere may still be in a queue: until its task runs,
 *     or its loop looks. Taken out by that look it knows the channel no more, which may be freed.
 */
#include "sync/sync.h"

#include "base/mem.h"
#include "core/runtime.h"

#include <bide/cross_channel.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum side { TO_RECEIVE, TO_SEND };

struct port {
    struct bide__mail mail;
    struct bide__cross *cross;
    struct bide__loop *loop; /* from the first wait on */
    struct bide__queue waiting[2];
    bool posted; /* the mail is on its way */
};

/* Who is next when tasks of other loops came first too often. */
struct turn {
    struct port *due; /* a value, or a place, is kept for it; NULL: for nobody */
    size_t passed;    /* values, or places, that others had since it was somebody's turn */
    size_t last;      /* whose turn it was */
};

struct bide__cross {
    struct bide__cross *itself; /* for the type's sake */
    pthread_mutex_t lock;
    size_t count, capacity;
    size_t put, take; /* the next places to write and to read */
    size_t value_size;
    char *buffer;
    size_t holds; /* see invariant 4 */
    size_t first; /* the port that is looked at first */
    struct turn turns[2];
    size_t port_count;
    size_t ends[2];    /* registered: those that receive, those that send */
    size_t to_come[2]; /* and those that will be */
    bool closed;
    struct bide__object to_send, to_receive;
    const struct bide_site *closed_at;
    const char *closed_why;
    uint64_t closed_by;
    char closed_by_name[32];
    struct port ports[];
};

static const struct bide__kind send_kind = {.noun = "channel", .verb = "wants to send to"};
static const struct bide__kind receive_kind = {.noun = "channel", .verb = "wants to receive from"};

static char *place(const struct bide__cross *cross, size_t index)
{
    return cross->buffer + index * cross->value_size;
}

static size_t after(const struct bide__cross *cross, size_t index)
{
    return index + 1 == cross->capacity ? 0 : index + 1;
}

static void put(struct bide__cross *cross, const void *value)
{
    BIDE__IN_ORDER(cross);
    memcpy(place(cross, cross->put), value, cross->value_size);
    cross->put = after(cross, cross->put);
    cross->count++;
}

static void take(struct bide__cross *cross, void *ret_value)
{
    BIDE__IN_ORDER(cross);
    memcpy(ret_value, place(cross, cross->take), cross->value_size);
    cross->take = after(cross, cross->take);
    cross->count--;
}

/* Whether the port's tasks may have a value, or a place, now. After the close all are told at once:
   nothing is kept. */
static bool may(const struct bide__cross *cross, const struct port *port, enum side side)
{
    const struct port *due = cross->turns[side].due;
    bool kept = due && due != port && due->waiting[side].first && !cross->closed;
    return (side == TO_SEND ? cross->capacity - cross->count : cross->count) > kept;
}

/* A task of the port had one: the next port whose tasks wait is due after some of them. */
static void had(struct bide__cross *cross, const struct port *port, enum side side)
{
    struct turn *turn = &cross->turns[side];
    if (turn->due == port || (turn->due && !turn->due->waiting[side].first))
        turn->due = NULL;
    if (turn->due || ++turn->passed < BIDE_CAP_CROSS_PASSED)
        return;
    turn->passed = 0;
    for (size_t i = 1; i <= cross->port_count && !turn->due; i++) {
        size_t index = (turn->last + i) % cross->port_count;
        if (&cross->ports[index] == port || !cross->ports[index].waiting[side].first)
            continue;
        turn->due = &cross->ports[index];
        turn->last = index;
    }
}

static void unlist(struct bide__crossing *crossing)
{
    crossing->wait.queue = crossing->listed;
    crossing->listed = NULL;
    bide__queue_remove(&crossing->wait);
}

/* On the queue's loop: the first wait that is not decided. */
static struct bide__wait *first_undecided(struct bide__queue *queue)
{
    struct bide__wait *wait;
    while ((wait = queue->first) && !wait->queue && !wait->task->wait) {
        struct bide__crossing *crossing = bide__container_of(wait, struct bide__crossing, wait);
        unlist(crossing);
        crossing->cross = NULL;
    }
    return wait;
}

/* On the port's loop: does what can be done for its tasks. */
static void serve(struct bide__cross *cross, struct port *port)
{
    for (;;) {
        struct bide__wait *receiver = first_undecided(&port->waiting[TO_RECEIVE]);
        struct bide__wait *sender = first_undecided(&port->waiting[TO_SEND]);
        if (receiver && may(cross, port, TO_RECEIVE)) {
            take(cross, receiver->payload);
            bide__wake(receiver, 0);
            had(cross, port, TO_RECEIVE);
        } else if (receiver && cross->closed) {
            bide__wake(receiver, -EPIPE);
        } else if (sender && cross->closed) {
            cross->holds++;
            bide__wake(sender, -EPIPE);
        } else if (sender && may(cross, port, TO_SEND)) {
            put(cross, sender->payload);
            bide__wake(sender, 0);
            had(cross, port, TO_SEND);
        } else {
            return;
        }
    }
}

static bool can_be_done(const struct bide__cross *cross, const struct port *port, enum side side)
{
    return port->waiting[side].first && (cross->closed || may(cross, port, side));
}

/* The letter to the next loop that something can be done for, or to all of them at the close: to be
   sent behind the lock. */
static struct bide__mail *notify(struct bide__cross *cross)
{
    struct bide__mail *letters = NULL;
    for (size_t i = 0; i < cross->port_count; i++) {
        size_t index = (cross->first + i) % cross->port_count;
        struct port *port = &cross->ports[index];
        if (port->posted ||
            !(can_be_done(cross, port, TO_RECEIVE) || can_be_done(cross, port, TO_SEND)))
            continue;
        port->posted = true;
        cross->holds++;
        bide__loop_hold(port->loop);
        port->mail.next = letters;
        letters = &port->mail;
        cross->first = index + 1;
        if (!cross->closed)
            break;
    }
    return letters;
}

/* Gives the lock back, then sends letters; each holds the memory until it is delivered. */
static void unlock_and_send(struct bide__cross *cross, struct bide__mail *letters)
{
    pthread_mutex_unlock(&cross->lock);
    while (letters) {
        struct bide__mail *next = letters->next;
        bide__loop_post_held(bide__container_of(letters, struct port, mail)->loop, letters);
        letters = next;
    }
}

/* Gives up one hold, with the lock, which it releases. */
static void let_go(struct bide__cross *cross)
{
    bool last = --cross->holds == 0;
    pthread_mutex_unlock(&cross->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&cross->lock);
    bide__free(cross);
}

static void deliver(struct bide__mail *mail)
{
    struct port *port = bide__container_of(mail, struct port, mail);
    struct bide__cross *cross = port->cross;
    pthread_mutex_lock(&cross->lock);
    port->posted = false;
    serve(cross, port);
    struct bide__mail *letters = notify(cross);
    if (letters) {
        cross->holds--; /* they hold it */
        unlock_and_send(cross, letters);
    } else {
        let_go(cross);
    }
}

void *bide__cross_new(size_t value_size, size_t capacity, const char *name,
                      const struct bide_site *made)
{
    if (bide__outside_of_tasks())
        bide__misuse("%s outside of tasks at %s:%d", made->what, BIDE__AT(made));
    if (capacity == 0)
        bide__misuse("a channel between loops without places is made at %s:%d", BIDE__AT(made));
    size_t ports = (size_t)bide__loop_here->runtime->loop_count, buffer_size, total;
    size_t size = sizeof(struct bide__cross) + ports * sizeof(struct port);
    if (__builtin_mul_overflow(value_size, capacity, &buffer_size) ||
        __builtin_add_overflow(size, buffer_size, &total))
        return NULL;
    struct bide__cross *cross = bide__alloc(total);
    if (!cross)
        return NULL;
    memset(cross, 0, size);
    if (pthread_mutex_init(&cross->lock, NULL)) {
        bide__free(cross);
        return NULL;
    }
    cross->itself = cross;
    cross->capacity = capacity;
    cross->value_size = value_size;
    cross->buffer = (char *)cross + size;
    cross->holds = 1;
    cross->port_count = ports;
    for (size_t i = 0; i < ports; i++) {
        cross->ports[i].mail.deliver = deliver;
        cross->ports[i].cross = cross;
    }
    bide__object_init(&cross->to_send, &send_kind, name, made);
    bide__object_init(&cross->to_receive, &receive_kind, name, made);
    return cross;
}

void *bide__cross_enter(size_t value_size, size_t capacity, const char *name,
                        const struct bide_site *made)
{
    void *cross = bide__cross_new(value_size, capacity, name, made);
    if (!cross)
        bide__fail(made, bide_error_new(BIDE_NO_MEMORY, "no memory for channel '%s' of %zu values",
                                        name, capacity));
    return cross;
}

static const struct bide_task *first_user(const struct bide__cross *cross)
{
    for (size_t i = 0; i < cross->port_count; i++) {
        const struct port *port = &cross->ports[i];
        const struct bide_task *task = bide__first_waiting(&port->waiting[TO_RECEIVE]);
        if (!task)
            task = bide__first_waiting(&port->waiting[TO_SEND]);
        if (task)
            return task;
    }
    return NULL;
}

/* Selects of this loop that were decided elsewhere use it no more. */
static void forget_decided(struct bide__cross *cross)
{
    const struct bide__loop *loop = bide__loop_here;
    if (!loop || (size_t)loop->index >= cross->port_count)
        return;
    struct port *port = &cross->ports[loop->index];
    (void)first_undecided(&port->waiting[TO_RECEIVE]);
    (void)first_undecided(&port->waiting[TO_SEND]);
}

void bide__cross_free(struct bide__cross *cross, const struct bide_site *at)
{
    if (!cross)
        return;
    pthread_mutex_lock(&cross->lock);
    forget_decided(cross);
    const struct bide_task *user = first_user(cross);
    size_t ends = cross->ends[TO_RECEIVE] + cross->ends[TO_SEND];
    if (bide__unlikely(user != NULL)) {
        char label[BIDE__LABEL_BYTES], me[BIDE__LABEL_BYTES];
        unlock_and_send(cross, notify(cross)); /* what was kept for those is free */
        bide__misuse("%s frees %s at %s:%d, which task #%llu '%s' of loop %d uses at %s:%d",
                     bide__who_runs(me), bide__object_label(&cross->to_send, label, sizeof label),
                     BIDE__AT(at), (unsigned long long)user->head.id, bide__task_label(user),
                     user->loop->index, BIDE__AT(user->head.at));
    }
    if (bide__unlikely(ends > 0)) {
        char label[BIDE__LABEL_BYTES], me[BIDE__LABEL_BYTES];
        pthread_mutex_unlock(&cross->lock);
        bide__misuse("%s frees %s at %s:%d inside with_cross_sender or with_cross_receiver of %zu "
                     "task%s",
                     bide__who_runs(me), bide__object_label(&cross->to_send, label, sizeof label),
                     BIDE__AT(at), ends, ends == 1 ? "" : "s");
    }
    cross->to_send.name = NULL; /* it may end too */
    let_go(cross);
}

void bide__cross_leave(void *owner)
{
    struct bide__cross *cross;
    memcpy(&cross, owner, sizeof cross);
    bide__cross_free(cross, cross->to_send.made);
}

static void give_up(struct bide__wait *wait, int reason)
{
    struct bide__cross *cross = bide__container_of(wait, struct bide__crossing, wait)->cross;
    pthread_mutex_lock(&cross->lock);
    bide__wake(wait, reason);
    pthread_mutex_unlock(&cross->lock);
}

static void enter_queue(struct port *port, struct bide__queue *queue, struct bide__wait *wait)
{
    if (port->loop != wait->task->loop)
        port->loop = wait->task->loop; /* it is read behind the lock */
    bide__queue_push(queue, wait);
}

/* Waits in a queue of the port, with the lock, which it releases. */
static int wait_in(struct bide_task *me, struct bide__cross *cross, struct port *port,
                   struct bide__queue *queue, void *payload, struct bide__object *object)
{
    struct bide__loop *loop = me->loop;
    bool others = cross->port_count > 1; /* else nobody outside will end it */
    struct bide__crossing crossing = {.cross = cross,
                                      .wait = {.task = me,
                                               .object = object,
                                               .since_ns = loop->now_ns,
                                               .abort = give_up,
                                               .payload = payload}};
    enter_queue(port, queue, &crossing.wait);
    me->wait = &crossing.wait;
    pthread_mutex_unlock(&cross->lock);
    loop->outside += others;
    loop->elsewhere += others;
    loop->expecting++;
    bide__suspend(me);
    loop->expecting--;
    loop->elsewhere -= others;
    loop->outside -= others;
    return crossing.wait.result;
}

static struct port *port_here(struct bide__cross *cross, const struct bide_task *me)
{
    return &cross->ports[me->loop->index];
}

/* After a change: for this loop at once, for others by letter. */
static void changed(struct bide__cross *cross, struct port *port)
{
    serve(cross, port);
    unlock_and_send(cross, notify(cross));
}

void bide__cross_raise_closed(struct bide__cross *cross, bool told)
{
    char label[BIDE__LABEL_BYTES];
    pthread_mutex_lock(&cross->lock);
    bide__object_label(&cross->to_send, label, sizeof label);
    bide_error *error = bide_error_new(BIDE_CLOSED, "%s was %s by task #%llu '%s' at %s:%d", label,
                                       cross->closed_why, (unsigned long long)cross->closed_by,
                                       cross->closed_by_name, BIDE__AT(cross->closed_at));
    if (told)
        let_go(cross);
    else
        pthread_mutex_unlock(&cross->lock);
    bide__fail(bide__current->at, error);
}

/* Does it if it can be done at once, and gives the lock back; else -EAGAIN, with the lock. */
static int now(struct bide__cross *cross, struct port *port, enum side side, void *value)
{
    BIDE__IN_ORDER(cross);
    bool ended = cross->closed && (side == TO_SEND || cross->count == 0);
    if (bide__unlikely(ended)) {
        pthread_mutex_unlock(&cross->lock);
        return -EPIPE;
    }
    if (first_undecided(&port->waiting[side]) || !may(cross, port, side))
        return -EAGAIN;
    if (side == TO_SEND)
        put(cross, value);
    else
        take(cross, value);
    had(cross, port, side);
    changed(cross, port);
    return 0;
}

/* A whole send or receive: 0 or -EPIPE; a send that fails with that has raised. */
static int cross_over(struct bide__cross *cross, enum side side, void *value)
{
    struct bide_task *me = bide__task_current();
    struct bide__object *object = side == TO_SEND ? &cross->to_send : &cross->to_receive;
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, object);
    struct port *port = port_here(cross, me);
    pthread_mutex_lock(&cross->lock);
    result = now(cross, port, side, value);
    bool waits = result == -EAGAIN;
    if (waits)
        result = wait_in(me, cross, port, &port->waiting[side], value, object);
    if (bide__unlikely(result < 0 && result != -EPIPE))
        bide__raise(result, object);
    if (bide__unlikely(result == -EPIPE && side == TO_SEND))
        bide__cross_raise_closed(cross, waits);
    if (!waits)
        bide__done_at_once(me);
    return result;
}

bide_async(void) bide__cross_send(struct bide__cross *cross, const void *value)
{
    (void)cross_over(cross, TO_SEND, (void *)(uintptr_t)value);
    return bide_void;
}

bide_async(bool) bide__cross_receive(struct bide__cross *cross, void *ret_value)
{
    return bide_ready(bool, cross_over(cross, TO_RECEIVE, ret_value) == 0);
}

int bide__cross_now(const struct bide_task *me, struct bide__cross *cross, bool sends, void *value)
{
    pthread_mutex_lock(&cross->lock);
    int result = now(cross, port_here(cross, me), sends ? TO_SEND : TO_RECEIVE, value);
    if (result == -EAGAIN)
        pthread_mutex_unlock(&cross->lock);
    return result;
}

void bide__cross_list(struct bide__crossing *crossing, bool sends)
{
    struct bide__cross *cross = crossing->cross;
    struct port *port = port_here(cross, crossing->wait.task);
    struct bide__queue *queue = &port->waiting[sends ? TO_SEND : TO_RECEIVE];
    pthread_mutex_lock(&cross->lock);
    enter_queue(port, queue, &crossing->wait);
    crossing->wait.queue = NULL;
    crossing->listed = queue;
    unlock_and_send(cross, notify(cross)); /* it may have become possible meanwhile */
}

void bide__cross_unlist(struct bide__crossing *crossing)
{
    struct bide__cross *cross = crossing->cross;
    pthread_mutex_lock(&cross->lock);
    if (crossing->listed)
        unlist(crossing);
    unlock_and_send(cross, notify(cross)); /* what was kept for it is free */
}

/* Closes it, with the lock, which it releases. */
static void close_it(struct bide__cross *cross, const struct bide_site *at, const char *why)
{
    const struct bide_task *me = bide__task_current();
    BIDE__IN_ORDER(cross);
    if (!cross->closed) {
        cross->closed = true;
        cross->closed_at = at;
        cross->closed_why = why;
        cross->closed_by = me->head.id;
        snprintf(cross->closed_by_name, sizeof cross->closed_by_name, "%s", bide__task_label(me));
    }
    changed(cross, port_here(cross, me));
}

void bide__cross_close(struct bide__cross *cross, const struct bide_site *at)
{
    if (bide__outside_of_tasks())
        bide__misuse("bide_cross_close outside of tasks at %s:%d", BIDE__AT(at));
    pthread_mutex_lock(&cross->lock);
    close_it(cross, at, "closed");
}

void bide__cross_will_come(struct bide__cross *cross, size_t senders, size_t receivers)
{
    pthread_mutex_lock(&cross->lock);
    cross->to_come[TO_SEND] += senders;
    cross->to_come[TO_RECEIVE] += receivers;
    pthread_mutex_unlock(&cross->lock);
}

void bide__cross_end_enter(struct bide__cross_end *end, struct bide__cross *cross, bool sends,
                           const struct bide_site *at)
{
    enum side side = sends ? TO_SEND : TO_RECEIVE;
    if (bide__outside_of_tasks())
        bide__misuse("%s outside of tasks at %s:%d", at->what, BIDE__AT(at));
    pthread_mutex_lock(&cross->lock);
    cross->ends[side]++;
    if (cross->to_come[side] > 0)
        cross->to_come[side]--;
    pthread_mutex_unlock(&cross->lock);
    *end = (struct bide__cross_end){.cross = cross, .since = at, .sends = sends};
}

void bide__cross_end_leave(struct bide__cross_end *end)
{
    struct bide__cross *cross = end->cross;
    enum side side = end->sends ? TO_SEND : TO_RECEIVE;
    if (!cross)
        return;
    pthread_mutex_lock(&cross->lock);
    if (--cross->ends[side] == 0 && cross->to_come[side] == 0)
        close_it(cross, end->since,
                 end->sends ? "left by its last sender" : "left by its last receiver");
    else
        pthread_mutex_unlock(&cross->lock);
}

bool bide__cross_closed(struct bide__cross *cross)
{
    pthread_mutex_lock(&cross->lock);
    bool closed = cross->closed;
    pthread_mutex_unlock(&cross->lock);
    return closed;
}

size_t bide__cross_count(struct bide__cross *cross)
{
    pthread_mutex_lock(&cross->lock);
    size_t count = cross->count;
    pthread_mutex_unlock(&cross->lock);
    return count;
}
