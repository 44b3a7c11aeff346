/*
 * A small seeded generator for tests (shuffles, explorers) and jitter. Not for secrets.
 *
 * xoshiro256** by D. Blackman and S. Vigna ("Scrambled linear pseudorandom number generators", ACM
 * TOMS 47, 2021), seeded by splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
 * number generators", OOPSLA 2014), written from the papers. The same seed gives the same numbers
 * on every machine, which the replay of a failed test relies on.
 */
#ifndef BIDE_BASE_RNG_H
#define BIDE_BASE_RNG_H

#include <stdint.h>

struct bide__rng {
    uint64_t state[4];
};

/* One step of splitmix64: moves `state` on and returns a mixed number. Also of use to derive seeds.
 */
static inline uint64_t bide__splitmix64(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

/* Any seed will do, 0 too. */
static inline void bide__rng_init(struct bide__rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = bide__splitmix64(&seed);
}

static inline uint64_t bide__rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* 64 random bits. */
static inline uint64_t bide__rng_next(struct bide__rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = bide__rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = bide__rotate_left(s[3], 45);
    return result;
}

/* A number in [0, bound), without bias; 0 when `bound` is 0. Rejects the short range at the bottom
 * (arc4random_uniform(3)). */
static inline uint64_t bide__rng_below(struct bide__rng *rng, uint64_t bound)
{
    if (bound < 2)
        return 0;
    uint64_t short_range = (0 - bound) % bound;
    uint64_t value;
    do {
        value = bide__rng_next(rng);
    } while (value < short_range);
    return value % bound;
}

#endif
