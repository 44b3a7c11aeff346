/* A thread's lock held across an await. docs/pitfalls/lock_across_await.md. */
#include <bide/bide.h>

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

async(int) save(int balance);
async(int) transfer(int balance);
async(int) transfer(int balance)
{
    pthread_mutex_lock(&lock);
    balance = await(save(balance));
    pthread_mutex_unlock(&lock);
    return ready(int, balance);
}
