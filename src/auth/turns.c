/*
 * turns.c: see turns.h.
 */
#include "auth/turns.h"

#include "core/error.h"
#include "core/graph.h"
#include "core/task.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static const struct bide__kind kind_turns = {.noun = "turn to", .verb = "waits for the"};

static void abort_turn(struct bide__wait *wait, int reason)
{
    struct bide__turn *turn = bide__container_of(wait, struct bide__turn, wait);
    struct bide__turns *turns = turn->turns;
    pthread_mutex_lock(&turns->lock);
    bool taken_back = !turn->given;
    if (taken_back) {
        bide__list_remove(&turn->node);
        turns->waiting--;
    }
    pthread_mutex_unlock(&turns->lock);
    if (taken_back)
        bide__wake(wait, reason);
}

/* On the loop of the task that waits. */
static void deliver(struct bide__mail *mail)
{
    struct bide__turn *turn = bide__container_of(mail, struct bide__turn, mail);
    while (!__atomic_load_n(&turn->posted, __ATOMIC_ACQUIRE))
        sched_yield();
    bide__wake(&turn->wait, 0);
}

/* With the lock. */
static void queue(struct bide__turn *turn, struct bide__turns *turns)
{
    bide__list_push_back(&turns->line, &turn->node);
    turns->waiting++;
}

/* 0: taken; 1: in the line; -EMSGSIZE: that is full. */
static int enter(struct bide__turn *turn, struct bide__turns *turns, size_t limit, size_t most)
{
    int result = 0;
    pthread_mutex_lock(&turns->lock);
    if (turns->taken < limit) {
        turns->taken++;
        turn->given = true;
    } else if (turns->waiting < most) {
        queue(turn, turns);
        result = 1;
    } else {
        result = -EMSGSIZE;
    }
    pthread_mutex_unlock(&turns->lock);
    return result;
}

void bide__turn_take(struct bide__turn *turn, struct bide__turns *turns, size_t limit, size_t most,
                     const char *name)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (result < 0)
        bide__raise(result, NULL);
    turn->task = me;
    turn->mail.deliver = deliver;
    turn->wait.abort = abort_turn;
    bide__object_init(&turn->object, &kind_turns, name, NULL);
    turn->turns = turns;
    result = enter(turn, turns, limit, most);
    if (result == 0) {
        bide__done_at_once(me);
        return;
    }
    if (result > 0) {
        me->loop->outside++;
        result = bide__wait(me, NULL, &turn->wait, &turn->object);
        me->loop->outside--;
        if (result == 0)
            return;
    }
    turn->turns = NULL;
    if (result == -EMSGSIZE)
        bide__fail(me->head.at,
                   bide_error_new(BIDE_LIMIT, "%zu tasks wait for the turn to %s", most, name));
    bide__raise(result, &turn->object);
}

void bide__turn_give(void *turn_)
{
    struct bide__turn *turn = turn_, *next = NULL;
    struct bide__turns *turns = turn->turns;
    if (!turns)
        return;
    turn->turns = NULL;
    pthread_mutex_lock(&turns->lock);
    struct bide__list_node *node = bide__list_pop_front(&turns->line);
    if (node) {
        next = bide__container_of(node, struct bide__turn, node);
        next->given = true;
        turns->waiting--;
    } else {
        turns->taken--;
    }
    pthread_mutex_unlock(&turns->lock);
    if (!next)
        return;
    bide__loop_post(next->task->loop, &next->mail);
    __atomic_store_n(&next->posted, true, __ATOMIC_RELEASE);
}
