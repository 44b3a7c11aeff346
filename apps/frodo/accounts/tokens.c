/*
 * What tokens of programs say: access tokens, shown with each request, and the subjects of refresh
 * tokens. Called by login.c and current.c.
 *
 * Access tokens are signed, not kept: one is good for ACCESS_TOKEN_EXPIRE_MINUTES, or until the
 * account's epoch changes.
 */
#include "accounts/login.h"

#include <stdio.h>

const char *refresh_subject_of(int64_t user_id, int32_t epoch)
{
    return bide_arena_printf(bide_task_arena(), "%lld/%d", (long long)user_id, epoch);
}

bool refresh_subject_read(const char *subject, int64_t *ret_user_id, int32_t *ret_epoch)
{
    long long user_id;
    int epoch;
    if (sscanf(subject, "%lld/%d", &user_id, &epoch) != 2)
        return false;
    *ret_user_id = user_id;
    *ret_epoch = epoch;
    return true;
}

static bide_jwt_rules rules_of(const frodo *site)
{
    return (bide_jwt_rules){.algorithm = BIDE_HS256,
                            .secret = site->secret,
                            .issuer = "frodo",
                            .ttl = bide_s(60.0 * site->settings->access_token_minutes)};
}

const char *access_token_of(const frodo *site, int64_t user_id, int32_t epoch)
{
    bide_arena *arena = bide_task_arena();
    bide_jwt_rules rules = rules_of(site);
    access_claims claims = {
        .sub = bide_arena_printf(arena, "%lld", (long long)user_id),
        .epoch = epoch,
    };
    return bide_jwt_issue(arena, &rules, access_claims, &claims);
}

const access_claims *access_token_read(const frodo *site, const char *token)
{
    bide_jwt_rules rules = rules_of(site);
    enum bide_jwt_why why;
    return bide_jwt_verify(bide_task_arena(), &rules, access_claims, token, &why);
}
