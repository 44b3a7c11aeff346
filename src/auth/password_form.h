/*
 * What a stored hash of a password says of itself. Called by password.c.
 */
#ifndef BIDE_AUTH_PASSWORD_FORM_H
#define BIDE_AUTH_PASSWORD_FORM_H

#include <stddef.h>

enum bide__password_kind {
    BIDE__PASSWORD_NONE, /* no hash, a damaged one, one that costs too much, or of no known kind */
    BIDE__PASSWORD_ARGON2ID,
    BIDE__PASSWORD_BCRYPT,
};

struct bide__password_form {
    enum bide__password_kind kind;
    size_t memory_bytes; /* of argon2id */
    size_t passes;
};

/* Looks at a text, or NULL. Pure. */
struct bide__password_form bide__password_form(const char *hash);

#endif
