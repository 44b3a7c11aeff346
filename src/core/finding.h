/*
 * Findings: what a running program is told of itself though nothing has failed: a cancel that is
 * ignored, locks in two orders, a query for each row. Each line of a program once, on stderr; all
 * are counted in bide_findings_total, and the test kit fails a test for them.
 */
#ifndef BIDE_CORE_FINDING_H
#define BIDE_CORE_FINDING_H

#include <bide/detail.h>

enum bide__finding {
    BIDE__FINDING_CANCEL_IGNORED,
    BIDE__FINDING_NO_DEADLINE,
    BIDE__FINDING_FRAME_ENDS,
    BIDE__FINDING_LOCK_ORDER,
    BIDE__FINDING_LOST_UPDATE,
    BIDE__FINDING_QUERY_PER_ROW,
    BIDE__FINDING_COMMIT_PER_ROW,
    BIDE__FINDING_TRANSACTION_IDLE,
    BIDE__FINDING_WAIT_IN_TRANSACTION,
    BIDE__FINDINGS
};

/* Prints `bide: ...`, if this is the first finding of its kind at this site and not the
   BIDE_CAP_FINDINGS'th. From any loop. */
__attribute__((cold, format(printf, 3, 4))) void
bide__find(enum bide__finding kind, const struct bide_site *site, const char *format, ...);

#endif
