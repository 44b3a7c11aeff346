/*
 * Tokens as they are signed and checked by libjwt, which only jwt_signature.c knows. Called by
 * jwt.c, which has looked at the form of what it asks about: libjwt takes more than one form.
 */
#ifndef BIDE_AUTH_JWT_SIGNATURE_H
#define BIDE_AUTH_JWT_SIGNATURE_H

#include <bide/jwt.h>

#include <stdint.h>

/* What is signed: an object, and what comes to it in place of what it has under these names. */
struct bide__jwt_claims {
    const char *json;
    const char *issuer, *audience; /* or NULL */
    const char *id;
    int64_t issued_s, expires_s;
};

/* The token, to be freed with free(3); NULL and errno: EINVAL for the key or the claims, ENOMEM. */
char *bide__jwt_sign(enum bide_jwt_algorithm algorithm, const char *key,
                     const struct bide__jwt_claims *claims);

/* Whether this key has signed the token with this algorithm. */
bool bide__jwt_signed(enum bide_jwt_algorithm algorithm, const char *key, const char *token);

#endif
