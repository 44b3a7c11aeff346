/*
 * The wait graph: a waiting task points to an object, an object to the tasks that hold it. It is
 * always on: the pointers are those that the primitives need anyway. graph.c walks it before a wait
 * that could close a cycle, and prints it.
 */
#ifndef BIDE_CORE_GRAPH_H
#define BIDE_CORE_GRAPH_H

#include "core/task.h"

/* Where the first holder stands, seen from the object: for readers from outside, which cannot call
   (core/look.c). */
enum bide__holder_way {
    BIDE__HOLDER_UNTOLD,
    BIDE__HOLDER_AT,     /* the pointer to the task is there */
    BIDE__HOLDER_BEHIND, /* there is a pointer; the pointer to the task is at `then` behind it */
    BIDE__HOLDER_IS,     /* the task itself is there */
};
struct bide__holder_place {
    uint16_t way; /* enum bide__holder_way */
    int16_t from_object, then;
};
#define BIDE__HOLDER_FROM(type, object, member)                                                    \
    ((int16_t)((long)offsetof(type, member) - (long)offsetof(type, object)))

struct bide__kind {
    const char *noun; /* "mutex"; NULL: the verb says all */
    const char *verb; /* what waiting for it is called: "wants" */
    /* The tasks whose progress can end a wait for it: index 0, 1, ... until NULL. Without this
       function nothing is known, and nothing is ever concluded. `ret_since`: where it got hold. */
    struct bide_task *(*holder)(const struct bide__object *object, size_t index,
                                const struct bide_site **ret_since);
    /* Whether one stuck holder is enough to be stuck (a group's end waits for every child), or all
       must be (a semaphore). */
    bool any_holder;
    struct bide__holder_place place;
};

static inline void bide__object_init(struct bide__object *object, const struct bide__kind *kind,
                                     const char *name, const struct bide_site *made)
{
    *object = (struct bide__object){kind, name, made};
}

/* Whether `task` waiting for `object` would wait for ever: then the cycle is reported on stderr. */
bool bide__graph_deadlock(struct bide_task *task, struct bide__object *object);

/* Reports that every task of the loop waits and nothing can wake any of them. */
void bide__graph_report_idle(struct bide__loop *loop);

/* Ends the wait of a task of this loop by -EDEADLK. */
void bide__graph_break(struct bide_task *task);

/* The last task that began to wait, of those that nothing can wake. */
struct bide_task *bide__graph_last_waiting(struct bide__loop *loop);

/* Calls `visit` for every live task of the loop, parents before children. */
void bide__each_task(struct bide__loop *loop,
                     void (*visit)(struct bide_task *task, int depth, void *arg), void *arg);

/* Writes the task tree to a descriptor; bounded, allocates nothing. */
void bide__print_tree(struct bide__loop *loop, int fd);

/* "wants mutex 'accounts' for 1.2 s  at app.c:7", "ready", ... into text; gives text. */
const char *bide__task_doing(const struct bide_task *task, char *text, size_t size);

/* "mutex 'accounts'" into text; gives text. */
const char *bide__object_label(const struct bide__object *object, char *text, size_t size);

#endif
