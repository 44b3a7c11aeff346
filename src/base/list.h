/*
 * Intrusive doubly linked list: the node lives in the element, so that linking never allocates and
 * unlinking needs no search.
 *
 *     head <-> first <-> ... <-> last <-> head        (empty: head <-> head)
 *
 * Invariants
 *  1. A node is in at most one list. One that is in none has next == NULL (bide__list_node_init,
 *     and after a removal).
 *  2. Nothing here locks.
 */
#ifndef BIDE_BASE_LIST_H
#define BIDE_BASE_LIST_H

#include "base/assert.h"

#include <bide/detail.h>

#include <stdbool.h>
#include <stddef.h>

/* The element that holds `pointer` as its `member`. */
#define bide__container_of(pointer, type, member)                                                  \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void bide__list_init(struct bide__list *list)
{
    list->head.next = &list->head;
    list->head.previous = &list->head;
}

static inline void bide__list_node_init(struct bide__list_node *node)
{
    node->next = NULL;
    node->previous = NULL;
}

static inline bool bide__list_empty(const struct bide__list *list)
{
    return list->head.next == &list->head;
}

static inline bool bide__list_linked(const struct bide__list_node *node)
{
    return node->next != NULL;
}

/* Private: links `node` between two neighbours. */
static inline void bide__list_link(struct bide__list_node *previous, struct bide__list_node *node,
                                   struct bide__list_node *next)
{
    BIDE_DASSERT(previous->next == next && next->previous == previous,
                 "list neighbours are not linked to each other");
    node->next = next;
    node->previous = previous;
    previous->next = node;
    next->previous = node;
}

static inline void bide__list_push_back(struct bide__list *list, struct bide__list_node *node)
{
    bide__list_link(list->head.previous, node, &list->head);
}

static inline void bide__list_push_front(struct bide__list *list, struct bide__list_node *node)
{
    bide__list_link(&list->head, node, list->head.next);
}

/* The node must be in a list. */
static inline void bide__list_remove(struct bide__list_node *node)
{
    BIDE_DASSERT(node->next && node->next->previous == node && node->previous->next == node,
                 "list node removed twice, or its list was overwritten");
    node->previous->next = node->next;
    node->next->previous = node->previous;
    bide__list_node_init(node);
}

/* NULL when empty. */
static inline struct bide__list_node *bide__list_first(const struct bide__list *list)
{
    return bide__list_empty(list) ? NULL : list->head.next;
}

static inline struct bide__list_node *bide__list_last(const struct bide__list *list)
{
    return bide__list_empty(list) ? NULL : list->head.previous;
}

static inline struct bide__list_node *bide__list_pop_front(struct bide__list *list)
{
    struct bide__list_node *node = bide__list_first(list);
    if (node)
        bide__list_remove(node);
    return node;
}

/* Moves all nodes of `from` to the end of `to`, in order; `from` is empty afterwards. */
static inline void bide__list_splice_back(struct bide__list *to, struct bide__list *from)
{
    if (bide__list_empty(from))
        return;
    struct bide__list_node *first = from->head.next;
    struct bide__list_node *last = from->head.previous;
    first->previous = to->head.previous;
    to->head.previous->next = first;
    last->next = &to->head;
    to->head.previous = last;
    bide__list_init(from);
}

/* Walks the nodes; the body may remove (and free) the current one, but no other. */
#define bide__list_foreach(node, list)                                                             \
    for (struct bide__list_node *node = (list)->head.next, *bide__next_##node = node->next;        \
         node != &(list)->head; node = bide__next_##node, bide__next_##node = node->next)

#endif
