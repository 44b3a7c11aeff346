/*
 * Signed tokens: see README.md. The first byte says what the rest is: a token; or a header and
 * claims, a line each, which are signed rightly.
 */
#include "fuzz.h"

#include "auth/auth.h"

#include <bide/jwt.h>

#if __has_include(<sodium.h>)
#include <sodium.h>
#define SIGNS 1
#else
#define SIGNS 0
#endif

enum { ARENA_BYTES = 64 << 20 };

MODEL(claims, "", (str, sub), (list(str), permissions, optional), (i64, exp), (f64, real, optional),
      (json, extra, optional));

static const char secret[] = "a secret of thirty-two bytes, ok";
static const bide_jwt_rules rules = {.secret = secret, .issuer = "bide"};

static void check_good(const char *token, const claims *got)
{
    size_t length = strlen(token), dots = 0;
    promise(length <= 8192);
    promise(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") ==
            length);
    for (size_t i = 0; i < length; i++)
        dots += token[i] == '.';
    promise(dots == 2);
    promise(got->sub && got->exp > 0);
}

/* One that is good is not, with any of its characters changed. */
static void check_others(bide_arena *arena, const char *token, size_t place)
{
    enum bide_jwt_why why;
    char *other = bide_arena_strdup(arena, token);
    promise(other);
    char *at = &other[place % strlen(token)];
    *at = *at == 'A' ? 'B' : 'A';
    promise(!bide_jwt_verify(arena, &rules, claims, other, &why));
    promise(why != BIDE_JWT_GOOD);
}

static void verify(bide_arena *arena, const char *token, size_t place)
{
    enum bide_jwt_why why = BIDE_JWT_GOOD;
    const claims *got = bide_jwt_verify(arena, &rules, claims, token, &why);
    promise((got != NULL) == (why == BIDE_JWT_GOOD));
    promise(bide_jwt_reason(why)[0]);
    if (!got)
        return;
    check_good(token, got);
    check_others(arena, token, place);
}

#if SIGNS
static const char *sign(bide_arena *arena, const char *header, size_t header_length,
                        const char *body, size_t body_length)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    char *token = bide_arena_alloc(arena, bide__base64url_room(header_length) +
                                              bide__base64url_room(body_length) + 50);
    promise(token);
    bide__base64url_encode(header, header_length, token);
    size_t length = strlen(token);
    token[length++] = '.';
    bide__base64url_encode(body, body_length, token + length);
    length += strlen(token + length);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)token, length);
    crypto_auth_hmacsha256_final(&state, mac);
    token[length++] = '.';
    bide__base64url_encode(mac, sizeof mac, token + length);
    return token;
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bide_arena arena;
    if (size < 1)
        return 0;
    char *text = copy_of((const char *)data + 1, size - 1);
    bide_arena_init(&arena, NULL, ARENA_BYTES);
#if SIGNS
    const char *line = memchr(text, '\n', size - 1);
    if (data[0] % 4 && line) {
        size_t length = (size_t)(line - text);
        verify(&arena, sign(&arena, text, length, line + 1, size - 2 - length), data[0]);
    }
#endif
    if (data[0] % 4 == 0)
        verify(&arena, bide_arena_strndup(&arena, text, size - 1), data[0]);
    bide_arena_done(&arena);
    free(text);
    return 0;
}
