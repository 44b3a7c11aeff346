/*
 * cell.c: who got and who set a cell (include/bide/cell.h). Called by the macros there; calls
 * finding.c for what is told.
 */
#include <bide/cell.h>

#include "core/finding.h"
#include "core/task.h"

#include <stddef.h>
#include <string.h>

/* The running task's place among the readers, SIZE_MAX: it has none. */
static size_t place_of(const struct bide__accesses *access, uint64_t task)
{
    for (size_t i = 0; i < BIDE__CELL_READERS; i++)
        if (access->readers[i].task == task)
            return i;
    return SIZE_MAX;
}

static void note(struct bide__accesses *access, size_t place, uint64_t task,
                 const struct bide_site *at)
{
    access->readers[place].task = task;
    access->readers[place].version = access->version;
    access->readers[place].at = at;
}

/* 0 outside of tasks. */
static uint64_t running(void)
{
    const struct bide__head *head = bide__current;
    return head->attention & BIDE__ATTENTION_OUTSIDE ? 0 : head->id;
}

/* Forgets readers whose numbers are those of other tasks by now. */
static void begin_access(struct bide__accesses *access)
{
    uint32_t era = __atomic_load_n(&bide__task_era, __ATOMIC_RELAXED);
    if (access->era == era)
        return;
    access->era = era;
    memset(access->readers, 0, sizeof access->readers);
}

void bide__cell_get(struct bide__accesses *access, const struct bide_site *at)
{
    uint64_t task = running();
    if (task == 0)
        return;
    begin_access(access);
    size_t place = place_of(access, task);
    if (place == SIZE_MAX)
        place = access->oldest++ % BIDE__CELL_READERS;
    note(access, place, task, at);
}

void bide__cell_set(struct bide__accesses *access, const struct bide_site *at)
{
    uint64_t task = running();
    begin_access(access);
    size_t place = task ? place_of(access, task) : SIZE_MAX;
    if (place != SIZE_MAX && access->readers[place].version != access->version)
        bide__find(BIDE__FINDING_LOST_UPDATE, at,
                   "lost update of a cell: task #%llu read it at %s:%d, task #%llu set it at "
                   "%s:%d, task #%llu sets it at %s:%d: read it again after the await, or hold a "
                   "mutex",
                   (unsigned long long)task, access->readers[place].at->file,
                   access->readers[place].at->line, (unsigned long long)access->writer,
                   access->set_at->file, access->set_at->line, (unsigned long long)task, at->file,
                   at->line);
    access->version++;
    access->writer = task;
    access->set_at = at;
    if (place != SIZE_MAX)
        note(access, place, task, at);
}
