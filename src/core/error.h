/*
 * Error values inside the library: who owns them, how codes become errors. error.c has the values
 * and their reports, unwind.c raises and catches them.
 *
 * States: NEW (made, owned by a task) -> IN_FLIGHT (unwinding) -> CAUGHT -> freed, or -> ATTACHED
 * to another error (freed with it), or -> ENDED (what a task ended with; its group or joiner owns
 * it). A caught error can be raised again.
 */
#ifndef BIDE_CORE_ERROR_H
#define BIDE_CORE_ERROR_H

#include "core/task.h"

enum bide__error_state {
    BIDE__ERROR_NEW,
    BIDE__ERROR_IN_FLIGHT,
    BIDE__ERROR_CAUGHT,
    BIDE__ERROR_ATTACHED,
    BIDE__ERROR_ENDED,
};

/* Raises the error of a negative code that the library's internals returned, at the await in
   progress. `what` names the object for the message, or is NULL. */
__attribute__((noreturn, cold)) void bide__raise(int code, const struct bide__object *object);

/* Where the next one of a list of further errors goes. */
static inline bide_error **bide__error_end(bide_error **list)
{
    while (*list)
        list = &(*list)->next;
    return list;
}

/* Adds `error` (not in flight) to `to`'s further errors; `to` owns it from then on. */
void bide__error_attach(bide_error *to, bide_error *error);

/* Moves between owners: to a task's list (which may free its oldest caught error), or to none. */
void bide__error_own(struct bide_task *task, bide_error *error);
void bide__error_disown(bide_error *error);

/* It was caught: the last of those that its task keeps. */
void bide__error_caught(bide_error *error);

/* The cancel that the running task's next await raises. */
bide_error *bide__cancel_error(struct bide_task *me);

/* A copy with its own place in the task's list, for an error that several raise. */
bide_error *bide__error_clone(const bide_error *error);

/* Frees it and all that is attached. */
void bide__error_free(struct bide__loop *loop, bide_error *error);

/* Frees all that the task owns; at its end. */
void bide__error_release_all(struct bide_task *task);

/* Who a task is, in a form that outlives it. */
void bide__error_note_task(struct bide_spawned *spawned, const struct bide_task *task);

/* A cancel in flight, as opposed to an error whose code is BIDE_CANCELLED. */
bool bide__error_is_cancel(const bide_error *error);

/* Whether calling again what failed with it might do twice what was to be done once, or cannot
   help: it, a cause, or a further error of any of them says so, also one that was not kept. */
bool bide__error_never_again(const bide_error *error);

/* Frees a cancel that has served, and gives the failures that came along with it as one error that
   nobody owns yet; NULL: none. */
bide_error *bide__error_in_cancel(struct bide__loop *loop, bide_error *cancel);

/* Reports an error nobody owns: to options.error_hook, or stderr. */
void bide__error_unowned(struct bide__loop *loop, const bide_error *error);

/* How often something that nobody took or freed was reported; a test fails on it. */
extern size_t bide__loose_ends;

/* What was reported on stderr though nothing failed: a query for each row, a commit for each, a
   transaction that kept others waiting. Counted for tests. */
extern size_t bide__reports;

/* Deadlocks that were reported. */
extern size_t bide__deadlocks;

/* Prints a misuse with both lines on stderr: aborts in hostile builds, raises elsewhere. */
__attribute__((noreturn, cold, format(printf, 1, 2))) void bide__misuse(const char *format, ...);

/* For what no cleanup may run after: ends the process in every build. */
__attribute__((noreturn, cold, format(printf, 1, 2))) void bide__misuse_fatal(const char *format,
                                                                              ...);

/* The same where raising would do harm: returns, unless the build is hostile. */
__attribute__((cold, format(printf, 1, 2))) void bide__misuse_noted(const char *format, ...);

#endif
