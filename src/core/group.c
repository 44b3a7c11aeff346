/*
 * Groups: children in, errors together, everybody out; and what is built on them: gather, first_of,
 * bide_each. Called by with_group and spawn; calls scope.c to cancel.
 *
 * States: OPEN (the block runs) -> ENDING (its end waits for the children, which may still spawn)
 * -> ENDED.
 *
 * Invariants
 *  1. live counts the children that have not ended; started those of them that are not held.
 *  2. error owns every failure of the group: the first, with the later ones attached.
 *  3. A child's record is in `children` until it is freed: at its end if nobody wants its result,
 *     when it is joined, or when the group ends.
 */
#include "core/finding.h"
#include "core/graph.h"
#include "core/loop.h"
#include "core/scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum bide__group_state { GROUP_NONE, GROUP_OPEN, GROUP_ENDING, GROUP_ENDED };

static struct bide_task *child_at(const struct bide__object *object, size_t index,
                                  const struct bide_site **ret_since)
{
    struct bide_group *group = bide__container_of(object, struct bide_group, object);
    bide__list_foreach(node, &group->children)
    {
        struct bide_task *child = bide__task_of_node(node);
        if (child->state != BIDE__TASK_ENDED && index-- == 0) {
            *ret_since = child->object.made;
            return child;
        }
    }
    return NULL;
}

const struct bide__kind bide__kind_group = {
    .noun = "group", .verb = "waits for the end of", .holder = child_at, .any_holder = true};

bool bide__group_open(const struct bide_group *group)
{
    return group->state == GROUP_OPEN || group->state == GROUP_ENDING;
}

void bide__group_init(bide_group *group, const struct bide_site *at,
                      struct bide_group_options options)
{
    bide__object_init(&group->object, &bide__kind_group, options.name, at);
    bide__list_init(&group->children);
    group->held_first = NULL;
    group->end = (struct bide__queue){NULL, NULL};
    group->live = 0;
    group->started = 0;
    group->max_concurrency = options.max_concurrency ? options.max_concurrency : SIZE_MAX;
    group->error = NULL;
    group->cancel_reason = NULL;
    group->state = GROUP_OPEN;
    group->child_cancelled = false;
    group->never_again = false;
    group->loop = bide__loop_here;
}

/* Not inline: the address of its frame is where that of the block ends. */
__attribute__((noinline)) void bide__group_enter(bide_group *group, const struct bide_site *at,
                                                 struct bide_group_options options)
{
    struct bide_task *me = bide__task_current();
    if (me->head.attention & BIDE__ATTENTION_OUTSIDE) {
        bide__current->at = at;
        bide__misuse("with_group outside a task at %s:%d in %s", at->file, at->line, at->function);
    }
    bide__group_init(group, at, options);
    bide__scope_push(&group->scope, BIDE__SCOPE_GROUP, at, INT64_MAX);
    group->floor = __builtin_dwarf_cfa();
}

/* Before the arguments of a child that may start when a frame which they point into is gone. */
struct suspect {
    _Alignas(16) void (*thunk)(void *);
    const char *pointer;
};

/* In place of its function: tells if the pointer lies below all that is left of the stack. While
   the end of the group waits, that is the frame of the function with the block. */
static void run_suspect(void *arg)
{
    struct suspect *suspect = arg;
    const struct bide_task *me = bide__task_current();
    const struct bide_group *group = me->group;
    const struct bide_site *at = me->object.made;
    const char *left = group->state == GROUP_ENDING ? group->floor : group->scope.task->sp;
    if (suspect->pointer < left)
        bide__find(BIDE__FINDING_FRAME_ENDS, at,
                   "task '%s' gets a pointer to a variable of a function that ends before the "
                   "task does: it was spawned in %s at %s:%d, its group ends at that of %s:%d",
                   bide__task_label(me), at->function, at->file, at->line, group->scope.site->file,
                   group->scope.site->line);
    suspect->thunk(suspect + 1);
}

static void suspect(struct bide_task *child, size_t args_size, const char *pointer)
{
    struct suspect *args = bide__alloc(sizeof *args + args_size);
    if (!args)
        return;
    *args = (struct suspect){child->thunk, pointer};
    memcpy(args + 1, child->args, args_size);
    if (child->args != child->small_args)
        bide__free(child->args);
    child->args = (char *)args;
    child->thunk = run_suspect;
}

void bide__group_check_args(struct bide_task *child, size_t args_size, uint64_t pointers)
{
    const char *here = __builtin_frame_address(0), *lowest = NULL, *pointer;
    const char *floor = child->group->floor;
    for (; pointers != 0; pointers &= pointers - 1) {
        memcpy(&pointer, child->args + __builtin_ctzll(pointers) * sizeof pointer, sizeof pointer);
        if (bide__unlikely(pointer >= here && pointer < floor && (!lowest || pointer < lowest)))
            lowest = pointer;
    }
    if (bide__unlikely(lowest != NULL))
        suspect(child, args_size, lowest);
}

void bide__group_add(bide_group *group, struct bide_task *child)
{
    child->group = group;
    child->root_effective = group->scope.effective || group->cancel_reason;
    if (bide__unlikely(child->root_effective))
        child->head.attention |= BIDE__ATTENTION_CANCEL;
    bide__list_push_back(&group->children, &child->node);
    group->live++;
    if (bide__unlikely(group->started >= group->max_concurrency)) {
        child->next = NULL;
        if (group->held_first)
            group->held_last->next = child;
        else
            group->held_first = child;
        group->held_last = child;
        return;
    }
    group->started++;
    bide__ready(child);
}

static void start_held(bide_group *group)
{
    while (group->held_first && group->started < group->max_concurrency) {
        struct bide_task *child = group->held_first;
        group->held_first = child->next;
        group->started++;
        bide__ready(child);
    }
}

void bide__group_init_held(bide_group *group, const struct bide_site *at)
{
    bide__group_init(group, at, (struct bide_group_options){.name = "held"});
    group->max_concurrency = 0;
    group->scope.effective = false;
}

void bide__group_move_held(bide_group *from, bide_group *to)
{
    while (from->held_first) {
        struct bide_task *child = from->held_first;
        from->held_first = child->next;
        from->live--;
        bide__list_remove(&child->node);
        bide__group_add(to, child);
    }
}

void bide__group_drop_held(bide_group *group)
{
    group->held_first = NULL;
    group->live = 0;
    bide__group_free_children(group, false);
}

/* Keeps a failure: the first cancels the siblings and the block. */
static void add_failure(bide_group *group, bide_error *error)
{
    if (group->error) {
        bide__error_attach(group->error, error);
        return;
    }
    group->error = error;
    bide__scope_cancel(&group->scope, error->message);
}

void bide__group_child_ended(bide_group *group, struct bide_task *child, bide_error *error)
{
    struct bide__loop *loop = child->loop;
    group->live--;
    group->started--;
    if (bide__unlikely(error && bide__error_is_cancel(error))) {
        child->ended_by_cancel = true;
        group->never_again |= error->never_again;
        group->child_cancelled |= group->scope.effective;
        error = bide__error_in_cancel(loop, error);
    }
    if (bide__unlikely(error != NULL)) {
        child->error = error;
        if (group == loop->background)
            bide__error_unowned(loop, error); /* and its record owns it */
        else
            add_failure(group, error);
    }
    if (!child->result_wanted)
        bide__task_free(child);
    if (bide__unlikely(group->held_first != NULL))
        start_held(group);
    if (group->live == 0 && group->end.first)
        bide__wake(group->end.first, 0);
}

/* Waits until no child lives. A wait that would never end cancels the children and is kept as a
   failure of the group. */
static void wait_for_children(struct bide_task *me, bide_group *group)
{
    group->state = GROUP_ENDING;
    const struct bide_site *at = me->head.at;
    me->head.at = group->scope.site;
    if (bide__unlikely(me->head.attention & BIDE__ATTENTION_NO_AWAIT))
        bide__misuse_noted("the end of the group of %s:%d waits inside the with_no_await of %s:%d",
                           group->scope.site->file, group->scope.site->line, me->no_await_at->file,
                           me->no_await_at->line);
    while (group->live > 0) {
        struct bide__wait wait = {.shielded = true};
        if (group->scope.cancelled) {
            bide__wait(me, &group->end, &wait, &group->object);
        } else if (bide__wait_checked(me, &group->end, &wait, &group->object) == -EDEADLK) {
            bide_error *error =
                bide_error_new(BIDE_DEADLOCK, "the end of the group of %s:%d would wait for ever",
                               group->scope.site->file, group->scope.site->line);
            error->at = group->scope.site;
            bide__error_disown(error);
            add_failure(group, error);
        }
    }
    me->head.at = at;
    group->state = GROUP_ENDED;
}

static void report_unread(const struct bide_task *child)
{
    const struct bide_site *at = child->object.made;
    fprintf(
        stderr,
        "bide: the result of task #%llu '%s', spawned at %s:%d, was never taken: await_task it, "
        "or use spawn_void\n",
        (unsigned long long)child->head.id, bide__task_label(child), at->file, at->line);
}

void bide__group_free_children(bide_group *group, bool orderly)
{
    struct bide__list_node *node;
    while ((node = bide__list_first(&group->children))) {
        struct bide_task *child = bide__task_of_node(node);
        if (orderly && child->result_wanted && !child->error && !child->ended_by_cancel)
            report_unread(child);
        bide__task_free(child);
    }
}

/* The error in flight tells of the group's failure from now on: its payload is replaced, never the
   unwinder's object. */
static void become(struct bide__loop *loop, bide_error *in_flight, bide_error *failure)
{
    bide__error_free(loop, in_flight->cause);
    in_flight->is_cancel = false;
    in_flight->never_again |= failure->never_again;
    in_flight->undone = failure->undone;
    in_flight->code = failure->code;
    in_flight->system_errno = failure->system_errno;
    in_flight->at = failure->at;
    in_flight->cause = failure->cause;
    in_flight->await_count = failure->await_count;
    in_flight->spawn_count = failure->spawn_count;
    memcpy(in_flight->awaits, failure->awaits, sizeof in_flight->awaits);
    memcpy(in_flight->spawns, failure->spawns, sizeof in_flight->spawns);
    memcpy(in_flight->message, failure->message, sizeof in_flight->message);
    *bide__error_end(&failure->also) = in_flight->also;
    in_flight->also = failure->also;
    failure->cause = NULL;
    failure->also = NULL;
    bide__error_free(loop, failure);
}

static void note_group_end(bide_error *error, const struct bide_site *site)
{
    if (error->await_count < BIDE__AWAITS_KEPT)
        error->awaits[error->await_count++] = site;
}

/* The block is left by `in_flight` and the group has failed as well: one error goes on. */
static void merge(struct bide__loop *loop, bide_error *in_flight, bide_error *failure)
{
    if (bide__error_is_cancel(in_flight) && !bide_cancel_requested()) {
        become(loop, in_flight, failure);
    } else if (in_flight->origin == failure->serial) {
        bide_error *also = failure->also;
        failure->also = NULL;
        bide__error_free(loop, failure);
        while (also) {
            bide_error *next = also->next;
            also->next = NULL;
            bide__error_attach(in_flight, also);
            also = next;
        }
    } else {
        bide__error_attach(in_flight, failure);
    }
}

/* Not inline: see bide__group_enter. */
__attribute__((noinline)) void bide__group_leave(bide_group *group)
{
    struct bide_task *me = bide__task_current();
    if (group->state != GROUP_OPEN)
        return;
    if (bide__unwinding_since(group->scope.was))
        bide__scope_cancel(&group->scope, "the group's block was left by an error");
    bool waited = group->live > 0;
    if (waited) {
        group->floor = __builtin_dwarf_cfa();
        wait_for_children(me, group);
    }
    BIDE__ACQUIRE(group); /* what the children have done */
    group->state = GROUP_ENDED;
    bool unwinding = bide__unwinding_since(group->scope.was);
    if (bide__unlikely(!bide__list_empty(&group->children)))
        bide__group_free_children(group, !unwinding && !group->error && !group->scope.effective);
    bide__scope_pop(&group->scope);
    bide_error *failure = group->error;
    if (unwinding)
        me->head.unwinding->never_again |= group->never_again;
    if (bide__likely(!failure)) {
        /* The end was an await: it raises if it has no result, because children were cancelled. */
        if (bide__unlikely(group->child_cancelled && waited && !unwinding &&
                           bide_cancel_requested())) {
            bide_error *cancel = bide__cancel_error(me);
            cancel->never_again |= group->never_again;
            bide__fail(group->scope.site, cancel);
        }
        return;
    }
    group->error = NULL;
    failure->never_again |= group->never_again;
    note_group_end(failure, group->scope.site);
    if (unwinding) {
        merge(me->loop, me->head.unwinding, failure);
        return;
    }
    bide__error_own(me, failure);
    bide__fail(group->scope.site, failure);
}

void bide_group_cancel(bide_group *group, const char *reason)
{
    if (group->cancel_reason)
        return;
    group->cancel_reason = reason ? reason : "cancelled";
    bide__group_cancel_children(group);
}

size_t bide_group_live(const bide_group *group)
{
    BIDE__ACQUIRE(group);
    return group->live;
}

static bide_task_ref start(bide_group *group, const struct bide__call *call, void (*thunk)(void *),
                           const void *args, size_t args_size, bool result_wanted)
{
    return bide__spawn(group, call->at, call->name, thunk, args, args_size, result_wanted);
}

/* One call of a gather in its task: the result goes to the caller's frame, which stays, because the
   caller waits in a group around it. */
struct gathered {
    const struct bide__call *call;
    bool *first_taken; /* of first_of: whether somebody has won */
    size_t *winner;
    size_t index;
    bide_group *group;
};

static void run_call(void *arg)
{
    const struct bide__call *call = arg;
    call->thunk((void *)(uintptr_t)call->args);
}

static void gathered_run(void *arg)
{
    struct gathered *gathered = arg;
    const struct bide__call *call = gathered->call;
    if (call->ret_error) {
        bide_error *error = bide__attempt(call->at, run_call, (void *)(uintptr_t)call);
        if (error && bide__error_is_cancel(error) && bide_cancel_requested())
            bide__fail(call->at, error);
        *call->ret_error = error;
        if (error) {
            bide__error_disown(error);
            bide__error_own(gathered->group->scope.task, error);
            return;
        }
    } else {
        run_call((void *)(uintptr_t)call);
    }
    if (gathered->first_taken) {
        if (*gathered->first_taken)
            return;
        *gathered->first_taken = true;
        *gathered->winner = gathered->index;
        bide_group_cancel(gathered->group, "another call was first");
    }
    if (call->ret_value)
        memcpy(call->ret_value, call->args, call->value_size);
}

bide_async(void) bide__gather(const struct bide__call *calls, size_t count,
                              enum bide__gather_mode mode)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (result < 0)
        bide__raise(result, NULL);
    for (size_t i = 0; i < count && mode == BIDE__GATHER_SETTLED; i++) {
        BIDE_ASSERT(calls[i].ret_error, "gather_settled takes bide_into_settled() at %s:%d",
                    calls[i].at->file, calls[i].at->line);
        *calls[i].ret_error = NULL;
    }
    bide_with_group(group)
    {
        for (size_t i = 0; i < count; i++) {
            struct gathered gathered = {.call = &calls[i], .group = group};
            (void)start(group, &calls[i], gathered_run, &gathered, sizeof gathered, false);
        }
    }
    return bide_void;
}

/* Nobody has won: the first error with the others attached. */
static __attribute__((noreturn)) void raise_all(struct bide_task *me, bide_error **errors,
                                                size_t count)
{
    bide_error *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (first)
            bide__error_attach(first, errors[i]);
        else
            first = errors[i];
    }
    if (!first)
        first = bide_error_new(BIDE_CANCELLED, "every call of first_of was cancelled");
    bide__fail(me->head.at, first);
}

/* A call of first_of that fails must not end the others, so its error is kept apart. */
bide_async(size_t) bide__first_of(const struct bide__call *calls, size_t count)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (result < 0)
        bide__raise(result, NULL);
    struct bide__call own[8];
    bide_error *errors[8] = {NULL};
    BIDE_ASSERT(count <= 8, "first_of takes at most 8 calls");
    bool taken = false;
    size_t winner = count;
    bide_with_group(group)
    {
        for (size_t i = 0; i < count; i++) {
            own[i] = calls[i];
            own[i].ret_error = &errors[i];
            struct gathered gathered = {.call = &own[i],
                                        .first_taken = &taken,
                                        .winner = &winner,
                                        .index = i,
                                        .group = group};
            (void)start(group, &calls[i], gathered_run, &gathered, sizeof gathered, false);
        }
    }
    if (!taken)
        raise_all(me, errors, count);
    return bide_ready(size_t, winner);
}

/* One of the `limit` tasks of bide_each: takes the next index until none is left. */
struct each_worker {
    const struct bide__each *each;
    size_t *next;
};

enum { EACH_ARGS_BYTES = 512 };

static void each_run(void *arg)
{
    struct each_worker *worker = arg;
    const struct bide__each *each = worker->each;
    _Alignas(16) char args[EACH_ARGS_BYTES];
    memcpy(args, each->args, each->args_size);
    while (*worker->next < each->count) {
        if (bide_cancel_requested())
            bide__raise(-ECANCELED, NULL);
        size_t index = (*worker->next)++;
        memcpy(args + each->item_offset, (const char *)each->items + index * each->item_size,
               each->item_size);
        memcpy(args + each->index_offset, &index, sizeof index);
        each->thunk(args);
    }
}

bide_async(void) bide__each(const struct bide__each *each)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (result < 0)
        bide__raise(result, NULL);
    BIDE_ASSERT(each->args_size <= EACH_ARGS_BYTES,
                "bide_each at %s:%d: an item and its argument may have %d bytes", each->at->file,
                each->at->line, EACH_ARGS_BYTES);
    size_t next = 0;
    size_t workers = each->limit && each->limit < each->count ? each->limit : each->count;
    bide_with_group(group)
    {
        for (size_t i = 0; i < workers; i++) {
            struct each_worker worker = {.each = each, .next = &next};
            (void)bide__spawn(group, each->at, each->name, each_run, &worker, sizeof worker, false);
        }
    }
    return bide_void;
}
