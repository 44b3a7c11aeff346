/*
 * run_plain.c: runs the body of a TEST_PLAIN. Called by harness.c in the test's process; arms the
 * allocator (base/mem.h) to fail. Apart from run_task.c, so that it links no runtime.
 */
#include "harness.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

int bide__test_run_plain(void (*body)(void), const struct bide__test_options *options)
{
    bool reached;

    if (options->no_blocking) {
        fprintf(stderr, "no_blocking is for TEST and EXPLORE: here is no loop that is known\n");
        return -EINVAL;
    }
    bide__mem_fail_at(options->fail_allocation_at, false);
    body();
    reached = options->fail_allocation_at && bide__mem_failed();
    bide__mem_fail_at(0, false);
    return reached ? 1 : 0;
}
