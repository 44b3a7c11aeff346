/*
 * A body that runs on the first of several loops while the others serve, and leaves no memory
 * behind.
 */
#ifndef BIDE_TEST_LOOPS_CASE_H
#define BIDE_TEST_LOOPS_CASE_H

#include "base/mem.h"

#include <bide/bide.h>
#include <bide/test.h>

static bide__main_void *body;

/* Loop 0 runs the body, the others serve. */
static async(void) program(void)
{
    if (bide_loop_index() == 0) {
        await(body());
        bide_stop("done");
    } else {
        await(bide_until_stop());
    }
    return bide_void;
}

static void run_on(int loops, bide__main_void *what)
{
    int64_t live = bide__mem_live();
    body = what;
    check_int(bide_run(program, .loops = loops), 0);
    check_int(bide__mem_live(), live);
}

#endif
