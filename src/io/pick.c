/*
 * pick.c: which backend a loop gets (core/op.h). Called by the loop; calls epoll.c
 * and uring.c.
 *
 * epoll is what one gets unasked: both are about as fast (docs/internals/io_uring.md), and epoll is
 * there in every container. Who asks for io_uring and is refused gets epoll, and is told so once.
 */
#include "core/loop.h"
#include "core/runtime.h"

#include <bide/log.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first loop says it for all. */
static void say_once(const char *why, const char *hint)
{
    static char said;
    if (!__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
        bide_log(BIDE_LOG_WARN, "io_uring: %s%s; going on with epoll", why, hint);
}

/* What the environment says, for tests and operators. */
static enum bide_io of_environment(void)
{
    const char *value = getenv("BIDE_IO");
    if (!value || strcmp(value, "") == 0 || strcmp(value, "auto") == 0)
        return BIDE_IO_AUTO;
    if (strcmp(value, "epoll") == 0)
        return BIDE_IO_EPOLL;
    if (strcmp(value, "uring") == 0)
        return BIDE_IO_URING;
    say_once("BIDE_IO is none of auto, epoll, uring", "");
    return BIDE_IO_AUTO;
}

static const char *hint_of(int code)
{
    switch (code) {
    case -EPERM:
    case -EACCES:
        return " (a container's seccomp filter, or sysctl kernel.io_uring_disabled)";
    case -ENOSYS:
        return " (this kernel is built without it)";
    case -EINVAL:
        return " (this kernel is older than 6.1)";
    case -ENOTSUP:
        return " (bide was built without liburing)";
    default:
        return "";
    }
}

const char *bide_io_name(void)
{
    BIDE_ASSERT(bide__loop_here, "bide_io_name() is called outside of bide_run");
    return bide__loop_here->io->ops->name;
}

int bide__io_open(struct bide__loop *loop, struct bide__io **ret_io)
{
    enum bide_io io = loop->runtime->options.io;
    if (loop->chooser && loop->chooser->decides)
        return bide__io_sim.open(loop, ret_io);
    if (io == BIDE_IO_AUTO)
        io = of_environment();
    if (io == BIDE_IO_URING) {
        int code = bide__io_uring.open(loop, ret_io);
        if (code == 0)
            return 0;
        say_once(strerror(-code), hint_of(code));
    }
    return bide__io_epoll.open(loop, ret_io);
}
