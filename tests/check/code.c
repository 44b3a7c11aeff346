/*
 * code.c: what `bide check --code` finds, each at its line, which names the rule. The rest is fine.
 */
#include <bide/bide.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

SPAWNABLE(void, work, int *)
async(void) work(int *number);
async(int) count(void);
extern bool done, changed;
extern pthread_mutex_t lock, other;
extern int best;
struct peer {
    int number, numbers[4];
};
struct peer *make_peer(void);
async(void) recv(int number);
#define MAX(a, b) ((a) > (b) ? (a) : (b))

int helper(void);
int helper(void)
{
    sleep(1);              /* nobody knows whether a loop calls it: found when it runs */
    return await(count()); // <- await-outside-a-task
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b + await(count()); // <- await-outside-a-task
}

async(void) blocks(char *name);
async(void) blocks(char *name)
{
    int numbers[2] = {2, 1};
    usleep(5);    // <- blocking-call
    system(name); // <- blocking-call
    fork();       // <- low-level-call
    // bide-check: blocking-call: the start of the program, nobody waits yet
    usleep(5);
    usleep(5); /* bide-check: blocking-call: the same */

    usleep(5); // bide-check: blocking-call // <- blocking-call suppression-without-a-reason

    usleep(5); // bide-check: busy-wait: another rule // <- blocking-call
    qsort(numbers, 2, sizeof numbers[0], compare);
    await(bide_yield());
    return bide_void;
}

MODEL(user, "users", (i64, id), (str, name));
GET(slow, "/slow", user, blocking)
{
    usleep(50);
    return (user){.id = 1};
}

GET(fast, "/fast", user)
{
    usleep(50); // <- blocking-call
    return (user){.id = 1};
}

async(void) locks(bide_mutex *m, bide_mutex *n);
async(void) locks(bide_mutex *m, bide_mutex *n)
{
    with_lock(m) {
        with_lock(n) // another one
            await(bide_yield());
        with_lock(m) // <- double-lock
            await(bide_yield());
    }
    with_lock(m)
        await(bide_yield());
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&other);
    pthread_mutex_unlock(&lock);
    await(bide_yield()); // <- lock-across-await
    pthread_mutex_unlock(&other);
    await(bide_yield());
    pthread_mutex_lock(&lock);
    best = MAX(best, 3);
    spawn_void(bide_background(), work, NULL);
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&lock);
    with_lock(m) // <- lock-across-await
        best = 0;
    pthread_mutex_unlock(&lock);
    await(recv(3));
    recv(3); // <- low-level-call
    with_no_await {
        pthread_mutex_lock(&lock);
        (void)await(count()); // <- await-in-no-await
        pthread_mutex_unlock(&lock);
    }
    return bide_void;
}

async(void) waits(void);
async(void) waits(void)
{
    bide_error *error, *seen;
    with_deadline(bide_s(1)) // <- deadline-without-await
        done = true;
    with_deadline(bide_s(1))
        await(bide_yield());
    while (!done) { // <- busy-wait
    }
    while (!done) { // <- busy-wait
        await(bide_sleep(bide_ms(5)));
    }
    do {
        await(bide_sleep(bide_ms(5)));
    } while (!done);
    if (changed)
        do
            await(bide_yield());
        while (!done);
    else
        while (!done) { // <- busy-wait
        }
#if 0 /* nobody compiles it */
    while (!done) {
    }
#if 1
    usleep(5);
#endif
#else
    usleep(6); // <- blocking-call
#endif
    while (true)
        await(bide_sleep(bide_ms(5)));
    for (int k = 0; k < 3; k++) // the same twice is one finding
        for (int i = 0; i < 3; i++)
            attempt(&error, work, NULL); // <- cancel-swallowed
    while (!done) {
        await(bide_sleep(bide_ms(5)));
        done = changed;
    }
    for (int i = 0; i < 3; i++)
        attempt(&error, work, NULL); // <- cancel-swallowed
    for (int i = 0; i < 3; i++) {
        attempt(&seen, work, NULL);
        if (seen)
            break;
    }
    return bide_void;
}

async(void) starts(bide_group *g, int *given);
async(void) starts(bide_group *g, int *given)
{
    int own = 1;
    static int kept = 2;
    spawn_void(g, work, &own); // <- pointer-to-frame
    spawn_void(g, work, &kept);
    spawn_void(g, work, given);
    struct peer *peer = make_peer();
    struct peer here = *peer;
    int *list = peer->numbers;
    int many[2];
    spawn_void(g, work, &peer->number);
    spawn_void(g, work, &list[1]);
    spawn_void(g, work, &many[1]);     // <- pointer-to-frame
    spawn_void(g, work, &here.number); // <- pointer-to-frame
    with_group(inner)                  // <- group-with-one-task
        spawn_void(inner, work, &own);
    with_group(inner) {
        spawn_void(inner, work, &own);
        spawn_void(inner, work, &kept);
    }
    return bide_void;
}

async(void) pays(bide_db *db, bide_http_client *shop);
async(void) pays(bide_db *db, bide_http_client *shop)
{
    with_tx(tx, db) {
        (void)await(bide_http_get(shop, "/charge")); // <- io-in-transaction
        bide_tx_on_commit(tx, NULL, NULL);
    }
    (void)await(bide_http_get(shop, "/charge"));
    return bide_void;
}
