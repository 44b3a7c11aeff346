/*
 * password.c: hashes of passwords (include/bide/password.h). Called by users; calls the cpu lane
 * (bide/offload.h), libsodium for argon2id, libcrypt for bcrypt.
 *
 *   the task: copies the password into its frame -> waits for a turn -> offload -> wipes the copy
 *   the lane:                                                           work()
 */
#include "auth/auth.h"
#include "auth/password_form.h"
#include "auth/turns.h"

#include "base/caps.h"
#include "base/mem.h"
#include "core/error.h"
#include "core/graph.h"

#include <bide/metrics.h>
#include <bide/offload.h>
#include <bide/password.h>
#include <bide/token.h>

#include <errno.h>
#include <string.h>

enum { HASH_BYTES = 128, MEMORY_LEAST_BYTES = 8192 };

/* What a lane does, in the frame of the task that waits for it. */
struct job {
    enum { MAKE, VERIFY } what;
    enum bide__password_kind kind; /* of `hash`, with VERIFY */
    const char *hash;
    char made[HASH_BYTES]; /* with MAKE */
    bool right;            /* with VERIFY */
    int error;             /* 0 or a negative errno */
    size_t length;
    char password[BIDE_CAP_PASSWORD_BYTES + 1];
};
typedef struct job *job_ptr;

static bide_password_options now;

/* Zeros of `now` are the defaults. */
static size_t memory_now(void)
{
    return now.memory_bytes ? now.memory_bytes : BIDE_CAP_PASSWORD_MEMORY_BYTES;
}

static size_t passes_now(void)
{
    return now.passes ? (size_t)now.passes : BIDE_CAP_PASSWORD_PASSES;
}

int bide_password_setup(const bide_password_options *options)
{
    const bide_password_options chosen = options ? *options : (bide_password_options){0, 0, 0};
    size_t memory = chosen.memory_bytes;
    if ((memory != 0 && (memory < MEMORY_LEAST_BYTES || memory % 1024 != 0 ||
                         memory > BIDE_CAP_PASSWORD_MEMORY_MOST_BYTES)) ||
        chosen.passes < 0 || chosen.passes > BIDE_CAP_PASSWORD_PASSES_MOST || chosen.at_once < 0)
        return -EINVAL;
    now = chosen;
    return 0;
}

bool bide_password_stale(bide_hash hash)
{
    struct bide__password_form form = bide__password_form(hash.text);
    return form.kind != BIDE__PASSWORD_ARGON2ID || form.memory_bytes < memory_now() ||
           form.passes < passes_now();
}

#if BIDE_SODIUM

#include <sodium.h>

#if BIDE_CRYPT

#include <crypt.h>

/* Not crypt_r, which sanitizers replace by one that finds no libcrypt. */
static void verify_bcrypt(struct job *job)
{
    struct crypt_data *data = bide__calloc(1, sizeof *data);
    if (!data) {
        job->error = -ENOMEM;
        return;
    }
    const char *text = crypt_rn(job->password, job->hash, data, (int)sizeof *data);
    size_t length = strlen(job->hash);
    job->right = text && strlen(text) == length && sodium_memcmp(text, job->hash, length) == 0;
    bide_wipe(data, sizeof *data);
    bide__free(data);
}

#else

static void verify_bcrypt(struct job *job)
{
    job->error = -ENOSYS;
}

#endif

BIDE_COUNTER(bide_password_hashes_total, "hashes of passwords that were computed, of all kinds");

/* The cost of a hash of now, for nothing. */
static void spend(struct job *job)
{
    static const unsigned char salt[crypto_pwhash_argon2id_SALTBYTES];
    unsigned char spent[32];
    if (crypto_pwhash_argon2id(spent, sizeof spent, job->password, job->length, salt, passes_now(),
                               memory_now(), crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        job->error = -ENOMEM;
}

/* libsodium says by errno whether it computed: EINVAL is another password, 0 a damaged hash. */
static void verify_argon2id(struct job *job)
{
    errno = 0;
    job->right = crypto_pwhash_argon2id_str_verify(job->hash, job->password, job->length) == 0;
    if (!job->right && errno == ENOMEM)
        job->error = -ENOMEM;
    else if (!job->right && errno != EINVAL)
        spend(job);
}

static void make(struct job *job)
{
    if (crypto_pwhash_str_alg(job->made, job->password, job->length, passes_now(), memory_now(),
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        job->error = -ENOMEM;
}

static void work(job_ptr job);
OFFLOADABLE(void, work, job_ptr)
static void work(job_ptr job)
{
    bide_counter_add(&bide_password_hashes_total, 1);
    if (job->what == MAKE)
        make(job);
    else if (job->kind == BIDE__PASSWORD_ARGON2ID)
        verify_argon2id(job);
    else if (job->kind == BIDE__PASSWORD_BCRYPT)
        verify_bcrypt(job);
    else
        spend(job);
}

static void wipe(void *job)
{
    bide_wipe(job, sizeof(struct job));
}

/* Whether the password has a length that passwords have; else the copy is empty. */
static bool copy(struct job *job, bide_plain_pw password)
{
    size_t length = password.text ? strnlen(password.text, BIDE_CAP_PASSWORD_BYTES + 1) : 0;
    bool fits = length > 0 && length <= BIDE_CAP_PASSWORD_BYTES;
    job->length = fits ? length : 0;
    if (fits)
        memcpy(job->password, password.text, length);
    job->password[job->length] = 0;
    return fits;
}

static struct bide__turns turns = BIDE__TURNS(turns);

static size_t at_once_now(void)
{
    size_t threads = bide_offload_threads(BIDE_CPU);
    if (now.at_once)
        return (size_t)now.at_once;
    return threads < BIDE_CAP_PASSWORD_AT_ONCE ? threads : BIDE_CAP_PASSWORD_AT_ONCE;
}

static bide_async(void) run(struct job *job)
{
    struct bide__turn turn = {.turns = NULL};
    if (sodium_init() < 0)
        bide__auth_invalid("passwords", "libsodium cannot be used: no source of random numbers");
    bide_defer(bide__turn_give, &turn);
    bide__turn_take(&turn, &turns, at_once_now(), BIDE_CAP_PASSWORD_WAITING, "hash a password");
    bide_await(bide_offload(BIDE_CPU, work, job));
    if (job->error == -ENOSYS)
        bide__auth_missing("passwords", "libcrypt", "libcrypt-dev", "libxcrypt-devel");
    if (job->error)
        bide__raise(job->error, NULL);
    return bide_void;
}

bide_async(bide_hash) bide_password_hash(bide_plain_pw password)
{
    struct job job = {.what = MAKE};
    bide_defer(wipe, &job);
    if (!copy(&job, password))
        bide__auth_invalid("passwords", "one has 1 to %d bytes", BIDE_CAP_PASSWORD_BYTES);
    bide_await(run(&job));
    size_t size = strlen(job.made) + 1;
    char *text = bide__auth_alloc(NULL, size);
    memcpy(text, job.made, size);
    return bide_ready(bide_hash, (bide_hash){text});
}

bide_async(bool) bide_password_verify(bide_plain_pw password, bide_hash hash)
{
    enum { BCRYPT_PASSWORD_BYTES = 72 };
    struct job job = {.what = VERIFY, .hash = hash.text};
    bide_defer(wipe, &job);
    job.kind = bide__password_form(hash.text).kind;
    if (!copy(&job, password) ||
        (job.kind == BIDE__PASSWORD_BCRYPT && job.length > BCRYPT_PASSWORD_BYTES))
        job.kind = BIDE__PASSWORD_NONE;
    bide_await(run(&job));
    bool right = job.right;
    return bide_ready(bool, right);
}

#else

static __attribute__((noreturn)) void missing(void)
{
    bide__auth_missing("passwords", "libsodium", "libsodium-dev", "libsodium-devel");
}

bide_async(bide_hash) bide_password_hash(bide_plain_pw password)
{
    (void)password;
    missing();
}

bide_async(bool) bide_password_verify(bide_plain_pw password, bide_hash hash)
{
    (void)password, (void)hash;
    missing();
}

#endif
