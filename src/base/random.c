/*
 * Random bytes of the system. See random.h.
 */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

int bide__random(void *ret_bytes, size_t size)
{
    char *at = ret_bytes;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
    return 0;
}
