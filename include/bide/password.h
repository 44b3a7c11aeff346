/*
 * password.h: passwords as hashes.
 *
 *     user u = {.email = form->email, .password = await(bide_password_hash(form->password))};
 *
 *     user *u = await(bide_maybe(db, user, "email = $1", form->email));
 *     if (!await(bide_password_verify(form->password, u ? u->password : (bide_hash){NULL})))
 *         fail(http_error(400, "wrong e-mail or password"));
 *     if (bide_password_stale(u->password)) {
 *         u->password = await(bide_password_hash(form->password));
 *         await(bide_update(db, user, u, password));
 *     }
 *
 * New hashes are argon2id, as PHC strings: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. Verified are
 * argon2id and, of older systems, bcrypt (`$2a$`, `$2b$`, `$2y$`), which is stale always.
 *
 * Invariants
 *  1. A hash is made and verified on the cpu lane (offload.h): the loop goes on meanwhile.
 *  2. At most options.at_once of them run at a time in the process, each with options.memory_bytes,
 *     or with what the hash that it verifies was made with; the others wait, first come, first
 *     served, up to BIDE_CAP_PASSWORD_WAITING (1024): BIDE_LIMIT then.
 *  3. No hash (NULL: there is no such user), a damaged one, and a password that cannot be right
 *     cost what an argon2id hash of now costs, and give false: an unknown user takes the time of a
 *     wrong password. A hash of other parameters, or bcrypt, takes the time of its own: until it is
 *     made anew (bide_password_stale), who measures can tell that there is such a user.
 *  4. The password is copied, and the copy wiped on every way out. Cancelled, both functions return
 *     when nothing of it runs any more.
 *
 * A password has 1 to BIDE_CAP_PASSWORD_BYTES (1024) bytes. bcrypt looks at the first 72 only: a
 * longer one is never right there, since the next hash would be of what nobody checked. Hashes that
 * cost more than 1 GiB, 64 passes, or a bcrypt cost of 16 are taken for damaged.
 *
 * Needs libsodium at build, bcrypt also libcrypt; without them these functions raise BIDE_INVALID
 * and say so.
 * Source: RFC 9106 (argon2), the OWASP Password Storage Cheat Sheet (the parameters), crypt(5).
 *
 * layer: auth
 */
#ifndef BIDE_PASSWORD_H
#define BIDE_PASSWORD_H

#include <bide/task.h>
#include <bide/value.h>

/* What new hashes cost, of the whole process. Zero means the default for each field. */
typedef struct bide_password_options {
    size_t memory_bytes; /* 19 MiB; 8 KiB to 1 GiB, a multiple of 1024 */
    int passes;          /* 2; 1 to 64 */
    int at_once;         /* hashes that run at a time: the cores of the process, at most 16 */
} bide_password_options;

/* Sets them; NULL: the defaults. Once, before loops run. 0, or -EINVAL and nothing is set. */
int bide_password_setup(const bide_password_options *options)
    __attribute__((__warn_unused_result__));

/* The hash of a password, with a salt of its own, in bide_task_arena's memory. Suspends. Raises
   BIDE_INVALID for an empty or too long password, BIDE_LIMIT, BIDE_NO_MEMORY. */
bide_async(bide_hash) bide_password_hash(bide_plain_pw password);

/* Whether this is the password of that hash. Suspends. Raises BIDE_LIMIT, BIDE_NO_MEMORY; no input
   is an error. */
bide_async(bool) bide_password_verify(bide_plain_pw password, bide_hash hash);

/* Whether a hash should be made anew, at the next login that is right: another algorithm, or less
   memory or fewer passes than now. True for a damaged one. Plain. */
bool bide_password_stale(bide_hash hash);

SPAWNABLE(bide_hash, bide_password_hash, bide_plain_pw)
SPAWNABLE(bool, bide_password_verify, bide_plain_pw, bide_hash)

#endif
