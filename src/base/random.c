/*
 * Random bytes of the system. See random.h.
 */
#include "base/random.h"

#include "base/rng.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

static struct bide__rng fixed;
static bool is_fixed;

void bide__random_fix(uint64_t seed)
{
    is_fixed = seed != 0;
    bide__rng_init(&fixed, seed);
}

static void random_of_seed(char *at, size_t size)
{
    while (size > 0) {
        uint64_t word = bide__rng_next(&fixed);
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(at, &word, part);
        at += part;
        size -= part;
    }
}

int bide__random(void *ret_bytes, size_t size)
{
    char *at = ret_bytes;
    if (is_fixed) {
        random_of_seed(at, size);
        return 0;
    }
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
