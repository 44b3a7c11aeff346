/* A cleanup that awaits, in a task that is cancelled. docs/pitfalls/cleanup_upon_cancel.md. */
#include <bide/bide.h>

#include <stdio.h>

static async(void) unlock_account(void *name)
{
    await(bide_sleep(bide_ms(10))); /* shielded: the cancel waits for it, at most 5 s */
    printf("%s is unlocked\n", (const char *)name);
    return bide_void;
}

SPAWNABLE(void, transfer)
async(void) transfer(void)
{
    static char name[] = "account 7";
    defer(unlock_account, name);
    await(bide_sleep(bide_s(3600)));
    return bide_void;
}

static async(void) app(void)
{
    bool late;
    move_on_after(&late, bide_ms(50), transfer);
    printf("%s\n", late ? "too late" : "in time");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
