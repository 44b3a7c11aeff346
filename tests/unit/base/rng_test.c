/* The generator against the numbers of the papers' authors, and the bounds of `below`. */
#include "base/rng.h"

#include <bide/test.h>

/* The first numbers of splitmix64 from state 1234567, as published with the reference program. */
TEST_PLAIN(splitmix64_gives_the_published_numbers)
{
    uint64_t state = 1234567;
    check(bide__splitmix64(&state) == UINT64_C(6457827717110365317));
    check(bide__splitmix64(&state) == UINT64_C(3203168211198807973));
    check(bide__splitmix64(&state) == UINT64_C(9817491932198370423));
}

/* xoshiro256** from the state 1, 2, 3, 4: the first result is rotl(2 * 5, 7) * 9, the second has
 * s[1] = 0. */
TEST_PLAIN(xoshiro_gives_the_published_numbers)
{
    struct bide__rng rng = {{1, 2, 3, 4}};
    check(bide__rng_next(&rng) == 11520);
    check(bide__rng_next(&rng) == 0);
    check(bide__rng_next(&rng) == 1509978240);
    check(bide__rng_next(&rng) == UINT64_C(1215971899390074240));
}

TEST_PLAIN(the_same_seed_gives_the_same_numbers)
{
    struct bide__rng a, b, c;
    bide__rng_init(&a, 0);
    bide__rng_init(&b, 0);
    bide__rng_init(&c, 1);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t number = bide__rng_next(&a);
        check(number == bide__rng_next(&b));
        same += number == bide__rng_next(&c);
    }
    check_int(same, 0);
}

TEST_PLAIN(below_stays_below_and_reaches_all)
{
    struct bide__rng rng;
    bide__rng_init(&rng, 7);
    check_int(bide__rng_below(&rng, 0), 0);
    check_int(bide__rng_below(&rng, 1), 0);
    int seen[6] = {0};
    for (int i = 0; i < 6000; i++) {
        uint64_t number = bide__rng_below(&rng, 6);
        require(number < 6);
        seen[number]++;
    }
    for (int i = 0; i < 6; i++)
        check(seen[i] > 850 && seen[i] < 1150);
    uint64_t large = UINT64_C(1) << 63 | 1;
    for (int i = 0; i < 100; i++)
        check(bide__rng_below(&rng, large) < large);
}
