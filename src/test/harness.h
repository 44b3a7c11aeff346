/*
 * What the files of src/test share: the registry's entry and the verdict of the test that runs.
 *
 * The verdict lies in memory shared with the harness process, so that a failed check counts even if
 * the test then crashes, and from any thread or forked child of the test. A death test gives its
 * child a verdict of its own.
 */
#ifndef BIDE_TEST_HARNESS_H
#define BIDE_TEST_HARNESS_H

#include "trail.h"

#include <bide/test.h>

#include <stdatomic.h>

struct bide__test_verdict {
    atomic_int failures;       /* failed checks */
    atomic_bool skipped;       /* test_skip was called; `reason` is valid */
    atomic_bool finished;      /* the body returned, so an exit status of 0 may be believed */
    atomic_bool point_reached; /* the injected cancel or failed allocation happened */
    atomic_bool capturing;     /* stderr goes to `bide__test_capture_fd` */
    char reason[256];
};

extern struct bide__test_verdict *bide__test_verdict;
extern uint64_t bide__test_current_seed;
/* A memfd made by the harness, so that it can show what a dead test captured. */
extern int bide__test_capture_fd;

/* EXPLORE: the schedule that runs, in memory shared with the harness; the one to replay, NULL: to
   look for one that fails; how long that may take. */
extern struct bide__trail *bide__test_trail;
extern const struct bide__trail *bide__test_replay;
extern int bide__test_search_ms;

/* Whether the error has the code, or a cause of it has. */
struct bide_error;
bool bide__test_comes_from(const struct bide_error *error, int code);

/* Counts one failure and prints `file:line: ` followed by the message. */
__attribute__((format(printf, 3, 4))) void bide__test_failed(const char *file, int line,
                                                             const char *format, ...);

/* Reads the whole of `fd` from its start; the caller frees the text. */
char *bide__test_read_all(int fd, size_t *ret_size);

#endif
