/*
 * trail.h: a schedule, as what in it was not the ordinary: what an EXPLORE prints and replays.
 *
 * Written by explore.c while a schedule runs, into memory shared with the harness, so that it
 * outlives a crash; read and made smaller by shrink.c.
 *
 * The ordinary: a task goes on while it can, then the one that has been ready for longest runs;
 * nothing is cancelled, nothing fails. As text, for example "3.1,c7": the third time that somebody
 * could choose, alternative 1 was taken; the seventh await was cancelled. "0" is the ordinary.
 */
#ifndef BIDE_TEST_TRAIL_H
#define BIDE_TEST_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bide__decision_kind {
    BIDE__DECIDE_ORDER,      /* "AT.VALUE": which task, or what test_choose gives */
    BIDE__DECIDE_CANCEL,     /* "cAT": the await is cancelled */
    BIDE__DECIDE_FAULT,      /* "fAT": test_fault says yes */
    BIDE__DECIDE_ALLOCATION, /* "aAT": the allocation fails */
    BIDE__DECIDE_WAITING,    /* "wAT.VALUE": one of the tasks that wait is cancelled */
    BIDE__DECISION_KINDS,
};

/* `at` counts from 1, for each kind by itself; of one kind in a trail it grows. */
struct bide__decision {
    uint32_t at;
    uint16_t kind;
    uint16_t value; /* 1 where the text has none; never 0 */
};

enum { BIDE__TRAIL_MAX = 4096 }; /* what comes later in a schedule is ordinary */

struct bide__trail {
    uint32_t count;
    struct bide__decision decisions[BIDE__TRAIL_MAX];
};

/* Whether the text is one; it fills the trail. */
bool bide__trail_parse(const char *text, struct bide__trail *ret_trail);

/* As text, on the heap; the caller frees it. */
char *bide__trail_text(const struct bide__trail *trail);

/* Leaves out of a trail that fails what it need not have to fail: asks `fails` of smaller ones, for
   so long. shrink.c */
void bide__trail_shrink(struct bide__trail *trail,
                        bool (*fails)(const struct bide__trail *trail, void *arg), void *arg,
                        int limit_ms);

#endif
