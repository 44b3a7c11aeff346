/* A function that locks calls another one that locks the same. docs/pitfalls/self_deadlock.md. */
#include <bide/bide.h>

static bide_mutex accounts;

static async(void) log_transfer(void)
{
    with_lock(&accounts) {
        await(bide_yield());
    }
    return bide_void;
}

static async(void) app(void)
{
    bide_mutex_init(&accounts, "accounts");
    with_lock(&accounts) {
        await(log_transfer());
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
