/*
 * Tokens: their form, digests, comparison; base64url in one form only.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "auth/auth.h"

#include <string.h>

TEST(tokens_are_random_and_fit_urls)
{
    static const size_t sizes[] = {16, 17, 18, 32, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *a = bide_token_make(bide_task_arena(), sizes[i]);
        const char *b = bide_token_make(bide_task_arena(), sizes[i]);
        check_int(strlen(a), (sizes[i] * 8 + 5) / 6);
        check_int(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                  strlen(a));
        check(strcmp(a, b) != 0);
    }
}

static async(void) make(size_t bytes);
SPAWNABLE(void, make, size_t)
static async(void) make(size_t bytes)
{
    check(bide_token_make(bide_task_arena(), bytes) == NULL);
    return bide_void;
}

TEST(sizes_that_tokens_do_not_have)
{
    static const size_t sizes[] = {0, 15, 1025, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bide_error *err;
        attempt(&err, make, sizes[i]);
        require(err);
        check_int(err->code, BIDE_INVALID);
    }
}

TEST(digests_are_sha256)
{
    bide_arena *arena = bide_task_arena();
    check_str(bide_token_digest(arena, "abc").text,
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_str(bide_token_digest(arena, NULL).text,
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char one[BIDE__DIGEST_BYTES], other[BIDE__DIGEST_BYTES];
    bide__auth_digest((const char *[]){"ab", "c"}, 2, one);
    bide__auth_digest((const char *[]){"a", "bc"}, 2, other);
    check(strcmp(one, other) != 0);
}

TEST_PLAIN(comparison)
{
    check(bide_token_equal("abc", "abc"));
    check(bide_token_equal("", ""));
    check(!bide_token_equal("abc", "abd"));
    check(!bide_token_equal("Xbc", "abc"));
    check(!bide_token_equal("abc", "ab"));
    check(!bide_token_equal("abc", ""));
    check(!bide_token_equal(NULL, "abc"));
    check(!bide_token_equal(NULL, NULL));
}

TEST_PLAIN(wiping)
{
    char secret[] = "secret";
    bide_wipe(secret, sizeof secret);
    check_mem(secret, "\0\0\0\0\0\0", sizeof secret);
}

TEST_PLAIN(base64url_has_one_form)
{
    static const char *const good[][2] = {{"", ""},           {"Zg", "f"},
                                          {"Zm8", "fo"},      {"Zm9v", "foo"},
                                          {"Zm9vYg", "foob"}, {"-_-_", "\xfb\xff\xbf"}};
    /* Padding, the other alphabet, blanks, stray bits, a length that none has, a NUL's place. */
    static const char *const bad[] = {"Zg==",  "Z",      "Zh",    "Zm9", "Zm8=",       "+/+/",
                                      "Zm 9v", "Zm9v\n", "Zm9vZ", "Zg.", "Zm9\xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char bytes[16], text[16];
        size_t length = strlen(good[i][1]);
        check_int(bide__base64url_decode(good[i][0], strlen(good[i][0]), bytes), length);
        check_mem(bytes, good[i][1], length);
        bide__base64url_encode(good[i][1], length, text);
        check_str(text, good[i][0]);
        check(strlen(text) < bide__base64url_room(length));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char bytes[16];
        check_int(bide__base64url_decode(bad[i], strlen(bad[i]), bytes), -1);
    }
    char bytes[16];
    check_int(bide__base64url_decode("Zm\0v", 4, bytes), -1);
}
