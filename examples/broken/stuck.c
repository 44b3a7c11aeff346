/* A program that stands still: one task asks a peer that never answers and holds a lock meanwhile.
 */
#include <bide/bide.h>

#include <stdio.h>

static bide_mutex account;

SPAWNABLE(void, pay, bide_stream_ptr)
async(void) pay(bide_stream_ptr bank)
{
    char answer[16];
    with_lock(&account) {
        await(bide_write(bank, "pay", 3));
        (void)await(bide_read(bank, answer, sizeof answer)); /* no deadline around it */
    }
    return bide_void;
}

SPAWNABLE(void, show_balance)
async(void) show_balance(void)
{
    with_lock(&account)
        await(bide_yield());
    return bide_void;
}

static async(void) app(void)
{
    bide_stream_ptr ends[2];
    bide_mutex_init(&account, "account");
    await(bide_stream_pair(ends)); /* nobody reads at the other end */
    with_group(g) {
        spawn_void(g, pay, ends[0]);
        for (int i = 0; i < 3; i++)
            spawn_void(g, show_balance);
        await(bide_sleep(bide_ms(5)));
        puts("stands still");
        fflush(stdout);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
