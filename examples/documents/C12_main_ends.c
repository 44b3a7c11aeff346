/*
 * C12: main ends too early.
 *
 * The document: main starts tasks and ends; the tasks are cut off. The recipe: all_tasks() minus
 * current_task(), then wait for them.
 *
 * What goes wrong: without the recipe the work is lost without a word. With it main also waits for
 * tasks that libraries started.
 *
 * In bide: the recipe works; the tasks that it needs can only be background work. A plain group
 * needs no recipe: its block ends when its children have ended, and `main` cannot end before. A
 * `break` that would leave a group's block early does not compile.
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(void, work, int)
async(void) work(int number)
{
    await(bide_sleep(bide_s(number)));
    printf("task %d has ended\n", number);
    return bide_void;
}

static async(void) by_the_recipe(void)
{
    for (int i = 1; i <= 3; i++)
        spawn_void(bide_background(), work, i);

    bide_task_ref tasks[16], me = bide_current_task();
    size_t all = bide_all_tasks(tasks, 16), others = 0;
    for (size_t i = 0; i < all; i++)
        if (!bide_same_task(tasks[i], me))
            tasks[others++] = tasks[i];
    printf("%zu tasks besides this one\n", others);
    await(bide_wait(BIDE_ALL, tasks, others));
    printf("the recipe ends\n");
    return bide_void;
}

static async(void) by_a_group(void)
{
    with_group(g) {
        for (int i = 1; i <= 3; i++)
            spawn_void(g, work, i);
        printf("%zu children live\n", bide_group_live(g));
    }
    return bide_void;
}

static async(void) app(void)
{
    await(by_the_recipe());
    await(by_a_group());
    printf("main ends\n");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
