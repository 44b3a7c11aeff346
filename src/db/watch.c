/*
 * What a loop of queries gives away: the same line that reads again and again in one task (a query
 * for each of N rows), or commits again and again (one row each; a transaction of several
 * statements belongs together); a transaction that writes, whose task does something else while
 * others wait for it; and one whose task asks another server. Told once per line, on stderr. Called
 * by perform.c and tx.c, and by whoever asks other servers.
 *
 * A slot counts for one line in one task, and of a task that serves many requests in one of them:
 * the memory of a request has a serial. Lines that share a slot push each other out: then nothing
 * is told.
 */
#include "db/db.h"

#include "base/clock.h"

#include <stdio.h>

static bool told_before(struct bide__watch *watch, const struct bide_site *site)
{
    for (size_t i = 0; i < watch->told_count; i++)
        if (watch->told[i] == site)
            return true;
    if (watch->told_count == BIDE_CAP_DB_WATCH_REPORTS)
        return true;
    watch->told[watch->told_count++] = site;
    __atomic_fetch_add(&bide__reports, 1, __ATOMIC_RELAXED); /* the test kit fails a test for it */
    return false;
}

static void tell(const struct bide_site *site, uint32_t times, bool writes)
{
    const struct bide_task *me = bide__task_current();
    fprintf(stderr,
            writes ? "bide: %u commits from %s:%d in task #%llu '%s': bide_insert_many, or one "
                     "with_tx around the loop, commits once\n"
                   : "bide: %u times the same query from %s:%d in task #%llu '%s': bide_load_many, "
                     "or a join, asks once\n",
            times, site->file, site->line, (unsigned long long)me->head.id, bide__task_label(me));
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
    if (++slot->times == BIDE_CAP_DB_WATCH_TIMES && site && !told_before(&db->watch, site))
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
        idle_ns < BIDE_CAP_DB_WATCH_IDLE_MS * BIDE__NS_PER_MS ||
        told_before(&outermost->db->watch, outermost->site))
        return;
    fprintf(stderr,
            "bide: the transaction of %s:%d kept others waiting for %lld ms while task #%llu '%s' "
            "did something else, before %s:%d: do that before it begins, or after its commit\n",
            outermost->site->file, outermost->site->line, (long long)(idle_ns / BIDE__NS_PER_MS),
            (unsigned long long)me->head.id, bide__task_label(me), me->head.at->file,
            me->head.at->line);
}

void bide__tx_report_wait(const char *what)
{
    const struct bide_task *me = bide__task_current();
    bide_tx *tx = bide__tx_of_task(me);
    if (!tx || told_before(&tx->db->watch, tx->site))
        return;
    fprintf(
        stderr,
        "bide: %s inside the transaction of %s:%d, in task #%llu '%s', before %s:%d: its "
        "connection, and what it has locked, wait for another server: do that before it begins, "
        "or after its commit\n",
        what, tx->site->file, tx->site->line, (unsigned long long)me->head.id, bide__task_label(me),
        me->head.at->file, me->head.at->line);
}
