/*
 * jwt.c: signed tokens (include/bide/jwt.h): their form, their header, their claims. Called by
 * users; calls src/model for JSON, and jwt_signature.c for what is signed.
 *
 * Invariants
 *  1. What libjwt is given to check has been found to have the one form, and the algorithm of the
 *     rules in its header: it chooses nothing.
 *  2. Claims are read from the text that was signed, by the strict reader of src/model, and after
 *     the signature was found right.
 */
#include "auth/auth.h"
#include "auth/jwt_signature.h"

#include "base/caps.h"
#include "base/slice.h"
#include "core/error.h"
#include "model/json_scan.h"

#include <bide/buf.h>
#include <bide/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ID_BYTES = 16, RSA_LEAST_BYTES = 256, ES256_BYTES = 64 };

static const struct {
    const char *name;
    size_t secret_bytes; /* at least; 0: it has a pair of keys */
} algorithms[] = {
    [BIDE_HS256] = {"HS256", 32}, [BIDE_HS384] = {"HS384", 48}, [BIDE_HS512] = {"HS512", 64},
    [BIDE_RS256] = {"RS256", 0},  [BIDE_ES256] = {"ES256", 0},
};

MODEL(jwt_header, "", (str, alg), (str, typ, optional));
MODEL(jwt_registered, "", (f64, exp), (f64, nbf, optional), (f64, iat, optional),
      (str, iss, optional), (json, aud, optional));
MODEL(jwt_audience, "", (list(str), aud));

const char *bide_jwt_reason(enum bide_jwt_why why)
{
    static const char *const reasons[] = {
        [BIDE_JWT_GOOD] = "the token is good",
        [BIDE_JWT_MALFORMED] = "this is no token",
        [BIDE_JWT_HEADER] = "the token is of another kind",
        [BIDE_JWT_SIGNATURE] = "the signature is wrong",
        [BIDE_JWT_CLAIMS] = "the token does not say what it must",
        [BIDE_JWT_EXPIRED] = "the token has expired",
        [BIDE_JWT_EARLY] = "the token is not good yet",
        [BIDE_JWT_ISSUER] = "the token is of somebody else",
        [BIDE_JWT_AUDIENCE] = "the token is for somebody else",
    };
    return (size_t)why < sizeof reasons / sizeof *reasons ? reasons[why] : "no such reason";
}

/* ---- rules ---- */

static const char *key_error(const bide_jwt_rules *rules)
{
    size_t least = algorithms[rules->algorithm].secret_bytes;
    if (least == 0)
        return rules->private_key || rules->public_key ? NULL : "there is no key";
    if (!rules->secret)
        return "there is no secret";
    if (strstr(rules->secret, "-----BEGIN"))
        return "the secret is a key of another algorithm";
    if (strlen(rules->secret) >= least)
        return NULL;
    return least == 32   ? "HS256 needs a secret of at least 32 bytes"
           : least == 48 ? "HS384 needs a secret of at least 48 bytes"
                         : "HS512 needs a secret of at least 64 bytes";
}

const char *bide_jwt_rules_error(const bide_jwt_rules *rules)
{
    if (!BIDE_JWT)
        return "this bide was built without libjwt: install libjwt-dev or libjwt-devel "
               "(./dev deps more) and build again";
    if ((size_t)rules->algorithm >= sizeof algorithms / sizeof *algorithms)
        return "there is no such algorithm";
    if (rules->ttl.ns < 0 || (rules->ttl.ns > 0 && rules->ttl.ns < bide_s(1).ns))
        return "a ttl of at least a second";
    if (rules->leeway.ns < 0 || rules->leeway.ns > bide_s(BIDE_CAP_JWT_LEEWAY_S).ns)
        return "a leeway of at most 5 minutes";
    return key_error(rules);
}

static void check_rules(const bide_jwt_rules *rules)
{
    const char *error = bide_jwt_rules_error(rules);
    if (error)
        bide__auth_invalid("jwt", "%s", error);
}

/* What signs, or verifies. */
static const char *key_of(const bide_jwt_rules *rules, const char *pair_key)
{
    const char *key = algorithms[rules->algorithm].secret_bytes ? rules->secret : pair_key;
    if (!key)
        bide__auth_invalid("jwt", "the rules have the other key only");
    return key;
}

/* Of a signature: whether its key is as large as it must be. */
static bool large_enough(enum bide_jwt_algorithm algorithm, size_t bytes)
{
    if (algorithm == BIDE_RS256)
        return bytes >= RSA_LEAST_BYTES;
    return algorithm != BIDE_ES256 || bytes == ES256_BYTES;
}

/* ---- form ---- */

struct parts {
    struct bide__slice header, claims; /* their JSON */
    size_t signature_bytes;
};

/* The next part, up to a dot or, of the last one, to the end; decoded. */
static bool part(bide_arena *arena, const char **at, char ending, struct bide__slice *ret_bytes)
{
    size_t length = strcspn(*at, ".");
    if (length == 0 || (*at)[length] != ending)
        return false;
    char *bytes = bide__auth_alloc(arena, length);
    ptrdiff_t size = bide__base64url_decode(*at, length, bytes);
    *at += length + 1;
    *ret_bytes = bide__slice(bytes, size > 0 ? (size_t)size : 0);
    return size > 0;
}

/* An object: the models say what is in it. */
static bool is_json(struct bide__slice text)
{
    const char *reason;
    size_t offset;
    return bide_json_check(text.bytes, text.length, &offset, &reason) == 0;
}

static bool split(bide_arena *arena, const char *token, struct parts *ret_parts)
{
    struct bide__slice signature;
    if (!token || strnlen(token, BIDE_CAP_JWT_BYTES + 1) > BIDE_CAP_JWT_BYTES ||
        !part(arena, &token, '.', &ret_parts->header) ||
        !part(arena, &token, '.', &ret_parts->claims) || !part(arena, &token, 0, &signature))
        return false;
    ret_parts->signature_bytes = signature.length;
    return is_json(ret_parts->header) && is_json(ret_parts->claims);
}

/* Whether an object, which is_json, has two members of one name. */
static bool names_one_twice(bide_arena *arena, struct bide__slice text)
{
    struct bide__scan scan = {.at = text.bytes, .end = text.bytes + text.length};
    struct name {
        struct name *older;
        size_t length;
        char text[];
    } *names = NULL;
    bool more =
        bide__scan_next(&scan) == '{' && bide__scan_open(&scan) && bide__scan_next(&scan) != '}';
    while (more) {
        struct bide__json_string key;
        if (bide__scan_next(&scan) != '"' || !bide__scan_string(&scan, &key))
            return true;
        struct name *name = bide__auth_alloc(arena, sizeof *name + key.length + 1);
        name->length = bide__json_unescape(&key, name->text);
        for (const struct name *n = names; n; n = n->older)
            if (n->length == name->length && memcmp(n->text, name->text, n->length) == 0)
                return true;
        name->older = names;
        names = name;
        scan.at += bide__scan_next(&scan) == ':';
        bide__scan_next(&scan);
        if (!bide__scan_value(&scan) || !bide__scan_more(&scan, '}', &more))
            return true;
    }
    return false;
}

/* Reads an object; false: it is not what the model wants. */
static bool read(bide_arena *arena, const bide_model *model, struct bide__slice text, bool strictly,
                 void *ret_row)
{
    bide_problems problems;
    bide_problems_init(&problems, arena);
    const bide_input input = {
        .arena = arena, .problems = &problems, .refuse_unknown = strictly, .trusted = true};
    int error = bide_json_read(&input, model, text.bytes, text.length, ret_row);
    if (error == -ENOMEM || problems.dropped > problems.count)
        bide__raise(-ENOMEM, NULL);
    if (error == -EINVAL)
        bide__auth_invalid("jwt", "the model '%s' cannot be used: %s", model->name,
                           bide_model_check(model));
    return error == 0;
}

/* ---- issuing ---- */

/* The claims of the user, as JSON in the arena. */
static const char *written(bide_arena *arena, const bide_model *model, const void *claims)
{
    bide_buf out;
    bide_buf_init(&out, BIDE_CAP_JWT_BYTES);
    int error = bide_json_write(model, claims, arena, &out);
    const char *text = error ? NULL : bide_arena_strdup(arena, bide_buf_str(&out));
    bide_buf_done(&out);
    if (error && error != -ENOMEM)
        bide__auth_invalid("jwt", "the claims cannot be written: %s",
                           error == -EMSGSIZE ? "they are too long" : strerror(-error));
    if (!text)
        bide__raise(-ENOMEM, NULL);
    return text;
}

static void check_issued(const bide_jwt_rules *rules, const char *token)
{
    size_t length = strlen(token), digits = strlen(strrchr(token, '.') + 1);
    if (length > BIDE_CAP_JWT_BYTES)
        bide__auth_invalid("jwt", "the claims make a token of %zu bytes, at most %d are taken",
                           length, BIDE_CAP_JWT_BYTES);
    if (!large_enough(rules->algorithm, digits * 6 / 8))
        bide__auth_invalid("jwt",
                           "%s is signed with a key of another size: RS256 needs 2048 bits, "
                           "ES256 the curve P-256",
                           algorithms[rules->algorithm].name);
}

const char *bide__jwt_issue(bide_arena *arena, const bide_jwt_rules *rules, const bide_model *model,
                            const void *claims)
{
    char random[ID_BYTES], id[ID_BYTES * 2];
    arena = bide__auth_arena(arena);
    check_rules(rules);
    const char *key = key_of(rules, rules->private_key);
    int64_t now_s = bide_now_us() / 1000000;
    int64_t ttl_s = rules->ttl.ns ? rules->ttl.ns / bide_s(1).ns : BIDE_CAP_JWT_TTL_S;
    bide__auth_random(random, sizeof random);
    bide__base64url_encode(random, sizeof random, id);
    const struct bide__jwt_claims all = {.json = written(arena, model, claims),
                                         .issuer = rules->issuer,
                                         .audience = rules->audience,
                                         .id = id,
                                         .issued_s = now_s,
                                         .expires_s = now_s + ttl_s};
    char *signed_one = bide__jwt_sign(rules->algorithm, key, &all);
    if (!signed_one && errno == ENOMEM)
        bide__raise(-ENOMEM, NULL);
    if (!signed_one)
        bide__auth_invalid("jwt", "libjwt cannot sign: the %s",
                           algorithms[rules->algorithm].secret_bytes
                               ? "claims are not what it takes"
                               : "key is not one in PEM");
    const char *token = bide_arena_strdup(arena, signed_one);
    free(signed_one);
    if (!token)
        bide__raise(-ENOMEM, NULL);
    check_issued(rules, token);
    return token;
}

/* ---- verifying ---- */

static bool header_good(bide_arena *arena, const bide_jwt_rules *rules, struct bide__slice text)
{
    jwt_header header;
    return read(arena, jwt_header_model(), text, true, &header) &&
           strcmp(header.alg, algorithms[rules->algorithm].name) == 0 &&
           (!header.typ || strcasecmp(header.typ, "JWT") == 0);
}

/* `aud` is a text or a list of them. */
static bool audience_good(bide_arena *arena, const char *wanted, bide_json claim)
{
    if (!claim.text)
        return !wanted;
    if (!wanted)
        return false;
    bool list = claim.text[0] == '[';
    const char *text =
        bide_arena_printf(arena, "{\"aud\":%s%s%s}", list ? "" : "[", claim.text, list ? "" : "]");
    jwt_audience audience;
    if (!text)
        bide__raise(-ENOMEM, NULL);
    if (!read(arena, jwt_audience_model(), bide__slice_of(text), true, &audience))
        return false;
    for (size_t i = 0; i < audience.aud.count; i++)
        if (strcmp(audience.aud.items[i], wanted) == 0)
            return true;
    return false;
}

static enum bide_jwt_why check_claims(bide_arena *arena, const bide_jwt_rules *rules,
                                      struct bide__slice text)
{
    jwt_registered claims;
    if (names_one_twice(arena, text) || !read(arena, jwt_registered_model(), text, false, &claims))
        return BIDE_JWT_CLAIMS;
    double now_s = (double)bide_now_us() / 1e6, leeway_s = (double)rules->leeway.ns / 1e9;
    if (claims.exp + leeway_s <= now_s)
        return BIDE_JWT_EXPIRED;
    if (claims.nbf > now_s + leeway_s || claims.iat > now_s + leeway_s)
        return BIDE_JWT_EARLY;
    if (rules->issuer && (!claims.iss || strcmp(claims.iss, rules->issuer) != 0))
        return BIDE_JWT_ISSUER;
    return audience_good(arena, rules->audience, claims.aud) ? BIDE_JWT_GOOD : BIDE_JWT_AUDIENCE;
}

static enum bide_jwt_why check_token(bide_arena *arena, const bide_jwt_rules *rules,
                                     const char *key, const char *token, struct parts *ret_parts)
{
    if (!split(arena, token, ret_parts))
        return BIDE_JWT_MALFORMED;
    if (!header_good(arena, rules, ret_parts->header))
        return BIDE_JWT_HEADER;
    if (!large_enough(rules->algorithm, ret_parts->signature_bytes) ||
        !bide__jwt_signed(rules->algorithm, key, token))
        return BIDE_JWT_SIGNATURE;
    return check_claims(arena, rules, ret_parts->claims);
}

const void *bide__jwt_verify(bide_arena *arena, const bide_jwt_rules *rules,
                             const bide_model *model, const char *token, enum bide_jwt_why *ret_why)
{
    struct parts parts;
    arena = bide__auth_arena(arena);
    check_rules(rules);
    const char *key = key_of(rules, rules->public_key);
    *ret_why = check_token(arena, rules, key, token, &parts);
    if (*ret_why != BIDE_JWT_GOOD)
        return NULL;
    void *claims = bide__auth_alloc(arena, model->size);
    if (read(arena, model, parts.claims, false, claims))
        return claims;
    *ret_why = BIDE_JWT_CLAIMS;
    return NULL;
}
