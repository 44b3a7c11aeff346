/*
 * Waits for a peer that nothing would end. See unanswered.h. Called by io/readiness.c before a
 * wait, and by the timer; walks over the task tree.
 *
 * Left out: work in the background group, which is there to wait; and what lies in a
 * with_deadline(BIDE_FOREVER), which says that it is meant. A call of another loop is watched as if
 * it were made at home: remote.c. Virtual time would run to the timer
 * while nothing happens, so that nothing is watched there.
 */
#include "core/unanswered.h"

#include "base/caps.h"
#include "core/finding.h"
#include "core/graph.h"
#include "core/runtime.h"

#include <stdio.h>

/* Of the time that a wait may last, between two walks at the least: they go over all tasks. */
enum { WALKS_PER_WAIT = 4 };

struct walk {
    struct bide__loop *loop;
    int64_t next_ns; /* when the next of them will have lasted too long; INT64_MAX: none */
};

bool bide__unanswered_is_meant(const struct bide_task *task)
{
    const struct bide__scope *scope = task->scope;
    while (task) {
        for (; scope; scope = scope->up)
            if (scope->kind == BIDE__SCOPE_DEADLINE)
                return true;
        const struct bide_group *group = task->group;
        if (group == task->loop->background)
            return !task->called;
        scope = group ? &group->scope : NULL;
        task = group ? group->scope.task : NULL;
    }
    return false;
}

static void look_at(struct bide_task *task, int depth, void *arg)
{
    struct walk *walk = arg;
    const struct bide__wait *wait = task->wait;
    (void)depth;
    if (!wait || wait->object->kind != walk->loop->peer_kind ||
        bide__deadline_ns(task) != INT64_MAX || bide__unanswered_is_meant(task))
        return;
    int64_t due_ns = wait->since_ns + walk->loop->runtime->options.unanswered.ns;
    if (due_ns > walk->loop->now_ns) {
        walk->next_ns = due_ns < walk->next_ns ? due_ns : walk->next_ns;
        return;
    }
    if (due_ns <= walk->loop->unanswered_seen_ns)
        return; /* told by an earlier walk */
    char label[96];
    const struct bide_site *at = task->head.at;
    bide__find(BIDE__FINDING_NO_DEADLINE, at,
               "task #%llu '%s' waits for %s at %s:%d for %.1f s, and no deadline would end that: "
               "with_deadline(...); with_deadline(BIDE_FOREVER) if it is meant",
               (unsigned long long)task->head.id, bide__task_label(task),
               bide__object_label(wait->object, label, sizeof label), at ? at->file : "?",
               at ? at->line : 0, (double)(walk->loop->now_ns - wait->since_ns) / 1e9);
}

static void look_around(struct bide__timer *timer)
{
    struct bide__loop *loop = bide__container_of(timer, struct bide__loop, unanswered_timer);
    struct walk walk = {loop, INT64_MAX};
    bide__each_task(loop, look_at, &walk);
    loop->unanswered_seen_ns = loop->now_ns;
    if (walk.next_ns == INT64_MAX)
        return;
    int64_t soonest_ns = loop->now_ns + loop->runtime->options.unanswered.ns / WALKS_PER_WAIT;
    bide__timer_arm(&loop->timers, timer, walk.next_ns > soonest_ns ? walk.next_ns : soonest_ns);
}

void bide__unanswered_watch(struct bide__loop *loop, const struct bide__kind *kind)
{
    const struct bide_options *options = &loop->runtime->options;
    if (options->virtual_clock || options->unanswered.ns == INT64_MAX)
        return;
    loop->peer_kind = kind;
    loop->unanswered_timer.fire = look_around;
    bide__timer_arm(&loop->timers, &loop->unanswered_timer, loop->now_ns + options->unanswered.ns);
}
