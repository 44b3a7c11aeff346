/*
 * endpoint.c: see endpoint.h.
 */
#include "io/endpoint.h"

#include "base/clock.h"
#include "base/mem.h"
#include "core/graph.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

__thread struct bide__queue bide__descriptors_wanted;

int bide__endpoint_open(size_t object_size, size_t endpoint_offset, struct bide__fd *as,
                        const struct bide__kind *kind, const char *name, void **ret_object)
{
    size_t name_bytes = strlen(name) + 1;
    char *object = bide__alloc(object_size + name_bytes);
    if (!object)
        return -ENOMEM;
    memset(object, 0, object_size);
    struct bide__endpoint *endpoint = (void *)(object + endpoint_offset);
    char *own_name = memcpy(object + object_size, name, name_bytes);
    endpoint->fd.fd = as->fd;
    endpoint->fd.short_is_drained = as->short_is_drained;
    endpoint->fd.is_stream = as->is_stream;
    endpoint->fd.is_peer = as->is_peer;
    bide__object_init(&endpoint->fd.object, kind, own_name, bide__current->at);
    struct bide__io *io = bide__loop_here->io;
    int code = 0;
    if (as->io)
        io->ops->move(io, as, &endpoint->fd);
    else
        code = io->ops->attach(io, &endpoint->fd);
    if (code < 0) {
        bide__free(object);
        return code;
    }
    *ret_object = object;
    return 0;
}

bool bide__endpoint_close(struct bide__endpoint *endpoint)
{
    struct bide__fd *fd = &endpoint->fd;
    BIDE_ASSERT(!endpoint->closed, "%s %s is closed twice", fd->object.kind->noun,
                bide__endpoint_name(endpoint));
    BIDE_ASSERT(fd->io->loop == bide__loop_here, "%s %s is closed on another loop than its own",
                fd->object.kind->noun, bide__endpoint_name(endpoint));
    endpoint->closed = true;
    bide__wake_all(&fd->readers, -ESHUTDOWN);
    bide__wake_all(&fd->writers, -ESHUTDOWN);
    fd->io->ops->detach(fd->io, fd);
    int number = fd->fd;
    fd->fd = -1; /* who was woken before, and tries again, must not meet the number's next owner */
    if (number >= 0)
        close(number);
    if (bide__descriptors_wanted.first)
        bide__wake(bide__descriptors_wanted.first, 0);
    return endpoint->inside == 0;
}

void bide__endpoint_enter(struct bide_task *me, struct bide__endpoint *endpoint,
                          const char *operation)
{
    const struct bide__fd *fd = &endpoint->fd;
    if (bide__unlikely(fd->io->loop != me->loop))
        bide__misuse("%s %s on loop %d: it belongs to loop %d", operation,
                     bide__endpoint_name(endpoint), me->loop->index, fd->io->loop->index);
    if (bide__unlikely(endpoint->closed))
        bide__net_raise(-ESHUTDOWN, operation, bide__endpoint_name(endpoint));
    endpoint->inside++;
}

bide_error *bide__net_error(int code, const char *operation, const char *name)
{
    if (code == -ESHUTDOWN)
        return bide_error_new(BIDE_CLOSED, "%s %s: it was closed meanwhile", operation, name);
    if (code == -ENOMEM)
        return bide_error_new(BIDE_NO_MEMORY, "%s %s: out of memory", operation, name);
    return bide_error_of_errno(-code, "%s %s", operation, name);
}

void bide__net_raise(int code, const char *operation, const char *name)
{
    static const struct bide__kind kind = {.noun = "connection", .verb = "waits for"};
    static const struct bide__object object = {&kind, NULL, NULL};
    if (code == -ECANCELED)
        bide__raise(code, &object);
    bide__fail(bide__current->at, bide__net_error(code, operation, name));
}

struct pause {
    struct bide__timer timer;
    struct bide__wait wait;
};

static void pause_over(struct bide__timer *timer)
{
    struct bide__wait *wait = &bide__container_of(timer, struct pause, timer)->wait;
    if (wait->task->wait == wait) /* else it was decided in this very tick */
        bide__wake(wait, 0);
}

int bide__net_pause(struct bide_task *me, struct bide__queue *queue, struct bide__object *object,
                    int64_t duration_ns)
{
    struct bide__timers *timers = &me->loop->timers;
    struct pause pause = {.timer.fire = pause_over};
    int code = bide__checkpoint(me);
    if (code < 0)
        return code;
    bide__timer_arm(timers, &pause.timer, bide__loop_clock_ns(me->loop) + duration_ns);
    code = bide__wait(me, queue, &pause.wait, object);
    bide__timer_disarm(timers, &pause.timer);
    return code;
}

int bide__stream_socket(int family)
{
    struct bide__io *io = bide__loop_here ? bide__loop_here->io : NULL;
    if (bide__unlikely(io && io->ops->socket))
        return io->ops->socket(io, family);
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int bide__own_address(int fd, struct bide__address *ret_address)
{
    struct bide__io *io = bide__loop_here ? bide__loop_here->io : NULL;
    ret_address->size = sizeof ret_address->un;
    if (bide__unlikely(io && io->ops->own_address))
        return io->ops->own_address(io, fd, ret_address);
    return getsockname(fd, &ret_address->any, &ret_address->size) < 0 ? -errno : 0;
}

void bide__needs_kernel(const char *what)
{
    const struct bide__chooser *chooser = bide__loop_here ? bide__loop_here->chooser : NULL;
    if (bide__unlikely(chooser && chooser->decides))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID,
                                  "%s: the simulated network of an EXPLORE has none; put something "
                                  "in its place, or use a TEST",
                                  what));
}
