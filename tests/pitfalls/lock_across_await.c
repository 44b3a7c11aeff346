/* An await, two calls deep, under a thread's lock. docs/pitfalls/lock_across_await.md. */
#include <bide/bide.h>

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int balance;

static async(void) write_audit(void)
{
    await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static async_fn(void) (*const audit)(void) = write_audit; /* clang does not look through it */

static async(void) app(void)
{
    with_no_await {
        pthread_mutex_lock(&lock);
        balance++;
        await(audit());
        pthread_mutex_unlock(&lock);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
