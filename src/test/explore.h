/*
 * explore.h: what explore.c (which schedules are run) and decide.c (what happens in one) share.
 *
 * All of it belongs to the thread of the one loop of the test.
 */
#ifndef BIDE_TEST_EXPLORE_H
#define BIDE_TEST_EXPLORE_H

#include "harness.h"

#include "core/loop.h"

enum {
    BIDE__BRANCHES_MAX = 1 << 16, /* what comes later in a schedule is not searched */
    BIDE__STEPS_KEPT = 1 << 12,   /* compared between two runs of a schedule */
    BIDE__DROPS_MAX = 8,          /* times that a priority drops in a schedule */
    BIDE__INJECTIONS_MAX = 4,     /* cancels and faults in a random schedule */
};

enum bide__search {
    BIDE__SEARCH_ALL,      /* depth first, in bounds */
    BIDE__SEARCH_UNIFORM,  /* at random */
    BIDE__SEARCH_PRIORITY, /* at random, by priorities that drop (PCT) */
    BIDE__SEARCH_REPLAY,   /* what a trail says */
};

/* One choice of a schedule of BIDE__SEARCH_ALL. */
struct bide__branch {
    uint16_t kind, count, value;
};

/* What a random schedule is to do at the `at`th point of the kind. */
struct bide__injection {
    enum bide__decision_kind kind;
    uint32_t at;
};

/* Who ran at a step. */
struct bide__step {
    uint64_t task; /* its number */
    const struct bide_site *at;
    const char *name;
};

struct bide__explorer {
    struct bide__chooser chooser; /* the first member: hooks get its address */
    const struct bide__test_options *options;
    void (*body)(void);
    bool active;  /* the body, or what it left in the background, runs */
    bool failed;  /* this schedule, but for failed checks */
    bool telling; /* says on stderr what is not ordinary */
    enum bide__search search;
    struct bide__rng rng;
    const struct bide__trail *replay;
    uint32_t replayed[BIDE__DECISION_KINDS]; /* where to look on, for each kind */

    /* The schedule that runs: how often there was something to decide, by kind. */
    uint32_t seen[BIDE__DECISION_KINDS];
    uint32_t seen_last[BIDE__DECISION_KINDS]; /* in the one before */
    uint32_t injected[BIDE__DECISION_KINDS];
    unsigned spent; /* preemptions and injections */
    uint64_t steps, steps_last;
    struct bide__step kept[BIDE__STEPS_KEPT];

    /* BIDE__SEARCH_ALL */
    struct bide__branch *branches; /* BIDE__BRANCHES_MAX */
    size_t depth, length;
    unsigned bound;
    bool bounded;     /* the bound forbade something */
    bool cut;         /* a schedule had more choices than that */
    bool went_astray; /* a choice that was made before looks otherwise */

    uint32_t fail_allocation_at; /* 0: none */

    /* At random: what is injected, and the priorities. */
    struct bide__injection injections[BIDE__INJECTIONS_MAX];
    unsigned injections_count;
    uint64_t priority_seed;
    uint64_t drop_at[BIDE__DROPS_MAX]; /* steps */
    uint64_t dropped[BIDE__DROPS_MAX]; /* the tasks */
    unsigned drops;
};

extern struct bide__explorer bide__explorer;

/* Before a schedule: forgets the one before, and draws what is drawn at its start. */
void bide__decide_begin(struct bide__explorer *e);

/* BIDE__SEARCH_ALL: the next schedule. false: there is none within the bound. */
bool bide__decide_next(struct bide__explorer *e);

/* One of `count` values; a value other than 0 counts as `cost`. */
unsigned bide__decide(struct bide__explorer *e, enum bide__decision_kind kind, unsigned count,
                      unsigned cost);

#endif
