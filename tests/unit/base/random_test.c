/* Random bytes: all of them are filled; a system that gives none is an error, and no loop. */
#include "base/random.h"

#include <bide/test.h>

#include "../no_random.h"

#include <string.h>

TEST_PLAIN(every_byte_is_filled)
{
    static unsigned char bytes[1000], seen[1000];
    for (int round = 0; round < 20; round++) { /* each byte is 0 all the time: once in 256^20 */
        require(bide__random(bytes, sizeof bytes) == 0);
        for (size_t i = 0; i < sizeof bytes; i++)
            seen[i] |= bytes[i];
    }
    check_ptr(memchr(seen, 0, sizeof seen), NULL);
    bytes[0] = 7;
    check_int(bide__random(bytes, 0), 0);
    check_int(bytes[0], 7);
}

TEST_PLAIN(a_system_without_randomness_is_an_error)
{
    unsigned char bytes[16];
    test_no_random();
    check_int(bide__random(bytes, sizeof bytes), -EPERM);
}
