/* Many callers of a server that is down, each with its tries. docs/pitfalls/retry_storm.md. */
#include <bide/bide.h>

#include <stdio.h>

static BIDE_RETRY_BUDGET(to_the_shop, 10, 5); /* 10 % more calls, and 5 to begin with */
static const bide_retry_policy patiently = {
    .tries = 4, .codes = {BIDE_UNREACHABLE}, .budget = &to_the_shop};

static int calls;

SPAWNABLE(int, ask)
async(int) ask(void)
{
    calls++;
    await(bide_sleep(bide_ms(1)));
    fail(bide_error_new(BIDE_UNREACHABLE, "the server is down"));
}

SPAWNABLE(void, customer)
async(void) customer(void)
{
    bide_error *error;
    (void)retry(&error, &patiently, ask);
    return bide_void;
}

static async(void) app(void)
{
    with_group(g) {
        for (int i = 0; i < 100; i++)
            spawn_void(g, customer);
    }
    printf("100 customers made %d calls\n", calls);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
