/*
 * Error values: making, owning, attaching, reporting. Called by everything that fails; unwind.c
 * raises them. Memory comes from the loop's pool of errors; a loop keeps one in reserve, so that
 * being out of memory can be said.
 */
#include "core/error.h"

#include "core/graph.h"
#include "core/loop.h"
#include "core/runtime.h"
#include "core/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(BIDE__MESSAGE_BYTES == BIDE_CAP_ERROR_MESSAGE, "two names of one limit");

size_t bide__loose_ends;
size_t bide__reports;
size_t bide__deadlocks;

const char *bide_code_name(int code)
{
    switch (code) {
#define X(name, number, text)                                                                      \
    case number:                                                                                   \
        return text;
        BIDE_ERROR_CODES(X)
#undef X
    }
    return "error";
}

/* The oldest that is not in flight makes room; whether there is one. */
static bool evict(struct bide_task *task)
{
    bide__list_foreach(node, &task->errors)
    {
        bide_error *oldest = bide__container_of(node, bide_error, node);
        if (oldest->state != BIDE__ERROR_IN_FLIGHT) {
            bide__error_free(task->loop, oldest);
            return true;
        }
    }
    return false;
}

void bide__error_own(struct bide_task *task, bide_error *error)
{
    error->owner = task;
    bide__list_push_back(&task->errors, &error->node);
    if (bide__unlikely(++task->error_count > BIDE_CAP_ERRORS_KEPT))
        (void)evict(task);
}

void bide__error_caught(bide_error *error)
{
    error->state = BIDE__ERROR_CAUGHT;
    if (error->owner) {
        bide__list_remove(&error->node);
        bide__list_push_back(&error->owner->errors, &error->node);
    }
}

void bide__error_disown(bide_error *error)
{
    if (!error->owner)
        return;
    bide__list_remove(&error->node);
    error->owner->error_count--;
    error->owner = NULL;
}

void bide__error_free(struct bide__loop *loop, bide_error *error)
{
    while (error) {
        bide_error *next = error->next;
        BIDE__RELEASE(error);
        bide__error_disown(error);
        bide__error_free(loop, error->cause);
        bide__error_free(loop, error->also);
        if (error >= loop->reserve && error < loop->reserve + BIDE_CAP_RESERVE_ERRORS) {
            error->next = loop->reserve_free;
            loop->reserve_free = error;
        } else {
            bide__slab_free(&loop->errors, error);
        }
        error = next;
    }
}

void bide__error_release_all(struct bide_task *task)
{
    struct bide__list_node *node;
    while ((node = bide__list_first(&task->errors)))
        bide__error_free(task->loop, bide__container_of(node, bide_error, node));
}

/* Without memory: one that was set aside, or the oldest that the task has caught. */
static bide_error *take_reserve(struct bide__loop *loop, struct bide_task *me)
{
    bide_error *error = NULL;
    do {
        error = loop->reserve_free;
        if (!error)
            error = bide__slab_alloc(&loop->errors);
        else
            loop->reserve_free = error->next;
    } while (!error && me && evict(me));
    BIDE_ASSERT(error, "out of memory for errors that say so");
    return error;
}

/* Whose pool errors come from on this thread. */
static struct bide__loop *pool_here(void)
{
    struct bide_task *me = bide__task_current();
    return me->head.attention & BIDE__ATTENTION_GUEST ? me->loop : bide__loop_here;
}

/* An error with everything but the message, owned by the running task. */
static bide_error *error_make(int code)
{
    struct bide_task *me = bide__task_current();
    struct bide__loop *loop = pool_here();
    bool inside = bide__can_fail(me);
    BIDE_ASSERT(loop, "an error was made on a thread that runs no loop, at %s:%d",
                me->head.at ? me->head.at->file : "?", me->head.at ? me->head.at->line : 0);
    bide_error *error = bide__slab_alloc(&loop->errors);
    if (!error) {
        error = take_reserve(loop, inside ? me : NULL);
        code = BIDE_NO_MEMORY;
    }
    BIDE__ACQUIRE(error);
    memset(error, 0, offsetof(bide_error, awaits));
    error->code = code;
    error->node = (struct bide__list_node){NULL, NULL};
    error->owner = NULL;
    error->serial = ++loop->error_serial;
    error->origin = 0;
    error->message[0] = 0;
    if (inside)
        bide__error_own(me, error);
    return error;
}

bide_error *bide_error_new(int code, const char *format, ...)
{
    bide_error *error = error_make(code);
    size_t length = strlen(format);
    if (!strchr(format, '%') && length < sizeof error->message) {
        memcpy(error->message, format, length + 1);
        return error;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return error;
}

bide_error *bide_error_of_errno(int system_errno, const char *format, ...)
{
    bide_error *error = error_make(BIDE_SYSTEM);
    error->system_errno = system_errno;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    char text[96];
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used < sizeof error->message)
        snprintf(error->message + used, sizeof error->message - used, ": %s",
                 strerror_r(system_errno, text, sizeof text));
    return error;
}

/* Cuts a chain of causes that has become too long. */
static void cut_causes(struct bide__loop *loop, bide_error *error)
{
    int links = 0;
    for (bide_error *at = error; at->cause; at = at->cause) {
        if (++links <= BIDE_CAP_CAUSES)
            continue;
        bide__error_free(loop, at->cause);
        at->cause = NULL;
        error->dropped++;
        return;
    }
}

static bool is_free_to_take(const bide_error *error)
{
    return error->state != BIDE__ERROR_IN_FLIGHT && error->state != BIDE__ERROR_ATTACHED &&
           error->state != BIDE__ERROR_ENDED;
}

bide_error *bide_error_because(bide_error *error, bide_error *cause)
{
    if (!cause || cause == error)
        return error;
    error->never_again |= bide__error_never_again(cause);
    if (error->cause)
        return error;
    if (!is_free_to_take(cause))
        cause = bide__error_clone(cause);
    bide__error_disown(cause);
    cause->state = BIDE__ERROR_ATTACHED;
    error->cause = cause;
    cut_causes(pool_here(), error);
    return error;
}

bide_error *bide__error_clone(const bide_error *original)
{
    bide_error *error = error_make(original->code);
    error->code = original->code;
    error->system_errno = original->system_errno;
    error->at = original->at;
    error->dropped = original->dropped;
    error->never_again = bide__error_never_again(original); /* without its further errors */
    error->undone = original->undone;
    error->await_count = original->await_count;
    error->spawn_count = original->spawn_count;
    memcpy(error->awaits, original->awaits, sizeof error->awaits);
    memcpy(error->spawns, original->spawns, sizeof error->spawns);
    memcpy(error->field, original->field, sizeof error->field);
    memcpy(error->message, original->message, sizeof error->message);
    error->origin = original->serial;
    if (original->cause) {
        error->cause = bide__error_clone(original->cause);
        bide__error_disown(error->cause);
        error->cause->state = BIDE__ERROR_ATTACHED;
    }
    return error;
}

void bide__error_attach(bide_error *to, bide_error *error)
{
    if (!error || error == to)
        return;
    bide__error_disown(error);
    error->state = BIDE__ERROR_ATTACHED;
    bide_error **end = &to->also;
    size_t count = 0;
    for (; *end; end = &(*end)->next)
        count++;
    if (count < BIDE_CAP_ERRORS_KEPT) {
        *end = error;
        return;
    }
    to->never_again |= bide__error_never_again(error);
    bide__error_free(pool_here(), error);
    to->dropped++;
}

bide_error *bide__error_in_cancel(struct bide__loop *loop, bide_error *cancel)
{
    bide_error *failure = cancel->also;
    cancel->also = NULL;
    bide__error_free(loop, cancel);
    if (!failure)
        return NULL;
    bide_error *rest = failure->next;
    failure->next = NULL;
    *bide__error_end(&failure->also) = rest;
    return failure;
}

bool bide__error_is_cancel(const bide_error *error)
{
    return error->is_cancel;
}

bool bide__error_never_again(const bide_error *error)
{
    for (; error; error = error->cause) {
        switch (error->code) {
        case BIDE_CANCELLED:
        case BIDE_OUTCOME_UNKNOWN:
        case BIDE_REDIS_LOST:
        case BIDE_MISUSE:
        case BIDE_DEADLOCK:
            return true;
        default:
            break;
        }
        if (error->is_cancel || error->never_again)
            return true;
        for (const bide_error *also = error->also; also; also = also->next)
            if (bide__error_never_again(also))
                return true;
    }
    return false;
}

bide_error *bide_error_current(void)
{
    return bide__current->unwinding;
}

bide_error *bide__cancel_error(struct bide_task *me)
{
    bide_error *error = bide_error_new(BIDE_CANCELLED, "cancelled: %s", bide__cancel_reason(me));
    error->is_cancel = true;
    return error;
}

void bide__raise(int code, const struct bide__object *object)
{
    struct bide_task *me = bide__task_current();
    char label[80];
    bide_error *error;
    if (code == -ECANCELED) /* whoever has cancelled it may have ended the object since */
        bide__fail(me->head.at, bide__cancel_error(me));
    bide__object_label(object, label, sizeof label);
    switch (code) {
    case -EDEADLK:
        error = bide_error_new(BIDE_DEADLOCK, "waiting for %s would never end", label);
        break;
    case -ENOMEM:
        error = bide_error_new(BIDE_NO_MEMORY, "out of memory for %s", label);
        break;
    case -EPIPE:
        error = bide_error_new(BIDE_CLOSED, "%s is closed", label);
        break;
    case -ETIMEDOUT:
        error = bide_error_new(BIDE_TIMEOUT, "%s took too long", label);
        break;
    default:
        error = bide_error_of_errno(-code, "%s", label);
    }
    bide__fail(me->head.at, error);
}

__attribute__((format(printf, 2, 0))) static void report_misuse(char text[BIDE_CAP_ERROR_MESSAGE],
                                                                const char *format, va_list args)
{
    vsnprintf(text, BIDE_CAP_ERROR_MESSAGE, format, args);
    fprintf(stderr, "bide: misuse: %s\n", text);
    if (BIDE_DEBUG || (bide__current->attention & BIDE__ATTENTION_OUTSIDE))
        abort();
}

void bide__misuse(const char *format, ...)
{
    char text[BIDE_CAP_ERROR_MESSAGE];
    va_list args;
    va_start(args, format);
    report_misuse(text, format, args);
    va_end(args);
    bide__fail(bide__current->at, bide_error_new(BIDE_MISUSE, "%s", text));
}

void bide__misuse_fatal(const char *format, ...)
{
    char text[BIDE_CAP_ERROR_MESSAGE];
    va_list args;
    va_start(args, format);
    report_misuse(text, format, args);
    va_end(args);
    abort();
}

void bide__misuse_noted(const char *format, ...)
{
    char text[BIDE_CAP_ERROR_MESSAGE];
    va_list args;
    va_start(args, format);
    report_misuse(text, format, args);
    va_end(args);
}

void bide__error_unowned(struct bide__loop *loop, const bide_error *error)
{
    const struct bide_options *options = bide__runtime_options(loop->runtime);
    if (options->error_hook)
        options->error_hook(error, options->error_hook_arg);
    else
        bide_error_print(error);
}

/* A bounded text that counts what it would have held, as snprintf does. */
struct text {
    char *at;
    size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = text->length < text->size ? text->size - text->length : 0;
    int n = vsnprintf(room ? text->at + text->length : NULL, room, format, args);
    va_end(args);
    if (n > 0)
        text->length += (size_t)n;
}

static void put_site(struct text *text, int depth, const char *what, const struct bide_site *site)
{
    if (site)
        put(text, "%*s%s %s:%d in %s\n", depth * 2, "", what, site->file, site->line,
            site->function);
}

static void put_error(struct text *text, const bide_error *error, int depth, const char *role)
{
    if (error->code >= 100)
        put(text, "%*s%s%s (%d)\n", depth * 2, "", role, error->message, error->code);
    else
        put(text, "%*s%s%s (%s)\n", depth * 2, "", role, error->message,
            bide_code_name(error->code));
    put_site(text, depth + 1, "at", error->at);
    for (int i = 0; i < error->await_count && i < BIDE__AWAITS_KEPT; i++) {
        const struct bide_site *site = error->awaits[i];
        if (site == error->at)
            continue;
        put(text, "%*sawaited at %s:%d in %s: %s\n", (depth + 1) * 2, "", site->file, site->line,
            site->function, site->what);
    }
    if (error->await_count > BIDE__AWAITS_KEPT)
        put(text, "%*s... and %d more awaits\n", (depth + 1) * 2, "",
            error->await_count - BIDE__AWAITS_KEPT);
    for (int i = 0; i < error->spawn_count && i < BIDE__SPAWNS_KEPT; i++) {
        const struct bide_spawned *spawned = &error->spawns[i];
        if (spawned->at)
            put(text, "%*sin task #%llu '%s' spawned at %s:%d\n", (depth + 1) * 2, "",
                (unsigned long long)spawned->id, spawned->name, spawned->at->file,
                spawned->at->line);
        else
            put(text, "%*sin task #%llu '%s'\n", (depth + 1) * 2, "",
                (unsigned long long)spawned->id, spawned->name);
    }
    if (error->cause)
        put_error(text, error->cause, depth + 1, "because: ");
    for (const bide_error *also = error->also; also; also = also->next)
        put_error(text, also, depth + 1, "also: ");
    if (error->dropped)
        put(text, "%*sand %u more\n", (depth + 1) * 2, "", (unsigned)error->dropped);
}

size_t bide_error_format(const bide_error *error, char *text, size_t size)
{
    struct text to = {text, size, 0};
    if (size)
        text[0] = 0;
    put_error(&to, error, 0, "");
    return to.length;
}

void bide_error_print(const bide_error *error)
{
    char text[4096];
    size_t length = bide_error_format(error, text, sizeof text);
    if (length >= sizeof text)
        length = sizeof text - 1;
    fprintf(stderr, "bide: error: %.*s", (int)length, text);
}
