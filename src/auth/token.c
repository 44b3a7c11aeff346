/*
 * token.c: random texts and their digests (include/bide/token.h), and what this folder shares: its
 * errors, its memory. Called by users and all files of this folder; calls base/random.c, and
 * libsodium for SHA-256.
 */
#include "auth/auth.h"

#include "base/caps.h"
#include "base/random.h"
#include "core/error.h"
#include "core/loop.h"

#include <bide/task.h>
#include <bide/token.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void bide__auth_invalid(const char *what, const char *format, ...)
{
    char why[200];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "%s: %s", what, why));
}

void bide__auth_missing(const char *what, const char *library, const char *apt, const char *dnf)
{
    bide__auth_invalid(what,
                       "this bide was built without %s: install %s or %s (./dev deps more) and "
                       "build again",
                       library, apt, dnf);
}

bide_arena *bide__auth_arena(bide_arena *arena)
{
    if (!arena)
        arena = bide_task_arena();
    if (!arena)
        bide__raise(-ENOMEM, NULL);
    return arena;
}

void *bide__auth_alloc(bide_arena *arena, size_t size)
{
    void *memory = bide_arena_alloc(bide__auth_arena(arena), size);
    if (!memory)
        bide__raise(-ENOMEM, NULL);
    return memory;
}

void bide__auth_random(void *ret_bytes, size_t size)
{
    int code = bide__random(ret_bytes, size);
    if (code < 0)
        bide__fail(bide__current->at, bide_error_of_errno(-code, "no random numbers"));
}

const char *bide_token_make(bide_arena *arena, size_t bytes)
{
    if (bytes < BIDE_CAP_TOKEN_LEAST_BYTES || bytes > BIDE_CAP_TOKEN_BYTES)
        bide__auth_invalid("tokens", "%zu bytes; they have %d to %d", bytes,
                           BIDE_CAP_TOKEN_LEAST_BYTES, BIDE_CAP_TOKEN_BYTES);
    unsigned char random[BIDE_CAP_TOKEN_BYTES];
    char *text = bide__auth_alloc(arena, bide__base64url_room(bytes));
    bide__auth_random(random, bytes);
    bide__base64url_encode(random, bytes, text);
    bide_wipe(random, bytes);
    return text;
}

bide_hash bide_token_digest(bide_arena *arena, const char *token)
{
    char *text = bide__auth_alloc(arena, BIDE__DIGEST_BYTES);
    bide__auth_digest(&token, token ? 1 : 0, text);
    return (bide_hash){text};
}

/* Plain: what the compiler knows of `difference` it may not use. */
bool bide_token_equal(const char *a, const char *b)
{
    if (!a || !b)
        return false;
    size_t length = strlen(a);
    if (strlen(b) != length)
        return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < length; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]);
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}

void bide_wipe(void *memory, size_t size)
{
    explicit_bzero(memory, size);
}

#if BIDE_SODIUM

#include <sodium.h>

void bide__auth_digest(const char *const *texts, size_t count, char ret_text[BIDE__DIGEST_BYTES])
{
    unsigned char bytes[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++) {
        crypto_hash_sha256_update(&state, (const unsigned char *)"", i > 0);
        crypto_hash_sha256_update(&state, (const unsigned char *)texts[i], strlen(texts[i]));
    }
    crypto_hash_sha256_final(&state, bytes);
    sodium_bin2hex(ret_text, BIDE__DIGEST_BYTES, bytes, sizeof bytes);
    bide_wipe(&state, sizeof state);
}

#else

void bide__auth_digest(const char *const *texts, size_t count, char ret_text[BIDE__DIGEST_BYTES])
{
    (void)texts, (void)count, (void)ret_text;
    bide__auth_missing("digests", "libsodium", "libsodium-dev", "libsodium-devel");
}

#endif
