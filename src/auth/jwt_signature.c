/*
 * jwt_signature.c: see jwt_signature.h. libjwt 1.10 to 1.18: the second major version is another
 * library.
 */
#include "auth/jwt_signature.h"

#include <errno.h>
#include <string.h>

#if BIDE_JWT

#include <jwt.h>

static jwt_alg_t name_of(enum bide_jwt_algorithm algorithm)
{
    static const jwt_alg_t names[] = {
        [BIDE_HS256] = JWT_ALG_HS256, [BIDE_HS384] = JWT_ALG_HS384, [BIDE_HS512] = JWT_ALG_HS512,
        [BIDE_RS256] = JWT_ALG_RS256, [BIDE_ES256] = JWT_ALG_ES256,
    };
    return names[algorithm];
}

/* 0 or an errno. */
static int put_text(jwt_t *jwt, const char *name, const char *text)
{
    int error = jwt_del_grants(jwt, name);
    return error || !text ? error : jwt_add_grant(jwt, name, text);
}

static int put_number(jwt_t *jwt, const char *name, int64_t number)
{
    int error = jwt_del_grants(jwt, name);
    return error ? error : jwt_add_grant_int(jwt, name, (long)number);
}

static int put_all(jwt_t *jwt, const struct bide__jwt_claims *claims)
{
    int error = jwt_add_grants_json(jwt, claims->json);
    if (!error)
        error = put_text(jwt, "iss", claims->issuer);
    if (!error)
        error = put_text(jwt, "aud", claims->audience);
    if (!error)
        error = put_text(jwt, "jti", claims->id);
    if (!error)
        error = put_number(jwt, "iat", claims->issued_s);
    if (!error)
        error = put_number(jwt, "nbf", claims->issued_s);
    return error ? error : put_number(jwt, "exp", claims->expires_s);
}

char *bide__jwt_sign(enum bide_jwt_algorithm algorithm, const char *key,
                     const struct bide__jwt_claims *claims)
{
    char *token = NULL;
    jwt_t *jwt;
    if (jwt_new(&jwt) != 0) {
        errno = ENOMEM;
        return NULL;
    }
    int error = put_all(jwt, claims);
    if (!error)
        error = jwt_set_alg(jwt, name_of(algorithm), (const unsigned char *)key, (int)strlen(key));
    errno = error;
    if (!error)
        token = jwt_encode_str(jwt);
    error = token || errno == ENOMEM ? errno : EINVAL;
    jwt_free(jwt);
    errno = error;
    return token;
}

bool bide__jwt_signed(enum bide_jwt_algorithm algorithm, const char *key, const char *token)
{
    jwt_t *jwt = NULL;
    bool good = jwt_decode(&jwt, token, (const unsigned char *)key, (int)strlen(key)) == 0 && jwt &&
                jwt_get_alg(jwt) == name_of(algorithm);
    jwt_free(jwt);
    return good;
}

#else

char *bide__jwt_sign(enum bide_jwt_algorithm algorithm, const char *key,
                     const struct bide__jwt_claims *claims)
{
    (void)algorithm, (void)key, (void)claims;
    errno = EINVAL;
    return NULL;
}

bool bide__jwt_signed(enum bide_jwt_algorithm algorithm, const char *key, const char *token)
{
    (void)algorithm, (void)key, (void)token;
    return false;
}

#endif
