/*
 * token.h: random texts that open something for whoever has them: sessions, links in mails, keys.
 *
 *     const char *token = bide_token_make(arena, 32);           // mail it, or give it to a client
 *     link l = {.digest = bide_token_digest(arena, token)};     // keep only this
 *     ...
 *     link *found = await(bide_maybe(db, link, "digest = $1", bide_token_digest(arena, typed)));
 *
 * A token has so many random bits that nobody guesses it: its plain digest finds it, and who reads
 * the digest has no token. A password or a code of few digits is not such a text: password.h,
 * code.h.
 *
 * Plain functions: none suspends. An arena may be NULL: bide_task_arena's.
 * Source: RFC 4648 section 5 (base64url), FIPS 180-4 (SHA-256), getrandom(2).
 *
 * layer: auth
 */
#ifndef BIDE_TOKEN_H
#define BIDE_TOKEN_H

#include <bide/arena.h>
#include <bide/value.h>

/*
 * A token of `bytes` random bytes (16 to 1024; 32 is usual), as base64url: letters, digits, `-` and
 * `_`, which a URL, a header and a cookie take as they are. In the arena. Raises BIDE_INVALID for
 * another size, BIDE_NO_MEMORY, BIDE_SYSTEM without a source of random numbers.
 */
const char *bide_token_make(bide_arena *arena, size_t bytes) __attribute__((__returns_nonnull__));

/*
 * The digest of a token, to be kept in its place: SHA-256, 64 hexadecimal digits. NULL has one of
 * its own, which no token has. In the arena. Raises BIDE_NO_MEMORY; BIDE_INVALID in a build without
 * libsodium.
 */
bide_hash bide_token_digest(bide_arena *arena, const char *token);

/* Whether two texts are the same; the time that takes depends on their lengths only. NULL is the
   same as nothing, not even as NULL. */
bool bide_token_equal(const char *a, const char *b);

/* Overwrites memory that held a secret, in a way that no compiler leaves out. */
void bide_wipe(void *memory, size_t size);

#endif
