/*
 * Walks over the wait graph and the task tree: deadlock checks, reports. Called before a wait for
 * an object with holders, by the loop when nothing can happen any more, and to print the tree.
 *
 * A task is stuck if it waits for an object that only stuck tasks could give it. The set of stuck
 * tasks is the largest one that agrees with this (a greatest fixed point): all that are reachable
 * are taken as stuck, and those that are not are crossed out until nothing changes.
 *
 * Invariant: nothing here allocates or suspends; a search looks at SEARCH_TASKS tasks at the most,
 * and finds no deadlock rather than a wrong one.
 */
#include "core/graph.h"

#include "core/loop.h"
#include "core/runtime.h"
#include "core/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SEARCH_TASKS = 128, SEARCH_HOLDERS = 64, CHAIN_LINKS = 64 };

enum { NOT_SEEN, STUCK, NOT_STUCK };

struct search {
    struct bide_task *me;
    struct bide__object *wanted;
    struct bide_task *tasks[SEARCH_TASKS];
    size_t count;
};

const char *bide__object_label(const struct bide__object *object, char *text, size_t size)
{
    if (!object || !object->kind || !object->kind->noun)
        snprintf(text, size, "this");
    else if (object->name)
        snprintf(text, size, "%s '%s'", object->kind->noun, object->name);
    else if (object->made)
        snprintf(text, size, "the %s of %s:%d", object->kind->noun, object->made->file,
                 object->made->line);
    else
        snprintf(text, size, "%s %s", strchr("aei", *object->kind->noun) ? "an" : "a",
                 object->kind->noun);
    return text;
}

static struct bide__object *wanted_by(const struct search *search, const struct bide_task *task)
{
    if (task == search->me)
        return search->wanted;
    return task->wait ? task->wait->object : NULL;
}

/* Follows the first holders: enough to see, nearly always, that somebody runs. */
static bool somebody_runs(struct bide_task *me, struct bide__object *object)
{
    for (int link = 0; link < CHAIN_LINKS; link++) {
        const struct bide_site *since;
        if (!object->kind->holder)
            return true;
        struct bide_task *holder = object->kind->holder(object, 0, &since);
        if (!holder)
            return true;
        if (holder == me || object->kind->any_holder)
            return false;
        if (!holder->wait)
            return true;
        object = holder->wait->object;
    }
    return false;
}

static void add_holders(struct search *search, struct bide__object *object)
{
    const struct bide_site *since;
    for (size_t i = 0; i < SEARCH_HOLDERS; i++) {
        struct bide_task *holder = object->kind->holder(object, i, &since);
        if (!holder)
            return;
        if (holder->visit != NOT_SEEN || search->count == SEARCH_TASKS)
            continue;
        holder->visit = STUCK;
        search->tasks[search->count++] = holder;
    }
}

/* By the marks of the others: whether what `task` waits for can only come from stuck tasks. */
static bool is_stuck(const struct search *search, const struct bide_task *task)
{
    const struct bide_site *since;
    const struct bide__object *object = wanted_by(search, task);
    if (!object || !object->kind || !object->kind->holder)
        return false;
    if (object->kind->any_holder)
        for (size_t i = 0; i < search->count; i++)
            if (search->tasks[i]->visit == STUCK && search->tasks[i]->group &&
                &search->tasks[i]->group->object == object)
                return true;
    for (size_t i = 0; i < SEARCH_HOLDERS; i++) {
        struct bide_task *holder = object->kind->holder(object, i, &since);
        if (!holder)
            return i > 0 && !object->kind->any_holder;
        if ((holder->visit == STUCK) == object->kind->any_holder)
            return object->kind->any_holder;
    }
    return false;
}

static bool find_stuck(struct search *search)
{
    search->me->visit = STUCK;
    search->tasks[search->count++] = search->me;
    for (size_t i = 0; i < search->count; i++) {
        struct bide__object *object = wanted_by(search, search->tasks[i]);
        if (object && object->kind && object->kind->holder)
            add_holders(search, object);
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < search->count; i++) {
            struct bide_task *task = search->tasks[i];
            if (task->visit == STUCK && !is_stuck(search, task)) {
                task->visit = NOT_STUCK;
                changed = true;
            }
        }
    }
    return search->me->visit == STUCK;
}

/* The stuck holder that `task` waits for, and where it got hold. */
static struct bide_task *stuck_holder(const struct search *search, const struct bide_task *task,
                                      const struct bide_site **ret_since)
{
    const struct bide__object *object = wanted_by(search, task);
    for (size_t i = 0; i < SEARCH_HOLDERS; i++) {
        struct bide_task *holder = object->kind->holder(object, i, ret_since);
        if (!holder || holder->visit == STUCK)
            return holder;
    }
    return NULL;
}

static void print_place(const char *word, const struct bide_site *site)
{
    if (site)
        fprintf(stderr, "  %s %s:%d", word, site->file, site->line);
}

/* Who waits for whom, from the task that asked: the last one waits for ring[start] again. */
struct ring {
    struct bide_task *tasks[CHAIN_LINKS];
    size_t count, start;
};

static void follow(const struct search *search, struct ring *ring)
{
    const struct bide_site *since;
    struct bide_task *task = search->me;
    ring->count = ring->start = 0;
    while (task && ring->count < CHAIN_LINKS) {
        ring->tasks[ring->count++] = task;
        task = stuck_holder(search, task, &since);
        for (size_t i = 0; i < ring->count; i++) {
            if (ring->tasks[i] == task) {
                ring->start = i;
                return;
            }
        }
    }
}

static void report_link(const struct search *search, const struct ring *ring, size_t i)
{
    char label[96];
    const struct bide_site *since = NULL;
    struct bide_task *task = ring->tasks[i];
    size_t before = i > 0 ? i - 1 : ring->count - 1;
    const struct bide__object *wanted = wanted_by(search, task);
    const struct bide__object *held = wanted_by(search, ring->tasks[before]);
    fprintf(stderr, "  #%llu %s", (unsigned long long)task->head.id, bide__task_label(task));
    print_place("spawned", task->object.made);
    if (held && held->kind != &bide__kind_task && (i > 0 || ring->start == 0) &&
        stuck_holder(search, ring->tasks[before], &since) == task) {
        fprintf(stderr, "\n       holds  %s", bide__object_label(held, label, sizeof label));
        print_place("since", since);
    }
    fprintf(stderr, "\n       %s  %s", wanted->kind->verb,
            bide__object_label(wanted, label, sizeof label));
    print_place("at", task->head.at);
    fprintf(stderr, "\n");
}

static void report_cycle(const struct search *search)
{
    struct ring ring;
    follow(search, &ring);
    __atomic_fetch_add(&bide__deadlocks, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "bide: DEADLOCK among %zu task%s (would wait for ever)\n", ring.count,
            ring.count == 1 ? "" : "s");
    for (size_t i = 0; i < ring.count; i++)
        report_link(search, &ring, i);
}

static __attribute__((noinline)) bool search_deadlock(struct bide_task *task,
                                                      struct bide__object *object)
{
    struct search search;
    search.me = task;
    search.wanted = object;
    search.count = 0;
    bool found = find_stuck(&search);
    if (found)
        report_cycle(&search);
    for (size_t i = 0; i < search.count; i++)
        search.tasks[i]->visit = NOT_SEEN;
    return found;
}

bool bide__graph_deadlock(struct bide_task *task, struct bide__object *object)
{
    return !somebody_runs(task, object) && search_deadlock(task, object);
}

/* The first child that lives, from `node` on, of `group` and of the groups around it in the same
   task. */
static struct bide_task *child_from(struct bide_group *group, struct bide__list_node *node)
{
    for (;;) {
        for (; node != &group->children.head; node = node->next)
            if (bide__task_of_node(node)->state != BIDE__TASK_ENDED)
                return bide__task_of_node(node);
        struct bide__scope *scope = group->scope.up;
        while (scope && scope->kind != BIDE__SCOPE_GROUP)
            scope = scope->up;
        if (!group->scope.task || !scope)
            return NULL;
        group = bide__container_of(scope, struct bide_group, scope);
        node = group->children.head.next;
    }
}

static struct bide_task *first_child(const struct bide_task *task)
{
    struct bide__scope *scope = task->scope;
    while (scope && scope->kind != BIDE__SCOPE_GROUP)
        scope = scope->up;
    if (!scope)
        return NULL;
    struct bide_group *group = bide__container_of(scope, struct bide_group, scope);
    return child_from(group, group->children.head.next);
}

/* Depth first, without a stack: a task knows its group, a group its task. */
static void each_from(struct bide_task *root, void (*visit)(struct bide_task *, int, void *),
                      void *arg)
{
    int depth = 0;
    for (struct bide_task *task = root; task;) {
        visit(task, depth, arg);
        struct bide_task *next = first_child(task);
        if (next)
            depth++;
        while (!next && task != root) {
            next = child_from(task->group, task->node.next);
            if (!next) {
                task = task->group->scope.task;
                depth--;
            }
        }
        task = next;
    }
}

void bide__each_task(struct bide__loop *loop,
                     void (*visit)(struct bide_task *task, int depth, void *arg), void *arg)
{
    if (loop->main_task)
        each_from(loop->main_task, visit, arg);
    if (!loop->background)
        return;
    bide__list_foreach(node, &loop->background->children)
    {
        if (bide__task_of_node(node)->state != BIDE__TASK_ENDED)
            each_from(bide__task_of_node(node), visit, arg);
    }
}

struct out {
    int fd;
    struct bide__loop *loop;
    size_t tasks;
    struct bide_task *last;
};

__attribute__((format(printf, 2, 3))) static void say(const struct out *out, const char *format,
                                                      ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length > (int)sizeof line - 1)
        length = (int)sizeof line - 1;
    for (int done = 0; done < length;) {
        ssize_t n = write(out->fd, line + done, (size_t)(length - done));
        if (n <= 0)
            return;
        done += (int)n;
    }
}

const char *bide__task_doing(const struct bide_task *task, char *text, size_t size)
{
    char label[96];
    const struct bide_site *at = task->head.at;
    if (!task->wait) {
        snprintf(text, size, "%s",
                 task->state == BIDE__TASK_QUEUED ? "queued"
                 : task == bide__task_current()   ? "running"
                                                  : "ready");
        return text;
    }
    const struct bide__kind *kind = task->wait->object->kind;
    double seconds = (double)(task->loop->now_ns - task->wait->since_ns) / 1e9;
    if (kind->noun)
        bide__object_label(task->wait->object, label, sizeof label);
    int length = snprintf(text, size, "%s%s%s for %.1f s", kind->verb, kind->noun ? " " : "",
                          kind->noun ? label : "", seconds);
    if (at && length < (int)size)
        snprintf(text + length, size - (size_t)length, "  at %s:%d", at->file, at->line);
    return text;
}

static void print_task(struct bide_task *task, int depth, void *arg)
{
    struct out *out = arg;
    char doing[384];
    const struct bide_site *made = task->object.made;
    out->tasks++;
    say(out, "%*s#%llu %s  %s", 2 + 2 * (depth < 40 ? depth : 40), "",
        (unsigned long long)task->head.id, bide__task_label(task),
        bide__task_doing(task, doing, sizeof doing));
    if (made)
        say(out, "  spawned %s:%d", made->file, made->line);
    say(out, "%s\n", (task->head.attention & BIDE__ATTENTION_CANCEL) ? "  cancelled" : "");
}

void bide__print_tree(struct bide__loop *loop, int fd)
{
    struct out out = {.fd = fd, .loop = loop};
    say(&out, "bide: tasks of loop %d\n", loop->index);
    bide__each_task(loop, print_task, &out);
    say(&out, "bide: %zu task%s\n", out.tasks, out.tasks == 1 ? "" : "s");
}

void bide_print_tasks(void)
{
    fflush(stderr);
    if (bide__loop_here)
        bide__print_tree(bide__loop_here, STDERR_FILENO);
}

void bide__graph_report_idle(struct bide__loop *loop)
{
    __atomic_fetch_add(&bide__deadlocks, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "bide: DEADLOCK: every task waits and nothing can wake one\n");
    fflush(stderr);
    bide__print_tree(loop, STDERR_FILENO);
}

void bide__graph_break(struct bide_task *task)
{
    struct bide__wait *wait = task->wait;
    if (wait->abort)
        wait->abort(wait, -EDEADLK);
    else
        bide__wake(wait, -EDEADLK);
}

static void later(struct bide_task *task, int depth, void *arg)
{
    (void)depth;
    struct out *out = arg;
    if (!task->wait || task->wait->shielded || bide__remote_waits(task->wait))
        return;
    if (!out->last || task->wait->since_ns > out->last->wait->since_ns ||
        (task->wait->since_ns == out->last->wait->since_ns && task->head.id > out->last->head.id))
        out->last = task;
}

struct bide_task *bide__graph_last_waiting(struct bide__loop *loop)
{
    struct out out = {.loop = loop};
    bide__each_task(loop, later, &out);
    return out.last;
}
