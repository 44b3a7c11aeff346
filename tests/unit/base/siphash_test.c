/* SipHash-2-4 against the test vectors of its authors: key 00 01 ... 0f, message 00 01 ... */
#include "base/siphash.h"

#include <bide/test.h>

TEST_PLAIN(vectors_of_the_paper)
{
    static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    unsigned char message[64];
    for (int i = 0; i < 64; i++)
        message[i] = (unsigned char)i;
    check(bide__siphash(key, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
    check(bide__siphash(key, message, 1) == UINT64_C(0x74f839c593dc67fd));
    check(bide__siphash(key, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

TEST_PLAIN(the_key_and_the_length_count)
{
    static const uint64_t one[2] = {1, 2}, other[2] = {2, 1};
    check(bide__siphash(one, "abc", 3) != bide__siphash(other, "abc", 3));
    check(bide__siphash(one, "ab\0", 3) != bide__siphash(one, "ab", 2));
}
