/*
 * Task-local values: see local.h. A value is a node that is never changed: tasks of one loop share
 * it and count who holds it. A task has an entry for each slot that it has a value of.
 */
#include "core/local.h"

#include "base/mem.h"
#include "core/error.h"
#include "core/loop.h"

#include <bide/local.h>
#include <errno.h>
#include <string.h>

struct bide__local_node {
    const struct bide__local *slot;
    size_t holders;
    _Alignas(16) char value[];
};

struct entry {
    const struct bide__local *slot;
    struct bide__local_node *node;      /* NULL: cleared */
    struct bide__local_node *inherited; /* what it came with; NULL: nothing */
};

struct bide__locals {
    size_t count, capacity;
    struct entry entries[];
};

enum { FIRST_CAPACITY = 4 };

static struct bide__local_node *hold(struct bide__local_node *node)
{
    if (node)
        node->holders++;
    return node;
}

static void let_go(struct bide__local_node *node)
{
    if (!node)
        return;
    BIDE__IN_ORDER(node);
    if (--node->holders > 0)
        return;
    if (node->slot->done)
        node->slot->done(node->value);
    bide__free(node);
}

static struct entry *find(const struct bide_task *task, const struct bide__local *slot)
{
    struct bide__locals *locals = task->locals;
    for (size_t i = 0; locals && i < locals->count; i++)
        if (locals->entries[i].slot == slot)
            return &locals->entries[i];
    return NULL;
}

static bool outside(void)
{
    return bide__current->attention & BIDE__ATTENTION_OUTSIDE;
}

const void *bide__local_get(const struct bide__local *slot)
{
    const struct entry *entry = outside() ? NULL : find(bide__task_current(), slot);
    return entry && entry->node ? entry->node->value : NULL;
}

/* A new entry at the end; NULL: no memory. */
static struct entry *add_entry(struct bide_task *task, const struct bide__local *slot)
{
    struct bide__locals *locals = task->locals;
    if (!locals || locals->count == locals->capacity) {
        size_t capacity = locals ? 2 * locals->capacity : FIRST_CAPACITY;
        size_t count = locals ? locals->count : 0;
        locals = bide__realloc(locals, sizeof *locals + capacity * sizeof(struct entry));
        if (!locals)
            return NULL;
        locals->count = count;
        locals->capacity = capacity;
        task->locals = locals;
    }
    struct entry *entry = &locals->entries[locals->count++];
    *entry = (struct entry){.slot = slot};
    return entry;
}

static struct bide__local_node *new_node(const struct bide__local *slot, const void *value)
{
    struct bide__local_node *node = bide__alloc(sizeof *node + slot->size);
    if (!node)
        return NULL;
    node->slot = slot;
    node->holders = 1;
    memcpy(node->value, value, slot->size);
    return node;
}

/* Puts a node, which it takes, in the place of the one that is there; gives that one. */
static struct bide__local_node *put(struct bide_task *task, const struct bide__local *slot,
                                    const void *value, const struct bide_site *at)
{
    if (outside()) {
        bide__current->at = at;
        bide__misuse("%s outside of tasks at %s:%d", at->what, at->file, at->line);
    }
    struct entry *entry = find(task, slot);
    if (!entry)
        entry = add_entry(task, slot);
    struct bide__local_node *node = entry ? new_node(slot, value) : NULL;
    if (!node)
        bide__fail(at, bide_error_new(BIDE_NO_MEMORY, "out of memory for '%s'", slot->name));
    struct bide__local_node *before = entry->node;
    entry->node = node;
    return before;
}

void bide__local_set(const struct bide__local *slot, const void *value, const struct bide_site *at)
{
    let_go(put(bide__task_current(), slot, value, at));
}

void bide__local_clear(const struct bide__local *slot)
{
    struct entry *entry = outside() ? NULL : find(bide__task_current(), slot);
    if (!entry)
        return;
    struct bide__local_node *node = entry->node;
    entry->node = NULL;
    let_go(node);
}

void bide__local_enter(struct bide__local_before *before, const struct bide__local *slot,
                       const void *value, const struct bide_site *at)
{
    before->node = put(bide__task_current(), slot, value, at);
    before->slot = slot;
}

void bide__local_leave(struct bide__local_before *before)
{
    struct entry *entry = before->slot ? find(bide__task_current(), before->slot) : NULL;
    if (!entry) {
        let_go(before->node);
        return;
    }
    struct bide__local_node *node = entry->node;
    entry->node = before->node;
    let_go(node);
}

int bide__locals_inherit(const struct bide_task *parent, struct bide_task *child, bool background)
{
    const struct bide__locals *locals = parent->locals;
    for (size_t i = 0; i < locals->count; i++) {
        const struct entry *from = &locals->entries[i];
        if (!from->node || from->slot->rule == BIDE_LOCAL_OWN ||
            (background && from->slot->rule == BIDE_LOCAL_REQUEST))
            continue;
        struct entry *to = add_entry(child, from->slot);
        if (!to)
            return -ENOMEM;
        to->node = hold(from->node);
        to->inherited = hold(from->node);
    }
    return 0;
}

void bide__locals_drop(struct bide_task *task)
{
    struct bide__locals *locals = task->locals;
    task->locals = NULL;
    for (size_t i = 0; i < locals->count; i++) {
        let_go(locals->entries[i].node);
        let_go(locals->entries[i].inherited);
    }
    bide__free(locals);
}

void bide__locals_end_request(struct bide_task *task)
{
    struct bide__locals *locals = task->locals;
    for (size_t i = locals->count; i-- > 0;) {
        struct entry *entry = &locals->entries[i];
        struct bide__local_node *node = entry->node;
        entry->node = hold(entry->inherited);
        let_go(node);
    }
}
