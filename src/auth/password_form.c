/*
 * password_form.c: see password_form.h.
 *
 *     $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH       the PHC string format
 *     $2b$12$SALTHASH                                crypt(5): 22 and 31 digits
 */
#include "auth/password_form.h"

#include "base/caps.h"

#include <string.h>

enum { BCRYPT_LENGTH = 60, PHC_LENGTH_MOST = 127, LANES_MOST = 64 };

/* Passes a text. */
static int pass(const char **at, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0)
        return 0;
    *at += length;
    return 1;
}

/* Passes a decimal number of at most 9 digits, without zeros in front; 0 for another text. */
static size_t number(const char **at)
{
    size_t value = 0, length = strspn(*at, "0123456789");
    if (length == 0 || length > 9 || **at == '0')
        return 0;
    for (size_t i = 0; i < length; i++)
        value = value * 10 + (size_t)((*at)[i] - '0');
    *at += length;
    return value;
}

static struct bide__password_form argon2id(const char *at)
{
    struct bide__password_form form = {BIDE__PASSWORD_NONE, 0, 0};
    size_t memory_kib = 0, passes = 0, lanes = 0;
    if (pass(&at, "m="))
        memory_kib = number(&at);
    if (pass(&at, ",t="))
        passes = number(&at);
    if (pass(&at, ",p="))
        lanes = number(&at);
    if (!pass(&at, "$") || memory_kib == 0 || passes == 0 || lanes == 0 || lanes > LANES_MOST ||
        memory_kib > BIDE_CAP_PASSWORD_MEMORY_MOST_BYTES / 1024 ||
        passes > BIDE_CAP_PASSWORD_PASSES_MOST || strlen(at) > PHC_LENGTH_MOST)
        return form;
    form.kind = BIDE__PASSWORD_ARGON2ID;
    form.memory_bytes = memory_kib * 1024;
    form.passes = passes;
    return form;
}

static int is_bcrypt(const char *hash)
{
    static const char digits[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if (strlen(hash) != BCRYPT_LENGTH || !strchr("aby", hash[2]) || hash[3] != '$' ||
        hash[6] != '$' || strspn(hash + 4, "0123456789") != 2)
        return 0;
    int cost = (hash[4] - '0') * 10 + hash[5] - '0';
    return cost >= 4 && cost <= BIDE_CAP_PASSWORD_BCRYPT_COST &&
           strspn(hash + 7, digits) == BCRYPT_LENGTH - 7;
}

struct bide__password_form bide__password_form(const char *hash)
{
    struct bide__password_form form = {BIDE__PASSWORD_NONE, 0, 0};
    const char *at = hash;
    if (!hash)
        return form;
    if (pass(&at, "$argon2id$v=19$"))
        return argon2id(at);
    if (pass(&at, "$2") && is_bcrypt(hash))
        form.kind = BIDE__PASSWORD_BCRYPT;
    return form;
}
