/* A task waits for an event that nobody will ever set.
   Fix: Start what sets it before waiting for it. */
#include <bide/bide.h>

static async(void) app(void)
{
    bide_event started;
    bide_event_init(&started, "started");
    await(bide_event_wait(&started));
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
