/*
 * Gather: groups in one line, for the usual shapes.
 *
 *   gather           all results; the first failure cancels the others and is raised
 *   gather_settled   every call runs to its end; each has a value or an error
 *   first_of         the first that succeeds wins, the others are cancelled
 *   bide_each        a function over an array, at most so many at a time, order kept
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(int, query, int, int)
async(int) query(int number, int seconds)
{
    await(bide_sleep(bide_s(seconds)));
    if (number < 0)
        fail(bide_error_new(BIDE_INVALID, "there is no query %d", number));
    return ready(int, number * 10);
}

SPAWNABLE(void, store, int, size_t, int *)
async(void) store(int number, size_t index, int *results)
{
    results[index] = await(query(number, 1));
    return bide_void;
}

static async(void) app(void)
{
    int64_t start_ns = bide_clock_ns();
    int a, b;
    await(gather(bide_into(&a, query, 1, 2), bide_into(&b, query, 2, 3)));
    printf("gather: %d and %d\n", a, b);

    settled(int) good, bad;
    await(gather_settled(bide_into_settled(&good, query, 3, 1),
                         bide_into_settled(&bad, query, -1, 1)));
    printf("settled: %d, and an error: %s\n", good.value, bad.error->message);

    int mirror[2] = {0};
    size_t winner =
        await(first_of(bide_into(&mirror[0], query, 4, 9), bide_into(&mirror[1], query, 5, 1)));
    printf("first: mirror %zu with %d\n", winner, mirror[winner]);

    int numbers[] = {6, 7, 8, 9, 10, 11}, results[6];
    await(bide_each(numbers, 6, 3, store, results)); /* three at a time: two rounds of a second */
    printf("each:");
    for (size_t i = 0; i < 6; i++)
        printf(" %d", results[i]);
    printf("\n%.1f s in all\n", (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
