/*
 * Watching requests: what is counted of each, and the record that it leaves. Called by dispatch.c
 * at the begin and the end of each request of an application that is watched, and by
 * metrics_page.c.
 *
 * Invariants
 *  1. Only the thread of its loop writes the numbers of a server, without locked instructions; any
 *     thread reads them.
 *  2. The numbers of a server that has ended are added to those of the application: sums never
 *     fall.
 */
#ifndef BIDE_WEB_OBSERVE_H
#define BIDE_WEB_OBSERVE_H

#include "web/web.h"

#include <bide/observe.h>
#include <pthread.h>

enum {
    BIDE__STATS_FIRST_LOG2 = 16, /* the first bound of durations is 2^16 ns, 66 us */
    BIDE__STATS_BUCKETS = 11,    /* each bound four times the one before; the last has none: 17 s */
    BIDE__STATS_CLASSES = 8,     /* none, 1xx ... 5xx; eight, to be masked */
};

/* Of one route. */
struct bide__route_stats {
    uint64_t requests[2][BIDE__STATS_CLASSES]; /* all but HEAD, HEAD */
    uint64_t buckets[BIDE__STATS_BUCKETS];
    uint64_t sum_ns;
};

/* Of one server, or of those that have ended. The place behind the last plan is for what found no
   route. */
struct bide__stats {
    struct bide__stats *next;
    uint64_t started;
    struct bide__route_stats routes[];
};

/* What an application wants to know. */
struct bide__observer {
    bool logs, logs_query, counts;
    struct bide__builtin page;
    pthread_mutex_t lock;      /* of the list, not of the numbers */
    struct bide__stats *live;  /* of servers */
    struct bide__stats *ended; /* all of them */
};

/* Adds the page, if it is asked for. 0, or -EINVAL after bide__app_problem. */
int bide__observe_prepare(bide_app *app);

/* At the begin and the end of each request; `end` is called on every way out. */
void bide__observe_begin(bide_request *req);
void bide__observe_end(bide_request *req);

/* A server has ended. */
void bide__observe_server_done(struct bide__web_server *server);

/* metrics_page.c. */
void bide__metrics_page(bide_request *req) BIDE__UNCHECKED;

#endif
