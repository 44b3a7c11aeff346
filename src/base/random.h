/*
 * Random bytes of the system. Called for keys, tokens, UUIDs, names and seeds by most folders.
 * Numbers that only order something are rng.h's.
 */
#ifndef BIDE_BASE_RANDOM_H
#define BIDE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills `size` bytes. 0, or a negative errno code: the system gives none. Waits only before the
   system has ever had enough of them, early at its boot. Source: getrandom(2). */
int bide__random(void *ret_bytes, size_t size) __attribute__((warn_unused_result));

/* Tests that must go the same way each time: from now on the bytes come from this seed, and only
   one thread asks for them; 0: from the system again. */
void bide__random_fix(uint64_t seed);

#endif
