/*
 * code.c: codes to be typed in: making them, what is stored of them. Called by users through the
 * macros of code.h; calls code_sql.c or code_redis.c, and libsodium, which only this file knows.
 */
#include "cache/code.h"

#include "base/caps.h"
#include "base/random.h"
#include "core/graph.h"
#include "core/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#if BIDE_SODIUM

#include <sodium.h>

enum {
    SECRET_BYTES = 16,
    DIGITS_MOST = 18,
    KEY_BYTES = 32,
    HASH_BYTES = (BIDE__CODE_DIGEST - 1) / 2
};

static __attribute__((noreturn)) void invalid(const char *what)
{
    bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "codes: %s", what));
}

static int digits_of(const bide_code_rules *rules)
{
    return rules->digits ? rules->digits : BIDE_CAP_CODE_DIGITS;
}

static void check(const bide_code_rules *rules, const char *subject)
{
    int digits = digits_of(rules);
    if (sodium_init() < 0)
        invalid("libsodium cannot be used: no source of random numbers");
    if (!rules->purpose || !rules->purpose[0])
        invalid("the rules say no purpose");
    if (!rules->secret || strlen(rules->secret) < SECRET_BYTES)
        invalid("the rules need a secret of at least 16 bytes");
    if (digits < 4 || digits > DIGITS_MOST || rules->attempts < 0)
        invalid("4 to 18 digits, and no negative attempts");
    if (!subject || !subject[0])
        invalid("there is no subject");
}

/* A keyed hash of three texts, each with its NUL: they cannot run into each other. */
static void hash(const bide_code_rules *rules, const char *what, const char *subject,
                 const char *code, char ret_text[BIDE__CODE_DIGEST])
{
    const char *const parts[] = {what, rules->purpose, subject, code};
    unsigned char key[KEY_BYTES], bytes[HASH_BYTES];
    crypto_generichash_state state;
    crypto_generichash(key, sizeof key, (const unsigned char *)rules->secret, strlen(rules->secret),
                       NULL, 0);
    crypto_generichash_init(&state, key, sizeof key, sizeof bytes);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        crypto_generichash_update(&state, (const unsigned char *)parts[i], strlen(parts[i]) + 1);
    crypto_generichash_final(&state, bytes, sizeof bytes);
    sodium_bin2hex(ret_text, BIDE__CODE_DIGEST, bytes, sizeof bytes);
    sodium_memzero(key, sizeof key);
}

static struct bide__code code_of(const bide_code_rules *rules, const char *subject,
                                 const char *text)
{
    struct bide__code code = {
        .attempts = rules->attempts ? rules->attempts : BIDE_CAP_CODE_ATTEMPTS,
        .ttl = rules->ttl.ns > 0 ? rules->ttl : bide_s(BIDE_CAP_CODE_TTL_S),
        .resend = rules->resend.ns > 0 ? rules->resend : bide_s(BIDE_CAP_CODE_RESEND_S),
    };
    if (code.ttl.ns > bide_s(BIDE_CAP_CODE_TTL_MOST_S).ns)
        invalid("a time to live of at most 30 days");
    if (code.resend.ns >= code.ttl.ns)
        code.resend = code.ttl;
    hash(rules, "subject", subject, "", code.id);
    hash(rules, "code", subject, text, code.digest);
    return code;
}

bool bide__code_equal(const char *a, const char *b)
{
    return strlen(a) == BIDE__CODE_DIGEST - 1 && strlen(b) == BIDE__CODE_DIGEST - 1 &&
           sodium_memcmp(a, b, BIDE__CODE_DIGEST - 1) == 0;
}

/* Random digits, each as likely as the others: of a byte's values the first 250. */
static void make_digits(char *ret_text, int digits)
{
    for (int i = 0; i < digits;) {
        unsigned char byte;
        int code = bide__random(&byte, 1);
        if (code < 0)
            bide__raise(code, NULL);
        if (byte < 250)
            ret_text[i++] = (char)('0' + byte % 10);
    }
    ret_text[digits] = 0;
}

bide_async(str) bide__code_issue(bide_code_place place, const bide_code_rules *rules,
                                 const char *subject)
{
    check(rules, subject);
    int digits = digits_of(rules);
    bide_arena *arena = bide_task_arena();
    char *text = arena ? bide_arena_alloc(arena, (size_t)digits + 1) : NULL;
    if (!text)
        bide__raise(-ENOMEM, NULL);
    make_digits(text, digits);
    const struct bide__code code = code_of(rules, subject, text);
    bool stored = place.redis ? bide_await(bide__code_redis_issue(place.redis, &code))
                              : bide_await(bide__code_sql_issue(place, &code));
    if (!stored)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_LIMIT, "the last code for '%s' is less than %lld s old",
                                  rules->purpose, (long long)(code.resend.ns / 1000000000)));
    return bide_ready(str, text);
}

bide_async(bool) bide__code_consume(bide_code_place place, const bide_code_rules *rules,
                                    const char *subject, const char *text)
{
    check(rules, subject);
    const struct bide__code code = code_of(rules, subject, text ? text : "");
    bool good = place.redis ? bide_await(bide__code_redis_consume(place, &code))
                            : bide_await(bide__code_sql_consume(place, &code));
    return bide_ready(bool, good);
}

#else

static __attribute__((noreturn)) void missing(void)
{
    bide__fail(bide__current->at,
               bide_error_new(BIDE_INVALID, "codes: this bide was built without libsodium: install "
                                            "libsodium-dev or libsodium-devel (./dev deps more) "
                                            "and build again"));
}

bool bide__code_equal(const char *a, const char *b)
{
    (void)a, (void)b;
    return false;
}

bide_async(str) bide__code_issue(bide_code_place place, const bide_code_rules *rules,
                                 const char *subject)
{
    (void)place, (void)rules, (void)subject;
    missing();
}

bide_async(bool) bide__code_consume(bide_code_place place, const bide_code_rules *rules,
                                    const char *subject, const char *text)
{
    (void)place, (void)rules, (void)subject, (void)text;
    missing();
}

#endif
