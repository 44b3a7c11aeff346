/*
 * Task-local values inside the library; include/bide/local.h has the semantics. Called by task.c at
 * the start and the end of tasks, and by http/connection.c at the end of requests.
 */
#ifndef BIDE_CORE_LOCAL_H
#define BIDE_CORE_LOCAL_H

#include "core/task.h"

/* Gives a child, which is not running yet, what its slots' rules say. 0 or -ENOMEM. */
int bide__locals_inherit(const struct bide_task *parent, struct bide_task *child, bool background);

/* The task lets go of all. */
void bide__locals_drop(struct bide_task *task);

/* It lets go of what was set since it was spawned. */
void bide__locals_end_request(struct bide_task *task);

#endif
