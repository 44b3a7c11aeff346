/*
 * What a loop of queries gives away: the same line that reads again and again in one task (a query
 * for each of N rows), or commits again and again (one row each; a transaction of several
 * statements belongs together); a transaction that writes, whose task does something else while
 * others wait for it; and one whose task asks another server. All are findings. Called by perform.c
 * and tx.c, and by whoever asks other servers.
 *
 * A slot counts for one line in one task, and of a task that serves many requests in one of them:
 * the memory of a request has a serial. Lines that share a slot push each other out: then nothing
 * is told.
 */
#include "db/db.h"

#include "base/clock.h"
#include "core/finding.h"

static void tell(const struct bide_site *site, uint32_t times, bool writes)
{
    const struct bide_task *me = bide__task_current();
    bide__find(writes ? BIDE__FINDING_COMMIT_PER_ROW : BIDE__FINDING_QUERY_PER_ROW, site,
               writes ? "%u commits from %s:%d in task #%llu '%s': bide_insert_many, or one "
                        "with_tx around the loop, commits once"
                      : "%u times the same query from %s:%d in task #%llu '%s': bide_load_many, or "
                        "a join, asks once",
               times, BIDE__AT(site), (unsigned long long)me->head.id, bide__task_label(me));
}

void bide__watch_count(struct bide_db *db, const struct bide_site *site, bool writes)
{
    const struct bide_task *me = bide__task_current();
    const bide_arena *arena = bide_task_arena();
    uint64_t who = me->head.id ^ (arena ? arena->serial : 0) << 32;
    uint64_t hash = (who ^ (uintptr_t)site >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    struct bide__watched *slot = &db->watch.slots[hash >> 32 & (BIDE_CAP_DB_WATCHED - 1)];
    int64_t now_ns = me->loop->now_ns;
    if (slot->site != site || slot->who != who ||
        now_ns - slot->since_ns > BIDE_CAP_DB_WATCH_MS * BIDE__NS_PER_MS)
        *slot = (struct bide__watched){who, site, now_ns, 0};
    if (++slot->times == BIDE_CAP_DB_WATCH_TIMES && site)
        tell(site, slot->times, writes);
}

void bide__watch_idle_from_now(bide_tx *tx)
{
    bide__tx_outermost(tx)->idle_since_ns = bide__task_current()->loop->now_ns;
}

void bide__watch_idle(bide_tx *tx)
{
    const struct bide_task *me = bide__task_current();
    bide_tx *outermost = bide__tx_outermost(tx);
    int64_t idle_ns = me->loop->now_ns - outermost->idle_since_ns;
    if (!outermost->writes || outermost->idle_since_ns == 0 ||
        idle_ns < BIDE_CAP_DB_WATCH_IDLE_MS * BIDE__NS_PER_MS)
        return;
    bide__find(BIDE__FINDING_TRANSACTION_IDLE, outermost->site,
               "the transaction of %s:%d kept others waiting for %lld ms while task #%llu '%s' did "
               "something else, before %s:%d: do that before it begins, or after its commit",
               BIDE__AT(outermost->site), (long long)(idle_ns / BIDE__NS_PER_MS),
               (unsigned long long)me->head.id, bide__task_label(me), BIDE__AT(me->head.at));
}

void bide__tx_report_wait(const char *what)
{
    const struct bide_task *me = bide__task_current();
    bide_tx *tx = bide__tx_of_task(me);
    if (!tx)
        return;
    bide__find(BIDE__FINDING_WAIT_IN_TRANSACTION, tx->site,
               "%s inside the transaction of %s:%d, in task #%llu '%s', before %s:%d: its "
               "connection, and what it has locked, wait for another server: do that before it "
               "begins, or after its commit",
               what, BIDE__AT(tx->site), (unsigned long long)me->head.id, bide__task_label(me),
               BIDE__AT(me->head.at));
}
