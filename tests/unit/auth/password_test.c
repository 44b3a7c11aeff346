/*
 * Passwords: hashes made here and elsewhere, what is refused and what that costs, cancels, wiping.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "auth/password_form.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Cheap ones, for the tests that are not about the cost. */
static void cheaply(void)
{
    check_int(bide_password_setup(&(bide_password_options){.memory_bytes = 8192, .passes = 1}), 0);
}

static bide_plain_pw pw(const char *text)
{
    return (bide_plain_pw){text};
}

static bide_hash of(const char *text)
{
    return (bide_hash){text};
}

TEST(made_and_verified)
{
    bide_hash hash = await(bide_password_hash(pw("correct horse")));
    check_int(strncmp(hash.text, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
    check(await(bide_password_verify(pw("correct horse"), hash)));
    check(!await(bide_password_verify(pw("correct horsf"), hash)));
    check(!await(bide_password_verify(pw("correct hors"), hash)));
    check(!bide_password_stale(hash));
    bide_hash again = await(bide_password_hash(pw("correct horse")));
    check(strcmp(hash.text, again.text) != 0);
}

/* Of phc-winner-argon2's tests and of crypt_blowfish's, and of Python's bcrypt. */
static const char *const known[][2] = {
    {"password",
     "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
    {"password",
     "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
    {"password",
     "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
    {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
    {"U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
    {"U*U*U", "$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
    {"\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},
};

TEST(known_hashes)
{
    cheaply();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char other[32];
        snprintf(other, sizeof other, "%s!", known[i][0]);
        if (!check(await(bide_password_verify(pw(known[i][0]), of(known[i][1])))))
            printf("%s\n", known[i][1]);
        check(!await(bide_password_verify(pw(other), of(known[i][1]))));
        check(!await(bide_password_verify(pw(""), of(known[i][1]))));
    }
}

TEST(what_is_stale)
{
    check_int(bide_password_setup(&(bide_password_options){.memory_bytes = 1 << 20, .passes = 3}),
              0);
    static const struct {
        const char *hash;
        bool stale;
    } cases[] = {
        {"$argon2id$v=19$m=1024,t=3,p=1$c29tZXNhbHQ$x", false},
        {"$argon2id$v=19$m=2048,t=4,p=2$c29tZXNhbHQ$x", false},
        {"$argon2id$v=19$m=1023,t=3,p=1$c29tZXNhbHQ$x", true},
        {"$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$x", true},
        {"$argon2id$v=16$m=1024,t=3,p=1$c29tZXNhbHQ$x", true},
        {"$argon2i$v=19$m=1024,t=3,p=1$c29tZXNhbHQ$x", true},
        {"$2b$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true},
        {"", true},
        {NULL, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_int(bide_password_stale(of(cases[i].hash)), cases[i].stale);
    bide_hash hash = await(bide_password_hash(pw("x")));
    check_int(strncmp(hash.text, "$argon2id$v=19$m=1024,t=3,p=1$", 30), 0);
    check(!bide_password_stale(hash));
}

TEST_PLAIN(options_that_make_no_sense)
{
    static const bide_password_options cases[] = {
        {.memory_bytes = 8191}, {.memory_bytes = 8193}, {.memory_bytes = (size_t)2 << 30},
        {.passes = -1},         {.passes = 65},         {.at_once = -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_int(bide_password_setup(&cases[i]), -EINVAL);
    check_int(bide_password_setup(NULL), 0);
}

/* None of them is a hash of anything, and none is an error. */
static const char *const damaged[] = {
    "",
    "x",
    "$",
    "$2",
    "$2b$",
    "*0",
    "*1",
    "plain text",
    "$1$saltsalt$xxxxxxxxxxxxxxxxxxxxxx",
    "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e",
    "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "$2b$0a$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
    "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO:W",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
    "$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4$",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/!",
    "$argon2id$v=19$m=256,t=2,p=1 $c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=0256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=256,t=2,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=-256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=256,t=99999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
};

TEST(damaged_hashes)
{
    cheaply();
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        check(!await(bide_password_verify(pw("password"), of(damaged[i]))));
        check(!await(bide_password_verify(pw(damaged[i]), of(damaged[i]))));
        check(bide_password_stale(of(damaged[i])) ||
              bide__password_form(damaged[i]).kind == BIDE__PASSWORD_ARGON2ID);
    }
}

static char *filled(size_t length)
{
    char *text = bide_arena_alloc(bide_task_arena(), length + 1);
    require(text);
    memset(text, 'a', length);
    text[length] = 0;
    return text;
}

TEST(lengths)
{
    cheaply();
    char *longest = filled(1024), *longer = filled(1025);
    bide_hash hash = await(bide_password_hash(pw(longest)));
    check(await(bide_password_verify(pw(longest), hash)));
    check(!await(bide_password_verify(pw(longer), hash)));
    check(!await(bide_password_verify(pw(NULL), hash)));
    check(!await(bide_password_verify(pw(""), of(NULL))));
    static const char *const none[] = {"", NULL};
    const char *cases[] = {none[0], none[1], longer};
    for (size_t i = 0; i < 3; i++) {
        bide_error *err;
        attempt(&err, bide_password_hash, pw(cases[i]));
        require(err);
        check_int(err->code, BIDE_INVALID);
    }
}

/* The hash is of 72 times `a`, by Python's bcrypt 3.2: what is behind them counts for nothing
   there, and must not be let in here. */
TEST(bcrypt_sees_72_bytes)
{
    static const char hash[] = "$2b$04$gypSxmwgfUEG3I8jVDy2yeSn92XquMKN1m/ck6JV.zHYbN4tC4cg6";
    cheaply();
    check(await(bide_password_verify(pw(filled(72)), of(hash))));
    check(!await(bide_password_verify(pw(filled(71)), of(hash))));
    check(!await(bide_password_verify(pw(filled(73)), of(hash))));
    check(!await(bide_password_verify(pw(filled(1025)), of(hash))));
}

static int64_t processor_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

/* What a verification costs of all processors, so that a busy machine changes little; the least of
   some. */
static async(int64_t) cost_of(bide_plain_pw password, bide_hash hash)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t begin = processor_ns();
        check(!await(bide_password_verify(password, hash)));
        int64_t took = processor_ns() - begin;
        least = took < least ? took : least;
    }
    return ready(int64_t, least);
}

TEST(nobody_costs_what_somebody_costs, .real_clock = true, .timeout_ms = 60000)
{
    bide_hash hash = await(bide_password_hash(pw("password")));
    int64_t wrong = await(cost_of(pw("passwort"), hash));
    const struct {
        const char *password, *hash;
    } cases[] = {
        {"password", NULL}, {"password", damaged[1]},  {"password", damaged[17]},
        {"", hash.text},    {filled(2000), hash.text}, {filled(73), known[3][1]},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t cost = await(cost_of(pw(cases[i].password), of(cases[i].hash)));
        if (!check(cost > wrong / 3 && cost < wrong * 3))
            printf("case %zu: %lld us, a wrong password %lld us\n", i, (long long)cost / 1000,
                   (long long)wrong / 1000);
    }
}

static async(void) verify_some(void);
SPAWNABLE(void, verify_some)
static async(void) verify_some(void)
{
    check(await(bide_password_verify(pw(known[0][0]), of(known[0][1]))));
    check(await(bide_password_verify(pw(known[3][0]), of(known[3][1]))));
    bide_hash hash = await(bide_password_hash(pw("x")));
    check(await(bide_password_verify(pw("x"), hash)));
    return bide_void;
}

TEST(a_cancel_at_every_await, .cancel_everywhere = true, .real_clock = true)
{
    check_int(bide_password_setup(
                  &(bide_password_options){.memory_bytes = 8192, .passes = 1, .at_once = 1}),
              0);
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, verify_some);
}

TEST(every_allocation_fails_once, .fail_allocations = true, .real_clock = true)
{
    cheaply();
    bide_error *err;
    attempt(&err, verify_some);
    if (err)
        check(err->code == BIDE_NO_MEMORY || err->code == BIDE_LIMIT);
}

static async(void) turn(int *turns);
SPAWNABLE(void, turn, int *)
static async(void) turn(int *turns)
{
    for (;; (*turns)++)
        await(bide_sleep(bide_ms(1)));
    return bide_void;
}

TEST(the_loop_goes_on, .real_clock = true)
{
    int turns = 0;
    bool right = false;
    with_group(g) {
        spawn_void(g, turn, &turns);
        for (int i = 0; i < 8; i++)
            right |= await(bide_password_verify(pw("x"), of(NULL)));
        bide_group_cancel(g, "test");
    }
    check(!right);
    check(turns > 8);
}

/* Whether a text is in the memory around here. */
static bool on_this_stack(const char *text)
{
    static char page[4096];
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)4095;
    bool found = false;
    require(memory >= 0);
    for (uintptr_t at = here - 131072; at < here + 8192; at += sizeof page)
        if (pread(memory, page, sizeof page, (off_t)at) == (ssize_t)sizeof page)
            found |= memmem(page, sizeof page, text, strlen(text)) != NULL;
    close(memory);
    return found;
}

TEST(nothing_is_left)
{
    cheaply();
    char *password =
        bide_arena_printf(bide_task_arena(), "%s-%d-of-this-test", "unlikely", getpid());
    require(password);
    {
        char copy[128];
        snprintf(copy, sizeof copy, "%s", password);
        if (!on_this_stack(password))
            test_skip("locals are elsewhere: a sanitizer keeps them");
        bide_wipe(copy, sizeof copy);
    }
    check(!on_this_stack(password));
    bide_hash hash = await(bide_password_hash(pw(password)));
    check(await(bide_password_verify(pw(password), hash)));
    check(!on_this_stack(password));
}
