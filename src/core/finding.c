/*
 * Findings: counted, and told once per line of a program. See finding.h. Called by scope.c,
 * unanswered.c, group.c, cell.c, sync/lock_order.c and db/watch.c.
 */
#include "core/finding.h"

#include "base/caps.h"
#include "core/error.h"

#include <bide/metrics.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define COUNTED(variable, kind)                                                                    \
    BIDE_COUNTER_LABELED(variable, "bide_findings_total", "kind=\"" kind "\"",                     \
                         "what was noticed of the program, though nothing failed")
COUNTED(cancel_ignored, "cancel_ignored");
COUNTED(no_deadline, "no_deadline");
COUNTED(frame_ends, "frame_ends");
COUNTED(lock_order, "lock_order");
COUNTED(lost_update, "lost_update");
COUNTED(query_per_row, "query_per_row");
COUNTED(commit_per_row, "commit_per_row");
COUNTED(transaction_idle, "transaction_idle");
COUNTED(wait_in_transaction, "wait_in_transaction");

static bide_counter *const counters[BIDE__FINDINGS] = {
    [BIDE__FINDING_CANCEL_IGNORED] = &cancel_ignored,
    [BIDE__FINDING_NO_DEADLINE] = &no_deadline,
    [BIDE__FINDING_FRAME_ENDS] = &frame_ends,
    [BIDE__FINDING_LOCK_ORDER] = &lock_order,
    [BIDE__FINDING_LOST_UPDATE] = &lost_update,
    [BIDE__FINDING_QUERY_PER_ROW] = &query_per_row,
    [BIDE__FINDING_COMMIT_PER_ROW] = &commit_per_row,
    [BIDE__FINDING_TRANSACTION_IDLE] = &transaction_idle,
    [BIDE__FINDING_WAIT_IN_TRANSACTION] = &wait_in_transaction,
};

static struct {
    pthread_mutex_t lock;
    size_t count;
    struct {
        enum bide__finding kind;
        const struct bide_site *site;
    } told[BIDE_CAP_FINDINGS];
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_first(enum bide__finding kind, const struct bide_site *site)
{
    bool first = true;
    pthread_mutex_lock(&all.lock);
    for (size_t i = 0; i < all.count && first; i++)
        first = all.told[i].kind != kind || all.told[i].site != site;
    first = first && all.count < BIDE_CAP_FINDINGS;
    if (first) {
        all.told[all.count].kind = kind;
        all.told[all.count++].site = site;
    }
    pthread_mutex_unlock(&all.lock);
    return first;
}

void bide__find(enum bide__finding kind, const struct bide_site *site, const char *format, ...)
{
    char text[1024];
    va_list args;
    bide_counter_add(counters[kind], 1);
    if (!is_first(kind, site))
        return;
    __atomic_fetch_add(&bide__reports, 1, __ATOMIC_RELAXED);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "bide: %s\n", text);
}
