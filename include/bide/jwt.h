/*
 * jwt.h: signed tokens that say who somebody is, for a while.
 *
 *     MODEL(access, "", (str, sub), (list(str), permissions));
 *
 *     static const bide_jwt_rules rules = {
 *         .secret = secret, .algorithm = BIDE_HS256, .issuer = "frodo", .ttl = {...}};
 *
 *     const char *token = bide_jwt_issue(arena, &rules, access, &claims);
 *
 *     enum bide_jwt_why why;
 *     const access *who = bide_jwt_verify(arena, &rules, access, token, &why);
 *     if (!who)
 *         fail(http_error(401, "%s", bide_jwt_reason(why)));
 *
 * Claims are a model of the user's. To what it writes come `iss` and `aud` (of the rules), `iat`,
 * `nbf`, `exp` and a random `jti`: they are the rules', not the struct's. A model that has fields
 * with these names (`i64` for the instants, seconds since 1970) gets them filled when a token is
 * verified.
 *
 * Invariants
 *  1. One algorithm: that of the rules. What a token says of itself chooses nothing: its header is
 *     `alg`, which is this one, and perhaps `typ`, which is JWT. Any other member (crit, kid, jwk,
 *     jku, x5c ...) is refused, and so are an unsigned token and one of another algorithm.
 *  2. A token has one form: three parts of base64url without padding, blanks or stray bits, at most
 *     BIDE_CAP_JWT_BYTES (8192) in all; header and claims are objects in strict JSON (json.h), and
 *     no name of their members is there twice.
 *  3. `exp` is mandatory; `nbf` and `iat` in the future are refused, by rules.leeway at the most.
 *     Instants are UTC, of bide_now_us.
 *  4. With rules.issuer, `iss` is this text. With rules.audience, `aud` is it or has it; without,
 *     a token with `aud` is refused.
 *  5. Nothing of a token is given before all of this is found right.
 *
 * Tokens are PyJWT's, in both directions. They are signed, not secret: everybody can read them. One
 * that is given out is good until `exp`, so ttl is short; what can be taken back is in refresh.h.
 *
 * Plain functions: none suspends. RS256 computes for about a millisecond when it signs.
 * Needs libjwt at build; without it these functions raise BIDE_INVALID and say so.
 * Source: RFC 7519 (JWT), RFC 7515 (JWS), RFC 7518 (the algorithms), RFC 8725 (best practices).
 *
 * layer: auth
 */
#ifndef BIDE_JWT_H
#define BIDE_JWT_H

#include <bide/clock.h>
#include <bide/model.h>

enum bide_jwt_algorithm {
    BIDE_HS256, /* HMAC: who verifies can also issue */
    BIDE_HS384,
    BIDE_HS512,
    BIDE_RS256, /* RSASSA-PKCS1-v1_5: the public key verifies only */
    BIDE_ES256, /* ECDSA on P-256 */
};

/* What tokens are like: the same for who issues and who verifies. Zero means the default. */
typedef struct bide_jwt_rules {
    enum bide_jwt_algorithm algorithm; /* BIDE_HS256 */
    const char *secret;      /* of HS...: random, at least 32, 48, 64 bytes (RFC 7518 3.2) */
    const char *private_key; /* of RS256 (2048 bits at least) and ES256, to issue: PEM */
    const char *public_key;  /* the same, to verify: PEM */
    const char *issuer;      /* NULL: no `iss` is written, and any is right */
    const char *audience;    /* NULL: no `aud` is written, and none may be there */
    bide_duration ttl;       /* 15 minutes */
    bide_duration leeway;    /* how far clocks may differ; 0, at most 5 minutes */
} bide_jwt_rules;

/* Why a token is not good. */
enum bide_jwt_why {
    BIDE_JWT_GOOD,
    BIDE_JWT_MALFORMED, /* no token, or not in its one form */
    BIDE_JWT_HEADER,    /* its header says what it may not say, or another algorithm */
    BIDE_JWT_SIGNATURE,
    BIDE_JWT_CLAIMS, /* no `exp`, a claim of another type, or not what the model wants */
    BIDE_JWT_EXPIRED,
    BIDE_JWT_EARLY, /* `nbf` or `iat` is still to come */
    BIDE_JWT_ISSUER,
    BIDE_JWT_AUDIENCE,
};

/* As a text for logs and clients: "the token has expired". */
const char *bide_jwt_reason(enum bide_jwt_why why) __attribute__((__returns_nonnull__));

/* What is wrong with rules, or NULL: to be asked once at start. A short secret, a key that is
   missing for both directions, no libjwt. The functions below raise BIDE_INVALID for them. */
const char *bide_jwt_rules_error(const bide_jwt_rules *rules);

/*
 * `arena` may be NULL in both: bide_task_arena's.
 *
 * bide_jwt_issue(arena, &rules, M, &claims): a token, in the arena. Raises BIDE_INVALID for the
 * rules, for claims that cannot be written (json.h), and for a token of more than
 * BIDE_CAP_JWT_BYTES; BIDE_NO_MEMORY.
 */
#define bide_jwt_issue(arena, rules, M, claims)                                                    \
    bide__jwt_issue(arena, rules, M##_model(), (0 ? (const M *)0 : (claims)))

/*
 * bide_jwt_verify(arena, &rules, M, token, &why): the claims, a const M * in the arena; or NULL and
 * why. `token` may be NULL; it comes without "Bearer ". Raises BIDE_INVALID for the rules and a
 * model that cannot be used; BIDE_NO_MEMORY.
 */
#define bide_jwt_verify(arena, rules, M, token, ret_why)                                           \
    ((const M *)bide__jwt_verify(arena, rules, M##_model(), token, ret_why))

const char *bide__jwt_issue(bide_arena *arena, const bide_jwt_rules *rules, const bide_model *model,
                            const void *claims) __attribute__((__returns_nonnull__));
const void *bide__jwt_verify(bide_arena *arena, const bide_jwt_rules *rules,
                             const bide_model *model, const char *token,
                             enum bide_jwt_why *ret_why);

#endif
