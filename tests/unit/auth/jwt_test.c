/*
 * Signed tokens: what is issued, every way in which one can be wrong, and PyJWT in both directions.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "auth/auth.h"
#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<sodium.h>)
#include <sodium.h>
#endif

MODEL(access, "", (str, sub), (list(str), permissions, optional), (i64, level, optional),
      (str, note, optional), (json, extra, optional));
MODEL(whole, "", (str, sub), (str, iss, optional), (str, aud, optional), (str, jti), (i64, exp),
      (i64, iat), (i64, nbf));

static const char secret[] = "a secret of thirty-two bytes, ok";
static const char long_secret[] =
    "a secret of sixty-four bytes, which is what the longest one needs";
static const bide_jwt_rules rules = {.secret = secret, .issuer = "bide"};

static const access *verify(const bide_jwt_rules *with, const char *token, enum bide_jwt_why *why)
{
    return bide_jwt_verify(bide_task_arena(), with, access, token, why);
}

/* A token of these texts, signed with HMAC-SHA256 by `key`. */
static const char *forge_with(const char *key, const char *header, const char *claims)
{
    bide_arena *arena = bide_task_arena();
    char *head = bide_arena_alloc(arena, bide__base64url_room(strlen(header)));
    char *body = bide_arena_alloc(arena, bide__base64url_room(strlen(claims)));
    char signature[64];
    bide__base64url_encode(header, strlen(header), head);
    bide__base64url_encode(claims, strlen(claims), body);
    const char *text = bide_arena_printf(arena, "%s.%s", head, body);
#if __has_include(<sodium.h>)
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key, strlen(key));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, strlen(text));
    crypto_auth_hmacsha256_final(&state, mac);
    bide__base64url_encode(mac, sizeof mac, signature);
#else
    (void)key;
    test_skip("no libsodium: ./dev deps more");
#endif
    return bide_arena_printf(arena, "%s.%s", text, signature);
}

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
static const char *forge(const char *header, const char *claims)
{
    return forge_with(secret, header, claims);
}

static const char *until(int64_t seconds, const char *more)
{
    return bide_arena_printf(bide_task_arena(), "{\"sub\":\"1\",\"iss\":\"bide\",\"exp\":%lld%s}",
                             (long long)(bide_now_us() / 1000000 + seconds), more);
}

TEST(what_is_issued)
{
    enum bide_jwt_why why;
    const char *texts[] = {"posts:write", "posts:read"};
    const access claims = {.sub = "frodo \"the\" \xc3\xa4", .permissions = {texts, 2}, .level = -7};
    const char *token = bide_jwt_issue(bide_task_arena(), &rules, access, &claims);
    const access *got = verify(&rules, token, &why);
    require(got);
    check_int(why, BIDE_JWT_GOOD);
    check_str(got->sub, claims.sub);
    check_int(got->permissions.count, 2);
    check_str(got->permissions.items[1], "posts:read");
    check_int(got->level, -7);
    check(got->note == NULL);
    const whole *all = bide_jwt_verify(bide_task_arena(), &rules, whole, token, &why);
    require(all);
    int64_t now_s = bide_now_us() / 1000000;
    check_str(all->iss, "bide");
    check(all->aud == NULL);
    check_int(strlen(all->jti), 22);
    check(all->iat >= now_s - 5 && all->iat <= now_s);
    check_int(all->nbf, all->iat);
    check_int(all->exp, all->iat + 900);
    const char *next = bide_jwt_issue(bide_task_arena(), &rules, access, &claims);
    const whole *other = bide_jwt_verify(bide_task_arena(), &rules, whole, next, &why);
    require(other);
    check(strcmp(other->jti, all->jti) != 0);
}

/* The rules', not the struct's. */
TEST(registered_claims_are_not_the_users)
{
    enum bide_jwt_why why;
    const whole forged = {
        .sub = "1", .iss = "other", .aud = "x", .jti = "mine", .exp = 1, .nbf = 9};
    const bide_jwt_rules mine = {.secret = secret, .ttl = bide_s(60)};
    const char *token = bide_jwt_issue(bide_task_arena(), &mine, whole, &forged);
    const whole *got = bide_jwt_verify(bide_task_arena(), &mine, whole, token, &why);
    require(got);
    check(!got->iss && !got->aud && strcmp(got->jti, "mine") != 0);
    check_int(got->exp, got->iat + 60);
}

TEST(algorithms)
{
    const bide_jwt_rules all[] = {
        {.algorithm = BIDE_HS256, .secret = long_secret},
        {.algorithm = BIDE_HS384, .secret = long_secret},
        {.algorithm = BIDE_HS512, .secret = long_secret},
        {.algorithm = BIDE_RS256, .private_key = rsa_private, .public_key = rsa_public},
        {.algorithm = BIDE_ES256, .private_key = p256_private, .public_key = p256_public},
    };
    const access claims = {.sub = "1"};
    for (size_t i = 0; i < 5; i++) {
        const char *token = bide_jwt_issue(bide_task_arena(), &all[i], access, &claims);
        for (size_t k = 0; k < 5; k++) {
            enum bide_jwt_why why;
            check((verify(&all[k], token, &why) != NULL) == (i == k));
            check_int(why, i == k ? BIDE_JWT_GOOD : BIDE_JWT_HEADER);
        }
    }
}

static void refused(const bide_jwt_rules *with, const char *token, enum bide_jwt_why expected)
{
    enum bide_jwt_why why = BIDE_JWT_GOOD;
    const access *got = verify(with, token, &why);
    check_int(why, expected);
    if (!check(!got))
        printf("%s: %s\n", bide_jwt_reason(why), token ? token : "NULL");
}

static void taken(const bide_jwt_rules *with, const char *token)
{
    enum bide_jwt_why why;
    if (!check(verify(with, token, &why) != NULL))
        printf("%s: %s\n", bide_jwt_reason(why), token);
}

TEST(headers)
{
    static const char *const good[] = {HEADER, "{\"alg\":\"HS256\"}",
                                       "{\"typ\":\"jwt\", \"\\u0061lg\" : \"HS256\"}"};
    static const char *const bad[] = {
        "{}",
        "[]",
        "\"HS256\"",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"nOnE\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":null}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":1}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"' or 1=1 --\"}",
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
        "{\"alg\":\"HS256\",\"jku\":\"https://evil.example/keys\"}",
        "{\"alg\":\"HS256\",\"x5u\":\"https://evil.example/\"}",
        "{\"alg\":\"HS256\",\"x5c\":[\"AAAA\"]}",
        "{\"alg\":\"HS256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"HS256\",\"cty\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"enc\":\"A128GCM\"}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        taken(&rules, forge(good[i], until(60, "")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(&rules, forge(bad[i], until(60, "")), BIDE_JWT_HEADER);
}

/* `token` with the `from` of its characters changed into `to`, everywhere. */
static const char *with_character(const char *token, char from, const char *to)
{
    const char *at = strchr(token, from);
    require(at);
    return bide_arena_printf(bide_task_arena(), "%.*s%s%s", (int)(at - token), token, to, at + 1);
}

TEST(forms)
{
    bide_arena *arena = bide_task_arena();
    const char *good = forge(HEADER, until(60, ""));
    const char *first = strchr(good, '.'), *last = strrchr(good, '.');
    int head = (int)(first - good), unsigned_length = (int)(last - good);
    taken(&rules, good);
    const char *const cases[] = {
        NULL,
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "Bearer",
        bide_arena_printf(arena, "Bearer %s", good),
        bide_arena_printf(arena, " %s", good),
        bide_arena_printf(arena, "%s ", good),
        bide_arena_printf(arena, "%s\n", good),
        bide_arena_printf(arena, "%s=", good),
        bide_arena_printf(arena, "%s.", good),
        bide_arena_printf(arena, ".%s", good),
        bide_arena_printf(arena, "%s.%s", good, last + 1),
        bide_arena_printf(arena, "%.*s", unsigned_length, good),
        bide_arena_printf(arena, "%.*s.", unsigned_length, good),
        bide_arena_printf(arena, "%.*s..%s", head, good, last + 1),
        bide_arena_printf(arena, "%.*s=.%s", head, good, first + 1),
        bide_arena_printf(arena, "%.*s%s", head, good, last),
        with_character(good, '.', ".\n"),
        with_character(good, '.', " ."),
        with_character(good, '.', ".."),
        with_character(good, 'e', "\xc4\x93"),
        with_character(good, 'e', "e\r\n"),
        forge(HEADER "x", until(60, "")),
        forge(HEADER, ""),
        forge(HEADER, "foo"),
        forge(HEADER, "{\"exp\":1,}"),
        forge(HEADER, "{\"exp\":1} x"),
        forge(HEADER, "{\"exp\":01}"),
        forge(HEADER, "{\"sub\":\"\xff\"}"),
        forge("{\"alg\":\"HS256\",}", until(60, "")),
        forge("{'alg':'HS256'}", until(60, "")),
        forge("\xef\xbb\xbf" HEADER, until(60, "")),
        "eyJhbGciOiJIUzI1NiJ9.e30.A",
        "{\"payload\":\"e30\",\"signatures\":[]}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&rules, cases[i], BIDE_JWT_MALFORMED);
}

/* 32 bytes are 43 digits, whose last has two bits too many: three other digits mean the same to a
   lenient reader. */
TEST(bits_that_are_left_over)
{
    const char *good = forge(HEADER, until(60, ""));
    size_t length = strlen(good);
    int bad = 0;
    for (const char *digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
         *digit; digit++) {
        char *other = bide_arena_strdup(bide_task_arena(), good);
        enum bide_jwt_why why;
        require(other);
        other[length - 1] = *digit;
        bad += !verify(&rules, other, &why);
    }
    check_int(bad, 63);
}

TEST(sizes_and_depths)
{
    bide_arena *arena = bide_task_arena();
    char *large = bide_arena_alloc(arena, 100001), *deep = bide_arena_alloc(arena, 3001);
    require(large && deep);
    memset(large, 'a', 100000);
    large[100000] = 0;
    refused(&rules, large, BIDE_JWT_MALFORMED);
    refused(&rules, forge(HEADER, until(60, bide_arena_printf(arena, ",\"note\":\"%s\"", large))),
            BIDE_JWT_MALFORMED);
    large[5900] = 0;
    taken(&rules, forge(HEADER, until(60, bide_arena_printf(arena, ",\"note\":\"%s\"", large))));
    memset(deep, '[', 1500);
    memset(deep + 1500, ']', 1500);
    deep[3000] = 0;
    refused(&rules, forge(HEADER, until(60, bide_arena_printf(arena, ",\"extra\":%s", deep))),
            BIDE_JWT_MALFORMED);
    refused(&rules, forge(deep, until(60, "")), BIDE_JWT_MALFORMED);
}

TEST(signatures)
{
    const char *good = forge(HEADER, until(60, "")), *other = forge(HEADER, until(61, ""));
    bide_arena *arena = bide_task_arena();
    const char *signature = strrchr(good, '.') + 1;
    refused(&rules,
            bide_arena_printf(arena, "%.*s%s", (int)(strrchr(other, '.') - other), other,
                              strrchr(good, '.')),
            BIDE_JWT_SIGNATURE);
    refused(&rules, forge_with("another secret of 32 bytes at least", HEADER, until(60, "")),
            BIDE_JWT_SIGNATURE);
    refused(&rules, forge_with("", HEADER, until(60, "")), BIDE_JWT_SIGNATURE);
    for (int cut = 4; cut < 40; cut += 4)
        refused(&rules, bide_arena_printf(arena, "%.*s", (int)strlen(good) - cut + 1, good),
                BIDE_JWT_SIGNATURE);
    refused(&rules,
            bide_arena_printf(arena, "%sAAAA",
                              bide_arena_strndup(arena, good, (size_t)(signature - good) + 40)),
            BIDE_JWT_SIGNATURE);
    /* Every character of the token counts. */
    for (size_t i = 0; good[i]; i++) {
        enum bide_jwt_why why;
        char *changed = bide_arena_strdup(arena, good);
        require(changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        check(!verify(&rules, changed, &why));
    }
}

/* The public key, which everybody knows, as the secret of an HMAC. */
TEST(no_public_key_is_a_secret)
{
    const bide_jwt_rules rsa = {.algorithm = BIDE_RS256, .public_key = rsa_public};
    refused(&rsa, forge_with(rsa_public, HEADER, until(60, "")), BIDE_JWT_HEADER);
    refused(&rsa, forge_with(rsa_public, "{\"alg\":\"RS256\"}", until(60, "")), BIDE_JWT_SIGNATURE);
    const bide_jwt_rules confused = {.secret = rsa_public};
    check_str(bide_jwt_rules_error(&confused), "the secret is a key of another algorithm");
}

TEST(claims)
{
    static const struct {
        const char *more;
        enum bide_jwt_why why;
    } cases[] = {
        {"", BIDE_JWT_GOOD},
        {",\"nbf\":1,\"iat\":1.5,\"level\":3,\"unknown\":{\"a\":[]}", BIDE_JWT_GOOD},
        {",\"exp\":99999999999", BIDE_JWT_CLAIMS},
        {",\"sub\":\"2\"", BIDE_JWT_CLAIMS},
        {",\"s\\u0075b\":\"2\"", BIDE_JWT_CLAIMS},
        {",\"unknown\":1,\"unknown\":2", BIDE_JWT_CLAIMS},
        {",\"unkn\\u006fwn\":1,\"unknown\":2", BIDE_JWT_CLAIMS},
        {",\"level\":\"3\"", BIDE_JWT_CLAIMS},
        {",\"level\":99999999999999999999", BIDE_JWT_SIGNATURE},
        {",\"permissions\":\"all\"", BIDE_JWT_CLAIMS},
        {",\"nbf\":\"1\"", BIDE_JWT_CLAIMS},
        {",\"nbf\":true", BIDE_JWT_CLAIMS},
        {",\"iat\":{}", BIDE_JWT_CLAIMS},
        {",\"nbf\":99999999999", BIDE_JWT_EARLY},
        {",\"nbf\":1e300", BIDE_JWT_EARLY},
        {",\"iat\":99999999999", BIDE_JWT_EARLY},
        {",\"aud\":\"anybody\"", BIDE_JWT_AUDIENCE},
        {",\"aud\":[]", BIDE_JWT_AUDIENCE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *token = forge(HEADER, until(60, cases[i].more));
        if (cases[i].why == BIDE_JWT_GOOD)
            taken(&rules, token);
        else
            refused(&rules, token, cases[i].why);
    }
    static const struct {
        const char *claims;
        enum bide_jwt_why why;
    } whole_ones[] = {
        {"{}", BIDE_JWT_CLAIMS},
        {"[]", BIDE_JWT_CLAIMS},
        {"null", BIDE_JWT_SIGNATURE},
        {"{\"sub\":\"1\",\"iss\":\"bide\"}", BIDE_JWT_CLAIMS},
        {"{\"sub\":\"1\",\"iss\":\"bide\",\"exp\":null}", BIDE_JWT_CLAIMS},
        {"{\"sub\":\"1\",\"iss\":\"bide\",\"exp\":\"99999999999\"}", BIDE_JWT_CLAIMS},
        {"{\"sub\":\"1\",\"iss\":\"bide\",\"exp\":true}", BIDE_JWT_CLAIMS},
        {"{\"sub\":\"1\",\"iss\":\"bide\",\"exp\":0}", BIDE_JWT_EXPIRED},
        {"{\"sub\":\"1\",\"iss\":\"bide\",\"exp\":-1}", BIDE_JWT_EXPIRED},
        {"{\"sub\":\"1\",\"iss\":\"bide\",\"exp\":-1e300}", BIDE_JWT_EXPIRED},
        {"{\"iss\":\"bide\",\"exp\":99999999999}", BIDE_JWT_CLAIMS},
        {"{\"sub\":1,\"iss\":\"bide\",\"exp\":99999999999}", BIDE_JWT_CLAIMS},
        {"{\"sub\":\"1\",\"exp\":99999999999}", BIDE_JWT_ISSUER},
        {"{\"sub\":\"1\",\"iss\":\"Bide\",\"exp\":99999999999}", BIDE_JWT_ISSUER},
        {"{\"sub\":\"1\",\"iss\":\"bide2\",\"exp\":99999999999}", BIDE_JWT_ISSUER},
        {"{\"sub\":\"1\",\"iss\":[\"bide\"],\"exp\":99999999999}", BIDE_JWT_CLAIMS},
    };
    for (size_t i = 0; i < sizeof whole_ones / sizeof *whole_ones; i++)
        refused(&rules, forge(HEADER, whole_ones[i].claims), whole_ones[i].why);
}

TEST(audiences)
{
    const bide_jwt_rules web = {.secret = secret, .issuer = "bide", .audience = "web"};
    static const char *const good[] = {",\"aud\":\"web\"", ",\"aud\":[\"app\",\"web\"]",
                                       ",\"aud\":[\"web\"]"};
    static const char *const bad[] = {
        "",
        ",\"aud\":null",
        ",\"aud\":\"webs\"",
        ",\"aud\":\"\"",
        ",\"aud\":[]",
        ",\"aud\":[\"app\"]",
        ",\"aud\":[[\"web\"]]",
        ",\"aud\":[\"web\",1]",
        ",\"aud\":{\"web\":1}",
        ",\"aud\":1",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        taken(&web, forge(HEADER, until(60, good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(&web, forge(HEADER, until(60, bad[i])), BIDE_JWT_AUDIENCE);
    const access claims = {.sub = "1"};
    const char *token = bide_jwt_issue(bide_task_arena(), &web, access, &claims);
    taken(&web, token);
    refused(&rules, token, BIDE_JWT_AUDIENCE);
}

TEST(instants)
{
    const bide_jwt_rules lenient = {.secret = secret, .issuer = "bide", .leeway = bide_s(30)};
    refused(&rules, forge(HEADER, until(0, "")), BIDE_JWT_EXPIRED);
    refused(&rules, forge(HEADER, until(-5, "")), BIDE_JWT_EXPIRED);
    taken(&lenient, forge(HEADER, until(-5, "")));
    refused(&lenient, forge(HEADER, until(-31, "")), BIDE_JWT_EXPIRED);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "iat" : "nbf";
        const char *soon = bide_arena_printf(bide_task_arena(), ",\"%s\":%lld", name,
                                             (long long)(bide_now_us() / 1000000 + 20));
        refused(&rules, forge(HEADER, until(60, soon)), BIDE_JWT_EARLY);
        taken(&lenient, forge(HEADER, until(60, soon)));
    }
}

static async(void) issue_with(const bide_jwt_rules *with);
typedef const bide_jwt_rules *rules_ptr;
SPAWNABLE(void, issue_with, rules_ptr)
static async(void) issue_with(const bide_jwt_rules *with)
{
    const access claims = {.sub = "1"};
    check(bide_jwt_issue(bide_task_arena(), with, access, &claims) == NULL);
    return bide_void;
}

static async(void) verify_with(const bide_jwt_rules *with);
SPAWNABLE(void, verify_with, rules_ptr)
static async(void) verify_with(const bide_jwt_rules *with)
{
    enum bide_jwt_why why;
    check(verify(with, forge(HEADER, until(60, "")), &why) == NULL);
    check(false);
    return bide_void;
}

TEST(rules_that_make_no_sense)
{
    const struct {
        bide_jwt_rules rules;
        const char *error; /* NULL: one direction only */
        bool issues, verifies;
    } cases[] = {
        {{.secret = NULL}, "no secret", false, false},
        {{.secret = ""}, "at least 32 bytes", false, false},
        {{.secret = "a secret of thirty-one bytes, o"}, "at least 32 bytes", false, false},
        {{.algorithm = BIDE_HS384, .secret = secret}, "at least 48 bytes", false, false},
        {{.algorithm = BIDE_HS512, .secret = secret}, "at least 64 bytes", false, false},
        {{.algorithm = (enum bide_jwt_algorithm)99, .secret = secret}, "algorithm", false, false},
        {{.algorithm = BIDE_RS256, .secret = long_secret}, "no key", false, false},
        {{.secret = secret, .ttl = {-1000000000}}, "ttl", false, false},
        {{.secret = secret, .ttl = bide_ms(999)}, "ttl", false, false},
        {{.secret = secret, .leeway = bide_s(301)}, "leeway", false, false},
        {{.secret = secret, .leeway = {-1}}, "leeway", false, false},
        {{.algorithm = BIDE_RS256, .public_key = rsa_public}, NULL, false, true},
        {{.algorithm = BIDE_RS256, .private_key = rsa_private}, NULL, true, false},
        {{.algorithm = BIDE_RS256, .private_key = "x"}, NULL, false, false},
        {{.algorithm = BIDE_RS256, .private_key = p256_private}, NULL, false, false},
        {{.algorithm = BIDE_RS256, .private_key = small_rsa_private}, NULL, false, false},
        {{.algorithm = BIDE_ES256, .private_key = rsa_private}, NULL, false, false},
        {{.algorithm = BIDE_ES256, .private_key = p384_private}, NULL, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bide_error *err;
        const char *error = bide_jwt_rules_error(&cases[i].rules);
        check((error != NULL) == (cases[i].error != NULL));
        if (cases[i].error)
            check_contains(error, cases[i].error);
        if (!cases[i].issues) {
            attempt(&err, issue_with, &cases[i].rules);
            if (check(err != NULL))
                check_int(err->code, BIDE_INVALID);
        }
        if (!cases[i].verifies && !cases[i].rules.public_key) {
            attempt(&err, verify_with, &cases[i].rules);
            if (check(err != NULL))
                check_int(err->code, BIDE_INVALID);
        }
    }
    check(bide_jwt_rules_error(&rules) == NULL);
}

static async(void) issue_large(size_t length);
SPAWNABLE(void, issue_large, size_t)
static async(void) issue_large(size_t length)
{
    static char note[100001];
    memset(note, 'x', length);
    note[length] = 0;
    const access claims = {.sub = "1", .note = note};
    const char *token = bide_jwt_issue(NULL, &rules, access, &claims);
    enum bide_jwt_why why;
    check(bide_jwt_verify(NULL, &rules, access, token, &why) != NULL);
    return bide_void;
}

TEST(claims_that_are_too_long)
{
    static const size_t lengths[] = {6000, 7000, 100000};
    await(issue_large(5000));
    for (size_t i = 0; i < 3; i++) {
        bide_error *err;
        attempt(&err, issue_large, lengths[i]);
        require(err);
        check_int(err->code, BIDE_INVALID);
    }
}

TEST(every_allocation_fails_once, .fail_allocations = true)
{
    bide_error *err;
    attempt(&err, issue_large, 2000);
    if (err)
        check_int(err->code, BIDE_NO_MEMORY);
}

TEST_PLAIN(reasons)
{
    for (int why = BIDE_JWT_GOOD; why <= BIDE_JWT_AUDIENCE; why++)
        check(strlen(bide_jwt_reason((enum bide_jwt_why)why)) > 5);
    check_str(bide_jwt_reason((enum bide_jwt_why)99), "no such reason");
}

/* ---- wycheproof: JOSE tokens of other uses, none of which is a token of ours ---- */

TEST(no_token_of_the_corpus_is_taken)
{
    const char *folder = getenv("BIDE_CORPORA");
    static char line[65536];
    char path[512];
    int seen = 0;
    const bide_jwt_rules with[] = {
        {.secret = secret},
        {.algorithm = BIDE_RS256, .public_key = rsa_public},
        {.algorithm = BIDE_ES256, .public_key = p256_public},
    };
    snprintf(path, sizeof path, "%s/jose/json_web_crypto_test.json",
             folder ? folder : "../shared/corpora");
    FILE *file = fopen(path, "r");
    if (!file)
        test_skip("no corpora");
    while (fgets(line, sizeof line, file)) {
        char *begin = strstr(line, "\"jws\""), *end;
        if (!begin || !(begin = strchr(begin + 5, '"')) || !(end = strchr(begin + 1, '"')))
            continue;
        *end = 0;
        seen++;
        for (size_t i = 0; i < 3; i++) {
            enum bide_jwt_why why;
            check(!verify(&with[i], begin + 1, &why));
        }
    }
    fclose(file);
    check(seen > 40);
}

/* ---- PyJWT ---- */

enum { WITH_PYTHON = 5 };
static const char *const names[WITH_PYTHON] = {"HS256", "HS384", "HS512", "RS256", "ES256"};

static bide_jwt_rules rules_of(size_t i)
{
    return (bide_jwt_rules){
        .algorithm = (enum bide_jwt_algorithm)i,
        .secret = i < 3 ? long_secret : NULL,
        .private_key = i == 3 ? rsa_private : p256_private,
        .public_key = i == 3 ? rsa_public : p256_public,
        .issuer = "bide",
        .audience = "web",
    };
}

/* Runs a script that says `one(name, argument)`, for each algorithm; gives what it prints of each,
   "-" where this PyJWT lacks it. The keys are in the environment. */
static void run_python(const char *one, const char *const arguments[WITH_PYTHON],
                       const char *ret_lines[WITH_PYTHON])
{
    static char lines[WITH_PYTHON][8192];
    bide_arena *arena = bide_task_arena();
    const char *script = bide_arena_printf(
        arena,
        "import os,sys\n"
        "try: import jwt\n"
        "except ImportError: sys.exit(9)\n"
        "import datetime, json\n"
        "%s\n"
        "for i, name in enumerate([\"HS256\", \"HS384\", \"HS512\", \"RS256\", \"ES256\"]):\n"
        "    try: print(one(name, sys.argv[i + 1]))\n"
        "    except NotImplementedError: print(\"-\")\n",
        one);
    require(script);
    setenv("BIDE_TEST_SCRIPT", script, 1);
    const char *command = bide_arena_printf(
        arena,
        "run() { \"$1\" -c \"$BIDE_TEST_SCRIPT\" %s %s %s %s %s; };"
        "run /usr/bin/python3; s=$?; [ $s = 9 ] || [ $s = 127 ] || exit $s; run python3",
        arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
    require(command);
    FILE *pipe = popen(command, "r");
    require(pipe);
    for (size_t i = 0; i < WITH_PYTHON; i++) {
        if (!fgets(lines[i], sizeof lines[i], pipe))
            lines[i][0] = 0;
        lines[i][strcspn(lines[i], "\n")] = 0;
        ret_lines[i] = lines[i];
    }
    int status = pclose(pipe);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 127))
        test_skip("no PyJWT: ./dev deps test");
    require(status == 0);
}

TEST(pyjwt_reads_ours, .real_clock = true, .timeout_ms = 30000)
{
    const char *texts[] = {"posts:write"}, *tokens[WITH_PYTHON], *lines[WITH_PYTHON];
    const access claims = {.sub = "7",
                           .permissions = {texts, 1},
                           .level = INT64_MAX,
                           .note = "\xf0\x9f\x90\xb4\"\\\x7f"};
    for (size_t i = 0; i < WITH_PYTHON; i++) {
        const bide_jwt_rules r = rules_of(i);
        tokens[i] = bide_jwt_issue(NULL, &r, access, &claims);
    }
    setenv("SECRET", long_secret, 1);
    setenv("RS256", rsa_public, 1);
    setenv("ES256", p256_public, 1);
    run_python("def one(name, token):\n"
               "    c = jwt.decode(token, os.environ.get(name, os.environ[\"SECRET\"]),\n"
               "                   algorithms=[name], issuer=\"bide\", audience=\"web\",\n"
               "                   options={\"require\": [\"exp\", \"iat\", \"nbf\", \"iss\",\n"
               "                                          \"aud\", \"jti\", \"sub\"]})\n"
               "    return [jwt.get_unverified_header(token)[\"typ\"], c[\"exp\"] - c[\"iat\"],\n"
               "            c[\"sub\"], c[\"permissions\"], c[\"level\"], ascii(c[\"note\"])]",
               tokens, lines);
    for (size_t i = 0; i < WITH_PYTHON; i++)
        if (i < 3 || strcmp(lines[i], "-") != 0)
            check_str(lines[i], "['JWT', 900, '7', ['posts:write'], 9223372036854775807, "
                                "'\\'\\\\U0001f434\"\\\\\\\\\\\\x7f\\'']");
}

TEST(ours_reads_pyjwt, .real_clock = true, .timeout_ms = 30000)
{
    const char *lines[WITH_PYTHON];
    setenv("SECRET", long_secret, 1);
    setenv("RS256", rsa_private, 1);
    setenv("ES256", p256_private, 1);
    run_python("n = datetime.datetime.now(datetime.timezone.utc)\n"
               "claims = {\"sub\": \"7\", \"exp\": n + datetime.timedelta(minutes=5), \"iat\": n,\n"
               "          \"nbf\": n, \"iss\": \"bide\", \"aud\": [\"web\", \"app\"],\n"
               "          \"permissions\": [\"posts:write\"], \"level\": 9223372036854775807,\n"
               "          \"note\": \"\\u00e4 \\U0001f434\"}\n"
               "def one(name, unused):\n"
               "    return jwt.encode(claims, os.environ.get(name, os.environ[\"SECRET\"]),\n"
               "                      algorithm=name)",
               names, lines);
    for (size_t i = 0; i < WITH_PYTHON; i++) {
        const bide_jwt_rules r = rules_of(i);
        enum bide_jwt_why why;
        if (i >= 3 && strcmp(lines[i], "-") == 0)
            continue;
        const access *got = verify(&r, lines[i], &why);
        check_int(why, BIDE_JWT_GOOD);
        require(got);
        check_str(got->sub, "7");
        check_int(got->permissions.count, 1);
        check_int(got->level, INT64_MAX);
        check_str(got->note, "\xc3\xa4 \xf0\x9f\x90\xb4");
        refused(&rules, lines[i], i == 0 ? BIDE_JWT_SIGNATURE : BIDE_JWT_HEADER);
    }
}
