/*
 * The life of a task: spawned, given a stack, run, ended, joined. Called by the spawn, await_task
 * and bide_wait of include/bide/task.h, and by the loop for fresh tasks.
 *
 * A stack runs `stack_main` for ever: it runs one task to its end, and if the next ready task is
 * fresh, that one at once, without a switch. So a burst of short tasks shares one warm stack.
 */
#include "base/assert.h"
#include "core/graph.h"
#include "core/local.h"
#include "core/loop.h"
#include "core/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct bide_task) == 320, "five cache lines; see the bench `parked_1m`");

static struct bide_task *task_holder(const struct bide__object *object, size_t index,
                                     const struct bide_site **ret_since)
{
    struct bide_task *task = bide__container_of(object, struct bide_task, object);
    *ret_since = object->made;
    return index == 0 ? task : NULL;
}

const struct bide__kind bide__kind_task = {
    .noun = "task",
    .verb = "joins",
    .holder = task_holder,
    .place = {BIDE__HOLDER_IS, BIDE__HOLDER_FROM(struct bide_task, object, head), 0}};

bool bide__lock_order_watched = BIDE_DEBUG;
uint32_t bide__task_era;

static struct bide_task *record_new(struct bide__loop *loop, size_t args_size)
{
    struct bide_task *task = loop->free_tasks;
    if (bide__likely(task != NULL))
        loop->free_tasks = task->next;
    else if (!(task = bide__slab_alloc(&loop->tasks)))
        return NULL;
    task->args = task->small_args;
    if (bide__unlikely(args_size > BIDE__TASK_SMALL_ARGS) &&
        !(task->args = bide__alloc(args_size))) {
        task->head.id = 0;
        task->next = loop->free_tasks;
        loop->free_tasks = task;
        return NULL;
    }
    return task;
}

struct bide_task *bide__task_new(struct bide__loop *loop, const struct bide_site *at,
                                 const char *name, void (*thunk)(void *), const void *args,
                                 size_t args_size)
{
    struct bide_task *task = record_new(loop, args_size);
    if (bide__unlikely(!task))
        return NULL;
    BIDE__ACQUIRE(task);
    task->head = (struct bide__head){
        .at = at,
        .id = ++loop->next_task_id,
        .attention = loop->attention,
        .woken_by = (uint32_t)bide__current->id,
    };
    task->sp = NULL;
    task->stack = NULL;
    task->loop = loop;
    task->wait = NULL;
    task->scope = NULL;
    task->thunk = thunk;
    task->locals = NULL;
    task->group = NULL;
    task->state = BIDE__TASK_QUEUED;
    task->visit = 0;
    task->result_wanted = false;
    task->said_ready = false;
    task->called = false;
    task->cancelled = false;
    task->root_effective = false;
    task->ended_by_cancel = false;
    task->renamed = false;
    task->error_count = 0;
    task->refused = 0;
    task->no_await_depth = 0;
    task->spawned_ticks = (uint32_t)((uint64_t)loop->now_ns >> BIDE__SPAWN_TICK_BITS);
    task->memory = NULL;
    task->cancel_reason = NULL;
    task->no_await_at = NULL;
    task->error = NULL;
    bide__list_init(&task->errors);
    task->joiners = (struct bide__queue){NULL, NULL};
    task->object = (struct bide__object){&bide__kind_task, name, at};
    memcpy(task->args, args, args_size);
    BIDE__RELEASE(task);
    return task;
}

void bide__task_free(struct bide_task *task)
{
    struct bide__loop *loop = task->loop;
    if (task->group) {
        bide__list_remove(&task->node);
        if (bide__unlikely(task->error && task->group == loop->background))
            bide__error_free(loop, task->error);
    }
    if (bide__unlikely(task->args != task->small_args))
        bide__free(task->args);
    if (bide__unlikely(task->renamed))
        bide__free((char *)(uintptr_t)task->object.name);
    if (bide__unlikely(task->locals != NULL))
        bide__locals_drop(task);
    if (bide__unlikely(task->memory != NULL)) {
        bide_arena_done(&task->memory->arena);
        bide__free(task->memory);
    }
    task->state = BIDE__TASK_FREED;
    task->head.id = 0;
    task->next = loop->free_tasks;
    loop->free_tasks = task;
}

/* One thread runs a task and all below it, so they may share an arena. */
bide_arena *bide_task_arena(void)
{
    struct bide_task *task = bide__task_current();
    if (task->head.attention & BIDE__ATTENTION_OUTSIDE)
        bide__misuse("bide_task_arena outside of tasks");
    for (struct bide_task *above = task; above; above = bide__task_parent(task)) {
        task = above;
        struct bide__memory *memory = task->memory;
        if (memory)
            return memory->arena_of ? memory->arena_of(memory->owner) : &memory->arena;
    }
    task->memory = bide__calloc(1, sizeof *task->memory);
    if (!task->memory)
        return NULL;
    bide_arena_init(&task->memory->arena, NULL, BIDE_CAP_TASK_ARENA_BYTES);
    return &task->memory->arena;
}

void *bide__memory_owner(bide_arena *(*arena_of)(void *owner))
{
    struct bide_task *task = bide__task_current();
    if (task->head.attention & BIDE__ATTENTION_OUTSIDE)
        return NULL;
    for (; task; task = bide__task_parent(task))
        for (const struct bide__memory *memory = task->memory; memory; memory = memory->outer)
            if (memory->arena_of == arena_of)
                return memory->owner;
    return NULL;
}

void bide__effect_note(void)
{
    struct bide_task *task = bide__task_current();
    if (task->head.attention & BIDE__ATTENTION_OUTSIDE)
        return;
    for (; task; task = bide__task_parent(task)) {
        struct bide__memory *memory = task->memory;
        while (memory && !memory->arena_of)
            memory = memory->outer;
        if (memory) {
            memory->has_effects = true;
            return;
        }
    }
}

void bide__arena_enter(struct bide__memory *memory)
{
    struct bide_task *me = bide__task_current();
    if (me->head.attention & BIDE__ATTENTION_OUTSIDE)
        bide__misuse("with_arena outside of tasks");
    bide_arena_init(&memory->arena, NULL, BIDE_CAP_TASK_ARENA_BYTES);
    memory->outer = me->memory;
    memory->entered = true;
    me->memory = memory;
}

void bide__arena_leave(struct bide__memory *memory)
{
    if (!memory->entered)
        return;
    bide__task_current()->memory = memory->outer;
    bide_arena_done(&memory->arena);
}

struct bide_task *bide__task_of_ref(bide_task_ref ref)
{
    return ref.task && ref.task->head.id == ref.id ? ref.task : NULL;
}

struct bide_task *bide__task_parent(const struct bide_task *task)
{
    return task->group ? task->group->scope.task : NULL;
}

bide_task_ref bide__spawn(struct bide_group *group, const struct bide_site *at, const char *name,
                          void (*thunk)(void *), const void *args, size_t args_size,
                          bool result_wanted)
{
    struct bide_task *me = bide__task_current();
    if (bide__unlikely(me->head.attention & BIDE__ATTENTION_OUTSIDE)) {
        bide__current->at = at;
        bide__misuse("spawn outside a task at %s:%d in %s", at->file, at->line, at->function);
    }
    struct bide__loop *loop = me->loop;
    if (bide__unlikely(!bide__group_open(group)))
        bide__misuse("task #%llu '%s' spawns at %s:%d into the group of %s:%d, which has ended",
                     (unsigned long long)me->head.id, bide__task_label(me), at->file, at->line,
                     group->scope.site ? group->scope.site->file : "?",
                     group->scope.site ? group->scope.site->line : 0);
    BIDE_ASSERT(args_size <= BIDE_CAP_SPAWN_ARGS_BYTES,
                "spawn at %s:%d copies %zu bytes of arguments; the limit is %d", at->file, at->line,
                args_size, BIDE_CAP_SPAWN_ARGS_BYTES);
    if (bide__unlikely(group->loop != loop))
        bide__misuse("task #%llu '%s' spawns at %s:%d into a group of another loop",
                     (unsigned long long)me->head.id, bide__task_label(me), at->file, at->line);
    struct bide_task *task = bide__task_new(loop, at, name, thunk, args, args_size);
    if (task && bide__unlikely(me->locals != NULL) &&
        bide__locals_inherit(me, task, group == loop->background) < 0) {
        bide__task_free(task);
        task = NULL;
    }
    if (bide__unlikely(!task))
        bide__fail(at, bide_error_new(BIDE_NO_MEMORY, "out of memory for a task"));
    task->result_wanted = result_wanted;
    bide__group_add(group, task);
    return (bide_task_ref){task, task->head.id};
}

void bide__spawn_void(struct bide_group *group, const struct bide_site *at, const char *name,
                      void (*thunk)(void *), const void *args, size_t args_size, uint64_t pointers)
{
    bide_task_ref child = bide__spawn(group, at, name, thunk, args, args_size, false);
    if (pointers != 0 && group->scope.task == bide__task_current() && group->floor)
        bide__group_check_args(child.task, args_size, pointers);
}

/* A dead canary is found when the stack is given back: then its task is gone already. */
static void report_smashed(struct bide__stack *stack)
{
    (void)stack;
    const struct bide_spawned *task = &bide__loop_here->last_ended;
    fprintf(stderr,
            "bide: STACK OVERFLOW in task #%llu '%s', spawned at %s:%d: it used its %zu KiB\n",
            (unsigned long long)task->id, task->name, task->at ? task->at->file : "?",
            task->at ? task->at->line : 0, bide__stack_bytes() / 1024);
}

static void note_ended(struct bide__loop *loop, const struct bide_task *task)
{
    bide__stack_smashed = report_smashed;
    bide__error_note_task(&loop->last_ended, task);
}

static void end_of_task(struct bide_task *task, bide_error *error)
{
    struct bide__loop *loop = task->loop;
    BIDE__RELEASE(task);
    BIDE__RELEASE(task->group ? task->group : loop->background);
    if (bide__unlikely(loop->has_canaries))
        note_ended(loop, task);
    if (bide__unlikely(task->locals != NULL))
        bide__locals_drop(task);
    task->state = BIDE__TASK_ENDED;
    task->stack = NULL;
    if (bide__unlikely(error != NULL)) {
        bide__error_disown(error);
        error->state = BIDE__ERROR_ENDED;
    }
    if (bide__unlikely(task->error_count))
        bide__error_release_all(task);
    bide__wake_all(&task->joiners,
                   error && !bide__error_is_cancel(error) ? BIDE__JOIN_FAILED : BIDE__JOIN_DONE);
    if (task->group) {
        bide__group_child_ended(task->group, task, error);
    } else {
        task->error = error;
        bide__loop_main_ended(loop, task);
    }
}

/* For ThreadSanitizer's reports, where each task is a thread. */
static inline void name_fiber(const struct bide_task *task)
{
#if BIDE_TASK_RACES
    char name[64];
    snprintf(name, sizeof name, "task #%llu %s", (unsigned long long)task->head.id,
             bide__task_label(task));
    __tsan_set_fiber_name(task->stack->fiber, name);
#else
    (void)task;
#endif
}

void bide__task_run(struct bide_task *task)
{
    void (*thunk)(void *) = task->thunk;
    BIDE__ACQUIRE(task);
    name_fiber(task);
    task->catches = NULL;
    task->state = BIDE__TASK_STARTED;
    bide_error *error = bide__boundary(thunk, task->args);
    end_of_task(task, error);
}

static void stack_main(struct bide__stack *stack)
{
    bide__context_entered();
    for (;;) {
        struct bide_task *task = bide__task_current();
        struct bide__loop *loop = task->loop;
        bide__task_run(task);
        struct bide_task *next = bide__loop_next(loop, true);
        bide__current = &next->head;
        if (!next->sp) {
            next->stack = stack;
            next->sp = stack; /* it has a stack: only a fresh task has no sp */
            continue;
        }
        if (bide__unlikely(loop->starved != NULL)) {
            struct bide_task *starved = loop->starved;
            loop->starved = starved->next;
            bide__ready(starved);
        }
        bide__stack_give(&loop->stacks, stack);
        bide__context_go(stack, &stack->sp, next->stack, next->sp);
    }
}

bool bide__loop_equip(struct bide__loop *loop, struct bide_task *task)
{
    struct bide__stack *stack = bide__stack_take(&loop->stacks, stack_main);
    if (bide__unlikely(!stack)) {
        task->next = NULL;
        if (loop->starved)
            loop->starved_last->next = task;
        else
            loop->starved = task;
        loop->starved_last = task;
        return false;
    }
    task->stack = stack;
    task->sp = stack->sp;
    return true;
}

bool bide__loop_feed(struct bide__loop *loop)
{
    while (loop->starved) {
        struct bide__stack *stack = bide__stack_take(&loop->stacks, stack_main);
        if (!stack)
            return false;
        struct bide_task *task = loop->starved;
        loop->starved = task->next;
        task->stack = stack;
        task->sp = stack->sp;
        bide__ready(task);
    }
    return true;
}

/* The task of a handle that must not be stale. */
static struct bide_task *of_handle(struct bide_task *me, bide_task_ref ref, const char *use)
{
    struct bide_task *task = bide__task_of_ref(ref);
    if (bide__unlikely(!task))
        bide__misuse("%s at %s:%d of task #%llu, whose result was taken before, or whose group has "
                     "ended",
                     use, me->head.at ? me->head.at->file : "?",
                     me->head.at ? me->head.at->line : 0, (unsigned long long)ref.id);
    return task;
}

/* A wait for what another task does: its end, or its bide_task_ready. */
static int wait_for_task(struct bide_task *me, struct bide_task *task)
{
    struct bide__wait wait = {.payload = NULL};
    return bide__wait_checked(me, &task->joiners, &wait, &task->object);
}

static __attribute__((noreturn)) void raise_ended(struct bide_task *me, struct bide_task *task)
{
    if (task->error)
        bide__fail(me->head.at, bide__error_clone(task->error));
    bide__fail(me->head.at,
               bide_error_new(BIDE_CANCELLED, "task #%llu '%s' was cancelled",
                              (unsigned long long)task->head.id, bide__task_label(task)));
}

bide_async(void) bide__join(bide_task_ref child, void *ret_value, size_t size)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, NULL);
    bide__done_at_once(me);
    struct bide_task *task = of_handle(me, child, "await_task");
    while (task->state != BIDE__TASK_ENDED) {
        result = wait_for_task(me, task);
        if (bide__unlikely(result < 0))
            bide__raise(result, &task->object);
        task = of_handle(me, child, "await_task");
    }
    BIDE__ACQUIRE(task);
    if (bide__unlikely(task->error || task->ended_by_cancel)) {
        if (me->head.attention & BIDE__ATTENTION_CANCEL)
            bide__raise(-ECANCELED, &task->object);
        raise_ended(me, task);
    }
    memcpy(ret_value, task->args, size);
    bide__task_free(task);
    return bide_void;
}

/* What start_ready waits for: 0 when the child said so, else why it will not. */
static int wait_until_ready(struct bide_task *me, bide_task_ref child)
{
    int result = bide__checkpoint(me);
    while (result == 0 && !child.task->said_ready && child.task->state != BIDE__TASK_ENDED)
        result = wait_for_task(me, child.task);
    return result;
}

bide_async(void) bide__start_ready(bide_task_ref child)
{
    struct bide_task *me = bide__task_current();
    struct bide_task *task = of_handle(me, child, "start_ready");
    int result = wait_until_ready(me, child);
    BIDE__ACQUIRE(task);
    /* From here on nobody reads its result, whatever happens. */
    task->result_wanted = false;
    if (bide__unlikely(result < 0))
        bide__raise(result, &task->object);
    if (task->state != BIDE__TASK_ENDED)
        return bide_void;
    if (bide__unlikely(!task->said_ready)) {
        if (me->head.attention & BIDE__ATTENTION_CANCEL)
            bide__raise(-ECANCELED, &task->object);
        if (task->error || task->ended_by_cancel)
            raise_ended(me, task);
        bide__fail(me->head.at,
                   bide_error_new(BIDE_CLOSED, "task #%llu '%s' ended without bide_task_ready()",
                                  (unsigned long long)task->head.id, bide__task_label(task)));
    }
    bide__task_free(task);
    return bide_void;
}

void bide_task_ready(void)
{
    struct bide_task *me = bide__task_current();
    if (me->head.attention & BIDE__ATTENTION_OUTSIDE)
        return;
    me->said_ready = true;
    BIDE__RELEASE(me);
    bide__wake_all(&me->joiners, 0);
}

bide_task_ref bide_current_task(void)
{
    struct bide_task *me = bide__task_current();
    if (me->head.attention & BIDE__ATTENTION_OUTSIDE)
        return (bide_task_ref){NULL, 0};
    return (bide_task_ref){me, me->head.id};
}

struct collect {
    bide_task_ref *tasks;
    size_t capacity, count;
};

static void collect(struct bide_task *task, int depth, void *arg)
{
    (void)depth;
    struct collect *to = arg;
    size_t at = to->count < to->capacity ? to->count : to->capacity;
    to->count++;
    if (at == to->capacity) {
        if (at == 0 || to->tasks[at - 1].id < task->head.id)
            return;
        at--;
    }
    for (; at > 0 && to->tasks[at - 1].id > task->head.id; at--)
        to->tasks[at] = to->tasks[at - 1];
    to->tasks[at] = (bide_task_ref){task, task->head.id};
}

size_t bide_all_tasks(bide_task_ref *ret_tasks, size_t capacity)
{
    struct collect to = {ret_tasks, capacity, 0};
    if (bide__loop_here)
        bide__each_task(bide__loop_here, collect, &to);
    return to.count;
}

bool bide_task_done(bide_task_ref ref)
{
    struct bide_task *task = ref.task;
    if (!task)
        return true;
    if (task->head.id == ref.id && task->state != BIDE__TASK_ENDED)
        return false;
    BIDE__ACQUIRE(task);
    return true;
}

const char *bide_task_name(bide_task_ref ref)
{
    struct bide_task *task = bide__task_of_ref(ref);
    return task ? bide__task_label(task) : "";
}

void bide_task_rename(const char *format, ...)
{
    struct bide_task *me = bide__task_current();
    char *name = bide__alloc(BIDE__TASK_NAME_BYTES);
    if (!name || (me->head.attention & BIDE__ATTENTION_OUTSIDE)) {
        bide__free(name);
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(name, BIDE__TASK_NAME_BYTES, format, args);
    va_end(args);
    if (me->renamed)
        bide__free((char *)(uintptr_t)me->object.name);
    me->object.name = name;
    me->renamed = true;
}

void bide_cancel_task(bide_task_ref ref, const char *reason)
{
    struct bide_task *task = bide__task_of_ref(ref);
    if (task)
        bide__task_cancel(task, reason ? reason : "cancelled");
}
