/*
 * Who may write: one task at a time of all loops of the process, first come, first served. Called
 * by turn.c and tx.c; calls the wait mechanism and the mail of core/loop.h.
 *
 * A store stands for a database file; engines of several loops that have opened the same path share
 * it. What holds the lease is noted for the wait graph: a task that would wait for itself is told.
 *
 * Invariants
 *  1. A claim is granted under the store's lock, and from then on a cancel no longer ends its wait:
 *     the lease is never lost.
 *  2. A claim lives in the frame of its task. Who grants it from another loop does not touch it
 *     after `posted`.
 */
#include "db/db.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct bide__store {
    struct bide__list_node node;
    char *path;
    size_t engines; /* atomic: read under the store's lock, changed under the list's */
    pthread_mutex_t lock;
    bool held;
    struct bide_task *holder; /* while held */
    const struct bide_site *held_at;
    struct bide__list line;
};

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bide__list stores = {{&stores.head, &stores.head}};

static struct bide__store *find_store(const char *path)
{
    bide__list_foreach(node, &stores)
    {
        struct bide__store *store = bide__container_of(node, struct bide__store, node);
        if (path[0] && strcmp(store->path, path) == 0)
            return store;
    }
    return NULL;
}

static struct bide__store *new_store(const char *path)
{
    struct bide__store *store = bide__calloc(1, sizeof *store);
    if (!store)
        return NULL;
    store->path = bide__strdup(path);
    if (!store->path) {
        bide__free(store);
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    bide__list_init(&store->line);
    bide__list_push_back(&stores, &store->node);
    return store;
}

struct bide__store *bide__store_of(const char *path)
{
    char resolved[PATH_MAX];
    if (path[0] && realpath(path, resolved))
        path = resolved;
    pthread_mutex_lock(&stores_lock);
    struct bide__store *store = find_store(path);
    if (!store)
        store = new_store(path);
    if (store)
        __atomic_add_fetch(&store->engines, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&stores_lock);
    return store;
}

void bide__store_free(struct bide__store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&stores_lock);
    bool last = __atomic_sub_fetch(&store->engines, 1, __ATOMIC_RELAXED) == 0;
    if (last)
        bide__list_remove(&store->node);
    pthread_mutex_unlock(&stores_lock);
    if (!last)
        return;
    pthread_mutex_destroy(&store->lock);
    bide__free(store->path);
    bide__free(store);
}

static struct bide_task *holder(const struct bide__object *object, size_t index,
                                const struct bide_site **ret_since)
{
    const struct bide__claim *claim = bide__container_of(object, struct bide__claim, object);
    struct bide__store *store = claim->store;
    struct bide_task *found = NULL;
    pthread_mutex_lock(&store->lock);
    /* A claim that was granted, of which its loop has not heard yet, waits for nobody. */
    if (index == 0 && !claim->granted && store->held && store->holder->loop == bide__loop_here) {
        found = store->holder;
        *ret_since = store->held_at;
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

static const struct bide__kind kind_lease = {
    .noun = "turn to write to",
    .verb = "waits for the",
    .holder = holder,
    .place = {BIDE__HOLDER_BEHIND, BIDE__HOLDER_FROM(struct bide__claim, object, store),
              offsetof(struct bide__store, holder)}};

static void abort_claim(struct bide__wait *wait, int reason)
{
    struct bide__claim *claim = bide__container_of(wait, struct bide__claim, wait);
    pthread_mutex_lock(&claim->store->lock);
    bool taken_back = !claim->granted;
    if (taken_back)
        bide__list_remove(&claim->node);
    pthread_mutex_unlock(&claim->store->lock);
    if (taken_back)
        bide__wake(wait, reason);
}

/* On the loop of the task that waits. */
static void deliver(struct bide__mail *mail)
{
    struct bide__claim *claim = bide__container_of(mail, struct bide__claim, mail);
    while (!__atomic_load_n(&claim->posted, __ATOMIC_ACQUIRE))
        sched_yield();
    bide__wake(&claim->wait, claim->result);
}

/* With the lock: takes the claim out of the line. */
static void grant(struct bide__claim *claim, int result)
{
    bide__list_remove(&claim->node);
    claim->granted = true;
    claim->result = result;
}

static void hold(struct bide__store *store, struct bide_task *task, const struct bide_site *at)
{
    store->held = true;
    store->holder = task;
    store->held_at = at;
}

int bide__lease_take(struct bide__claim *claim, struct bide_db *db, bool shares)
{
    struct bide_task *me = bide__task_current();
    struct bide__store *store = db->store;
    int result = bide__checkpoint(me);
    if (result < 0)
        return result;
    memset(claim, 0, sizeof *claim);
    claim->store = store;
    claim->db = db;
    claim->task = me;
    claim->at = me->head.at;
    claim->shares = shares;
    claim->mail.deliver = deliver;
    claim->wait.abort = abort_claim;
    bide__object_init(&claim->object, &kind_lease, store->path[0] ? store->path : ":memory:", NULL);
    pthread_mutex_lock(&store->lock);
    bool free_now = !store->held;
    bool beside = __atomic_load_n(&store->engines, __ATOMIC_RELAXED) > 1;
    if (free_now)
        hold(store, me, me->head.at);
    else
        bide__list_push_back(&store->line, &claim->node);
    pthread_mutex_unlock(&store->lock);
    if (free_now) {
        bide__done_at_once(me);
        return 0;
    }
    /* The one who holds it may run on another loop: something outside then. */
    me->loop->outside += beside;
    result = bide__wait_checked(me, NULL, &claim->wait, &claim->object);
    me->loop->outside -= beside;
    if (result == -EDEADLK) {
        pthread_mutex_lock(&store->lock);
        bool granted = claim->granted;
        if (!granted)
            bide__list_remove(&claim->node);
        pthread_mutex_unlock(&store->lock);
    }
    return result;
}

void bide__lease_give(struct bide_db *db)
{
    struct bide__store *store = db->store;
    struct bide__claim *next = NULL;
    pthread_mutex_lock(&store->lock);
    struct bide__list_node *node = bide__list_first(&store->line);
    if (node) {
        next = bide__container_of(node, struct bide__claim, node);
        grant(next, 0);
        hold(store, next->task, next->at);
    } else {
        store->held = false;
    }
    pthread_mutex_unlock(&store->lock);
    if (!next)
        return;
    struct bide__loop *loop = next->task->loop;
    if (loop == bide__loop_here) {
        bide__wake(&next->wait, 0);
    } else {
        bide__loop_post(loop, &next->mail);
        __atomic_store_n(&next->posted, true, __ATOMIC_RELEASE);
    }
}

bool bide__lease_adopt(struct bide_db *db)
{
    struct bide__store *store = db->store;
    struct bide__claim *claim = NULL;
    pthread_mutex_lock(&store->lock);
    struct bide__list_node *node = bide__list_first(&store->line);
    if (node) {
        claim = bide__container_of(node, struct bide__claim, node);
        if (claim->shares && claim->db == db)
            grant(claim, BIDE__LEASE_MEMBER);
        else
            claim = NULL;
    }
    pthread_mutex_unlock(&store->lock);
    if (claim)
        bide__wake(&claim->wait, BIDE__LEASE_MEMBER);
    return claim != NULL;
}
