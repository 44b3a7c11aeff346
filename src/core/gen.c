/*
 * Generators: include/bide/gen.h. Called by with_generator and what is used inside; calls group.c
 * for the task, and the wait mechanism for the two sides.
 *
 *   not started --next--> running --give--> parked --next, throw--> running ... --returns--> ended
 *                            ^                 |
 *                            +---- cancel -----+
 *
 * Invariants
 *  1. The generator's task never fails: what leaves the function is kept in `failure`.
 *  2. `full` means that a value was given and nobody has taken it; the generator is parked then.
 */
#include "core/graph.h"
#include "core/loop.h"
#include "core/scope.h"

#include <bide/gen.h>
#include <errno.h>
#include <string.h>

/* How the arguments of a generator's function begin. */
struct first_argument {
    bide__value_void result;
    struct bide__gen *gen;
};

static struct bide_task *runner(const struct bide__object *object, size_t index,
                                const struct bide_site **ret_since)
{
    const struct bide__gen *gen = bide__container_of(object, struct bide__gen, to_take);
    *ret_since = gen->call.at;
    return index == 0 ? bide__task_of_ref(gen->task) : NULL;
}

static struct bide_task *owner(const struct bide__object *object, size_t index,
                               const struct bide_site **ret_since)
{
    const struct bide__gen *gen = bide__container_of(object, struct bide__gen, to_give);
    *ret_since = gen->call.at;
    return index == 0 ? gen->group.scope.task : NULL;
}

static const struct bide__kind take_kind = {
    .noun = "generator",
    .verb = "waits for a value of",
    .holder = runner,
    .place = {BIDE__HOLDER_AT, BIDE__HOLDER_FROM(struct bide__gen, to_take, task), 0}};
static const struct bide__kind give_kind = {
    .noun = "generator",
    .verb = "has given a value as",
    .holder = owner,
    .place = {BIDE__HOLDER_AT, BIDE__HOLDER_FROM(struct bide__gen, to_give, group.scope.task), 0}};

void bide__gen_enter(struct bide__gen *gen, size_t value_size, void *value, void *sent,
                     const struct bide__call call)
{
    gen->call = call;
    gen->value_size = value_size;
    gen->value = value;
    gen->sent = sent;
    bide__object_init(&gen->to_take, &take_kind, call.name, call.at);
    bide__object_init(&gen->to_give, &give_kind, call.name, call.at);
    bide__group_enter(&gen->group, call.at, (struct bide_group_options){.name = call.name});
}

/* What the task runs. */
static void run(void *args)
{
    struct bide__gen *gen = ((struct first_argument *)args)->gen;
    struct bide_task *me = bide__task_current();
    bide_error *error = bide__attempt(gen->call.at, gen->call.thunk, args);
    if (error && bide__error_is_cancel(error)) {
        gen->cancelled = true;
        error = bide__error_in_cancel(me->loop, error);
    } else if (error) {
        bide__error_disown(error);
    }
    gen->failure = error;
    gen->ended = true;
    BIDE__RELEASE(gen);
    bide__wake_all(&gen->taking, 0);
}

static void check_asker(const struct bide_task *me, const struct bide__gen *gen)
{
    const struct bide__wait *other = gen->taking.first;
    if (bide__unlikely(other != NULL))
        bide__misuse("task #%llu '%s' at %s:%d and task #%llu '%s' at %s:%d ask generator '%s' at "
                     "once",
                     (unsigned long long)me->head.id, bide__task_label(me), me->head.at->file,
                     me->head.at->line, (unsigned long long)other->task->head.id,
                     bide__task_label(other->task), other->task->head.at->file,
                     other->task->head.at->line, gen->call.name);
    if (bide__unlikely(gen->started && bide__task_of_ref(gen->task) == me))
        bide__misuse("generator '%s' asks itself at %s:%d", gen->call.name, me->head.at->file,
                     me->head.at->line);
}

/* Lets it run to the next value, unless it does already. */
static void go_on(struct bide__gen *gen)
{
    gen->asked = true;
    if (!gen->started) {
        gen->started = true;
        gen->task = bide__spawn(&gen->group, gen->call.at, gen->call.name, run, gen->call.args,
                                gen->call.args_size, false);
    } else if (!gen->full && gen->giving.first) {
        bide__wake(gen->giving.first, 0);
    }
}

/* The end, for who asks: raises what it failed with. */
static void raise_end(struct bide_task *me, struct bide__gen *gen)
{
    bide_error *failure = gen->failure;
    gen->failure = NULL;
    if (failure) {
        bide__error_own(me, failure);
        bide__fail(me->head.at, failure);
    }
    bool alone = gen->cancelled && !gen->closing;
    gen->cancelled = false;
    if (alone)
        bide__fail(me->head.at,
                   bide_error_new(BIDE_CANCELLED, "generator '%s' was cancelled", gen->call.name));
}

static int wait_for_value(struct bide_task *me, struct bide__gen *gen)
{
    int result = 0;
    while (result == 0 && !gen->full && !gen->ended) {
        struct bide__wait wait = {.payload = NULL};
        result = bide__wait_checked(me, &gen->taking, &wait, &gen->to_take);
    }
    return gen->full || gen->ended ? 0 : result;
}

static bool take(struct bide_task *me, struct bide__gen *gen, void *ret_value)
{
    go_on(gen);
    int result = wait_for_value(me, gen);
    if (bide__unlikely(result < 0))
        bide__raise(result, &gen->to_take);
    gen->asked = false;
    BIDE__ACQUIRE(gen);
    if (gen->full) {
        gen->full = false;
        memcpy(ret_value, gen->value, gen->value_size);
        return true;
    }
    raise_end(me, gen);
    return false;
}

/* The start of what asks. */
static struct bide_task *enter(struct bide__gen *gen)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &gen->to_take);
    check_asker(me, gen);
    return me;
}

static void check_parked(const struct bide_task *me, const struct bide__gen *gen, const char *call)
{
    if (bide__unlikely(!gen->started || gen->asked))
        bide__misuse("%s at %s:%d: generator '%s' %s", call, me->head.at->file, me->head.at->line,
                     gen->call.name,
                     gen->started ? "has a value that was asked for and not taken"
                                  : "has not begun");
}

bide_async(bool) bide__gen_next(struct bide__gen *gen, void *ret_value, const void *sent)
{
    struct bide_task *me = enter(gen);
    if (sent && !gen->ended) {
        check_parked(me, gen, "bide_gen_send");
        memcpy(gen->sent, sent, gen->value_size);
        gen->has_sent = true;
    }
    return bide_ready(bool, take(me, gen, ret_value));
}

bide_async(bool) bide__gen_throw(struct bide__gen *gen, bide_error *error, void *ret_value)
{
    struct bide_task *me = enter(gen);
    if (!gen->started || gen->ended) {
        gen->started = gen->ended = true;
        bide__fail(me->head.at, error);
    }
    check_parked(me, gen, "bide_gen_throw");
    gen->thrown = bide__error_clone(error);
    bide__error_disown(gen->thrown);
    return bide_ready(bool, take(me, gen, ret_value));
}

bide_async(void) bide__gen_close(struct bide__gen *gen)
{
    struct bide_task *me = enter(gen);
    gen->closing = true;
    if (!gen->started)
        gen->started = gen->ended = true;
    gen->full = false;
    if (!gen->ended)
        bide_cancel_task(gen->task, "the generator was closed");
    int result = wait_for_value(me, gen);
    if (bide__unlikely(result < 0))
        bide__raise(result, &gen->to_take);
    gen->full = false;
    raise_end(me, gen);
    return bide_void;
}

bide_async(void) bide__gen_give(struct bide__gen *gen, const void *value)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(gen->task.task != me))
        bide__misuse("task #%llu '%s' gives a value at %s:%d as generator '%s', which it does not "
                     "run",
                     (unsigned long long)me->head.id, bide__task_label(me), me->head.at->file,
                     me->head.at->line, gen->call.name);
    if (bide__likely(result == 0)) {
        struct bide__wait wait = {.payload = NULL};
        memcpy(gen->value, value, gen->value_size);
        gen->full = true;
        gen->has_sent = false;
        BIDE__RELEASE(gen);
        bide__wake_all(&gen->taking, 0);
        result = bide__wait_checked(me, &gen->giving, &wait, &gen->to_give);
    }
    if (bide__unlikely(result < 0))
        bide__raise(result, &gen->to_give);
    bide_error *thrown = gen->thrown;
    if (bide__unlikely(thrown != NULL)) {
        gen->thrown = NULL;
        bide__error_own(me, thrown);
        bide__fail(me->head.at, thrown);
    }
    return bide_void;
}

bool bide__gen_sent(const struct bide__gen *gen, void *ret_value)
{
    if (gen->has_sent)
        memcpy(ret_value, gen->sent, gen->value_size);
    return gen->has_sent;
}

/* When the end of the group raises: nobody will. */
static void drop_errors(struct bide__gen **left)
{
    struct bide__gen *gen = *left;
    bide__error_free(bide__loop_here, gen->failure);
    bide__error_free(bide__loop_here, gen->thrown);
}

void bide__gen_leave(void *generator)
{
    struct bide__gen *gen __attribute__((cleanup(drop_errors))) = generator;
    struct bide_task *me = bide__task_current();
    if (!gen->value_size)
        return;
    gen->closing = true;
    bide_group_cancel(&gen->group, "the block of the generator was left");
    bide__group_leave(&gen->group);
    bide_error *failure = gen->failure;
    gen->failure = NULL;
    if (bide__likely(!failure))
        return;
    if (bide__unwinding_since(gen->group.scope.was)) {
        bide__error_attach(me->head.unwinding, failure);
        return;
    }
    bide__error_own(me, failure);
    bide__fail(gen->call.at, failure);
}
