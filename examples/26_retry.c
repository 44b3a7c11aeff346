/*
 * Retry: a call that is made again, within bounds.
 *
 * The policy says which errors, how often and how patiently; the budget bounds what all callers
 * together add to a server that is down. The virtual clock makes the pauses pass at once.
 */
#include <bide/bide.h>

#include <stdio.h>

static BIDE_RETRY_BUDGET(to_the_shop, 10, 3);
static const bide_retry_policy patiently = {
    .tries = 4, .codes = {BIDE_UNREACHABLE, BIDE_TIMEOUT}, .budget = &to_the_shop};

static int calls;

SPAWNABLE(int, ask_the_shop, int)
async(int) ask_the_shop(int down_for)
{
    await(bide_sleep(bide_ms(10)));
    if (calls++ < down_for)
        fail(bide_error_new(BIDE_UNREACHABLE, "the shop does not answer"));
    return ready(int, 42);
}

static async(void) app(void)
{
    bide_error *err;
    int price = retry(&err, &patiently, ask_the_shop, 2);
    printf("the price is %d, after %d calls\n", price, calls);

    calls = 0;
    (void)retry(&err, &patiently, ask_the_shop, 100);
    printf("%s, after %d calls: the budget is used up\n", err->message, calls);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
