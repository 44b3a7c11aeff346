/* The intrusive list: order, removal while walking, splicing, and the debug checks. */
#include "base/list.h"

#include <bide/test.h>

struct element {
    int value;
    struct bide__list_node node;
};

static struct element elements[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};

static int value_of(struct bide__list_node *node)
{
    return bide__container_of(node, struct element, node)->value;
}

/* The values as digits: 1 -> 2 -> 3 is 123. */
static int digits(struct bide__list *list)
{
    int result = 0;
    bide__list_foreach(node, list) result = result * 10 + value_of(node);
    return result;
}

TEST_PLAIN(both_ends)
{
    struct bide__list list;
    bide__list_init(&list);
    check(bide__list_empty(&list));
    check_ptr(bide__list_first(&list), NULL);
    check_ptr(bide__list_last(&list), NULL);
    check_ptr(bide__list_pop_front(&list), NULL);
    bide__list_push_back(&list, &elements[1].node);
    bide__list_push_back(&list, &elements[2].node);
    bide__list_push_front(&list, &elements[0].node);
    check_int(digits(&list), 123);
    check_int(value_of(bide__list_last(&list)), 3);
    check_int(value_of(bide__list_pop_front(&list)), 1);
    check_int(digits(&list), 23);
    check(!bide__list_linked(&elements[0].node));
    check(bide__list_linked(&elements[1].node));
}

TEST_PLAIN(the_current_node_may_be_removed_while_walking)
{
    struct bide__list list;
    bide__list_init(&list);
    for (int i = 0; i < 4; i++)
        bide__list_push_back(&list, &elements[i].node);
    bide__list_foreach(node, &list)
    {
        if (value_of(node) % 2 == 0)
            bide__list_remove(node);
    }
    check_int(digits(&list), 13);
    bide__list_foreach(node, &list) bide__list_remove(node);
    check(bide__list_empty(&list));
}

TEST_PLAIN(splice_keeps_the_order)
{
    struct bide__list to, from;
    bide__list_init(&to);
    bide__list_init(&from);
    bide__list_splice_back(&to, &from);
    check(bide__list_empty(&to));
    bide__list_push_back(&to, &elements[0].node);
    bide__list_push_back(&from, &elements[1].node);
    bide__list_push_back(&from, &elements[2].node);
    bide__list_splice_back(&to, &from);
    check_int(digits(&to), 123);
    check(bide__list_empty(&from));
    bide__list_remove(&elements[1].node);
    check_int(digits(&to), 13);
}

#if BIDE_DEBUG
static void remove_twice(void)
{
    struct bide__list list;
    bide__list_init(&list);
    bide__list_push_back(&list, &elements[0].node);
    bide__list_remove(&elements[0].node);
    bide__list_remove(&elements[0].node);
}

TEST_PLAIN(a_double_removal_is_reported)
{
    check_dies(remove_twice, "list node removed twice");
}
#endif
